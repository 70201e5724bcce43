"""What differs from one installation to another: the framework's environment variables, and the product's own.

From this declaration come the checks at start, `.env.example` and `docs/settings.md`
(`manage.py settings_docs` writes the two; a test fails when they are stale).
"""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from framework.env import CommaSeparated
from framework.variables import Variables

BASE_DIR = Path(__file__).resolve().parent.parent


class Env(Variables):
    project_name: str = Field(
        "Backend",
        pattern=r"^[A-Za-z][A-Za-z0-9 _-]{0,40}$",
        description="The product's name: titles, and the prefix of cookies, cache keys and packages.",
    )
    client_version: str = Field(
        "0.1.0",
        pattern=r"^\d+(\.\d+)*((a|b|rc)\d+|\.dev\d+)?$",
        description="Version of the client package that `manage.py protos --wheel` builds.",
    )
    domains: CommaSeparated = Field(
        ("catalog", "orders"),
        description="The domains this process holds, by name (`billing` is `apps.billing`) or by the dotted path"
        " of an installed package. `accounts` is always among them.",
    )
    data_dir: Path = Field(BASE_DIR / "var", description="Where the embedded stores keep their files.")
    staff_second_factor: bool | None = Field(
        None, description="The admin asks staff for a second factor. Empty: unless DEBUG."
    )
    oidc_url: str = Field(
        "",
        pattern="^(https?://.+)?$",
        description="A provider of OpenID Connect that users can log in with: the URL below which it has"
        " `.well-known/openid-configuration`. Its redirect URI here is /accounts/pages/oidc/oidc/login/callback/.",
    )
    oidc_name: str = Field("OpenID Connect", description="What users know that provider as.")
    oidc_client_id: str = Field("", description="What that provider knows this site as.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="The secret that goes with OIDC_CLIENT_ID.")

    @field_validator("oidc_client_id")
    @classmethod
    def _provider_knows_this_site(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) != bool(info.data.get("oidc_url")):
            raise ValueError("must be set together with OIDC_URL")
        return value

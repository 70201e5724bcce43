"""The reasons of refusals are part of the contract: a domain's `rules.py` says them for each function.

    REASONS = {"create_product": ("SKU_TAKEN",), "archive_product": ("PRODUCT_NOT_FOUND", "STALE_VERSION")}

They stand in the GraphQL schema and in the comments of the protos. Any function may refuse for those of ANY, too.
"""

from collections.abc import Mapping

from framework import discovery
from framework.errors import BY_CODE

Reasons = Mapping[str, tuple[str, ...]]

ANY = (*BY_CODE, "BAD_PAGE_TOKEN", "DATABASE")
# Of a call that reaches no function.
GRPC = (
    *("ACTOR_AUDIENCE", "ACTOR_EXPIRED", "ACTOR_INVALID", "ACTOR_REPLAYED", "MALFORMED", "NONCE_STORE"),
    *("TOKEN_INVALID", "TOKEN_MISSING", "TOKEN_SCOPE", "TOKEN_TRIES", "USER_INACTIVE"),
)


def declared() -> dict[str, Reasons]:
    """What each domain's `rules.py` says, by the domain's package."""
    modules = discovery.modules("rules", remote=True)
    return {module.__name__.rpartition(".")[0]: getattr(module, "REASONS", {}) for module in modules}

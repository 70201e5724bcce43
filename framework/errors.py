"""The errors a domain raises; every door translates them from here.

A code is the name of a gRPC status (https://grpc.io/docs/guides/status-codes/), because those names already
say who is at fault and whether trying again can help. The message is written for the client: it never holds
database text or a traceback.
"""

from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """A refusal with a cause the client can act on.

    `fields` maps the name of an input field to what is wrong with it. `reason` is a stable word for programs,
    in UPPER_SNAKE_CASE; it defaults to the code.
    """

    code: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})
        self.reason = reason or self.code


class InvalidArgument(DomainError):
    code = "INVALID_ARGUMENT"


class NotFound(DomainError):
    code = "NOT_FOUND"


class AlreadyExists(DomainError):
    code = "ALREADY_EXISTS"


class Unauthenticated(DomainError):
    code = "UNAUTHENTICATED"


class PermissionDenied(DomainError):
    code = "PERMISSION_DENIED"


class FailedPrecondition(DomainError):
    """The state does not allow it, and trying again without changing the state will not help."""

    code = "FAILED_PRECONDITION"


class Aborted(DomainError):
    """Somebody else was faster (a stale version): read again, then try again."""

    code = "ABORTED"


class ResourceExhausted(DomainError):
    code = "RESOURCE_EXHAUSTED"


class DeadlineExceeded(DomainError):
    code = "DEADLINE_EXCEEDED"


class Unavailable(DomainError):
    """Something this call needs does not answer now; the same call may work later."""

    code = "UNAVAILABLE"


# Refusals that the same call, tried again, would meet again.
FINAL: tuple[type[DomainError], ...] = (
    InvalidArgument,
    NotFound,
    AlreadyExists,
    Unauthenticated,
    PermissionDenied,
    FailedPrecondition,
)
BY_CODE: dict[str, type[DomainError]] = {error.code: error for error in DomainError.__subclasses__()}

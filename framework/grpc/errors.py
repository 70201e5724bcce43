"""DomainError <-> gRPC status: the code, the message, and google.rpc details for programs.

ErrorInfo carries `reason` and the domain that refused; BadRequest carries one violation a field.
"""

from typing import Any, NamedTuple

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2

from framework import errors

DETAILS_KEY = "grpc-status-details-bin"

_PLAIN_MESSAGES = {
    "UNAVAILABLE": "{domain} does not answer now. Try again later.",
    "DEADLINE_EXCEEDED": "{domain} did not answer in time.",
    "RESOURCE_EXHAUSTED": "{domain} has too much to do now. Try again later.",
}


class Status(NamedTuple):
    """What ends a call that failed."""

    code: grpc.StatusCode
    message: str
    details: bytes  # a serialized google.rpc.Status: the metadata DETAILS_KEY


def to_status(error: errors.DomainError, domain: str) -> Status:
    """The status that says the same as `error`, raised by `domain`."""
    details = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=error.message)
    details.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=domain))
    if error.fields:
        request = error_details_pb2.BadRequest()
        for field, description in error.fields.items():
            request.field_violations.add(field=field, description=description)
        details.details.add().Pack(request)
    return Status(grpc.StatusCode[error.code], error.message, details.SerializeToString())


def from_call(failed: grpc.RpcError, domain: str) -> errors.DomainError | None:
    """The error that ended the call to `domain`, as its server raised it.

    None when it is none a domain raises (INTERNAL, UNIMPLEMENTED, ...): a fault, not an answer.
    """
    code = failed.code().name
    if code == "CANCELLED":  # not by us: a server that stops lets go of what it has not begun
        code = "UNAVAILABLE"
    error_class = errors.BY_CODE.get(code)
    if error_class is None:
        return None
    reason, fields = _read_details(failed)
    message = failed.details() or ""
    if not reason and code in _PLAIN_MESSAGES:
        # From the transport, not from a domain: its text names addresses.
        message = _PLAIN_MESSAGES[code].format(domain=domain)
    return error_class(message, fields=fields, reason=reason)


def _read_details(failed: grpc.RpcError) -> tuple[str, dict[str, str]]:
    reason, fields = "", {}
    metadata: Any = failed.trailing_metadata() or ()
    for key, value in metadata:
        if key != DETAILS_KEY:
            continue
        for detail in status_pb2.Status.FromString(value).details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                reason = error_details_pb2.ErrorInfo.FromString(detail.value).reason
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                violations = error_details_pb2.BadRequest.FromString(detail.value).field_violations
                fields = {violation.field: violation.description for violation in violations}
    return reason, fields

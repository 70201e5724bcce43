"""What the protos say about a method. Needs no Django."""

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor


def is_idempotent(method: str) -> bool:
    """Whether `/catalog.v1.CatalogService/GetProduct` may be called again: its `option idempotency_level`."""
    try:
        found = descriptor_pool.Default().FindMethodByName(method.strip("/").replace("/", "."))
    except KeyError:
        return False
    return _may_be_repeated(found)


def idempotent_methods(contract: FileDescriptor) -> list[tuple[str, str]]:
    """Service and name of every method in the file that may be called again."""
    return [
        (service.full_name, method.name)
        for service in contract.services_by_name.values()
        for method in service.methods
        if _may_be_repeated(method)
    ]


def _may_be_repeated(method: MethodDescriptor) -> bool:
    level = method.GetOptions().idempotency_level
    return bool(level != descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN)

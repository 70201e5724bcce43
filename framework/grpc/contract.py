"""What the protos say about a method. Needs no Django."""

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

_LEVELS = descriptor_pb2.MethodOptions


def is_idempotent(method: str) -> bool:
    """Whether `/catalog.v1.CatalogService/GetProduct` may be called again: its `option idempotency_level`."""
    found = _find(method)
    return found is not None and _may_be_repeated(found)


def changes_nothing(method: str) -> bool:
    """Whether `/catalog.v1.CatalogService/GetProduct` only reads: its level is NO_SIDE_EFFECTS."""
    found = _find(method)
    return found is not None and bool(_level(found) == _LEVELS.NO_SIDE_EFFECTS)


def idempotent_methods(contract: FileDescriptor) -> list[tuple[str, str]]:
    """Service and name of every method in the file that may be called again."""
    return [
        (service.full_name, method.name)
        for service in contract.services_by_name.values()
        for method in service.methods
        if _may_be_repeated(method)
    ]


def methods(service: str) -> list[str]:
    """The paths of all methods of `catalog.v1.CatalogService`."""
    found = descriptor_pool.Default().FindServiceByName(service)
    return [f"/{service}/{method.name}" for method in found.methods]


def _find(method: str) -> MethodDescriptor | None:
    try:
        return descriptor_pool.Default().FindMethodByName(method.strip("/").replace("/", "."))
    except KeyError:
        return None


def _may_be_repeated(method: MethodDescriptor) -> bool:
    return bool(_level(method) != _LEVELS.IDEMPOTENCY_UNKNOWN)


def _level(method: MethodDescriptor) -> int:
    return int(method.GetOptions().idempotency_level)

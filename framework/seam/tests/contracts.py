"""Contracts for tests, from a few words: {"Line": {"product_id": "int64", "note": "optional string"}}."""

from itertools import count

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.message_factory import GetMessageClass
from google.type import date_pb2, decimal_pb2, money_pb2

_NUMBERS = count()
_WELL_KNOWN = (duration_pb2, field_mask_pb2, timestamp_pb2, date_pb2, decimal_pb2, money_pb2, field_behavior_pb2)
_SHORT = {
    kind.full_name.rpartition(".")[2]: f".{kind.full_name}"
    for module in _WELL_KNOWN
    for kind in module.DESCRIPTOR.message_types_by_name.values()
}
_BEHAVIORS = {"output_only": field_behavior_pb2.OUTPUT_ONLY, "optional_money": field_behavior_pb2.OPTIONAL}


def contract(messages, enums=None, methods=None):
    """The file descriptor of a new package; `methods` of ShopService: {"Get": ("GetRequest", "GetResponse", level)}."""
    package = f"shop{next(_NUMBERS)}.v1"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
    for name, values in (enums or {}).items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            _add(message, field, number, kind.split(), package, enums or {})
    service = file.service.add(name="ShopService")
    for name, (request, response, level) in (methods or {}).items():
        types = {"input_type": f".{package}.{request}", "output_type": f".{package}.{response}"}
        method = service.method.add(name=name, **types)
        method.options.idempotency_level = descriptor_pb2.MethodOptions.IdempotencyLevel.Value(level)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return descriptor_pool.Default().FindFileByName(file.name)


def message(file, name):
    return GetMessageClass(file.message_types_by_name[name])


def _add(message, name, number, words, package, enums):
    field = message.field.add(name=name, number=number, label="LABEL_OPTIONAL")
    kind = words[-1]
    if kind in enums:
        field.type, field.type_name = descriptor_pb2.FieldDescriptorProto.TYPE_ENUM, f".{package}.{kind}"
    elif kind[0].isupper():
        field.type, field.type_name = 11, _SHORT.get(kind, f".{package}.{kind}")
    else:
        field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    if "repeated" in words:
        field.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    if "optional" in words:
        field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    for word, behavior in _BEHAVIORS.items():
        if word in words:
            field.options.Extensions[field_behavior_pb2.field_behavior].append(behavior)

"""A service of no domain: its methods do what a test tells them to."""

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from framework.actor import allow, anyone, authenticated, service, staff
from framework.grpc.auth import Authenticator
from framework.grpc.interceptors import Chain
from framework.grpc.service import Service
from framework.grpc.tokens import parse_tokens

TOKEN = "a-token-of-the-shop"
OLD_TOKEN = "the-token-before-that"
NAME = "echo.v1.EchoService"
READ = f"/{NAME}/Read"
WRITE = f"/{NAME}/Write"

_METHODS = {  # name: request streams, response streams, idempotency, rule
    "Write": (False, False, "IDEMPOTENCY_UNKNOWN", service),
    "Read": (False, False, "NO_SIDE_EFFECTS", anyone),
    "AsUser": (False, False, "IDEMPOTENCY_UNKNOWN", authenticated),
    "AsStaff": (False, False, "IDEMPOTENCY_UNKNOWN", staff),
    "Stream": (False, True, "NO_SIDE_EFFECTS", service),
    "Collect": (True, False, "IDEMPOTENCY_UNKNOWN", service),
    "Chat": (True, True, "IDEMPOTENCY_UNKNOWN", service),
}


def _describe():
    file = descriptor_pb2.FileDescriptorProto(name="echo/v1/echo.proto", package="echo.v1", syntax="proto3")
    message = file.message_type.add(name="Text")
    message.field.add(name="text", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    contract = file.service.add(name="EchoService")
    for name, (request_streams, response_streams, level, _) in _METHODS.items():
        method = contract.method.add(name=name, input_type=".echo.v1.Text", output_type=".echo.v1.Text")
        method.client_streaming, method.server_streaming = request_streams, response_streams
        method.options.idempotency_level = descriptor_pb2.MethodOptions.IdempotencyLevel.Value(level)
    return descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


_describe()
DESCRIPTOR = descriptor_pool.Default().FindFileByName("echo/v1/echo.proto")
Text = message_factory.GetMessageClass(DESCRIPTOR.message_types_by_name["Text"])


def unchanged(request, context):
    """What the methods do until a test says otherwise."""
    return request


class EchoServiceServicer:
    __module__ = "echo_pb2_grpc"  # as if protoc had made it


for _name in _METHODS:
    setattr(EchoServiceServicer, _name, lambda self, request, context: None)


class EchoService(Service, EchoServiceServicer):
    act = staticmethod(unchanged)


def _method(rule):
    @allow(rule)
    def method(self, request, context):
        return self.act(request, context)

    return method


for _name, (_, _, _, _rule) in _METHODS.items():
    setattr(EchoService, _name, _method(_rule))


def register(server):
    servicer = EchoService.as_servicer()
    handlers = {}
    for name, (request_streams, response_streams, _, _) in _METHODS.items():
        kind = f"{_kind(request_streams, response_streams)}_rpc_method_handler"
        handlers[name] = getattr(grpc, kind)(
            getattr(servicer, name), request_deserializer=Text.FromString, response_serializer=Text.SerializeToString
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    server.add_registered_method_handlers(NAME, handlers)


class Stub:
    def __init__(self, channel):
        for name, (request_streams, response_streams, _, _) in _METHODS.items():
            call = getattr(channel, _kind(request_streams, response_streams))
            setattr(
                self,
                name,
                call(
                    f"/{NAME}/{name}",
                    request_serializer=Text.SerializeToString,
                    response_deserializer=Text.FromString,
                ),
            )


def chain(*, deadline=30.0):
    tokens = parse_tokens(f"shop:{TOKEN}:*+assert.staff+assert.unchecked,shop:{OLD_TOKEN}")
    return Chain(Authenticator(tokens), deadline)


def bearer(token=TOKEN):
    return (("authorization", f"Bearer {token}"),)


def _kind(request_streams, response_streams):
    return f"{'stream' if request_streams else 'unary'}_{'stream' if response_streams else 'unary'}"

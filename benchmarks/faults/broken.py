"""A gRPC server that answers every call with an error: `python -m benchmarks.faults.broken PORT`."""

import itertools
import sys
from concurrent import futures
from typing import Any

import grpc

CODES = itertools.cycle((grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN))


class Handler(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        def fail(request: bytes, context: grpc.ServicerContext) -> bytes:
            context.abort(next(CODES), "out of order")
            return b""

        return grpc.unary_unary_rpc_method_handler(fail)


if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([Handler()])
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()

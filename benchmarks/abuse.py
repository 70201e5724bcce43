"""What the servers make of clients that are broken, slow or hostile: `./run bench abuse`.

Of the web server is measured what others notice meanwhile (benchmarks/abuse_web.py). On the gRPC server each attack is
made at least twice: does it still answer, were the codes right, and did its memory stay where the round before left it?
Everything happens on 127.0.0.1.
"""

import argparse
import random
import resource
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from os import environ
from pathlib import Path
from typing import Any, NamedTuple

import grpc

import protos
from benchmarks import abuse_stream, abuse_web, servers
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1.catalog_pb2_grpc import CatalogServiceStub

PROTOS = Path(protos.__path__[0])
CONTRACTS = [
    import_module(f"protos.{'.'.join(path.relative_to(PROTOS).with_suffix('').parts)}").DESCRIPTOR
    for path in sorted(PROTOS.glob("*/*/*_pb2.py"))
]
TOKEN = "a-token-of-the-abuse-benchmark"
BEARER = (("authorization", f"Bearer {TOKEN}"),)
DATABASE = "postgres://postgres@127.0.0.1:5432/bench_abuse"
IN_FLIGHT = 50
SETTLE = 2.0  # seconds for the server to let go of connections that were closed
GROWTH = 16.0  # MiB that one more round of the same may add before it counts as a leak
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")  # and an empty SETTINGS frame
METHODS = [
    f"/{service.full_name}/{method.name}"
    for contract in CONTRACTS
    for service in contract.services_by_name.values()
    for method in service.methods
    if not method.server_streaming
]

Codes = Counter[str]
Call = Callable[[grpc.Channel], Any]


class Attack(NamedTuple):
    name: str
    times: int  # in each round
    run: Callable[[str, int], Codes]
    allowed: frozenset[str]
    rounds: int = 2  # more where the allocator takes longer to have its fill


class Outcome(NamedTuple):
    attack: Attack
    codes: Codes
    seconds: float
    memory: list[float]  # MiB, before and after each round

    @property
    def complaints(self) -> list[str]:
        found = [f"answered {code}" for code in sorted(set(self.codes) - self.attack.allowed)]
        grown = self.memory[-1] - self.memory[-2]
        return found + ([f"grew by {grown:.0f} MiB"] if grown > GROWTH else [])


def random_messages(address: str, times: int) -> Codes:
    """Random bytes, and good messages with a byte changed, to every method."""
    good = pb.CreateProductRequest(product=pb.Product(sku="A", name="B", stock=1)).SerializeToString()

    def one(channel: grpc.Channel) -> Any:
        damaged = bytearray(good)
        damaged[random.randrange(len(damaged))] = random.randrange(256)
        data = random.choice([random.randbytes(random.randrange(1, 200)), bytes(damaged)])
        method: Any = channel.unary_unary(random.choice(METHODS))
        return method.future(data, timeout=10, metadata=BEARER)

    return _calls(address, times, one)


def large_messages(address: str, times: int) -> Codes:
    return _calls(address, times, lambda channel: _get(channel, bytes(5 << 20), BEARER, 30))


def large_metadata(address: str, times: int) -> Codes:
    return _calls(address, times, lambda channel: _get(channel, b"", (*BEARER, ("x-junk", "x" * 100_000)), 10))


def short_deadlines(address: str, times: int) -> Codes:
    return _calls(address, times, lambda channel: _get(channel, b"", BEARER, random.choice([0.001, 0, -1])))


def bad_tokens(address: str, times: int) -> Codes:
    def one(channel: grpc.Channel) -> Any:
        metadata = (*random.choice([BEARER, ()]), ("x-actor", random.randbytes(30).hex()))
        return _get(channel, b"", metadata, 10)

    return _calls(address, times, one)


def cancelled_streams(address: str, times: int) -> Codes:
    codes: Codes = Counter()
    with grpc.insecure_channel(address) as channel:
        stub = CatalogServiceStub(channel)
        for _ in range(times):
            stream = stub.StreamProducts(pb.StreamProductsRequest(), metadata=BEARER, timeout=30)
            next(stream)
            stream.cancel()
            codes[stream.code().name] += 1
    return codes


def malformed_frames(address: str, times: int) -> Codes:
    """HTTP/2 frames of random type, flags, stream and payload, three a connection, until the server closes it."""
    for _ in range(times // 3):
        with _raw(address) as connection, suppress(OSError):
            connection.sendall(_frame() + _frame() + _frame())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    return Counter({"frame": times // 3 * 3})


def _frame() -> bytes:
    payload = random.randbytes(random.randrange(100))
    stream = random.choice([0, 1, 3])
    return len(payload).to_bytes(3, "big") + random.randbytes(2) + stream.to_bytes(4, "big") + payload


def no_http(address: str, times: int) -> Codes:
    """Connections that speak something else."""
    host, _, port = address.rpartition(":")
    for _ in range(times):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(random.randbytes(200))
    return Counter({"connection": times})


def idle_connections(address: str, times: int) -> Codes:
    """All open at once, doing nothing, while others call."""
    with ExitStack() as stack:
        for _ in range(times):
            stack.enter_context(_raw(address))
        with grpc.insecure_channel(address) as channel:
            codes = Counter(_code(_get(channel, b"", BEARER, 5)) for _ in range(200))
    return codes


def silent_health_checks(address: str, times: int) -> Codes:
    """Health checks that never say what they ask for, while others call."""
    end = threading.Event()
    with grpc.insecure_channel(address) as channel, grpc.insecure_channel(address) as others:
        check: Any = channel.stream_unary("/grpc.health.v1.Health/Check")
        opened = [check.future(_silence(end), timeout=30) for _ in range(times)]
        codes = Counter(_code(_get(others, b"", BEARER, 5)) for _ in range(200))
        end.set()
        del opened  # a call that nobody refers to is cancelled
    return codes


def _silence(end: threading.Event) -> Iterator[bytes]:
    end.wait(30)
    yield b""


ATTACKS = (
    Attack("malformed frames", 10_000, malformed_frames, frozenset({"frame"})),
    Attack("not HTTP/2", 2_000, no_http, frozenset({"connection"})),
    Attack(
        "random messages",
        10_000,
        random_messages,
        frozenset(
            {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "FAILED_PRECONDITION", "ALREADY_EXISTS"}
        ),
    ),
    Attack("messages of 5 MiB", 100, large_messages, frozenset({"RESOURCE_EXHAUSTED"})),
    Attack("metadata of 100 kB", 500, large_metadata, frozenset({"RESOURCE_EXHAUSTED"})),
    Attack("deadlines of 1 ms and less", 3_000, short_deadlines, frozenset({"DEADLINE_EXCEEDED", "NOT_FOUND"})),
    Attack("bad tokens and actors", 3_000, bad_tokens, frozenset({"UNAUTHENTICATED"})),
    Attack("streams cancelled", 500, cancelled_streams, frozenset({"CANCELLED", "OK"})),
    Attack("silent health checks", 40, silent_health_checks, frozenset({"NOT_FOUND"})),
    Attack("idle connections", 3_000, idle_connections, frozenset({"NOT_FOUND"}), rounds=8),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=__doc__)
    parser.add_argument("--database", metavar="URL", default=DATABASE, help="for this alone; it is made if missing")
    parser.add_argument("--share", type=float, default=1.0, help="of each attack's number, to look quickly")
    parser.add_argument("--only", choices=["web", "grpc"], help="one of the two")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    random.seed(1)
    complaints = abuse_web.run(options.share) if options.only != "grpc" else []
    complaints += attack_grpc(options.database, options.share) if options.only != "web" else []
    print("\n".join(complaints) or "Every answer was right, others were served, memory stayed flat.")
    sys.exit(bool(complaints))


def attack_grpc(database: str, share: float) -> list[str]:
    """Print a line for each attack; returns what was wrong."""
    abuse_stream.prepare(database)
    with server(database) as running:
        complaints = [line for attack in ATTACKS for line in report(attempt(running, attack, share))]
        complaints += abuse_stream.run(f"127.0.0.1:{running.port}", BEARER, lambda: memory(running))
        running.process.terminate()
        if running.process.wait(60) != 0:
            complaints.append(f"the server ended with {running.process.returncode}")
    return complaints


@contextmanager
def server(database: str) -> Iterator[servers.Server]:
    port = servers.free_port()
    settings = {
        "DEBUG": "1",
        "DATABASE_URL": database,
        "DATABASE_POOL": "8",
        "GRPC_TOKENS": f"abuse:{TOKEN}",
        "GRPC_GRACE": "5",
    }
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "manage.py", "grpcrunserver", f"127.0.0.1:{port}"]
        started = servers.Server("grpcrunserver", command, environ | settings, port, Path(folder) / "log")
        with servers.running([started]):
            yield started


def attempt(running: servers.Server, attack: Attack, share: float) -> Outcome:
    """Attack, round after round. Raises RuntimeError when the server does not answer any more."""
    address, times = f"127.0.0.1:{running.port}", max(1, round(attack.times * share))
    codes: Codes = Counter()
    measured, started = [memory(running)], time.perf_counter()
    for _ in range(attack.rounds):
        codes += attack.run(address, times)
        check_alive(address, attack.name)
        time.sleep(SETTLE)
        measured.append(memory(running))
    return Outcome(attack, codes, time.perf_counter() - started, measured)


def report(outcome: Outcome) -> list[str]:
    """Print one line; returns what was wrong."""
    codes = ", ".join(f"{count} {code}" for code, count in outcome.codes.most_common())
    flow = " -> ".join(f"{size:.0f}" for size in outcome.memory)
    print(f"{outcome.attack.name:28} {outcome.seconds:6.1f} s  {flow} MiB  {codes}", flush=True)
    return [f"{outcome.attack.name}: {complaint}" for complaint in outcome.complaints]


def memory(running: servers.Server) -> float:
    """MiB that the server's process has in memory."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def check_alive(address: str, after: str) -> None:
    with grpc.insecure_channel(address) as channel:
        code = _code(_get(channel, b"", BEARER, 5))
    if code != "NOT_FOUND":
        raise RuntimeError(f"after {after}, the server answers {code}")


def _calls(address: str, times: int, call: Call) -> Codes:
    """That many calls, some of them at once."""
    codes: Codes = Counter()
    with grpc.insecure_channel(address, [("grpc.max_metadata_size", 1 << 20)]) as channel:
        waiting: list[Any] = []
        for _ in range(times):
            waiting.append(call(channel))
            if len(waiting) == IN_FLIGHT:
                codes.update(map(_code, waiting))
                waiting.clear()
        codes.update(map(_code, waiting))
    return codes


def _get(channel: grpc.Channel, data: bytes, metadata: Sequence[tuple[str, str]], seconds: float) -> Any:
    method: Any = channel.unary_unary("/catalog.v1.CatalogService/GetProduct")
    return method.future(data, timeout=seconds, metadata=metadata)


def _code(call: Any) -> str:
    call.exception()  # waits
    return str(call.code().name)


@contextmanager
def _raw(address: str) -> Iterator[socket.socket]:
    """A connection that began as HTTP/2 does."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(PREFACE)
        yield connection


if __name__ == "__main__":
    main()

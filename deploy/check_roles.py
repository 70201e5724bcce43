"""Runs every role from an image, and prints how long each takes to start and to stop.

    python deploy/check_roles.py IMAGE ENGINE...      the engine being `docker`, or `podman` with its options

The database of IMAGE_CHECK_DATABASE_URL is only asked to make another one, which is dropped at the end.
"""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVER = os.environ.get("IMAGE_CHECK_DATABASE_URL", "postgres://postgres:postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("IMAGE_CHECK_REDIS_URL", "redis://127.0.0.1:6379/13")
DATABASE = "backend_image_check"
DATABASE_URL = f"{SERVER.rpartition('/')[0]}/{DATABASE}"
PORT, GRPC_PORT = 18080, 18051
PATIENCE = 60  # seconds for a role to start
STOP = {"web": 30, "grpc": 40, "worker": 70, "beat": 10, "relay": 10, "all": 80}  # seconds, as in docker-compose.yml
VARIABLES = {
    "SECRET_KEY": "of-this-check-0123456789-abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "127.0.0.1",
    "DATABASE_URL": DATABASE_URL,
    "REDIS_URL": REDIS_URL,
    "SECURE_COOKIES": "0",
    "HOST": "127.0.0.1",
    "PORT": str(PORT),
    "GRPC_PORT": str(GRPC_PORT),
    "WEB_WORKERS": "2",
}
NOT_IN_THE_IMAGE = {"tests", "testing", "tools", "benchmarks", "clients", "docs", "ecs", "conftest.py"}
ENQUEUE = "from framework.queue.tasks import heartbeat; heartbeat.delay()"


class Engine:
    def __init__(self, image: str, words: list[str]) -> None:
        self._image = image
        self._words = words

    def command(self, *words: str) -> str:
        done = subprocess.run([*self._words, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def logs(self, name: str) -> str:
        done = subprocess.run([*self._words, "logs", name], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def run(self, *words: str, name: str = "", image: str = "", entrypoint: str = "") -> str:
        variables = [word for pair in VARIABLES.items() for word in ("--env", "=".join(pair))]
        how = ["--detach", "--name", name] if name else ["--rm"]
        options = ["--network", "host", "--read-only", "--tmpfs", "/tmp", *how, *variables]  # noqa: S108
        if entrypoint:
            options += ["--entrypoint", entrypoint]
        if Path(self._words[0]).name == "podman":
            options += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        return self.command("run", *options, image or self._image, *words)

    @contextlib.contextmanager
    def role(self, role: str, is_up: Callable[[], bool], *, image: str = "") -> Iterator[str]:
        """A container of the role from when it works; at the end it must stop by itself, in time, with code 0."""
        name = f"backend-check-{role}"
        self._remove(name)
        try:
            started = time.monotonic()
            self.run(role, name=name, image=image)
            wait_for(role, is_up, lambda: self.logs(name))
            cold = time.monotonic() - started
            wait_for(f"the health of {role}", lambda: self._is_healthy(name), lambda: self.logs(name))
            yield name
            self._stop(role, name, cold)
        finally:
            self._remove(name)

    def _is_healthy(self, name: str) -> bool:
        words = [*self._words, "exec", name, "python", "deploy/healthcheck.py"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def _stop(self, role: str, name: str, cold: float) -> None:
        began = time.monotonic()
        self.command("stop", "--time", str(STOP[role]), name)
        took = time.monotonic() - began
        code = self.command("inspect", "--format", "{{.State.ExitCode}}", name).strip()
        print(f"  {role:<8} cold start {cold:5.1f} s   stop {took:5.1f} s   exit code {code}", flush=True)
        if code != "0" or took >= STOP[role]:
            raise SystemExit(f"{role} did not stop as it should:\n{self.logs(name)}")

    def _remove(self, name: str) -> None:
        subprocess.run([*self._words, "rm", "--force", name], capture_output=True, check=False)


def wait_for(what: str, is_up: Callable[[], bool], logs: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_up():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not come up within {PATIENCE} s:\n{logs()}")
        time.sleep(0.05)


def web_is_up() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def grpc_is_up() -> bool:
    try:
        with grpc.insecure_channel(f"127.0.0.1:{GRPC_PORT}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def has_shown_life(name: str) -> Callable[[], bool]:
    """Whether the heartbeat of that name has been written since this was called."""
    began = query("SELECT now()")

    def look() -> bool:
        return bool(query("SELECT count(*) FROM queue_heartbeat WHERE name = %s AND at > %s", name, began))

    return look


def query(statement: str, *values: object) -> object:
    with psycopg.connect(DATABASE_URL) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row[0]


@contextlib.contextmanager
def database() -> Iterator[None]:
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {DATABASE}")
        try:
            yield
        finally:
            server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def check_static_files() -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/admin/login/", timeout=5) as answer:
        page = answer.read().decode()
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{style}", timeout=5) as answer:
        if "max-age=315360000" not in answer.headers["Cache-Control"]:
            raise SystemExit(f"{style} is not sent with a year to keep")


def check_restart(engine: Engine, name: str) -> None:
    """A role that is killed inside of the container with all of them must come back."""
    find = "import os,sys; print(*[p for p in os.listdir('/proc') if p.isdigit() and p != str(os.getpid())"
    find += " and b'manage.py\\0relay' in open(f'/proc/{p}/cmdline', 'rb').read()])"
    (process,) = engine.command("exec", name, "python", "-c", find).split()
    alive = has_shown_life("relay")
    engine.command("exec", name, "python", "-c", f"import os; os.kill({process}, 9)")
    wait_for("the killed relay", alive, lambda: engine.logs(name))


def check_release(engine: Engine) -> None:
    """What deploy/check_image.sh has built it as."""
    program = "from django.conf import settings; print(settings.RELEASE)"
    if (release := engine.run("manage", "shell", "--verbosity", "0", "--command", program).strip()) != "checked":
        raise SystemExit(f"the image calls itself {release!r}, not 'checked'")


def check_contents(engine: Engine) -> None:
    """Development and tests stay out of the image."""
    program = "import pathlib; print(*(path.parent if path.name == '__init__.py' else path"
    program += " for path in pathlib.Path().rglob('*.py')), sep='\\n')"
    modules = engine.run("-c", program, entrypoint="python").split()
    strangers = [name for name in modules if set(Path(name).parts) & NOT_IN_THE_IMAGE]
    if strangers:
        raise SystemExit(f"the image holds what it should not: {' '.join(strangers)}")


def check(engine: Engine, image: str) -> None:
    check_contents(engine)
    engine.run("migrate")
    check_release(engine)
    with engine.role("web", web_is_up):
        check_static_files()
    with engine.role("grpc", grpc_is_up):
        pass
    with engine.role("beat", has_shown_life("beat")):
        pass
    engine.run("manage", "shell", "--verbosity", "0", "--command", ENQUEUE)
    with engine.role("relay", has_shown_life("relay")):
        time.sleep(1)  # for the task to reach the broker, where the worker finds it
    with engine.role("worker", has_shown_life("queue")):
        pass
    with engine.role("all", lambda: web_is_up() and grpc_is_up(), image=f"{image}-supervisord") as name:
        check_restart(engine, name)


def main(image: str, *engine: str) -> None:
    found = Engine(image, list(engine))
    size = int(found.command("image", "inspect", "--format", "{{.Size}}", image))
    print(f"image: {size / 1e6:.0f} MB", flush=True)
    with database():
        check(found, image)
    print("image: every role starts, is healthy, and stops in time")


if __name__ == "__main__":
    main(*sys.argv[1:])

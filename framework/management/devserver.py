"""The whole system in one terminal, for development: what `./run` runs.

This process imports the code once and forks one process for each role, which share its memory. When a file changes, it
stops them and executes itself anew. An error in the code is printed once, by this process, and the next change tries
again. It imports the project only in `_import`, so that code that cannot be imported does not end it.
"""

import ctypes
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NoReturn

WATCHED = ("apps", "framework", "project", "protos", "tools")
LOOK_EVERY = 0.3  # seconds between two looks at the files
STOP_GRACE = 15.0  # seconds they get to finish their work after Ctrl-C
# In the environment of all executions but the first: the process ids of the roles that are stopping.
RELOADED = "DEVSERVER_RELOADED"
TERMINAL = "DEVSERVER_TERMINAL"  # there, the device that `breakpoint()` talks to
VALKEY = "DEVSERVER_VALKEY"  # there, the process id of the embedded Valkey, which a reload leaves alone
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)

Snapshot = Mapping[str, int]
Role = Callable[[], object]


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts its background jobs with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    _offer_debugger()
    before, team = snapshot(), Team(map(int, os.environ.get(RELOADED, "").split()))
    try:
        try:
            roles = _import()
        except Exception as error:
            _explain(error)
            roles = {}
        team.stop(0)  # those of the execution before, which had the time of the import to end by themselves
        for name, run in roles.items():
            team.start(name, run)
        while snapshot() == before:
            team.watch(LOOK_EVERY)
    except KeyboardInterrupt:
        team.stop(STOP_GRACE)
        _stop_valkey()
    else:
        print("The code has changed.", flush=True)
        team.terminate()
        os.environ[RELOADED] = " ".join(map(str, team.pids))
        os.execv(sys.executable, [sys.executable, "-m", "framework.management.devserver"])  # noqa: S606


def snapshot() -> Snapshot:
    """When each Python file of the project was last changed."""
    found: dict[str, int] = {}
    for top in WATCHED:
        for folder, _, names in os.walk(top):
            for path in (os.path.join(folder, name) for name in names if name.endswith(".py")):
                with suppress(FileNotFoundError):  # an editor replaces files
                    found[path] = os.stat(path).st_mtime_ns
    return found


def die_with_parent() -> None:
    """Have the system send this process SIGTERM when its parent ends, however that happens; on Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


class Output:
    """What a role prints, with its name before each line."""

    def __init__(self, name: str, pid: int) -> None:
        self._name = name
        self.pid = pid
        self._rest = b""

    def print(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            print(f"{self._name:<6} | {line.decode(errors='replace')}", flush=True)


class Team:
    """The processes of the roles."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = set(pids)
        self._outputs = selectors.DefaultSelector()

    def start(self, name: str, run: Role) -> None:
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            _become(run, write)
        os.close(write)
        self.pids.add(pid)
        self._outputs.register(read, selectors.EVENT_READ, Output(name, pid))

    def watch(self, seconds: float) -> None:
        """Print for so many seconds what the roles say, and which of them end."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._outputs.get_map():
                time.sleep(left)
                return
            for key, _ in self._outputs.select(left):
                self._print(key)

    def _print(self, key: selectors.SelectorKey) -> None:
        data = os.read(key.fd, 65536)
        if data:
            key.data.print(data)
            return
        self._outputs.unregister(key.fd)
        os.close(key.fd)
        if code := self._wait_for(key.data.pid):
            key.data.print(f"ended with code {code}; it starts again when a file changes\n".encode())

    def terminate(self) -> None:
        """Tell the roles to stop."""
        self._signal(signal.SIGTERM)

    def stop(self, grace: float) -> None:
        """Tell the roles to stop, and kill those that have not within `grace` seconds."""
        end = time.monotonic() + grace
        self.terminate()
        while self.pids and time.monotonic() < end:
            self.pids -= {pid for pid in self.pids if os.waitpid(pid, os.WNOHANG)[0]}
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        for pid in set(self.pids):
            self._wait_for(pid)

    def _wait_for(self, pid: int) -> int:
        self.pids.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _signal(self, number: int) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)


def _become(run: Role, output: int) -> NoReturn:
    """In the new process: be the role, and nothing of the one that forked it."""
    os.setsid()  # Ctrl-C reaches the parent alone, which stops the roles in their order
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in (1, 2):
        os.dup2(output, number)
    code = 1
    try:
        run()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _offer_debugger() -> None:
    """Have `breakpoint()` in a role call framework/management/debugger.py, where a person is at the terminal."""
    if sys.stdin and sys.stdin.isatty():
        os.environ[TERMINAL] = os.ttyname(sys.stdin.fileno())
        os.environ.setdefault("PYTHONBREAKPOINT", "framework.management.debugger.stop")


def _import() -> Mapping[str, Role]:
    """Import the whole project, and set it up at the first execution."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from framework.management.commands import dev

    return dev.prepare(first=RELOADED not in os.environ)


def _explain(error: Exception) -> None:
    """Say what is wrong. What a change of the code cannot mend ends the process."""
    if type(error).__name__ in ("ImproperlyConfigured", "CommandError") and RELOADED not in os.environ:
        _stop_valkey()
        sys.exit(f"run: {error}")
    print(_traceback(error), end="")
    print("The system starts when a file changes.", flush=True)


def _traceback(error: Exception) -> str:
    """Without the lines of other people's packages, which imported what is broken."""
    shown, here = traceback.TracebackException.from_exception(error), os.getcwd() + os.sep
    ours = [frame for frame in shown.stack if frame.filename.startswith(here) and ".venv" not in frame.filename]
    shown.stack = traceback.StackSummary.from_list(ours)
    return "".join(shown.format())


def _stop_valkey() -> None:
    if pid := int(os.environ.get(VALKEY, 0)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    main()

"""Services that need not read the code first: each is forked from a process that has, and is else as `flask` starts it.

    process = bring_up(["--app", "wsgi", "serve"], environ, sink)      # a Nursling, much as a Popen

To read it takes longer than all else that a start does. What it reads of the environment when it is read is none of
a service's own (`fits` knows the one exception).
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = sys.executable
LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
READ_WITH_THE_CODE = "PROMETHEUS_MULTIPROC_DIR"


def fits(environ: dict[str, str]) -> bool:
    """Whether a service would be the same as from an interpreter of its own; a test may have put another there."""
    return sys.executable == PYTHON and READ_WITH_THE_CODE not in environ


class Nursling:
    """A process of the nursery: what the tests use of a `Popen`."""

    def __init__(self, told: int) -> None:
        self._told = told  # its number, and when it has ended its exit code; each a line
        self.returncode: int | None = None
        self.pid = self._line()

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _end(self) -> None:
        self.returncode = self._line()
        os.close(self._told)

    def _line(self) -> int:
        found = b""
        while not found.endswith(b"\n"):
            piece = os.read(self._told, 1)
            assert piece, "the nursery has died"
            found += piece
        return int(found)


def bring_up(arguments: list[str], environ: dict[str, str], sink: IO[bytes]) -> Nursling:
    """Start `flask` with these arguments in the repository's root; what it prints goes to `sink`."""
    wanted = {"arguments": arguments, "environ": environ, "umask": _umask()}
    wanted["limits"] = [resource.getrlimit(limit) for limit in LIMITS]
    told, tell = os.pipe()
    with _lock:
        socket.send_fds(_nursery(), [json.dumps(wanted).encode()], [sink.fileno(), tell])
    os.close(tell)
    return Nursling(told)


_lock = threading.Lock()


@cache
def _nursery() -> socket.socket:
    """The nursery's ear; it ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environ = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    command = [PYTHON, "-m", "tests.support.nursery", str(theirs.fileno())]
    _held.append(subprocess.Popen(command, cwd=ROOT, env=environ, pass_fds=[theirs.fileno()]))
    theirs.close()
    return ours


_held: list[Any] = []  # a Popen that nobody holds is a warning


def _umask() -> int:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Umask:")]
    return int(line.split()[1], 8)


def nurse(ear: socket.socket) -> dict[str, Any]:
    """Bring up what is asked for until nobody can ask any more; return in the new process, with what it shall be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, handles, _, _ = socket.recv_fds(ear, 1 << 20, 2)
        if not asked:
            os._exit(0)
        if os.fork() == 0:
            ear.close()
            if _keep(*handles):
                return json.loads(asked)
        for handle in handles:
            os.close(handle)


def _keep(sink: int, tell: int) -> bool:
    """Fork the service, and stay to tell how it ends; return in the service alone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        os.close(sink)
        os.write(tell, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(tell, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    os.close(tell)
    return True


def become(wanted: dict[str, Any]) -> None:
    """Take on the environment of a service."""
    os.environ.clear()
    os.environ.update(wanted["environ"])
    os.umask(wanted["umask"])
    for limit, pair in zip(LIMITS, wanted["limits"], strict=True):
        resource.setrlimit(limit, pair)
    sys.argv[1:] = wanted["arguments"]


if __name__ == "__main__":
    import flask.cli

    import uploadsvc  # noqa: F401 - to have read it

    become(nurse(socket.socket(fileno=int(sys.argv[1]))))
    flask.cli.main()

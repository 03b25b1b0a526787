"""What is tested: real `serve` processes, with settings and deadlines of one's own, and the programs beside them."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest

from tests.support.bodies import CONTENT_TYPE, multipart, part
from tests.support.clock import eventually
from tests.support.nursery import Nursling, bring_up, fits
from tests.support.people import PASSWORD

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # Debian's servers lie where an ordinary user does not look
BASE = {"BCRYPT_ROUNDS": 4, "MIN_FREE_BYTES": 0, "JWT_SECRET": "tests-only-secret-of-more-than-32-bytes", "THREADS": 4}


def on_its_own(_instance: Path) -> dict[str, str]:
    """What a run gives the services of an instance folder beside their settings: SQLite and a folder need nothing."""
    return {}


given_by_run = on_its_own  # conftest puts the engines of `--scaled` in its place
forks = True  # conftest turns it off for tests that measure what a service costs


@dataclass
class Live:
    """A real `serve` process."""

    process: subprocess.Popen[bytes] | Nursling
    port: int
    instance: Path
    log: Path
    environ: dict[str, str]

    def connect(self, timeout: float = 20, receive_buffer: int = 0) -> socket.socket:
        return connected(self.port, timeout, receive_buffer)

    def http(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers in lower case, body."""
        connection = self.http()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def login(self, email: str = "admin@localhost", password: str = PASSWORD) -> dict[str, str]:
        """Sign in; return the headers of an authorized request."""
        body = json.dumps({"email": email, "password": password}).encode()
        status, _, answer = self.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
        assert status == 200, answer
        return {"Authorization": f"Bearer {json.loads(answer)['accessToken']}"}

    def upload(self, headers: dict[str, str], *parts: bytes) -> tuple[int, dict[str, str], bytes]:
        body = multipart(*(parts or (part(),)))
        return self.request("POST", "/api/upload", body, {"Content-Type": CONTENT_TYPE} | headers)

    def flask(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run an operator's command on the same instance."""
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = 20) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout)

    def stop_by_itself(self, timeout: float = 30) -> int:
        """Wait for a process that is not to go on; return its exit code."""
        return self.process.wait(timeout)

    def serves(self) -> bool:
        """Does it answer?"""
        return answers(self)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log's JSON lines so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def connected(port: int, timeout: float, receive_buffer: int) -> socket.socket:
    """A connection to a service on this machine; `receive_buffer`, in bytes, is the system's own when 0."""
    connection = socket.socket()
    connection.settimeout(timeout)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        connection.connect(("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    return connection


def installed(tool: str, package: str = "") -> str:
    """The path of a Debian package's program, installed first where we may; '' if it cannot be.

    The package is called as the program where nothing else is said. A service that it brings is not started.
    """
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with (Path(tempfile.gettempdir()) / "uploadsvc-tests-install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in several processes
            if not shutil.which(tool, path=PROGRAMS):
                _install(package or tool)
    return shutil.which(tool, path=PROGRAMS) or ""


def _install(package: str) -> None:
    script = f"apt-get -qq update && apt-get -qq install -y --no-install-recommends {package}"
    quietly = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_OFFLINE": "1"}
    subprocess.run(["sh", "-c", script], env=quietly, capture_output=True, timeout=600, check=False)


def needed(tool: str, package: str = "") -> str:
    """The path of a program that a test cannot do without; without it the test fails with one line."""
    missing = f"{tool} is needed and could not be installed: apt-get install {package or tool}"
    return installed(tool, package) or pytest.fail(missing, False)


def do_without(engine: str) -> NoReturn:
    """Skip what needs an engine that this machine lacks; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(engine, False)
    pytest.skip(engine)


def _ports() -> Iterator[int]:
    """Below those that the system hands out, so that what is free stays free until it is used; each process its own."""
    first = 10_000 + os.getpid() % 200 * 100
    return cycle(range(first, first + 100))


_own_ports = _ports()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    for port in _own_ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the ports are a cycle")


def start_live(folder: Path, wait: bool = True, **environ: str) -> Live:
    """Start `serve` on a free port; `environ` adds to a small environment of the tests' own."""
    port, instance = free_port(), folder / "instance"
    given = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "INSTANCE_PATH": str(instance),
        "BCRYPT_ROUNDS": "4",
        "MIN_FREE_BYTES": "0",
        "ADMIN_PASSWORD": PASSWORD,
        "PYTHONUNBUFFERED": "1",
    }
    given |= given_by_run(instance) | environ
    log = folder / f"serve-{port}.log"
    with log.open("wb") as sink:
        process = _started(given, sink)
    live = Live(process, int(given["PORT"]), Path(given["INSTANCE_PATH"]), log, given)
    deadline = time.monotonic() + 30
    while wait:
        try:
            live.connect(timeout=1).close()
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                live.stop(signal.SIGKILL)
                raise AssertionError(f"serve did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
    return live


def _started(environ: dict[str, str], sink: IO[bytes]) -> subprocess.Popen[bytes] | Nursling:
    arguments = ["--app", "wsgi", "serve"]
    if forks and fits(environ):
        return bring_up(arguments, environ, sink)
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *arguments], cwd=ROOT, env=environ, stdout=sink, stderr=sink
    )


LAUNCHER = """
import sys
from flask.cli import main
from uploadsvc import server
from uploadsvc.server import deadlines

for setting in sys.argv[1:]:
    name, value = setting.split("=")
    module = server if hasattr(server, name) else deadlines
    assert hasattr(module, name), name
    setattr(module, name, int(value))
sys.argv = ["flask", "--app", "wsgi", "serve"]
main()
"""


@contextmanager
def tuned(folder: Path, prelude: str = "", **constants: int) -> Iterator[Live]:
    """A server with other deadlines than the real ones; `prelude` is run before it starts."""
    script, log, port = folder / "launch.py", folder / "serve.log", free_port()
    script.write_text(prelude + LAUNCHER)
    given = [f"{name}={value}" for name, value in constants.items()]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": str(port), "BCRYPT_ROUNDS": "4"}
    environ |= {"ADDRESS_CONNECTIONS": "2000"}
    environ |= {"INSTANCE_PATH": str(folder / "instance"), "MIN_FREE_BYTES": "0", "ADMIN_PASSWORD": PASSWORD}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, str(script), *given], cwd=ROOT, env=environ, stdout=sink, stderr=sink
        )
    live = Live(process, port, folder / "instance", log, environ)
    try:
        assert eventually(lambda: answers(live), 30), log.read_text()
        yield live
    finally:
        process.kill()
        process.wait()


def answers(live: Live) -> bool:
    with suppress(OSError):
        return live.request("GET", "/healthz")[0] == 200
    return False

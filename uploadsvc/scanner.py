"""The scanner for malware: every staged file is shown to a program, or to clamd, before it gets its final name.

It fails closed: whatever is no clear verdict (an error, a timeout, a daemon that is not there) refuses the upload.
"""

import logging
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from .errors import MalwareFound, ScanFailed

log = logging.getLogger("uploadsvc.scanner")

SECONDS = 30.0  # for one file: as long as a stop waits, and half of what proxies do
_SOON = 1.0  # seconds that one waits for a place, counted from when the latest was taken
_SHOWN = 300  # characters of what strangers' content made the scanner say
# A program is given no variable of ours, for secrets are among them; one that needs more is called through env(1).
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_OUTPUT = 4096  # bytes kept of it
_REAP_SECONDS = 1.0  # for a killed program to go; one that the system holds is reaped when the next one starts
_PIECE = 64 * 1024  # bytes, far below clamd's StreamMaxLength
_ANSWER = 1024  # bytes


class StagedFile(Protocol):
    """What is scanned: by its name, or by its bytes where another user's daemon may not open it (its mode is 0600)."""

    path: Path

    def open(self) -> IO[bytes]:
        """Open it for reading."""


class Engine(Protocol):
    """What knows malware."""

    def scan(self, file: StagedFile) -> str | None:
        """Return the name of what was found, or None; raise NoVerdict or OSError."""


class NoVerdict(Exception):
    """The engine said neither that the file is clean nor that it is not; the message says why."""


class Scanner:
    """Asks `engine`, for at most `places` uploads at once: the other threads answer those who upload nothing."""

    def __init__(self, engine: Engine, places: int) -> None:
        self._engine = engine
        self._places = threading.BoundedSemaphore(places)
        self._taken = 0.0  # when the latest place was

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places; raise ScanFailed when none comes free soon."""
        if not self._places.acquire(timeout=max(0.0, self._taken + _SOON - time.monotonic())):
            raise _failed("no place", retry_after=5)
        self._taken = time.monotonic()
        try:
            yield
        finally:
            self._places.release()

    def inspect(self, filename: str, file: StagedFile) -> None:
        """Raise MalwareFound, which names the file as the sender knows it, or ScanFailed."""
        try:
            found = self._engine.scan(file)
        except (OSError, NoVerdict) as error:
            raise _failed(_reason(error), retry_after=30) from error
        if found is not None:
            raise MalwareFound(f"“{filename}” was refused: the virus scanner found malware in it.", _shown(found))


def scanner_for(words: Sequence[str], address: str | tuple[str, int], places: int) -> Scanner | None:
    """Return the scanner that SCAN_COMMAND or CLAMD_ADDRESS asks for; None where both are empty."""
    if words:
        return Scanner(Command(words), places)
    return Scanner(Clamd(address), places) if address else None


class Command:
    """A program called with the file's path as its last argument: it ends with 0 for clean and 1 for found."""

    def __init__(
        self, words: Sequence[str], seconds: float = SECONDS, environment: Mapping[str, str] = _ENVIRONMENT
    ) -> None:
        self._words = words
        self._seconds = seconds
        self._environment = environment

    def scan(self, file: StagedFile) -> str | None:
        """Return "not named", or None for a clean file; raise NoVerdict or OSError."""
        status, output = self._run(str(file.path))
        if status:
            log.debug("scan_output", extra={"status": status, "output": _shown(output.decode(errors="replace"))})
        if status not in (0, 1):
            raise NoVerdict(f"exit status {status}" if status > 0 else f"killed by signal {-status}")
        return "not named" if status else None

    def _run(self, path: str) -> tuple[int, bytes]:
        """Return the exit status and the first bytes of output; nothing of the program's group outlives a failure."""
        deadline = time.monotonic() + self._seconds
        process = subprocess.Popen(  # noqa: S603 - the operator's own words, and no shell
            [*self._words, path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )
        assert process.stdout  # noqa: S101 - for the types
        with process.stdout:
            try:
                output = _read(process.stdout, deadline)
                return process.wait(max(0.0, deadline - time.monotonic())), output
            except subprocess.TimeoutExpired as error:
                raise TimeoutError from error
            finally:
                _end(process)


def _read(stream: IO[bytes], deadline: float) -> bytes:
    """Return the first bytes of all that comes; raise TimeoutError. A full pipe would stop the program, so none gets.

    poll() rather than select(), which ends at descriptor 1023.
    """
    kept = b""
    with selectors.PollSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(stream.fileno(), _OUTPUT)
            if not chunk:
                return kept
            kept += chunk[: _OUTPUT - len(kept)]
    raise TimeoutError


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program that still runs, with all that it started, and reap it."""
    if process.returncode is not None:  # reaped: its number may be another's by now
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_SECONDS)


class Clamd:
    """The daemon of ClamAV at `address`, the path of a Unix socket or host and port (clamd(8), zINSTREAM)."""

    def __init__(self, address: str | tuple[str, int], seconds: float = SECONDS) -> None:
        self._address = address
        self._seconds = seconds

    def scan(self, file: StagedFile) -> str | None:
        """Return the name of the signature that matches, or None; raise NoVerdict or OSError."""
        deadline = time.monotonic() + self._seconds
        with self._connect() as connection, file.open() as content:
            try:
                _send(connection, content, deadline)
            except ConnectionError as error:  # it answers before the end only where it refuses
                raise NoVerdict(_answer(connection, deadline) or _reason(error)) from error
            answer = _answer(connection, deadline)
        found = re.fullmatch(r"stream: (.+) FOUND", answer)
        if not found and answer != "stream: OK":
            raise NoVerdict(answer or "no answer")
        return found[1] if found else None

    def _connect(self) -> socket.socket:
        if not isinstance(self._address, str):
            return socket.create_connection(self._address, self._seconds)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self._seconds)
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        return connection


def _send(connection: socket.socket, content: IO[bytes], deadline: float) -> None:
    """Send the command and the content, each piece after its length in 4 bytes; a length of zero ends it."""
    connection.sendall(b"zINSTREAM\0")
    while piece := content.read(_PIECE):
        connection.settimeout(_left(deadline))
        connection.sendall(struct.pack("!I", len(piece)) + piece)
    connection.sendall(struct.pack("!I", 0))


def _answer(connection: socket.socket, deadline: float) -> str:
    """Return the answer, which NUL or the connection's end ends."""
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < _ANSWER:
        connection.settimeout(_left(deadline))
        data = connection.recv(_ANSWER)
        if not data:
            break
        answer += data
    return answer.decode(errors="replace").rstrip("\0")


def _left(deadline: float) -> float:
    """Return the seconds until then; raise TimeoutError when there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _reason(error: OSError | NoVerdict) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return _shown(getattr(error, "strerror", None) or str(error))


def _shown(text: str) -> str:
    """Return the beginning of what a scanner said, with everything that does not print as an escape (CWE-117)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:_SHOWN].strip())


def _failed(reason: str, retry_after: int) -> ScanFailed:
    """Tell the operator why, and return what the client is told."""
    log.error("scan_failed", extra={"reason": reason})
    return ScanFailed(retry_after)

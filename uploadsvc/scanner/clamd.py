"""The daemon of ClamAV, over its protocol."""

import re
import socket
import struct
import time
from contextlib import suppress
from functools import partial
from typing import IO

from .scans import SECONDS, NoVerdict, StagedFile, UnderWay, reason_of

_CONNECT_SECONDS = 5.0  # a daemon is near, or it is not there
_PIECE = 64 * 1024  # bytes, far below clamd's StreamMaxLength
_ANSWER = 1024  # bytes


class Clamd:
    """The daemon of ClamAV at `address`, the path of a Unix socket or host and port (clamd(8), zINSTREAM)."""

    def __init__(self, address: str | tuple[str, int], seconds: float = SECONDS) -> None:
        self._address = address
        self._seconds = seconds

    def scan(self, file: StagedFile, under_way: UnderWay) -> str | None:
        """Return the name of the signature that matches, or None; raise NoVerdict or OSError."""
        with self._connect() as connection, under_way.until_broken_off(partial(_hang_up, connection)):
            answer = self._ask(connection, file)
        found = re.fullmatch(r"stream: (.+) FOUND", answer)
        if not found and answer != "stream: OK":
            raise NoVerdict(answer or "no answer")
        return found[1] if found else None

    def _connect(self) -> socket.socket:
        if not isinstance(self._address, str):
            return socket.create_connection(self._address, _CONNECT_SECONDS)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_CONNECT_SECONDS)
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        return connection

    def _ask(self, connection: socket.socket, file: StagedFile) -> str:
        """Return the answer; one that comes before all has been sent is a refusal, whatever it says."""
        deadline = time.monotonic() + self._seconds
        with file.open() as content:
            try:
                _send(connection, content, deadline)
            except ConnectionError as error:
                raise NoVerdict(_answer(connection, deadline) or reason_of(error)) from error
        return _answer(connection, deadline)


def _hang_up(connection: socket.socket) -> None:
    """End the connection under whoever waits for it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


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

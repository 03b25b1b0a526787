"""How long a client may take: for its headers, its body, its answer, and for reading why it was refused."""

import fcntl
import socket
import struct
import termios
import time
from contextlib import suppress
from typing import Any

HEADER_SECONDS = 10  # for a request's headers to arrive whole
GRACE = 10  # seconds before the floor counts, for bodies and for answers
FLOOR = 10_000  # bytes a second, on average since the body or the answer began
LINGER_SECONDS = 30  # to read the answer while the rest of a refused body is thrown away
LINGER_IDLE = 5  # seconds without a byte


class Deadlines:
    """The deadlines of one connection, looked at once a second."""

    def __init__(self) -> None:
        self._linger_since: float | None = None
        self._sending_since: float | None = None
        self._taken_before = 0

    def linger(self) -> None:
        """Note that from here on the connection is only kept for its answer to be read."""
        self._linger_since = time.monotonic()

    def are_past(self, channel: Any) -> bool:
        """Tell whether the connection `channel`, a server's Channel, is later than it may be."""
        now, request = time.monotonic(), channel.request
        # An answer can be in the system's buffer whole, and the next request wait until the client takes some of it.
        is_sending = channel.total_outbufs_len or channel.has_waiting()
        if not is_sending:
            self._sending_since = None
        if self._linger_since is not None:
            silent = time.time() - channel.last_activity
            return now - self._linger_since > LINGER_SECONDS or silent > LINGER_IDLE
        if is_sending:
            return self._is_unread(channel, now)
        if request is None:
            has_been_silent = not channel.requests and channel.creation_time == channel.last_activity
            return has_been_silent and time.time() - channel.creation_time > HEADER_SECONDS
        if not request.headers_finished:
            return bool(now - request.started > HEADER_SECONDS)
        return _below_floor(request.body_bytes_received, now - request.body_started)

    def hurry(self, channel: Any) -> None:
        """Have a connection that is to be closed writable, and so closed, whose client takes nothing.

        To close it here would free a descriptor that the loop is about to ask.
        """
        if time.time() - channel.last_activity > 1:
            with suppress(OSError):
                channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                channel.socket.shutdown(socket.SHUT_RDWR)

    def _is_unread(self, channel: Any, now: float) -> bool:
        """Tell whether the answer is taken below the floor; only what the client's side has acknowledged counts."""
        [waiting] = struct.unpack("i", fcntl.ioctl(channel.socket, termios.TIOCOUTQ, bytes(4)))
        taken = channel.sent - waiting
        if self._sending_since is None:
            self._sending_since = now
            self._taken_before = taken
        return _below_floor(taken - self._taken_before, now - self._sending_since)


def _below_floor(size: int, seconds: float) -> bool:
    return seconds > GRACE and size < FLOOR * seconds

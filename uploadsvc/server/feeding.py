"""The way of an upload's bytes from the I/O loop to its intake: small pieces at once, large ones in a worker thread.

SHA-256 and write(2) release the interpreter lock, so a worker does them while the loop receives, and a slow disk holds
up nobody else. A worker for every small piece would cost more than the piece.
"""

import threading
from collections import deque
from io import BytesIO
from typing import TYPE_CHECKING

from ..errors import TooLarge
from ..filetypes import Candidate
from ..intake import Received
from ..storage import Staged
from ..uploads import Reception

if TYPE_CHECKING:
    from . import Server

_AT_ONCE = 16 * 1024  # bytes; a shorter piece is fed in the loop, so that its refusal is immediate
_WAITING = 512 * 1024  # bytes of one upload that may wait for a worker before its connection is read no further
_WAITING_IN_ALL = 4 * 1024 * 1024  # bytes of all uploads; beyond, only uploads of which none wait are read


class Waiting:
    """Counts the bytes that wait for a worker, over all uploads of a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.bytes = 0

    def add(self, count: int) -> None:
        """Count `count` more, or with a minus less."""
        with self._lock:
            self.bytes += count


class StreamedReception(Reception):
    """Feeder 2: passes the bytes on in their order. The loop appends; at any time at most one thread feeds.

    It takes the place of the spool in waitress's receivers, and is a task for waitress's worker threads.
    """

    def __init__(self, server: "Server") -> None:
        super().__init__()
        self._server = server
        self._change = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._size = self._waiting = 0
        self._scheduled = self._active = self._closed = self._paused = False

    def append(self, data: bytes) -> None:
        """Take the next bytes, in the loop; raise the refusal of these or of earlier ones."""
        intake = self.check()
        self._size += len(data)
        if self._size > self._server.largest_upload:
            raise TooLarge(f"The upload is larger than {self._server.largest_upload} bytes.")
        with self._change:
            at_once = len(data) < _AT_ONCE and not self._queue and not self._active
            if not at_once:
                self._queue.append(data)
                self._wait(len(data))
            schedule = not at_once and not self._scheduled
            self._scheduled = self._scheduled or schedule
        if at_once:
            intake.feed(data)
        elif schedule:
            self._server.add_task(self)

    def is_full(self) -> bool:
        """Tell the loop whether to read no further for now; it is woken when there is room again."""
        with self._change:
            crowded = self._waiting > 0 and self._server.waiting.bytes >= _WAITING_IN_ALL
            self._paused = self._waiting >= _WAITING or crowded
            return self._paused

    def service(self) -> None:
        """Feed what waits, as a task of a worker thread."""
        with self._change:
            self._scheduled = False
            if self._active:
                return
            self._active = True
        self._feed()

    def cancel(self) -> None:
        """Give up a task that was not begun when the server stopped."""
        self.close()

    def finish(self) -> Received[Staged, Candidate]:
        """Feed what waits in this thread, once no other does, and return what the body held."""
        with self._change:
            self._change.wait_for(lambda: not self._active)
            self._active = True
        self._feed()
        return self.check().finish()

    def close(self) -> None:
        """Leave nothing behind but what was published; a thread that is feeding sees to it when it is done."""
        with self._change:
            self._closed = True
            self._queue.clear()
            self._wait(-self._waiting)
            if not self._active:
                super().close()

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return True  # also before the first byte

    def getfile(self) -> BytesIO:
        """Return what is left to read: nothing."""
        return BytesIO()

    def _feed(self) -> None:
        while (data := self._next()) is not None:
            try:
                self.check().feed(data)
            except Exception as error:  # the loop or the view raises it again
                self.error = error
                self.close()
                self._server.pull_trigger()

    def _next(self) -> bytes | None:
        """Return the next piece; without one, step back."""
        with self._change:
            if self._queue and not self._closed:
                data = b"".join(self._queue)
                self._queue.clear()
                self._wait(-self._waiting)
                if self._paused:
                    self._server.pull_trigger()
                return data
            self._active = False
            if self._closed:
                super().close()
            self._change.notify_all()
            return None

    def _wait(self, count: int) -> None:
        self._waiting += count
        self._server.waiting.add(count)

"""How many may wait for the store at once, so that one that hangs does not take every thread."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Unavailable

log = logging.getLogger("uploadsvc.storage")

_SOON = 10.0  # seconds: of those who wait for a slow store somebody is answered within them
_SOON_SENT = 2.0  # seconds, for who waits to download: those before may hold their places as long as they read


class Places:
    """So many at once: the other threads answer those who need no store. All but one may be those of downloads."""

    def __init__(self, count: int) -> None:
        self._all = _Seats(count, _SOON)
        self._downloads = _Seats(max(1, count - 1), _SOON_SENT)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one of the places; raise Unavailable when none has come free for long."""
        with self._all.one():
            yield

    @contextmanager
    def one_to_send(self) -> Iterator[None]:
        """Hold one of the places while a client is sent what the store sends; raise Unavailable."""
        with self._downloads.one(), self._all.one():
            yield


class _Seats:
    """So many; while none comes free somebody is told so `soon` seconds after the latest was taken."""

    def __init__(self, count: int, soon: float) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._soon = soon
        self._taken = 0.0  # when the latest one was

    @contextmanager
    def one(self) -> Iterator[None]:
        if not self._free.acquire(timeout=max(0.0, self._taken + self._soon - time.monotonic())):
            log.warning("store_unavailable", extra={"reason": "no place"})
            raise Unavailable("Too many wait for stored files just now. Try again in a few seconds.")
        self._taken = time.monotonic()
        try:
            yield
        finally:
            self._free.release()

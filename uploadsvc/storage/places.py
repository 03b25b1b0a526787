"""How many may wait for the store at once, so that one that hangs does not take every thread."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Unavailable

log = logging.getLogger("uploadsvc.storage")

_SOON = 10.0  # seconds: of those who wait for a slow store somebody is answered within them


class Places:
    """So many at once: the other threads answer those who need no store."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._taken = 0.0  # when the latest place was

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one of the places; raise Unavailable when none has come free for long."""
        if not self._free.acquire(timeout=max(0.0, self._taken + _SOON - time.monotonic())):
            log.warning("store_unavailable", extra={"reason": "no place"})
            raise Unavailable("The file store does not answer. Try again in a few seconds.")
        self._taken = time.monotonic()
        try:
            yield
        finally:
            self._free.release()

"""What every engine is given, and what it says where it has no verdict."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

SECONDS = 30.0  # for one file: as long as a stop waits, half of what proxies do, and less than clamd's MaxScanTime
_SHOWN = 300  # characters of what strangers' content made a scanner say


class StagedFile(Protocol):
    """What is scanned: by its name, or by its bytes where another user's daemon may not open it (its mode is 0600)."""

    path: Path

    def open(self) -> IO[bytes]:
        """Open it for reading."""


class NoVerdict(Exception):
    """The engine said neither that the file is clean nor that it is not; the message says why."""


class UnderWay:
    """The scans that wait for their engine, and how to break each of them off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._breaks: list[Callable[[], object]] = []
        self._stopped = False

    @contextmanager
    def until_broken_off(self, break_off: Callable[[], object]) -> Iterator[None]:
        """Call `break_off` when all is stopped, be that before or in the meantime."""
        with self._lock:
            self._breaks.append(break_off)
            if self._stopped:
                break_off()
        try:
            yield
        finally:
            with self._lock:
                self._breaks.remove(break_off)

    def stop(self) -> None:
        """Break all off that there are and will be."""
        with self._lock:
            self._stopped = True
            for break_off in self._breaks:
                break_off()


def reason_of(error: OSError | NoVerdict) -> str:
    """Return why there is no verdict, in a few words."""
    if isinstance(error, TimeoutError):
        return "timeout"
    return shown(getattr(error, "strerror", None) or str(error))


def shown(text: str) -> str:
    """Return the beginning of what a scanner said, with everything that does not print as an escape (CWE-117)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:_SHOWN].strip())

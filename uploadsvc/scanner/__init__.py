"""The scanner for malware: every staged file is shown to a program, or to clamd, before it gets its final name.

It fails closed: whatever is no clear verdict (an error, a timeout, a daemon that is not there) refuses the upload.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from ..errors import ScanFailed, UnsupportedType
from .clamd import Clamd
from .command import Command
from .scans import NoVerdict, StagedFile, UnderWay, reason_of, shown

__all__ = ["Clamd", "Command", "Engine", "Scanner", "UnderWay", "scanner_for"]

log = logging.getLogger("uploadsvc.scanner")

_SOON = 1.0  # seconds that one waits for a place, counted from when the latest was taken


class Engine(Protocol):
    """What knows malware."""

    def scan(self, file: StagedFile, under_way: UnderWay) -> str | None:
        """Return the name of what was found, or None; raise NoVerdict or OSError, at once where it is broken off."""


class Scanner:
    """Asks `engine`, for at most `places` uploads at once: the other threads answer those who upload nothing."""

    def __init__(self, engine: Engine, places: int) -> None:
        self._engine = engine
        self._places = threading.BoundedSemaphore(places)
        self._taken = 0.0  # when the latest place was
        self._under_way = UnderWay()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places; raise ScanFailed when none comes free soon."""
        if not self._places.acquire(timeout=max(0.0, self._taken + _SOON - time.monotonic())):
            log.warning("scan_failed", extra={"reason": "no place"})
            raise ScanFailed(retry_after=5)
        self._taken = time.monotonic()
        try:
            yield
        finally:
            self._places.release()

    def stop(self) -> None:
        """Refuse what is being scanned and what comes: the server's time is up."""
        self._under_way.stop()

    def inspect(self, filename: str, file: StagedFile) -> None:
        """Raise UnsupportedType, which names the file as the sender knows it, or ScanFailed."""
        try:
            found = self._engine.scan(file, self._under_way)
        except (OSError, NoVerdict) as error:
            log.error("scan_failed", extra={"reason": reason_of(error)})
            raise ScanFailed(retry_after=30) from error
        if found is not None:
            log.warning("malware_found", extra={"signature": shown(found)})
            message = f"“{filename}” was refused: the virus scanner found malware in it."
            raise UnsupportedType(message, reason="malware")


def scanner_for(words: Sequence[str], address: str | tuple[str, int], places: int) -> Scanner | None:
    """Return the scanner that SCAN_COMMAND or CLAMD_ADDRESS asks for; None where both are empty."""
    if words:
        return Scanner(Command(words), places)
    return Scanner(Clamd(address), places) if address else None

"""A file between its first byte and its final name."""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

from .faults import disk_errors
from .room import Reservation

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGE = 64 * 1024  # bytes of a piece that is worth handing to another thread
_SHORT = 4 * 1024 * 1024  # bytes of an upload that the server's loop receives itself; a longer one has its own thread
_AGAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Staged:
    """A file on its way: counts (`size`, bytes) and hashes what is written, and can vanish at any moment.

    It is open from its beginning to `close` and then by name alone, so that files which wait for the others of their
    upload hold no descriptors. Of a short upload another thread hashes a piece while the next one arrives; of longer
    ones several arrive side by side anyway.
    """

    def __init__(self, path: Path, reservation: Reservation | None = None) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._is_short = reservation is not None and reservation.size <= _SHORT
        self._hashing: Future[None] | None = None  # of the latest piece
        self._reservation = reservation
        self._left = True
        with disk_errors():
            self._file = os.fdopen(os.open(path, _NEW, 0o600), "wb", buffering=0)

    @property
    def sha256(self) -> str:
        """Return the hex digest of everything written so far."""
        self._finish_hashing()
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append `chunk`; raise InsufficientStorage or StorageFailed."""
        self._finish_hashing()
        if self._is_short and len(chunk) >= _LARGE:
            self._hashing = _HASHER.submit(self._hash.update, chunk)
        else:
            self._hash.update(chunk)
        self.size += len(chunk)
        if self._reservation:
            self._reservation.grow(len(chunk))
        with disk_errors():
            written = self._file.write(chunk)
            while written < len(chunk):  # a raw file may take less than it is given
                written += self._file.write(chunk[written:])
        if self._reservation:
            self._reservation.spend(len(chunk))

    def close(self) -> None:
        """Let go of the descriptor: the last byte was written. Idempotent.

        The disk is told to begin with them: of files that are synced one after the other all but the first wait less.
        """
        with disk_errors():
            if not self._file.closed:
                os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            self._file.close()

    def open(self) -> IO[bytes]:
        """Open what was written for reading; raise StorageFailed, also where a link took its place."""
        with disk_errors():
            return os.fdopen(os.open(self.path, _AGAIN), "rb")

    def sync(self) -> None:
        """Return only when the bytes are on the disk. A failed fsync is final: never try it twice.

        What is synced is the file, whichever descriptor wrote it (POSIX), and Linux tells an error of writing back
        to the next who asks, be it through a new one.
        """
        descriptor = os.open(self.path, _AGAIN)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Close and remove the staged name, whatever state it is in. Idempotent."""
        self._file.close()
        if self._left:
            self._left = False
            self.path.unlink(missing_ok=True)

    def _finish_hashing(self) -> None:
        hashing, self._hashing = self._hashing, None
        if hashing:
            hashing.result()


_HASHER = ThreadPoolExecutor(1, "hasher")  # its thread begins with the first piece


def sync_directory(path: Path) -> None:
    """Return only when the names in a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Who may fill how much of the disk: a reserve stays free, and what is on its way has its room kept."""

import os
from pathlib import Path
from threading import Lock

from .faults import disk_errors, disk_is_full

_STEP = 1024 * 1024  # bytes by which a body of unknown size reserves: one look at the disk a MiB


class Room:
    """The free room of a folder's filesystem, promised no more than once and never to its last `min_free_bytes`.

    The count of promises is one process's: another one's show only as its bytes reach the disk.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder, self._min_free_bytes = folder, min_free_bytes
        self._promised = 0  # bytes reserved and not yet written: the filesystem does not count them
        self._lock = Lock()

    def promise(self, size: int) -> None:
        """Count `size` bytes as taken; raise InsufficientStorage unless they fit beside all that is promised."""
        with self._lock, disk_errors():
            if self.free() < self._promised + size + self._min_free_bytes:
                raise disk_is_full()
            self._promised += size

    def free(self) -> int:
        """Return the bytes that the filesystem has left for this user; raise OSError."""
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize

    def take_back(self, size: int) -> None:
        """Count `size` bytes as promised no longer."""
        with self._lock:
            self._promised -= size


class Reservation:
    """The room of one upload: what was declared, or for a body of unknown size a MiB ahead of what has come."""

    def __init__(self, room: Room, size: int) -> None:
        room.promise(size)
        self.size = size
        self._room, self._left = room, size

    def grow(self, size: int) -> None:
        """Have room for the next `size` bytes; raise InsufficientStorage."""
        if size > self._left:
            more = max(size - self._left, _STEP)
            self._room.promise(more)
            self._left += more

    def spend(self, size: int) -> None:
        """Count `size` bytes as written, which the filesystem counts from here on."""
        self._left -= size
        self._room.take_back(size)

    def release(self) -> None:
        """Give back what was not written. Idempotent."""
        left, self._left = self._left, 0
        self._room.take_back(left)

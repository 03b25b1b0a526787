"""The local folder where files lie until they are published, wherever that is."""

import errno
import math
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .faults import disk_errors
from .room import Reservation, Room
from .staged import Staged


class Staging:
    """What every storage has: `root/.staging`, whose filesystem keeps `min_free_bytes` free."""

    def __init__(self, root: Path, min_free_bytes: int) -> None:
        self.root = root
        self.staging = root / ".staging"
        self.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._room = Room(self.staging, min_free_bytes)

    def reserve(self, size: int) -> Reservation:
        """Keep room for an upload of `size` bytes, or 0 where that is not known, until it is released.

        Raises InsufficientStorage unless they fit beside what other uploads of this process wait for and the
        reserve stays free.
        """
        return Reservation(self._room, size)

    def free_bytes(self) -> int:
        """Return the room that is left on the filesystem, without what only root may use."""
        return self._room.free()

    def check(self) -> None:
        """Raise unless files can be written here, without writing one (readiness)."""
        self._room.promise(0)
        with disk_errors():
            if self.staging.is_symlink() or not os.access(f"{self.staging}/", os.W_OK | os.X_OK):
                raise OSError(errno.EACCES, "the staging folder cannot be written")

    def stage(self, reservation: Reservation | None = None) -> Staged:
        """Open a new staged file, which fills `reservation`, on the filesystem that will keep it."""
        with disk_errors():
            if self.staging.is_symlink():
                raise OSError(errno.ELOOP, "the staging folder is a link")
        return Staged(self.staging / f"{secrets.token_hex(16)}.part", reservation)

    def sweep_staging(self, older_than: float) -> Iterator[str]:
        """Remove staged files untouched for `older_than` seconds; yield their paths."""
        for name in [] if self.staging.is_symlink() else list(files_before(self.staging, time.time() - older_than)):
            (self.staging / name).unlink(missing_ok=True)
            yield f"{self.staging.name}/{name}"


def files_before(folder: Path, limit: float = math.inf) -> Iterator[str]:
    """Yield the names of the plain files of `folder` that were last written before `limit` (unix seconds)."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and status.st_mtime < limit:
                    yield entry.name

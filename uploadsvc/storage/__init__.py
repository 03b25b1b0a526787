"""Where bytes lie: a staging folder and one folder a user, on one local filesystem.

The life of a file: `stage` -> `Staged.write`… -> `publish` (fsync, link without overwriting, directory fsync)
-> the caller commits its row. A row always has its bytes; bytes without a row are garbage that `sweep` removes.
"""

import errno
import os
import re
import secrets
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .faults import disk_errors
from .room import Reservation, Room
from .staged import Staged

__all__ = ["LocalStorage", "Reservation", "Staged", "disk_errors", "unix_ms"]

_SLOW = 0.0003  # seconds
_STORED = re.compile(r"\d{13,}-.+", re.DOTALL)  # what publish() names, and so all that sweep() may remove


def unix_ms() -> int:
    """Return the wall clock in milliseconds, the first half of every stored name."""
    return time.time_ns() // 1_000_000


class LocalStorage:
    """Files under `root/<user id>/<unix ms>-<safe name>`; `root/.staging` holds what is not published yet."""

    def __init__(self, root: Path, min_free_bytes: int) -> None:
        self.root = root
        self.staging = root / ".staging"
        self._synced: set[int] = set()  # users whose folder is known to outlive a power failure
        self.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._room = Room(self.staging, min_free_bytes)
        self._syncs: deque[float] = deque([0.0], maxlen=8)  # seconds the latest ones took

    def is_slow(self) -> bool:
        """Tell whether to sync a file takes longer than to change threads, even at the best of the last times."""
        return min(self._syncs) > _SLOW

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

    def publish(self, staged: Staged, user_id: int, safe_name: str) -> str:
        """Make `staged` durable as `<user_id>/<unix ms>-<safe_name>` and return that path.

        Never overwrites: a taken millisecond passes the next one. Raises InsufficientStorage or StorageFailed;
        then no final name is left.
        """
        with disk_errors():
            began = time.monotonic()
            staged.sync()
            self._syncs.append(time.monotonic() - began)
            with self._folder(user_id, create=True) as folder:
                name = _link(staged.path, folder, safe_name)
                try:
                    os.fsync(folder)
                    staged.discard()
                except OSError:
                    os.unlink(name, dir_fd=folder)
                    raise
        return f"{user_id}/{name}"

    def open(self, path: str) -> IO[bytes]:
        """Open a published file for reading; symbolic links are refused with OSError."""
        user_id, name = path.split("/", 1)
        with self._folder(int(user_id)) as folder:
            return os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "rb")

    def delete(self, path: str) -> None:
        """Remove a published file; one that is gone already is as good as removed."""
        user_id, name = path.split("/", 1)
        with suppress(FileNotFoundError), self._folder(int(user_id)) as folder:
            os.unlink(name, dir_fd=folder)

    def sweep(self, known: Callable[[int], set[str]], older_than: float) -> Iterator[str]:
        """Remove leftovers untouched for `older_than` seconds and yield their paths relative to the root.

        `known(user_id)` returns the paths that have rows. It is asked after the folder was listed, so a file
        whose row is committed meanwhile is not taken for a leftover.
        """
        limit = time.time() - older_than
        for file in [] if self.staging.is_symlink() else _files_before(self.staging, limit):
            file.unlink(missing_ok=True)
            yield f"{self.staging.name}/{file.name}"
        for folder in self.root.iterdir():
            if not re.fullmatch("[1-9][0-9]*", folder.name) or folder.is_symlink() or not folder.is_dir():
                continue
            old = [file for file in _files_before(folder, limit) if _STORED.fullmatch(file.name)]
            rows = known(int(folder.name)) if old else set()
            for file in old:
                if (path := f"{folder.name}/{file.name}") not in rows:
                    file.unlink(missing_ok=True)
                    yield path

    @contextmanager
    def _folder(self, user_id: int, create: bool = False) -> Iterator[int]:
        """Hold the user's folder open as a descriptor, so that no planted link can lead elsewhere."""
        path = self.root / str(user_id)
        if create and not (user_id in self._synced and path.is_dir()):
            path.mkdir(mode=0o700, exist_ok=True)
            _sync_directory(self.root)
            self._synced.add(user_id)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _link(source: Path, folder: int, safe_name: str) -> str:
    """Give `source` its final name in `folder` and return it; link(2) fails where rename(2) would overwrite."""
    for ms in range(start := unix_ms(), start + 10_000):
        with suppress(FileExistsError):
            name = f"{ms}-{safe_name}"
            os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
            return name
    raise FileExistsError(errno.EEXIST, "no free name within ten seconds")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files_before(folder: Path, limit: float) -> list[Path]:
    """List the plain files of `folder` that were last written before `limit` (unix seconds)."""
    found = []
    for file in folder.iterdir():
        with suppress(FileNotFoundError):
            status = file.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_mtime < limit:
                found.append(file)
    return found

"""Where bytes lie: a staging folder and one folder a user, on one local filesystem.

The life of a file: `stage` -> `Staged.write`… -> `publish` (fsync, link without overwriting, directory fsync)
-> the caller commits its row. A row always has its bytes; bytes without a row are garbage that `sweep` removes.
"""

import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .errors import InsufficientStorage, StorageFailed

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_STORED = re.compile(r"\d{13,}-.+", re.DOTALL)  # what publish() names, and so all that sweep() may remove


def unix_ms() -> int:
    """Return the wall clock in milliseconds, the first half of every stored name."""
    return time.time_ns() // 1_000_000


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn an OSError into 507 when the disk is full or the quota reached, else into 500 `storage_error`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise InsufficientStorage("The server's disk is full. Nothing was stored; try again later.") from error
        raise StorageFailed("The server could not write to its disk. Nothing was stored.") from error


class Staged:
    """A file on its way: counts (`size`, bytes) and hashes what is written, and can vanish at any moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        with disk_errors():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.file: IO[bytes] = os.fdopen(descriptor, "r+b", buffering=0)

    @property
    def sha256(self) -> str:
        """Return the hex digest of everything written so far."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append `chunk`; raise InsufficientStorage or StorageFailed."""
        self._hash.update(chunk)
        self.size += len(chunk)
        with disk_errors():
            written = self.file.write(chunk)
            while written < len(chunk):  # a raw file may take less than it is given
                written += self.file.write(chunk[written:])

    def sync(self) -> None:
        """Return only when the bytes are on the disk. A failed fsync is final: never try it twice."""
        os.fsync(self.file.fileno())

    def discard(self) -> None:
        """Close and remove the staged name, whatever state it is in. Idempotent."""
        if not self.file.closed:
            self.file.close()
            self.path.unlink(missing_ok=True)


class LocalStorage:
    """Files under `root/<user id>/<unix ms>-<safe name>`; `root/.staging` holds what is not published yet."""

    def __init__(self, root: Path, min_free_bytes: int) -> None:
        self.root = root
        self.staging = root / ".staging"
        self.min_free_bytes = min_free_bytes
        self._synced: set[int] = set()  # users whose folder is known to outlive a power failure
        self.staging.mkdir(mode=0o700, parents=True, exist_ok=True)

    def ensure_room(self, incoming: int) -> None:
        """Raise InsufficientStorage unless `incoming` bytes fit and the reserve stays free."""
        with disk_errors():
            disk = os.statvfs(self.staging)
        if disk.f_bavail * disk.f_frsize < incoming + self.min_free_bytes:
            raise InsufficientStorage("The server's disk is full. Nothing was stored; try again later.")

    def check(self) -> None:
        """Raise unless files can be written here, without writing one (readiness)."""
        self.ensure_room(0)
        with disk_errors():
            if self.staging.is_symlink() or not os.access(f"{self.staging}/", os.W_OK | os.X_OK):
                raise OSError(errno.EACCES, "the staging folder cannot be written")

    def stage(self) -> Staged:
        """Open a new staged file on the filesystem that will keep it."""
        with disk_errors():
            if self.staging.is_symlink():
                raise OSError(errno.ELOOP, "the staging folder is a link")
        return Staged(self.staging / f"{secrets.token_hex(16)}.part")

    def publish(self, staged: Staged, user_id: int, safe_name: str) -> str:
        """Make `staged` durable as `<user_id>/<unix ms>-<safe_name>` and return that path.

        Never overwrites: a taken millisecond passes the next one. Raises InsufficientStorage or StorageFailed;
        then no final name is left.
        """
        with disk_errors():
            staged.sync()
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

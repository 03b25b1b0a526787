"""Files on one local filesystem: a staging folder and one folder a user.

The life of a file: `stage` -> `Staged.write`… -> `publish` (fsync, link without overwriting, directory fsync)
-> the caller commits its row. A row always has its bytes; bytes without a row are garbage that `sweep` removes.
"""

import errno
import os
import re
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from . import copies
from .faults import disk_errors
from .names import Announce, is_stored, parts, stored_names
from .places import Places
from .staged import Staged, sync_directory
from .staging import Staging, files_before

_SLOW = 0.003  # seconds; below it several files in a row wait no longer than the threads that would sync them
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EEXIST, errno.ENOENT}


class LocalStorage(Staging):
    """Files under `root/<user id>/<unix ms>-<safe name>`; `root/.staging` holds what is not published yet."""

    backend = "local"
    gathers = True

    def __init__(self, root: Path, min_free_bytes: int, places: int = 1) -> None:
        super().__init__(root, min_free_bytes)
        self._places = Places(places)
        self._synced: set[int] = set()  # users whose folder is known to outlive a power failure
        self._syncs: deque[float] = deque([0.0], maxlen=8)  # seconds the latest ones took

    def is_slow(self) -> bool:
        """Tell whether to sync a file takes longer than _SLOW, even at the best of the last times."""
        return min(self._syncs) > _SLOW

    def publish(self, staged: Staged, user_id: int, safe_name: str, _announce: Announce | None = None) -> str:
        """Give `staged` the name `<user_id>/<unix ms>-<safe_name>` and return it, at once and so unannounced.

        The bytes are durable then, and the name after `sync`. Never overwrites: a taken name is told apart by two more
        digits. Raises InsufficientStorage or StorageFailed; then no final name is left.
        """
        with disk_errors():
            began = time.monotonic()
            staged.sync()
            self._syncs.append(time.monotonic() - began)
            with self._folder(user_id, create=True) as folder:
                name = _link(staged.path, folder, safe_name)
                try:
                    staged.discard()
                except OSError:
                    os.unlink(name, dir_fd=folder)
                    raise
        return f"{user_id}/{name}"

    def open(self, path: str) -> IO[bytes]:
        """Open a published file for reading; symbolic links are refused with OSError."""
        user_id, name = parts(path)
        with self._folder(user_id) as folder:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            return os.fdopen(descriptor, "rb")
        except OSError:  # a folder
            os.close(descriptor)
            raise

    def open_to_send(self, path: str, part: range | None) -> IO[bytes]:
        """Open a published file at the part that a client is sent."""
        file = self.open(path)
        if part:
            file.seek(part.start)
        return file

    @contextmanager
    def sending(self) -> Iterator[Callable[[str], IO[bytes]]]:
        """Hold one of the places of downloads that keep a thread, and lend what opens published files meanwhile."""
        with self._places.one_to_send():
            yield self.open

    def delete(self, path: str) -> None:
        """Remove a published file; one that is gone already is as good as removed."""
        user_id, name = parts(path)
        with suppress(FileNotFoundError), self._folder(user_id) as folder:
            os.unlink(name, dir_fd=folder)

    def size(self, path: str) -> int | None:
        """Return how many bytes a published file has, or None where no plain file lies."""
        user_id, name = parts(path)
        with suppress(FileNotFoundError, NotADirectoryError), self._folder(user_id) as folder:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            return status.st_size if stat.S_ISREG(status.st_mode) else None
        return None

    def paths(self) -> Iterator[str]:
        """Yield every published file's path, those of leftovers too."""
        for folder in self._user_folders():
            yield from (f"{folder.name}/{name}" for name in files_before(folder) if is_stored(name))

    def address(self, _path: str, _disposition: str, _content_type: str) -> str:
        """Return '': nobody but the service itself can send the file."""
        return ""

    def link(self, path: str, target: "LocalStorage", size: int) -> bool:
        """Let a published file of `size` bytes lie in `target` too, its name durable after `sync`; tell whether so.

        One is as good as a copy: nothing writes into a published file, and `delete` takes away a name. Raises
        InsufficientStorage or StorageFailed.
        """
        if self.size(path) != size:
            return False
        user_id, name = parts(path)
        with disk_errors(), self._folder(user_id) as source, target._folder(user_id, create=True) as folder:
            try:
                os.link(name, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                if error.errno in _NO_LINKS:
                    return False
                raise
        return True

    def put_back(self, file: IO[bytes], path: str, size: int, sha256: str) -> None:
        """Publish a copy of `file` under the `path` that it had, whatever lies there; durable after `sync`.

        Raises OSError when the bytes are not those, InsufficientStorage or StorageFailed when they cannot be written.
        """
        user_id, name = parts(path)
        staged = self.stage()
        try:
            copies.copy(file, staged, size, sha256)
            with disk_errors(), self._folder(user_id, create=True) as folder:
                staged.sync()
                os.rename(staged.path, name, dst_dir_fd=folder)
        finally:
            staged.discard()

    def holds(self, path: str, size: int, sha256: str) -> bool:
        """Tell whether that published file lies there with the bytes that it had: all of them are read."""
        return self.size(path) == size and copies.holds(partial(self.open, path), size, sha256)

    def sync(self, users: Iterable[int] | None = None) -> None:
        """Return only when the names of published files are on the disk, of these users or of all; raise StorageFailed.

        That the users' own folders are is known already.
        """
        with disk_errors():
            if users is None:
                folders = [*self._user_folders(), self.root]
            else:
                folders = [self.root / str(user_id) for user_id in users]
            for folder in folders:
                sync_directory(folder)

    def sweep(self, known: Callable[[int], Iterable[str]], older_than: float) -> Iterator[str]:
        """Remove leftovers untouched for `older_than` seconds and yield their paths relative to the root.

        `known(user_id)` returns the paths that have rows. It is asked after the folder was listed, so a file
        whose row is committed meanwhile is not taken for a leftover.
        """
        limit = time.time() - older_than
        yield from self.sweep_staging(older_than)
        for folder in self._user_folders():
            leftovers = {f"{folder.name}/{name}" for name in files_before(folder, limit) if is_stored(name)}
            if leftovers:
                leftovers.difference_update(known(int(folder.name)))  # which are never in memory all at once
            for path in leftovers:
                (self.root / path).unlink(missing_ok=True)
                yield path

    def _user_folders(self) -> Iterator[Path]:
        for folder in self.root.iterdir():
            if re.fullmatch("[1-9][0-9]*", folder.name) and folder.is_dir() and not folder.is_symlink():
                yield folder

    @contextmanager
    def _folder(self, user_id: int, create: bool = False) -> Iterator[int]:
        """Hold the user's folder open as a descriptor, so that no planted link can lead elsewhere."""
        path = self.root / str(user_id)
        if create and not (user_id in self._synced and path.is_dir()):
            path.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self.root)
            self._synced.add(user_id)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _link(source: Path, folder: int, safe_name: str) -> str:
    """Give `source` its final name in `folder` and return it; link(2) fails where rename(2) would overwrite."""
    for name in stored_names(safe_name):
        with suppress(FileExistsError):
            os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
            return name
    raise FileExistsError(errno.EEXIST, "no free name")

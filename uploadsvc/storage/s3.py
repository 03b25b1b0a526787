"""Files in a bucket, staged on a local disk.

The life of a file: `stage` -> `Staged.write`… -> `publish` (announced, so that a row names it; then put, never over
another) -> the caller makes its row count. A row that counts always has its bytes; an object without a row is garbage
that `sweep` removes, and so is what an upload in parts left in the store.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO
from urllib.parse import quote

from ..errors import ApiError, StorageFailed
from . import copies
from .bucket import Bucket, Listed, checksum_of
from .faults import disk_errors
from .kinds import BucketSettings
from .local import LocalStorage
from .names import Announce, is_stored, parts, unix_ms
from .staged import Staged
from .staging import Staging

_FRESH = 10.0  # seconds for which the bucket is not asked again whether it is there
_URL_SECONDS = 300
_TRIES = 100  # milliseconds that are taken by others, one after the other
_BATCH = 200_000  # objects whose rows are looked for at a time: some 30 MiB


class S3Storage(Staging):
    """Objects `<user id>/<unix ms>-<safe name>` of a bucket; `root/.staging` holds what is not published yet."""

    backend = "s3"
    gathers = False  # the store takes its time for each

    def __init__(self, root: Path, min_free_bytes: int, bucket: BucketSettings) -> None:
        super().__init__(root, min_free_bytes)
        self._bucket = Bucket(bucket)
        self._proxied = bucket.proxied
        self._lock = threading.Lock()  # for the latest millisecond of a name
        self._latest = 0
        self._checked = float("-inf")
        self._fault: ApiError | None = None

    def is_slow(self) -> bool:
        """Tell that to store a file takes longer than to change threads: the network is between."""
        return True

    def check(self) -> None:
        """Raise unless files can be staged and the bucket is there; that is asked once in ten seconds."""
        super().check()
        if time.monotonic() - self._checked > _FRESH:
            try:
                self._bucket.check()
                self._fault = None
            except ApiError as error:
                self._fault = error
            self._checked = time.monotonic()
        if self._fault:
            raise self._fault.with_traceback(None)

    def publish(self, staged: Staged, user_id: int, safe_name: str, announce: Announce | None = None) -> str:
        """Store `staged` as `<user_id>/<unix ms>-<safe_name>` and return that path, `announce` told before.

        Never overwrites: a taken millisecond passes a later one, and `announce` is told again. Raises Unavailable,
        InsufficientStorage or StorageFailed; then nothing is left, or, where the answer was lost, perhaps an object.
        To delete it here would be wrong: whose it is only its row tells.
        """
        for _ in range(_TRIES):
            path = f"{user_id}/{self._moment()}-{_key_name(safe_name)}"
            if announce:
                announce(path)
            with disk_errors():
                if self._bucket.put_new(path, staged, _disposition(path)):
                    staged.discard()
                    return path
        raise StorageFailed("The file store has no free name. Nothing was stored.")

    def open(self, path: str) -> IO[bytes]:
        """Open a published file for reading, over the network."""
        parts(path)
        return self._bucket.get(path)  # type: ignore[return-value]

    def open_to_send(self, path: str, part: range | None) -> IO[bytes]:
        """Open a published file, or a part of it, for a client, who counts among so many until it is closed."""
        parts(path)
        return self._bucket.send(path, part)  # type: ignore[return-value]

    @contextmanager
    def sending(self) -> Iterator[Callable[[str], IO[bytes]]]:
        """Hold one of the places of downloads, and lend what opens published files in it, one after the other."""
        with self._bucket.place_to_send():
            yield self._open_in_place

    def address(self, path: str, disposition: str, content_type: str) -> str:
        """Return a URL that fetches the file from the store, good for five minutes; '' where the service sends it."""
        if self._proxied:
            return ""
        parts(path)
        return self._bucket.address(path, _URL_SECONDS, disposition, content_type)

    def delete(self, path: str) -> None:
        """Remove a published file; one that is gone already is as good as removed."""
        parts(path)
        self._bucket.delete(path)

    def holds(self, path: str, size: int, sha256: str) -> bool:
        """Tell whether that file lies there, by what the store knows of its size and SHA-256, else by reading it."""
        parts(path)
        found = self._bucket.head(path)
        if found is None or found["ContentLength"] != size:
            return False
        if known := checksum_of(found):
            return known == sha256
        return copies.holds(partial(self.open, path), size, sha256)

    def paths(self) -> Iterator[str]:
        """Yield every published file's path, those of leftovers too."""
        for user in self._users():
            yield from (found.key for found in self._stored(user))

    def link(self, _path: str, _target: LocalStorage, _size: int) -> bool:
        """Tell that an object can only be copied."""
        return False

    def put_back(self, file: IO[bytes], path: str, size: int, sha256: str) -> None:
        """Store a copy of `file` under the `path` that it had, whatever lies there.

        Raises OSError when the bytes are not those; Unavailable, InsufficientStorage or StorageFailed.
        """
        parts(path)
        staged = self.stage()
        try:
            copies.copy(file, staged, size, sha256)
            self._bucket.put(path, staged, _disposition(path))
        finally:
            staged.discard()

    def sync(self, _users: Iterable[int] | None = None) -> None:
        """Return: what the store has answered for is durable."""

    def sweep(self, known: Callable[[int], Iterable[str]], older_than: float) -> Iterator[str]:
        """Remove leftovers untouched for `older_than` seconds, here and in the bucket, and yield their paths.

        `known(user_id)` yields the paths that have rows. It is asked after the listing, so a file whose row is
        committed meanwhile is not taken for a leftover. Keys that are not of our form are somebody else's.
        """
        limit = time.time() - older_than
        yield from self.sweep_staging(older_than)
        for user in self._users():
            old = (found.key for found in self._stored(user) if found.since < limit)
            while batch := set(islice(old, _BATCH)):
                for path in batch.difference(known(user)):
                    self._bucket.delete(path)
                    yield path
        for multipart in self._bucket.multiparts():
            if multipart.since < limit and _is_ours(multipart):
                self._bucket.abort(multipart)
                yield multipart.key

    def _open_in_place(self, path: str) -> IO[bytes]:
        parts(path)
        return self._bucket.send_from_place(path)  # type: ignore[return-value]

    def _moment(self) -> int:
        """Return the time in milliseconds, each to one name alone: a taken one costs a request."""
        with self._lock:
            self._latest = max(self._latest + 1, unix_ms())
            return self._latest

    def _users(self) -> Iterator[int]:
        for folder in self._bucket.folders():
            if folder.isascii() and folder.isdecimal() and folder[0] != "0":
                yield int(folder)

    def _stored(self, user: int) -> Iterator[Listed]:
        return (found for found in self._bucket.objects(str(user)) if _is_ours(found))


def _is_ours(found: Listed) -> bool:
    with suppress(OSError):
        return is_stored(parts(found.key)[1])
    return False


def _key_name(safe_name: str) -> str:
    """Return the name as keys have it: some stores take a backslash for a slash."""
    return safe_name.replace("\\", "_")


def _disposition(path: str) -> str:
    """Return the Content-Disposition for whoever meets the object in the store itself (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(path.partition('-')[2], safe='')}"

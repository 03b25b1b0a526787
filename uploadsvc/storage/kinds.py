"""What every storage can do, and which one is meant: the rooms above name none."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from .local import LocalStorage
from .names import Announce
from .room import Reservation
from .staged import Staged


class Storage(Protocol):
    """Where bytes lie. `path` is `<user id>/<unix ms>-<safe name>`; LocalStorage and S3Storage tell more.

    Whatever cannot be done raises Unavailable, InsufficientStorage or StorageFailed, a file that is not there OSError.
    """

    backend: str  # as the metrics call it
    gathers: bool  # uploads that end together are stored together

    def is_slow(self) -> bool:
        """Tell whether to store a file takes longer than to change threads."""

    def reserve(self, size: int) -> Reservation:
        """Keep room for an upload of `size` bytes where it is staged."""

    def free_bytes(self) -> int:
        """Return the room for what is staged."""

    def check(self) -> None:
        """Raise unless files can be stored (readiness)."""

    def stage(self, reservation: Reservation | None = None) -> Staged:
        """Open a new staged file."""

    def publish(self, staged: Staged, user_id: int, safe_name: str, announce: Announce, /) -> str:
        """Store a staged file and return its path, which `announce` may have been told before a byte lay there.

        What takes long, and may end between, is announced, so that somebody knows of it. The bytes are durable, and the
        name is after `sync`.
        """

    def open(self, path: str) -> IO[bytes]:
        """Open a published file for reading."""

    def open_to_send(self, path: str, part: range | None, /) -> IO[bytes]:
        """Open a published file for a client, at the first byte of the part if there is one; it may end at the last.

        Clients may be slow, so what a file holds up until it is closed is bounded: beyond that, Unavailable.
        """

    def sending(self) -> AbstractContextManager[Callable[[str], IO[bytes]]]:
        """Hold one of the places of those who send for long, and lend what opens published files meanwhile.

        Whoever holds one has one file open at a time. Raises Unavailable when none comes free soon.
        """

    def address(self, path: str, disposition: str, content_type: str, /) -> str:
        """Return where a client may fetch the file for some minutes, or '' where the service has to send it."""

    def delete(self, path: str) -> None:
        """Remove a published file; one that is gone already is as good as removed."""

    def holds(self, path: str, size: int, sha256: str, /) -> bool:
        """Tell whether that file lies there with those bytes."""

    def paths(self) -> Iterator[str]:
        """Yield every published file's path, those of leftovers too."""

    def link(self, path: str, target: LocalStorage, size: int, /) -> bool:
        """Let a published file of that size lie in `target` too, without copying; tell whether it does."""

    def put_back(self, file: IO[bytes], path: str, size: int, sha256: str) -> None:
        """Publish a copy of `file` under the `path` that it had; raise OSError when its bytes are not those."""

    def sync(self, users: Iterable[int] | None = None) -> None:
        """Return only when what was published or put back is durable: of these users, or of all."""

    def sweep(self, known: Callable[[int], Iterable[str]], older_than: float) -> Iterator[str]:
        """Remove leftovers untouched for `older_than` seconds, all but a user's `known` paths; yield theirs."""

    def sweep_staging(self, older_than: float) -> Iterator[str]:
        """Remove of them only what was staged, which lies on this machine; yield the paths."""


class BucketSettings(NamedTuple):
    """A bucket and how to reach it; empty texts leave it to boto3's own settings."""

    name: str
    region: str
    endpoint: str  # of a store that is not Amazon's
    key: str
    secret: str
    session_token: str  # of keys that pass
    places: int  # for those who wait for the store, at once
    proxied: bool  # the service itself sends what is downloaded


def storage_for(root: Path, min_free_bytes: int, bucket: BucketSettings | None = None, places: int = 1) -> Storage:
    """Return the storage: `bucket` with `root` for what is staged, or `root` alone, from which all but one send."""
    if bucket is None:
        return LocalStorage(root, min_free_bytes, places)
    from .s3 import S3Storage  # noqa: PLC0415 - the library is an extra, and a fifth of a second

    return S3Storage(root, min_free_bytes, bucket)

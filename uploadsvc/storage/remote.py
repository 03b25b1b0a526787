"""A stored file that comes over the network, read like one on the disk."""

import io
from collections.abc import Callable
from typing import Protocol


class Stream(Protocol):
    """Bytes as they come."""

    def read(self, size: int | None = None, /) -> bytes:
        """Return the next `size` bytes at most, or all."""

    def close(self) -> None:
        """Let go of the connection. Idempotent."""


class RemoteFile(io.RawIOBase):
    """A file of `size` bytes. `fetch(position)` opens the stream of its bytes from there on, `opened` is that from 0.

    Whoever reads it waits for the network: no event loop may.
    """

    def __init__(self, opened: Stream, size: int, fetch: Callable[[int], Stream]) -> None:
        self._stream: Stream | None = opened
        self._size = size
        self._fetch = fetch
        self._position = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from any position, at the cost of another request."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Read on from elsewhere; return that position."""
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if position != self._position:
            self._let_go()
            self._position = max(0, position)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes at most, or all; b"" at the end."""
        if self._position >= self._size or size == 0:
            return b""
        if self._stream is None:
            self._stream = self._fetch(self._position)
        data = self._stream.read(None if size < 0 else size)
        self._position += len(data)
        return data

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        self._let_go()
        super().close()

    def _let_go(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

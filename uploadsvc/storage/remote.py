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
    """The `size` bytes of `stream`, from the first to the last; `let_go` is called once, when it is closed.

    Whoever reads it waits for the network: no event loop may.
    """

    def __init__(self, stream: Stream, size: int, let_go: Callable[[], None] | None = None) -> None:
        self._stream = stream
        self._left = size
        self._let_go = let_go

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes at most, or all; b"" at the end."""
        if self._left <= 0 or size == 0:
            return b""
        data = self._stream.read(None if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Let go of the connection, and of what else was held. Idempotent, also where nobody else closes it."""
        if not self.closed:
            super().close()
            self._stream.close()
            if self._let_go:
                self._let_go()

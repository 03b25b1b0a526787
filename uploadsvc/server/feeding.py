"""Feeder 2: an upload's bytes on their way from the connection to its intake.

What a client sends slowly, the I/O loop reads and feeds itself, piece by piece, so that a refusal is immediate. When a
piece fills the loop's whole read, more is waiting, and a worker thread reads on in a burst: receiving, hashing and
writing all release the interpreter lock, so uploads run side by side, and a slow disk holds up nobody else.
Nothing is ever queued in between: at any time one thread reads a connection, and TCP makes a fast client wait.
"""

from io import BytesIO
from typing import TYPE_CHECKING

from ..errors import TooLarge
from ..filetypes import Candidate
from ..intake import Received
from ..storage import Staged
from ..uploads import Reception

if TYPE_CHECKING:
    from .channel import Channel

_BURST = 8  # reads of a worker before it turns to another task
_READ = 256 * 1024  # bytes a read: larger ones fall out of the processor's cache before they are hashed


class StreamedReception(Reception):
    """Takes the place of the spool in waitress's receivers: feeds the intake what is appended and holds nothing."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit, self._size = limit, 0

    def append(self, data: bytes) -> None:
        """Feed the next bytes; raise their refusal, or TooLarge when a chunked body outgrows every upload."""
        self._size += len(data)
        if self._size > self._limit:
            raise TooLarge(f"The upload is larger than {self._limit} bytes.")
        self.check().feed(data)

    def finish(self) -> Received[Staged, Candidate]:
        """Return what the body held; all of it has been fed."""
        return self.check().finish()

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return True  # also before the first byte

    def getfile(self) -> BytesIO:
        """Return what is left to read: nothing."""
        return BytesIO()


class Burst:
    """A worker's task: read on where the loop left off, until nothing waits or others have waited long enough."""

    def __init__(self, channel: "Channel") -> None:
        self._channel = channel

    def service(self) -> None:
        """Read and feed; hand the connection back to the loop."""
        channel = self._channel
        try:
            for _ in range(_BURST):
                if not channel.is_receiving() or not channel.receive(_READ):
                    break
        finally:
            channel.end_burst()

    def cancel(self) -> None:
        """Hand the connection back without reading: the server is stopping."""
        self._channel.end_burst()

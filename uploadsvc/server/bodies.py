"""Where the bytes of a request's body go: into the intake as they arrive, or into memory when they are few."""

from io import BytesIO
from typing import Protocol

from ..errors import TooLarge
from ..filetypes import Candidate
from ..intake import Received
from ..storage import Staged
from ..uploads import Reception

SMALL_BODY = 64 * 1024  # bytes; only uploads are larger


class Body(Protocol):
    """What a request needs of its body."""

    def append(self, data: bytes) -> None:
        """Take the next bytes, or raise their refusal."""

    def getfile(self) -> BytesIO:
        """Return what is left for the application to read."""


class SmallBody:
    """Holds the body of everything that is not streamed."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def append(self, data: bytes) -> None:
        """Keep `data`; raise TooLarge beyond 64 KiB."""
        self._size += len(data)
        if self._size > SMALL_BODY:
            raise TooLarge(f"Only uploads may be larger than {SMALL_BODY} bytes.")
        self._pieces.append(data)

    def getfile(self) -> BytesIO:
        """Return the body from its beginning."""
        return BytesIO(b"".join(self._pieces))


class StreamedReception(Reception):
    """Feeder 2: an upload that was judged at its headers; feeds the intake what arrives and holds nothing."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._size = 0

    def append(self, data: bytes) -> None:
        """Feed the next bytes; raise their refusal, or TooLarge when a chunked body outgrows every upload."""
        self._size += len(data)
        if self._size > self._limit:
            raise TooLarge(f"The upload is larger than {self._limit} bytes.")
        self.check().feed(data)

    def finish(self) -> Received[Staged, Candidate]:
        """Return what the body held; all of it has been fed."""
        return self.check().finish()

    def getfile(self) -> BytesIO:
        """Return what is left to read: nothing."""
        return BytesIO()

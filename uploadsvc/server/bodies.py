"""What decodes and holds the bodies of requests. waitress's receivers hand what they decode to a buffer's `append`."""

from io import BytesIO

from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest

from ..errors import TooLarge
from .feeding import StreamedReception

SMALL_BODY = 64 * 1024  # bytes; only uploads are larger
_MAX_CONTROL_LINE = 1024  # bytes of a chunk's size and extensions (RFC 9112 §7.1.1)
_MAX_TRAILER = 8 * 1024
_SLICE = 4 * 1024  # the receiver copies the rest of its input at every chunk, so it gets little at a time


class SmallBody:
    """Holds the body of everything that is not an upload in memory."""

    def __init__(self) -> None:
        self._body = BytesIO()

    def append(self, data: bytes) -> None:
        """Keep `data`; raise TooLarge beyond 64 KiB."""
        if len(self) + len(data) > SMALL_BODY:
            raise TooLarge(f"Only uploads may be larger than {SMALL_BODY} bytes.")
        self._body.write(data)

    def __len__(self) -> int:
        return self._body.getbuffer().nbytes

    def getfile(self) -> BytesIO:
        """Return the body from its beginning."""
        self._body.seek(0)
        return self._body

    def close(self) -> None:
        """Nothing lies anywhere but in memory."""


class BoundedChunks(ChunkedReceiver):
    """waitress's decoder of chunked bodies with the bounds it lacks: 12 MB of extensions cost it 8 s."""

    def __init__(self, buf: StreamedReception | SmallBody) -> None:
        super().__init__(buf)
        self._wire = 0

    def received(self, data: bytes) -> int:
        """Decode `data`; return the bytes consumed. Sets `error` for an over-long line, trailer or framing."""
        consumed = 0
        while consumed < len(data) and not self.completed and not self.error:
            taken = super().received(data[consumed : consumed + _SLICE])
            consumed += taken
            self._wire += taken
            if len(self.control_line) > _MAX_CONTROL_LINE or len(self.trailer) > _MAX_TRAILER:
                self.error = BadRequest("chunk extension or trailer too long")
            elif self._wire > 2 * len(self) + SMALL_BODY:
                self.error = BadRequest("chunks too small")
        return consumed

"""Reads a body that is one file's bytes, as PUT sends it (RFC 9110 §9.3.4)."""

from typing import Generic

from ..errors import Malformed
from .parts import FilePart, R, Received, ReceivedFile, S


class RawIntake(Generic[S, R]):
    """What `Intake` is for a multipart body: pushed bytes in, one staged file out, and the same errors.

    `size` is the body's declared length in bytes, None where none was declared; `limit` what a file may have.
    """

    def __init__(self, file: ReceivedFile[S, R], size: int | None, limit: int) -> None:
        self._file: ReceivedFile[S, R] | None = file
        self._size = size
        self._part = FilePart(file, limit)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file, in pieces of any size."""
        if self._file is None:
            return
        try:
            self._part.write(chunk)
        except BaseException:
            self.abort()
            raise

    def finish(self) -> Received[S, R]:
        """Return the file. The caller owns what is staged from here on."""
        try:
            if self._file is None:
                raise Malformed("The upload was given up.")
            if self._size not in (None, self._file.staged.size):
                raise Malformed("The upload was cut off before its end. Send it again.", reason="truncated")
            self._part.finish()
        except BaseException:
            self.abort()
            raise
        return Received([self._file], {})

    def abort(self) -> None:
        """Forget everything; nothing is left on the disk. Idempotent."""
        file, self._file = self._file, None
        if file:
            file.staged.discard()

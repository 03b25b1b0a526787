"""The intake: bytes of a multipart/form-data body pushed in (RFC 7578), staged files out.

It knows no Flask, no server and no database. A feeder calls `feed` with whatever arrived and `finish` at the
end; every refusal is raised as early as it can be known, and leaves nothing behind.

The delimiters are found and the parts' headers read here, strictly. The content of a part that arrives in pieces
passes through streaming-form-data (splitter.py); of one that is there whole, as most small files are, nothing is left
to split, and setting the library up would take half of the time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from ..errors import Malformed, TooLarge, UnsupportedType
from .headers import boundary_of, part_header
from .parts import EmptyInput, FieldPart, FilePart, Part, R, Received, ReceivedFile, S
from .raw import RawIntake
from .splitter import Splitting

__all__ = ["Intake", "Limits", "RawIntake", "Received", "ReceivedFile"]


@dataclass(frozen=True)
class Limits:
    """What one request may hold; the defaults are the contract's."""

    file_bytes: int = 10 * 1024 * 1024  # a file of exactly this size passes
    files: int = 20
    parts: int = 32  # files and fields: a form has few
    overhead: int = 64 * 1024  # all that is not file content, which bounds what memory holds
    header_bytes: int = 4 * 1024  # of one part: a name of 255 characters needs 1 KiB
    header_lines: int = 8  # RFC 7578 knows three
    preamble: int = 1024  # bytes before the first boundary, ignored (RFC 2046 §5.1.1): encoders send a line or two

    @property
    def request_bytes(self) -> int:
        """Return the size of the largest body that can be accepted."""
        return self.files * self.file_bytes + self.overhead


class Intake(Generic[S, R]):
    """Push-driven reader of one multipart/form-data body.

    `stage()` opens a place for a file's bytes; `accept(filename, declared type)` returns its recogniser or raises
    UnsupportedType. Raises Malformed (400), TooLarge (413), UnsupportedType (415) and what `stage` raises.
    """

    def __init__(
        self,
        content_type: str,
        stage: Callable[[], S],
        accept: Callable[[str, str], R],
        limits: Limits = Limits(),
    ) -> None:
        boundary = boundary_of(content_type)
        self._delimiter = b"\r\n--" + boundary.encode()
        self._stage, self._accept, self._limits = stage, accept, limits
        self._held = b"\r\n"  # received but not yet judged; the first delimiter needs no CRLF of its own
        self._borrowed = True  # what is judged begins with a CRLF that is no content, but may be a delimiter's
        self._in_headers = self._ended = False
        self._overhead = self._preamble = self._parts = 0
        self._part: Part | None = None  # the open one
        self._splitting: Splitting | None = None  # when it arrives in pieces
        self._received: Received[S, R] = Received([], {})

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body, in pieces of any size."""
        try:
            if not self._ended:  # RFC 2046 §5.1.1: an epilogue is ignored
                self._held = self._scan(self._held + chunk)
        except BaseException:
            self.abort()
            raise

    def finish(self) -> Received[S, R]:
        """Return what the body held. The caller owns the staged files from here on."""
        try:
            if not self._ended:
                message = "The upload was cut off before its closing boundary. Send it again."
                raise Malformed(message, reason="truncated")
            if not self._received.files:
                raise Malformed("There is no file in the upload. Send one or more in the field “file”.")
        except BaseException:
            self.abort()
            raise
        return self._received

    def abort(self) -> None:
        """Forget everything; nothing is left on the disk. Idempotent."""
        self._ended = True
        self._splitting = None
        self._received.discard()
        self._received = Received([], {})  # whoever calls finish() all the same gets no file

    def _scan(self, data: bytes) -> bytes:
        """Split `data` at its delimiters; return the tail that cannot be judged before more arrives."""
        at = 0
        while not self._ended:
            if self._in_headers:
                end = data.find(b"\r\n\r\n", at, at + self._limits.header_bytes)
                if end < 0:
                    if len(data) - at >= self._limits.header_bytes:
                        raise Malformed("A part of the upload has too long a header.")
                    return data[at:]
                self._open(data[at + 2 : end])
                at = end + 2  # the blank line's CRLF is the delimiter's, where nothing stands in between
                self._in_headers, self._borrowed = False, True
            mark = data.find(self._delimiter, at)
            after = mark + len(self._delimiter)
            if mark < 0 or len(data) < after + 2:
                keep = mark if mark >= 0 else data.rfind(b"\r", max(at, len(data) - len(self._delimiter) + 1))
                keep = len(data) if keep < 0 else keep  # where a delimiter may begin; else nothing is held, or copied
                self._content(data[at:keep])
                return data[keep:]
            self._content(data[at:mark], last=True)
            what = data[after : after + 2]
            if what not in (b"--", b"\r\n"):  # RFC 2046 §5.1.1: no content holds its delimiter, whatever follows it
                raise Malformed("The upload has a boundary line that is not valid.")
            self._end_part()
            self._ended = what == b"--"
            at, self._in_headers = after, True
        return b""

    def _open(self, block: bytes) -> None:
        """Start the part whose header lines are `block`."""
        self._parts += 1
        if self._parts > self._limits.parts:
            raise Malformed(f"The upload has more than {self._limits.parts} parts.")
        self._count(len(block))
        name, filename, declared = part_header(block, self._limits.header_lines)
        self._part = self._part_for(name, filename, declared)

    def _part_for(self, name: str, filename: str | None, declared: str) -> Part:
        if declared.startswith("multipart/"):  # RFC 7578 §4.3 ended multipart/mixed
            raise UnsupportedType("A part of the upload is itself multipart. Send each file as a part of its own.")
        if filename is None:
            return FieldPart(name, self._received.fields, self._count)
        if not filename:
            return EmptyInput()
        if len(self._received.files) == self._limits.files:
            raise TooLarge(f"More than {self._limits.files} files in one upload. Send them in several.")
        recogniser = self._accept(filename, declared)
        file = ReceivedFile(name, filename, recogniser, self._stage())
        self._received.files.append(file)
        return FilePart(file, self._limits.file_bytes)

    def _content(self, piece: bytes, last: bool = False) -> None:
        """Pass on bytes of the open part, and ignore the few there may be before the first."""
        if piece and self._borrowed:
            self._borrowed, piece = False, piece[2:]
        if self._part is None:
            self._preamble += len(piece)
            if self._preamble > self._limits.preamble:
                raise Malformed("The upload does not begin with its boundary.")
        elif last and self._splitting is None:
            if piece:
                self._part.write(piece)
        else:
            self._splitting = self._splitting or Splitting(self._delimiter, self._part)
            self._splitting.feed(piece)

    def _end_part(self) -> None:
        """Have the open part judged to its end before anything after it is: the first fault in the body is told."""
        if self._splitting:
            self._splitting.finish()
        elif self._part:
            self._part.finish()
        self._part = self._splitting = None

    def _count(self, size: int) -> None:
        """Count bytes that are not file content."""
        self._overhead += size
        if self._overhead > self._limits.overhead:
            raise TooLarge(f"The form fields take more than {self._limits.overhead // 1024} KiB.")

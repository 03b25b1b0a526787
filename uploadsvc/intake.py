"""The intake: bytes of a multipart/form-data body pushed in (RFC 7578), staged files out.

It knows no Flask, no server and no database. A feeder calls `feed` with whatever arrived and `finish` at the
end; every refusal is raised as early as it can be known, and leaves nothing behind.

streaming-form-data splits the parts. Their headers are read here instead, strictly, and the library is given a
constant header: its own e-mail parser would decode names that RFC 7578 §4.2 wants left alone, accept bare line
feeds and parts without a header, and cost more than everything else. Nor does it get a delimiter in two pieces,
or a byte after the closing boundary: both would lose data.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from streaming_form_data import StreamingFormDataParser
from streaming_form_data.targets import BaseTarget

from .errors import ApiError, Malformed, TooLarge, UnsupportedType

_GATHER = 8 * 1024  # bytes fed to the library at a time; below about 32 it fails on legal bodies
_PART_HEADER = b'\r\nContent-Disposition: form-data; name="part"\r\n\r\n'
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - a token of RFC 9110 §5.6.2
_HEADER_LINE = re.compile(rf"({_TOKEN}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_VALUE = re.compile(rf"[ \t]*({_TOKEN}(?:/{_TOKEN})?)")
# A quoted value ends at the quote before a semicolon or the end: browsers send a backslash as itself (WHATWG).
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})[ \t]*=[ \t]*(?:"(.*?)"(?=[ \t]*(?:;|$))|([^\s";]*))')
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=?]{1,70}")  # RFC 2046 §5.1.1, less the space


@dataclass(frozen=True)
class Limits:
    """What one request may hold; the defaults are the contract's."""

    file_bytes: int = 10 * 1024 * 1024  # a file of exactly this size passes
    files: int = 20
    parts: int = 32  # files and fields: a form has few
    overhead: int = 64 * 1024  # all that is not file content, which bounds what memory holds
    header_bytes: int = 4 * 1024  # of one part: a name of 255 characters needs 1 KiB
    header_lines: int = 8  # RFC 7578 knows three


class Stage(Protocol):
    """Where a file's bytes go: what `storage.Staged` offers."""

    size: int

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""

    def discard(self) -> None:
        """Leave nothing behind."""


class Recogniser(Protocol):
    """What judges a file by its content while it streams: what `filetypes.accept` returns."""

    filename: str

    def feed(self, chunk: bytes) -> None:
        """Judge the next bytes or raise UnsupportedType."""

    def finish(self) -> None:
        """Judge the end or raise UnsupportedType."""


S = TypeVar("S", bound=Stage)
R = TypeVar("R", bound=Recogniser)


@dataclass
class ReceivedFile(Generic[S, R]):
    """A file that arrived whole: the form field it came in, its staged bytes and its recogniser."""

    fieldname: str
    recogniser: R
    staged: S


@dataclass
class Received(Generic[S, R]):
    """What a complete body held. Of two fields with one name the last counts."""

    files: list[ReceivedFile[S, R]]
    fields: dict[str, str]

    def discard(self) -> None:
        """Remove what is still staged. Idempotent."""
        for file in self.files:
            file.staged.discard()


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
        self._in_headers = self._ended = False
        self._gathered: list[bytes] = []
        self._gathered_size = self._overhead = self._parts = 0
        self._coming: deque[_Part] = deque()  # opened here, not yet reached by the library
        self._received: Received[S, R] = Received([], {})
        self._parser = StreamingFormDataParser({"Content-Type": f'multipart/form-data; boundary="{boundary}"'})
        self._parser.register("part", _Splitter(self._coming))

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
                raise Malformed("The upload was cut off before its closing boundary. Send it again.")
            if not self._received.files:
                raise Malformed("There is no file in the upload. Send one or more in the field “file”.")
        except BaseException:
            self.abort()
            raise
        return self._received

    def abort(self) -> None:
        """Forget everything; nothing is left on the disk. Idempotent."""
        self._ended = True
        self._gathered.clear()
        self._received.discard()

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
                at, self._in_headers = end + 4, False
            part_at = data.find(self._delimiter + b"\r\n", at)
            close_at = data.find(self._delimiter + b"--", at, part_at if part_at >= 0 else len(data))
            if close_at >= 0:
                self._close(data[at:close_at])
            elif part_at >= 0:
                self._content(data[at:part_at])
                at, self._in_headers = part_at + len(self._delimiter), True
            else:
                keep = max(at, len(data) - len(self._delimiter) - 1)
                self._content(data[at:keep])
                return data[keep:]
        return b""

    def _open(self, block: bytes) -> None:
        """Start the part whose header lines are `block`."""
        self._parts += 1
        if self._parts > self._limits.parts:
            raise Malformed(f"The upload has more than {self._limits.parts} parts.")
        self._count(len(block))
        name, filename, declared = part_header(block, self._limits.header_lines)
        self._coming.append(self._part(name, filename, declared))
        self._gather(self._delimiter + _PART_HEADER)

    def _part(self, name: str, filename: str | None, declared: str) -> "_Part":
        if declared.startswith("multipart/"):  # RFC 7578 §4.3 ended multipart/mixed
            raise UnsupportedType("A part of the upload is itself multipart. Send each file as a part of its own.")
        if filename is None:
            return _FieldPart(name, self._received.fields, self._count)
        if not filename:
            return _EmptyInput()
        if len(self._received.files) == self._limits.files:
            raise TooLarge(f"More than {self._limits.files} files in one upload. Send them in several.")
        recogniser = self._accept(filename, declared)
        file = ReceivedFile(name, recogniser, self._stage())
        self._received.files.append(file)
        return _FilePart(file, self._limits.file_bytes)

    def _content(self, piece: bytes) -> None:
        """Pass on bytes of the open part."""
        if not self._parts:
            if piece:
                raise Malformed("The upload does not begin with its boundary.")
            return
        self._gather(piece)

    def _close(self, piece: bytes) -> None:
        """Pass on the last bytes and the closing boundary, and let the library finish."""
        self._content(piece)
        if self._parts:
            self._gather(self._delimiter + b"--")
            self._flush()
        self._ended = True

    def _count(self, size: int) -> None:
        """Count bytes that are not file content."""
        self._overhead += size
        if self._overhead > self._limits.overhead:
            raise TooLarge(f"The form fields take more than {self._limits.overhead // 1024} KiB.")

    def _gather(self, piece: bytes) -> None:
        self._gathered.append(piece)
        self._gathered_size += len(piece)
        if self._gathered_size >= _GATHER:
            self._flush()

    def _flush(self) -> None:
        block = b"".join(self._gathered)
        self._gathered, self._gathered_size = [], 0
        try:
            self._parser.data_received(block)
        except (ApiError, OSError):
            raise
        except Exception as error:
            raise Malformed("The upload is not valid multipart/form-data.") from error


class _Part:
    """Where the library's bytes for one part go."""

    def write(self, chunk: bytes) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """Judge the part when its last byte has come."""


class _FilePart(_Part):
    def __init__(self, file: ReceivedFile[S, R], limit: int) -> None:
        self._file, self._limit = file, limit

    def write(self, chunk: bytes) -> None:
        if self._file.staged.size + len(chunk) > self._limit:
            raise TooLarge(f"“{self._file.recogniser.filename}” is over the limit of {self._limit} bytes a file.")
        self._file.recogniser.feed(chunk)
        self._file.staged.write(chunk)

    def finish(self) -> None:
        if not self._file.staged.size:
            raise Malformed(f"“{self._file.recogniser.filename}” is empty.")
        self._file.recogniser.finish()


class _FieldPart(_Part):
    def __init__(self, name: str, fields: dict[str, str], count: Callable[[int], None]) -> None:
        self._name, self._fields, self._count = name, fields, count
        self._pieces: list[bytes] = []

    def write(self, chunk: bytes) -> None:
        self._count(len(chunk))
        self._pieces.append(chunk)

    def finish(self) -> None:
        try:
            self._fields[self._name] = b"".join(self._pieces).decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"The field “{self._name}” is not UTF-8 text.") from error


class _EmptyInput(_Part):
    """A file input that was left empty: browsers send it with an empty name and no bytes."""

    def write(self, chunk: bytes) -> None:
        if chunk:
            raise Malformed("A file in the upload has no name.")


class _Splitter(BaseTarget):  # type: ignore[misc]
    """The library's one target: passes each part's bytes to the next part that the intake has opened."""

    def __init__(self, coming: deque[_Part]) -> None:
        super().__init__()
        self._coming = coming

    def on_start(self) -> None:
        self._part = self._coming.popleft()

    def on_data_received(self, chunk: bytes) -> None:
        if chunk:
            self._part.write(chunk)

    def on_finish(self) -> None:
        self._part.finish()


def boundary_of(content_type: str) -> str:
    """Return the boundary of a multipart/form-data Content-Type; raise Malformed, or UnsupportedType for others."""
    if not content_type.strip():
        raise Malformed("The Content-Type is missing. Send multipart/form-data.")
    media_type, parameters = parameters_of(content_type)
    if media_type != "multipart/form-data":
        raise UnsupportedType("Files are uploaded as multipart/form-data.")
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Malformed("The boundary in the Content-Type is missing or not valid (RFC 2046 §5.1.1).")
    return boundary


def part_header(block: bytes, max_lines: int) -> tuple[str, str | None, str]:
    """Return (name, filename or None, declared type) from a part's header lines (RFC 7578 §4.2, §4.4)."""
    lines = block.split(b"\r\n")
    if len(lines) > max_lines:
        raise Malformed(f"A part of the upload has more than {max_lines} header lines.")
    fields: dict[str, str] = {}
    for line in lines:
        try:
            match = _HEADER_LINE.fullmatch(line.decode())
        except UnicodeDecodeError as error:
            raise Malformed("A part of the upload has a header that is not UTF-8.") from error
        if not match or (key := match[1].lower()) in fields:
            raise Malformed("A part of the upload has a header that is not valid, or one header twice.")
        fields[key] = match[2]
    disposition, parameters = parameters_of(fields.get("content-disposition", ""))
    if disposition != "form-data" or not parameters.get("name"):
        raise Malformed("A part of the upload lacks “Content-Disposition: form-data” with a name.")
    if any(parameter.endswith("*") for parameter in parameters):
        raise Malformed("A part of the upload uses “filename*”, which RFC 7578 §4.2 forbids. Send “filename” as UTF-8.")
    filename = parameters.get("filename")
    declared = fields.get("content-type", "").partition(";")[0].strip().lower()
    return _unescape(parameters["name"]), None if filename is None else _unescape(filename), declared


def parameters_of(value: str) -> tuple[str, dict[str, str]]:
    """Split `type; key=value; key="value"` into the lower-cased type and its parameters; raise Malformed."""
    match = _VALUE.match(value)
    parameters: dict[str, str] = {}
    at = match.end() if match else 0
    while found := _PARAMETER.match(value, at):
        key = found[1].lower()
        if key in parameters:
            raise Malformed(f"A header of the upload gives “{key}” twice.")
        parameters[key] = found[3] if found[2] is None else found[2]
        at = found.end()
    if not match or value[at:].strip(" \t;"):
        raise Malformed("A header of the upload is not valid.")
    return match[1].lower(), parameters


def _unescape(name: str) -> str:
    """Undo what browsers do to names, and no more (WHATWG HTML, multipart/form-data encoding algorithm)."""
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")

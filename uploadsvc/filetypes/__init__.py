"""What may be uploaded: one row in TYPES a type, and how each is recognised by name, by declaration and by content.

A `Candidate` judges one file: its first bytes while they stream (`feed`, `finish`), the rest on disk (`inspect`).
The client's name, type and bytes are claims; OWASP's File Upload Cheat Sheet is the source of the rules.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable
from typing import IO

from ..errors import UnsupportedType
from . import docx

_HEAD = 1024  # bytes within which readers look for a PDF's header (ISO 32000-1, Annex H, note 13)
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_DROPPED = {"Cc", "Cs", "Zl", "Zp"}  # control characters, lone surrogates, line and paragraph separators
_UNSEEN = {"Cf", "Zs"}  # what joins, parts and marks other characters, and blanks
_NAME_CHARS = 255  # code points kept of the name a person sees
_WINDOWS_PATH = re.compile(r"(?:^|/)\s*(?:[A-Za-z]:\\|\\\\)")  # `C:\…` or `\\host\…`; else a backslash is a character
_RESERVED = re.compile(r'[<>:"|?*\\]')  # characters that other filesystems refuse in a name


def readable(text: str) -> str:
    """Return `text` in NFC without control or bidi characters, lone surrogates, line or paragraph separators.

    It is '' where none of what is left can be seen: zero-width characters join others, and are nothing by themselves.
    """
    if text.isascii() and text.isprintable():  # most texts are, and then have nothing to drop or to compose
        return text
    text = "".join(c for c in text if unicodedata.category(c) not in _DROPPED and c not in _BIDI)
    if all(unicodedata.category(c) in _UNSEEN for c in text):
        return ""
    return unicodedata.normalize("NFC", text)


def clean_name(name: str) -> str:
    """Return the name a person sees: its last path component in NFC, no control or bidi characters, 255 characters."""
    name = readable(name)
    if _WINDOWS_PATH.search(name):
        name = name.replace("\\", "/")
    name = name.rpartition("/")[2].strip()
    stem, dot, extension = name.rpartition(".")
    room = _NAME_CHARS - len(extension) - 1
    return stem[:room].rstrip() + dot + extension if stem and room > 0 else name[:_NAME_CHARS].rstrip()


def safe_name(name: str, max_bytes: int = 239) -> str:
    """Return `name` for a filesystem: at most `max_bytes` of UTF-8 with the extension, if any, intact, never hidden.

    239 leaves room for the 16 bytes in front of a stored name within the 255 that a filesystem allows.
    """
    stem, dot, extension = _RESERVED.sub("_", clean_name(name)).rpartition(".")
    if not dot:
        stem, extension = extension, ""
    room = max_bytes - len((dot + extension).encode())
    return (re.sub(r"^[\s.]+|[\s.]+$", "", stem.encode()[:room].decode(errors="ignore")) or "file") + dot + extension


class Candidate:
    """One uploaded file on trial. Subclasses say what its content must be; every verdict is UnsupportedType."""

    extension = ""
    mimetype = ""
    label = ""

    def __init__(self, filename: str) -> None:
        self.filename = filename

    def feed(self, chunk: bytes) -> None:
        """Judge the next bytes of the content, in order."""

    def finish(self) -> None:
        """Judge what can only be judged once the last byte was fed."""

    def inspect(self, opened: Callable[[], IO[bytes]], size: int) -> None:
        """Judge the whole content, `size` bytes in the seekable file that `opened` opens where that is needed."""

    def refuse(self, detail: str = "") -> UnsupportedType:
        """Return the error that names the file and says what it should have been."""
        return UnsupportedType(
            f"The content of “{self.filename}” is not {self.label}{detail}. Check the file, or give it its right name.",
            reason="content",
        )


class Pdf(Candidate):
    """`%PDF-` within the first 1024 bytes: readers repair the rest, so no more is asked."""

    extension, mimetype, label = ".pdf", "application/pdf", "a PDF document"

    def __init__(self, filename: str) -> None:
        super().__init__(filename)
        self._head: bytes | None = b""

    def feed(self, chunk: bytes) -> None:
        """Collect the head until it is long enough to judge."""
        if self._head is not None:
            self._head += chunk[:_HEAD]
            if len(self._head) >= _HEAD:
                self.finish()

    def finish(self) -> None:
        """Judge the head once."""
        if self._head is not None and b"%PDF-" not in self._head[:_HEAD]:
            raise self.refuse()
        self._head = None


class Docx(Candidate):
    """A ZIP archive from its first byte; what is in it is judged on disk, where the central directory is."""

    extension = ".docx"
    mimetype = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    label = "a Word document (.docx)"
    _left = b"PK\x03\x04"  # the part of the local file header's signature that is still to come

    def feed(self, chunk: bytes) -> None:
        """Refuse at the first byte that differs from the signature."""
        if self._left:
            expected, self._left = self._left[: len(chunk)], self._left[len(chunk) :]
            if not chunk.startswith(expected):
                raise self.refuse()

    def finish(self) -> None:
        """Refuse a file shorter than the signature."""
        if self._left:
            raise self.refuse()

    def inspect(self, opened: Callable[[], IO[bytes]], size: int) -> None:
        """Judge the archive by its central directory and `[Content_Types].xml`."""
        try:
            with opened() as file:
                docx.inspect(file, size)
        except docx.NotDocx as error:
            raise self.refuse(f": {error}") from error


class Text(Candidate):
    """UTF-8, UTF-16 or UTF-32 with a byte order mark, or a legacy 8-bit encoding without control characters."""

    extension, mimetype, label = ".txt", "text/plain", "plain text"
    _FOREIGN = (b"%PDF-", b"PK\x03\x04", b"MZ\x90", b"\x7fELF")
    _BOMS = (
        (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with UTF-16's
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    )
    _CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f"))

    def __init__(self, filename: str) -> None:
        super().__init__(filename)
        self._head: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._wide = False
        self._has_controls = False

    def feed(self, chunk: bytes) -> None:
        """Judge every byte as it streams; the first four decide the encoding."""
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < 5:  # noqa: PLR2004 - the longest foreign signature
                self._head = chunk
                return
            self._begin(chunk)
        self._judge(chunk)

    def finish(self) -> None:
        """Refuse a character cut in half by the end of the file."""
        if self._head is not None:
            head = self._head
            self._begin(head)
            self._judge(head)
        self._judge(b"", final=True)

    def _begin(self, head: bytes) -> None:
        self._head = None
        if head.startswith(self._FOREIGN):
            raise self.refuse()
        encoding = next((name for mark, name in self._BOMS if head.startswith(mark)), "utf-8")
        self._wide = encoding != "utf-8"
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def _judge(self, chunk: bytes, final: bool = False) -> None:
        """Decode strictly; text that stops being UTF-8 is legacy 8-bit, where no control character may stand."""
        if not self._wide:
            if b"\0" in chunk:
                raise self.refuse()
            self._has_controls = self._has_controls or len(chunk.translate(None, self._CONTROLS)) != len(chunk)
        if self._decoder:
            try:
                self._decoder.decode(chunk, final)
            except UnicodeDecodeError as error:
                if self._wide:
                    raise self.refuse() from error
                self._decoder = None
        if self._decoder is None and self._has_controls:
            raise self.refuse()


TYPES: tuple[type[Candidate], ...] = (Pdf, Docx, Text)


def accept(filename: str, declared: str) -> Candidate:
    """Return the candidate for a file named `filename` by the client and declared as media type `declared`.

    The last extension decides, whatever its case. An absent or generic declaration passes; another type's
    raises UnsupportedType, as does a name without one of the listed extensions, or with nothing before it.
    """
    name = clean_name(filename)
    if not name:
        message = "A file in the upload has a name that cannot be shown. Give it another one."
        raise UnsupportedType(message, reason="name")
    stem, dot, extension = name.rpartition(".")
    chosen = next((kind for kind in TYPES if kind.extension == dot + extension.lower()), None)
    if chosen is None:
        raise UnsupportedType(f"“{name}” is not accepted: the file must be a PDF, DOCX or TXT.", reason="name")
    if not stem:
        message = f"“{name}” is an ending without a name that can be shown. Give the file a name."
        raise UnsupportedType(message, reason="name")
    if declared not in ("", "application/octet-stream", chosen.mimetype):
        message = f"“{name}” was sent as another type than its name says. Send it as {chosen.mimetype}."
        raise UnsupportedType(message, reason="declared_type")
    return chosen(name)

"""Is this ZIP archive a Word document? Judged by its central directory and its `[Content_Types].xml` alone.

Nothing else is ever inflated, and every read is bounded, so a bomb costs what a letter costs.
ECMA-376 Part 2 (Open Packaging Conventions) and PKWARE's APPNOTE 6.3 are the sources of the rules.
"""

import stat
import struct
import zipfile
import zlib
from typing import IO
from xml.parsers import expat

MAX_ENTRIES = 2000  # a book of a thousand pictures stays below
MAX_DIRECTORY = 256 * 1024  # bytes of central directory: 2000 entries with names of 50 characters and their times
MAX_EXTRA = 1024  # bytes of extra fields an entry: real ones have 36, and zipfile copies the rest at each field
MAX_EXTRAS = 128 * 1024  # bytes of them in all: zipfile reads them field by field
MAX_UNPACKED = 100 * 1024 * 1024  # bytes an archive may declare in all
MAX_RATIO = 100  # declared over packed size: text packs 10 : 1, bombs 1000 : 1
MAX_CONTENT_TYPES = 128 * 1024  # bytes of [Content_Types].xml: real ones have 2 KiB, a thousand parts fill this
MAX_ELEMENTS = MAX_ENTRIES + 100  # in it: each names a part, or one of some twenty extensions
MAX_DEPTH = 2  # `Types` and what it lists (ECMA-376 Part 2, §7.2.3.2)
MAX_ATTRIBUTES = 8  # of an element: it has two, and its namespaces are not counted

_END = struct.Struct("<4s4H2LH")  # end of central directory record (APPNOTE §4.3.16)
_LENGTHS = struct.Struct("<28x3H12x")  # of name, extra fields and comment in a directory entry (APPNOTE §4.3.12)
_LOCAL_HEADER = 30  # bytes of a local file header before its name (APPNOTE §4.3.7)
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_OVERRIDE = "http://schemas.openxmlformats.org/package/2006/content-types Override"


class NotDocx(Exception):
    """Says in a few words why the file is no Word document."""


def inspect(file: IO[bytes], size: int) -> None:
    """Raise NotDocx unless the `size` bytes of `file` are a well-formed, harmless .docx package."""
    try:
        directory_at = _start_of_directory(file, size)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(members, directory_at)
            parts = _ContentTypes(_content_types(archive)).parts
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, UnicodeError, NotImplementedError, EOFError) as error:
        raise NotDocx("the archive is damaged") from error
    except (LookupError, ValueError, struct.error) as error:  # LookupError: an unknown encoding too
        raise NotDocx("it is another kind of archive") from error
    names = {member.filename.lower() for member in members}
    if any("macroenabled" in kind.lower() for _, kind in parts) or any(n.endswith("vbaproject.bin") for n in names):
        raise NotDocx("it contains macros")
    if not any(kind == _MAIN and part.lstrip("/").lower() in names for part, kind in parts):
        raise NotDocx("it is another kind of archive")


def _start_of_directory(file: IO[bytes], size: int) -> int:
    """Return the offset of the directory of an archive that fills its file exactly."""
    tail_length = min(size, _END.size + 0xFFFF)
    file.seek(size - tail_length)
    tail = file.read(tail_length)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise NotDocx("the archive is damaged")
    _, disk, directory_disk, here, entries, length, offset, comment = _END.unpack_from(tail, at)
    end_at = size - tail_length + at
    if disk or directory_disk or here != entries or end_at + _END.size + comment != size:
        raise NotDocx("its directory is inconsistent")
    file.seek(max(0, end_at - 20))
    if file.read(4) == b"PK\x06\x07":  # zipfile would believe a ZIP64 record, which no document needs
        raise NotDocx("its directory is inconsistent")
    if offset + length != end_at:  # bytes before the archive, or a ZIP64 directory, which no document needs
        raise NotDocx("its directory is inconsistent")
    if entries > MAX_ENTRIES or length > MAX_DIRECTORY:
        raise NotDocx("it has too many entries")
    file.seek(offset)
    _check_directory(file.read(length), entries)
    return int(offset)


def _check_directory(directory: bytes, entries: int) -> None:
    """Refuse what zipfile would read for long; raise struct.error for a directory that ends within an entry."""
    at = count = extras = 0
    while at < len(directory):
        name, extra, comment = _LENGTHS.unpack_from(directory, at)
        at += _LENGTHS.size + name + extra + comment
        count += 1
        extras += extra
        if extra > MAX_EXTRA or extras > MAX_EXTRAS:
            raise NotDocx("its directory is unusually long")
    if count != entries:
        raise NotDocx("its directory is inconsistent")


def _check_members(members: list[zipfile.ZipInfo], directory_at: int) -> None:
    """Refuse hostile names, encryption, overlapping entries and bombs, by what the directory declares."""
    seen: set[str] = set()
    for member in members:
        name = member.orig_filename
        if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/") or name in seen:
            raise NotDocx("it contains forbidden file names")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise NotDocx("it contains forbidden file names")
        if member.flag_bits & 0x2041:  # encrypted, strongly encrypted, masked headers (APPNOTE §4.4.4)
            raise NotDocx("it is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NotDocx("it is packed in an unusual way")
        seen.add(name)
    end = directory_at
    for member in sorted(members, key=lambda m: m.header_offset, reverse=True):
        if member.header_offset + _LOCAL_HEADER + len(member.orig_filename) + member.compress_size > end:
            raise NotDocx("its entries overlap")
        end = member.header_offset
    packed, unpacked = sum(m.compress_size for m in members), sum(m.file_size for m in members)
    if unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * packed:
        raise NotDocx("it unpacks to too much")


def _content_types(archive: zipfile.ZipFile) -> bytes:
    member = archive.getinfo("[Content_Types].xml")
    if member.file_size > MAX_CONTENT_TYPES:
        raise NotDocx("its list of content types is too long")
    with archive.open(member) as stream:
        data = stream.read(MAX_CONTENT_TYPES + 1)
    if len(data) != member.file_size:
        raise NotDocx("the archive is damaged")
    return data


class _ContentTypes:
    """What `[Content_Types].xml` lists: (part name, content type) of every element, without a name if no `Override`.

    The first element too many ends it. Expat reads the attributes of one element before it tells of any: there
    only the bytes bound the work, and they are handed over at once, as it begins a tag anew with every piece.
    """

    def __init__(self, document: bytes) -> None:
        self.parts: list[tuple[str, str]] = []
        self._depth = 0
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.Parse(document, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH or len(self.parts) == MAX_ELEMENTS or len(attributes) > MAX_ATTRIBUTES:
            raise NotDocx("its list of content types is not a usual one")
        part = attributes.get("PartName", "") if name == _OVERRIDE else ""
        self.parts.append((part, attributes.get("ContentType", "")))

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _doctype(self, *_: object) -> None:
        raise NotDocx("its list of content types has a DOCTYPE")

"""Several documents as one ZIP archive, made while it is sent: in memory is never more than a piece of one file."""

import logging
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import PurePath
from typing import IO, NamedTuple
from zipfile import ZipFile, ZipInfo

from ..errors import ApiError, BrokenOff
from ..filetypes import safe_name
from ..models import Document, fold
from ..storage import Storage, copies

log = logging.getLogger("uploadsvc.documents")

_CHUNK = 256 * 1024  # bytes that are read, and passed on, at a time
_MAX_NAME = 255  # bytes: what filesystems take
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|(?:COM|LPT)[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)  # on Windows, whatever follows


class Member(NamedTuple):
    """A file of the archive: what of a document is needed while it is sent, when no database is at hand."""

    document_id: str
    name: str
    path: str
    size: int
    moment: datetime


def members(documents: Iterable[Document]) -> list[Member]:
    """Return the documents as an archive's files, each with a name that no other has on any system."""
    taken: dict[str, int] = {}
    found = []
    for document in documents:
        name = _free_name(document.filename, taken)
        moment = document.uploaded_at or document.created_at
        found.append(Member(document.public_id, name, document.path, document.size, moment))
    return found


def sent(storage: Storage, files: Iterable[Member], request_id: str) -> Generator[bytes]:
    """Yield the archive, stored and not deflated, in one of the places of those who send; raise Unavailable.

    Raises BrokenOff, and logs which document it was, when a file cannot be read, or is not what was uploaded: its
    central directory, without which no reader takes an archive for whole, is the last to be sent.
    """
    with storage.sending() as opened:
        pieces = _Pieces()
        archive = ZipFile(pieces, "w")
        for file in files:
            with _breaking_off(file, request_id):
                yield from _added(archive, pieces, file, opened)
        archive.close()
        yield pieces.taken()


class _Pieces:
    """Where the archive is written: what cannot seek gets sizes and checksums after each file (APPNOTE §4.4.4)."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        """Keep a piece."""
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Do nothing: what is kept is taken soon."""

    def close(self) -> None:
        """Do nothing: the archive never owns it."""

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _added(archive: ZipFile, pieces: _Pieces, file: Member, opened: Callable[[str], IO[bytes]]) -> Iterator[bytes]:
    """Add a file to the archive and yield what was written of it so far; raise OSError or ApiError."""
    about = ZipInfo(file.name, file.moment.timetuple()[:6])
    about.file_size = file.size  # decides whether it needs ZIP64
    found = 0
    with opened(file.path) as source, archive.open(about, "w") as target:
        while found <= file.size and (chunk := source.read(_CHUNK)):
            found += len(chunk)
            target.write(chunk)
            yield pieces.taken()
    copies.check_size(found, file.size)


@contextmanager
def _breaking_off(file: Member, request_id: str) -> Iterator[None]:
    """Turn what keeps a file from being sent into BrokenOff, and tell the operator which one it was."""
    try:
        yield
    except (OSError, ApiError) as error:
        reason = copies.fault(error) if isinstance(error, OSError) else type(error).__name__
        about = {"document_id": file.document_id, "reason": reason, "request_id": request_id}
        log.error("archive_broken_off", extra=about)
        raise BrokenOff from error


def _free_name(filename: str, taken: dict[str, int]) -> str:
    """Return the first of a.pdf, a (2).pdf, a (3).pdf and so on that is not `taken`, where case makes no difference.

    `taken` tells each name, folded, and the number that was reached for it.
    """
    if _DEVICE.match(safe_name(filename, _MAX_NAME)):
        filename = f"_{safe_name(filename, _MAX_NAME)}"
    first = fold(safe_name(filename, _MAX_NAME))
    for number in count(taken.get(first, 0) + 1):
        mark = "" if number == 1 else f" ({number})"
        plain = PurePath(safe_name(filename, _MAX_NAME - len(mark)))
        name = f"{plain.stem}{mark}{plain.suffix}"
        if fold(name) not in taken:
            taken[fold(name)] = 1
            taken[first] = number
            return name
    raise AssertionError("there is always another number")

"""What one part of a body turns into: a staged file, a text field, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..errors import Malformed, TooLarge


class Stage(Protocol):
    """Where a file's bytes go: what `storage.Staged` offers."""

    size: int

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""

    def close(self) -> None:
        """Hold nothing open: the last byte was written."""

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
    """A file that arrived whole: its form field, its name as the client sent it, its recogniser and staged bytes."""

    fieldname: str
    sent_name: str
    recogniser: R
    staged: S


@dataclass
class Received(Generic[S, R]):
    """What a complete body held. Of two fields with one name the last counts."""

    files: list[ReceivedFile[S, R]]
    fields: dict[str, str]

    @property
    def size(self) -> int:
        """Return how many bytes of content there are."""
        return sum(file.staged.size for file in self.files)

    def discard(self) -> None:
        """Remove what is still staged. Idempotent."""
        for file in self.files:
            file.staged.discard()


class Part:
    """Where the library's bytes for one part go."""

    def write(self, chunk: bytes) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """Judge the part when its last byte has come."""


class FilePart(Part):
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
        self._file.staged.close()
        self._file.recogniser.finish()


class FieldPart(Part):
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


class EmptyInput(Part):
    """A file input that was left empty: browsers send it with an empty name and no bytes."""

    def write(self, chunk: bytes) -> None:
        if chunk:
            raise Malformed("A file in the upload has no name.")

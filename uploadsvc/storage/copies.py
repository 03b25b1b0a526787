"""Bytes that must be the same elsewhere: compared with what was stored, or not taken for it."""

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from .staged import Staged, sync_directory

_CHUNK = 256 * 1024  # bytes read at a time


def check(file: IO[bytes], size: int, sha256: str) -> None:
    """Read `file` to its end; raise OSError unless it holds `size` bytes of that SHA-256 (hex)."""
    found, digest = 0, hashlib.sha256()
    while chunk := file.read(_CHUNK):
        found += len(chunk)
        digest.update(chunk)
    _compare((found, digest.hexdigest()), (size, sha256))


def holds(opened: Callable[[], IO[bytes]], size: int, sha256: str) -> bool:
    """Tell whether the file that `opened` opens is there and holds those bytes, by reading it."""
    try:
        with opened() as file:
            check(file, size, sha256)
    except OSError:
        return False
    return True


def copy(file: IO[bytes], staged: Staged, size: int, sha256: str) -> None:
    """Write what `file` holds into `staged` and close that; raise as `check`, and what refuses the writing."""
    try:
        while chunk := file.read(_CHUNK):
            staged.write(chunk)
    finally:
        staged.close()
    _compare((staged.size, staged.sha256), (size, sha256))


def replace(path: Path, content: bytes) -> None:
    """Let the file `path`, private and durable, hold `content`: its readers see all of it or what was there before."""
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)  # a killed one's
    staged = Staged(draft)
    try:
        staged.write(content)
        staged.sync()
        draft.replace(path)
    finally:
        staged.discard()
    sync_directory(path.parent)


def fault(error: OSError) -> str:
    """Return what is wrong with a stored file, for the line that names it."""
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    return error.strerror or "the file cannot be read"


def check_size(found: int, size: int) -> None:
    """Raise OSError unless a file has as many bytes as were stored."""
    if found != size:
        raise OSError(errno.EIO, f"it has {found} bytes, not {size}")


def _compare(found: tuple[int, str], stored: tuple[int, str]) -> None:
    check_size(found[0], stored[0])
    if found[1] != stored[1]:
        raise OSError(errno.EIO, "the bytes have changed")

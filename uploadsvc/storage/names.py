"""What stored files are called: `<user id>/<unix ms>-<safe name>`, whatever keeps them."""

import errno
import re
import time
from collections.abc import Callable, Iterator

Announce = Callable[[str], None]  # is told a path before a byte lies there

_STORED = re.compile(r"\d{13,}-.+", re.DOTALL)  # what publish() names, and so all that sweep() may remove
_PATH = re.compile(r"([1-9][0-9]*)/([^/]+)")
_MOMENTS = 100  # milliseconds in which a name is sought


def unix_ms() -> int:
    """Return the wall clock in milliseconds, the first half of every stored name."""
    return time.time_ns() // 1_000_000


def stored_names(safe_name: str) -> Iterator[str]:
    """Yield names to be tried in turn: where one is taken, two more digits tell the next from it, in the same order.

    To pass on to the next millisecond at once would let nobody store more than a thousand files of a name a second.
    """
    for ms in range(start := unix_ms(), start + _MOMENTS):
        yield f"{ms}-{safe_name}"
        yield from (f"{ms}{number:02}-{safe_name}" for number in range(1, 100))


def parts(path: str) -> tuple[int, str]:
    """Return the user's id and the file's name; raise OSError for a path that could lead elsewhere."""
    found = _PATH.fullmatch(path)
    if not found:
        raise OSError(errno.EINVAL, "this is no path of a stored file")
    return int(found[1]), found[2]


def is_stored(name: str) -> bool:
    """Tell whether a file's name is one that was given by us."""
    return bool(_STORED.fullmatch(name))

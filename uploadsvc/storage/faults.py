"""What a refusing disk is called on the wire."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InsufficientStorage, StorageFailed

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def disk_is_full() -> InsufficientStorage:
    """Return the error for a disk without room."""
    return InsufficientStorage("The server's disk is full. Nothing was stored; try again later.")


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn an OSError into 507 when the disk is full or the quota reached, else into 500 `storage_error`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_is_full() from error
        raise StorageFailed("The server could not write to its disk. Nothing was stored.") from error

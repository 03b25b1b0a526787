"""What a refusing disk is called on the wire."""

import errno

from ..errors import InsufficientStorage, StorageFailed

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def disk_is_full() -> InsufficientStorage:
    """Return the error for a disk without room."""
    return InsufficientStorage("The server's disk is full. Nothing was stored; try again later.")


class _Translation:
    """The context of `disk_errors`: it keeps nothing, so one serves all, and every chunk written passes through it."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in _FULL:
            raise disk_is_full() from error
        raise StorageFailed("The server could not write to its disk. Nothing was stored.") from error


_TRANSLATION = _Translation()


def disk_errors() -> _Translation:
    """Turn an OSError into 507 when the disk is full or the quota reached, else into 500 `storage_error`."""
    return _TRANSLATION

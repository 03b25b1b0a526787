"""What a refusing store of objects is called on the wire, and in the log."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)

from ..errors import InsufficientStorage, StorageFailed, Unavailable

log = logging.getLogger("uploadsvc.storage")

_MISSING = {"NoSuchKey", "404", "NotFound"}
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412"}  # If-None-Match, or another put at that moment
_NOT_NOW = {"SlowDown", "RequestTimeout", "ThrottlingException", "TooManyRequests", "NoSuchUpload", "429"}
_FULL = {"InsufficientStorage", "InsufficientCapacity", "QuotaExceeded", "XMinioStorageFull", "507"}
_NO_BUCKET = {
    "404": "there is no bucket of this name",
    "403": "the key or its secret is wrong, or may not use the bucket",
}
_AWAY = (ConnectionError, HTTPClientError, IncompleteReadError)
_SERVER_FAULT, _NO_ROOM = 500, 507


class Taken(Exception):
    """A file lies under the key already."""


@contextmanager
def store_errors(missing_is_fine: bool = False) -> Iterator[None]:
    """Turn the store's refusals into ours: 503 where it may do it later, 507 where it is full, else `storage_error`.

    An object that is not there is FileNotFoundError, one whose bytes have changed OSError, as on a disk.
    """
    try:
        yield
    except ClientError as error:
        if not (missing_is_fine and _code(error) in {"NoSuchUpload", *_MISSING}):
            refusal = _refusal(error)
            raise refusal from (refusal.__cause__ or error)
    except FlexibleChecksumError as error:
        raise OSError(errno.EIO, "the bytes have changed") from error
    except _AWAY as error:
        raise _unavailable(type(error).__name__) from error
    except BotoCoreError as error:  # the settings: the library's sentence bears no keys
        failure = _failed(f"{type(error).__name__}: {error}")
        raise failure from failure.__cause__


def _refusal(error: ClientError) -> Exception:
    """Return what a refusal of the store's is called."""
    code, status = _code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _TAKEN:
        return Taken()
    if code in _FULL or status == _NO_ROOM:
        log.error("store_full", extra={"reason": code})
        return InsufficientStorage("The file store is full. Nothing was stored; try again later.")
    if code in _NOT_NOW or status >= _SERVER_FAULT:
        return _unavailable(code)
    if error.operation_name == "HeadBucket":  # whose answer has no body to say it
        return _failed(_NO_BUCKET.get(code, f"the store answers {code}"))
    if code in _MISSING:
        return FileNotFoundError(errno.ENOENT, "the file is missing")
    return _failed(f"the store answers {code} to {error.operation_name}")


def _unavailable(reason: str) -> Unavailable:
    log.warning("store_unavailable", extra={"reason": reason})
    return Unavailable("The file store cannot be reached. Try again in a few seconds.")


def _failed(reason: str) -> StorageFailed:
    """Return the error for what only the operator can mend, with a cause that tells how."""
    failure = StorageFailed("The file store refused. Nothing was stored.")
    failure.__cause__ = OSError(errno.EACCES, reason)
    return failure


def _code(error: ClientError) -> str:
    code: str = error.response.get("Error", {}).get("Code", "")
    return code

"""What the server cannot do, or not now (RFC 9110 §15.6)."""

from .kinds import ApiError


class NotImplementedHere(ApiError):
    """RFC 9110 §15.6.2: a method or a transfer coding that the server does not know."""

    status, code = 501, "not_implemented"


class InternalError(ApiError):
    """A fault of ours; the request id is all that is told."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Something went wrong on the server. If it happens again, report the id {request_id}.")


class StorageFailed(ApiError):
    """The disk refused a write, a sync or a link."""

    status, code = 500, "storage_error"


class Busy(ApiError):
    """RFC 9110 §15.6.4: somebody else holds the database, for longer than a client should wait."""

    status, code = 503, "busy"

    def __init__(self) -> None:
        super().__init__("The server is busy. Nothing was changed; try again in a few seconds.", {"Retry-After": "5"})


class Unavailable(ApiError):
    """RFC 9110 §15.6.4: the database or the store cannot be reached, and perhaps can in a few seconds."""

    status, code = 503, "unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, {"Retry-After": "5"})


class OutcomeUnknown(Unavailable):
    """The connection to the database broke while it committed: it may have, and may not."""

    def __init__(self) -> None:
        super().__init__("The database was lost while it stored the upload. Repeat it, or look whether it is listed.")


class ScanFailed(ApiError):
    """RFC 9110 §15.6.4: the scanner for malware gave no verdict, and nothing passes without one."""

    status, code = 503, "scan_failed"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "The upload could not be checked for malware. Nothing was stored; try again in a while.",
            {"Retry-After": str(retry_after)},
        )


class BrokenOff(Exception):
    """An answer that cannot be finished, for its beginning has left: the server ends it so that it does not look whole.

    RFC 9112 §8: a chunked body without its last chunk is incomplete.
    """


class InsufficientStorage(ApiError):
    """RFC 4918 §11.5: no room for the upload."""

    status, code = 507, "insufficient_storage"


class QuotaExceeded(InsufficientStorage):
    """The account keeps as much as it may, or the upload is larger than what is left; all sizes in bytes."""

    code = "quota_exceeded"

    def __init__(self, size: int, quota: int, used: int) -> None:
        left = max(0, quota - used)
        super().__init__(f"Of your {quota} bytes {left} are left, and this upload has {size}. Nothing was stored.")


class NoRoomForVisitors(QuotaExceeded):
    """The same, told to somebody whom the account's figures do not concern."""

    def __init__(self) -> None:
        message = "There is no room left for this upload. Nothing was stored; tell whoever sent you the link."
        InsufficientStorage.__init__(self, message)

"""Every refusal the service can give, and the only place that turns one into JSON.

An error carries its HTTP status (RFC 9110 §15) and a stable `code` on its class; its message is one plain
sentence for a person. Raise where you know; nothing else needs to know about HTTP.
"""

from .answers import (
    Refusal,
    answer,
    answer_http,
    code_of,
    document,
    init_app,
)
from .faults import (
    Busy,
    InsufficientStorage,
    InternalError,
    NotImplementedHere,
    OutcomeUnknown,
    QuotaExceeded,
    ScanFailed,
    StorageFailed,
    Unavailable,
)
from .kinds import ApiError
from .refusals import (
    BadRequest,
    ClientClosedRequest,
    CrossSite,
    CsrfFailed,
    HeadersTooLong,
    IdempotencyMismatch,
    InsufficientScope,
    InvalidCredentials,
    Malformed,
    NotFound,
    SessionEnded,
    TokenExpired,
    TokenRevoked,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedType,
)

__all__ = [
    "ApiError",
    "BadRequest",
    "Busy",
    "ClientClosedRequest",
    "CrossSite",
    "CsrfFailed",
    "HeadersTooLong",
    "IdempotencyMismatch",
    "InsufficientScope",
    "InsufficientStorage",
    "InternalError",
    "InvalidCredentials",
    "Malformed",
    "NotFound",
    "NotImplementedHere",
    "OutcomeUnknown",
    "QuotaExceeded",
    "Refusal",
    "ScanFailed",
    "SessionEnded",
    "StorageFailed",
    "TokenExpired",
    "TokenRevoked",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnsupportedType",
    "answer",
    "answer_http",
    "code_of",
    "document",
    "init_app",
]

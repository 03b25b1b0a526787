"""What the client could have done otherwise (RFC 9110 §15.5)."""

from .kinds import ApiError


class BadRequest(ApiError):
    """The request lacks something or holds an impossible value."""

    status, code = 400, "bad_request"


class Malformed(BadRequest):
    """The body is not what its Content-Type says: cut off, garbled or over a syntax limit."""

    code = "malformed"


class Unauthorized(ApiError):
    """No valid session: RFC 9110 §15.5.2 wants the challenge named."""

    status, code = 401, "unauthorized"

    default = "Sign in first."

    def __init__(self, message: str = "", reason: str = "") -> None:
        super().__init__(message or self.default, {"WWW-Authenticate": "Bearer"}, reason)


class InvalidCredentials(Unauthorized):
    """E-mail or password is wrong; which of the two is not told."""

    code, default = "invalid_credentials", "E-mail or password is wrong."


class TokenExpired(Unauthorized):
    """The token was good once: refresh it, or sign in again."""

    code, default = "token_expired", "The token has expired. Refresh it, or sign in again."
    reason = "expired"


class SessionEnded(Unauthorized):
    """The token's session was ended by logout, by a password change or by its own age."""

    code, default = "session_ended", "The session has ended. Sign in again."
    reason = "revoked"


class TokenRevoked(Unauthorized):
    """An API token that was taken back, or whose account is disabled."""

    code, default = "token_revoked", "The API token has been revoked."
    reason = "revoked"


class RequestOver(Unauthorized):
    """A file request whose time is over, whose files have all come, or that was ended; read by a visitor."""

    code = "request_over"
    default = "This request is over, and no more files are taken. What had arrived before was kept."
    reason = "over"


class SecretRefused(Unauthorized):
    """A file request's secret that is none, or that stands where proxies and logs read it.

    `fault` is `wrong`, `cookie` or `query`.
    """

    default = "This link is not valid. Copy the whole of it into the address bar, or ask for it again."
    reason = "invalid"

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault


class CsrfFailed(Unauthorized):
    """A cookie-authenticated unsafe request without its session's X-CSRF-Token."""

    code, default = "csrf_failed", "The X-CSRF-Token header is missing or not this session's."
    reason = "csrf"


class InsufficientScope(ApiError):
    """RFC 6750 §3.1: the credential is good, but not for this; `scope` is what it would take."""

    status, code = 403, "insufficient_scope"

    def __init__(self, scope: str) -> None:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        super().__init__("This credential may not do that.", {"WWW-Authenticate": challenge})


class Forbidden(ApiError):
    """RFC 9110 §15.5.4: what this account may not do, whoever asks in its name."""

    status, code = 403, "forbidden"


class CrossSite(ApiError):
    """A browser says that another site's page made this request."""

    status, code = 403, "cross_site"


class NotFound(ApiError):
    """There is no such thing, or it belongs to somebody else."""

    status, code = 404, "not_found"


class TooLarge(ApiError):
    """RFC 9110 §15.5.14: over a size limit; the message names it."""

    status, code = 413, "too_large"


class UnsupportedType(ApiError):
    """RFC 9110 §15.5.16: a type outside the list, or content that is not what the name says."""

    status, code = 415, "unsupported_type"


class HeadersTooLong(ApiError):
    """RFC 6585 §5: the request line and the headers are over a limit."""

    status, code = 431, "request_header_fields_too_large"


class IdempotencyMismatch(ApiError):
    """RFC 9110 §15.5.21: an Idempotency-Key that another upload has had."""

    status, code = 422, "idempotency_mismatch"


class TooManyRequests(ApiError):
    """RFC 6585 §4: throttled; `retry_after` is in whole seconds, `reason` names the limit."""

    status, code = 429, "too_many_requests"

    def __init__(self, message: str, retry_after: int, reason: str = "") -> None:
        super().__init__(message, {"Retry-After": str(retry_after)}, reason)


class ClientClosedRequest(ApiError):
    """nginx's 499: the client went away before the answer. Only the log sees it."""

    status, code = 499, "client_closed_request"

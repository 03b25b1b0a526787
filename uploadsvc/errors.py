"""Every refusal the service can give, and the only place that turns one into JSON.

An error carries its HTTP status (RFC 9110 §15) and a stable `code` on its class; its message is one plain
sentence for a person. Raise where you know; nothing else needs to know about HTTP.
"""

import json
from collections.abc import Mapping

from flask import Flask, Response
from werkzeug.exceptions import HTTPException


class ApiError(Exception):
    """A refusal with a status, a stable code and a sentence that tells what to do.

    Its `reason`, one of a few words, is for whoever counts refusals: what lies behind the code.
    """

    status = 500
    code = "internal_error"
    reason = ""

    def __init__(self, message: str, headers: Mapping[str, str] | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})
        self.reason = reason or self.reason


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


class CsrfFailed(Unauthorized):
    """A cookie-authenticated unsafe request without its session's X-CSRF-Token."""

    code, default = "csrf_failed", "The X-CSRF-Token header is missing or not this session's."
    reason = "csrf"


class InsufficientScope(ApiError):
    """RFC 6750 §3.1: the token is good, but not for this; `scope` is what it would take."""

    status, code = 403, "insufficient_scope"

    def __init__(self, scope: str) -> None:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        super().__init__("This API token may not do that.", {"WWW-Authenticate": challenge})


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


class NotImplementedHere(ApiError):
    """RFC 9110 §15.6.2: a method or a transfer coding that the server does not know."""

    status, code = 501, "not_implemented"


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


class ScanFailed(ApiError):
    """RFC 9110 §15.6.4: the scanner for malware gave no verdict, and nothing passes without one."""

    status, code = 503, "scan_failed"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "The upload could not be checked for malware. Nothing was stored; try again in a while.",
            {"Retry-After": str(retry_after)},
        )


class InsufficientStorage(ApiError):
    """RFC 4918 §11.5: no room for the upload."""

    status, code = 507, "insufficient_storage"


class QuotaExceeded(InsufficientStorage):
    """The account keeps as much as it may, or the upload is larger than what is left; all sizes in bytes."""

    code = "quota_exceeded"

    def __init__(self, size: int, quota: int, used: int) -> None:
        left = max(0, quota - used)
        super().__init__(f"Of your {quota} bytes {left} are left, and this upload has {size}. Nothing was stored.")


_SENTENCES = {404: "There is nothing at this address.", 405: "This address does not take that method."}
_CODES = {error.status: error.code for error in (BadRequest, Unauthorized, NotFound, TooLarge, UnsupportedType)}


def code_of(status: int, name: str) -> str:
    """Return the stable code of an HTTP error that is none of ours, by its status, else from its name."""
    return _CODES.get(status) or name.lower().replace(" ", "_")


def document(code: str, message: str) -> str:
    """Return the JSON text of every error answer: `{"ok": false, "error": code, "message": message}`."""
    return json.dumps({"ok": False, "error": code, "message": message}, ensure_ascii=False) + "\n"


class Refusal(Response):
    """The answer to an error, which it remembers for whoever counts what was refused."""

    error: ApiError


def answer(error: ApiError) -> Refusal:
    """Return `error` as a JSON response."""
    text = document(error.code, error.message)
    response = Refusal(text, error.status, error.headers, mimetype="application/json")
    response.error = error
    return response


def answer_http(error: HTTPException, sentence: str = "") -> Response:
    """Return an HTTP error of Flask's own as JSON, its headers kept; `sentence` tells more than its status does."""
    response = error.get_response()
    status = error.code or 500
    if status >= 400:  # noqa: PLR2004 - redirects are answers, not errors
        sentence = sentence or _SENTENCES.get(status) or error.description or error.name
        response.data = document(code_of(status, error.name), sentence)
        response.mimetype = "application/json"
    return response  # type: ignore[return-value]


def init_app(app: Flask) -> None:
    """Answer every known error with JSON; unforeseen ones are `telemetry`'s, which logs them."""
    app.register_error_handler(ApiError, answer)
    app.register_error_handler(HTTPException, answer_http)

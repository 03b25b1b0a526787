"""What is answered: the good answers, and every refusal with its stable codes."""

from collections.abc import Iterable, Mapping
from typing import Any

from werkzeug.exceptions import PreconditionFailed, RequestedRangeNotSatisfiable

from ..errors import ApiError, ClientClosedRequest, code_of
from .schemas import NOT_OK, OK, TEXT, Schema, record

Answers = dict[str, Schema]  # by status

ALWAYS = (400, 401, 413, 429, 431, 500, 501, 503)  # what any request may get, before anybody knows what it is
_REFUSALS = {
    400: "Something is missing, impossible or malformed.",
    401: "No good credentials.",
    403: "No scope for it, a file request's visitor, an account that is no collector's, or another site's page.",
    404: "There is no such thing, or it is somebody else's.",
    412: "If-Match names other bytes.",
    413: "Over a size limit.",
    415: "A type that is not accepted, or content that is not what its name says.",
    416: "The range begins behind the end.",
    422: "The Idempotency-Key belongs to an upload of other files.",
    429: "Too often, or too many at once.",
    431: "The headers are too long.",
    500: "A fault of the server's.",
    501: "A method or a transfer coding that the server does not know.",
    503: "Not now; try again. Nothing was changed, unless the sentence leaves it open.",
    507: "No room, on the disk or in the account.",
}
_MORE_HEADERS = {
    401: ["WWW-Authenticate"],
    416: ["Content-Range"],
    429: ["Retry-After"],
    503: ["Retry-After"],
}


def _header(description: str, schema: Schema) -> Schema:
    return {"required": True, "description": description, "schema": schema}


HEADERS = {
    "X-Request-ID": _header("Names the request in the server's log.", {"pattern": "^[A-Za-z0-9._-]{8,64}$"}),
    "Retry-After": _header("Seconds to wait.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": _header("Bearer, whatever else is taken too.", {"pattern": "^Bearer"}),
    "Content-Disposition": _header("An attachment, and the file's name.", {"pattern": "^attachment; filename="}),
    "Location": _header("Where the bytes are.", {"pattern": "^https?://"}),
    "ETag": _header("The file's SHA-256, quoted.", {"pattern": '^"[0-9a-f]{64}"$'}),
    "Content-Range": _header("Which bytes of how many.", {"pattern": "^bytes "}),
    "Accept-Ranges": _header("A Range is honoured.", {"const": "bytes"}),
}


def answer(description: str, content: Mapping[str, Schema], *headers: str) -> Schema:
    """Return one answer, given the schema of each media type and the names of its headers."""
    bodies = {media_type: {"schema": schema} for media_type, schema in content.items()}
    told = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *headers)}
    return {"description": description, "headers": told} | ({"content": bodies} if bodies else {})


def ok(description: str, members: Mapping[str, Schema] | None = None, optional: tuple[str, ...] = ()) -> Answers:
    """Return the good answer of most operations, a JSON object with `ok` and `members`."""
    return {"200": answer(description, {"application/json": record({"ok": OK} | dict(members or {}), optional)})}


def refused(*statuses: int, kind: str = "Error") -> Answers:
    """Return the refusals with these statuses; ALWAYS stand with every operation anyway."""
    return {str(status): {"$ref": f"#/components/responses/{kind}{status}"} for status in statuses}


def _family(kind: type[ApiError]) -> Iterable[type[ApiError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


def _codes() -> dict[int, list[str]]:
    """Return the stable codes of every status that a client can meet."""
    codes = {
        error.code: {code_of(error.code, error().name)} for error in (PreconditionFailed, RequestedRangeNotSatisfiable)
    }
    for error in set(_family(ApiError)) - {ClientClosedRequest}:
        codes.setdefault(error.status, set()).add(error.code)
    return {status: sorted(found) for status, found in codes.items()}


_CODES = _codes()


def _refusal(status: int, as_text: bool) -> Schema:
    body = record({"ok": NOT_OK, "error": {"enum": _CODES[status]}, "message": TEXT})
    text = {"text/plain": {"type": "string", "pattern": "^error: "}} if as_text else {}
    return answer(_REFUSALS[status], {"application/json": body} | text, *_MORE_HEADERS.get(status, ()))


RESPONSES: dict[str, Any] = {
    f"{kind}{status}": _refusal(status, as_text)
    for kind, as_text in (("Error", False), ("UploadError", True))
    for status in _REFUSALS
}

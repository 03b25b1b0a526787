"""The answer for scripts: with `Accept: text/plain` one line a file, as sha256sum writes and reads it (coreutils)."""

from collections.abc import Iterable

from flask import Request, Response

_TEXT = ("text/plain", "text/plain; charset=utf-8")  # some clients name the charset
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


def are_wanted(request: Request) -> bool:
    """Tell whether the client would rather have text than JSON (RFC 9110 §12.5.1)."""
    if "text/plain" not in request.headers.get("Accept", "").lower():
        return False
    return request.accept_mimetypes.best_match(["application/json", *_TEXT]) in _TEXT


def answer(files: Iterable[tuple[str, str]]) -> Response:
    """Return a line for each file, given its SHA-256 in hex and the name that the client sent."""
    return Response("".join(_line(sha256, name) for sha256, name in files), mimetype="text/plain")


def refusal(response: Response) -> Response:
    """Return error JSON as the one line `error: <sentence>`, with status and headers kept."""
    document = response.get_json(silent=True)
    if isinstance(document, dict) and "message" in document:
        response.data = f"error: {document['message']}\n"
        response.mimetype = "text/plain"
    return response


def _line(sha256: str, name: str) -> str:
    """Return one line; a name with a line end or a backslash is escaped, and a backslash in front says so."""
    escaped = "".join(_ESCAPES.get(character, character) for character in name)
    mark = "\\" if escaped != name else ""
    return f"{mark}{sha256}  {escaped}\n"

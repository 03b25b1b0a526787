"""Errors as JSON, in the one place that makes it."""

import json

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from .kinds import ApiError
from .refusals import BadRequest, NotFound, TooLarge, Unauthorized, UnsupportedType

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

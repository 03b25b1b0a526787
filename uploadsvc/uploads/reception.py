"""What becomes of an upload before it is stored: judged by its headers, then read, by either of two feeders."""

import re
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

from flask import Config, Flask, Request, has_request_context
from flask_jwt_extended import get_jwt, verify_jwt_in_request

from ..errors import BadRequest, TooLarge, UnsupportedType
from ..filetypes import Candidate, accept
from ..intake import Intake, Limits, Received
from ..storage import Staged

_PROVEN = 1000  # tokens remembered at a time
_CHUNK = 64 * 1024  # bytes read at a time
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Reception:
    """An upload whose headers have been judged: the token's claims and an intake for the body, or an error.

    This is feeder 1, which reads the body in the view, behind any WSGI server. A server that streams makes its own
    kind at the end of the headers, feeds the intake as bytes arrive, and hands it to the view in the WSGI environment
    (feeder 2). Judging takes no SQL, and no context of Flask's for a token that was proven before, so it may happen in
    an I/O loop.
    """

    def __init__(self, app: Flask, request: Request) -> None:
        self.claims: dict[str, Any] = {}
        self.error: Exception | None = None
        self._request = request
        self._limits = upload_limits(app.config)
        self._held = ExitStack()  # what is given back at the end: a place, room on the disk, staged files
        self._intake: Intake[Staged, Candidate] | None = None
        try:
            self.claims = _claims(app, request)
            _judge(request, self._limits)
            self._held.enter_context(app.extensions["open_uploads"].place(self.claims["sub"]))
            self._intake = self._open_intake(app)
        except Exception as error:  # whatever it is, check() raises it where it can be answered
            self.error = error
            self.close()

    def check(self) -> Intake[Staged, Candidate]:
        """Return the intake; raise the error there is instead."""
        if self.error or self._intake is None:
            raise self.error or RuntimeError("an upload has an intake or an error")
        return self._intake

    def finish(self) -> Received[Staged, Candidate]:
        """Feed the rest of the body and return what it held; raise the intake's refusal."""
        intake = self.check()
        self._request.max_content_length = self._limits.request_bytes
        while chunk := self._request.stream.read(_CHUNK):
            intake.feed(chunk)
        return intake.finish()

    def close(self) -> None:
        """Leave nothing behind but what was published. Idempotent."""
        self._held.close()

    def _open_intake(self, app: Flask) -> Intake[Staged, Candidate]:
        storage = app.extensions["storage"]
        room = storage.reserve(self._request.content_length or 0)
        self._held.callback(room.release)
        content_type = self._request.headers.get("Content-Type", "")
        intake = Intake(content_type, partial(storage.stage, room), accept, self._limits)
        self._held.callback(intake.abort)
        return intake


class StreamedReception(Reception):
    """Feeder 2: an upload that a streaming server has judged at its headers, and feeds as its bytes arrive."""

    _size = 0

    def feed(self, data: bytes) -> None:
        """Feed the next bytes; raise their refusal, or TooLarge when a chunked body outgrows every upload."""
        self._size += len(data)
        if self._size > self._limits.request_bytes:
            raise TooLarge(f"The upload is larger than {self._limits.request_bytes} bytes.")
        self.check().feed(data)

    def finish(self) -> Received[Staged, Candidate]:
        """Return what the body held; all of it has been fed."""
        return self.check().finish()


def upload_limits(config: Config) -> Limits:
    """Return the intake's limits as configured."""
    return Limits(file_bytes=config["MAX_FILE_BYTES"], files=config["MAX_FILES"])


def _claims(app: Flask, request: Request) -> dict[str, Any]:
    """Return the claims of the request's token, with signature, type, expiry and CSRF checked, but not the session.

    A script sends hundreds of files with one token, and checking it is a fifth of the cost of a small upload, so
    what the very same headers proved before is remembered until the token expires.
    """
    headers = tuple(request.headers.get(name) for name in ("Authorization", "Cookie", "X-CSRF-Token"))
    proven: dict[Any, dict[str, Any]] = app.extensions["proven_tokens"]
    claims = proven.get(headers)
    if claims is None or claims.get("exp", 0) <= time.time():
        claims = _proof(app, request)
        if len(proven) >= _PROVEN:
            proven.clear()
        proven[headers] = claims
    return claims


def _proof(app: Flask, request: Request) -> dict[str, Any]:
    with ExitStack() as stack:
        if not has_request_context():
            stack.enter_context(app.request_context(request.environ))
        verify_jwt_in_request(skip_revocation_check=True)
        claims: dict[str, Any] = get_jwt()
        return claims


def _judge(request: Request, limits: Limits) -> None:
    """Refuse what the headers alone make hopeless."""
    if not _KEY.fullmatch(request.headers.get("Idempotency-Key", "none")):
        raise BadRequest("An Idempotency-Key is 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedType("Send the upload without a Content-Encoding.")
    if (request.content_length or 0) > limits.request_bytes:
        raise TooLarge(f"One upload holds at most {limits.files} files of {limits.file_bytes} bytes.")

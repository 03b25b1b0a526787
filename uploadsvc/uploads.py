"""Uploads: what the intake received becomes files and rows, all of them or none."""

import logging
import re
import time
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from flask_jwt_extended import get_jwt, verify_jwt_in_request
from flask_jwt_extended.internal_utils import verify_token_not_blocklisted
from sqlalchemy.exc import IntegrityError

from .credentials import new_id
from .errors import BadRequest, ClientClosedRequest, IdempotencyMismatch, TooLarge, UnsupportedType
from .extensions import db
from .filetypes import TYPES, Candidate, accept, safe_name
from .intake import Intake, Limits, Received
from .models import Document, Row, now
from .storage import LocalStorage, Reservation, Staged

bp = Blueprint("uploads", __name__, url_prefix="/api")
security = logging.getLogger("uploadsvc.security")

UPLOAD_PATH = "/api/upload"
RECEPTION = "uploadsvc.reception"  # in the WSGI environment
UploadIntake = Intake[Staged, Candidate]

_PROVEN = 1000  # tokens remembered at a time
_CHUNK = 64 * 1024
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


def init_app(app: Flask) -> None:
    """Register the routes."""
    app.extensions["proven_tokens"] = {}
    app.register_blueprint(bp)


@bp.get("/limits")
def limits() -> Response:
    """Tell what may be uploaded."""
    types = [{"extension": kind.extension, "mimetype": kind.mimetype} for kind in TYPES]
    config = current_app.config
    return jsonify(ok=True, maxFileBytes=config["MAX_FILE_BYTES"], maxFiles=config["MAX_FILES"], types=types)


@bp.post("/upload")
def upload() -> Response:
    """Store the files of a multipart/form-data body; a repeat of an Idempotency-Key gets the first answer."""
    reception: Reception = request.environ.get(RECEPTION) or Reception()
    try:
        reception.check()
        verify_token_not_blocklisted({}, reception.claims)
        received, key = reception.finish(), request.headers.get("Idempotency-Key")
        return _answer(_first_result(received, key) or _store(received, key))
    except UnsupportedType:
        security.warning("file_refused", extra={"user_id": g.get("user_id")})
        raise
    finally:
        reception.close()


class Reception:
    """An upload whose headers have been judged: the token's claims and an intake for the body, or an error.

    This is feeder 1, which reads the body in the view, behind any WSGI server. A server that streams makes its
    own kind at the end of the headers, feeds the intake as bytes arrive, and hands it to the view in the WSGI
    environment under RECEPTION (feeder 2). Judging takes no SQL, so it may happen in an I/O loop.
    """

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.room: Reservation | None = None
        self.intake: UploadIntake | None = None
        self.error: Exception | None = None
        try:
            self.claims = _claims()
            self.room = _reserve()
            self.intake = _open_intake(self.room)
        except Exception as error:  # whatever it is, check() raises it where it can be answered
            self.error = error
            self.close()

    def check(self) -> UploadIntake:
        """Return the intake; raise the error there is instead."""
        if self.error or self.intake is None:
            raise self.error or RuntimeError("an upload has an intake or an error")
        return self.intake

    def finish(self) -> Received[Staged, Candidate]:
        """Feed the rest of the body and return what it held; raise the intake's refusal."""
        intake = self.check()
        request.max_content_length = upload_limits().request_bytes
        while chunk := request.stream.read(_CHUNK):
            intake.feed(chunk)
        return intake.finish()

    def close(self) -> None:
        """Leave nothing behind but what was published. Idempotent."""
        if self.intake:
            self.intake.abort()
        if self.room:
            self.room.release()


class StreamedReception(Reception):
    """Feeder 2: an upload that a streaming server has judged at its headers, and feeds as its bytes arrive."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Feed the next bytes; raise their refusal, or TooLarge when a chunked body outgrows every upload."""
        self._size += len(data)
        if self._size > self._limit:
            raise TooLarge(f"The upload is larger than {self._limit} bytes.")
        self.check().feed(data)

    def finish(self) -> Received[Staged, Candidate]:
        """Return what the body held; all of it has been fed."""
        return self.check().finish()


def upload_limits() -> Limits:
    """Return the intake's limits as configured."""
    return Limits(file_bytes=current_app.config["MAX_FILE_BYTES"], files=current_app.config["MAX_FILES"])


def _claims() -> dict[str, Any]:
    """Return the claims of the request's token, with signature, type, expiry and CSRF checked, but not the session.

    A script sends hundreds of files with one token, and checking it is a fifth of the cost of a small upload, so
    what the very same headers proved before is remembered until the token expires.
    """
    headers = tuple(request.headers.get(name) for name in ("Authorization", "Cookie", "X-CSRF-Token"))
    proven: dict[Any, dict[str, Any]] = current_app.extensions["proven_tokens"]
    claims = proven.get(headers)
    if claims is None or claims.get("exp", 0) <= time.time():
        verify_jwt_in_request(skip_revocation_check=True)
        claims = get_jwt()
        if len(proven) >= _PROVEN:
            proven.clear()
        proven[headers] = claims
    return claims


def _reserve() -> Reservation:
    """Keep the room that the headers declare, or refuse what they say."""
    if not _KEY.fullmatch(request.headers.get("Idempotency-Key", "none")):
        raise BadRequest("An Idempotency-Key is 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedType("Send the upload without a Content-Encoding.")
    bounds, declared = upload_limits(), request.content_length or 0
    if declared > bounds.request_bytes:
        raise TooLarge(f"One upload holds at most {bounds.files} files of {bounds.file_bytes} bytes.")
    return _storage().reserve(declared)


def _open_intake(room: Reservation) -> UploadIntake:
    stage = partial(_storage().stage, room)
    return Intake(request.headers.get("Content-Type", ""), stage, accept, upload_limits())


def _first_result(received: Received[Staged, Candidate], key: str | None) -> list[Row]:
    """Return what an earlier upload with the same key and files stored; raise IdempotencyMismatch for other files.

    Text fields are not compared: a script's clock may stand in them.
    """
    first = Document.of_upload(g.user_id, key) if key else []
    if first and first[0]["upload_digest"] != _digest(received):
        raise IdempotencyMismatch(
            "This Idempotency-Key belongs to an upload of other files. Send these with a new one."
        )
    return first


def _digest(received: Received[Staged, Candidate]) -> str:
    files = received.files
    return Document.digest_of((file.recogniser.filename, file.staged.size, file.staged.sha256) for file in files)


def _store(received: Received[Staged, Candidate], key: str | None) -> list[Row]:
    """Publish the files and commit their rows; after any failure neither is left."""
    storage, published = _storage(), []
    try:
        for file in received.files:
            _still_wanted()
            file.recogniser.inspect(file.staged.open, file.staged.size)
        for file in received.files:
            _still_wanted()
            published.append(storage.publish(file.staged, g.user_id, safe_name(file.recogniser.filename)))
        _still_wanted()
        rows = _rows(received, published, key)
        Document.store(rows)
    except BaseException as error:
        db.session.rollback()
        for path in published:
            storage.delete(path)
        if isinstance(error, IntegrityError) and (first := _first_result(received, key)):  # the other was faster
            return first
        raise
    return rows


def _still_wanted() -> None:
    """Raise when the server knows that the client has gone: what nobody was told is not kept."""
    if request.environ.get("waitress.client_disconnected", bool)():
        raise ClientClosedRequest("The client has gone.")


def _rows(received: Received[Staged, Candidate], published: list[str], key: str | None) -> list[Row]:
    moment, digest = now(), _digest(received) if key else None
    return [
        {
            "public_id": new_id(),
            "user_id": g.user_id,
            "filename": file.recogniser.filename,
            "path": path,
            "content_type": file.recogniser.mimetype,
            "size": file.staged.size,
            "sha256": file.staged.sha256,
            "status": "success",
            "created_at": moment,
            "uploaded_at": moment,
            "idempotency_key": key,
            "upload_digest": digest,
            "part": part,
            "fieldname": file.fieldname,
            "fields": (received.fields or None) if part == 0 else None,
        }
        for part, (file, path) in enumerate(zip(received.files, published, strict=True))
    ]


def _answer(rows: list[Row]) -> Response:
    return jsonify(ok=True, files=[Document.as_file(row) for row in rows], fields=rows[0]["fields"] or {})


def _storage() -> LocalStorage:
    storage: LocalStorage = current_app.extensions["storage"]
    return storage

"""Uploads: what the intake received becomes files and rows, all of them or none."""

import logging

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from flask_jwt_extended.internal_utils import verify_token_not_blocklisted
from sqlalchemy.exc import IntegrityError

from ..credentials import new_id
from ..errors import ClientClosedRequest, IdempotencyMismatch, UnsupportedType
from ..extensions import db
from ..filetypes import TYPES, Candidate, safe_name
from ..intake import Received
from ..models import Document, Row, now
from ..scanner import Scanner
from ..storage import LocalStorage, Staged
from ..throttle import OpenUploads
from .reception import Reception, StreamedReception, upload_limits

__all__ = ["RECEPTION", "UPLOAD_PATH", "StreamedReception", "upload_limits"]

bp = Blueprint("uploads", __name__, url_prefix="/api")
security = logging.getLogger("uploadsvc.security")

UPLOAD_PATH = "/api/upload"
RECEPTION = "uploadsvc.reception"  # in the WSGI environment


def init_app(app: Flask) -> None:
    """Register the routes."""
    app.extensions["proven_tokens"] = {}
    app.extensions["open_uploads"] = OpenUploads(app.config["USER_UPLOADS"])
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
    reception: Reception = request.environ.get(RECEPTION) or Reception(current_app, request)
    try:
        reception.check()
        verify_token_not_blocklisted({}, reception.claims)
        received, key = reception.finish(), request.headers.get("Idempotency-Key")
        return _answer(_first_result(received, key) or _store(received, key))
    except UnsupportedType as error:
        security.warning("file_refused", extra={"user_id": g.get("user_id"), "reason": error.reason})
        raise
    finally:
        reception.close()


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
            file.recogniser.inspect(file.staged.open, file.staged.size)
        if scanner := current_app.extensions["scanner"]:
            _scan(scanner, received)
        for file in received.files:
            _still_wanted()
            published.append(storage.publish(file.staged, g.user_id, safe_name(file.recogniser.filename)))
        _still_wanted()
        rows = _rows(received, published, key)
        Document.store(rows, current_app.config["USER_QUOTA_BYTES"])
    except BaseException as error:
        db.session.rollback()
        for path in published:
            storage.delete(path)
        if isinstance(error, IntegrityError) and (first := _first_result(received, key)):  # the other was faster
            return first
        raise
    return rows


def _scan(scanner: Scanner, received: Received[Staged, Candidate]) -> None:
    """Have every file looked at; raise MalwareFound or ScanFailed."""
    with scanner.place():
        for file in received.files:
            _still_wanted()
            scanner.inspect(file.recogniser.filename, file.staged)


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

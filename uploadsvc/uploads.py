"""Uploads: what the intake received becomes files and rows, all of them or none."""

import logging
import re
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, request
from flask_jwt_extended import get_jwt, verify_jwt_in_request
from flask_jwt_extended.internal_utils import verify_token_not_blocklisted
from sqlalchemy.exc import IntegrityError

from .errors import BadRequest, ClientClosedRequest, TooLarge, UnsupportedType
from .extensions import db
from .filetypes import TYPES, Candidate, accept, safe_name
from .intake import Intake, Limits, Received
from .models import Document, new_id, now
from .storage import LocalStorage, Staged

bp = Blueprint("uploads", __name__, url_prefix="/api")
security = logging.getLogger("uploadsvc.security")

UPLOAD_PATH = "/api/upload"
RECEPTION = "uploadsvc.reception"  # in the WSGI environment
UploadIntake = Intake[Staged, Candidate]

_CHUNK = 64 * 1024
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


@bp.get("/limits")
def limits() -> Response:
    """Tell what may be uploaded."""
    types = [{"extension": kind.extension, "mimetype": kind.mimetype} for kind in TYPES]
    config = current_app.config
    return jsonify(ok=True, maxFileBytes=config["MAX_FILE_BYTES"], maxFiles=config["MAX_FILES"], types=types)


@bp.post("/upload")
def upload() -> Response:
    """Store the files of a multipart/form-data body; a repeat of an Idempotency-Key gets the first answer."""
    reception: Reception = request.environ.get(RECEPTION) or admit()
    try:
        intake = reception.good_intake()
        verify_token_not_blocklisted({}, reception.claims)
        key = request.headers.get("Idempotency-Key")
        if key and (first := Document.of_upload(g.user_id, key)):
            return _answer(first)
        if RECEPTION not in request.environ:
            _feed(intake)
        return _answer(_store(intake.finish(), key))
    except UnsupportedType:
        security.warning("file_refused", extra={"user_id": g.get("user_id")})
        raise
    finally:
        reception.close()


@dataclass
class Reception:
    """What is known of an upload once its headers were judged: the token's claims and an intake, or an error.

    A server that streams makes it before the body arrives, feeds the intake, and passes both to the view in the
    WSGI environment under RECEPTION (feeder 2); behind any other server the view does it (feeder 1).
    """

    claims: dict[str, Any] = field(default_factory=dict)
    intake: UploadIntake | None = None
    error: Exception | None = None

    def good_intake(self) -> UploadIntake:
        """Return the intake; raise the error there is instead."""
        if self.error or self.intake is None:
            raise self.error or RuntimeError("neither intake nor error")
        return self.intake

    def close(self) -> None:
        """Leave nothing behind but what was published. Idempotent."""
        if self.intake:
            self.intake.abort()


def admit() -> Reception:
    """Judge the current request's headers: token and CSRF, key, encoding, size, room, boundary. No SQL."""
    reception = Reception()
    try:
        verify_jwt_in_request(skip_revocation_check=True)
        reception.claims = get_jwt()
        reception.intake = _open_intake()
    except Exception as error:  # whatever it is, the view raises it again
        reception.error = error
    return reception


def upload_limits() -> Limits:
    """Return the intake's limits as configured."""
    return Limits(file_bytes=current_app.config["MAX_FILE_BYTES"], files=current_app.config["MAX_FILES"])


def _open_intake() -> UploadIntake:
    if not _KEY.fullmatch(request.headers.get("Idempotency-Key", "none")):
        raise BadRequest("An Idempotency-Key is 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedType("Send the upload without a Content-Encoding.")
    storage, bounds, declared = _storage(), upload_limits(), request.content_length or 0
    if declared > bounds.request_bytes:
        raise TooLarge(f"One upload holds at most {bounds.files} files of {bounds.file_bytes} bytes.")
    storage.ensure_room(declared)
    return Intake(request.headers.get("Content-Type", ""), storage.stage, accept, bounds)


def _feed(intake: UploadIntake) -> None:
    """Feed the request's body piece by piece as the server hands it on."""
    request.max_content_length = upload_limits().request_bytes
    while chunk := request.stream.read(_CHUNK):
        intake.feed(chunk)


def _store(received: Received[Staged, Candidate], key: str | None) -> list[Document]:
    """Publish the files and commit their rows; after any failure neither is left."""
    storage, published = _storage(), []
    try:
        for file in received.files:
            _still_wanted()
            file.recogniser.inspect(file.staged.file, file.staged.size)
        for file in received.files:
            _still_wanted()
            published.append(storage.publish(file.staged, g.user_id, safe_name(file.recogniser.filename)))
        documents = _rows(received, published, key)
        db.session.add_all(documents)
        db.session.commit()
    except BaseException as error:
        db.session.rollback()
        received.discard()
        for path in published:
            storage.delete(path)
        if key and isinstance(error, IntegrityError) and (first := Document.of_upload(g.user_id, key)):
            return first
        raise
    return documents


def _still_wanted() -> None:
    """Raise when the server knows that the client has gone: what nobody was told is not kept."""
    if request.environ.get("waitress.client_disconnected", bool)():
        raise ClientClosedRequest("The client has gone.")


def _rows(received: Received[Staged, Candidate], published: list[str], key: str | None) -> list[Document]:
    moment = now()
    documents = [
        Document(
            public_id=new_id(),
            user_id=g.user_id,
            filename=file.recogniser.filename,
            path=path,
            content_type=file.recogniser.mimetype,
            size=file.staged.size,
            sha256=file.staged.sha256,
            status="success",
            created_at=moment,
            uploaded_at=moment,
            idempotency_key=key,
            part=part,
            fieldname=file.fieldname,
        )
        for part, (file, path) in enumerate(zip(received.files, published, strict=True))
    ]
    documents[0].fields = received.fields or None
    return documents


def _answer(documents: list[Document]) -> Response:
    return jsonify(ok=True, files=[document.as_file() for document in documents], fields=documents[0].fields or {})


def _storage() -> LocalStorage:
    storage: LocalStorage = current_app.extensions["storage"]
    return storage

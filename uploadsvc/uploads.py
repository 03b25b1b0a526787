"""Uploads: what the intake received becomes files and rows, all of them or none."""

import logging
import re

from flask import Blueprint, Response, current_app, g, jsonify, request
from flask_jwt_extended import jwt_required
from sqlalchemy.exc import IntegrityError

from .errors import BadRequest, UnsupportedType
from .extensions import db
from .filetypes import TYPES, Candidate, accept, safe_name
from .intake import Intake, Limits, Received
from .models import Document, new_id, now
from .storage import LocalStorage, Staged

bp = Blueprint("uploads", __name__, url_prefix="/api")
security = logging.getLogger("uploadsvc.security")

_CHUNK = 64 * 1024
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


@bp.get("/limits")
def limits() -> Response:
    """Tell what may be uploaded."""
    types = [{"extension": kind.extension, "mimetype": kind.mimetype} for kind in TYPES]
    config = current_app.config
    return jsonify(ok=True, maxFileBytes=config["MAX_FILE_BYTES"], maxFiles=config["MAX_FILES"], types=types)


@bp.post("/upload")
@jwt_required()
def upload() -> Response:
    """Store the files of a multipart/form-data body; a repeat of an Idempotency-Key gets the first answer."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequest("An Idempotency-Key is 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    if key and (first := Document.of_upload(g.user_id, key)):
        return _answer(first)
    try:
        return _answer(_store(_receive(), key))
    except UnsupportedType:
        security.warning("file_refused", extra={"user_id": g.user_id})
        raise


def upload_limits() -> Limits:
    """Return the intake's limits as configured."""
    return Limits(file_bytes=current_app.config["MAX_FILE_BYTES"], files=current_app.config["MAX_FILES"])


def _receive() -> Received[Staged, Candidate]:
    """Feed the request's body to an intake, piece by piece as the server hands it on."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedType("Send the upload without a Content-Encoding.")
    storage, bounds = _storage(), upload_limits()
    request.max_content_length = bounds.files * bounds.file_bytes + bounds.overhead
    storage.ensure_room(request.content_length or 0)
    intake = Intake(request.headers.get("Content-Type", ""), storage.stage, accept, bounds)
    try:
        while chunk := request.stream.read(_CHUNK):
            intake.feed(chunk)
        return intake.finish()
    except BaseException:
        intake.abort()
        raise


def _store(received: Received[Staged, Candidate], key: str | None) -> list[Document]:
    """Publish the files and commit their rows; after any failure neither is left."""
    storage, published = _storage(), []
    try:
        for file in received.files:
            file.recogniser.inspect(file.staged.file, file.staged.size)
        for file in received.files:
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

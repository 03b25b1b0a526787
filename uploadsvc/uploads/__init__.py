"""Uploads: what the intake received becomes files and rows, all of them or none."""

import time

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import BaseConverter

from .. import audit
from ..errors import IdempotencyMismatch, UnsupportedType, answer_http
from ..extensions import release_connection
from ..filetypes import TYPES, Candidate
from ..intake import Received
from ..models import Document, Row
from ..principal import Scope, admit, known
from ..scanner import Scanner
from ..storage import Staged
from ..telemetry import metrics
from ..throttle import OpenUploads
from . import checksums, visitors
from .publication import Publication, wanted_check
from .reception import NO_NAME, ROUTES, UPLOAD_PATH, Reception, StreamedReception, is_upload, upload_limits

__all__ = ["RECEPTION", "ROUTES", "StreamedReception", "is_upload", "upload_limits"]

bp = Blueprint("uploads", __name__, url_prefix="/api")

RECEPTION = "uploadsvc.reception"  # in the WSGI environment


class RestOfAddress(BaseConverter):
    """All that follows, slashes too, and nothing too: what is wrong with it, the reception tells."""

    part_isolating = False
    regex = r"[\s\S]*"
    weight = 200  # as Werkzeug's own path: after everything that is more exact


def init_app(app: Flask) -> None:
    """Register the routes."""
    app.url_map.converters["rest"] = RestOfAddress
    app.extensions["open_uploads"] = OpenUploads(app.config["USER_UPLOADS"], app.extensions["throttle_store"])
    app.register_blueprint(bp)


@bp.get("/limits")
def limits() -> Response:
    """Tell the instance's name, what may be uploaded, and to whom it belongs how much of it is kept."""
    types = [{"extension": kind.extension, "mimetype": kind.mimetype} for kind in TYPES]
    config = current_app.config
    body = {
        "ok": True,
        "instanceName": config["INSTANCE_NAME"],
        "maxFileBytes": config["MAX_FILE_BYTES"],
        "maxFiles": config["MAX_FILES"],
        "types": types,
    }
    principal = known()
    if principal and not principal.visit:
        account = principal.account
        body |= {"quotaBytes": account.quota(config["USER_QUOTA_BYTES"]), "usedBytes": account.used_bytes}
    return jsonify(body)


@bp.post("/upload")
@bp.put("/upload/<rest:filename>")
def upload(filename: str = "") -> Response:
    """Store the files of a multipart/form-data body, or of a PUT the one that is its body, or answer a repeat.

    The `filename` of a PUT is the reception's to read, which judges requests that are not routed yet.
    """
    reception: Reception = request.environ.get(RECEPTION) or Reception(current_app, request)
    try:
        admit(reception.check(), Scope.UPLOAD)
        received = reception.finish()
        metrics.upload_arrived(received.size, reception.seconds, reception.speed)
        key = _key(received)
        rows = _first_result(received, key)
        if not rows:
            with visitors.discreetly():
                _inspect(received)
                rows = _store(received, key)
        return _answer(received, rows)
    except UnsupportedType as error:
        whose = reception.credential  # a server that streams raises before anybody is admitted
        audit.tell("file_refused", reason=error.reason, **(whose.asker if whose else {}))
        raise
    finally:
        reception.close()


def _key(received: Received[Staged, Candidate]) -> str | None:
    """Return the upload's Idempotency-Key, as it is kept, or None."""
    given = request.headers.get("Idempotency-Key")
    if given is None or g.principal.visit is None:
        return given
    return visitors.key_of(given, received.fields, _digest(received))


def _first_result(received: Received[Staged, Candidate], key: str | None) -> list[Row]:
    """Return what an earlier upload with the same key and files stored; raise IdempotencyMismatch for other files.

    Text fields are not compared: a script's clock may stand in them.
    """
    first = Document.of_upload(g.principal.user_id, key) if key else []
    if first and first[0]["upload_digest"] != _digest(received):
        raise IdempotencyMismatch(
            "This Idempotency-Key belongs to an upload of other files. Send these with a new one."
        )
    return first


def _digest(received: Received[Staged, Candidate]) -> str:
    files = received.files
    return Document.digest_of((file.recogniser.filename, file.staged.size, file.staged.sha256) for file in files)


def _inspect(received: Received[Staged, Candidate]) -> None:
    """Refuse what has no room, and what is not what it says or not clean, before anything is published."""
    visitors.check_request(len(received.files))
    g.principal.account.check_room(received.size, current_app.config["USER_QUOTA_BYTES"])
    release_connection()  # to scan and to store may take long, and PostgreSQL ends transactions that idle
    for file in received.files:
        file.recogniser.inspect(file.staged.open, file.staged.size)
    if scanner := current_app.extensions["scanner"]:
        _scan(scanner, received)


def _store(received: Received[Staged, Candidate], key: str | None) -> list[Row]:
    """Store the files and their rows; of equal uploads at once the first one's."""
    began = time.perf_counter()
    publication = Publication(received, key, _digest(received) if key else None)
    try:
        publication.run()
    except IntegrityError:
        if first := _first_result(received, key):  # the other was faster
            return first
        raise
    metrics.upload_stored(current_app.extensions["storage"].backend, time.perf_counter() - began)
    ids = [row["public_id"] for row in publication.rows]
    audit.tell("uploaded", documents=ids, files=len(ids), bytes=received.size, **visitors.told(received.fields))
    return publication.rows


def _scan(scanner: Scanner, received: Received[Staged, Candidate]) -> None:
    """Have every file looked at; raise UnsupportedType or ScanFailed."""
    still_wanted = wanted_check()
    with scanner.place():
        for file in received.files:
            still_wanted()
            scanner.inspect(file.recogniser.filename, file.staged)


def _answer(received: Received[Staged, Candidate], rows: list[Row]) -> Response:
    if checksums.are_wanted(request):
        return checksums.answer((row["sha256"], received.files[row["part"]].sent_name) for row in rows)
    return jsonify(ok=True, files=[Document.as_file(row) for row in rows], fields=rows[0]["fields"] or {})


@bp.app_errorhandler(MethodNotAllowed)
def _say_where_the_name_goes(error: MethodNotAllowed) -> Response:
    """Answer a method that an address does not take, and the PUT whose address lacks its last slash helpfully."""
    nameless = request.method == "PUT" and request.path == UPLOAD_PATH
    return answer_http(error, NO_NAME if nameless else "")


@bp.after_app_request
def _say_it_plainly(response: Response) -> Response:
    """Answer a refusal in the form that the client asked for."""
    refused = response.status_code >= 400 and request.path.startswith(UPLOAD_PATH)  # noqa: PLR2004 - RFC 9110 §15.5
    return checksums.refusal(response) if refused and checksums.are_wanted(request) else response

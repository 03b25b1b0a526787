"""Documents: list, show, download and delete what one has uploaded."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import IO
from urllib.parse import quote

from flask import Blueprint, Response, current_app, g, jsonify, request
from werkzeug.exceptions import PreconditionFailed
from werkzeug.wsgi import ClosingIterator, FileWrapper, wrap_file

from . import audit
from .credentials import is_id, seal, unseal
from .errors import ApiError, BadRequest, NotFound, StorageFailed
from .extensions import db
from .models import Document
from .principal import Scope, requires
from .storage import RemoteFile, Storage, disk_errors

bp = Blueprint("documents", __name__, url_prefix="/api/documents")
log = logging.getLogger("uploadsvc.documents")

_PAGE = 50
_MAX_PAGE = 200
_CURSOR = "c-"  # tells a cursor from a document's id
_CHUNK = 64 * 1024  # bytes that a thread passes on at a time
_SENT = {200, 206}  # not 304: the client has it already
_NO_DOCUMENT = "There is no such document."
_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-([0-9]{1,18}))")
# Whatever the bytes are, a browser saves them and runs nothing in them.
_DOWNLOAD_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
_REDIRECT_HEADERS = {"Cache-Control": "private, no-store"}  # the address is good for minutes, and for anybody


@bp.get("")
@requires(Scope.FULL)
def index() -> Response:
    """List the user's documents, newest first, `limit` at a time and older than `before`, the `next` of a page."""
    limit = request.args.get("limit", str(_PAGE))
    if not re.fullmatch(r"[1-9][0-9]{0,2}", limit) or int(limit) > _MAX_PAGE:
        raise BadRequest(f"limit is a number from 1 to {_MAX_PAGE}.")
    query = Document.owned(g.principal.user_id).order_by(Document.id.desc()).limit(int(limit) + 1)
    if before := request.args.get("before"):
        query = query.where(Document.id < _position(before))
    found = list(db.session.scalars(query))
    page = found[: int(limit)]
    following = _cursor(page[-1]) if len(found) > len(page) else None
    return jsonify(ok=True, documents=[document.as_document() for document in page], next=following)


def _cursor(document: Document) -> str:
    """Return the document's place in its owner's list. It is sealed, for the number tells how many there are in all."""
    sealed = seal(current_app.config["JWT_SECRET"], f"cursor {document.user_id}", document.id)
    return f"{_CURSOR}{sealed}"


def _position(before: str) -> int:
    """Return the place that a cursor names, whether its document is still there or not, or that of a document."""
    if not before.startswith(_CURSOR):
        return own_document_or_404(before).id
    place = unseal(current_app.config["JWT_SECRET"], f"cursor {g.principal.user_id}", before.removeprefix(_CURSOR))
    if place is None:
        raise BadRequest("before is the next of an earlier page.")
    return place


@bp.get("/<document_id>")
@requires(Scope.FULL)
def show(document_id: str) -> Response:
    """Show one document's record."""
    return jsonify(ok=True, document=own_document_or_404(document_id).as_document())


@bp.get("/<document_id>/content")
@requires(Scope.FULL)
def content(document_id: str) -> Response:
    """Send the bytes as an attachment; Range, If-Range and If-None-Match are honoured (RFC 9110 §13, §14).

    Where the store can send them itself the client is sent there; only what the row can tell is answered here.
    """
    document = own_document_or_404(document_id)
    storage: Storage = current_app.extensions["storage"]
    address = storage.address(document.path, disposition(document.filename), document.content_type)
    response = _without_bytes(document, ranged=not address and _range_counts(document))
    if request.method == "GET" and response.status_code in _SENT:
        if not address:
            response.response, response.direct_passthrough = _bytes_for(response, document), True
        audit.tell("downloaded", documents=[document_id], bytes=response.content_length)
        if address:
            return Response(status=HTTPStatus.FOUND, headers=_REDIRECT_HEADERS | {"Location": address})
    return response


def _bytes_for(response: Response, document: Document) -> Iterable[bytes]:
    """Return the bytes that the answer's headers promise: the whole of the file, or the part."""
    part = None
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        part = range(response.content_range.start or 0, response.content_range.stop or 0)
    file = _opened(document, part)
    if isinstance(file, RemoteFile):  # the server's own wrapper is read in its loop, and everybody would wait
        return FileWrapper(file, _CHUNK)
    whole = wrap_file(request.environ, file)
    return ClosingIterator(_first(len(part), whole), file.close) if part else whole


def _opened(document: Document, part: range | None) -> IO[bytes]:
    """Open the document's file, now and not while it is sent: here what the storage refuses has an answer."""
    storage: Storage = current_app.extensions["storage"]
    try:
        with disk_errors():
            return storage.open_to_send(document.path, part)
    except StorageFailed:
        own_document_or_404(document.public_id)  # deleted since it was found?
        raise


def _first(size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the first `size` bytes."""
    for chunk in chunks:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return


def _without_bytes(document: Document, ranged: bool) -> Response:
    """Return the answer as far as the row can tell it: 200, 206 if the range counts, or 304; raise for 412 and 416."""
    if request.if_match and not request.if_match.contains(document.sha256):  # before all others (RFC 9110 §13.2.2)
        raise PreconditionFailed
    request.environ.pop("HTTP_IF_MATCH", None)  # Werkzeug takes `*` for another file's, and then says 412 for 304
    response = Response()
    response.set_etag(document.sha256)
    response.last_modified = document.uploaded_at
    response.content_length, response.headers["Content-Type"] = document.size, document.content_type
    response.headers.update(_DOWNLOAD_HEADERS)
    response.headers["Content-Disposition"] = disposition(document.filename)
    response.headers["Accept-Ranges"] = "bytes"
    response.make_conditional(request, accept_ranges=ranged, complete_length=document.size)
    return response


@bp.delete("/<document_id>")
@requires(Scope.FULL)
def delete(document_id: str) -> Response:
    """Delete the row, then the bytes: a crash between the two leaves garbage, never a row without its bytes."""
    document = own_document_or_404(document_id)
    if not document.delete():
        raise NotFound(_NO_DOCUMENT)
    audit.tell("deleted", documents=[document_id])
    try:
        current_app.extensions["storage"].delete(document.path)
    except (ApiError, OSError) as error:  # the document is gone: what is left of it is the sweep's
        log.error("leftover", extra={"document_id": document_id, "reason": type(error).__name__})
    return jsonify(ok=True)


def _range_counts(document: Document) -> bool:
    """Tell whether the request's Range is one to act on: a single one of bytes, by GET, for what the client has.

    RFC 9110 §13.2.2 puts If-None-Match first, §14.2 lets any other Range be ignored, §13.1.5 wants a strong If-Range.
    """
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if request.method != "GET" or not found or request.if_none_match.contains_weak(document.sha256):
        return False
    if found[1] and int(found[1]) > document.size:  # the last 10^6 of 10^3 bytes are all of them (§14.1.2)
        request.environ["HTTP_RANGE"] = "bytes=0-"
    return not request.headers.get("If-Range", "").startswith("W/")


def own_document_or_404(public_id: str) -> Document:
    """Return the signed-in user's document; somebody else's is not found."""
    if not is_id(public_id):
        raise NotFound(_NO_DOCUMENT)
    document: Document | None = db.session.scalar(
        Document.owned(g.principal.user_id).where(Document.public_id == public_id)
    )
    if document is None:
        raise NotFound(_NO_DOCUMENT)
    return document


def disposition(filename: str) -> str:
    """Return the Content-Disposition of a download: an ASCII name for old clients and the true one (RFC 6266)."""
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    plain = "".join("_" if c in '"\\%' else c for c in plain)
    if plain.startswith(".") or not plain:
        plain = f"file{plain}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"

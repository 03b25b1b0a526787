"""Documents: list, show, download and delete what one has uploaded, and what others have where one collects."""

import logging
from collections.abc import Iterator
from itertools import chain

from flask import Blueprint, Response, current_app, g, jsonify, request

from .. import audit
from ..errors import ApiError, BadRequest, BrokenOff, NotFound, StorageFailed
from ..models import Document, now
from ..principal import Scope, requires
from . import archive, listing, sending
from .addresses import tell_apart
from .reach import NO_DOCUMENT, document_or_404, documents_or_404, of_others, told
from .sending import DOWNLOAD_HEADERS, disposition

__all__ = ["bp", "disposition"]

bp = Blueprint("documents", __name__, url_prefix="/api/documents")
log = logging.getLogger("uploadsvc.documents")

_MAX_ARCHIVE = 500  # documents

bp.record_once(tell_apart)


@bp.get("")
@requires(Scope.FULL)
def index() -> Response:
    """List documents, `limit` at a time and after `before`, the `next` of a page of the same list."""
    page = listing.page(request.args)
    _note_view(page.documents)
    documents = [document.as_document(g.principal.collects) for document in page.documents]
    return jsonify(ok=True, documents=documents, next=page.following, total=page.total, totalBytes=page.total_bytes)


@bp.get("/zip")
@requires(Scope.FULL)
def zip_() -> Response:
    """Send documents as one archive, which is made meanwhile; how long it will be is not known, and no Range counts."""
    ids = list(dict.fromkeys(request.args.getlist("id")))
    if not 1 <= len(ids) <= _MAX_ARCHIVE:
        raise BadRequest(f"Name 1 to {_MAX_ARCHIVE} documents, each with id=.")
    documents = documents_or_404(ids)
    response = Response(mimetype="application/zip", headers=DOWNLOAD_HEADERS)
    response.automatically_set_content_length = False  # not that of an answer to HEAD, which is none
    response.headers["Content-Disposition"] = disposition(f"documents-{now():%Y-%m-%d}.zip")
    if request.method != "GET":
        _note_view(documents)
        return response
    chunks = archive.sent(current_app.extensions["storage"], archive.members(documents), g.request_id)
    response.call_on_close(chunks.close)
    response.response = _begun(chunks, ids)
    audit.tell("downloaded", **told(documents), bytes=sum(document.size for document in documents))
    return response


@bp.get("/<document_id>")
@requires(Scope.FULL)
def show(document_id: str) -> Response:
    """Show one document's record."""
    document = document_or_404(document_id)
    _note_view([document])
    return jsonify(ok=True, document=document.as_document(g.principal.collects))


@bp.get("/<document_id>/content")
@requires(Scope.FULL)
def content(document_id: str) -> Response:
    """Send the bytes, or the client to the store that has them."""
    document, sent = document_or_404(document_id), False
    try:
        response, sent = sending.answer(document)
    finally:
        if not sent:  # be it a 304 or a refusal, it tells something
            _note_view([document])
    return response


@bp.delete("/<document_id>")
@requires(Scope.FULL)
def delete(document_id: str) -> Response:
    """Delete the row, then the bytes: a crash between the two leaves garbage, never a row without its bytes."""
    document = document_or_404(document_id)
    if not document.delete():
        raise NotFound(NO_DOCUMENT)
    audit.tell("deleted", **told([document]))
    try:
        current_app.extensions["storage"].delete(document.path)
    except (ApiError, OSError) as error:  # the document is gone: what is left of it is the sweep's
        log.error("leftover", extra={"document_id": document_id, "reason": type(error).__name__})
    return jsonify(ok=True)


def _note_view(documents: list[Document]) -> None:
    """Tell the audit trail what a collector was shown of what others keep."""
    if others := of_others(documents):
        audit.tell("viewed", **told(others))


def _begun(chunks: Iterator[bytes], ids: list[str]) -> Iterator[bytes]:
    """Return the chunks with the first one made: until it is, what is refused has an answer."""
    try:
        return chain([next(chunks)], chunks)
    except BrokenOff as broken:
        documents_or_404(ids)  # deleted since they were found?
        fault = broken.__cause__
        if isinstance(fault, ApiError):
            raise fault from fault.__cause__
        raise StorageFailed("The server could not read one of the documents.") from fault

"""One document on its way to a client: what its headers promise, and its bytes."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import IO
from urllib.parse import quote

from flask import Response, current_app, request
from werkzeug.exceptions import PreconditionFailed
from werkzeug.wsgi import ClosingIterator, FileWrapper, wrap_file

from .. import audit
from ..errors import StorageFailed
from ..models import Document
from ..storage import RemoteFile, Storage, disk_errors
from .reach import document_or_404, told

_CHUNK = 64 * 1024  # bytes that a thread passes on at a time
_SENT = {200, 206}  # not 304: the client has it already
_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-([0-9]{1,18}))")
# Whatever the bytes are, a browser saves them and runs nothing in them.
DOWNLOAD_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
_REDIRECT_HEADERS = {"Cache-Control": "private, no-store"}  # the address is good for minutes, and for anybody


def answer(document: Document) -> tuple[Response, bool]:
    """Return the bytes as an attachment, or where the store has them, and whether any are sent.

    Range, If-Range and If-None-Match are honoured (RFC 9110 §13, §14). Where the store can send the bytes itself the
    client is sent there; only what the row can tell is answered here.
    """
    storage: Storage = current_app.extensions["storage"]
    address = storage.address(document.path, disposition(document.filename), document.content_type)
    response = _without_bytes(document, ranged=not address and _range_counts(document))
    if request.method != "GET" or response.status_code not in _SENT:
        return response, False
    if not address:
        response.response, response.direct_passthrough = _bytes_for(response, document), True
    audit.tell("downloaded", **told([document]), bytes=response.content_length)
    if not address:
        return response, True
    redirect = Response(status=HTTPStatus.FOUND, headers=_REDIRECT_HEADERS | {"Location": address})
    return redirect, True


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
        document_or_404(document.public_id)  # deleted since it was found?
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
    response.headers.update(DOWNLOAD_HEADERS)
    response.headers["Content-Disposition"] = disposition(document.filename)
    response.headers["Accept-Ranges"] = "bytes"
    response.make_conditional(request, accept_ranges=ranged, complete_length=document.size)
    return response


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


def disposition(filename: str) -> str:
    """Return the Content-Disposition of a download: an ASCII name for old clients and the true one (RFC 6266)."""
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    plain = "".join("_" if c in '"\\%' else c for c in plain)
    if plain.startswith(".") or not plain:
        plain = f"file{plain}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"

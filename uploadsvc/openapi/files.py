"""The operations on files: uploads and documents."""

from typing import Any

from ..models import ORDERS
from .answers import ALWAYS, Answers, answer, ok, refused
from .operations import FULL, UPLOAD, delete, get, given, post, put, sent
from .schemas import BINARY, COUNT, ID, MIMETYPES, NUMBER, OK, SIZE, TEXT, WORD, or_null, record, ref, several

_KEY = given(
    "Idempotency-Key",
    "header",
    {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "A repeat with the same files gets the first answer, and nothing is stored twice.",
)
_PARTS = "Every part with a filename is a file, others are text; `from` is what a file request's visitor calls himself."
_FORM = sent(
    record({"file": several(BINARY, minItems=1)}, description=_PARTS),
    "multipart/form-data",
    example={"file": ["Quarterly notes.\n"]},
    encoding={
        "file": {
            "contentType": ", ".join(reversed(MIMETYPES)),
            "headers": {
                "Content-Disposition": {"schema": TEXT, "example": 'form-data; name="file"; filename="notes.txt"'}
            },
        }
    },
)
_SUMS = {"type": "string", "pattern": "^\\\\?[0-9a-f]{64}  "}  # a backslash: the name has an escape
_STORED = record(
    {"ok": OK, "files": several(ref("File"), minItems=1), "fields": {"type": "object", "additionalProperties": TEXT}}
)
_UPLOADED: Answers = {
    "200": answer(
        "Stored and synced; with `Accept: text/plain` a line for each file, as sha256sum writes it.",
        {"application/json": _STORED, "text/plain": _SUMS},
    )
} | refused(*ALWAYS, 403, 413, 415, 422, 429, 507, kind="UploadError")
_LIMITS = "All or nothing: at most 20 files of 10 485 760 bytes each, unless `/api/limits` tells otherwise."
_RANGE = [
    given("Range", "header", TEXT, "One range; others are ignored (RFC 9110 §14.2).", example="bytes=0-3"),
    given("If-Range", "header", TEXT, "The ETag that the range is of."),
    given("If-Match", "header", TEXT, "The ETag of what alone is wanted."),
    given("If-None-Match", "header", TEXT, "The ETag of what the client has."),
]
_NAMED = ("Content-Disposition",)
_PAGE = {"documents": several(ref("Document")), "next": or_null(TEXT), "total": COUNT, "totalBytes": SIZE}
_BYTES = dict.fromkeys(MIMETYPES, BINARY)
_DOWNLOADED: Answers = {
    "200": answer("The bytes.", _BYTES, "ETag", "Accept-Ranges", "Content-Disposition"),
    "206": answer("The range.", _BYTES, "ETag", "Accept-Ranges", "Content-Disposition", "Content-Range"),
    "302": answer("The store has them, at an address that is good for five minutes.", {}, "Location"),
    "304": answer("The client has it.", {}, "ETag"),
} | refused(404, 412, 416)
FILES: dict[str, dict[str, Any]] = {
    "/api/upload": post(
        "upload",
        "Store the files of a form",
        UPLOAD,
        _UPLOADED,
        description=_LIMITS,
        parameters=[_KEY],
        requestBody=_FORM,
    ),
    "/api/upload/{filename}": put(
        "uploadAs",
        "Store the body as one file",
        UPLOAD,
        _UPLOADED,
        description=_LIMITS,
        parameters=[given("filename", "path", WORD, example="notes.txt"), _KEY],
        requestBody=sent(BINARY, "application/octet-stream", example="Quarterly notes.\n"),
    ),
    "/api/documents": get(
        "listDocuments",
        "List documents, the newest first, by name (A to Z), or the largest first",
        FULL,
        ok("A page; the totals are those of all pages.", _PAGE) | refused(404),
        parameters=[
            given("limit", "query", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
            given("before", "query", TEXT, "`next` of the page before of the same list, or a document's id."),
            given(
                "q",
                "query",
                {"type": "string", "maxLength": 255},
                "Part of a name or of a sender's, in any case (é is not e).",
            ),
            given("sort", "query", {"enum": list(ORDERS), "default": "newest"}),
            given("all", "query", {"const": "1"}, "Everybody's: for a collector's session, others get 403."),
        ],
    ),
    "/api/documents/zip": get(
        "downloadDocuments",
        "Download documents as one ZIP archive",
        FULL,
        {"200": answer("The archive; one that is cut off has no end.", {"application/zip": BINARY}, *_NAMED)}
        | refused(404),
        description="Equal names are numbered. The archive is made while it is sent: no length, no Range.",
        parameters=[given("id", "query", several(ID, minItems=1, maxItems=500), "One for each.", required=True)],
    ),
    "/api/documents/{id}": get(
        "showDocument",
        "Show one document",
        FULL,
        ok("It is there.", {"document": ref("Document")}) | refused(404),
        parameters=[given("id", "path", ID)],
    )
    | delete(
        "deleteDocument",
        "Delete one document",
        FULL,
        ok("It is gone.") | refused(404),
        parameters=[given("id", "path", ID)],
    ),
    "/api/documents/{id}/content": get(
        "downloadDocument",
        "Download one document, as an attachment",
        FULL,
        _DOWNLOADED,
        parameters=[given("id", "path", ID), *_RANGE],
    ),
    "/api/limits": get(
        "limits",
        "Tell the instance's name, what may be uploaded, and how much is kept for whom",
        [*UPLOAD, {}],
        ok(
            "Who has an account's credentials is told `quotaBytes`, 0 for none, and `usedBytes`.",
            {
                "instanceName": WORD,
                "maxFileBytes": SIZE,
                "maxFiles": NUMBER,
                "types": several(record({"extension": TEXT, "mimetype": TEXT})),
                "quotaBytes": SIZE,
                "usedBytes": SIZE,
            },
            ("quotaBytes", "usedBytes"),
        ),
    ),
}

"""The operations on file requests: what their owner does, and what a visitor sees."""

from typing import Any

from ..models import DEFAULT_DAYS, DEFAULT_FILES, MAX_DAYS, MAX_FILES, NOTE_CHARS, TITLE_CHARS
from .answers import ok, refused
from .operations import SESSION, VISIT, delete, get, given, post, sent
from .schemas import ID, REQUEST, TEXT, TIME, Schema, record, ref, several

_TITLE: Schema = {"type": "string", "minLength": 1, "maxLength": TITLE_CHARS}
_NOTE: Schema = {"type": ["string", "null"], "maxLength": NOTE_CHARS, "description": "Its lines are kept."}


def _number(least: int, most: int, default: int) -> Schema:
    told = f"null, or nothing: {default}."
    return {"type": ["integer", "null"], "minimum": least, "maximum": most, "description": told}


REQUESTS: dict[str, dict[str, Any]] = {
    "/api/requests": get(
        "listRequests",
        "List the file requests, the newest first",
        SESSION,
        ok("All that were not deleted.", {"requests": several(ref("FileRequest"))}),
    )
    | post(
        "createRequest",
        "Ask people without an account for files",
        SESSION,
        ok("Whoever is sent its `url` may send files.", REQUEST) | refused(415),
        requestBody=sent(
            record(
                {
                    "title": _TITLE,
                    "note": _NOTE,
                    "expiresInDays": _number(1, MAX_DAYS, DEFAULT_DAYS),
                    "maxFiles": _number(1, MAX_FILES, DEFAULT_FILES),
                },
                ("note", "expiresInDays", "maxFiles"),
            ),
            example={"title": "Tax papers 2026", "note": "PDF, please.", "expiresInDays": 14, "maxFiles": 20},
        ),
    ),
    "/api/requests/{id}": delete(
        "deleteRequest",
        "End a file request at once",
        SESSION,
        ok("Nothing more is taken; what had come stays.") | refused(404),
        parameters=[given("id", "path", ID)],
    ),
    "/api/request": get(
        "visitRequest",
        "Tell a visitor what is asked for",
        VISIT,
        ok(
            "It is open.",
            {"title": TEXT, "note": TEXT, "expiresAt": TIME, "filesLeft": REQUEST["maxFiles"]},
        ),
        description="401 `request_over` when its time is over, all its files have come, or it was ended.",
    ),
}

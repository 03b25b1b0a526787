"""What is different when a file request's visitor uploads: who he says he is, his keys, what he is told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import current_app, g

from ..credentials import derive, holds_bearer
from ..errors import NoRoomForVisitors, QuotaExceeded
from ..filetypes import readable
from ..models import SENDER_CHARS, check_places

_FIELD = "from"  # the text field; a PUT has none, and its sender stays unknown
_KEPT_KEY = "request:"  # no Idempotency-Key that anybody can send has a colon


def about(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns that tell by which request an upload came and what its visitor called himself."""
    visit = g.principal.visit
    return {"request_id": visit and visit.request_id, "sender": sender(fields) if visit else None}


def sender(fields: Mapping[str, str]) -> str | None:
    """Return what a visitor calls himself, cleaned as a file's name is, None where nothing is left of it."""
    name = readable(fields.get(_FIELD, "")).strip()
    return None if holds_bearer(name) else name[:SENDER_CHARS].rstrip() or None


def kept(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the text fields without those into which the link was pasted: neither database nor log has its secret."""
    return {name: text for name, text in fields.items() if not holds_bearer(text)}


def told(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what the audit trail tells of a visitor beside his request: what he called himself."""
    return {"sender": sender(fields)} if g.principal.visit else {}


def key_of(given: str, fields: Mapping[str, str], digest: str) -> str:
    """Return the key that is kept of a visitor's Idempotency-Key.

    All visitors of a request bear the same secret. So a key is theirs together with what they call themselves and
    with the `digest` of their files: two who choose the same neither meet nor learn of each other, and a repeat of the
    very same upload is one.
    """
    secret, request_id = current_app.config["JWT_SECRET"], g.principal.visit.public_id
    return _KEPT_KEY + derive(secret, "visitor's key", request_id, given, digest, sender(fields) or "")


def check_request(files: int) -> None:
    """Raise RequestOver or TooLarge where a visitor's request takes no more files, or not as many."""
    if g.principal.visit:
        check_places(g.principal.visit.files_left, files)


@contextmanager
def discreetly() -> Iterator[None]:
    """Tell a visitor that there is no room, and not how much the account keeps."""
    try:
        yield
    except QuotaExceeded as error:
        if g.principal.visit:
            raise NoRoomForVisitors from error
        raise

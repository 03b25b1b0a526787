"""What every line of the audit trail bears: who asked, from where, and by which token or file request."""

import logging
from typing import Any

from flask import g, has_request_context, request

from ..audit import EVENTS


def init_app() -> None:
    """Have every event say it; one that says something else of itself is left alone."""
    for logger, _level in EVENTS.values():
        logger.addFilter(_with_asker)  # once, however often it is added


def _with_asker(record: logging.LogRecord) -> bool:
    record.__dict__ = _asker() | record.__dict__
    return True


def _asker() -> dict[str, Any]:
    """Return who asks; a command is run by whoever may, and its `user_id` is the account it is about.

    That of a visitor is the account whose `file_request` it is.
    """
    if not has_request_context():
        return {"user_id": None, "token_id": None, "remote_addr": None, "by": "command"}
    principal = g.get("principal")
    return {
        "user_id": principal and principal.user_id,
        "token_id": principal and principal.token_id,
        "remote_addr": request.remote_addr,
    } | visiting(principal)


def visiting(principal: Any) -> dict[str, str]:
    """Return by which file request a visitor asks; of anybody else there is nothing to tell."""
    return {"file_request": principal.visit.public_id} if principal and principal.visit else {}

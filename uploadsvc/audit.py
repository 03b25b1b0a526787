"""The audit trail: what was done, and what may be an attack, each under a stable name that alerts can be built on.

Who did it, from where and by which token stands on every line: `telemetry` adds what it knows of the request.
"""

import logging
from typing import Any

_documents = logging.getLogger("uploadsvc.audit")
_access = logging.getLogger("uploadsvc.security")  # ASVS 5.0 §16.3

_DOCUMENTS = ("uploaded", "viewed", "downloaded", "deleted")
_DONE = (
    "login_succeeded",
    "logout",
    "session_replaced",
    "session_ended",
    "other_sessions_ended",
    "password_changed",
    "token_created",
    "token_revoked",
    "request_made",
    "request_ended",
    "account_added",
    "account_disabled",
    "account_enabled",
    "quota_changed",
    "collector_changed",
)
_SUSPICIOUS = (
    "login_failed",
    "throttled",
    "refresh_token_reused",
    "request_secret_refused",
    "csrf_refused",
    "cross_site_refused",
    "file_refused",
)
EVENTS = {
    **dict.fromkeys(_DOCUMENTS, (_documents, logging.INFO)),
    **dict.fromkeys(_DONE, (_access, logging.INFO)),
    **dict.fromkeys(_SUSPICIOUS, (_access, logging.WARNING)),
}


def tell(event: str, **fields: Any) -> None:
    """Log one line for `event`, one of EVENTS; raise KeyError for any other.

    `fields` say what it was done to: `documents`, a list of their public ids, with `owners`, the id of the account that
    each belongs to, where some are not the asker's own; `target_token_id`; `target_request` by its public id; and
    `user_id` where the account is not the asker's. Never a password or a secret, nor a name but `sender`, which is all
    that a visitor tells of himself.
    """
    logger, level = EVENTS[event]
    logger.log(level, event, extra=fields)

"""The tables, and the rules about one record.

Times are naive UTC: SQLite keeps no zone, and one convention on every engine beats two.
"""

from . import registration
from .accounts import PARENT_GRACE, REFRESH_LIFE, SESSION_LIFE, Account, Session, User
from .clock import now, rfc3339
from .documents import KEPT, SENDER_CHARS, Document, Row
from .requests import (
    DEFAULT_DAYS,
    DEFAULT_FILES,
    MAX_DAYS,
    MAX_FILES,
    NOTE_CHARS,
    TITLE_CHARS,
    FileRequest,
    Visit,
    check_places,
)
from .tokens import SCOPES, ApiToken

__all__ = [
    "DEFAULT_DAYS",
    "DEFAULT_FILES",
    "KEPT",
    "MAX_DAYS",
    "MAX_FILES",
    "NOTE_CHARS",
    "PARENT_GRACE",
    "REFRESH_LIFE",
    "SCOPES",
    "SENDER_CHARS",
    "SESSION_LIFE",
    "TITLE_CHARS",
    "Account",
    "ApiToken",
    "Document",
    "FileRequest",
    "Row",
    "Session",
    "User",
    "Visit",
    "check_places",
    "now",
    "registration",
    "rfc3339",
]

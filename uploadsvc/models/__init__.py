"""The tables, and the rules about one record.

Times are naive UTC: SQLite keeps no zone, and one convention on every engine beats two.
"""

from . import lists, registration
from .accounts import PARENT_GRACE, REFRESH_LIFE, SESSION_LIFE, Account, Session, User
from .clock import now, rfc3339
from .documents import SENDER_CHARS, Document, Row
from .lists import ORDERS, Order, Place
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
from .search import fold, search_key
from .tokens import SCOPES, ApiToken

__all__ = [
    "DEFAULT_DAYS",
    "DEFAULT_FILES",
    "MAX_DAYS",
    "MAX_FILES",
    "NOTE_CHARS",
    "ORDERS",
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
    "Order",
    "Place",
    "Row",
    "Session",
    "User",
    "Visit",
    "check_places",
    "fold",
    "lists",
    "now",
    "registration",
    "rfc3339",
    "search_key",
]

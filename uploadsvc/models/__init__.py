"""The tables, and the rules about one record.

Times are naive UTC: SQLite keeps no zone, and one convention on every engine beats two.
"""

from .accounts import PARENT_GRACE, REFRESH_LIFE, SESSION_LIFE, Session, User
from .clock import now, rfc3339
from .documents import Document, Row
from .tokens import ApiToken

__all__ = [
    "PARENT_GRACE",
    "REFRESH_LIFE",
    "SESSION_LIFE",
    "ApiToken",
    "Document",
    "Row",
    "Session",
    "User",
    "now",
    "rfc3339",
]

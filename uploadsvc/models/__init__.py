"""The tables, and the rules about one record.

Times are naive UTC: SQLite keeps no zone, and one convention on every engine beats two.
"""

from . import registration
from .accounts import PARENT_GRACE, REFRESH_LIFE, SESSION_LIFE, Account, Session, User
from .clock import now, rfc3339
from .documents import KEPT, Document, Row
from .tokens import SCOPES, ApiToken

__all__ = [
    "KEPT",
    "PARENT_GRACE",
    "REFRESH_LIFE",
    "SCOPES",
    "SESSION_LIFE",
    "Account",
    "ApiToken",
    "Document",
    "Row",
    "Session",
    "User",
    "now",
    "registration",
    "rfc3339",
]

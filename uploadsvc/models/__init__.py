"""The tables, and the rules about one record.

Times are naive UTC: SQLite keeps no zone, and one convention on every engine beats two.
"""

from . import lists, registration
from .accounts import PARENT_GRACE, REFRESH_LIFE, SESSION_LIFE, Account, Session, User
from .clock import now, rfc3339
from .documents import KEPT, Document, Row
from .lists import ORDERS, Order, Place
from .search import fold, search_key
from .tokens import SCOPES, ApiToken

__all__ = [
    "KEPT",
    "ORDERS",
    "PARENT_GRACE",
    "REFRESH_LIFE",
    "SCOPES",
    "SESSION_LIFE",
    "Account",
    "ApiToken",
    "Document",
    "Order",
    "Place",
    "Row",
    "Session",
    "User",
    "fold",
    "lists",
    "now",
    "registration",
    "rfc3339",
    "search_key",
]

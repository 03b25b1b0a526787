"""How long the database takes: every statement, and every commit, which is where SQLite syncs."""

import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import Pool

from ..extensions.plain import observers
from .metrics import QUERY_SECONDS
from .notes import into, note

_OPERATIONS = {name: into(QUERY_SECONDS, name.lower()) for name in ("SELECT", "INSERT", "UPDATE", "DELETE")}
_OTHER, _COMMIT = into(QUERY_SECONDS, "other"), into(QUERY_SECONDS, "commit")
_PLAIN = _OPERATIONS | {"COMMIT": _COMMIT}
_BEGAN = "commit_began"  # in the connection's record


@event.listens_for(Engine, "before_cursor_execute")
def _statement_begins(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _: bool) -> None:
    context.began = time.perf_counter()  # of all engines: so before one's own makes a writer wait for its turn


@event.listens_for(Engine, "after_cursor_execute")
def _statement_ends(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _: bool) -> None:
    note(_OPERATIONS.get(statement[:6], _OTHER), time.perf_counter() - context.began)


@event.listens_for(Engine, "commit")
def _commit_begins(connection: Connection) -> None:
    connection.connection.record_info[_BEGAN] = time.perf_counter()  # type: ignore[index]


@event.listens_for(Pool, "checkin")
def _commit_ends(_connection: Any, record: Any) -> None:
    """No event tells of it, but whoever commits gives the connection back at once."""
    began = record.record_info.pop(_BEGAN, None)
    if began is not None:
        note(_COMMIT, time.perf_counter() - began)


@observers.append
def _plain_ends(what: str, seconds: float) -> None:
    note(_PLAIN[what], seconds)

"""How each connection to PostgreSQL behaves: given up when the server is gone, patient with others, but not for ever."""

import select
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InvalidatePoolError

_RECYCLE = 1800  # seconds: whatever stands between may end a connection that is older
_PATIENCE = "5s"  # for a lock, as SQLite's busy_timeout
# A server that is gone without a word is given up after half a minute, be it asked (tcp_user_timeout) or not.
_CONNECT = {
    "connect_timeout": 5,
    "application_name": "uploadsvc",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}


def options(url: URL) -> dict[str, Any]:
    """Return what the engine of `url` needs beside what every engine has; what the URL says itself is left to it."""
    if url.get_backend_name() != "postgresql":
        return {}
    arguments = {name: value for name, value in _CONNECT.items() if name not in url.query}
    return {"pool_recycle": _RECYCLE, "connect_args": arguments}


def guard(engine: Engine) -> None:
    """Let no statement wait for a lock for ever, and have no request meet a connection that the server has ended."""
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _set_patience)
        event.listen(engine, "checkout", _look)


def _set_patience(connection: Any, _record: object) -> None:
    connection.execute(f"SET lock_timeout = '{_PATIENCE}'")
    connection.commit()


def _look(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool made anew when the server has said goodbye.

    Between requests it says nothing else, so there is something to read. Asking it (pool_pre_ping) would take one more
    round trip in each request; whoever says nothing at all is what the keepalives are for.
    """
    if connection.closed or _has_something_to_read(connection.fileno()):
        raise InvalidatePoolError


def _has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))

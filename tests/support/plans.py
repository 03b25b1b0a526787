"""How an engine finds what a request or a command asks for, in its own words."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import event

from uploadsvc.extensions import db


def plans(app: Flask, act: Callable[[], object], explain: str = "EXPLAIN QUERY PLAN") -> list[tuple[str, str]]:
    """Each SELECT of what `act` does, and the engine's plan for it, a step a line."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(f"{explain} {statement}", values).all() for statement, values in asked]
    steps = ["\n".join(str(row[-1]) for row in rows) for rows in found]
    return [(statement, plan) for (statement, _), plan in zip(asked, steps, strict=True)]

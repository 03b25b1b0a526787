"""Plain SQL for what every upload asks: prepared once, run on the driver's own connection from the engine's pool.

SQLAlchemy's way around a statement takes ten times as long as SQLite, and an upload asks three of them. What it does
for safety is done here too: its errors are raised, writers wait their turn, and a connection that broke is not used
again.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import current_app, g
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

from .database import db
from .sqlite import WriteGate, take_turn

Values = Mapping[str, Any]  # of a statement's parameters, by their names
observers: list[Callable[[str, float], None]] = []  # told the first six letters of what was done, and its seconds


class Prepared:
    """A statement compiled once an engine. What it returns is as the driver gives it, unconverted."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def run(self, *rows: Values) -> int:
        """Run it on the request's connection, once for each of `rows`; return how many rows of the table it met."""
        opened = plain()
        compiled = self._for(opened.dialect)
        return opened.run(compiled.sql, [compiled.values(row) for row in rows])

    def row(self, values: Values) -> tuple[Any, ...] | None:
        """Run it on the request's connection; return the first row that it finds."""
        opened = plain()
        compiled = self._for(opened.dialect)
        return opened.row(compiled.sql, compiled.values(values))

    def _for(self, dialect: Dialect) -> "_Compiled":
        return self._compiled.get(dialect.name) or self._compile(dialect)

    def _compile(self, dialect: Dialect) -> "_Compiled":
        compiled: Any = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        parameters = []
        for name in compiled.positiontup or compiled.binds:
            bind = compiled.binds[name]
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            parameters.append(_Parameter(name, bind.value, convert))
        self._compiled[dialect.name] = _Compiled(compiled.string, compiled.positional, parameters)
        return self._compiled[dialect.name]


class _Parameter(NamedTuple):
    name: str
    default: Any  # the value where none is given: of a literal in the statement
    convert: Callable[[Any], Any] | None


class _Compiled(NamedTuple):
    sql: str
    positional: bool  # in some drivers' SQL parameters have places, one parameter perhaps several, in others names
    parameters: list[_Parameter]

    def values(self, row: Values) -> tuple[Any, ...] | dict[str, Any]:
        """Return the parameters' values as the driver takes them."""
        found = []
        for name, default, convert in self.parameters:
            given = row.get(name, default)
            found.append(convert(given) if convert else given)
        if self.positional:
            return tuple(found)
        return {parameter.name: value for parameter, value in zip(self.parameters, found, strict=True)}


class Plain:
    """A connection lent by the engine's pool. Errors of its driver are raised as SQLAlchemy raises them."""

    def __init__(self, engine: Engine, gate: WriteGate | None) -> None:
        self.dialect = engine.dialect
        self._errors = engine.dialect.loaded_dbapi.Error
        self._gate = gate
        self._lent: Any = None
        try:
            self._lent = engine.raw_connection()
        except self._errors as error:
            raise self._told(error) from error

    def run(self, sql: str, rows: list[Any]) -> int:
        """Run a statement that writes with the parameters of each of `rows`; return how many rows it met."""
        began = time.perf_counter()
        if self._gate:
            take_turn(self._gate, self._lent.record_info)
        cursor = self._lent.cursor()
        try:
            if len(rows) == 1:
                cursor.execute(sql, rows[0])
            else:
                cursor.executemany(sql, rows)
            return int(cursor.rowcount)
        except self._errors as error:
            raise self._told(error, sql) from error
        finally:
            cursor.close()
            _observe(sql[:6], began)

    def row(self, sql: str, values: Any) -> tuple[Any, ...] | None:
        """Run a query and return its first row."""
        began = time.perf_counter()
        cursor = self._lent.cursor()
        try:
            cursor.execute(sql, values)
            found: tuple[Any, ...] | None = cursor.fetchone()
            return found
        except self._errors as error:
            raise self._told(error, sql) from error
        finally:
            cursor.close()
            _observe(sql[:6], began)

    def commit(self) -> None:
        """Commit what was run; raise DBAPIError."""
        began = time.perf_counter()
        try:
            self._lent.commit()
        except self._errors as error:
            raise self._told(error) from error
        finally:
            _observe("COMMIT", began)

    def close(self) -> None:
        """Give the connection back; what was not committed is rolled back."""
        self._lent.close()

    def _told(self, error: Any, sql: str | None = None) -> BaseException:
        """Return SQLAlchemy's error for one of the driver's; the connection is not lent again when it broke."""
        connection = self._lent and self._lent.dbapi_connection
        broken = self.dialect.is_disconnect(error, connection, None)
        if broken and connection:
            self._lent.invalidate(error)
        told: BaseException = DBAPIError.instance(
            sql, None, error, self._errors, connection_invalidated=broken, dialect=self.dialect
        )
        return told


def plain() -> Plain:
    """Return the connection of this request or command for prepared statements, opened at its first use.

    Whoever commits gives it back with `release_connection`; what is left open goes back with the application context.
    """
    if "plain" not in g:
        g.plain = Plain(db.engine, current_app.extensions["write_gate"])
    opened: Plain = g.plain
    return opened


def _observe(what: str, began: float) -> None:
    seconds = time.perf_counter() - began
    for observe in observers:
        observe(what, seconds)

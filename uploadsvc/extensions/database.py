"""The database: the ORM, and plain SQL for what every upload asks."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import g
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
from sqlalchemy.engine import Connection, CursorResult, Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql import Executable


class Model(DeclarativeBase):
    """The declarative base; named constraints let a migration change them on any engine."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Model, session_options={"expire_on_commit": False})


def connection() -> Connection:
    """Return the connection of this request or command for plain SQL, opened at its first use.

    An upload asks two statements, and an ORM session around them costs more than both. Whoever commits gives the
    connection back with `release_connection`; what is left open goes back with the application context.
    """
    if "connection" not in g:
        g.connection = db.engine.connect()
    opened: Connection = g.connection
    return opened


def release_connection(_error: BaseException | None = None) -> None:
    """Give the connection back; what was not committed is rolled back."""
    opened = g.pop("connection", None)
    if opened is not None:
        opened.close()


class Prepared:
    """A statement compiled once an engine; it returns what the driver gives, unconverted.

    SQLAlchemy's own way around a statement takes ten times as long as SQLite, and an upload asks three of them.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def execute(self, *rows: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it on the request's connection with the values of its parameters, once for each of `rows`."""
        opened = connection()
        compiled = self._compiled.get(opened.dialect.name) or self._compile(opened.dialect)
        values = [compiled.values(row) for row in rows]
        return opened.exec_driver_sql(compiled.sql, values[0] if len(values) == 1 else values)

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

    def value(self, row: Mapping[str, Any]) -> Any:
        given = row.get(self.name, self.default)
        return self.convert(given) if self.convert else given


class _Compiled(NamedTuple):
    sql: str
    positional: bool  # in some drivers' SQL parameters have places, one parameter perhaps several, in others names
    parameters: list[_Parameter]

    def values(self, row: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
        if self.positional:
            return tuple([parameter.value(row) for parameter in self.parameters])
        return {parameter.name: parameter.value(row) for parameter in self.parameters}

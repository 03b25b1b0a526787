"""`database copy`: the rows of an instance from SQLite into PostgreSQL, all of them or none, and compared."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import BigInteger, Integer, Row, Table, create_engine, func, insert, make_url, select, text
from sqlalchemy.engine import Connection, Engine

from .. import config
from ..credentials import fingerprint
from ..extensions import db, postgres
from ..models import Document, User
from .instance import locked, one_line_errors, set_up, upgrade
from .snapshot import Snapshot

database = AppGroup("database", help="Move the tables to another database.")

_PAGE = 500  # rows
_MAX_INTEGER = 2**31 - 1


@database.command("copy")
@click.option("--to", "address", required=True, metavar="URL", help="postgresql://USER@HOST/DATABASE")
def copy(address: str) -> None:
    """Copy every row from SQLite into the PostgreSQL database at URL, which has no accounts yet, and compare them.

    Stop `serve` first: what it writes meanwhile would not be there. The tables are made; all rows are there at the
    end, or none. The password may stand in PGPASSWORD or in ~/.pgpass instead of the URL, which others on this machine
    can see. Files stay where they are, and so does JWT_SECRET, with which sessions and tokens live on.
    """
    if db.engine.dialect.name != "sqlite":
        raise click.ClickException("DATABASE_URL names PostgreSQL already; `database copy` reads SQLite.")
    set_up()
    with one_line_errors(), locked("migrate.lock"), _opened(address) as target, _taken() as snapshot:
        upgrade(target)
        with snapshot.engine.connect() as source, target.begin() as connection:
            _refuse_unless_empty(connection)
            for table in db.metadata.sorted_tables:
                click.echo(f"{table.name}: {_copy(table, source, connection)} rows")
            postgres.write_note(connection, fingerprint(current_app.config["JWT_SECRET"]))
            accounts, documents, size = _totals(connection)
            if (accounts, documents, size) != _totals(source):
                raise click.ClickException("The totals differ. Nothing was copied.")
    click.echo(f"Copied and compared: {accounts} accounts, {documents} documents of {size} bytes.")


@contextmanager
def _taken() -> Iterator[Snapshot]:
    with Snapshot.passing("copy-in-progress.db") as snapshot:
        snapshot.take()
        yield snapshot


@contextmanager
def _opened(address: str) -> Iterator[Engine]:
    """Lend the engine of the target; stop with one line at an address that is none."""
    try:
        url = make_url(config.database_url(address))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from None
    if url.get_backend_name() != "postgresql":
        raise click.BadParameter("must be postgresql://USER@HOST/DATABASE", param_hint="--to")
    config.check_driver("--to")
    engine = create_engine(url, hide_parameters=True, **postgres.options(url))
    postgres.guard(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def _refuse_unless_empty(target: Connection) -> None:
    """Stop where there is an account, and let nobody add one before the end."""
    target.execute(text("LOCK TABLE users IN EXCLUSIVE MODE"))
    if target.scalar(select(func.count()).select_from(User)):
        raise click.ClickException("The target has accounts already. Copy into a new database.")


def _copy(table: Table, source: Connection, target: Connection) -> int:
    """Copy a table's rows and read them again; return how many there are. Its next number is behind them all."""
    sent = _Digest()
    for rows in _pages(table, source):
        for row in rows:
            _check(table, row)
        sent.add(rows)
        target.execute(insert(table), [dict(row._mapping) for row in rows])
    arrived = _Digest()
    for rows in _pages(table, target):
        arrived.add(rows)
    if sent != arrived:
        raise click.ClickException(f"{table.name}: what arrived differs from what was sent. Nothing was copied.")
    if isinstance(table.c.id.type, Integer):
        last = func.max(table.c.id)
        sequence = func.pg_get_serial_sequence(table.name, "id")
        target.execute(select(func.setval(sequence, func.coalesce(last, 1), last.is_not(None))))
    return sent.count


def _pages(table: Table, connection: Connection) -> Iterator[Sequence[Row[Any]]]:
    with connection.execute(select(table), execution_options={"yield_per": _PAGE}) as result:
        yield from result.partitions()


def _check(table: Table, row: Row[Any]) -> None:
    """Stop at what SQLite keeps and PostgreSQL refuses, with the place where it stands."""
    for column, value in zip(table.c, row, strict=True):
        fault = ""
        if isinstance(value, str) and "\0" in value:
            fault = "holds a NUL character"
        elif isinstance(value, str) and len(value) > (getattr(column.type, "length", None) or len(value)):
            fault = "is too long"
        elif isinstance(value, int) and abs(value) > _MAX_INTEGER and not isinstance(column.type, BigInteger):
            fault = "is too large a number"
        if fault:
            where = f"{table.name} {row[0]}: {column.name}"
            raise click.ClickException(f"{where} {fault}, which PostgreSQL refuses. Nothing was copied.")


def _totals(connection: Connection) -> tuple[int, int, int]:
    """Return how many accounts and documents there are, and the bytes of these."""
    accounts = connection.scalar(select(func.count()).select_from(User)) or 0
    documents, size = Document.total(connection)
    return accounts, documents, size


@dataclass
class _Digest:
    """What tells a set of rows from any other, whatever their order, in which databases differ."""

    count: int = 0
    total: int = 0

    def add(self, rows: Sequence[Row[Any]]) -> None:
        """Take some more rows in."""
        for row in rows:
            self.count += 1
            digest = hashlib.sha256(repr(tuple(row)).encode("utf-8", "surrogatepass")).digest()
            self.total = (self.total + int.from_bytes(digest)) % 2**256

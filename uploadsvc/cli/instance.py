"""What every command begins with: the schema brought up to date, the first account, errors of one line."""

import fcntl
import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import flask_migrate
from alembic import command
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError, DBAPIError

from .. import audit
from ..config import ROOT, ConfigError
from ..credentials import fingerprint
from ..errors import ApiError, BadRequest
from ..extensions import db, postgres
from ..models import User

log = logging.getLogger("uploadsvc.cli")


def set_up(first_account: bool = False) -> None:
    """Bring the schema to its newest version; of several starts at once, one does it and the others wait.

    They may be on several machines, with one PostgreSQL.
    """
    os.umask(0o077)
    try:
        with locked("migrate.lock"):
            flask_migrate.upgrade()
            with postgres.alone(db.engine):
                _agree_on_secret()
                if first_account and db.session.scalar(select(User.id).limit(1)) is None:
                    _make_first_account()
                db.session.remove()
    except (DatabaseError, postgres.LockTaken) as error:
        raise ConfigError(f"DATABASE_URL cannot be used: {reason(error)}.") from error


def reason(error: Exception) -> str:
    """Return what a database's error says, in one line and without the values that it may quote."""
    said = str(getattr(error, "orig", error)).partition("DETAIL:")[0]
    return " ".join(said.split()).rstrip(".")


def _agree_on_secret() -> None:
    """Stop where instances on one PostgreSQL made themselves different secrets: each would refuse the others' sessions.

    A JWT_SECRET that is set is what the operator wants, and he is told when it is another than the last.
    """
    if db.engine.dialect.name != "postgresql":
        return
    ours = fingerprint(current_app.config["JWT_SECRET"])
    with db.engine.begin() as connection:
        noted = postgres.note(connection)
        if noted == ours:
            return  # whoever writes it has to own the table
        if noted is not None and current_app.config["SECRET_IS_OWN"]:
            raise ConfigError(
                "JWT_SECRET must be set to that of the other instances on this DATABASE_URL, "
                "or to a new one, which ends all sessions and API tokens."
            )
        postgres.write_note(connection, ours)
    if noted is not None:
        log.warning("jwt_secret_changed: what was made with the one before is refused, by instances that have this one")


def upgrade(engine: Engine) -> None:
    """Bring another database than the configured one to the newest schema; raise CommandError or RuntimeError."""
    options = current_app.extensions["migrate"].migrate.get_config()
    options.attributes["engine"] = engine
    command.upgrade(options, "head")


def refuse_unless_sqlite(name: str) -> None:
    """Stop with one line where a command that copies SQLite's file has no such file."""
    if db.engine.dialect.name != "sqlite":
        raise click.ClickException(
            f"`{name}` is for SQLite. Use pg_dump or pg_restore, and copy the files beside it: docs/growing.md."
        )


@contextmanager
def locked(name: str, wait: bool = True) -> Iterator[None]:
    """Let one process at a time in, of those that name the same lock; raise BlockingIOError instead of waiting."""
    with (current_app.config["INSTANCE_PATH"] / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _make_first_account() -> None:
    email, given = current_app.config["ADMIN_EMAIL"], current_app.config["ADMIN_PASSWORD"]
    password = given or secrets.token_urlsafe(12)
    try:
        user = User.create(email, password, current_app.config["BCRYPT_ROUNDS"])
        db.session.commit()
    except BadRequest as error:
        raise ConfigError(f"ADMIN_EMAIL or ADMIN_PASSWORD cannot be used: {error.message}") from error
    audit.tell("account_added", user_id=user.id)
    shown = "the password in ADMIN_PASSWORD" if given else password
    click.echo(f"First account: {email} with {shown}\nTo set another: .venv/bin/flask --app wsgi users passwd {email}")


@contextmanager
def account_change() -> Iterator[None]:
    """Commit what is done to accounts inside, with the schema up to date and refusals as one line."""
    set_up()
    with one_line_errors():
        yield
        db.session.commit()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the refusals of the service, the disk and the database into click's one line and exit code 1."""
    try:
        yield
    except ApiError as error:
        raise click.ClickException(error.message) from error
    except OSError as error:
        where = f": {click.format_filename(error.filename)}" if error.filename else ""
        raise click.ClickException(f"{error.strerror or error}{where}") from error
    except (sqlite3.Error, DBAPIError, postgres.LockTaken) as error:
        raise click.ClickException(f"The database refused: {reason(error)}.") from error
    except CommandError as error:
        raise click.ClickException(f"This version cannot use the database, is it a newer one's? {error}.") from error


def refuse_own_folder(folder: Path) -> None:
    """Stop with one line where what is to be written would mix with the uploads, or be served to everyone."""
    if any(folder.is_relative_to(path) for path in (current_app.config["UPLOADS_DIR"], ROOT / "web")):
        raise click.ClickException("DIR lies among the uploads, or in the folder that is served to everyone.")


def existing_user(email: str) -> User:
    """Return the account of `email`; stop with one line when there is none."""
    user = User.by_email(email)
    if user is None:
        raise click.ClickException(f"There is no account {email}.")
    return user

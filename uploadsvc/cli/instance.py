"""What every command begins with: the schema brought up to date, the first account, errors of one line."""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import flask_migrate
from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError, OperationalError

from .. import audit
from ..config import ROOT, ConfigError
from ..errors import ApiError, BadRequest
from ..extensions import db
from ..models import User


def set_up(first_account: bool = False) -> None:
    """Bring the schema to its newest version; of several starts at once, one does it and the others wait."""
    os.umask(0o077)
    with locked("migrate.lock"):
        try:
            flask_migrate.upgrade()
        except DatabaseError as error:
            raise ConfigError(f"DATABASE_URL cannot be used: {error.orig}.") from error
        if first_account and db.session.scalar(select(User.id).limit(1)) is None:
            _make_first_account()
        db.session.remove()


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
    except (sqlite3.Error, OperationalError) as error:
        raise click.ClickException(f"The database refused: {getattr(error, 'orig', error)}.") from error


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

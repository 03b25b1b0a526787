"""The operator's commands: `flask --app wsgi serve | users … | seed | sweep | verify`."""

import fcntl
import hashlib
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import flask_migrate
from flask import Blueprint, Flask, current_app
from flask.cli import AppGroup
from sqlalchemy import delete, select
from sqlalchemy.exc import DatabaseError

from . import server, workers
from .config import ConfigError
from .errors import ApiError, BadRequest
from .extensions import db
from .models import Document, Session, User, now
from .server.deadlines import FLOOR
from .uploads import upload_limits

bp = Blueprint("commands", __name__, cli_group=None)
users = AppGroup("users", help="Add, list and disable accounts, and set their passwords.")
bp.cli.add_command(users)
log = logging.getLogger("uploadsvc.cli")

_password_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_SWEEP_EVERY = 3600  # seconds


@bp.cli.command("serve")
@click.option("--inherited-socket", type=int, hidden=True, help="For workers: the descriptor to listen on.")
def serve(inherited_socket: int | None) -> None:
    """Set the database up, sweep leftovers, and serve."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if inherited_socket is not None:
        server.run(app, socket.socket(fileno=inherited_socket), supervisor=os.getppid())
        return
    _set_up(first_account=True)
    listener = server.listen(app.config["HOST"], app.config["PORT"])
    threading.Thread(target=_sweep_hourly, args=(app,), daemon=True, name="sweeper").start()
    host, port = listener.getsockname()[:2]
    click.echo(f"Serving on http://{host}:{port}")
    if app.config["WORKERS"] == 1:
        server.run(app, listener)
        return
    log.warning("each worker counts sign-in tries for itself, so WORKERS multiplies the limits")
    workers.supervise(listener, app.config["WORKERS"], app.config["DRAIN_SECONDS"])


@users.command("add")
@click.argument("email")
@_password_option
def add(email: str, password_stdin: bool) -> None:
    """Add an account."""
    with _account_change():
        if User.by_email(email):
            raise click.ClickException(f"{email} has an account already.")
        User.create(email, _read_password(password_stdin), current_app.config["BCRYPT_ROUNDS"])
    click.echo(f"Added {email}.")


@users.command("passwd")
@click.argument("email")
@_password_option
def passwd(email: str, password_stdin: bool) -> None:
    """Set an account's password and end its sessions."""
    with _account_change():
        user = _existing(email)
        user.set_password(_read_password(password_stdin), current_app.config["BCRYPT_ROUNDS"])
        user.end_sessions()
    click.echo(f"Changed the password of {email}.")


@users.command("list")
def list_users() -> None:
    """List the accounts."""
    _set_up()
    for user in db.session.scalars(select(User).order_by(User.email)):
        click.echo(f"{user.id}\t{user.email}\t{'active' if user.is_active else 'disabled'}")


@users.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Disable an account and end its sessions; its documents stay."""
    with _account_change():
        user = _existing(email)
        user.is_active = False
        user.end_sessions()
    click.echo(f"Disabled {email}.")


@bp.cli.command("seed")
def seed() -> None:
    """Make the demo account user@example.com."""
    if current_app.config["PUBLIC_URL"].startswith("https://"):
        raise click.ClickException("PUBLIC_URL is https: a public service gets no account whose password is known.")
    with _account_change():
        if not User.by_email("user@example.com"):
            User.create("user@example.com", "Password123!", current_app.config["BCRYPT_ROUNDS"])
    click.echo("Sign in as user@example.com with Password123!")


@bp.cli.command("sweep")
@click.option(
    "--older-than", type=click.IntRange(0), help="Seconds since the last write (default: two longest uploads)."
)
def sweep(older_than: int | None) -> None:
    """Remove leftovers of uploads that never finished, and sessions that are over."""
    _set_up()
    for path in _sweep(older_than):
        click.echo(f"Removed {path}")


@bp.cli.command("verify")
def verify() -> None:
    """Compare every row with its bytes; exit 1 when any are missing or changed."""
    _set_up()
    checked = damaged = 0
    query = select(Document).order_by(Document.id).execution_options(yield_per=500)
    for document in db.session.scalars(query):
        checked += 1
        if fault := _fault(document):
            damaged += 1
            click.echo(f"{document.path}: {fault}", err=True)
    click.echo(f"{checked} documents, {damaged} damaged.")
    if damaged:
        raise SystemExit(1)


def _set_up(first_account: bool = False) -> None:
    """Bring the schema to its newest version; of several starts at once, one does it and the others wait."""
    os.umask(0o077)
    with (current_app.config["INSTANCE_PATH"] / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            flask_migrate.upgrade()
        except DatabaseError as error:
            raise ConfigError(f"DATABASE_URL cannot be used: {error.orig}.") from error
        if first_account and db.session.scalar(select(User.id).limit(1)) is None:
            _make_first_account()
        db.session.remove()


def _make_first_account() -> None:
    email, given = current_app.config["ADMIN_EMAIL"], current_app.config["ADMIN_PASSWORD"]
    password = given or secrets.token_urlsafe(12)
    try:
        User.create(email, password, current_app.config["BCRYPT_ROUNDS"])
        db.session.commit()
    except BadRequest as error:
        raise ConfigError(f"ADMIN_EMAIL or ADMIN_PASSWORD cannot be used: {error.message}") from error
    shown = "the password in ADMIN_PASSWORD" if given else password
    click.echo(f"First account: {email} with {shown}\nTo set another: .venv/bin/flask --app wsgi users passwd {email}")


@contextmanager
def _account_change() -> Iterator[None]:
    _set_up()
    with _one_line_errors():
        yield
        db.session.commit()


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        raise click.ClickException(error.message) from error


def _existing(email: str) -> User:
    user = User.by_email(email)
    if user is None:
        raise click.ClickException(f"There is no account {email}.")
    return user


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _sweep(older_than: float | None) -> Iterator[str]:
    """Remove what no upload can still be writing, and sessions past their end; yield the paths removed."""
    if older_than is None:
        limits = upload_limits(current_app.config)
        older_than = max(3600, 2 * limits.request_bytes / FLOOR)
    db.session.execute(delete(Session).where(Session.expires_at < now()))
    db.session.commit()

    def known(user_id: int) -> set[str]:
        db.session.rollback()  # see what was committed since
        return set(db.session.scalars(select(Document.path).where(Document.user_id == user_id)))

    for path in current_app.extensions["storage"].sweep(known, older_than):
        log.warning("leftover_removed", extra={"path": path.split("-")[0]})
        yield path


def _sweep_hourly(app: Flask) -> None:
    while True:
        with app.app_context():
            try:
                list(_sweep(None))
            except Exception:
                log.exception("sweep_failed")
        time.sleep(_SWEEP_EVERY)


def _fault(document: Document) -> str | None:
    """Return what is wrong with the document's bytes, if anything is."""
    try:
        with current_app.extensions["storage"].open(document.path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return error.strerror
    return None if found == document.sha256 else "the bytes have changed"

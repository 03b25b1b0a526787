"""`users …` and `seed`: accounts and their passwords."""

import re
import sys

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select

from .. import audit
from ..extensions import db
from ..models import User
from .instance import account_change, existing_user, set_up

users = AppGroup("users", help="Add, list and disable accounts, set their passwords, quotas and roles.")

_BYTES = re.compile(r"[0-9]{1,18}")  # what a column holds

_password_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@users.command("add")
@click.argument("email")
@_password_option
@click.option("--collector", is_flag=True, help="It sees, downloads and deletes what everybody uploads.")
def add(email: str, password_stdin: bool, collector: bool) -> None:
    """Add an account."""
    with account_change():
        if User.by_email(email):
            raise click.ClickException(f"{email} has an account already.")
        user = User.create(email, _read_password(password_stdin), current_app.config["BCRYPT_ROUNDS"])
        user.is_collector = collector
    audit.tell("account_added", user_id=user.id)
    if collector:
        audit.tell("collector_changed", user_id=user.id, collector=True)
    click.echo(f"Added {email}.")


@users.command("passwd")
@click.argument("email")
@_password_option
def passwd(email: str, password_stdin: bool) -> None:
    """Set an account's password and end its sessions."""
    with account_change():
        user = existing_user(email)
        user.set_password(_read_password(password_stdin), current_app.config["BCRYPT_ROUNDS"])
        user.end_sessions()
    audit.tell("password_changed", user_id=user.id)
    click.echo(f"Changed the password of {email}.")


@users.command("list")
def list_users() -> None:
    """List the accounts: number, address, active or disabled, bytes kept, bytes allowed (0: any), perhaps collector."""
    set_up()
    for user in db.session.scalars(select(User).order_by(User.email)):
        state = "active" if user.is_active else "disabled"
        role = "\tcollector" if user.is_collector else ""
        click.echo(f"{user.id}\t{user.email}\t{state}\t{user.used_bytes}\t{_allowed(user)}{role}")


@users.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Disable an account and end its sessions; its documents stay."""
    with account_change():
        user = existing_user(email)
        user.is_active = False
        user.end_sessions()
    audit.tell("account_disabled", user_id=user.id)
    click.echo(f"Disabled {email}.")


@users.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Let a disabled account sign in again, with the password it had."""
    with account_change():
        user = existing_user(email)
        user.is_active = True
    audit.tell("account_enabled", user_id=user.id)
    click.echo(f"Enabled {email}.")


@users.command("collector")
@click.argument("email")
@click.argument("state", type=click.Choice(["on", "off"]))
def set_collector(email: str, state: str) -> None:
    """Let an account see, download and delete what everybody uploads, or from now on no more."""
    with account_change():
        user = existing_user(email)
        user.is_collector = state == "on"
    audit.tell("collector_changed", user_id=user.id, collector=user.is_collector)
    click.echo(f"{email} {'sees' if user.is_collector else 'does not see'} what others uploaded.")


@users.command("quota")
@click.argument("email")
@click.argument("quota", metavar="BYTES")
def set_quota(email: str, quota: str) -> None:
    """Set how many bytes an account may keep: a number (10 GiB: $(numfmt --from=iec 10G)), 0 for any, or `default`.

    A quota below what is kept deletes nothing; it only refuses new uploads.
    """
    if quota != "default" and not _BYTES.fullmatch(quota):
        raise click.BadParameter(f"{quota!r} is neither a whole number nor default.", param_hint="BYTES")
    with account_change():
        user = existing_user(email)
        user.quota_bytes = None if quota == "default" else int(quota)
    audit.tell("quota_changed", user_id=user.id, quota_bytes=user.quota_bytes)
    click.echo(f"{email} keeps {user.used_bytes} bytes and may keep {_allowed(user) or 'any number'}.")


@click.command("seed")
@with_appcontext
def seed() -> None:
    """Make the demo account user@example.com."""
    if current_app.config["PUBLIC_URL"].startswith("https://"):
        raise click.ClickException("PUBLIC_URL is https: a public service gets no account whose password is known.")
    with account_change():
        if not User.by_email("user@example.com"):
            user = User.create("user@example.com", "Password123!", current_app.config["BCRYPT_ROUNDS"])
            db.session.commit()
            audit.tell("account_added", user_id=user.id)
    click.echo("Sign in as user@example.com with Password123!")


def _allowed(user: User) -> int:
    return user.account().quota(current_app.config["USER_QUOTA_BYTES"])


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password

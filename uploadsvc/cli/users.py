"""`users …` and `seed`: accounts and their passwords."""

import sys

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select

from ..extensions import db
from ..models import User
from .instance import account_change, existing_user, set_up

users = AppGroup("users", help="Add, list and disable accounts, and set their passwords.")

_password_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@users.command("add")
@click.argument("email")
@_password_option
def add(email: str, password_stdin: bool) -> None:
    """Add an account."""
    with account_change():
        if User.by_email(email):
            raise click.ClickException(f"{email} has an account already.")
        User.create(email, _read_password(password_stdin), current_app.config["BCRYPT_ROUNDS"])
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
    click.echo(f"Changed the password of {email}.")


@users.command("list")
def list_users() -> None:
    """List the accounts."""
    set_up()
    for user in db.session.scalars(select(User).order_by(User.email)):
        click.echo(f"{user.id}\t{user.email}\t{'active' if user.is_active else 'disabled'}")


@users.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Disable an account and end its sessions; its documents stay."""
    with account_change():
        user = existing_user(email)
        user.is_active = False
        user.end_sessions()
    click.echo(f"Disabled {email}.")


@click.command("seed")
@with_appcontext
def seed() -> None:
    """Make the demo account user@example.com."""
    if current_app.config["PUBLIC_URL"].startswith("https://"):
        raise click.ClickException("PUBLIC_URL is https: a public service gets no account whose password is known.")
    with account_change():
        if not User.by_email("user@example.com"):
            User.create("user@example.com", "Password123!", current_app.config["BCRYPT_ROUNDS"])
    click.echo("Sign in as user@example.com with Password123!")


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password

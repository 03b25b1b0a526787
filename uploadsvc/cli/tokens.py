"""`tokens …`: what scripts bear instead of a session."""

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import select

from .. import audit
from ..extensions import db
from ..models import SCOPES, ApiToken, User, rfc3339
from .instance import account_change, existing_user, set_up

tokens = AppGroup("tokens", help="Make, list and revoke the API tokens of scripts.")


@tokens.command("add")
@click.argument("email")
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(SCOPES), default="upload", help="upload (default), or full: read and delete."
)
@click.option("--days", type=int, help="Days until it ends (default: never).")
def add(email: str, name: str, scope: str, days: int | None) -> None:
    """Make a token for an account and print it, this once."""
    with account_change():
        secret = current_app.config["JWT_SECRET"]
        token, text = ApiToken.create(existing_user(email).id, name, scope, days, secret)
    audit.tell("token_created", user_id=token.user_id, target_token_id=token.id)
    click.echo(text)


@tokens.command("list")
@click.argument("email", required=False)
def list_tokens(email: str | None) -> None:
    """List the tokens that were not revoked, of one account or of all: id, e-mail, name, scope, made, used, end."""
    set_up()
    query = select(ApiToken, User.email).join(User, User.id == ApiToken.user_id).where(ApiToken.revoked_at.is_(None))
    if email is not None:
        query = query.where(ApiToken.user_id == existing_user(email).id)
    for token, owner in db.session.execute(query.order_by(ApiToken.id)):
        times = [rfc3339(time) or "never" for time in (token.created_at, token.last_used_at, token.expires_at)]
        click.echo("\t".join([str(token.id), owner, token.name, token.scope, *times]))


@tokens.command("revoke")
@click.argument("token_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
def revoke(token_id: int) -> None:
    """Take a token back; it is refused from here on."""
    set_up()
    token = db.session.get(ApiToken, token_id)
    if token is None or not ApiToken.revoke(token_id, token.user_id):
        raise click.ClickException(f"There is no token {token_id}.")
    audit.tell("token_revoked", user_id=token.user_id, target_token_id=token_id)
    click.echo(f"Revoked {token_id}.")

"""`requests …`: the links by which people without an account send files."""

import click
from flask.cli import AppGroup
from sqlalchemy import ColumnElement, select

from .. import audit
from ..credentials import is_id
from ..extensions import db
from ..models import FileRequest, User, rfc3339
from ..telemetry.logs import printable
from .instance import existing_user, one_line_errors, set_up

requests = AppGroup("requests", help="List and end the links by which people without an account send files.")


@requests.command("list")
@click.argument("email", required=False)
def list_requests(email: str | None) -> None:
    """List the requests that were not deleted: id, e-mail, open or why not, files come, files wanted, end, title."""
    set_up()
    with one_line_errors():
        for user in _users(email):
            for made in reversed(FileRequest.of(user.id)):
                state, end = made.over or "open", rfc3339(made.ended_at or made.expires_at)
                told = (made.public_id, user.email, state, made.files_received, made.max_files, end, made.title)
                click.echo("\t".join(printable(str(value)) for value in told))


@requests.command("end")
@click.argument("request_id", metavar="ID")
def end(request_id: str) -> None:
    """End a request at once; what has come stays."""
    set_up()
    with one_line_errors():
        if not (is_id(request_id) and _ended(FileRequest.public_id == request_id)):
            raise click.ClickException(f"There is no open request {request_id}.")
    click.echo(f"Ended {request_id}.")


@requests.command("end-all")
@click.argument("email", required=False)
def end_all(email: str | None) -> None:
    """End every open request at once, of one account or of all; what has come stays."""
    set_up()
    with one_line_errors():
        ended = _ended(*([] if email is None else [FileRequest.user_id == existing_user(email).id]))
    click.echo(f"Ended {ended} requests.")


def _users(email: str | None) -> list[User]:
    if email is not None:
        return [existing_user(email)]
    return list(db.session.scalars(select(User).order_by(User.id)))


def _ended(*conditions: ColumnElement[bool]) -> int:
    """End the open requests that meet `conditions` and tell the audit trail; return how many there were."""
    ended = FileRequest.end(*conditions)
    for public_id, user_id in ended:
        audit.tell("request_ended", user_id=user_id, target_request=public_id)
    return len(ended)

"""API tokens: list, make and revoke what one's scripts bear."""

import re

from flask import Blueprint, Response, current_app, g, jsonify, request

from . import audit
from .errors import BadRequest, NotFound
from .models import ApiToken
from .principal import Scope, requires

bp = Blueprint("tokens", __name__, url_prefix="/api/tokens")

_ID = re.compile(r"[1-9][0-9]{0,8}")


@bp.get("")
@requires(Scope.SESSION)
def index() -> Response:
    """List the user's tokens, newest first; what has expired is told until it is revoked."""
    return jsonify(ok=True, tokens=[token.as_token() for token in ApiToken.of(g.principal.user_id)])


@bp.post("")
@requires(Scope.SESSION)
def create() -> Response:
    """Make a token and show it, this once; without `expiresInDays` it is good until it is revoked."""
    name, scope, days = _wanted(request.get_json())
    token, text = ApiToken.create(g.principal.user_id, name, scope, days, current_app.config["JWT_SECRET"])
    audit.tell("token_created", target_token_id=token.id)
    return jsonify(ok=True, token=text, **token.as_token())


@bp.delete("/<token_id>")
@requires(Scope.SESSION)
def revoke(token_id: str) -> Response:
    """Take a token back; it is refused from here on."""
    if not _ID.fullmatch(token_id) or not ApiToken.revoke(int(token_id), g.principal.user_id):
        raise NotFound("There is no such token.")
    audit.tell("token_revoked", target_token_id=int(token_id))
    return jsonify(ok=True)


def _wanted(body: object) -> tuple[str, str, int | None]:
    """Return (name, scope, days or None) from a request's body; raise BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("Send a JSON object with the name of the token.")
    name, scope, days = body.get("name"), body.get("scope", "upload"), body.get("expiresInDays")
    if not isinstance(name, str) or not isinstance(scope, str):
        raise BadRequest("A token's name and scope are strings.")
    if days is not None and type(days) is not int:
        raise BadRequest("expiresInDays is a whole number.")
    return name, scope, days

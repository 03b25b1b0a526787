"""File requests: make, list and end one's own, and what their visitors see (contract §9)."""

from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, request

from . import audit
from .credentials import is_id, request_bearer
from .errors import BadRequest, InsufficientScope, NotFound
from .models import DEFAULT_DAYS, DEFAULT_FILES, FileRequest
from .principal import Scope, requires

bp = Blueprint("requests", __name__, url_prefix="/api")


@bp.get("/requests")
@requires(Scope.SESSION)
def index() -> Response:
    """List the user's requests, newest first; what is over is told until it is deleted."""
    return jsonify(ok=True, requests=[_shown(made) for made in FileRequest.of(g.principal.user_id)])


@bp.post("/requests")
@requires(Scope.SESSION)
def create() -> Response:
    """Make a request; without `expiresInDays` and `maxFiles` it takes 100 files in 30 days."""
    made = FileRequest.create(g.principal.user_id, *_wanted(request.get_json()))
    audit.tell("request_made", target_request=made.public_id)
    return jsonify(ok=True, **_shown(made))


@bp.delete("/requests/<request_id>")
@requires(Scope.SESSION)
def delete(request_id: str) -> Response:
    """End a request at once and list it no longer; its documents stay, and say where they came from."""
    if not is_id(request_id) or not FileRequest.delete_own(g.principal.user_id, request_id):
        raise NotFound("There is no such request.")
    audit.tell("request_ended", target_request=request_id)
    return jsonify(ok=True)


@bp.get("/request")
@requires(Scope.UPLOAD)
def visited() -> Response:
    """Show a visitor what he is asked for."""
    visit = g.principal.visit
    if visit is None:
        raise InsufficientScope("request")
    return jsonify(ok=True, **visit.as_seen())


def _shown(made: FileRequest) -> dict[str, Any]:
    """Return the request with its link; the fragment, where the secret stands, reaches no server (RFC 3986 §3.5)."""
    bearer = request_bearer(current_app.config["JWT_SECRET"], made.public_id)
    return made.as_request(f"{current_app.config['PUBLIC_URL']}/request#{bearer}")


def _wanted(body: object) -> tuple[str, str, int, int]:
    """Return (title, note, days, files) from a request's body; raise BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("Send a JSON object with the title of the request.")
    title, note = body.get("title"), body.get("note")
    if not isinstance(title, str) or not isinstance(note, str | None):
        raise BadRequest("A request's title and note are strings.")
    days = _number(body, "expiresInDays", DEFAULT_DAYS)
    return title, note or "", days, _number(body, "maxFiles", DEFAULT_FILES)


def _number(body: dict[str, Any], name: str, default: int) -> int:
    number = body.get(name)
    if number is None:
        return default
    if type(number) is not int:
        raise BadRequest(f"{name} is a whole number.")
    return number

"""Sessions in sight: where one is signed in, and how to end it."""

from typing import Any

from flask import Blueprint, Response, g, jsonify

from .. import audit
from ..credentials import is_id
from ..errors import NotFound
from ..extensions import db
from ..models import Session, User, rfc3339
from ..principal import Scope, requires

bp = Blueprint("sessions", __name__, url_prefix="/api/auth/sessions")


@bp.get("")
@requires(Scope.SESSION)
def index() -> Response:
    """List the user's live sessions, the one used last first."""
    return jsonify(ok=True, sessions=[_shown(session) for session in Session.living(g.principal.user_id)])


@bp.delete("/<session_id>")
@requires(Scope.SESSION)
def end(session_id: str) -> Response:
    """End one of the user's sessions, for every token of it, at once."""
    if not is_id(session_id) or not Session.end_own(g.principal.user_id, session_id):
        raise NotFound("There is no such session, or it has ended.")
    audit.tell("session_ended")
    return jsonify(ok=True)


@bp.delete("")
@requires(Scope.SESSION)
def end_others() -> Response:
    """End every session of the user but the one that asks."""
    db.session.get_one(User, g.principal.user_id).end_sessions(but=g.principal.session_id)
    db.session.commit()
    audit.tell("other_sessions_ended")
    return jsonify(ok=True)


def _shown(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "current": session.id == g.principal.session_id,
        "userAgent": _as_sent(session.user_agent),
        "createdAt": rfc3339(session.created_at),
        "lastUsedAt": rfc3339(session.last_used_at),
        "expiresAt": rfc3339(session.expires_at),
    }


def _as_sent(header: str) -> str:
    """Return the text of a header that WSGI gives as Latin-1, whatever it was (PEP 3333)."""
    return header.encode("latin-1", "replace").decode(errors="replace")

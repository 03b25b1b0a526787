"""Sessions in sight: where one is signed in, and how to end it."""

import logging
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask_jwt_extended import get_jwt, jwt_required

from .errors import NotFound
from .extensions import db
from .models import Session, User, rfc3339

bp = Blueprint("sessions", __name__, url_prefix="/api/auth/sessions")
security = logging.getLogger("uploadsvc.security")


@bp.get("")
@jwt_required()
def index() -> Response:
    """List the user's live sessions, the one used last first."""
    return jsonify(ok=True, sessions=[_shown(session) for session in Session.living(g.user_id)])


@bp.delete("/<session_id>")
@jwt_required()
def end(session_id: str) -> Response:
    """End one of the user's sessions, for every token of it, at once."""
    if not Session.end_own(g.user_id, session_id):
        raise NotFound("There is no such session, or it has ended.")
    security.info("session_ended", extra={"user_id": g.user_id, "remote_addr": request.remote_addr})
    return jsonify(ok=True)


@bp.delete("")
@jwt_required()
def end_others() -> Response:
    """End every session of the user but the one that asks."""
    db.session.get_one(User, g.user_id).end_sessions(but=get_jwt()["sid"])
    db.session.commit()
    security.info("other_sessions_ended", extra={"user_id": g.user_id, "remote_addr": request.remote_addr})
    return jsonify(ok=True)


def _shown(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "current": session.id == get_jwt()["sid"],
        "userAgent": _as_sent(session.user_agent),
        "createdAt": rfc3339(session.created_at),
        "lastUsedAt": rfc3339(session.last_used_at),
        "expiresAt": rfc3339(session.expires_at),
    }


def _as_sent(header: str) -> str:
    """Return the text of a header that WSGI gives as Latin-1, whatever it was (PEP 3333)."""
    return header.encode("latin-1", "replace").decode(errors="replace")

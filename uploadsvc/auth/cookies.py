"""What a sign-in hands out: two tokens, and the three cookies that hold them for a browser."""

from datetime import timedelta
from typing import Any

from flask import Response, current_app, jsonify
from flask_jwt_extended import create_access_token, create_refresh_token, set_access_cookies, set_refresh_cookies

from ..credentials import derive
from ..models import Session, now

ACCESS_LIFE = timedelta(minutes=15)


def mint(session: Session, jti: str) -> tuple[dict[str, Any], str]:
    """Return the answer's body, with a new access token, and the refresh token whose id is `jti`."""
    csrf = derive(current_app.config["JWT_SECRET"], "csrf", session.id, jti)
    claims, identity = {"sid": session.id, "csrf": csrf}, str(session.user_id)
    access = create_access_token(identity, expires_delta=ACCESS_LIFE, additional_claims=claims)
    life = session.expires_at - now()
    refresh_token = create_refresh_token(identity, expires_delta=life, additional_claims=claims | {"jti": jti})
    body = {"ok": True, "accessToken": access, "expiresIn": int(ACCESS_LIFE.total_seconds()), "csrfToken": csrf}
    return body, refresh_token


def with_cookies(body: dict[str, Any], refresh_token: str, session: Session) -> Response:
    """Return `body` with the three cookies; the readable one lives as long as the refresh token."""
    response = jsonify(body)
    life = max(1, round((session.expires_at - now()).total_seconds()))
    set_access_cookies(response, body["accessToken"], max_age=int(ACCESS_LIFE.total_seconds()))
    set_refresh_cookies(response, refresh_token, max_age=life)
    response.set_cookie("csrf_token", body["csrfToken"], max_age=life, **cookie_options())
    return response


def cookie_options() -> dict[str, Any]:
    """Return what the readable cookie is set, and cleared, with."""
    return {"path": "/", "secure": current_app.config["JWT_COOKIE_SECURE"], "samesite": "Lax"}

"""Sign-in and sessions: login, refresh, verify-status, logout, password; the cookies; what every token must prove."""

import re
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from flask_jwt_extended import (
    create_access_token,
    create_refresh_token,
    decode_token,
    get_jwt,
    jwt_required,
    set_access_cookies,
    set_refresh_cookies,
    unset_jwt_cookies,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException, NoAuthorizationError
from jwt import InvalidTokenError

from . import audit
from .credentials import derive
from .errors import (
    ApiError,
    BadRequest,
    CsrfFailed,
    InvalidCredentials,
    SessionEnded,
    TokenExpired,
    Unauthorized,
    answer,
)
from .extensions import db, jwt
from .guard import refused
from .models import Session, User, now
from .throttle import LoginThrottle

bp = Blueprint("auth", __name__, url_prefix="/api/auth")

ACCESS_LIFE = timedelta(minutes=15)
_USER_ID = re.compile(r"[0-9]{1,18}")


def init_app(app: Flask) -> None:
    """Register the routes, the throttle, and one answer for each way a token can be bad: always 401."""
    app.extensions["login_throttle"] = LoginThrottle(app.config["THREADS"])
    app.register_error_handler(CSRFError, lambda _: refused(CsrfFailed()))
    app.register_blueprint(bp)


@bp.post("/login")
def login() -> Response:
    """Exchange e-mail and password for a session, which takes the place of one that the browser had."""
    email, password = _strings("email", "password")
    user = _checked(User.normalise(email), password)
    _end_former_session()
    session, jti = Session.start(user, request.user_agent.string)
    db.session.commit()
    audit.tell("login_succeeded", user_id=user.id)
    body, refresh_token = _mint(session, jti)
    return _with_cookies(body | {"user": {"id": user.id, "email": user.email}}, refresh_token, session)


@bp.post("/refresh")
def refresh() -> Response:
    """Exchange a refresh token, from the cookie or the body, for its one child and a new access token."""
    given = _refresh_in_body()
    claims = _verified(refresh=True, locations=["cookies"]) if given is None else _claims(given, "refresh")
    session, jti = Session.rotate(claims["sid"], claims["jti"], current_app.config["JWT_SECRET"])
    body, refresh_token = _mint(session, jti)
    return _with_cookies(body | ({} if given is None else {"refresh": refresh_token}), refresh_token, session)


@bp.post("/verify-status")
def verify_status() -> Response:
    """Tell who is signed in. It changes nothing, so it wants no CSRF header."""
    try:
        claims = _verified(locations=["headers"])
    except NoAuthorizationError:
        claims = _claims(request.cookies.get("token", ""), "access")
    expires_in = int(claims["exp"] - time.time())
    return jsonify(ok=True, userId=g.user_id, email=g.email, expiresIn=expires_in, csrfToken=claims["csrf"])


@bp.post("/logout")
def logout() -> Response:
    """End the session of the access token or, when that is no good, of the refresh token; clear the cookies."""
    claims = _session_to_end()
    if claims:
        Session.end(claims["sid"])
        audit.tell("logout")
    response = jsonify(ok=True)
    unset_jwt_cookies(response)
    response.delete_cookie("csrf_token", **_cookie_options())
    return response


@bp.post("/password")
@jwt_required()
def password() -> Response:
    """Set a new password and end every other session of the user."""
    current, new = _strings("current", "new")
    user = _checked(g.email, current)
    user.set_password(new, current_app.config["BCRYPT_ROUNDS"])
    user.end_sessions(but=get_jwt()["sid"])
    db.session.commit()
    audit.tell("password_changed")
    return jsonify(ok=True)


def _checked(email: str, password: str) -> User:
    """Return the account of `email` if `password` is its; the try is counted before anything is looked up."""
    throttle, address = current_app.extensions["login_throttle"], request.remote_addr or ""
    with throttle.attempt(address, email):
        user = User.by_email(email)
        right = User.verify(user, password, current_app.config["BCRYPT_ROUNDS"])
    if user is None or not right:
        audit.tell("login_failed", user_id=user.id if user else None)
        raise InvalidCredentials
    throttle.succeeded(address, email)
    g.user_id = user.id
    return user


def _end_former_session() -> None:
    """End the session that the browser's cookies name, whoever's it is (ASVS 5.0 §7.2.4); a script sends none."""
    for kind, name in (("refresh", "refresh_token"), ("access", "token")):
        try:
            claims = _claims(request.cookies.get(name, ""), kind)
        except (ApiError, JWTExtendedException, InvalidTokenError):
            continue
        Session.end(claims["sid"])
        audit.tell("session_replaced", user_id=int(claims["sub"]))


def _strings(*names: str) -> list[str]:
    """Return the named members of the JSON body, each a non-empty string; raise BadRequest."""
    body = request.get_json()
    values = [body.get(name) for name in names] if isinstance(body, dict) else [None]
    if not all(isinstance(value, str) and value for value in values):
        raise BadRequest(f"Send a JSON object with the strings {' and '.join(names)}.")
    return values  # type: ignore[return-value]


def _refresh_in_body() -> str | None:
    body = request.get_json() if request.is_json else None
    if body is not None and not isinstance(body, dict):
        raise BadRequest("Send a JSON object.")
    return body.get("refresh") if body else None


def _mint(session: Session, jti: str) -> tuple[dict[str, Any], str]:
    """Return the answer's body, with a new access token, and the refresh token whose id is `jti`."""
    csrf = derive(current_app.config["JWT_SECRET"], "csrf", session.id, jti)
    claims, identity = {"sid": session.id, "csrf": csrf}, str(session.user_id)
    access = create_access_token(identity, expires_delta=ACCESS_LIFE, additional_claims=claims)
    life = session.expires_at - now()
    refresh_token = create_refresh_token(identity, expires_delta=life, additional_claims=claims | {"jti": jti})
    body = {"ok": True, "accessToken": access, "expiresIn": int(ACCESS_LIFE.total_seconds()), "csrfToken": csrf}
    return body, refresh_token


def _with_cookies(body: dict[str, Any], refresh_token: str, session: Session) -> Response:
    """Return `body` with the three cookies; the readable one lives as long as the refresh token."""
    g.user_id = session.user_id
    response = jsonify(body)
    life = max(1, round((session.expires_at - now()).total_seconds()))
    set_access_cookies(response, body["accessToken"], max_age=int(ACCESS_LIFE.total_seconds()))
    set_refresh_cookies(response, refresh_token, max_age=life)
    response.set_cookie("csrf_token", body["csrfToken"], max_age=life, **_cookie_options())
    return response


def _cookie_options() -> dict[str, Any]:
    return {"path": "/", "secure": current_app.config["JWT_COOKIE_SECURE"], "samesite": "Lax"}


def _verified(**options: Any) -> Mapping[str, Any]:
    """Return the claims of the request's token after every check, CSRF included; raise the library's errors."""
    verify_jwt_in_request(**options)
    return get_jwt()


def _claims(token: str, kind: str) -> Mapping[str, Any]:
    """Return the claims of a good token of `kind` whose session is alive, without asking for CSRF."""
    if not token or not isinstance(token, str):
        raise Unauthorized
    claims = decode_token(token)
    if claims["type"] != kind:
        raise Unauthorized
    if _is_revoked({}, claims):
        raise SessionEnded
    return claims


def _session_to_end() -> Mapping[str, Any] | None:
    options: dict[str, Any]
    for options in ({}, {"refresh": True, "locations": ["cookies"]}):
        try:
            return _verified(**options)
        except CSRFError:
            raise
        except (JWTExtendedException, InvalidTokenError):
            continue
    return None


@jwt.token_in_blocklist_loader
def _is_revoked(_header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Look the token's session up: logout, a new password and a disabled account take effect at once."""
    expected = ("sub", "sid", "jti") if claims["type"] == "refresh" else ("sub", "sid")
    whole = "exp" in claims and all(isinstance(claims.get(name), str) for name in expected)
    if not whole or not _USER_ID.fullmatch(claims["sub"]):
        return True  # signed with our key, but not by us
    email = Session.alive(claims["sid"], int(claims["sub"]))
    if email is not None:
        g.user_id, g.email = int(claims["sub"]), email
    return email is None


@jwt.unauthorized_loader
def _absent(_reason: str) -> Response:
    return answer(Unauthorized())


@jwt.invalid_token_loader
def _invalid(_reason: str) -> Response:
    return answer(Unauthorized("The token is not valid. Sign in again."))


@jwt.expired_token_loader
def _expired(_header: Mapping[str, Any], _claims: Mapping[str, Any]) -> Response:
    return answer(TokenExpired())


@jwt.revoked_token_loader
def _ended(_header: Mapping[str, Any], _claims: Mapping[str, Any]) -> Response:
    return answer(SessionEnded())

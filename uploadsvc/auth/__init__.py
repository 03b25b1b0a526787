"""Sign-in and sessions: login, refresh, verify-status, logout, password; the cookies; what every token must prove."""

import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from flask_jwt_extended import decode_token, get_jwt, unset_jwt_cookies, verify_jwt_in_request
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException, NoAuthorizationError
from jwt import InvalidTokenError

from .. import audit
from ..errors import ApiError, BadRequest, CsrfFailed, InvalidCredentials, SessionEnded, Unauthorized
from ..extensions import db
from ..guard import refused
from ..models import Session, User
from ..principal import Principal, Scope, of_session, requires
from ..throttle import LoginThrottle
from . import sessions
from .cookies import cookie_options, mint, with_cookies

bp = Blueprint("auth", __name__, url_prefix="/api/auth")


def init_app(app: Flask) -> None:
    """Register the routes and the throttle."""
    app.extensions["login_throttle"] = LoginThrottle(app.config["THREADS"], app.extensions["throttle_store"])
    app.register_error_handler(CSRFError, lambda _: refused(CsrfFailed()))
    app.register_blueprint(bp)
    app.register_blueprint(sessions.bp)


@bp.post("/login")
def login() -> Response:
    """Exchange e-mail and password for a session, which takes the place of one that the browser had."""
    email, password = _strings("email", "password")
    user = _checked(User.normalise(email), password)
    _end_former_session()
    session, jti = Session.start(user, request.user_agent.string)
    db.session.commit()
    audit.tell("login_succeeded")
    body, refresh_token = mint(session, jti)
    told = {"id": user.id, "email": user.email, "collector": user.is_collector}
    return with_cookies(body | {"user": told}, refresh_token, session)


@bp.post("/refresh")
def refresh() -> Response:
    """Exchange a refresh token, from the cookie or the body, for its one child and a new access token."""
    given = _refresh_in_body()
    if given is None:
        claims = _verified(refresh=True, locations=["cookies"])
    else:
        claims, g.principal = _claims(given, "refresh")
    session, jti = Session.rotate(claims["sid"], claims["jti"], current_app.config["JWT_SECRET"])
    body, refresh_token = mint(session, jti)
    return with_cookies(body | ({} if given is None else {"refresh": refresh_token}), refresh_token, session)


@bp.post("/verify-status")
def verify_status() -> Response:
    """Tell who is signed in. It changes nothing, so it wants no CSRF header."""
    try:
        claims = _verified(locations=["headers"])
    except NoAuthorizationError:
        claims, g.principal = _claims(request.cookies.get("token", ""), "access")
    account, expires_in = g.principal.account, int(claims["exp"] - time.time())
    told = {"userId": account.user_id, "email": account.email, "collector": bool(account.is_collector)}
    return jsonify(ok=True, **told, expiresIn=expires_in, csrfToken=claims["csrf"])


@bp.post("/logout")
def logout() -> Response:
    """End the session of the access token or, when that is no good, of the refresh token; clear the cookies."""
    claims = _session_to_end()
    if claims:
        Session.end(claims["sid"])
        audit.tell("logout")
    response = jsonify(ok=True)
    unset_jwt_cookies(response)
    response.delete_cookie("csrf_token", **cookie_options())
    return response


@bp.post("/password")
@requires(Scope.SESSION)
def password() -> Response:
    """Set a new password and end every other session of the user."""
    current, new = _strings("current", "new")
    session_id = g.principal.session_id
    user = _checked(g.principal.account.email, current)
    user.set_password(new, current_app.config["BCRYPT_ROUNDS"])
    user.end_sessions(but=session_id)
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
    g.principal = Principal(user.account(), Scope.SESSION)
    return user


def _end_former_session() -> None:
    """End the session that the browser's cookies name, whoever's it is (ASVS 5.0 §7.2.4); a script sends none."""
    for kind, name in (("refresh", "refresh_token"), ("access", "token")):
        try:
            claims, _ = _claims(request.cookies.get(name, ""), kind)
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
    body = request.get_json() if request.is_json else {}
    if not isinstance(body, dict):
        raise BadRequest("Send a JSON object.")
    return body.get("refresh")


def _verified(**options: Any) -> Mapping[str, Any]:
    """Return the claims of the request's token after every check, CSRF included; raise the library's errors."""
    verify_jwt_in_request(**options)
    return get_jwt()


def _claims(token: str, kind: str) -> tuple[Mapping[str, Any], Principal]:
    """Return the claims of a good token of `kind`, without asking for CSRF, and whose live session they name."""
    if not token or not isinstance(token, str):
        raise Unauthorized
    claims = decode_token(token)
    if claims["type"] != kind:
        raise Unauthorized(reason="invalid")
    principal = of_session(claims)
    if principal is None:
        raise SessionEnded
    return claims, principal


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

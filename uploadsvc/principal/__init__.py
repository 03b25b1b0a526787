"""Who is asking, and what may they do: a person with a session, a script with an API token, a file request's visitor.

Asked in two steps: `prove` takes no SQL, so that a server may judge an upload by its headers in its I/O loop, and
`admit` asks the database whether what was proven is still good.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import IntEnum
from functools import wraps
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, g, request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import InvalidTokenError
from sqlalchemy.exc import DBAPIError

from .. import audit
from ..errors import (
    ApiError,
    Busy,
    InsufficientScope,
    SecretRefused,
    SessionEnded,
    TokenExpired,
    TokenRevoked,
    TooManyRequests,
    Unauthorized,
    answer,
)
from ..extensions import jwt
from ..guard import refused
from ..models import Account, ApiToken, FileRequest, Session, Visit, now
from ..throttle import VisitorThrottle
from .proofs import Credential, named_by, prove

__all__ = ["Credential", "Principal", "Scope", "admit", "init_app", "known", "of_session", "prove", "requires"]

_NOTED_EVERY = 60  # seconds


class Scope(IntEnum):
    """What one may do; each includes those before it. A token has one of the first two, a visitor the first."""

    UPLOAD = 1
    FULL = 2  # list, show, download and delete too
    SESSION = 3  # passwords, sessions, tokens and requests too: a person's own business


class Principal(NamedTuple):
    """Who is asking: an account, what it may do this time, and by which session, token or file request it came.

    A visitor acts for the account that made the request, and sees nothing of it.
    """

    account: Account
    scope: Scope
    session_id: str | None = None
    token_id: int | None = None
    visit: Visit | None = None

    @property
    def user_id(self) -> int:
        """Return the account's id."""
        return self.account.user_id

    @property
    def collects(self) -> bool:
        """Tell whether it reaches what others keep: a collector in person, none of his tokens and no visitor of his."""
        return self.scope is Scope.SESSION and bool(self.account.is_collector)


def init_app(app: Flask) -> None:
    """Remember what was proven, and answer every bad token with 401."""
    app.extensions["proven_credentials"] = {}
    app.extensions["token_uses"] = {}
    app.extensions["visitor_throttle"] = VisitorThrottle(app.extensions["throttle_store"])
    app.register_error_handler(SecretRefused, _secret_refused)


def admit(credential: Credential, scope: Scope) -> Principal:
    """Return who is asking, known to the rest of the request as `g.principal`.

    Raises SessionEnded, TokenExpired, TokenRevoked or RequestOver when the credential is good no longer,
    InsufficientScope when it is not enough, TooManyRequests where a visitor comes too often.
    """
    principal = _principal(credential)
    if principal is None:
        raise SessionEnded
    g.principal = principal
    if principal.scope < scope:
        raise InsufficientScope(scope.name.lower())
    return principal


def requires(scope: Scope) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Let only those into a view who may do as much."""

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def guarded(*arguments: Any, **named: Any) -> Response:
            admit(prove(current_app, request), scope)
            return view(*arguments, **named)

        return guarded

    return decorate


def known() -> Principal | None:
    """Return who is asking at an address that is open to everybody, None for a stranger; raise SecretRefused."""
    try:
        return admit(prove(current_app, request), Scope.UPLOAD)
    except SecretRefused:  # nobody guesses here unseen
        raise
    except (ApiError, JWTExtendedException, InvalidTokenError):
        return None


def of_session(claims: Mapping[str, Any]) -> Principal | None:
    """Return whose live session the claims of one of our tokens name, None when it has ended."""
    if claims["type"] == "refresh" and not isinstance(claims.get("jti"), str):
        return None
    credential = named_by(claims)
    return _principal(credential) if credential else None


def _principal(credential: Credential) -> Principal | None:
    if credential.user_id is None:
        return _by_request(credential)
    if credential.token_hash:
        return _by_token(credential.token_hash, credential.user_id)
    return _by_session(credential.session_id, credential.user_id)


def _by_request(credential: Credential) -> Principal:
    throttle: VisitorThrottle = current_app.extensions["visitor_throttle"]
    throttle.visit(request.remote_addr or "", credential.request_id)
    account, visit = FileRequest.visited(credential.request_id)
    return Principal(account, Scope.UPLOAD, visit=visit)


def _by_session(session_id: str, user_id: int) -> Principal | None:
    account = Session.alive(session_id, user_id)
    return Principal(account, Scope.SESSION, session_id=session_id) if account else None


def _by_token(token_hash: str, user_id: int) -> Principal:
    found = ApiToken.find(token_hash, user_id)
    if found is None:
        raise TokenRevoked
    account, token = found
    if token.expires_at is not None and token.expires_at <= now():
        raise TokenExpired("The API token has expired. Make another one.")
    _note_use(token.token_id)
    return Principal(account, Scope[token.scope.upper()], token_id=token.token_id)


def _note_use(token_id: int) -> None:
    """Have the use recorded, tried once a minute: that the database is busy is no reason to refuse a request."""
    tried: dict[int, float] = current_app.extensions["token_uses"]
    moment = time.monotonic()
    if moment - tried.get(token_id, float("-inf")) < _NOTED_EVERY:
        return
    tried[token_id] = moment
    with suppress(Busy, DBAPIError):
        ApiToken.note_use(token_id)


def _secret_refused(error: SecretRefused) -> Response:
    """Log a wrong or misplaced secret, count it against its address, and answer it."""
    audit.tell("request_secret_refused", fault=error.fault)
    try:
        current_app.extensions["visitor_throttle"].wrong(request.remote_addr or "")
    except TooManyRequests as full:
        return refused(full)
    return answer(error)


@jwt.token_in_blocklist_loader
def _is_revoked(_header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Look the token's session up: logout, a new password and a disabled account take effect at once."""
    principal = of_session(claims)
    if principal is not None:
        g.principal = principal
    return principal is None


@jwt.unauthorized_loader
def _absent(_reason: str) -> Response:
    return answer(Unauthorized())


@jwt.invalid_token_loader
def _invalid(_reason: str) -> Response:
    return answer(Unauthorized("The token is not valid. Sign in again.", reason="invalid"))


@jwt.expired_token_loader
def _expired(_header: Mapping[str, Any], _claims: Mapping[str, Any]) -> Response:
    return answer(TokenExpired())


@jwt.revoked_token_loader
def _ended(_header: Mapping[str, Any], _claims: Mapping[str, Any]) -> Response:
    return answer(SessionEnded())

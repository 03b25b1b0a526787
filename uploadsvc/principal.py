"""Who is asking, and what may they do: a person with a session, or a script with an API token.

Asked in two steps: `prove` takes no SQL, so that a server may judge an upload by its headers in its I/O loop, and
`admit` asks the database whether what was proven is still good.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from enum import IntEnum
from functools import wraps
from typing import Any, NamedTuple

from flask import Flask, Request, Response, current_app, g, has_request_context, request
from flask_jwt_extended import get_jwt, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import InvalidTokenError
from sqlalchemy.exc import DBAPIError

from .credentials import TOKEN_PREFIX, digest, is_id, token_owner
from .errors import ApiError, Busy, InsufficientScope, SessionEnded, TokenExpired, TokenRevoked, Unauthorized, answer
from .extensions import jwt
from .guard import SAFE_METHODS
from .models import Account, ApiToken, Session, now

_PROVEN = 1000  # credentials remembered at a time
_NOTED_EVERY = 60  # seconds
_USER_ID = re.compile(r"[0-9]{1,10}")
_MAX_USER_ID = 2**31 - 1  # what a column holds, and PostgreSQL compares with it


class Scope(IntEnum):
    """What one may do; each includes those before it. A token has one of the first two."""

    UPLOAD = 1
    FULL = 2  # list, show, download and delete too
    SESSION = 3  # passwords, sessions and tokens too: a person's own business


class Principal(NamedTuple):
    """Who is asking: an account, what it may do this time, and by which session or token it came."""

    account: Account
    scope: Scope
    session_id: str | None = None
    token_id: int | None = None

    @property
    def user_id(self) -> int:
        """Return the account's id."""
        return self.account.user_id

    @property
    def collects(self) -> bool:
        """Tell whether it reaches what others keep: a collector in person does, a token of a collector's does not."""
        return self.scope is Scope.SESSION and bool(self.account.is_collector)


class Credential(NamedTuple):
    """What a request's headers prove: whose they are, until when (seconds since the epoch), and what to look up."""

    user_id: int
    expires: float
    session_id: str = ""
    token_hash: str = ""


def init_app(app: Flask) -> None:
    """Remember what was proven, and answer every bad token with 401."""
    app.extensions["proven_credentials"] = {}
    app.extensions["token_uses"] = {}


def prove(app: Flask, request: Request) -> Credential:
    """Return what the request's headers prove; raise Unauthorized, TokenExpired or the library's errors.

    A script sends hundreds of files with one token, and checking it is a fifth of the cost of a small upload, so
    what the very same headers proved before is remembered until the token expires.
    """
    headers = [request.environ.get(name) for name in ("HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_X_CSRF_TOKEN")]
    key = (request.method in SAFE_METHODS, *headers)  # those are asked for no CSRF header
    proven: dict[Any, Credential] = app.extensions["proven_credentials"]
    credential = proven.get(key)
    if credential is None or credential.expires <= time.time():
        credential = _proof(app, request)
        if len(proven) >= _PROVEN:
            proven.clear()
        proven[key] = credential
    return credential


def admit(credential: Credential, scope: Scope) -> Principal:
    """Return who is asking, known to the rest of the request as `g.principal`.

    Raises SessionEnded, TokenExpired or TokenRevoked when the credential is good no longer, InsufficientScope when it
    is not enough.
    """
    principal = _by_token(credential) if credential.token_hash else _by_session(credential)
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
    """Return who is asking at an address that is open to everybody, None for a stranger."""
    try:
        return admit(prove(current_app, request), Scope.UPLOAD)
    except (ApiError, JWTExtendedException, InvalidTokenError):
        return None


def of_session(claims: Mapping[str, Any]) -> Principal | None:
    """Return whose live session the claims of one of our tokens name, None when it has ended."""
    if claims["type"] == "refresh" and not isinstance(claims.get("jti"), str):
        return None
    credential = _named_by(claims)
    return _by_session(credential) if credential else None


def _named_by(claims: Mapping[str, Any]) -> Credential | None:
    """Return the session that a token's claims name; None where they are signed with our key, but not by us."""
    user, session = claims.get("sub"), claims.get("sid")
    if "exp" not in claims or not isinstance(user, str) or not isinstance(session, str):
        return None
    if not (_USER_ID.fullmatch(user) and int(user) <= _MAX_USER_ID and is_id(session)):
        return None
    return Credential(int(user), claims["exp"], session_id=session)


def _by_session(credential: Credential) -> Principal | None:
    account = Session.alive(credential.session_id, credential.user_id)
    return Principal(account, Scope.SESSION, session_id=credential.session_id) if account else None


def _proof(app: Flask, request: Request) -> Credential:
    token = _api_token(request)
    if token is not None:
        owner = token_owner(app.config["JWT_SECRET"], token)
        if owner is None:
            raise Unauthorized("The API token is not valid.", reason="invalid")
        return Credential(owner, float("inf"), token_hash=digest(token))
    with ExitStack() as stack:
        if not has_request_context():
            stack.enter_context(app.request_context(request.environ))
        verify_jwt_in_request(skip_revocation_check=True)
        credential = _named_by(get_jwt())
    if credential is None:
        raise SessionEnded
    return credential


def _api_token(request: Request) -> str | None:
    """Return the API token of the Authorization header: a Bearer token (RFC 6750), or Basic's password (RFC 7617)."""
    scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and rest.strip().startswith(TOKEN_PREFIX):
        return rest.strip()
    if scheme.lower() != "basic":
        return None
    given = request.authorization
    password = (given.password if given else None) or ""
    return password if password.startswith(TOKEN_PREFIX) else None  # a proxy may ask for a password of its own


def _by_token(credential: Credential) -> Principal:
    found = ApiToken.find(credential.token_hash, credential.user_id)
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

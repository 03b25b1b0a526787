"""What a request's headers prove, without SQL: a session's token, an API token, or a file request's secret."""

import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple
from urllib.parse import unquote

from flask import Flask, Request, has_request_context
from flask_jwt_extended import get_jwt, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import InvalidTokenError

from ..credentials import TOKEN_PREFIX, digest, holds_bearer, is_id, requested_by, resembles_bearer, token_owner
from ..errors import SecretRefused, SessionEnded, Unauthorized
from ..guard import SAFE_METHODS

_PROVEN = 1000  # credentials remembered at a time
_USER_ID = re.compile(r"[0-9]{1,10}")
_MAX_USER_ID = 2**31 - 1  # what a column holds, and PostgreSQL compares with it


class Credential(NamedTuple):
    """What a request's headers prove: whose they are, until when (seconds since the epoch), and what to look up.

    Of a file request's secret the database alone tells whose it is.
    """

    user_id: int | None
    expires: float
    session_id: str = ""
    token_hash: str = ""
    request_id: str = ""

    @property
    def asker(self) -> dict[str, int | str]:
        """Tell who asks, for the audit trail."""
        return {"file_request": self.request_id} if self.user_id is None else {"user_id": self.user_id}

    @property
    def owner(self) -> int | str:
        """Tell whose open uploads it counts with: the account's, or those by the file request."""
        return self.request_id if self.user_id is None else self.user_id


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


def named_by(claims: Mapping[str, Any]) -> Credential | None:
    """Return the session that a token's claims name; None where they are signed with our key, but not by us."""
    user, session = claims.get("sub"), claims.get("sid")
    if "exp" not in claims or not isinstance(user, str) or not isinstance(session, str):
        return None
    if not (_USER_ID.fullmatch(user) and int(user) <= _MAX_USER_ID and is_id(session)):
        return None
    return Credential(int(user), claims["exp"], session_id=session)


def _proof(app: Flask, request: Request) -> Credential:
    secret = app.config["JWT_SECRET"]
    scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
    bearer = rest.strip() if scheme.lower() == "bearer" else ""  # RFC 6750 §2.1
    token = _basic_password(request) if scheme.lower() == "basic" else bearer
    if token.startswith(TOKEN_PREFIX):
        owner = token_owner(secret, token)
        if owner is None:
            raise Unauthorized("The API token is not valid.", reason="invalid")
        return Credential(owner, float("inf"), token_hash=digest(token))
    if resembles_bearer(bearer):
        request_id = requested_by(secret, bearer)
        if request_id is None:
            raise SecretRefused("wrong")
        return Credential(None, float("inf"), request_id=request_id)
    return _session(app, request)


def _basic_password(request: Request) -> str:
    """Return the password of Basic authentication (RFC 7617); it may be one that a proxy asks for."""
    given = request.authorization
    return (given.password if given else None) or ""


def _session(app: Flask, request: Request) -> Credential:
    """Return the session of the request's JWT; raise SecretRefused where it has none, but a secret in a wrong place."""
    with ExitStack() as stack:
        if not has_request_context():
            stack.enter_context(app.request_context(request.environ))
        try:
            verify_jwt_in_request(skip_revocation_check=True)
        except (JWTExtendedException, InvalidTokenError):
            _refuse_misplaced(request)
            raise
        credential = named_by(get_jwt())
    if credential is None:
        raise SessionEnded
    return credential


def _refuse_misplaced(request: Request) -> None:
    """Refuse a file request's secret where browsers send it by themselves, or where every log on the way keeps it."""
    if holds_bearer(request.environ.get("HTTP_COOKIE", "")):
        raise SecretRefused("cookie")
    if holds_bearer(unquote(request.environ.get("QUERY_STRING", ""))):
        raise SecretRefused("query")

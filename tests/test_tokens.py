"""Tokens that are not good: each is 401 JSON at every door, and none of them ends anybody's session."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, multipart, part
from tests.support.engines import BASE
from tests.support.people import PASSWORD, Person

SECRET = BASE["JWT_SECRET"].encode()
VERIFY, REFRESH, LOGOUT = "/api/auth/verify-status", "/api/auth/refresh", "/api/auth/logout"
Claims = dict[str, Any]
Maker = Callable[[Claims], str]


def spelled(header: bytes, payload: bytes, key: bytes = SECRET, algorithm: str = "sha256") -> str:
    """A compact JWS (RFC 7515 §7.1) of whatever bytes, signed for real."""
    signed = b".".join(base64.urlsafe_b64encode(text).rstrip(b"=") for text in (header, payload))
    signature = base64.urlsafe_b64encode(hmac.digest(key, signed, algorithm)).rstrip(b"=")
    return f"{signed.decode()}.{signature.decode()}"


def with_header(**members: Any) -> Maker:
    header = json.dumps({"alg": "HS256", "typ": "JWT"} | members).encode()
    return lambda claims: spelled(header, json.dumps(claims).encode())


def with_claims(**changed: Any) -> Maker:
    """The good claims, some changed, those that are None left out; signed with the service's own key."""
    return lambda claims: with_header()({k: v for k, v in (claims | changed).items() if v is not None})


def with_signature(key: bytes, algorithm: str = "sha256", name: str = "HS256") -> Maker:
    return lambda claims: spelled(json.dumps({"alg": name}).encode(), json.dumps(claims).encode(), key, algorithm)


def unsigned(claims: Claims) -> str:
    return with_header(alg="none")(claims).rpartition(".")[0] + "."


def other_payload_same_signature(claims: Claims) -> str:
    header, _, signature = with_header()(claims).split(".")
    return f"{header}.{with_claims(sub='2')(claims).split('.')[1]}.{signature}"


def as_public_key(claims: Claims) -> str:
    """An RS256 name over an HMAC: the classic confusion of algorithms."""
    return with_signature(SECRET, name="RS256")(claims)


def deep(levels: int) -> bytes:
    return b'{"alg":"HS256","x":' + b"[" * levels + b"]" * levels + b"}"


DEEP = deep(4_000)
NOW = int(time.time())

BAD: dict[str, Maker] = {
    "empty": lambda _: "",
    "no dots": lambda _: "x",
    "a.b.c": lambda _: "a.b.c",
    "two dots": lambda _: "..",
    "four dots": lambda claims: with_header()(claims) + ".x.y",
    "non-ASCII": lambda _: "é.é.é",
    "a good one with é": lambda claims: with_header()(claims) + "é",
    "alg none": unsigned,
    "alg None, signed": with_header(alg="None"),
    "no alg": lambda claims: spelled(b"{}", json.dumps(claims).encode()),
    "alg a list": with_header(alg=["HS256"]),
    "HS512": with_signature(SECRET, "sha512", "HS512"),
    "HS384": with_signature(SECRET, "sha384", "HS384"),
    "RS256 over an HMAC": as_public_key,
    "another key": with_signature(b"another-secret-of-more-than-32-bytes"),
    "an empty key": with_signature(b""),
    "a foreign payload": other_payload_same_signature,
    "expired": with_claims(exp=NOW - 1),
    "not yet valid": with_claims(nbf=NOW + 3600),
    "issued in the future": with_claims(iat=NOW + 3600),
    "another issuer": with_claims(iss="somebody"),
    "no issuer": with_claims(iss=None),
    "unknown crit": with_header(crit=["exp2"], exp2=True),
    "crit that is not a list": with_header(crit="b64"),
    "unencoded payload": with_header(crit=["b64"], b64=False),
    "nested header": lambda claims: spelled(DEEP, json.dumps(claims).encode()),
    "nested payload": lambda _: spelled(b'{"alg":"HS256"}', DEEP),
    "nested, unsigned": lambda _: spelled(b'{"alg":"HS256"}', DEEP).rpartition(".")[0] + ".x",
    "header a little too nested": lambda claims: spelled(deep(8), json.dumps(claims).encode()),
    "payload a little too nested": with_claims(x=[[[[[[[[1]]]]]]]]),
    "header nested in UTF-16": lambda claims: spelled(deep(100).decode().encode("utf-16"), json.dumps(claims).encode()),
    "too long": with_claims(x="x" * 4096),
    "header a list": lambda claims: spelled(b"[]", json.dumps(claims).encode()),
    "payload a list": lambda _: spelled(b'{"alg":"HS256"}', b"[]"),
    "payload not JSON": lambda _: spelled(b'{"alg":"HS256"}', b"\xff{"),
    "no claims": lambda _: with_header()({}),
    "another user's name": with_claims(sub="2"),
    "no session": with_claims(sid=None),
    "an unknown session": with_claims(sid="0" * 32),
}

# Only who holds the key can make these; the contract's "never 500" has no exception for it.
MALFORMED: dict[str, Maker] = {
    "sub an int": with_claims(sub=1),
    "no sub": with_claims(sub=None),
    "sub a word": with_claims(sub="admin"),
    "sub of thirty digits": with_claims(sub="9" * 30),
    "sid a list": with_claims(sid=["x"]),
    "exp a word": with_claims(exp="soon"),
}
ALL = BAD | MALFORMED


def claims_of(token: str) -> Claims:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.fixture
def browser(alice: Person) -> FlaskClient:
    client = alice.app.test_client()
    client.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    return client


def cookie(browser: FlaskClient, name: str, path: str = "/") -> str:
    found = browser.get_cookie(name, path=path)
    assert found is not None
    return found.value


def csrf(browser: FlaskClient) -> dict[str, str]:
    return {"X-CSRF-Token": cookie(browser, "csrf_token")}


def assert_401(answer: TestResponse) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.mimetype == "application/json"
    assert answer.get_json()["ok"] is False
    assert set(answer.get_json()) == {"ok", "error", "message"}
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Set-Cookie" not in answer.headers


def refresh_claims(browser: FlaskClient) -> Claims:
    return claims_of(cookie(browser, "refresh_token", "/api/auth"))


def test_the_forger_can_make_good_tokens(browser: FlaskClient) -> None:
    """A11: the tokens below differ from a good one in just what their name says."""
    access = with_claims()(claims_of(cookie(browser, "token")))
    assert browser.get("/api/documents", headers={"Authorization": f"Bearer {access}"}).status_code == 200
    assert browser.post(REFRESH, json={"refresh": with_claims()(refresh_claims(browser))}).status_code == 200


def test_what_lies_within_the_bounds_is_left_to_the_library(alice: Person) -> None:
    """A11: eight brackets and 4096 characters are no fault by themselves: the bounds only stand before the parser."""
    claims = claims_of(alice.tokens["accessToken"])
    for token in (spelled(deep(7), json.dumps(claims).encode()), with_claims(x="x" * 2_000)(claims)):
        assert alice.client.get("/api/documents", headers={"Authorization": f"Bearer {token}"}).status_code == 200


# --- the doors of the access token


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_a_bad_bearer_is_401_and_leaves_nothing(alice: Person, unchanged: Callable[[], Any], make: Maker) -> None:
    """A11, A12: for a read, for verify-status, for an upload; the session that it speaks of goes on."""
    headers = {"Authorization": f"Bearer {make(claims_of(alice.tokens['accessToken']))}"}
    with unchanged():
        assert_401(alice.client.get("/api/documents", headers=headers))
        assert_401(alice.client.post(VERIFY, headers=headers))
        body = multipart(part())
        assert_401(alice.client.post("/api/upload", data=body, content_type=CONTENT_TYPE, headers=headers))
    assert alice.get("/api/documents").status_code == 200


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_a_bad_cookie_is_401(alice: Person, make: Maker) -> None:
    """A11, A12: the same in the cookie, whose CSRF value would be right."""
    bad, csrf_value = make(claims_of(alice.tokens["accessToken"])), alice.tokens["csrfToken"]
    headers = {"Cookie": f"token={bad}", "X-CSRF-Token": csrf_value}
    assert_401(alice.client.get("/api/documents", headers=headers))
    assert_401(alice.client.post(VERIFY, headers=headers))
    body = {"current": PASSWORD, "new": "another-passphrase"}
    assert_401(alice.client.post("/api/auth/password", json=body, headers=headers))


AUTHORIZATIONS = [
    "Bearer",
    "Bearer ",
    "Bearer a b",
    "Bearer a Bearer b",
    "Bearer a, Bearer b",
    "Bearer é",
    "Bearer \xa0",
    "Basic YTpi",
    "a",
    ",",
    ", ,a",
    ",\xa0,a",
]


@pytest.mark.parametrize("header", AUTHORIZATIONS)
def test_a_strange_authorization_header_is_401(client: FlaskClient, header: str) -> None:
    """A11: two Bearers, none, or something else altogether."""
    assert_401(client.get("/api/documents", headers={"Authorization": header}))
    assert_401(client.post(VERIFY, headers={"Authorization": header}))


def test_two_good_bearers_are_no_better_than_none(alice: Person) -> None:
    """A11: which of the two is meant is not guessed."""
    token = alice.tokens["accessToken"]
    for glue in (" ", ", "):
        headers = {"Authorization": f"Bearer {token}{glue}Bearer {token}"}
        assert_401(alice.client.get("/api/documents", headers=headers))


# --- one kind of token in the place of the other


def test_a_refresh_token_opens_nothing(browser: FlaskClient) -> None:
    """A11: neither as Bearer nor in the access token's cookie."""
    token = cookie(browser, "refresh_token", "/api/auth")
    headers = {"Authorization": f"Bearer {token}"}
    assert_401(browser.get("/api/documents", headers=headers))
    assert_401(browser.post(VERIFY, headers=headers))
    browser.set_cookie("token", token)
    assert_401(browser.get("/api/documents"))
    assert_401(browser.post(VERIFY))


def test_an_access_token_refreshes_nothing(browser: FlaskClient) -> None:
    """A11: neither in the body nor in the refresh token's cookie, and the family goes on."""
    token, good = cookie(browser, "token"), cookie(browser, "refresh_token", "/api/auth")
    assert_401(browser.post(REFRESH, json={"refresh": token}))
    assert_401(browser.post(REFRESH, headers={"Authorization": f"Bearer {good}"} | csrf(browser), json={"refresh": ""}))
    browser.set_cookie("refresh_token", token, path="/api/auth")
    assert_401(browser.post(REFRESH, headers=csrf(browser)))
    assert browser.post(REFRESH, json={"refresh": good}).status_code == 200


# --- the doors of the refresh token

ODD_ID = {"jti a number": with_claims(jti=5), "no jti": with_claims(jti=None), "jti a list": with_claims(jti=["x"])}


@pytest.mark.parametrize("make", (ALL | ODD_ID).values(), ids=ALL | ODD_ID)
def test_a_bad_refresh_token_is_401_and_ends_nothing(browser: FlaskClient, make: Maker) -> None:
    """A11, A12: in the body and in the cookie; a forgery that names a session is no proof of a theft."""
    bad, stranger = make(refresh_claims(browser)), browser.application.test_client(use_cookies=False)
    assert_401(stranger.post(REFRESH, json={"refresh": bad}))
    assert_401(stranger.post(REFRESH, headers={"Cookie": f"refresh_token={bad}"} | csrf(browser)))
    assert browser.post(REFRESH, headers=csrf(browser)).status_code == 200


@pytest.mark.parametrize("make", [with_claims(jti="forged"), with_claims(jti="")], ids=["forged", "empty"])
def test_a_jti_that_was_never_given_ends_the_family(browser: FlaskClient, make: Maker) -> None:
    """A18: signed by our key, so it was ours: an older token than the parent."""
    assert_401(browser.post(REFRESH, json={"refresh": make(refresh_claims(browser))}))
    assert_401(browser.post(REFRESH, headers=csrf(browser)))


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_logout_with_a_bad_token_ends_no_session(alice: Person, make: Maker) -> None:
    """A11: nobody is signed out by a forgery; logout has no error of its own."""
    headers = {"Authorization": f"Bearer {make(claims_of(alice.tokens['accessToken']))}"}
    assert alice.client.post(LOGOUT, headers=headers).status_code == 200
    assert alice.get("/api/documents").status_code == 200


# --- the CSRF header

ROUTES = ["/api/upload", "/api/auth/password", REFRESH, LOGOUT]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("value", ["é", "\xff" * 32, "€".encode().decode("latin-1")])
def test_a_csrf_header_beyond_ascii_is_401(
    browser: FlaskClient, unchanged: Callable[[], Any], path: str, value: str
) -> None:
    """A13: 401, not the 500 of a comparison that takes only ASCII."""
    with unchanged():
        answer = browser.post(path, headers={"X-CSRF-Token": value})
    assert_401(answer)
    assert answer.get_json()["error"] == "csrf_failed"

"""Sessions: the cookies, the rotation of refresh tokens, and everything that ends a session."""

import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.engines import BASE, Live
from tests.support.people import PASSWORD, Person, csrf, signed_in
from tests.support.stack import change, everything, rows
from uploadsvc.auth import cookies
from uploadsvc.models import accounts

LOGIN, REFRESH, LOGOUT = "/api/auth/login", "/api/auth/refresh", "/api/auth/logout"
VERIFY, PASSWORD_ROUTE = "/api/auth/verify-status", "/api/auth/password"
ALICE = {"email": "alice@example.com", "password": PASSWORD}


def access_token(visitor: FlaskClient) -> str:
    cookie = visitor.get_cookie("token")
    assert cookie is not None
    return cookie.value


def refresh_token(visitor: FlaskClient) -> str:
    cookie = visitor.get_cookie("refresh_token", path="/api/auth")
    assert cookie is not None
    return cookie.value


def set_cookies(answer: TestResponse) -> SimpleCookie:
    cookies = SimpleCookie()
    for header in answer.headers.getlist("Set-Cookie"):
        cookies.load(header)
    return cookies


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def exchanged(app: Flask, token: str) -> TestResponse:
    """What a script gets for a refresh token."""
    return app.test_client(use_cookies=False).post(REFRESH, json={"refresh": token})


def error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json().get("error")


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def expired(token: str) -> str:
    """The same token as it will be after its end."""
    over = {"iat": int(time.time()) - 1000, "nbf": int(time.time()) - 1000, "exp": int(time.time()) - 1}
    return jwt.encode(claims_of(token) | over, BASE["JWT_SECRET"], "HS256")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`later(days=6)`: the service's clock is that much ahead of the real one."""
    real = accounts.now

    def shift(**delta: float) -> None:
        for module in (accounts, cookies):
            monkeypatch.setattr(module, "now", lambda: real() + timedelta(**delta))

    return shift


# --- cookies


@pytest.mark.parametrize("public_url", ["http://files.example.org", "https://files.example.org"])
@pytest.mark.parametrize("route", [LOGIN, REFRESH])
def test_the_cookies_are_as_narrow_as_they_can_be(
    alice: Person, make_app: Callable[..., Flask], public_url: str, route: str
) -> None:
    """A9: life, path, HttpOnly, SameSite and Secure of all three; A10: no Domain, as `__Host-` would have it."""
    token = refresh_token(signed_in(alice.app))
    answer = make_app(PUBLIC_URL=public_url).test_client().post(route, json=ALICE | {"refresh": token})
    cookies, secure = set_cookies(answer), public_url.startswith("https") or ""
    life = {name: round(int(cookie["max-age"]) / 60) for name, cookie in cookies.items()}  # a slow answer takes seconds
    seen = {n: (c["path"], life[n], c["httponly"], c["samesite"], c["secure"]) for n, c in cookies.items()}
    assert seen == {
        "token": ("/", 15, True, "Lax", secure),
        "refresh_token": ("/api/auth", 7 * 24 * 60, True, "Lax", secure),
        "csrf_token": ("/", 7 * 24 * 60, "", "Lax", secure),
    }
    assert {c["domain"] for c in cookies.values()} == {""}


@pytest.mark.parametrize("public_url", ["http://files.example.org", "https://files.example.org"])
def test_logout_clears_each_cookie_where_it_lies(make_app: Callable[..., Flask], public_url: str) -> None:
    """A16: cleared with the same path; a browser ignores a clearing for another."""
    cookies = set_cookies(make_app(PUBLIC_URL=public_url).test_client().post(LOGOUT))
    assert {name: (cookie.value, cookie["path"], cookie["expires"]) for name, cookie in cookies.items()} == {
        "token": ("", "/", "Thu, 01 Jan 1970 00:00:00 GMT"),
        "refresh_token": ("", "/api/auth", "Thu, 01 Jan 1970 00:00:00 GMT"),
        "csrf_token": ("", "/", "Thu, 01 Jan 1970 00:00:00 GMT"),
    }


def test_the_csrf_value_changes_at_every_login_and_refresh(visitor: FlaskClient) -> None:
    values = [csrf(visitor)["X-CSRF-Token"], csrf(signed_in(visitor.application))["X-CSRF-Token"]]
    body = visitor.post(REFRESH, headers=csrf(visitor)).get_json()
    assert body["csrfToken"] == csrf(visitor)["X-CSRF-Token"]
    assert len({*values, body["csrfToken"]}) == 3


def test_the_claims_are_what_the_contract_names(visitor: FlaskClient) -> None:
    access, refresh = claims_of(access_token(visitor)), claims_of(refresh_token(visitor))
    assert {"sub", "iat", "exp", "type", "sid", "csrf"} <= set(access)
    assert (access["type"], refresh["type"]) == ("access", "refresh")
    assert (access["exp"] - access["iat"], isinstance(refresh["jti"], str)) == (900, True)
    assert [access[name] for name in ("sub", "sid", "csrf")] == [refresh[name] for name in ("sub", "sid", "csrf")]


def test_the_identity_is_a_string(visitor: FlaskClient) -> None:
    """A12: `sub` is a string in both tokens."""
    assert claims_of(access_token(visitor))["sub"] == claims_of(refresh_token(visitor))["sub"] == "1"


# --- who is signed in


def test_verify_status_tells_who_is_signed_in(visitor: FlaskClient, alice: Person) -> None:
    """It changes nothing, so cookies do without the CSRF header."""
    by_cookie, by_bearer = visitor.post(VERIFY).get_json(), alice.post(VERIFY).get_json()
    assert set(by_cookie) == {"ok", "userId", "email", "collector", "expiresIn", "csrfToken"}
    assert (by_cookie["email"], by_cookie["userId"]) == (alice.email, alice.tokens["user"]["id"])
    assert 800 < by_cookie["expiresIn"] <= 900
    assert by_cookie["csrfToken"] == csrf(visitor)["X-CSRF-Token"]
    assert by_bearer["csrfToken"] == alice.tokens["csrfToken"]


def test_verify_status_sets_no_cookie(visitor: FlaskClient) -> None:
    assert "Set-Cookie" not in visitor.post(VERIFY).headers


def test_verify_status_of_nobody_is_401(client: FlaskClient) -> None:
    assert error(client.post(VERIFY)) == (401, "unauthorized")


@pytest.mark.parametrize("path", ["/api/documents", VERIFY])
def test_an_expired_bearer_is_not_rescued_by_cookies(visitor: FlaskClient, path: str) -> None:
    """A15: who sends a Bearer token means it."""
    headers = bearer(expired(access_token(visitor))) | csrf(visitor)
    method = "POST" if path == VERIFY else "GET"
    assert error(visitor.open(path, method=method, headers=headers)) == (401, "token_expired")


@pytest.mark.parametrize("path", ["/api/documents", VERIFY])
def test_another_scheme_leaves_the_cookies_to_decide(visitor: FlaskClient, path: str) -> None:
    """A15: `Basic` is not ours, as when a proxy asks for a password of its own."""
    method = "POST" if path == VERIFY else "GET"
    assert visitor.open(path, method=method, headers={"Authorization": "Basic x"}).status_code == 200


# --- a sign-in where there is a session already


def test_a_sign_in_takes_the_place_of_the_browsers_session(visitor: FlaskClient) -> None:
    """K18: the old one ends at once, for its access token and its refresh token (ASVS 7.2.4)."""
    access, refresh = access_token(visitor), refresh_token(visitor)
    assert visitor.post(LOGIN, json=ALICE).status_code == 200
    stranger = visitor.application.test_client(use_cookies=False)
    assert error(stranger.get("/api/documents", headers=bearer(access))) == (401, "session_ended")
    assert error(exchanged(visitor.application, refresh)) == (401, "session_ended")
    assert visitor.get("/api/documents").status_code == 200


@pytest.mark.parametrize("lost", ["token", "refresh_token"])
def test_either_cookie_names_the_session_to_end(visitor: FlaskClient, lost: str) -> None:
    """K18: the access token's has usually expired when somebody signs in again."""
    access = access_token(visitor)
    visitor.delete_cookie(lost, path="/" if lost == "token" else "/api/auth")
    assert visitor.post(LOGIN, json=ALICE).status_code == 200
    stranger = visitor.application.test_client(use_cookies=False)
    assert error(stranger.get("/api/documents", headers=bearer(access))) == (401, "session_ended")


def test_somebody_elses_session_in_the_browser_ends_too(visitor: FlaskClient, bob: Person) -> None:
    """K18: two people at one machine; the cookies of the first would be lost with his session still alive."""
    access = access_token(visitor)
    answer = visitor.post(LOGIN, json={"email": bob.email, "password": PASSWORD})
    assert answer.get_json()["user"]["email"] == bob.email
    stranger = visitor.application.test_client(use_cookies=False)
    assert error(stranger.get("/api/documents", headers=bearer(access))) == (401, "session_ended")


def test_a_refused_sign_in_ends_nothing(visitor: FlaskClient) -> None:
    """K18: only a right password does."""
    assert visitor.post(LOGIN, json=ALICE | {"password": "something-wrong"}).status_code == 401
    assert visitor.get("/api/documents").status_code == 200


def test_a_scripts_sign_in_ends_no_session(alice: Person, visitor: FlaskClient) -> None:
    """K18: a Bearer token does not name a session to replace, and other browsers' sessions are not touched."""
    assert alice.post(LOGIN, json=ALICE).status_code == 200
    assert alice.get("/api/documents").status_code == 200
    assert visitor.get("/api/documents").status_code == 200


@pytest.mark.parametrize("token", ["", "a.b.c", "é", "W10.W10.W10", "x" * 4000])
def test_rubbish_in_the_cookies_does_not_keep_anybody_out(alice: Person, client: FlaskClient, token: str) -> None:
    """K18: nor does a session that has ended, or one token in the place of the other."""
    for value in (token, alice.tokens["accessToken"]):
        client.set_cookie("token", token)
        client.set_cookie("refresh_token", value, path="/api/auth")
        assert client.post(LOGIN, json=ALICE).status_code == 200
    assert alice.get("/api/documents").status_code == 200


# --- logout


def test_logout_ends_the_session_at_once(visitor: FlaskClient) -> None:
    """A16: the access token and the refresh token are refused from then on, wherever they are kept."""
    app, access, refresh = visitor.application, access_token(visitor), refresh_token(visitor)
    assert visitor.post(LOGOUT, headers=csrf(visitor)).get_json() == {"ok": True}
    assert error(app.test_client().get("/api/documents", headers=bearer(access))) == (401, "session_ended")
    assert error(exchanged(app, refresh)) == (401, "session_ended")
    assert visitor.get_cookie("token") is visitor.get_cookie("csrf_token") is None


def test_logout_ends_one_session_only(visitor: FlaskClient, alice: Person, bob: Person) -> None:
    visitor.post(LOGOUT, headers=csrf(visitor))
    assert [person.get("/api/documents").status_code for person in (alice, bob)] == [200, 200]


def test_logout_with_a_bearer_token_ends_its_session(alice: Person) -> None:
    assert alice.post(LOGOUT).status_code == 200
    assert error(alice.get("/api/documents")) == (401, "session_ended")


def test_another_spelling_of_an_ended_token_is_ended_too(alice: Person) -> None:
    """A16: base64url has four spellings of the last character; the session is looked up, not the token's text."""
    token = alice.tokens["accessToken"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    first = alphabet.index(token[-1]) // 4 * 4
    alice.post(LOGOUT)
    for last in alphabet[first : first + 4]:
        assert alice.client.get("/api/documents", headers=bearer(token[:-1] + last)).status_code == 401


def lose_access_token(visitor: FlaskClient) -> None:
    visitor.delete_cookie("token")


def let_access_token_expire(visitor: FlaskClient) -> None:
    visitor.set_cookie("token", expired(access_token(visitor)))


def garble_access_token(visitor: FlaskClient) -> None:
    visitor.set_cookie("token", "a.b.c")


@pytest.mark.parametrize("spoil", [lose_access_token, let_access_token_expire, garble_access_token])
def test_logout_takes_the_refresh_token_when_the_access_token_is_no_good(
    visitor: FlaskClient, spoil: Callable[[FlaskClient], None]
) -> None:
    """A16: whoever comes back after 15 minutes can still end the session."""
    refresh = refresh_token(visitor)
    spoil(visitor)
    answer = visitor.post(LOGOUT, headers=csrf(visitor))
    assert (answer.status_code, set(set_cookies(answer))) == (200, {"token", "refresh_token", "csrf_token"})
    assert error(exchanged(visitor.application, refresh)) == (401, "session_ended")


@pytest.mark.parametrize("token", ["", "a.b.c", "é", "W10.W10.W10", "x" * 4000])
def test_logout_without_a_session_clears_the_cookies(client: FlaskClient, token: str) -> None:
    """A16: a page that holds only rubbish can get rid of it."""
    client.set_cookie("token", token)
    client.set_cookie("refresh_token", token, path="/api/auth")
    answer = client.post(LOGOUT, headers={"X-CSRF-Token": "x"})
    assert (answer.status_code, answer.get_json()) == (200, {"ok": True})
    assert set(set_cookies(answer)) == {"token", "refresh_token", "csrf_token"}


@pytest.mark.parametrize("header", ["Bearer a.b.c", "Bearer", "Bearer a b", "Basic x", "Bearer " + "W" * 9000])
def test_logout_with_a_bad_authorization_is_200(client: FlaskClient, header: str) -> None:
    answer = client.post(LOGOUT, headers={"Authorization": header})
    assert (answer.status_code, set(set_cookies(answer))) == (200, {"token", "refresh_token", "csrf_token"})


def test_logout_twice_is_200_twice(alice: Person) -> None:
    assert [alice.post(LOGOUT).status_code for _ in range(2)] == [200, 200]


# --- refresh


def test_a_refresh_by_cookie_keeps_the_token_out_of_the_answer(visitor: FlaskClient) -> None:
    old = access_token(visitor), refresh_token(visitor)
    body = visitor.post(REFRESH, headers=csrf(visitor)).get_json()
    assert set(body) == {"ok", "accessToken", "expiresIn", "csrfToken"}
    assert body["accessToken"] == access_token(visitor) not in old
    assert refresh_token(visitor) not in old


def test_a_refresh_by_body_answers_with_the_new_token(visitor: FlaskClient) -> None:
    """It needs no CSRF header: no page can send what it does not know."""
    answer = exchanged(visitor.application, refresh_token(visitor))
    body = answer.get_json()
    assert set(body) == {"ok", "accessToken", "expiresIn", "csrfToken", "refresh"}
    assert set_cookies(answer)["refresh_token"].value == body["refresh"]
    assert exchanged(visitor.application, body["refresh"]).status_code == 200


@pytest.mark.parametrize("body", [{}, {"refresh": None}])
def test_a_body_without_a_token_leaves_the_cookie_to_decide(visitor: FlaskClient, body: dict[str, Any]) -> None:
    assert visitor.post(REFRESH, json=body, headers=csrf(visitor)).status_code == 200


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"'])
def test_a_refresh_with_a_body_that_is_no_object_is_400(visitor: FlaskClient, body: bytes) -> None:
    """A8: and the cookie is not looked at."""
    answer = visitor.post(REFRESH, data=body, content_type="application/json", headers=csrf(visitor))
    assert error(answer) == (400, "bad_request")


def test_the_old_access_token_outlives_the_refresh(alice: Person, visitor: FlaskClient) -> None:
    """A request that was under way with it is not lost."""
    token = access_token(visitor)
    visitor.post(REFRESH, headers=csrf(visitor))
    assert alice.client.get("/api/documents", headers=bearer(token)).status_code == 200


def test_an_expired_refresh_token_is_401(visitor: FlaskClient) -> None:
    token = expired(refresh_token(visitor))
    visitor.set_cookie("refresh_token", token, path="/api/auth")
    answers = [exchanged(visitor.application, token), visitor.post(REFRESH, headers=csrf(visitor))]
    assert [error(answer) for answer in answers] == [(401, "token_expired")] * 2


@pytest.mark.parametrize("token", ["", "x", "a.b.c", 5, True, ["a"], {"a": 1}])
def test_a_garbled_refresh_token_is_401(client: FlaskClient, token: Any) -> None:
    assert error(client.post(REFRESH, json={"refresh": token})) == (401, "unauthorized")


def test_a_refresh_of_nobody_is_401(client: FlaskClient) -> None:
    assert error(client.post(REFRESH)) == (401, "unauthorized")


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"{", rb'{"refresh": "\ud800"}', rb'{"refresh": "\u0000"}'])
def test_a_refresh_with_an_odd_body_is_400(visitor: FlaskClient, body: bytes) -> None:
    answer = visitor.post(REFRESH, data=body, content_type="application/json", headers=csrf(visitor))
    assert answer.status_code == 400


# --- rotation


def test_a_token_used_again_after_the_grace_ends_the_family(
    visitor: FlaskClient, later: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """A18: a stolen token is noticed by its second use; the child is refused too, and one line tells the operator."""
    first, access = refresh_token(visitor), access_token(visitor)
    child = exchanged(visitor.application, first).get_json()
    later(seconds=31)
    assert error(exchanged(visitor.application, first)) == (401, "session_ended")
    assert error(exchanged(visitor.application, child["refresh"])) == (401, "session_ended")
    for token in (access, child["accessToken"]):
        assert visitor.application.test_client().get("/api/documents", headers=bearer(token)).status_code == 401
    assert [record.message for record in caplog.records if record.name.endswith("security")] == ["refresh_token_reused"]


def test_a_stolen_token_ends_one_family_only(visitor: FlaskClient, alice: Person) -> None:
    """A18: the user's other sessions go on."""
    first = refresh_token(visitor)
    second = exchanged(visitor.application, first).get_json()["refresh"]
    exchanged(visitor.application, second)
    assert exchanged(visitor.application, first).status_code == 401
    assert alice.get("/api/documents").status_code == 200


def test_within_the_grace_the_parent_yields_the_same_child(visitor: FlaskClient, later: Callable[..., None]) -> None:
    """A20: a lost answer is asked for again; up to 30 s after the first time it is the same child, not a twin."""
    first = refresh_token(visitor)
    one = exchanged(visitor.application, first).get_json()
    later(seconds=29)
    two = exchanged(visitor.application, first).get_json()
    assert claims_of(one["refresh"])["jti"] == claims_of(two["refresh"])["jti"]
    assert one["csrfToken"] == two["csrfToken"]
    assert exchanged(visitor.application, two["refresh"]).status_code == 200


def test_once_the_child_was_used_the_parent_is_reuse(visitor: FlaskClient) -> None:
    """A20: grace or not, the family ends, for somebody else has the child."""
    first = refresh_token(visitor)
    second = exchanged(visitor.application, first).get_json()["refresh"]
    third = exchanged(visitor.application, second).get_json()["refresh"]
    assert error(exchanged(visitor.application, first)) == (401, "session_ended")
    assert error(exchanged(visitor.application, third)) == (401, "session_ended")


def test_a_family_ends_30_days_after_the_sign_in(visitor: FlaskClient, later: Callable[..., None]) -> None:
    """A21: refreshing every six days does not carry a session past its thirtieth."""
    token = refresh_token(visitor)
    for days in (6, 12, 18, 24, 29.9):
        later(days=days)
        answer = exchanged(visitor.application, token)
        token = answer.get_json()["refresh"]
    assert 0 < int(set_cookies(answer)["refresh_token"]["max-age"]) <= 0.1 * 24 * 3600
    later(days=30, minutes=1)
    assert exchanged(visitor.application, token).status_code == 401
    headers = bearer(answer.get_json()["accessToken"])
    assert visitor.application.test_client().get("/api/documents", headers=headers).status_code == 401


def test_a_session_that_is_not_used_for_7_days_is_over(visitor: FlaskClient, later: Callable[..., None]) -> None:
    """A21: the sliding end; a day before it the session can be refreshed."""
    token = refresh_token(visitor)
    later(days=6.9)
    token = exchanged(visitor.application, token).get_json()["refresh"]
    later(days=6.9 + 7.1)
    assert exchanged(visitor.application, token).status_code == 401


def live_refresh(live: Live, token: str) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"refresh": token}).encode()
    status, _, answer = live.request("POST", REFRESH, body, {"Content-Type": "application/json"})
    return status, json.loads(answer)


def live_refresh_token(live: Live) -> str:
    connection = live.http()
    body = json.dumps({"email": "admin@localhost", "password": PASSWORD})
    connection.request("POST", LOGIN, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    cookies = SimpleCookie()
    for header in answer.headers.get_all("Set-Cookie", []):
        cookies.load(header)
    return cookies["refresh_token"].value


def test_twenty_refreshes_at_once_leave_one_child(live: Live) -> None:
    """A19: twenty tabs wake up together; all are answered 200 with the same child, and the family lives on."""
    token, gate = live_refresh_token(live), threading.Barrier(20)

    def wake(_: int) -> tuple[int, dict[str, Any]]:
        gate.wait()
        return live_refresh(live, token)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(wake, range(20)))
    assert [status for status, _ in answers] == [200] * 20
    assert len({claims_of(body["refresh"])["jti"] for _, body in answers}) == 1
    assert len({body["csrfToken"] for _, body in answers}) == 1
    assert live_refresh(live, answers[0][1]["refresh"])[0] == 200
    assert rows(live, "SELECT count(*) FROM sessions WHERE id = :sid", sid=claims_of(token)["sid"]) == [(1,)]


def journals(app: Flask) -> bytes:
    """What SQLite's files hold, the journal's old rows too."""
    return b"".join(path.read_bytes() for path in app.config["INSTANCE_PATH"].glob("app.db*"))


def test_the_database_holds_no_usable_token(visitor: FlaskClient) -> None:
    """A22: neither a token nor the id in it, after a login and after a refresh, in the tables or the journal."""
    tokens = [access_token(visitor), refresh_token(visitor)]
    visitor.post(REFRESH, headers=csrf(visitor))
    tokens += [access_token(visitor), refresh_token(visitor)]
    ids = [claims_of(tokens[1])["jti"], claims_of(tokens[3])["jti"]]
    dump = everything(visitor.application) + journals(visitor.application)
    assert claims_of(tokens[1])["sid"].encode() in dump
    for secret in [*tokens, *ids, PASSWORD, csrf(visitor)["X-CSRF-Token"]]:
        assert secret.encode() not in dump


# --- password change, disabled accounts


def run(app: Flask, *arguments: str, stdin: str = "") -> None:
    assert app.test_cli_runner().invoke(args=arguments, input=stdin).exit_code == 0


def test_a_new_password_ends_every_other_session(alice: Person, visitor: FlaskClient, bob: Person) -> None:
    """A17: the one that set it stays, the others end at once; somebody else's are not touched."""
    refresh = refresh_token(visitor)
    answer = alice.post(PASSWORD_ROUTE, json={"current": PASSWORD, "new": "another-passphrase"})
    assert (answer.status_code, answer.get_json()) == (200, {"ok": True})
    assert error(visitor.get("/api/documents")) == (401, "session_ended")
    assert error(exchanged(alice.app, refresh)) == (401, "session_ended")
    assert [person.get("/api/documents").status_code for person in (alice, bob)] == [200, 200]


def test_a_new_password_replaces_the_old_one(alice: Person, client: FlaskClient) -> None:
    alice.post(PASSWORD_ROUTE, json={"current": PASSWORD, "new": "another-passphrase"})
    assert error(client.post(LOGIN, json=ALICE)) == (401, "invalid_credentials")
    assert client.post(LOGIN, json=ALICE | {"password": "another-passphrase"}).status_code == 200


def test_a_new_password_by_cookie_keeps_the_browsers_session(visitor: FlaskClient) -> None:
    body = {"current": PASSWORD, "new": "another-passphrase"}
    assert visitor.post(PASSWORD_ROUTE, json=body, headers=csrf(visitor)).status_code == 200
    assert visitor.post(REFRESH, headers=csrf(visitor)).status_code == 200


REFUSED = {
    "wrong": ({"current": "something-wrong", "new": "another-passphrase"}, 401, "invalid_credentials"),
    "wrong by length": ({"current": "x" * 73, "new": "another-passphrase"}, 401, "invalid_credentials"),
    "too short": ({"current": PASSWORD, "new": "short"}, 400, "bad_request"),
    "no new one": ({"current": PASSWORD}, 400, "bad_request"),
    "no old one": ({"new": "another-passphrase"}, 400, "bad_request"),
    "not a string": ({"current": PASSWORD, "new": 12345678}, 400, "bad_request"),
}


@pytest.mark.parametrize(("body", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_a_refused_new_password_changes_nothing(
    alice: Person, visitor: FlaskClient, body: dict[str, Any], status: int, code: str
) -> None:
    """A17: no session ends, and the old password still holds."""
    assert error(alice.post(PASSWORD_ROUTE, json=body)) == (status, code)
    assert visitor.get("/api/documents").status_code == 200
    assert visitor.post(LOGIN, json=ALICE).status_code == 200


def test_a_new_password_needs_a_session(client: FlaskClient) -> None:
    body = {"current": PASSWORD, "new": "another-passphrase"}
    assert error(client.post(PASSWORD_ROUTE, json=body)) == (401, "unauthorized")


@pytest.mark.parametrize("command", ["disable", "passwd"])
def test_the_operator_ends_every_session_of_an_account(
    alice: Person, visitor: FlaskClient, bob: Person, command: str
) -> None:
    """A17: disabling an account or setting its password takes effect at once, on access and refresh tokens."""
    refresh = refresh_token(visitor)
    option = ["--password-stdin"] if command == "passwd" else []
    run(alice.app, "users", command, alice.email, *option, stdin="another-passphrase\n")
    assert error(alice.get("/api/documents")) == (401, "session_ended")
    assert error(exchanged(alice.app, refresh)) == (401, "session_ended")
    assert bob.get("/api/documents").status_code == 200


def test_a_session_is_worth_nothing_once_the_account_is_disabled(alice: Person, visitor: FlaskClient) -> None:
    """A17: not even one that nobody ended, as when somebody signed in while the account was being disabled."""
    change(alice.app, "UPDATE users SET is_active = false")
    assert error(alice.get("/api/documents")) == (401, "session_ended")
    assert error(exchanged(alice.app, refresh_token(visitor))) == (401, "session_ended")


def test_a_disabled_account_leaves_nothing_behind(
    alice: Person, unchanged: Callable[[], Any], visitor: FlaskClient
) -> None:
    """A17: uploads of a session that has ended are refused, by token and by cookie."""
    run(alice.app, "users", "disable", alice.email)
    with unchanged():
        assert alice.upload().status_code == 401
        body = multipart(part())
        answer = visitor.post("/api/upload", data=body, content_type=CONTENT_TYPE, headers=csrf(visitor))
        assert answer.status_code == 401


# --- two users

STRANGERS = [("GET", ""), ("GET", "/content"), ("HEAD", "/content"), ("DELETE", "")]


@pytest.mark.parametrize(("method", "suffix"), STRANGERS)
def test_a_stranger_finds_nothing(
    alice: Person, bob: Person, unchanged: Callable[[], Any], method: str, suffix: str
) -> None:
    """A25: somebody else's document is not found, as if it were not there, and stays as it is."""
    [file] = alice.upload().get_json()["files"]
    with unchanged():
        theirs = bob.request(method, f"/api/documents/{file['id']}{suffix}")
        nobodys = bob.request(method, f"/api/documents/{'0' * 32}{suffix}")
    assert (theirs.status_code, theirs.data) == (nobodys.status_code, nobodys.data)
    assert theirs.status_code == 404
    with alice.get(f"/api/documents/{file['id']}/content") as download:
        assert download.data == PDF


def test_a_stranger_lists_nothing(alice: Person, bob: Person) -> None:
    """A25: neither in the list nor by paging from it."""
    [file] = alice.upload().get_json()["files"]
    bob.upload("b.pdf")
    assert [document["filename"] for document in bob.get("/api/documents").get_json()["documents"]] == ["b.pdf"]
    assert error(bob.get(f"/api/documents?before={file['id']}")) == (404, "not_found")


def test_a_strangers_idempotency_key_is_not_ours(alice: Person, bob: Person) -> None:
    """A25: the same key of two users is two uploads."""
    answers = [person.upload(Idempotency_Key="one").get_json()["files"][0] for person in (alice, bob)]
    assert answers[0]["id"] != answers[1]["id"]
    assert answers[0]["savedTo"].rsplit("/", 1)[0] != answers[1]["savedTo"].rsplit("/", 1)[0]


def test_document_ids_cannot_be_guessed(alice: Person) -> None:
    """A25: 128 random bits, of which two uploads in a row share next to nothing."""
    one, two = (alice.upload().get_json()["files"][0]["id"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", one)
    assert bin(int(one, 16) ^ int(two, 16)).count("1") > 20

"""Signing in: who gets in, what a refusal gives away, what a flood costs, and which passwords may be set."""

import json
import sqlite3
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import BASE, PASSWORD, Live, Person
from uploadsvc import create_app
from uploadsvc.config import ConfigError
from uploadsvc.extensions import db
from uploadsvc.models import User

ALICE = "alice@example.com"
LOGIN = "/api/auth/login"


def add_account(app: Flask, password: str = PASSWORD, rounds: int = 4) -> None:
    with app.app_context():
        User.create(ALICE, password, rounds)
        db.session.commit()


def sign_in(app: Flask, password: str = PASSWORD, email: str = ALICE, address: str = "192.0.2.1") -> TestResponse:
    """One try from `address`."""
    body, environ = {"email": email, "password": password}, {"REMOTE_ADDR": address}
    return app.test_client(use_cookies=False).post(LOGIN, json=body, environ_overrides=environ)


def statuses(app: Flask, tries: int, password: str) -> list[int]:
    return [sign_in(app, password).status_code for _ in range(tries)]


def shown(answer: TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Everything of an answer that could give something away."""
    return answer.status_code, answer.data, [pair for pair in answer.headers if pair[0] != "X-Request-ID"]


def stored_hash(app: Flask) -> str:
    with sqlite3.connect(app.config["INSTANCE_PATH"] / "app.db") as database:
        [[stored]] = database.execute("SELECT password_hash FROM users").fetchall()
    database.close()
    return str(stored)


def seconds(action: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


# --- the basics


def test_a_login_answers_with_the_session(app: Flask) -> None:
    add_account(app)
    answer = sign_in(app)
    assert answer.status_code == 200
    body = answer.get_json()
    assert set(body) == {"ok", "accessToken", "expiresIn", "csrfToken", "user"}
    assert (body["ok"], body["expiresIn"], body["user"]["email"]) == (True, 900, ALICE)


@pytest.mark.parametrize("email", ["ALICE@Example.COM", " alice@example.com\t"])
def test_an_address_is_compared_without_case_and_blanks(app: Flask, email: str) -> None:
    add_account(app)
    assert sign_in(app, email=email).get_json()["user"]["email"] == ALICE


def test_a_wrong_password_is_refused_without_a_cookie(app: Flask) -> None:
    add_account(app)
    answer = sign_in(app, "a-fine-passphrasE")
    assert answer.status_code == 401
    assert answer.get_json()["error"] == "invalid_credentials"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("body", [{}, {"email": ALICE}, {"password": PASSWORD}, {"email": ALICE, "password": ""}])
def test_an_incomplete_login_is_400(client: FlaskClient, body: dict[str, str]) -> None:
    answer = client.post(LOGIN, json=body)
    assert (answer.status_code, answer.get_json()["ok"]) == (400, False)


# --- passwords

TOO_LONG = {"73 ASCII characters": "x" * 73, "37 characters of two bytes": "é" * 37, "10 000": "x" * 10_000}


@pytest.mark.parametrize("password", TOO_LONG.values(), ids=TOO_LONG)
def test_an_account_is_not_made_with_more_than_72_bytes(app: Flask, password: str) -> None:
    """A1: where an account is made, the refusal names the limit and leaves no row."""
    result = app.test_cli_runner().invoke(args=["users", "add", ALICE, "--password-stdin"], input=password + "\n")
    assert result.exit_code != 0
    assert "72 bytes" in result.output
    with app.app_context():
        assert User.by_email(ALICE) is None


@pytest.mark.parametrize("password", TOO_LONG.values(), ids=TOO_LONG)
def test_more_than_72_bytes_are_simply_wrong_at_sign_in(app: Flask, password: str) -> None:
    """A1: byte for byte the answer to any wrong password."""
    add_account(app)
    assert shown(sign_in(app, password)) == shown(sign_in(app, "something-wrong"))


def test_what_follows_the_72nd_byte_is_not_ignored(app: Flask) -> None:
    """A1: 72 bytes are a password, the same 72 and one more are not that password."""
    add_account(app, "é" * 36)
    assert sign_in(app, "é" * 36).status_code == 200
    assert sign_in(app, "é" * 36 + "x").status_code == 401


def test_64_characters_count_to_the_last(app: Flask) -> None:
    """A2: a password of 64 ASCII characters is told from one that differs in the last."""
    add_account(app, "p" * 63 + "q")
    assert sign_in(app, "p" * 64).status_code == 401
    assert sign_in(app, "p" * 63 + "q").status_code == 200


UNFIT = {
    "7 characters": ("Zu9!xq-", "8 characters"),
    "7 characters, 14 bytes": ("é" * 7, "8 characters"),
    "73 bytes": ("x" * 73, "72 bytes"),
    "74 bytes, 37 characters": ("é" * 37, "72 bytes"),
    "common": ("password1", "guessed"),
    "common, other case": ("PassWord1", "guessed"),
    "common digits": ("12345678", "guessed"),
    "common row": ("qwertyuiop", "guessed"),
    "the e-mail": ("alice@example.com", "guessed"),
    "the e-mail, other case": ("Alice@Example.Com", "guessed"),
}


@pytest.mark.parametrize(("new", "reason"), UNFIT.values(), ids=UNFIT)
def test_an_unfit_password_is_not_set(alice: Person, new: str, reason: str) -> None:
    """A3: 400 with the reason, and the old one still holds."""
    answer = alice.post("/api/auth/password", json={"current": PASSWORD, "new": new})
    assert answer.status_code == 400
    assert reason in answer.get_json()["message"]
    assert sign_in(alice.app).status_code == 200


FIT = {
    "8 characters": "xkcdfour",
    "8 characters of two bytes": "éèêëàâîï",
    "no digit, no capital": "correct horse battery staple",
    "one letter, often": "zzzzzzzzz",
    "72 bytes": "y" * 72,
    "emoji": "🙂🙃" * 4,
}


@pytest.mark.parametrize("new", FIT.values(), ids=FIT)
def test_any_mix_of_8_characters_to_72_bytes_will_do(alice: Person, new: str) -> None:
    """A3: there is no composition rule."""
    assert alice.post("/api/auth/password", json={"current": PASSWORD, "new": new}).status_code == 200
    assert sign_in(alice.app, new).status_code == 200


def test_a_login_brings_an_old_hash_to_the_configured_cost(make_app: Callable[..., Flask]) -> None:
    """A4: the hash tells its cost, and a sign-in at a higher one hashes anew; the password stays."""
    add_account(make_app())
    app = make_app(BCRYPT_ROUNDS=5)
    assert stored_hash(app).startswith("$2b$04$")
    assert [sign_in(app).status_code, sign_in(app).status_code] == [200, 200]
    assert stored_hash(app).startswith("$2b$05$")


def test_a_wrong_password_leaves_the_old_hash(make_app: Callable[..., Flask]) -> None:
    """A4: only the right password is hashed anew."""
    add_account(make_app())
    app = make_app(BCRYPT_ROUNDS=5)
    assert sign_in(app, "something-wrong").status_code == 401
    assert stored_hash(app).startswith("$2b$04$")


def test_the_cost_is_12_when_nobody_says_otherwise(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: the default is well over 10."""
    monkeypatch.delenv("BCRYPT_ROUNDS", raising=False)
    app = make_app(BCRYPT_ROUNDS="")
    app.test_cli_runner().invoke(args=["users", "add", ALICE, "--password-stdin"], input=PASSWORD + "\n")
    assert stored_hash(app).startswith("$2b$12$")


# --- what a refusal gives away


def test_nobody_a_wrong_password_and_a_disabled_account_look_alike(app: Flask) -> None:
    """A5: unknown user and wrong password cannot be told apart, nor can a disabled account."""
    add_account(app)
    wrong, nobody = sign_in(app, "something-wrong"), sign_in(app, "something-wrong", "nobody@example.com")
    app.test_cli_runner().invoke(args=["users", "disable", ALICE])
    assert shown(wrong) == shown(nobody) == shown(sign_in(app))


def test_a_name_without_an_account_is_throttled_like_any_other(app: Flask) -> None:
    """A5: the 429 does not tell which names exist."""
    add_account(app)
    tries = {email: [sign_in(app, "wrong", email).status_code for _ in range(11)] for email in (ALICE, "x@example.com")}
    assert tries[ALICE] == tries["x@example.com"] == [401] * 10 + [429]


def test_nobody_takes_as_long_as_a_wrong_password(make_app: Callable[..., Flask]) -> None:
    """A5: the medians of 30 tries lie within 20 % of each other."""
    app = make_app(BCRYPT_ROUNDS=10)
    add_account(app, rounds=10)
    sign_in(app, "warm-up", "nobody@example.com", "203.0.113.1")
    took: dict[str, list[float]] = {ALICE: [], "nobody@example.com": []}
    for n in range(30):
        for email, times in took.items():
            times.append(seconds(lambda email=email, n=n: sign_in(app, "wrong", email, f"198.51.100.{n}")))
    known, unknown = (statistics.median(times) for times in took.values())
    assert 0.8 < known / unknown < 1.25


# --- throttling


def test_ten_wrong_passwords_close_the_door_for_a_while(app: Flask) -> None:
    """A6: then even the right one is refused, and the answer says when to come back."""
    add_account(app)
    assert statuses(app, 10, "something-wrong") == [401] * 10
    answer = sign_in(app)
    assert (answer.status_code, answer.get_json()["error"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 15 * 60
    assert "Set-Cookie" not in answer.headers


def test_a_throttled_try_costs_no_password_check(make_app: Callable[..., Flask]) -> None:
    """A6: it is refused before bcrypt runs, so it takes a fraction of the time."""
    app = make_app(BCRYPT_ROUNDS=10)
    add_account(app, rounds=10)
    checked = [seconds(lambda: sign_in(app, "wrong")) for _ in range(10)]
    refused = [seconds(lambda: sign_in(app, "wrong")) for _ in range(10)]
    assert statistics.median(refused) < statistics.median(checked) / 3


def test_a_success_resets_the_count(app: Flask) -> None:
    """A6: nine wrong, one right, and nine more may be wrong."""
    add_account(app)
    assert statuses(app, 9, "something-wrong") + statuses(app, 1, PASSWORD) == [401] * 9 + [200]
    assert statuses(app, 9, "something-wrong") + statuses(app, 1, PASSWORD) == [401] * 9 + [200]


def test_an_address_is_counted_over_all_accounts(app: Flask) -> None:
    """A6: sixty tries from one address, whatever the names; another address is not affected."""
    add_account(app)
    tries = [sign_in(app, "wrong", f"user{n}@example.com").status_code for n in range(61)]
    assert tries == [401] * 60 + [429]
    assert sign_in(app, address="192.0.2.2").status_code == 200


def test_the_addresses_of_one_ipv6_network_count_as_one(app: Flask) -> None:
    """A6: whoever holds a /64 has no 2^64 tries."""
    add_account(app)
    tries = [sign_in(app, "wrong", address=f"2001:db8::{n}").status_code for n in range(11)]
    assert tries == [401] * 10 + [429]
    assert sign_in(app, address="2001:db8:0:1::1").status_code == 200


def test_strangers_cannot_lock_the_owner_out(app: Flask) -> None:
    """A6: an account takes a hundred tries from unknown addresses an hour; from a known one its owner still gets in."""
    add_account(app)
    assert sign_in(app, address="192.0.2.7").status_code == 200
    tries = [sign_in(app, "wrong", address=f"198.51.100.{n}").status_code for n in range(101)]
    assert tries == [401] * 99 + [429] * 2  # the owner's first sign-in was one of the hundred
    assert sign_in(app, address="203.0.113.9").status_code == 429
    assert sign_in(app, address="192.0.2.7").status_code == 200


def test_the_password_route_is_throttled_too(alice: Person) -> None:
    """A6: a stolen access token is no way to guess the password."""
    guess = {"current": "something-wrong", "new": "another-passphrase"}
    tries = [alice.post("/api/auth/password", json=guess).status_code for _ in range(11)]
    assert tries == [401] * 10 + [429]


def attempt(live: Live, email: str) -> tuple[int, dict[str, str]]:
    body = json.dumps({"email": email, "password": "something-wrong"}).encode()
    status, headers, _ = live.request("POST", LOGIN, body, {"Content-Type": "application/json"})
    return status, headers


def test_tries_at_once_are_counted_before_they_are_checked(live: Live) -> None:
    """A6: of twenty wrong passwords at once no more than ten are looked at."""
    with ThreadPoolExecutor(20) as pool:
        tries = [status for status, _ in pool.map(lambda _: attempt(live, "admin@localhost"), range(20))]
    assert set(tries) <= {401, 429}
    assert tries.count(401) <= 10


def test_a_flood_of_logins_leaves_a_thread_for_the_others(start: Callable[..., Live]) -> None:
    """A7: during 20 logins at once, reads are answered within a second, or three password checks if that is longer."""
    live = start(BCRYPT_ROUNDS="12")
    alice, check = live.login(), seconds(live.login)
    with ThreadPoolExecutor(20) as pool:
        logins = [pool.submit(attempt, live, f"user{n}@example.com") for n in range(20)]
        waits = [seconds(lambda: live.request("GET", "/api/documents", headers=alice)) for _ in range(5)]
        assert live.upload(alice)[0] == 200
    assert max(waits) < max(1, 3 * check)
    refused = [headers for status, headers in (login.result() for login in logins) if status != 401]
    assert len(refused) < 20
    assert all(int(headers["retry-after"]) >= 1 for headers in refused)


# --- bodies

ODD = {
    "a list": b"[1]",
    "a string": b'"x"',
    "null": b"null",
    "NaN": b"NaN",
    "NaN within": b'{"email": "a@example.com", "password": NaN}',
    "Infinity within": b'{"email": "a@example.com", "password": -Infinity}',
    "a number": b'{"email": 1, "password": 2}',
    "a list for a password": b'{"email": "a@example.com", "password": ["x"]}',
    "another member": b'{"username": 1}',
    "a lone surrogate": rb'{"email": "a@example.com", "password": "\ud800"}',
    "a lone surrogate in a name": rb'{"email": "a@example.com", "password": "x", "\udfff": 1}',
    "NUL in the password": rb'{"email": "a@example.com", "password": "a\u0000b"}',
    "NUL in the address": rb'{"email": "a\u0000@example.com", "password": "x"}',
    "NUL in a name": rb'{"email": "a@example.com", "password": "x", "\u0000": 1}',
    "NUL after a backslash": rb'{"email": "a@example.com", "password": "\\\u0000"}',
    "15 000 open lists": b"[" * 15_000,
    "2 500 nested objects": b'{"a":' * 2_500 + b"1" + b"}" * 2_500,
    "half a document": b'{"email": "a@example.com"',
    "not UTF-8": b'{"email": "\xff", "password": "x"}',
    "a number of 5 000 digits": b'{"email": ' + b"1" * 5_000 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_an_odd_body_is_400(client: FlaskClient, body: bytes) -> None:
    """A8: whatever JSON can hold, or nearly hold, is no fault of ours."""
    answer = client.post(LOGIN, data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.get_json()["ok"] is False


def test_no_depth_slips_between_two_limits(client: FlaskClient) -> None:
    """A8: what can just be read must also be looked through; every depth around the interpreter's limit is 400."""
    bodies = [b'{"email": ' + b"[" * depth + b"]" * depth + b"}" for depth in range(800, 1020)]
    assert {client.post(LOGIN, data=b, content_type="application/json").status_code for b in bodies} == {400}


@pytest.mark.parametrize("password", [r"back\u0000slash", "\\" * 8, "täglich-🙂"])
def test_an_unusual_password_is_only_wrong(client: FlaskClient, password: str) -> None:
    """A8: what merely looks like an escape sequence passes."""
    assert client.post(LOGIN, json={"email": ALICE, "password": password}).status_code == 401


@pytest.mark.parametrize("mimetype", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_login_that_is_not_json_is_415(client: FlaskClient, mimetype: str) -> None:
    """A8: a form cannot sign anybody in."""
    body = json.dumps({"email": ALICE, "password": PASSWORD})
    answer = client.post(LOGIN, data=body, headers={"Content-Type": mimetype})
    assert (answer.status_code, answer.get_json()["error"]) == (415, "unsupported_type")


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"email": "' + b"x" * 16_384 + b'"}'], ids=["deep", "long"])
def test_a_body_over_16_kib_is_413(client: FlaskClient, body: bytes) -> None:
    """A8: nobody's name and password are that long."""
    answer = client.post(LOGIN, data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["error"]) == (413, "too_large")


# --- the secret


@pytest.mark.parametrize("secret", ["0123456789abcdefghijklmnopqrstu", "your-secret-key", "change-me", "a" * 40])
def test_a_weak_secret_stops_the_start_with_one_line(tmp_path: Path, secret: str) -> None:
    """A14: short, or the sample value of the original's document, or one letter over and over."""
    with pytest.raises(ConfigError) as stopped:
        create_app(BASE | {"INSTANCE_PATH": str(tmp_path), "JWT_SECRET": secret})
    assert str(stopped.value).startswith("JWT_SECRET ")
    assert "\n" not in str(stopped.value)
    assert secret not in str(stopped.value)


def test_a_server_with_a_weak_secret_does_not_start(start: Callable[..., Live]) -> None:
    """A14: the process exits non-zero and says one line."""
    refused = start(wait=False, JWT_SECRET="too-short")
    assert refused.process.wait(20) != 0
    [line] = refused.log.read_text().splitlines()
    assert line.startswith("JWT_SECRET ")


def test_without_a_secret_one_is_made_and_kept(make_app: Callable[..., Flask]) -> None:
    """A14: made once, readable by its owner alone, so that a restart ends no session."""
    app = make_app(JWT_SECRET="")
    add_account(app)
    token = sign_in(app).get_json()["accessToken"]
    file = app.config["INSTANCE_PATH"] / "jwt_secret"
    assert (file.stat().st_mode & 0o777, len(file.read_bytes()) >= 32) == (0o600, True)
    again = make_app(JWT_SECRET="").test_client()
    assert again.get("/api/documents", headers={"Authorization": f"Bearer {token}"}).status_code == 200

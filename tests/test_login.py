"""Signing in: who gets in, what a refusal gives away, what a flood costs, and which passwords may be set."""

import http.client
import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.clock import allowance
from tests.support.engines import BASE, Live
from tests.support.people import PASSWORD, Person
from tests.support.stack import rows
from uploadsvc import create_app, credentials
from uploadsvc.config import ConfigError
from uploadsvc.errors import TooManyRequests
from uploadsvc.extensions import StrictJSON, db
from uploadsvc.models import User
from uploadsvc.throttle import BoundedMemory, LoginThrottle

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
    [[stored]] = rows(app, "SELECT password_hash FROM users")
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
    "the last of the list": ("winter2026", "guessed"),
    "the 10 000th commonest": ("desmond1", "guessed"),
    "with a #": ("#1stunna", "guessed"),
    "with blanks": ("friend of emily", "guessed"),
    "the e-mail": ("alice@example.com", "guessed"),
    "the e-mail, other case": ("Alice@Example.Com", "guessed"),
}


@pytest.mark.parametrize(("new", "reason"), UNFIT.values(), ids=UNFIT)
def test_an_unfit_password_is_not_set(alice: Person, new: str, reason: str) -> None:
    """A3, K19: 400 with the reason, and the old one still holds."""
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


def test_the_list_of_common_passwords_is_long_and_names_its_source() -> None:
    """K19: what is left of the 20 000 most common ones when those that are too short anyway are gone."""
    lines = Path(credentials.__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if not line.startswith("# ")]
    assert len(words) == len(set(words)) > 8_000
    assert {word for word in words if len(word) < 8 or word != word.lower()} == set()
    assert {"Source", "Redistribution"} <= set(" ".join(lines[:30]).replace(":", " ").split())


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


@pytest.mark.alone
def test_nobody_takes_as_long_as_a_wrong_password(make_app: Callable[..., Flask]) -> None:
    """A5: the medians of 30 tries lie within 20 % of each other."""
    app = make_app(BCRYPT_ROUNDS=10)
    add_account(app, rounds=10)
    took: dict[str, list[float]] = {ALICE: [], "nobody@example.com": []}
    for n in range(30):
        for email, times in took.items():
            times.append(seconds(lambda email=email, n=n: sign_in(app, "wrong", email, f"198.51.100.{n}")))
    known, unknown = (statistics.median(times) for times in took.values())
    assert 0.8 < known / unknown < 1.25


@pytest.mark.alone
@pytest.mark.parametrize("rounds", [4, 9])
def test_a_cheaper_hash_does_not_tell_that_there_is_an_account(make_app: Callable[..., Flask], rounds: int) -> None:
    """K17, A5: after BCRYPT_ROUNDS was raised, a wrong password against an old hash takes as long as nobody's."""
    app = make_app(BCRYPT_ROUNDS=10)
    add_account(app, rounds=rounds)
    took: dict[str, list[float]] = {ALICE: [], "nobody@example.com": []}
    for n in range(21):
        for email, times in took.items():
            times.append(seconds(lambda email=email, n=n: sign_in(app, "wrong", email, f"198.51.100.{n}")))
    known, unknown = (statistics.median(times) for times in took.values())
    assert 0.8 < known / unknown < 1.25


@pytest.mark.alone
def test_a_right_password_of_a_disabled_account_takes_as_long_as_a_wrong_one(make_app: Callable[..., Flask]) -> None:
    """K17, A5: with an old hash too, where the check alone would be over at once."""
    app = make_app(BCRYPT_ROUNDS=10)
    add_account(app, rounds=4)
    app.test_cli_runner().invoke(args=["users", "disable", ALICE])
    took: dict[str, list[float]] = {PASSWORD: [], "something-wrong": []}
    for n in range(21):
        for password, times in took.items():
            times.append(seconds(lambda p=password, n=n: sign_in(app, p, address=f"198.51.100.{n}")))
    right, wrong = (statistics.median(times) for times in took.values())
    assert 0.8 < right / wrong < 1.25


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


def stranger_signs_in(live: Live, address: str, email: str) -> int:
    """One wrong password from an address of this machine's own, which has 2^24 of them."""
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60, source_address=(address, 0))
    try:
        body = json.dumps({"email": email, "password": "something-wrong"})
        connection.request("POST", LOGIN, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@contextmanager
def flood(live: Live, strangers: int, email: str) -> Iterator[list[float]]:
    """Strangers who sign in as hard as they can, each try from a fresh address; yields how long each check took.

    A `{}` in `email` is another account each time, so that no window fills.
    """
    checks: list[float] = []
    over = threading.Event()
    numbers = itertools.count(2**16)  # 127.1.0.0

    def stranger(_: int) -> None:
        while not over.is_set():
            n, begun = next(numbers), time.perf_counter()
            address = f"127.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
            if stranger_signs_in(live, address, email.format(n)) == 401:
                checks.append(time.perf_counter() - begun)

    with ThreadPoolExecutor(strangers) as pool:
        tries = [pool.submit(stranger, n) for n in range(strangers)]
        try:
            yield checks
        finally:
            over.set()
    for one in tries:
        one.result()


def test_a_flood_of_logins_leaves_a_thread_for_the_others(start: Callable[..., Live]) -> None:
    """A7: during a flood of sign-ins a read waits a fraction of what a password check takes meanwhile."""
    live = start(BCRYPT_ROUNDS="11")
    alice, waits = live.login(), []
    with flood(live, 20, "user{}@example.com") as checks:
        while len(checks) < 10:
            waits.append(seconds(lambda: live.request("GET", "/api/documents", headers=alice)))
        assert live.upload(alice)[0] == 200
    # With every thread in bcrypt a read would stand in the same queue as the checks and wait as long.
    assert statistics.median(waits) < statistics.median(checks) / 2


def test_a_refusal_for_want_of_a_place_says_when_to_come_back(start: Callable[..., Live]) -> None:
    """A7: of twenty sign-ins at once some find no place, and none is answered otherwise than 401 or 429."""
    live = start(BCRYPT_ROUNDS="11")
    with ThreadPoolExecutor(20) as pool:
        tries = list(pool.map(lambda n: attempt(live, f"user{n}@example.com"), range(20)))
    refused = [headers for status, headers in tries if status != 401]
    assert 0 < len(refused) < 20
    assert {status for status, _ in tries} == {401, 429}
    assert all(int(headers["retry-after"]) >= 1 for headers in refused)


# --- the owner among strangers


@pytest.mark.parametrize("email", ["admin@localhost", "user{}@example.com"])
def test_an_owner_gets_in_at_the_first_try_while_strangers_do_not_rest(start: Callable[..., Live], email: str) -> None:
    """K10: eight strangers, at his account or at others; he comes from an address that has signed in before."""
    live = start(BCRYPT_ROUNDS="11")
    live.login()
    with flood(live, 8, email) as checks:
        for _ in range(5):
            live.login()
            seen = len(checks)
            while email != "admin@localhost" and len(checks) == seen:
                time.sleep(0.01)  # the strangers are at it


def test_an_owner_gets_in_with_two_threads_too(start: Callable[..., Live]) -> None:
    """K10: there is but one place for checks, so nothing can be kept for him, and he waits for it instead."""
    live = start(BCRYPT_ROUNDS="10", THREADS="2")
    live.login()
    with flood(live, 8, "user{}@example.com"):
        for _ in range(5):
            live.login()


def test_a_known_pair_is_not_counted_with_its_address(app: Flask) -> None:
    """K10: strangers behind the same router fill the address's window; the owner still gets in, a newcomer does not."""
    add_account(app)
    assert sign_in(app).status_code == 200
    tries = [sign_in(app, "wrong", f"user{n}@example.com").status_code for n in range(60)]
    assert tries == [401] * 59 + [429]
    assert sign_in(app).status_code == 200
    assert sign_in(app, email="bob@example.com").status_code == 429


def test_a_known_pair_has_windows_of_its_own(app: Flask) -> None:
    """K10: ten wrong passwords, and sixty right ones, in a quarter of an hour."""
    add_account(app)
    assert statuses(app, 1, PASSWORD) + statuses(app, 11, "wrong") == [200] + [401] * 10 + [429]
    assert sign_in(app, address="192.0.2.2").status_code == 200
    right = [sign_in(app, address="192.0.2.2").status_code for _ in range(61)]
    assert right == [200] * 60 + [429]


@pytest.mark.parametrize("spelled", ["::ffff:192.0.2.1", "::FFFF:c000:201"])
def test_an_ipv4_address_is_the_same_in_ipv6s_clothes(app: Flask, spelled: str) -> None:
    """K10: one address, one window, and known is known; other mapped addresses are not in its network."""
    add_account(app)
    assert sign_in(app, address="192.0.2.1").status_code == 200
    assert [sign_in(app, "wrong", address=spelled).status_code for _ in range(10)] == [401] * 10
    assert sign_in(app, address="192.0.2.1").status_code == 429
    assert sign_in(app, address="::ffff:192.0.2.2").status_code == 200


def test_a_try_that_finds_no_place_counts(app: Flask) -> None:
    """K10: so a flood runs into its window though nobody looked at its passwords."""
    throttle = LoginThrottle(threads=3)
    with throttle.attempt("198.51.100.1", "somebody@example.com"):
        for _ in range(10):
            with pytest.raises(TooManyRequests, match="right now"), throttle.attempt("192.0.2.1", ALICE):
                pass
    with pytest.raises(TooManyRequests, match="Too many"), throttle.attempt("192.0.2.1", ALICE):
        pass


@pytest.mark.parametrize("threads", [3, 4, 8])
def test_one_place_is_kept_for_known_people_and_one_thread_from_everybody(threads: int) -> None:
    """K10, A7: of n threads strangers get n - 2 for their checks, known pairs one more."""
    throttle = LoginThrottle(threads)
    for owner in range(2):
        throttle.succeeded("192.0.2.1", f"owner{owner}@example.com")
    with ExitStack() as held:
        for n in range(threads - 2):
            held.enter_context(throttle.attempt(f"198.51.100.{n}", "somebody@example.com"))
        with pytest.raises(TooManyRequests, match="right now"):
            held.enter_context(throttle.attempt("198.51.100.99", "somebody@example.com"))
        held.enter_context(throttle.attempt("192.0.2.1", "owner0@example.com"))
        with pytest.raises(TooManyRequests, match="right now"):
            held.enter_context(throttle.attempt("192.0.2.1", "owner1@example.com"))


# --- what counting costs


def tried(throttle: LoginThrottle, numbers: range) -> None:
    for n in numbers:
        with throttle.attempt(f"2001:db8:{n:x}::1", f"user{n}@example.com"):
            pass


def test_a_try_costs_the_same_with_20_000_keys(app: Flask) -> None:
    """K15: in processor time, what a thread of the library's own does afterwards included."""

    def cost(throttle: LoginThrottle) -> float:
        begun = time.process_time()
        for n in range(20):
            tried(throttle, range(n, n + 1))
            time.sleep(0.015)
        return (time.process_time() - begun) / 20

    few, many = LoginThrottle(threads=4), LoginThrottle(threads=4)
    tried(few, range(7))
    tried(many, range(7_000))  # an address, an account and a pair each
    assert cost(many) < 5 * cost(few) + allowance(0.001)


def test_memory_for_counting_is_bounded() -> None:
    """K15: of ten times as many keys as fit, the youngest are remembered, and what goes on being tried stays."""
    storage = BoundedMemory(keys=100)
    for n in range(1_000):
        storage.acquire_entry(f"key{n}", 1, 3600)
        storage.acquire_entry("busy", 5, 3600)
        storage.incr(f"counter{n}", 3600)
    assert not storage.acquire_entry("busy", 5, 3600)
    assert not storage.acquire_entry("key999", 1, 3600)
    assert storage.acquire_entry("key1", 1, 3600)
    assert (storage.get("counter999"), storage.get("counter1")) == (1, 0)
    assert storage.reset() == 200


def test_a_window_opens_again_and_leaves_nothing() -> None:
    """K15: a try counts for its seconds; afterwards its key is given up by the tries that follow."""
    moment = [1000.0]
    storage = BoundedMemory(clock=lambda: moment[0])
    assert [storage.acquire_entry("key", 2, 60) for _ in range(3)] == [True, True, False]
    assert storage.incr("counter", 60) == storage.get("counter") == 1
    assert (storage.get_moving_window("key", 2, 60), storage.get_expiry("counter")) == ((1000.0, 2), 1060.0)
    moment[0] += 59
    assert (storage.acquire_entry("key", 2, 60), storage.incr("counter", 60)) == (False, 2)
    moment[0] += 61
    assert (storage.get_moving_window("key", 2, 60)[1], storage.get("counter")) == (0, 0)
    assert storage.acquire_entry("other", 1, 60)
    storage.incr("other", 60)
    assert storage.reset() == 2


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


@pytest.mark.parametrize("name", ["NaN", "half a document", "not UTF-8", "NUL in a name", "15 000 open lists"])
def test_a_body_that_is_no_json_is_told_so(client: FlaskClient, name: str) -> None:
    """A8: not that a browser sent something."""
    answer = client.post(LOGIN, data=ODD[name], content_type="application/json")
    assert (answer.get_json()["error"], "JSON" in answer.get_json()["message"]) == ("bad_request", True)


def test_no_depth_slips_between_two_limits(client: FlaskClient) -> None:
    """A8: every depth around what some interpreter can just read is 400."""
    bodies = [b'{"email": ' + b"[" * depth + b"]" * depth + b"}" for depth in range(800, 1020)]
    assert {client.post(LOGIN, data=b, content_type="application/json").status_code for b in bodies} == {400}


DEEP = {
    "33 lists": b"[" * 33 + b"]" * 33,
    "33 objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "after a string that seems to end": rb'["\\", ' + b"[" * 33 + b"]" * 33 + b"]",
    "closed before they open": b"]" * 40 + b"[" * 40,
}


@pytest.mark.parametrize("email", DEEP.values(), ids=DEEP)
def test_a_body_that_is_nested_32_deep_is_400(client: FlaskClient, email: bytes) -> None:
    """A8: on every version of the interpreter, whose own depth differs."""
    answer = client.post(LOGIN, data=b'{"email": ' + email + b"}", content_type="application/json")
    assert (answer.status_code, answer.get_json()["ok"]) == (400, False)


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 8_000, b'"\\' * 5_000, b'"' * 16_000, b"[]" * 8_000])
def test_looking_for_the_depth_is_linear(body: bytes) -> None:
    """A8: strings without an end, escapes without number: eight times as much takes about eight times as long."""
    provider = StrictJSON(Flask("test"))

    def refused(text: bytes) -> None:
        with pytest.raises(ValueError):
            provider.loads(text)

    short = min(seconds(lambda: refused(body[: len(body) // 8])) for _ in range(5))
    assert min(seconds(lambda: refused(body)) for _ in range(5)) < 30 * short + allowance(0.001)


@pytest.mark.parametrize("password", ["[" * 40, "{[" * 20, '\\"' + "[" * 40, "\\" * 7 + "[" * 40, "\ufeff" + "[" * 40])
def test_brackets_in_a_password_are_not_nesting(client: FlaskClient, password: str) -> None:
    """A8: whatever quotes and backslashes stand before them."""
    assert client.post(LOGIN, json={"email": ALICE, "password": password}).status_code == 401


def test_a_body_may_begin_with_a_byte_order_mark(app: Flask) -> None:
    """A8: RFC 8259 §8.1 lets a reader pass over it."""
    add_account(app)
    body = b"\xef\xbb\xbf" + json.dumps({"email": ALICE, "password": PASSWORD}).encode()
    assert app.test_client().post(LOGIN, data=body, content_type="application/json").status_code == 200


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

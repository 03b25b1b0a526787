"""Security events: what may be an attack, and what was done to an account, is told by a stable name and no other."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.engines import ROOT, Live
from tests.support.people import PASSWORD, Person, csrf
from uploadsvc.audit import EVENTS as TRAIL

LOGIN, REFRESH, LOGOUT = "/api/auth/login", "/api/auth/refresh", "/api/auth/logout"
ALICE = {"email": "alice@example.com", "password": PASSWORD}
WRONG = ALICE | {"password": "something-wrong"}
Action = Callable[[Person, FlaskClient], Any]


def sign_in(alice: Person, _: FlaskClient) -> None:
    alice.login()


def sign_in_again(_: Person, visitor: FlaskClient) -> None:
    visitor.post(LOGIN, json=ALICE)


def wrong_password(alice: Person, _: FlaskClient) -> None:
    alice.client.post(LOGIN, json=WRONG)


def nobodys_password(alice: Person, _: FlaskClient) -> None:
    alice.client.post(LOGIN, json=WRONG | {"email": "nobody@example.com"})


def wrong_current_password(alice: Person, _: FlaskClient) -> None:
    alice.post("/api/auth/password", json={"current": "something-wrong", "new": "another-passphrase"})


def new_password(alice: Person, _: FlaskClient) -> None:
    alice.post("/api/auth/password", json={"current": PASSWORD, "new": "another-passphrase"})


def end_one_session(alice: Person, visitor: FlaskClient) -> None:
    sessions = alice.get("/api/auth/sessions").get_json()["sessions"]
    [other] = (session["id"] for session in sessions if not session["current"])
    alice.delete(f"/api/auth/sessions/{other}")


def end_the_other_sessions(alice: Person, _: FlaskClient) -> None:
    alice.delete("/api/auth/sessions")


def end_no_session(alice: Person, _: FlaskClient) -> None:
    alice.delete("/api/auth/sessions/unknown")


def sign_out(_: Person, visitor: FlaskClient) -> None:
    visitor.post(LOGOUT, headers=csrf(visitor))


def sign_out_of_nothing(alice: Person, _: FlaskClient) -> None:
    alice.client.post(LOGOUT)


def no_csrf_header(_: Person, visitor: FlaskClient) -> None:
    visitor.post(REFRESH)


def another_csrf_header(_: Person, visitor: FlaskClient) -> None:
    visitor.post("/api/upload", headers={"X-CSRF-Token": "0" * 32})


def csrf_header_beyond_ascii(_: Person, visitor: FlaskClient) -> None:
    visitor.post(REFRESH, headers={"X-CSRF-Token": "é"})


def foreign_page(alice: Person, _: FlaskClient) -> None:
    alice.client.post(LOGIN, json=ALICE, headers={"Sec-Fetch-Site": "cross-site"})


def foreign_origin(alice: Person, _: FlaskClient) -> None:
    alice.client.post(LOGIN, json=ALICE, headers={"Origin": "https://evil.test"})


def stolen_refresh_token(_: Person, visitor: FlaskClient) -> None:
    cookie = visitor.get_cookie("refresh_token", path="/api/auth")
    assert cookie is not None
    body, stranger = {"refresh": cookie.value}, visitor.application.test_client(use_cookies=False)
    stranger.post(REFRESH, json=stranger.post(REFRESH, json=body).get_json())
    stranger.post(REFRESH, json=body)


def wrong_kind_of_file(alice: Person, _: FlaskClient) -> None:
    alice.upload("a.exe")


# What is told of each, and whether Alice's id is told with it.
EVENTS: list[tuple[Action, list[str], bool]] = [
    (sign_in, ["login_succeeded"], True),
    (sign_in_again, ["session_replaced", "login_succeeded"], True),
    (wrong_password, ["login_failed"], True),
    (nobodys_password, ["login_failed"], False),
    (wrong_current_password, ["login_failed"], True),
    (new_password, ["password_changed"], True),
    (end_one_session, ["session_ended"], True),
    (end_the_other_sessions, ["other_sessions_ended"], True),
    (end_no_session, [], True),
    (sign_out, ["logout"], True),
    (sign_out_of_nothing, [], False),
    (no_csrf_header, ["csrf_refused"], False),
    (another_csrf_header, ["csrf_refused"], False),
    (csrf_header_beyond_ascii, ["csrf_refused"], False),
    (foreign_page, ["cross_site_refused"], False),
    (foreign_origin, ["cross_site_refused"], False),
    (stolen_refresh_token, ["refresh_token_reused"], True),
    (wrong_kind_of_file, ["file_refused"], True),
]


def security_events(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "uploadsvc.security"]


@pytest.mark.parametrize("event", EVENTS, ids=[act.__name__ for act, *_ in EVENTS])
def test_each_is_told_once_and_by_its_name(
    alice: Person, visitor: FlaskClient, caplog: pytest.LogCaptureFixture, event: tuple[Action, list[str], bool]
) -> None:
    """K18: sign-ins and refused ones, sign-outs, new passwords, CSRF and cross-site refusals (ASVS 16.3)."""
    act, names, of_alice = event
    caplog.clear()
    act(alice, visitor)
    told = security_events(caplog)
    assert [record.getMessage() for record in told] == names
    user_id = alice.tokens["user"]["id"] if of_alice else None
    assert {getattr(record, "user_id", "none") for record in told} <= {user_id}


def test_a_throttled_try_is_told(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """K18: 429 is an event of its own, and says from where."""
    for _ in range(11):
        alice.client.post(LOGIN, json=WRONG)
    told = security_events(caplog)[-2:]
    assert [record.getMessage() for record in told] == ["login_failed", "throttled"]
    assert getattr(told[-1], "remote_addr", "none") == "127.0.0.1"


def test_no_event_tells_a_name_or_a_password(start: Callable[..., Live]) -> None:
    """K18: the whole log of a server, with a request id that leads to the request's line."""
    live = start()
    headers = live.login()
    for password in ("something-wrong", PASSWORD):
        body = json.dumps({"email": "admin@localhost", "password": password}).encode()
        live.request("POST", LOGIN, body, {"Content-Type": "application/json"})
    new = json.dumps({"current": PASSWORD, "new": "another-passphrase"}).encode()
    live.request("POST", "/api/auth/password", new, headers | {"Content-Type": "application/json"})
    live.request("POST", LOGOUT, b"", headers)
    events = [line for line in live.lines if line["logger"] == "uploadsvc.security"]
    assert [event["message"] for event in events] == [
        "account_added",
        "login_succeeded",
        "login_failed",
        "login_succeeded",
        "password_changed",
        "logout",
    ]
    added, *events = events
    assert (added["user_id"], added["remote_addr"], added["by"]) == (1, None, "command")
    assert {event["remote_addr"] for event in events} == {"127.0.0.1"}
    requests = {line["request_id"] for line in live.lines if line["logger"] == "uploadsvc.request"}
    assert {event["request_id"] for event in events} <= requests
    log = "\n".join(json.dumps(line) for line in live.lines)
    assert not [secret for secret in (PASSWORD, "something-wrong", "another-passphrase", "admin@") if secret in log]


def told_in_the_source() -> set[str]:
    """The names that audit.tell is called with, and those of the refusals that guard tells."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "uploadsvc").rglob("*.py"))
    refusals = source.partition("_EVENTS = {")[2].partition("}")[0]
    return {*re.findall(r'audit\.tell\(\s*"(\w+)"', source), *re.findall(r'\w+: "(\w+)"', refusals)}


def test_readme_lists_every_event() -> None:
    """K18: whoever sets up an alert finds all names in one place, each under its logger, and no other."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for logger in ("uploadsvc.audit", "uploadsvc.security"):
        [listed] = re.findall(rf"\(logger `{logger}`[^)]*\): ([^.]*)\.", readme)
        assert {name for name, (its, _) in TRAIL.items() if its.name == logger} == set(re.findall(r"`(\w+)`", listed))


def test_every_event_of_the_table_is_told_somewhere_and_no_other() -> None:
    assert told_in_the_source() == set(TRAIL)

"""Sessions in sight: where one is signed in, and ending one or all others."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, multipart, part
from tests.support.engines import Live
from tests.support.people import PASSWORD, Person, csrf, signed_in
from tests.support.stack import rows
from uploadsvc.models import accounts

SESSIONS, LOGIN, REFRESH = "/api/auth/sessions", "/api/auth/login", "/api/auth/refresh"


def listed(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert set(answer.get_json()) == {"ok", "sessions"}
    found: list[dict[str, Any]] = answer.get_json()["sessions"]
    return found


def current(visitor: FlaskClient | Person) -> str:
    """The id of the visitor's own session."""
    [own] = (session["id"] for session in listed(visitor.get(SESSIONS)) if session["current"])
    return str(own)


@pytest.fixture
def other(visitor: FlaskClient) -> FlaskClient:
    """Alice's second browser."""
    return signed_in(visitor.application)


def test_two_browsers_and_a_script_see_the_same_sessions(
    alice: Person, visitor: FlaskClient, other: FlaskClient
) -> None:
    """Each sees all three, its own marked, the newest first, with times in order and nothing else told."""
    seen = [listed(who.get(SESSIONS)) for who in (alice, visitor, other)]
    ids = [[session["id"] for session in sessions] for sessions in seen]
    assert ids == [[current(other), current(visitor), current(alice)]] * 3
    assert [[session["current"] for session in sessions] for sessions in seen] == [
        [False, False, True],
        [False, True, False],
        [True, False, False],
    ]
    for session in seen[0]:
        assert set(session) == {"id", "current", "userAgent", "createdAt", "lastUsedAt", "expiresAt"}
        assert session["createdAt"] == session["lastUsedAt"] < session["expiresAt"]


def test_nobody_sees_anothers_sessions(alice: Person, bob: Person) -> None:
    assert [session["id"] for session in listed(bob.get(SESSIONS))] == [current(bob)]
    assert [session["id"] for session in listed(alice.get(SESSIONS))] == [current(alice)]


def test_after_a_refresh_the_session_was_used_later_and_stands_first(visitor: FlaskClient, other: FlaskClient) -> None:
    """It is the same session: its id and beginning stay, its end moves."""
    first, before = listed(visitor.get(SESSIONS))[:2]
    assert first["id"] == current(other)
    assert visitor.post(REFRESH, headers=csrf(visitor)).status_code == 200
    after = listed(other.get(SESSIONS))[0]
    assert (after["id"], after["createdAt"]) == (before["id"], before["createdAt"]) != (first["id"], None)
    assert after["lastUsedAt"] > before["lastUsedAt"] and after["expiresAt"] > before["expiresAt"]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda person: person.post("/api/auth/logout"), id="signed out"),
        pytest.param(lambda person: person.delete(f"{SESSIONS}/{current(person)}"), id="ended by itself"),
    ],
)
def test_an_ended_session_is_not_listed(end: Callable[[Person], Any], alice: Person, visitor: FlaskClient) -> None:
    end(alice)
    assert [session["id"] for session in listed(visitor.get(SESSIONS))] == [current(visitor)]


def test_a_session_past_its_end_is_neither_listed_nor_to_be_ended(
    alice: Person, visitor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody can use any more is 404, though the sweep has not come by yet."""
    over, real = current(visitor), accounts.now
    monkeypatch.setattr(accounts, "now", lambda: real() + timedelta(days=7, seconds=1))
    alice.login()
    assert [session["id"] for session in listed(alice.get(SESSIONS))] == [current(alice)]
    assert alice.delete(f"{SESSIONS}/{over}").status_code == 404


def test_one_session_is_ended_at_once_and_the_others_go_on(
    alice: Person, visitor: FlaskClient, other: FlaskClient
) -> None:
    """Neither its access token nor its refresh token opens anything from the next request on; an upload neither."""
    answer = alice.delete(f"{SESSIONS}/{current(visitor)}")
    assert (answer.status_code, answer.get_json()) == (200, {"ok": True})
    refused = [
        visitor.get("/api/documents"),
        visitor.get(SESSIONS),
        visitor.post("/api/upload", data=multipart(part()), content_type=CONTENT_TYPE, headers=csrf(visitor)),
        visitor.post(REFRESH, headers=csrf(visitor)),
    ]
    assert [(a.status_code, a.get_json()["error"]) for a in refused] == [(401, "session_ended")] * 4
    assert {session["id"] for session in listed(alice.get(SESSIONS))} == {current(alice), current(other)}


def test_all_others_are_ended_and_the_one_that_asks_goes_on(
    alice: Person, bob: Person, visitor: FlaskClient, other: FlaskClient
) -> None:
    """Also nobody else's; asking again is no error."""
    own = current(visitor)
    for _ in range(2):
        answer = visitor.delete(SESSIONS, headers=csrf(visitor))
        assert (answer.status_code, answer.get_json()) == (200, {"ok": True})
    assert [alice.get(SESSIONS).status_code, other.get(SESSIONS).status_code] == [401, 401]
    assert other.post(REFRESH, headers=csrf(other)).status_code == 401
    assert [session["id"] for session in listed(visitor.get(SESSIONS))] == [own]
    assert bob.get(SESSIONS).status_code == 200 and visitor.post(REFRESH, headers=csrf(visitor)).status_code == 200


def test_a_strangers_session_is_404_and_goes_on(alice: Person, bob: Person) -> None:
    """A25: as an id that never was."""
    strange = [f"{SESSIONS}/{current(alice)}", f"{SESSIONS}/{'0' * 32}", f"{SESSIONS}/%00", f"{SESSIONS}/é"]
    answers = [bob.delete(path) for path in strange]
    assert {(a.status_code, a.get_json()["error"]) for a in answers} == {(404, "not_found")}
    assert len({a.get_json()["message"] for a in answers}) == 1
    assert alice.get(SESSIONS).status_code == 200


def test_an_ended_session_is_404(alice: Person, visitor: FlaskClient) -> None:
    path = f"{SESSIONS}/{current(visitor)}"
    assert [alice.delete(path).status_code for _ in range(2)] == [200, 404]


@pytest.mark.parametrize("headers", [{}, {"X-CSRF-Token": "0" * 32}])
def test_without_the_csrf_header_cookies_end_nothing(
    headers: dict[str, str], alice: Person, visitor: FlaskClient
) -> None:
    """B1: as for every unsafe request; a list needs none."""
    for path in (SESSIONS, f"{SESSIONS}/{current(alice)}", f"{SESSIONS}/{current(visitor)}"):
        answer = visitor.delete(path, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "csrf_failed")
    assert len(listed(visitor.get(SESSIONS))) == 2


def test_another_sites_page_ends_nothing(visitor: FlaskClient) -> None:
    """B6: though its cookies and the CSRF header are good."""
    answer = visitor.delete(SESSIONS, headers=csrf(visitor) | {"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", "/x")])
def test_without_a_session_nothing_is_told(method: str, path: str, client: FlaskClient) -> None:
    answer = client.open(SESSIONS + path, method=method)
    assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthorized")


@pytest.mark.parametrize("scope", ["upload", "full"])
def test_an_api_token_neither_sees_nor_ends_sessions(scope: str, alice: Person, visitor: FlaskClient) -> None:
    """It is a script's, and where somebody is signed in is a person's own business."""
    token = alice.post("/api/tokens", json={"name": "cron", "scope": scope}).get_json()["token"]
    script = {"Authorization": f"Bearer {token}"}
    for method, path in (("GET", SESSIONS), ("DELETE", SESSIONS), ("DELETE", f"{SESSIONS}/{current(visitor)}")):
        answer = alice.client.open(path, method=method, headers=script)
        assert (answer.status_code, answer.get_json()["error"]) == (403, "insufficient_scope")
    assert len(listed(visitor.get(SESSIONS))) == 2


def test_ending_all_others_leaves_api_tokens_alone(alice: Person) -> None:
    """They are revoked by themselves."""
    token = alice.post("/api/tokens", json={"name": "cron"}).get_json()["token"]
    assert alice.delete(SESSIONS).status_code == 200
    sent = alice.client.put("/api/upload/a.txt", data=b"hello", headers={"Authorization": f"Bearer {token}"})
    assert sent.status_code == 200


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0", "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0"),
        ("<script>alert('1')</script> \"&", "<script>alert('1')</script> \"&"),
        ("", ""),
        ("x" * 255, "x" * 255),
        ("x" * 5000, "x" * 255),
    ],
    ids=["a browser", "markup", "empty", "as long as may be", "longer"],
)
def test_the_user_agent_is_shown_as_sent_but_bounded(agent: str, shown: str, alice: Person) -> None:
    headers = {"User-Agent": agent}
    alice.tokens = alice.client.post(LOGIN, json={"email": alice.email, "password": PASSWORD}, headers=headers).json
    assert listed(alice.get(SESSIONS))[0]["userAgent"] == shown


def test_a_user_agent_beyond_ascii_is_shown_as_sent(live: Live) -> None:
    """Over the wire; bytes that are not UTF-8 harm nobody."""
    for sent, shown in (("Skript für Größe".encode(), "Skript für Größe"), (b"caf\xe9", "caf\ufffd"), (b"", "")):
        body = b'{"email": "admin@localhost", "password": "%s"}' % PASSWORD.encode()
        with live.connect() as connection:
            head = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: %s\r\n" % sent
            head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body)
            assert b" 200 " in b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n")[0]
        [[sid]] = rows(live, "SELECT id FROM sessions ORDER BY created_at DESC LIMIT 1")
        sessions = json.loads(live.request("GET", SESSIONS, headers=live.login())[2])["sessions"]
        assert [session["userAgent"] for session in sessions if session["id"] == sid] == [shown]

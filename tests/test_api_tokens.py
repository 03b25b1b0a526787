"""API tokens: made, shown once, borne as Bearer or as Basic's password, bounded by their scope, taken back."""

import base64
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.engines import Live
from tests.support.people import Person
from tests.support.stack import everything
from tests.support.wire import Wire, head
from uploadsvc.credentials import new_api_token
from uploadsvc.extensions import db
from uploadsvc.models import ApiToken, User, now

# What a person with a session may do, and a token may not.
PERSONAL = [
    ("GET", "/api/tokens"),
    ("POST", "/api/tokens"),
    ("DELETE", "/api/tokens/1"),
    ("POST", "/api/auth/password"),
]
READING = [
    ("GET", "/api/documents"),
    ("GET", "/api/documents/{id}"),
    ("GET", "/api/documents/{id}/content"),
    ("DELETE", "/api/documents/{id}"),
]


def made(person: Person, **wanted: Any) -> dict[str, Any]:
    answer = person.post("/api/tokens", json={"name": "laptop"} | wanted)
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def bearing(person: Person, token: str) -> Callable[..., TestResponse]:
    """The requests of a script that bears `token`."""

    def request(method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        given = {"Authorization": f"Bearer {token}"} | (headers or {})
        return person.client.open(path, method=method, headers=given, **options)

    return request


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def send(request: Callable[..., TestResponse], **headers: str) -> TestResponse:
    return request("POST", "/api/upload", headers, data=multipart(part()), content_type=CONTENT_TYPE)


def error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


# --- made and shown


def test_a_token_is_shown_once_and_kept_as_its_digest(alice: Person) -> None:
    token = made(alice, name="nightly")
    assert re.fullmatch("ups_[0-9a-f]{64}", token["token"])
    [listed] = alice.get("/api/tokens").get_json()["tokens"]
    assert listed == {name: value for name, value in token.items() if name not in ("ok", "token")}
    assert listed.keys() == {"id", "name", "scope", "createdAt", "lastUsedAt", "expiresAt"}
    assert (listed["name"], listed["scope"], listed["lastUsedAt"], listed["expiresAt"]) == (
        "nightly",
        "upload",
        None,
        None,
    )
    assert token["token"].encode() not in everything(alice.app)


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 101},
        {"name": "two\nlines"},
        {"name": 7},
        {"scope": "session"},
        {"scope": None},
        {"scope": ["full"]},
        {"expiresInDays": 0},
        {"expiresInDays": -1},
        {"expiresInDays": 3651},
        {"expiresInDays": 1.5},
        {"expiresInDays": True},
        {"expiresInDays": "30"},
        {"expiresInDays": 10**400},
    ],
    ids=str,
)
def test_what_no_token_can_be_is_refused(alice: Person, wanted: dict[str, Any]) -> None:
    answer = alice.post("/api/tokens", json={"name": "laptop"} | wanted)
    assert error(answer) == (400, "bad_request")
    assert alice.get("/api/tokens").get_json()["tokens"] == []


@pytest.mark.parametrize("body", [[], "laptop", {}, {"scope": "full"}], ids=str)
def test_a_body_without_a_name_is_refused(alice: Person, body: object) -> None:
    assert error(alice.post("/api/tokens", json=body)) == (400, "bad_request")


def test_an_account_has_a_hundred_at_most(alice: Person) -> None:
    for number in range(100):
        made(alice, name=f"script {number}")
    assert error(alice.post("/api/tokens", json={"name": "one more"})) == (400, "bad_request")
    alice.delete("/api/tokens/1")
    made(alice, name="one more")


# --- what it may do


def test_a_token_uploads_and_its_document_says_so(alice: Person) -> None:
    token = made(alice, name="Büro-Scanner")
    answer = send(bearing(alice, token["token"]))
    assert answer.status_code == 200
    alice.upload("by-hand.pdf")
    shown = [(d["filename"], d["via"]) for d in alice.get("/api/documents").get_json()["documents"]]
    assert shown == [("by-hand.pdf", None), ("a.pdf", {"token": "Büro-Scanner"})]
    alice.delete(f"/api/tokens/{token['id']}")
    document = alice.get(f"/api/documents/{answer.get_json()['files'][0]['id']}").get_json()["document"]
    assert document["via"] == {"token": "Büro-Scanner"}


@pytest.mark.parametrize(("method", "path"), READING)
def test_only_a_full_token_reads_and_deletes(alice: Person, method: str, path: str) -> None:
    path = path.format(id=alice.upload().get_json()["files"][0]["id"])
    answer = bearing(alice, made(alice)["token"])(method, path)
    assert error(answer) == (403, "insufficient_scope")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="full"'
    with bearing(alice, made(alice, scope="full")["token"])(method, path) as allowed:
        assert allowed.status_code == 200


@pytest.mark.parametrize("scope", ["upload", "full"])
@pytest.mark.parametrize(("method", "path"), PERSONAL)
def test_no_token_does_a_persons_own_business(alice: Person, method: str, path: str, scope: str) -> None:
    """Contract §9: it can neither sign in, nor change the password, nor make tokens."""
    token = made(alice, scope=scope)["token"]
    body = {"name": "child", "current": "a-fine-passphrase", "new": "another-passphrase"}
    assert error(bearing(alice, token)(method, path, json=body)) == (403, "insufficient_scope")
    assert len(alice.get("/api/tokens").get_json()["tokens"]) == 1


@pytest.mark.parametrize("path", ["/api/auth/verify-status", "/api/auth/refresh"])
def test_a_token_is_no_session(alice: Person, path: str) -> None:
    token = made(alice, scope="full")["token"]
    assert bearing(alice, token)("POST", path).status_code == 401
    assert alice.client.post(path, json={"refresh": token}).status_code == 401


def test_a_full_token_sees_its_owners_documents_alone(alice: Person, bob: Person) -> None:
    """A25: Bob's are not found."""
    his = bob.upload().get_json()["files"][0]["id"]
    request = bearing(alice, made(alice, scope="full")["token"])
    assert request("GET", "/api/documents").get_json()["documents"] == []
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert request(method, f"/api/documents/{his}{path}").status_code == 404


def test_the_limits_tell_whoever_asks_what_the_account_keeps(make_app: Callable[..., Flask], alice: Person) -> None:
    """E7: with a session or a token, and for a stranger the public part alone."""
    alice.upload()
    request = bearing(alice, made(alice)["token"])
    for answer in (alice.get("/api/limits"), request("GET", "/api/limits")):
        assert (answer.get_json()["quotaBytes"], answer.get_json()["usedBytes"]) == (0, len(PDF))
    for answer in (alice.client.get("/api/limits"), bearing(alice, "ups_nonsense")("GET", "/api/limits")):
        assert answer.status_code == 200
        assert answer.get_json().keys() == {"ok", "instanceName", "maxFileBytes", "maxFiles", "types"}


# --- how it is borne


@pytest.mark.parametrize("name", ["me", "", "alice@example.com", "ünï"])
def test_it_is_the_password_of_basic_authentication_with_any_name(alice: Person, name: str) -> None:
    """RFC 7617: so that `curl -u me:TOKEN` and .netrc work."""
    token = made(alice)["token"]
    answer = alice.client.post(
        "/api/upload", data=multipart(part()), content_type=CONTENT_TYPE, headers=basic(name, token)
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        "Bearer ups_",
        "Bearer ups_" + "0" * 64,
        "Bearer ups_" + "0" * 10_000,
        "Bearer ups_" + "é" * 64,
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"me:ups_nonsense").decode(),
        "Basic " + base64.b64encode(b"alice@example.com:a-fine-passphrase").decode(),
        "Digest ups_" + "0" * 64,
    ],
    ids=lambda given: given[:24],
)
def test_what_is_no_token_is_401(alice: Person, given: str) -> None:
    headers = {"Authorization": given.encode().decode("latin-1")}
    answer = alice.client.get("/api/documents", headers=headers)
    assert error(answer) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"  # no browser asks its user for a password


def test_a_token_of_ours_with_one_letter_changed_is_not_looked_up(alice: Person) -> None:
    """A stranger costs nothing: the tag is checked before the database is asked."""
    token = made(alice)["token"]
    for at in range(4, len(token)):
        other = token[:at] + ("0" if token[at] != "0" else "1") + token[at + 1 :]
        assert error(bearing(alice, other)("GET", "/api/documents")) == (401, "unauthorized")


def test_a_token_that_was_never_handed_out_is_refused(alice: Person) -> None:
    """It bears the right tag, as one made with a stolen secret would, and has no row."""
    forged = new_api_token(alice.app.config["JWT_SECRET"], 1)
    assert error(bearing(alice, forged)("GET", "/api/documents")) == (401, "token_revoked")


def test_another_instances_token_is_refused(make_app: Callable[..., Flask], alice: Person) -> None:
    forged = new_api_token("another-secret-of-more-than-32-bytes!", 1)
    assert error(bearing(alice, forged)("GET", "/api/documents")) == (401, "unauthorized")


def test_a_token_needs_no_csrf_header_even_beside_cookies(alice: Person) -> None:
    """B2: what no page can send by itself needs no second proof; the cookies beside it do not count."""
    token = made(alice)["token"]
    answer = bearing(alice, token)(
        "POST", "/api/upload", {"Cookie": "token=x"}, data=multipart(part()), content_type=CONTENT_TYPE
    )
    assert answer.status_code == 200


def test_one_credential_that_was_proven_proves_no_other(alice: Person, bob: Person) -> None:
    """What is remembered of a token is found again by the very same headers alone."""
    hers, his = made(alice)["token"], made(bob)["token"]
    for _ in range(2):
        assert send(bearing(alice, hers)).get_json()["files"][0]["savedTo"].startswith("/uploads/1/")
        assert send(bearing(bob, his)).get_json()["files"][0]["savedTo"].startswith("/uploads/2/")


def test_a_cookie_proven_for_reading_needs_its_csrf_header_for_writing(alice: Person) -> None:
    """B3: what is remembered of a GET does not let a POST pass."""
    client = alice.app.test_client()
    client.post("/api/auth/login", json={"email": alice.email, "password": "a-fine-passphrase"})
    assert client.get("/api/documents").status_code == 200
    answer = client.post("/api/upload", data=multipart(part()), content_type=CONTENT_TYPE)
    assert error(answer) == (401, "csrf_failed")


# --- its end


def test_a_revoked_token_is_refused_at_once(alice: Person) -> None:
    token = made(alice, scope="full")
    request = bearing(alice, token["token"])
    assert request("GET", "/api/documents").status_code == 200
    assert alice.delete(f"/api/tokens/{token['id']}").status_code == 200
    assert error(request("GET", "/api/documents")) == (401, "token_revoked")
    assert error(send(request)) == (401, "token_revoked")
    assert error(alice.delete(f"/api/tokens/{token['id']}")) == (404, "not_found")


@pytest.mark.parametrize("token_id", ["0", "-1", "1e3", "9" * 9, "9" * 30, "１", "x", "1%00"])
def test_a_token_that_is_not_there_is_404(alice: Person, token_id: str) -> None:
    made(alice)
    assert error(alice.delete(f"/api/tokens/{token_id}")) == (404, "not_found")


def test_a_strangers_token_is_not_found(alice: Person, bob: Person) -> None:
    token = made(alice)
    assert error(bob.delete(f"/api/tokens/{token['id']}")) == (404, "not_found")
    assert bob.get("/api/tokens").get_json()["tokens"] == []
    assert send(bearing(alice, token["token"])).status_code == 200


def test_an_expired_token_is_refused_and_still_listed(alice: Person) -> None:
    token = made(alice, expiresInDays=1)
    end = datetime.fromisoformat(token["expiresAt"]) - datetime.fromisoformat(token["createdAt"])
    assert end == timedelta(days=1)
    request = bearing(alice, token["token"])
    assert send(request).status_code == 200
    with alice.app.app_context():
        db.session.execute(update(ApiToken).values(expires_at=now()))
        db.session.commit()
    assert error(send(request)) == (401, "token_expired")
    assert len(alice.get("/api/tokens").get_json()["tokens"]) == 1


def test_a_disabled_accounts_tokens_are_refused_and_a_new_password_leaves_them(alice: Person) -> None:
    """A script goes on when its owner signs in anew; only a disabled account stops it."""
    request = bearing(alice, made(alice)["token"])
    alice.post("/api/auth/password", json={"current": "a-fine-passphrase", "new": "another-passphrase"})
    assert send(request).status_code == 200
    with alice.app.app_context():
        db.session.execute(update(User).values(is_active=False))
        db.session.commit()
    assert error(send(request)) == (401, "token_revoked")


# --- its last use


def last_use(app: Flask) -> datetime | None:
    with app.app_context():
        return db.session.scalar(select(ApiToken.last_used_at))


def test_its_last_use_is_recorded_once_a_minute(make_app: Callable[..., Flask], alice: Person) -> None:
    token = made(alice)["token"]
    before = now()
    send(bearing(alice, token))
    first = last_use(alice.app)
    assert first is not None
    assert before <= first <= now()
    send(bearing(alice, token))
    other = Person(make_app(), alice.email)  # another process of the instance, which has not seen the first use
    assert send(bearing(other, token)).status_code == 200
    assert last_use(alice.app) == first
    with alice.app.app_context():
        db.session.execute(update(ApiToken).values(last_used_at=first - timedelta(seconds=61)))
        db.session.commit()
    again = Person(make_app(), alice.email)
    send(bearing(again, token))
    later = last_use(alice.app)
    assert later is not None
    assert later >= first


def test_a_busy_database_keeps_no_token_from_reading(alice: Person) -> None:
    """K16: the record of its use is not worth a refusal."""
    request = bearing(alice, made(alice, scope="full")["token"])
    path = alice.app.config["INSTANCE_PATH"] / "app.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert request("GET", "/api/documents").status_code == 200
        holder.execute("ROLLBACK")
    assert last_use(alice.app) is None


# --- on the real server


def test_a_strangers_token_is_refused_before_the_body_has_come(live: Live) -> None:
    """K8 and house.md §3: the server judges it by its headers, without the database."""
    with Wire(live) as wire:
        wire.socket.sendall(
            head(
                "PUT /api/upload/a.pdf HTTP/1.1",
                f"Authorization: Bearer ups_{'0' * 64}",
                "Content-Length: 10000000",
            )
        )
        assert wire.answer().status == 401


def test_the_commands_make_list_and_revoke_tokens(live: Live) -> None:
    added = live.flask("tokens", "add", "admin@localhost", "backup job", "--scope", "full", "--days", "30")
    assert (added.returncode, added.stderr.count("ups_")) == (0, 0)
    token = added.stdout.strip()
    assert re.fullmatch("ups_[0-9a-f]{64}", token)
    headers = {"Authorization": f"Bearer {token}"}
    assert live.upload(headers)[0] == 200
    listed = live.flask("tokens", "list", "admin@localhost").stdout
    [row] = [line.split("\t") for line in listed.splitlines() if "backup job" in line]
    token_id, owner, name, scope, created, used, end = row
    assert (owner, name, scope) == ("admin@localhost", "backup job", "full")
    assert created < used < end
    assert listed == live.flask("tokens", "list").stdout
    assert live.flask("tokens", "revoke", token_id).returncode == 0
    status, _, body = live.request("GET", "/api/documents", headers=headers)
    assert (status, json.loads(body)["error"]) == (401, "token_revoked")
    assert token not in live.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("add", "nobody@example.com", "x"), 1, "There is no account nobody@example.com."),
        (("add", "admin@localhost", ""), 1, "A token's name has 1 to 100 characters that can be shown."),
        (("add", "admin@localhost", "x", "--days", "0"), 1, "A token ends after 1 to 3650 days, or never."),
        (("add", "admin@localhost", "x", "--scope", "session"), 2, "'session' is not one of"),
        (("list", "nobody@example.com"), 1, "There is no account nobody@example.com."),
        (("revoke", "999999"), 1, "There is no token 999999."),
        (("revoke", "x"), 2, "'x' is not a valid integer range."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_that_cannot_be_done_says_why(
    live: Live, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = live.flask("tokens", *arguments)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""

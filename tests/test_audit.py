"""The audit trail: who did what, from where, by which token and to which documents; names are never told."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.bodies import PDF, multipart, part
from tests.support.engines import Live
from tests.support.people import Person

TELLTALE = "telltale"
STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id"}


def trail(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Every event since `caplog.clear()`, by its name and with its fields."""
    records = [record for record in caplog.records if record.name in {"uploadsvc.audit", "uploadsvc.security"}]
    fields = [{name: value for name, value in vars(record).items() if name not in STANDARD} for record in records]
    return [{"event": record.getMessage()} | found for record, found in zip(records, fields, strict=True)]


def of(person: Person, event: str, **fields: Any) -> dict[str, Any]:
    """What is told of something that `person` did in a session."""
    who = {"user_id": person.tokens["user"]["id"], "token_id": None, "remote_addr": "127.0.0.1"}
    return {"event": event} | who | fields


def stored(person: Person, *names: str) -> list[str]:
    """Upload files of these names; return their documents' ids."""
    answer = person.send(multipart(*(part(filename=name, content=PDF) for name in names)))
    return [file["id"] for file in answer.get_json()["files"]]


def script_of(person: Person, scope: str) -> tuple[Person, int]:
    """A script of that person's: it bears an API token, whose id comes with it."""
    made = person.post("/api/tokens", json={"name": TELLTALE, "scope": scope}).get_json()
    return Person(person.app, person.email, tokens={"accessToken": made["token"]}), made["id"]


def test_an_upload_tells_its_documents_and_its_bytes(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    ids = stored(alice, f"{TELLTALE}.pdf", f"{TELLTALE}2.pdf")
    assert trail(caplog) == [of(alice, "uploaded", documents=ids, files=2, bytes=2 * len(PDF))]


def test_an_upload_that_stored_nothing_is_not_told(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """A repeat gets the first answer, a refusal is another event."""
    alice.upload(Idempotency_Key="one")
    caplog.clear()
    assert alice.upload(Idempotency_Key="one").status_code == 200
    assert alice.upload("a.pdf", b"").status_code == 400
    assert trail(caplog) == []


def test_a_download_is_told_whole_or_in_part(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    [document] = stored(alice, f"{TELLTALE}.pdf")
    caplog.clear()
    for headers in ({}, {"Range": "bytes=0-3"}):
        alice.get(f"/api/documents/{document}/content", headers=headers).close()
    assert trail(caplog) == [of(alice, "downloaded", documents=[document], bytes=size) for size in (len(PDF), 4)]


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("HEAD", {"Range": "bytes=0-3"}, 200),
        ("GET", {"If-None-Match": "*"}, 304),
        ("GET", {"Range": "bytes=9999999-"}, 416),
    ],
)
def test_what_sends_no_byte_is_no_download(
    method: str, headers: dict[str, str], status: int, alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    [document] = stored(alice, "a.pdf")
    caplog.clear()
    with alice.request(method, f"/api/documents/{document}/content", headers=headers) as answer:
        assert answer.status_code == status
    assert trail(caplog) == []


def test_a_delete_is_told_once(alice: Person, bob: Person, caplog: pytest.LogCaptureFixture) -> None:
    """And neither the second one nor a stranger's, which find nothing."""
    [document] = stored(alice, f"{TELLTALE}.pdf")
    caplog.clear()
    answers = [person.delete(f"/api/documents/{document}").status_code for person in (bob, alice, alice)]
    assert answers == [404, 200, 404]
    assert trail(caplog) == [of(alice, "deleted", documents=[document])]


def test_a_delete_whose_bytes_stay_is_told_all_the_same(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """The row has gone: nobody finds the document again."""
    [file] = alice.upload().get_json()["files"]
    stored_at = alice.app.config["UPLOADS_DIR"] / file["savedTo"].removeprefix("/uploads/")
    stored_at.unlink()
    stored_at.mkdir()
    caplog.clear()
    assert alice.delete(f"/api/documents/{file['id']}").status_code == 200
    assert trail(caplog) == [of(alice, "deleted", documents=[file["id"]])]


def test_a_script_is_told_by_its_token(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """By which token, from its making to its end; neither its name nor its text."""
    caplog.clear()
    script, token = script_of(alice, "full")
    [document] = stored(script, f"{TELLTALE}.pdf")
    script.get(f"/api/documents/{document}/content").close()
    script.delete(f"/api/documents/{document}")
    alice.delete(f"/api/tokens/{token}")
    assert alice.delete(f"/api/tokens/{token}").status_code == 404
    told = trail(caplog)
    assert [(line["event"], line["token_id"], line.get("target_token_id")) for line in told] == [
        ("token_created", None, token),
        ("uploaded", token, None),
        ("downloaded", token, None),
        ("deleted", token, None),
        ("token_revoked", None, token),
    ]
    assert {(line["user_id"], line["remote_addr"]) for line in told} == {(1, "127.0.0.1")}


def test_nobody_is_told_of_what_a_stranger_did(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    app.test_client().post("/api/auth/login", json={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert trail(caplog) == [
        {"event": "cross_site_refused", "user_id": None, "token_id": None, "remote_addr": "127.0.0.1"}
    ]


COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("users add bob@example.com --password-stdin", {"event": "account_added", "user_id": 2}),
    ("users passwd alice@example.com --password-stdin", {"event": "password_changed", "user_id": 1}),
    ("users disable alice@example.com", {"event": "account_disabled", "user_id": 1}),
    ("users enable alice@example.com", {"event": "account_enabled", "user_id": 1}),
    ("users quota alice@example.com 5000", {"event": "quota_changed", "user_id": 1, "quota_bytes": 5000}),
    ("seed", {"event": "account_added", "user_id": 2}),
    ("tokens add alice@example.com cron", {"event": "token_created", "user_id": 1, "target_token_id": 2}),
    ("tokens revoke 1", {"event": "token_revoked", "user_id": 1, "target_token_id": 1}),
]


@pytest.mark.parametrize(("command", "told"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_is_told_with_the_account_that_it_changed(
    command: str, told: dict[str, Any], alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """It came from no address and by no token."""
    script_of(alice, "full")
    caplog.clear()
    done = alice.app.test_cli_runner().invoke(args=command.split(), input="another-passphrase\n")
    assert done.exit_code == 0, done.output
    assert trail(caplog) == [told | {"token_id": None, "remote_addr": None, "by": "command"}]


@pytest.mark.parametrize(
    "command",
    [
        "users list",
        "tokens list",
        "users add alice@example.com --password-stdin",
        "users disable nobody@example.com",
        "users quota alice@example.com many",
        "tokens add nobody@example.com cron",
        "tokens revoke 9",
    ],
)
def test_a_command_that_changed_nothing_is_not_told(
    command: str, alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal is one line to whoever typed it, and none of the log."""
    caplog.clear()
    alice.app.test_cli_runner().invoke(args=command.split(), input="another-passphrase\n")
    assert trail(caplog) == [] and not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_the_trail_of_a_server_leads_to_the_requests_and_tells_no_name(
    log_format: str, start: Callable[..., Live]
) -> None:
    """As many lines as deeds, one line each, in both formats."""
    live = start(LOG_FORMAT=log_format)
    headers = live.login()
    put = live.request("PUT", f"/api/upload/{TELLTALE}.pdf", PDF, headers)
    [document] = json.loads(put[2])["files"]
    path = f"/api/documents/{document['id']}"
    done = {
        "uploaded": put,
        "downloaded": live.request("GET", f"{path}/content", headers=headers),
        "deleted": live.request("DELETE", path, headers=headers),
    }
    live.stop()
    logged = live.log.read_text().splitlines()
    assert sum(document["id"] in line for line in logged) == len(done)
    for event, (status, sent, _) in done.items():
        [told] = [line for line in logged if event in line]
        assert status == 200 and document["id"] in told and sent["x-request-id"] in told
    assert not [line for line in logged if TELLTALE in line]

"""File requests and the host: commands, backups, other databases, older and newer schemas (issue 11)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import event, inspect, text

from tests.support.bodies import PDF, part
from tests.support.engines import BASE, Live
from tests.support.people import PASSWORD, Person
from tests.support.postgres import Postgres
from tests.support.stack import change
from tests.support.visitors import OVER, Visitor, asked, bearer_of, error, visitor_of
from uploadsvc import create_app
from uploadsvc.credentials import hashed
from uploadsvc.extensions import db


def run(app: Flask, *arguments: object) -> Result:
    return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])


def done(app: Flask, *arguments: object) -> str:
    """What a command that must succeed says."""
    result = run(app, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(app: Flask, *arguments: object) -> str:
    """The one line of a command that failed."""
    result = run(app, *arguments)
    assert result.exit_code in {1, 2} and "Traceback" not in result.output and result.stdout == ""
    return result.stderr


# --- commands


def test_the_list_tells_whose_they_are_and_what_has_come(alice: Person, bob: Person) -> None:
    """Oldest first, an account after the other; one line each, whatever the title; and no secret."""
    made = [asked(alice, title="Tax papers", maxFiles=1), asked(bob, title="Fotos"), asked(alice, maxFiles=9)]
    Visitor(alice.app, bearer_of(made[0])).send()
    change(alice.app, "UPDATE file_requests SET title = 'a\tb\n\x1b[2J' WHERE public_id = :id", id=made[2]["id"])
    listed = done(alice.app, "requests", "list")
    lines = [line.split("\t") for line in listed.splitlines()]
    assert [(line[0], line[1], line[2], line[3], line[4], line[6]) for line in lines] == [
        (made[0]["id"], "alice@example.com", "files", "1", "1", "Tax papers"),
        (made[2]["id"], "alice@example.com", "open", "0", "9", r"a\tb\n\x1b[2J"),
        (made[1]["id"], "bob@example.com", "open", "0", "100", "Fotos"),
    ]
    assert [line[5] for line in lines] == [made[n]["expiresAt"] for n in (0, 2, 1)]
    assert not re.search(r"[0-9a-f]{32}\.", listed)
    assert done(alice.app, "requests", "list", "BOB@example.com").splitlines() == listed.splitlines()[2:]


def test_a_host_ends_one_request_at_once(alice: Person) -> None:
    """Its owner still sees it, and that it was ended."""
    made, other = asked(alice), visitor_of(alice)
    assert done(alice.app, "requests", "end", made["id"]) == f"Ended {made['id']}.\n"
    assert error(Visitor(alice.app, bearer_of(made)).look()) == OVER
    assert other.look().status_code == 200
    listed = {request["id"]: request["over"] for request in alice.get("/api/requests").get_json()["requests"]}
    assert listed == {made["id"]: "ended", other.bearer.partition(".")[0]: None}
    assert refused(alice.app, "requests", "end", made["id"]) == f"Error: There is no open request {made['id']}.\n"


def test_a_host_ends_all_of_them_at_once(alice: Person, bob: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Issue 11: of one account, or of everybody; a line of the trail for each."""
    visitors = [visitor_of(person) for person in (alice, alice, bob, bob)]
    late = visitor_of(bob)
    visitors[0].send()
    change(
        alice.app,
        "UPDATE file_requests SET expires_at = created_at WHERE public_id = :id",
        id=late.bearer.partition(".")[0],
    )
    caplog.clear()
    assert done(alice.app, "requests", "end-all", alice.email) == "Ended 2 requests.\n"
    assert [error(visitor.look()) for visitor in visitors[:2]] == [OVER, OVER]
    assert [visitor.look().status_code for visitor in visitors[2:]] == [200, 200]
    assert done(alice.app, "requests", "end-all") == "Ended 2 requests.\n"
    assert [error(visitor.look()) for visitor in (*visitors, late)] == [OVER] * 5
    assert [request["over"] for request in bob.get("/api/requests").get_json()["requests"]] == [
        "time",
        "ended",
        "ended",
    ]
    assert done(alice.app, "requests", "end-all") == "Ended 0 requests.\n"
    ended = [vars(record) for record in caplog.records if record.getMessage() == "request_ended"]
    assert [(line["user_id"], line["by"]) for line in ended] == [(1, "command")] * 2 + [(2, "command")] * 2
    assert {line["target_request"] for line in ended} == {visitor.bearer.partition(".")[0] for visitor in visitors}
    assert len(alice.get("/api/documents").get_json()["documents"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("requests", "list", "nobody@example.com"),
        ("requests", "end-all", "nobody@example.com"),
        ("requests", "end", "0" * 32),
        ("requests", "end", "m\udce9"),
        ("requests", "end"),
        ("documents", "list", "--request", "0" * 32),
        ("documents", "list", "--request", "x"),
    ],
    ids=lambda arguments: ascii(" ".join(arguments)),
)
def test_a_command_that_cannot_be_done_says_why_and_ends_nothing(arguments: tuple[str, ...], alice: Person) -> None:
    visitor = visitor_of(alice)
    assert refused(alice.app, *arguments).count("Error: ") == 1
    assert visitor.look().status_code == 200


def test_a_running_service_hears_of_the_end(live: Live) -> None:
    headers = live.login() | {"Content-Type": "application/json"}
    status, _, answer = live.request("POST", "/api/requests", b'{"title": "t"}', headers)
    found = re.search(rb"#([0-9a-f.]{65})", answer)
    assert status == 200 and found
    visitor = {"Authorization": f"Bearer {found[1].decode()}"}
    assert live.upload(visitor)[0] == 200
    assert live.flask("requests", "end-all").stdout == "Ended 1 requests.\n"
    assert live.upload(visitor)[0] == 401


def test_documents_are_listed_and_exported_by_request(alice: Person, bob: Person, tmp_path: Path) -> None:
    """The last two columns are those of what a visitor sent."""
    made = asked(alice, title="Tax papers")
    Visitor(alice.app, bearer_of(made)).send(part(filename="v.pdf"), name="Ana")
    visitor_of(bob).send(part(filename="w.pdf"))
    alice.upload("mine.pdf")
    listed = [line.split("\t")[4:] for line in done(alice.app, "documents", "list").splitlines()]
    assert listed == [["v.pdf", "Tax papers", "Ana"], ["w.pdf", "Tax papers 2026", ""], ["mine.pdf"]]
    only = done(alice.app, "documents", "list", "--request", made["id"]).splitlines()
    assert [line.split("\t")[4:] for line in only] == listed[:1]
    done(alice.app, "documents", "export", tmp_path / "out", "--request", made["id"])
    assert [path.name for path in (tmp_path / "out").rglob("*.pdf")] == ["v.pdf"]


def test_verify_finds_more_files_than_were_counted(alice: Person) -> None:
    """Fewer are none of its business: their owner has deleted some."""
    visitor = visitor_of(alice)
    ids = [visitor.send().get_json()["files"][0]["id"] for _ in range(3)]
    alice.delete(f"/api/documents/{ids[0]}")
    assert done(alice.app, "verify") == "2 documents, 0 damaged.\n"
    change(alice.app, "UPDATE file_requests SET files_received = 1")
    result = run(alice.app, "verify")
    request_id = visitor.bearer.partition(".")[0]
    assert result.exit_code == 1
    assert f"Request {request_id}: 1 files are counted as received, but there are 2" in result.output


# --- elsewhere


def settled(person: Person, made: dict[str, Any]) -> tuple[Any, ...]:
    """What an owner and a visitor see of a request and of its documents."""
    visitor = Visitor(person.app, bearer_of(made))
    documents = person.get("/api/documents").get_json()["documents"]
    return person.get("/api/requests").get_json(), visitor.look().get_json(), documents


def test_a_restored_backup_has_the_requests_and_their_links(
    alice: Person, make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    """The links that were sent are still good, for the secret that they are derived from is in the backup."""
    made, ended = asked(alice, maxFiles=2), asked(alice)
    Visitor(alice.app, bearer_of(made)).send(name="Ana", key="k")
    alice.delete(f"/api/requests/{ended['id']}")
    before = settled(alice, made)
    done(alice.app, "backup", tmp_path / "backup")
    app = make_app(INSTANCE_PATH=str(tmp_path / "new"))
    done(app, "restore", tmp_path / "backup")
    assert done(app, "verify") == "1 documents, 0 damaged.\n"
    again = Person(app, alice.email).login()
    assert settled(again, made) == before
    visitor = Visitor(app, bearer_of(made))
    assert error(Visitor(app, bearer_of(ended)).look()) == OVER
    assert visitor.send(name="Ana", key="k").get_json()["files"][0]["id"] == before[2][0]["id"]
    assert [visitor.send().status_code, error(visitor.send())] == [200, OVER]


def test_everybody_goes_on_as_before_on_another_database(
    alice: Person, postgres: Postgres, make_app: Callable[..., Flask]
) -> None:
    made = asked(alice, title="Steuer \U0001f4a9", note="a\nb", maxFiles=3)
    Visitor(alice.app, bearer_of(made)).send(name="Ana \U0001f4a9", key="k")
    before, url = settled(alice, made), postgres.create()
    assert "file_requests: 1 rows" in done(alice.app, "database", "copy", "--to", url)
    moved = Person(make_app(DATABASE_URL=url), alice.email).login()
    assert settled(moved, made) == before
    visitor = Visitor(moved.app, bearer_of(made))
    assert visitor.send(name="Ana \U0001f4a9", key="k").get_json()["files"][0]["id"] == before[2][0]["id"]
    assert visitor.send(part(), part()).status_code == 200 and error(visitor.send()) == OVER
    assert asked(moved)["id"] != made["id"] and done(moved.app, "verify") == "3 documents, 0 damaged.\n"
    with moved.app.app_context():
        db.engine.dispose()
    postgres.drop(url)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def at_0003(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Any:
    """An instance of the version before, with an account and what it keeps."""
    on_postgres = request.param == "PostgreSQL"
    url = postgres.create() if on_postgres else ""
    app = create_app(BASE | {"INSTANCE_PATH": str(tmp_path / "old"), "DATABASE_URL": url})
    account = (
        "INSERT INTO users (email, password_hash, is_active, created_at, used_bytes)"
        " VALUES ('alice@example.com', :hash, true, '2026-01-02 03:04:05.000000', 14)"
    )
    row = (
        "INSERT INTO documents (public_id, user_id, filename, path, content_type, size, sha256, status, created_at,"
        " part, fieldname) VALUES (:id, 1, 'a.pdf', :path, 'application/pdf', 7, 'h', 'success',"
        " '2026-01-02 03:04:05.000000', 0, 'file')"
    )
    with app.app_context():
        flask_migrate.upgrade(revision="0003")
        with db.engine.begin() as connection:
            connection.execute(text(account), {"hash": hashed(PASSWORD, 4)})
            for number in (1, 2):
                connection.execute(text(row), {"id": f"{number:032}", "path": f"1/{number}-a.pdf"})
        db.engine.dispose()
    yield app
    with app.app_context():
        db.engine.dispose()
    if on_postgres:
        postgres.drop(url)


def test_an_older_database_is_brought_along_and_back(at_0003: Flask) -> None:
    """H8: what is there came by no request; on the way back visitors' documents stay."""
    with at_0003.app_context():
        flask_migrate.upgrade()
        db.engine.dispose()
    alice = Person(at_0003, "alice@example.com").login()
    documents = alice.get("/api/documents").get_json()["documents"]
    assert [(document["via"], document["sender"]) for document in documents] == [(None, None)] * 2
    assert visitor_of(alice).send(name="Ana").status_code == 200
    with at_0003.app_context():
        flask_migrate.downgrade(revision="0003")
        assert "file_requests" not in inspect(db.engine).get_table_names()
        names = {column["name"] for column in inspect(db.engine).get_columns("documents")}
        assert not names & {"request_id", "sender"}
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM documents")) == 3
            assert connection.scalar(text("SELECT used_bytes FROM users")) == 14 + len(PDF)
        flask_migrate.upgrade()
        db.engine.dispose()
    assert len(alice.get("/api/documents").get_json()["documents"]) == 3


def test_a_list_of_documents_does_not_read_the_notes(alice: Person) -> None:
    """K14: a page of 200 costs the same whatever was written to the visitors; and it is one query."""
    for _ in range(2):
        assert visitor_of(alice, note="n" * 2000).send().status_code == 200
    asked_for: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked_for.append(statement)

    with alice.app.app_context():
        event.listen(db.engine, "before_cursor_execute", hear)
    assert len(alice.get("/api/documents").get_json()["documents"]) == 2
    assert len([statement for statement in asked_for if "file_requests" in statement]) == 1
    assert not [statement for statement in asked_for if "note" in statement]

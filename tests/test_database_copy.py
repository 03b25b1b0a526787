"""`database copy`: an instance moves from SQLite to PostgreSQL, and nobody notices (issue 9)."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tests.support.bodies import PDF, multipart, part
from tests.support.people import Person
from tests.support.postgres import Postgres
from uploadsvc.extensions import db

TABLES = ("users", "api_tokens", "sessions", "documents")


@pytest.fixture
def target(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database, without tables."""
    url = postgres.create()
    yield url
    postgres.drop(url)


def copy(app: Flask, url: str) -> Result:
    return app.test_cli_runner().invoke(args=["database", "copy", "--to", url])


def on_sqlite(app: Flask, *statements: str) -> None:
    with closing(sqlite3.connect(app.config["INSTANCE_PATH"] / "app.db")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def rows_of(app: Flask) -> dict[str, list[Any]]:
    """Every row of every table, as the models read it."""
    with app.app_context():
        found = {
            table.name: sorted(map(repr, db.session.execute(db.select(table)))) for table in db.metadata.sorted_tables
        }
        db.session.remove()
    return found


def is_one_line(result: Result) -> bool:
    """Is it one line that says what is wrong, after what was done?"""
    assert result.exit_code != 0, result.output
    return sum("Error: " in line for line in result.output.splitlines()) == 1 and "Traceback" not in result.output


def test_everybody_goes_on_as_before(alice: Person, bob: Person, target: str, make_app: Callable[..., Flask]) -> None:
    """Sessions, API tokens, passwords, documents and keys; new documents get new numbers."""
    key = {"Idempotency-Key": "once"}
    fields = part("note", None, "\U0001f4a9 \\u0000 \u202e".encode())
    first = alice.send(multipart(fields, part(filename="näme \U0001f4a9.pdf"), part(filename="b.pdf")), headers=key)
    assert first.status_code == 200 and bob.upload().status_code == 200
    token = alice.post("/api/tokens", json={"name": "läptop", "expiresInDays": 9}).get_json()["token"]
    runner = alice.app.test_cli_runner()
    assert runner.invoke(args=["users", "quota", "bob@example.com", str(10**17)]).exit_code == 0
    before = rows_of(alice.app)

    result = copy(alice.app, target)

    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == f"Copied and compared: 2 accounts, 3 documents of {3 * len(PDF)} bytes."
    assert rows_of(alice.app) == before
    moved = make_app(DATABASE_URL=target)
    assert rows_of(moved) == before
    alice.client = moved.test_client(use_cookies=False)
    bob.client = moved.test_client(use_cookies=False)
    again = alice.send(multipart(fields, part(filename="näme \U0001f4a9.pdf"), part(filename="b.pdf")), headers=key)
    assert again.get_json() == first.get_json()
    for file in first.get_json()["files"]:
        with alice.get(f"/api/documents/{file['id']}/content") as answer:
            assert answer.data == PDF
        assert bob.get(f"/api/documents/{file['id']}").status_code == 404
    put = bob.client.put("/api/upload/c.pdf", data=PDF, headers={"Authorization": f"Bearer {token}"})
    assert put.status_code == 200 and bob.upload().status_code == 200
    assert bob.login().post("/api/tokens", json={"name": "new"}).status_code == 200
    listed = [len(person.get("/api/documents").get_json()["documents"]) for person in (alice, bob)]
    assert listed == [3, 2]
    for command in (["verify"], ["users", "add", "new@example.com", "--password-stdin"]):
        assert moved.test_cli_runner().invoke(args=command, input="a-long-passphrase\n").exit_code == 0


def test_an_instance_without_a_row_is_copied_too(app: Flask, target: str, postgres: Postgres) -> None:
    assert copy(app, target).exit_code == 0
    assert [postgres.rows(target, f"SELECT count(*) FROM {table}") for table in TABLES] == [[(0,)]] * 4
    assert postgres.rows(target, "SELECT nextval('documents_id_seq')") == [(1,)]


def test_many_rows_are_copied(alice: Person, target: str, postgres: Postgres) -> None:
    """More than are read at a time, with times to the microsecond and without."""
    columns = (
        "public_id, user_id, filename, path, content_type, size, sha256, status, created_at, part, fieldname, fields"
    )
    values = [
        f"('{number:032x}', 1, 'a.pdf', '1/{number}-a.pdf', 'application/pdf', {2**40 + number}, 'h', 'success',"
        f" '2026-01-02 03:04:05.{number:06}', 0, 'file', '{json.dumps({'n': str(number)})}')"
        for number in range(1234)
    ]
    on_sqlite(alice.app, f"INSERT INTO documents ({columns}) VALUES {','.join(values)}")
    result = copy(alice.app, target)
    assert result.exit_code == 0 and "documents: 1234 rows" in result.output
    assert postgres.rows(target, "SELECT nextval('documents_id_seq')") == [(1235,)]
    assert postgres.rows(target, "SELECT created_at::text FROM documents WHERE id = 124") == [
        ("2026-01-02 03:04:05.000123",)
    ]


def test_a_target_with_accounts_is_refused(alice: Person, target: str, postgres: Postgres) -> None:
    """So nothing is copied twice."""
    assert copy(alice.app, target).exit_code == 0
    before = postgres.rows(target, "SELECT * FROM sessions")
    result = copy(alice.app, target)
    assert is_one_line(result) and "has accounts already" in result.output
    assert postgres.rows(target, "SELECT * FROM sessions") == before


def test_a_target_with_the_tables_of_another_version_is_refused(app: Flask, target: str, postgres: Postgres) -> None:
    """Of a newer one, or of another program that migrates with Alembic."""
    assert copy(app, target).exit_code == 0
    with postgres.connect(target) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    result = copy(app, target)
    assert is_one_line(result) and "'ffffffffffff'" in result.output and "newer" in result.output
    assert postgres.rows(target, "SELECT version_num FROM alembic_version") == [("ffffffffffff",)]


@pytest.mark.parametrize(
    "statement, place",
    [
        ("UPDATE api_tokens SET name = 'a' || char(0) || 'b'", "api_tokens 1: name holds a NUL character"),
        ("UPDATE api_tokens SET name = substr(hex(zeroblob(60)), 1, 101)", "api_tokens 1: name is too long"),
        ("UPDATE documents SET part = 3000000000", "documents 1: part is too large a number"),
        ("UPDATE documents SET filename = CAST(x'ff' AS TEXT)", "decode"),
        ("UPDATE documents SET user_id = 99", "foreign key"),
    ],
)
def test_what_postgresql_cannot_keep_is_named_and_nothing_is_copied(
    alice: Person, target: str, postgres: Postgres, statement: str, place: str
) -> None:
    assert alice.upload().status_code == 200
    assert alice.post("/api/tokens", json={"name": "laptop"}).status_code == 200
    on_sqlite(alice.app, statement)
    result = copy(alice.app, target)
    assert is_one_line(result) and place in result.output, result.output
    assert [postgres.rows(target, f"SELECT count(*) FROM {table}") for table in TABLES] == [[(0,)]] * 4
    assert [path.name for path in alice.app.config["INSTANCE_PATH"].glob("copy-in-progress*")] == []


def test_only_an_address_of_postgresql_is_a_target(app: Flask, target: str, make_app: Callable[..., Flask]) -> None:
    for url in (
        "sqlite:////tmp/x.db",
        "mysql://u:telltale@h/d",
        "postgresql://u:telltale@more@h/d",
        "postgresql://u:telltale@h",
    ):
        result = copy(app, url)
        assert is_one_line(result) and "telltale" not in result.output
    result = copy(app, "postgresql://u:telltale@127.0.0.1:1/d")
    assert is_one_line(result) and "refused" in result.output and "telltale" not in result.output
    result = copy(make_app(DATABASE_URL=target), target)
    assert is_one_line(result) and "already" in result.output

"""PostgreSQL in the place of SQLite: what is different with it, against a real server (issue 9)."""

import base64
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import flask_migrate
import jwt
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import BASE, Live, start_live
from tests.support.people import PASSWORD, Person, add_user
from tests.support.postgres import Postgres
from tests.support.sockets import Cutter
from tests.support.traces import state
from tests.test_group import at_once
from uploadsvc import config, create_app
from uploadsvc.extensions import db
from uploadsvc.extensions.plain import Plain

TELLTALE = "telltale"
DEAD = f"postgresql://app:{TELLTALE}@127.0.0.1:1/nowhere"
DOCUMENTS, USED = "SELECT path FROM documents ORDER BY id", "SELECT sum(used_bytes) FROM users"


@pytest.fixture
def app(make_app: Callable[..., Flask], database_url: str) -> Flask:
    return make_app(DATABASE_URL=database_url.replace("app@", f"app:{TELLTALE}@"))


@pytest.fixture
def serve(tmp_path: Path, database_url: str) -> Iterator[Callable[..., Live]]:
    """Start instances, each in a folder of its own, on one database; all are killed after the test."""
    started: list[Live] = []

    def begin(name: str = "one", **environ: str) -> Live:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        given = {"DATABASE_URL": database_url, "JWT_SECRET": BASE["JWT_SECRET"]} | environ
        started.append(start_live(folder, **given))
        return started[-1]

    yield begin
    for live in started:
        live.stop(signal.SIGKILL)


@contextmanager
def stopped(postgres: Postgres) -> Iterator[None]:
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


def is_unavailable(answer: Any) -> bool:
    """Is it 503 in JSON, with a time to come again?"""
    assert answer.status_code == 503, answer.text
    return answer.get_json()["error"] == "unavailable" and answer.headers["Retry-After"] == "5"


# --- the setting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
@pytest.mark.parametrize(
    "rest", ["u:p%40ss@db.example:5432/files?sslmode=require", "app@/files?host=/run/postgresql", "/files"]
)
def test_every_spelling_of_an_address_is_taken(scheme: str, rest: str, tmp_path: Path) -> None:
    loaded = config.load({"DATABASE_URL": f"{scheme}://{rest}", "INSTANCE_PATH": str(tmp_path)})
    assert loaded["DATABASE_URL"] == f"postgresql+psycopg://{rest}"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://u:{TELLTALE}@more@host/db",
        f"postgresql://u:{TELLTALE}",
        f"postgresql://u:1@{TELLTALE}?x@host/db",
        f"postgresql+asyncpg://u:{TELLTALE}@host/db",
        f"postgresqlx://u:{TELLTALE}@host/db",
        f"mysql://u:{TELLTALE}@host/db",
        f"postgresql://u:{TELLTALE}@host",
        f"postgresql://u:{TELLTALE}@host/",
        f"postgresql://u:{TELLTALE}@host?sslmode=require",
        f"postgresql://u:{TELLTALE}@/?host=/run/postgresql",
        "postgresql://",
        "postgresql:///",
    ],
)
def test_an_address_that_is_none_is_one_line_without_its_password(address: str, tmp_path: Path) -> None:
    """A password with an @ or a / that nobody encoded would otherwise be looked up as the name of a host.

    And where no database is named the environment would say where the tables are made.
    """
    with pytest.raises(config.ConfigError, match=r"^DATABASE_URL must be ") as refused:
        config.load({"DATABASE_URL": address, "INSTANCE_PATH": str(tmp_path)})
    assert TELLTALE not in str(refused.value) and "\n" not in str(refused.value)


def test_without_the_driver_the_start_stops_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as where the extra is not installed
    with pytest.raises(config.ConfigError, match=r"^DATABASE_URL needs the extra `postgres`: .*pip install .*\.$"):
        config.load({"DATABASE_URL": DEAD, "INSTANCE_PATH": str(tmp_path)})


def test_a_server_that_is_not_there_stops_the_start_with_one_line(tmp_path: Path) -> None:
    live = start_live(tmp_path, wait=False, DATABASE_URL=DEAD)
    assert live.stop_by_itself() == 1
    [line] = live.log.read_text().splitlines()
    assert line.startswith("DATABASE_URL cannot be used: ") and "refused" in line and TELLTALE not in line


def test_the_password_is_in_no_log(alice: Person, app: Flask, log: Any, postgres: Postgres) -> None:
    """Also with tracebacks, of requests and of what is done by the clock."""
    with stopped(postgres):
        assert is_unavailable(alice.upload()) and is_unavailable(alice.get("/api/documents"))
        assert app.test_client().get("/readyz").status_code == 503
        assert app.test_client().get("/metrics").status_code == 200
    said = log.getvalue()
    assert "unavailable" in said and "facts_unknown" in said and TELLTALE not in said and "server" in said


def test_a_failed_statement_is_logged_without_its_values(
    alice: Person, log: Any, postgres: Postgres, database_url: str
) -> None:
    """PostgreSQL quotes the whole row that it refuses: the file's name and the fields are in no log."""
    with postgres.connect(database_url) as connection:
        connection.execute("ALTER TABLE documents ADD CONSTRAINT never CHECK (size < 0)")
    answer = alice.send(multipart(part("note", None, TELLTALE.encode()), part(filename=f"{TELLTALE}.pdf")))
    assert answer.status_code == 500 and TELLTALE not in answer.text
    said = log.getvalue()
    assert "unforeseen" in said and "CheckViolation" in said and TELLTALE not in said


def test_nobody_waits_for_ever(app: Flask) -> None:
    """For a lock as long as SQLite's; a server or an instance that has vanished is given up."""
    with app.app_context(), db.engine.connect() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "5s"
        assert connection.scalar(text("SHOW application_name")) == "uploadsvc"
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"
        told = connection.connection.dbapi_connection.info.get_parameters()
    assert told["tcp_user_timeout"] == "30000" and told["connect_timeout"] == "5"


# --- the schema -----------------------------------------------------------------------------------------------------


def test_the_migrations_make_what_the_models_say(app: Flask) -> None:
    """H8: alembic finds no difference in either direction."""
    with app.app_context(), db.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), db.metadata) == []


ROWS = """
INSERT INTO users (id, email, password_hash, is_active, created_at)
    VALUES (7, 'alice@example.com', 'x', true, '2026-01-02 03:04:05.678901');
INSERT INTO api_tokens (id, user_id, name, token_hash, created_at) VALUES (3, 7, 'laptop', 'h', '2026-01-02');
INSERT INTO sessions (id, user_id, refresh_token_hash, created_at, expires_at, user_agent)
    VALUES ('s', 7, 'h', '2026-01-02', '2027-01-02', 'curl');
INSERT INTO documents (id, public_id, user_id, filename, path, content_type, size, sha256, status, created_at, part,
    fieldname, fields, idempotency_key) VALUES
    (1, 'a', 7, 'a.pdf', '7/1-a.pdf', 'application/pdf', 10, 'h', 'success', now(), 0, 'file', '{"a": "1"}', 'k'),
    (2, 'b', 7, 'b.pdf', '7/1-b.pdf', 'application/pdf', 20, 'h', 'success', now(), 1, 'file', '{"a": "1"}', 'k');
"""


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_an_older_schema_is_upgraded_with_what_is_in_it(postgres: Postgres, tmp_path: Path, revision: str) -> None:
    url = postgres.create()
    app = create_app(BASE | {"INSTANCE_PATH": str(tmp_path), "DATABASE_URL": url})
    with app.app_context():
        flask_migrate.upgrade(revision=revision)
        with postgres.connect(url) as connection:
            connection.execute(ROWS)
        flask_migrate.upgrade()
        db.engine.dispose()
    assert postgres.rows(url, "SELECT id, created_at::text, used_bytes FROM users") == [
        (7, "2026-01-02 03:04:05.678901", 30)
    ]
    digests = {"0001": True, "0002": False}  # 0002 itself tells which files a key brought
    found = postgres.rows(url, "SELECT id, upload_digest IS NOT NULL, fields::text FROM documents ORDER BY id")
    fields = None if revision == "0001" else '{"a": "1"}'
    assert found == [(1, digests[revision], '{"a": "1"}'), (2, digests[revision], fields)]
    with app.app_context():
        flask_migrate.downgrade(revision=revision)
        flask_migrate.upgrade()
        db.engine.dispose()
    postgres.drop(url)


def test_four_instances_start_at_once_on_an_empty_database(postgres: Postgres, tmp_path: Path) -> None:
    """Each in a folder of its own, as on four machines: the tables are made once, and one account."""
    url, started = postgres.create(), []
    try:
        for name in "abcd":
            (tmp_path / name).mkdir()
            started.append(start_live(tmp_path / name, wait=False, DATABASE_URL=url, JWT_SECRET=BASE["JWT_SECRET"]))
        assert all(eventually(live.serves, 40) for live in started), [live.log.read_text() for live in started]
        assert postgres.rows(url, "SELECT count(*) FROM users") == [(1,)]
        assert sum("First account" in live.log.read_text() for live in started) == 1
        headers = started[0].login()
        assert {live.upload(headers)[0] for live in started} == {200}
    finally:
        for live in started:
            live.stop(signal.SIGKILL)
    postgres.drop(url)


def test_a_setup_waits_for_another_one(postgres: Postgres, app: Flask, database_url: str, tmp_path: Path) -> None:
    with postgres.connect(database_url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [0x75706C6F6164_0001])
        live = start_live(tmp_path, wait=False, DATABASE_URL=database_url)
        try:
            asks = (
                "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()"
            )
            assert eventually(lambda: other.execute(asks).fetchone(), 20) and not live.serves()
            other.execute("SELECT pg_advisory_unlock(%s)", [0x75706C6F6164_0001])
            assert eventually(live.serves, 20)
        finally:
            live.stop(signal.SIGKILL)


# --- several instances ----------------------------------------------------------------------------------------------


def test_an_instance_with_a_secret_of_its_own_is_refused_beside_another(
    serve: Callable[..., Live], tmp_path: Path, database_url: str
) -> None:
    """Each would refuse the sessions and the API tokens that the other made."""
    first = serve("one", JWT_SECRET="")
    (tmp_path / "two").mkdir()
    second = start_live(tmp_path / "two", wait=False, DATABASE_URL=database_url)
    assert second.stop_by_itself() == 1
    [line] = second.log.read_text().splitlines()
    assert line.startswith("JWT_SECRET must be set to that of the other instances on this ") and "to a new one" in line
    same = (first.instance / "jwt_secret").read_text()
    assert serve("two", JWT_SECRET=same).upload(first.login())[0] == 200


def test_what_an_instance_made_itself_may_become_the_secret_of_all(serve: Callable[..., Live], tmp_path: Path) -> None:
    """The operator sets what is in the file of the one that was refused, and it starts."""
    serve("one", JWT_SECRET="").stop()
    two = tmp_path / "two" / "instance"
    made = config.load({"INSTANCE_PATH": str(two)})["JWT_SECRET"]
    second = serve("two", JWT_SECRET=made)
    assert (two / "jwt_secret").read_text() == made and second.instance == two
    assert serve("one", JWT_SECRET=made).upload(second.login())[0] == 200


def test_a_secret_that_is_set_anew_is_told_and_taken(serve: Callable[..., Live]) -> None:
    serve("one", JWT_SECRET="").stop()
    live = serve("one")
    assert [line["level"] for line in live.lines if line["message"].startswith("jwt_secret_changed")] == ["WARNING"]
    live.stop()
    assert not any(line["message"].startswith("jwt_secret_changed") for line in serve("one").lines)


def test_whose_secret_it_is_is_noted_once(serve: Callable[..., Live], postgres: Postgres, database_url: str) -> None:
    """A start or a command with the same one writes nothing: its role need not own the tables."""
    live = serve("one")
    written = "SELECT xmin::text FROM pg_description WHERE objoid = 'alembic_version'::regclass"
    before = postgres.rows(database_url, written)
    assert live.flask("users", "list").returncode == 0 and serve("two").serves()
    assert len(before) == 1 and postgres.rows(database_url, written) == before


def test_one_instance_keeps_house_and_another_one_after_it(serve: Callable[..., Live]) -> None:
    """The lock is its connection's, so even kill -9 gives it back."""

    def leads(live: Live) -> bool:
        return any(line["message"] == "leads" for line in live.lines)

    def leftover(live: Live) -> Path:
        path = live.instance / "uploads" / ".staging" / "old.part"
        path.touch()
        os.utime(path, (0, 0))
        return path

    first = serve("one")
    assert eventually(lambda: leads(first))
    second = serve("two")
    own = leftover(second)
    second.stop(signal.SIGKILL)
    second = serve("two")
    assert eventually(lambda: not own.exists()), "what lies on its own disk each instance sweeps itself"
    kept = leftover(second)
    assert second.upload(second.login())[0] == 200 and not leads(second) and kept.exists()
    first.stop(signal.SIGKILL)
    assert eventually(lambda: leads(second), 20) and eventually(lambda: not kept.exists())


def test_who_keeps_house_does_again_when_the_server_is_back(serve: Callable[..., Live], postgres: Postgres) -> None:
    live = serve("one")
    assert eventually(lambda: [line["message"] for line in live.lines].count("leads") == 1)
    with stopped(postgres):
        assert eventually(lambda: any(line["message"] == "leads_no_more" for line in live.lines), 20)
    assert eventually(lambda: [line["message"] for line in live.lines].count("leads") == 2, 20)


# --- races ----------------------------------------------------------------------------------------------------------


def test_one_key_is_one_upload_over_two_instances(
    serve: Callable[..., Live], postgres: Postgres, database_url: str
) -> None:
    """20 at once: all get the same answer, and two files are kept."""
    lives = [serve("one"), serve("two")]
    headers = lives[0].login() | {"Idempotency-Key": "once"}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: lives[n % 2].upload(headers, part(), part(filename="b.pdf")), range(20)))
    assert {status for status, _, _ in answers} == {200} and len({body for _, _, body in answers}) == 1
    assert len(postgres.rows(database_url, DOCUMENTS)) == 2 and postgres.rows(database_url, USED) == [(2 * len(PDF),)]


def test_a_quota_is_exact_over_two_instances(serve: Callable[..., Live], postgres: Postgres, database_url: str) -> None:
    quota = {"USER_QUOTA_BYTES": str(7 * len(PDF))}
    lives = [serve("one", **quota), serve("two", **quota)]
    headers = lives[0].login()
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda number: lives[number % 2].upload(headers)[0], range(20)))
    assert sorted(statuses) == [200] * 7 + [507] * 13
    assert len(postgres.rows(database_url, DOCUMENTS)) == 7


def refresh_token(live: Live) -> str:
    """Sign in; return the token that the cookie has."""
    body = json.dumps({"email": "admin@localhost", "password": PASSWORD})
    connection = live.http()
    connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
    cookies = connection.getresponse().headers.get_all("Set-Cookie")
    connection.close()
    [token] = [cookie.partition(";")[0] for cookie in cookies if cookie.startswith("refresh_token=")]
    return token.partition("=")[2]


def test_groups_that_meet_the_same_accounts_and_keys_wait_for_each_other_and_not_both(
    alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12: two processes store them in opposite orders; what would be a deadlock is 503 for a whole group."""
    true = Plain.run

    def run_slowly(self: Plain, sql: str, rows: list[Any]) -> int:
        met = 0
        for row in rows:
            met += true(self, sql, [row])
            time.sleep(0.05)
        return met

    def send(number: int) -> TestResponse:
        return (alice, bob)[number % 2].upload(f"{number}.pdf", Idempotency_Key=f"key-{number}")

    monkeypatch.setattr(Plain, "run", run_slowly)
    numbers = range(4)
    with ThreadPoolExecutor(2) as pool:
        groups = [pool.submit(at_once, *(partial(send, n) for n in order)) for order in (numbers, reversed(numbers))]
        answers = [answer for group in groups for answer in group.result()]
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.get_json()["files"][0]["id"] for answer in answers}) == 4


def test_a_refresh_has_one_child_over_two_instances(serve: Callable[..., Live]) -> None:
    lives, kind = [serve("one"), serve("two")], {"Content-Type": "application/json"}
    token = json.dumps({"refresh": refresh_token(lives[0])}).encode()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: lives[n % 2].request("POST", "/api/auth/refresh", token, kind), range(20)))
    assert {status for status, _, _ in answers} == {200}
    children = [json.loads(text)["refresh"] for _, _, text in answers]
    ids = {jwt.decode(child, options={"verify_signature": False})["jti"] for child in children}
    assert len(ids) == 1


# --- a server that goes and comes -----------------------------------------------------------------------------------


def test_a_server_that_is_gone_is_503_and_nothing_is_left(alice: Person, app: Flask, postgres: Postgres) -> None:
    """And when it is back, so is the service, without a restart and without one failed request."""
    assert alice.upload().status_code == 200
    before = state(app)
    with stopped(postgres):
        assert is_unavailable(alice.upload())
        assert is_unavailable(alice.get("/api/documents"))
        assert is_unavailable(app.test_client().post("/api/auth/login", json={"email": "a@b", "password": "x" * 8}))
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.get_json()["checks"]["database"]) == (503, False)
    assert state(app) == before
    for _ in range(2 * BASE["THREADS"]):
        assert alice.get("/api/limits").status_code == 200
    assert app.test_client().get("/readyz").status_code == 200
    assert alice.upload().status_code == 200


def test_who_idles_too_long_for_the_server_is_answered_all_the_same(
    serve: Callable[..., Live], postgres: Postgres, database_url: str, tmp_path: Path
) -> None:
    """An upload with a key looks for its repeat first, and lets the connection go while its files are scanned."""
    with postgres.connect(database_url) as connection:
        connection.execute("ALTER ROLE app SET idle_in_transaction_session_timeout = '300ms'")
    try:
        live = serve(SCAN_COMMAND="sh -c 'sleep 1'")
        headers = live.login()
        for key in ({}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}):
            status, _, body = live.upload(headers | key)
            assert status == 200, body
    finally:
        with postgres.connect(database_url) as connection:
            connection.execute("ALTER ROLE app RESET idle_in_transaction_session_timeout")
    assert [line for line in live.lines if line["level"] == "ERROR"] == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
def test_a_server_that_dies_between_requests_fails_none(alice: Person, postgres: Postgres, how: signal.Signals) -> None:
    """With a word of farewell or without: the pool notices before it is used."""
    assert alice.upload().status_code == 200
    postgres.stop(how)
    postgres.start()
    assert alice.upload().status_code == 200


def test_a_server_that_goes_in_the_middle_of_an_upload_leaves_nothing(
    serve: Callable[..., Live], postgres: Postgres, database_url: str
) -> None:
    live = serve()
    headers = live.login()
    body = multipart(part(content=PDF + b"x" * 100_000))
    connection = live.http()
    connection.putrequest("POST", "/api/upload")
    for name, value in (headers | {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body))}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body[:50_000])
    staging = live.instance / "uploads" / ".staging"
    assert eventually(lambda: list(staging.iterdir()))
    with stopped(postgres):
        connection.send(body[50_000:])
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]) == (503, "unavailable")
        connection.close()
    assert [path for path in (live.instance / "uploads").rglob("*") if path.is_file()] == []
    assert postgres.rows(database_url, DOCUMENTS) == [] and postgres.rows(database_url, USED) == [(0,)]
    assert live.upload(headers)[0] == 200


def test_a_lock_that_another_holds_is_busy(alice: Person, postgres: Postgres, database_url: str, app: Flask) -> None:
    assert alice.upload().status_code == 200
    before = state(app)
    with psycopg.connect(database_url) as other:
        other.execute("UPDATE users SET email = email")
        answer = alice.upload()
        assert (answer.status_code, answer.get_json()["error"], answer.headers["Retry-After"]) == (503, "busy", "5")
        assert alice.get("/api/documents").status_code == 200
        other.rollback()
    assert state(app) == before and alice.upload().status_code == 200


def test_a_pool_without_a_connection_left_is_busy(alice: Person, app: Flask) -> None:
    with app.app_context():
        taken = [db.engine.connect() for _ in range(db.engine.pool.size() + db.engine.pool._max_overflow)]
    try:
        answer = alice.upload()
        assert (answer.status_code, answer.get_json()["error"]) == (503, "busy")
    finally:
        for connection in taken:
            connection.close()
    assert alice.upload().status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        ("40001", 503, "busy"),
        ("40P01", 503, "busy"),
        ("55P03", 503, "busy"),
        ("57014", 503, "busy"),
        ("08006", 503, "unavailable"),
        ("57P01", 503, "unavailable"),
        ("53300", 503, "unavailable"),
        ("53200", 503, "unavailable"),
        ("25006", 503, "unavailable"),
        ("53100", 507, "insufficient_storage"),
        ("XX000", 500, "internal_error"),
    ],
)
def test_what_the_server_says_has_its_answer(
    alice: Person, postgres: Postgres, database_url: str, app: Flask, said: tuple[str, int, str]
) -> None:
    """A trigger says it, in the middle of an upload; of which nothing is left."""
    sqlstate, status, error = said
    assert alice.upload().status_code == 200
    before = state(app)
    with postgres.connect(database_url) as other:
        other.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$"
        )
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON documents EXECUTE FUNCTION refuse()")
        answer = alice.upload()
        assert (answer.status_code, answer.get_json()["error"]) == (status, error)
        other.execute("DROP TRIGGER refuse ON documents")
    assert state(app) == before and alice.upload().status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_an_upload_whose_connections_all_break_leaves_nothing(
    alice: Person, postgres: Postgres, database_url: str, app: Flask, headers: dict[str, str]
) -> None:
    """With a key a request has two of them, and the files are published by then."""
    assert alice.upload().status_code == 200
    before = state(app)
    with postgres.connect(database_url) as other:
        kill = "PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid"
        other.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {kill} <> {other.info.backend_pid}; PERFORM pg_sleep(1); RETURN NULL; END $$"
        )
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON documents EXECUTE FUNCTION refuse()")
        assert is_unavailable(alice.send(multipart(part()), headers=headers))
        other.execute("DROP TRIGGER refuse ON documents")
    assert state(app) == before and alice.upload().status_code == 200


# --- a COMMIT whose answer is lost ----------------------------------------------------------------------------------


@pytest.mark.parametrize("arrives", [True, False])
def test_a_row_has_its_bytes_when_the_answer_to_its_commit_is_lost(
    arrives: bool, make_app: Callable[..., Flask], postgres: Postgres, database_url: str, tmp_path: Path
) -> None:
    """Whether the server had the COMMIT or not, the client is told to look; with its key it just repeats."""
    with Cutter(postgres.socket) as cutter:
        app = make_app(DATABASE_URL=database_url.partition("?")[0] + f"?host={cutter.folder}")
        add_user(app, "alice@example.com")
        alice = Person(app, "alice@example.com").login()
        assert alice.upload(Idempotency_Key="first").status_code == 200
        cutter.cut_at(b"COMMIT\0", arrives)  # not that of READ COMMITTED
        answer = alice.upload(Idempotency_Key="k")
        assert is_unavailable(answer)
        assert eventually(lambda: len(postgres.rows(database_url, DOCUMENTS)) == 1 + arrives)
        root = app.config["UPLOADS_DIR"]
        assert all((root / path).exists() for (path,) in postgres.rows(database_url, DOCUMENTS))
        again = alice.upload(Idempotency_Key="k")
        assert again.status_code == 200 and len(alice.get("/api/documents").get_json()["documents"]) == 2
        runner = app.test_cli_runner()
        assert runner.invoke(args=["sweep", "--older-than", "0"]).exit_code == 0
        assert runner.invoke(args=["verify"]).exit_code == 0
        assert len([path for path in root.rglob("*.pdf")]) == 2
        with app.app_context():
            db.engine.dispose()


# --- what PostgreSQL cannot hold ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one(postgres: Postgres, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One real server on PostgreSQL, for what changes nothing."""
    url = postgres.create(migrated)
    live = start_live(tmp_path_factory.mktemp("one"), DATABASE_URL=url, JWT_SECRET=BASE["JWT_SECRET"])
    yield live
    live.stop(signal.SIGKILL)
    postgres.drop(url)


ODD = ["%00", "a%00b", "%ED%A0%80", "%FF", "%F0%9F%92%A9", "9" * 40, "-1", "a" * 3000, "%E2%80%AE"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/api/documents/{}"),
        ("GET", "/api/documents/{}/content"),
        ("DELETE", "/api/documents/{}"),
        ("GET", "/api/documents?before={}"),
        ("GET", "/api/documents?before=c-{}"),
        ("GET", "/api/documents?limit={}"),
        ("DELETE", "/api/auth/sessions/{}"),
        ("DELETE", "/api/tokens/{}"),
    ],
)
def test_an_id_that_cannot_be_is_refused(one: Live, signed: dict[str, str], method: str, path: str, odd: str) -> None:
    status, _, body = one.request(method, path.format(odd), headers=signed)
    assert status in (400, 404), body


@pytest.fixture(scope="module")
def signed(one: Live) -> dict[str, str]:
    return one.login()


ODD_TEXTS = ["\\u0000", "a\\u0000b", "\\ud800", "\\udc00\\ud800", "\\ud83d\\ude00", "x" * 9000]


@pytest.mark.parametrize("odd", ODD_TEXTS)
@pytest.mark.parametrize(
    "path, body",
    [
        ("/api/auth/login", '{"email": "ODD@example.com", "password": "right-or-wrong"}'),
        ("/api/auth/login", '{"email": "alice@example.com", "password": "ODD"}'),
        ("/api/auth/refresh", '{"refresh": "ODD"}'),
        ("/api/auth/password", '{"current": "ODD", "new": "ODD-and-more"}'),
        ("/api/tokens", '{"name": "ODD", "scope": "ODD"}'),
    ],
)
def test_a_text_that_cannot_be_is_refused(one: Live, signed: dict[str, str], path: str, body: str, odd: str) -> None:
    given = body.replace("ODD", odd).encode()
    status, _, answer = one.request("POST", path, given, signed | {"Content-Type": "application/json"})
    assert status in (400, 401, 413, 429), answer


@pytest.mark.parametrize(
    "name", [b"a\x00.pdf", b"\xed\xa0\x80.pdf", b"\xff.pdf", "\U0001f4a9\u202e.pdf".encode(), b"a" * 900 + b".pdf"]
)
def test_an_upload_with_an_odd_name_is_kept_or_refused(one: Live, signed: dict[str, str], name: bytes) -> None:
    disposition = b'Content-Disposition: form-data; name="' + name[:5] + b'"; filename="' + name + b'"\r\n\r\n'
    assert one.upload(signed, disposition + PDF)[0] in (200, 400, 415)
    assert one.request("PUT", f"/api/upload/{quote(name)}", PDF, signed)[0] in (200, 400, 415)


@pytest.mark.parametrize("value", [b"\x00", b"\xed\xa0\x80", b"\xff", "\U0001f4a9".encode(), b"\\u0000", b"x" * 60_000])
def test_an_upload_with_an_odd_field_is_kept_or_refused(one: Live, signed: dict[str, str], value: bytes) -> None:
    """What is kept comes back as it was, also to a repeat."""
    headers = signed | {"Idempotency-Key": secrets.token_hex(8)}
    parts = (part("note", None, value), part())
    status, _, body = one.upload(headers, *parts)
    assert status in (200, 400)
    if status == 200:
        assert json.loads(body)["fields"]["note"].encode() == value
        assert one.upload(headers, *parts)[2] == body


@pytest.mark.parametrize("key", ["\x01", "ä", "a" * 65, "a b", "%00"])
def test_a_key_that_cannot_be_is_refused(one: Live, signed: dict[str, str], key: str) -> None:
    assert one.upload(signed | {"Idempotency-Key": key.encode().decode("latin-1")})[0] == 400


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "9" * 18},
        {"sub": str(2**31)},
        {"sub": "4" * 10},
        {"sid": "\x00"},
        {"sid": "\ud800"},
        {"sid": "a" * 500},
        {"jti": "\x00"},
    ],
)
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_claims_that_cannot_be_are_no_session(one: Live, claims: dict[str, str], kind: str) -> None:
    """Signed with our key, but not by us."""
    moment = int(time.time())
    ours = {"sub": "1", "sid": "0" * 32, "jti": "0" * 32, "type": kind, "csrf": "x", "iss": "uploadsvc", "fresh": False}
    ours |= {"iat": moment, "nbf": moment, "exp": moment + 60}
    token = jwt.encode(ours | claims, BASE["JWT_SECRET"], "HS256")
    assert one.request("GET", "/api/documents", headers={"Authorization": f"Bearer {token}"})[0] == 401
    body = json.dumps({"refresh": token}).encode()
    assert one.request("POST", "/api/auth/refresh", body, {"Content-Type": "application/json"})[0] == 401


def test_odd_headers_are_kept_or_refused(one: Live) -> None:
    for user in ("\x00", "ä\x00", "x" * 2000):
        basic = base64.b64encode(f"{user}:ups_{user}".encode()).decode()
        assert one.request("GET", "/api/documents", headers={"Authorization": f"Basic {basic}"})[0] == 401
    body = json.dumps({"email": "admin@localhost", "password": PASSWORD}).encode()
    agent = "\xff\x80\x01" + "x" * 400
    status, _, _ = one.request(
        "POST", "/api/auth/login", body, {"Content-Type": "application/json", "User-Agent": agent}
    )
    assert status in (200, 400)


# --- commands -------------------------------------------------------------------------------------------------------


def test_the_operator_s_commands_work(
    one: Live, signed: dict[str, str], make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    assert one.upload(signed, part(filename="näme.pdf"))[0] == 200
    operator = make_app(DATABASE_URL=one.environ["DATABASE_URL"], UPLOADS_DIR=one.instance / "uploads")

    def command(*arguments: str) -> int:
        return operator.test_cli_runner().invoke(args=arguments, input="a-long-passphrase\n").exit_code

    for arguments in (
        ["users", "add", "carol@example.com", "--password-stdin"],
        ["users", "quota", "carol@example.com", str(10**17)],
        ["users", "list"],
        ["users", "disable", "carol@example.com"],
        ["users", "enable", "carol@example.com"],
        ["tokens", "add", "carol@example.com", "laptop", "--days", "3"],
        ["tokens", "list"],
        ["documents", "list"],
        ["documents", "export", str(tmp_path / "out")],
        ["sweep"],
        ["verify"],
        ["db", "upgrade"],
    ):
        assert command(*arguments) == 0, arguments
    assert command("users", "add", "carol@example.com", "--password-stdin") == 1
    ended = one.flask("users", "list")
    assert ended.returncode == 0 and "carol@example.com" in ended.stdout, ended.stderr
    status, _, body = one.request("GET", "/metrics")
    assert status == 200 and b"\ndocuments " in body and b"storage_used_bytes" in body


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_sqlite_s_commands_say_what_to_use_instead(one: Live, tmp_path: Path, command: str) -> None:
    ended = one.flask(command, str(tmp_path))
    assert ended.returncode == 1 and "pg_dump" in ended.stderr and len(ended.stderr.splitlines()) == 1

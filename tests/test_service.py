"""The service around the uploads: settings, first start, schema, health, commands, logs, errors, stopping, client."""

import gzip
import hashlib
import io
import json
import logging
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, inspect, text

from tests.support.bodies import PDF, multipart, part
from tests.support.engines import BASE, ROOT, Live, free_port
from tests.support.people import PASSWORD, Person, add_user
from tests.support.stack import change, rows
from tests.support.traces import open_files, state
from uploadsvc import config, create_app, health
from uploadsvc.extensions import db
from uploadsvc.models import Document

WEB = sorted(path.relative_to(ROOT / "web").as_posix() for path in (ROOT / "web").rglob("*") if path.is_file())
HEX_ID = re.compile(r"[0-9a-f]{32}")


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Poll until `condition` returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return found


def command(app: Flask, *arguments: str, stdin: str = "") -> Result:
    return app.test_cli_runner().invoke(args=list(arguments), input=stdin)


def one_line(result: Result) -> str:
    """The only line of a command that failed for a reason of the operator's."""
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    [line] = result.stderr.splitlines()
    return str(line)


def complaints(stderr: str) -> list[str]:
    """What is said to the operator; the log's lines beside it can only be that an account was added."""
    lines = stderr.splitlines()
    assert {json.loads(line)["message"] for line in lines if line.startswith("{")} <= {"account_added"}
    return [line for line in lines if not line.startswith("{")]


# --- settings -------------------------------------------------------------------------------------------------------

DEFAULTS = {
    "HOST": "127.0.0.1",
    "PORT": 4000,
    "FRONTEND_URL": [],
    "PUBLIC_URL": "http://127.0.0.1:4000",
    "INSTANCE_NAME": "Documents",
    "TRUSTED_PROXY": "",
    "TRUSTED_HOSTS": [],
    "MAX_FILE_BYTES": 10_485_760,
    "MAX_FILES": 20,
    "MIN_FREE_BYTES": 104_857_600,
    "THREADS": 4,
    "ADMIN_EMAIL": "admin@localhost",
    "ADMIN_PASSWORD": "",
    "BCRYPT_ROUNDS": 12,
}


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_value_the_default_is_the_contracts(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in config.SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)
        if value is not None:
            monkeypatch.setenv(setting.name, value)
    loaded = config.load({"INSTANCE_PATH": str(tmp_path)})
    assert {name: loaded[name] for name in DEFAULTS} == DEFAULTS
    assert loaded["DATABASE_URL"] == f"sqlite:///{tmp_path}/app.db" and loaded["UPLOADS_DIR"] == tmp_path / "uploads"


def test_the_public_address_has_the_services_port(tmp_path: Path) -> None:
    """Unless it is given: a link that somebody copies on his own machine is to work there."""
    given = {"INSTANCE_PATH": str(tmp_path), "PORT": "5000"}
    assert config.load(given)["PUBLIC_URL"] == "http://127.0.0.1:5000"
    assert config.load(given | {"PUBLIC_URL": "http://files.test:4000"})["PUBLIC_URL"] == "http://files.test:4000"


@pytest.mark.parametrize(("name", "value"), [("PORT", "0"), ("MIN_FREE_BYTES", "0"), ("MAX_FILES", "1000")])
def test_the_environment_is_read(name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert config.load({"INSTANCE_PATH": str(tmp_path)})[name] == int(value)


@pytest.mark.parametrize(("name", "value"), [("PORT", 0), ("MIN_FREE_BYTES", 0), ("MAX_FILES", 7)])
def test_an_override_is_taken_as_it_is(name: str, value: int, tmp_path: Path) -> None:
    assert config.load({"INSTANCE_PATH": str(tmp_path), name: value})[name] == value


BAD = {
    "PORT": ["x", "65536", "-1", "4000.0", "4000 4001"],
    "THREADS": ["0", "1", "257", "many"],
    "MAX_FILE_BYTES": ["0", "10MB", "-5", "1e6", "9" * 30],
    "MAX_FILES": ["0", "1001", "twenty"],
    "MIN_FREE_BYTES": ["-1", "all"],
    "BCRYPT_ROUNDS": ["3", "17", "twelve"],
    "LOG_LEVEL": ["LOUD", "info"],
    "LOG_FORMAT": ["xml"],
    "SENTRY_DSN": ["https://sentry.example.org/1", "key@host/1", "https://key@host", "https://key@host/x"],
    "PUBLIC_URL": ["files.example.org", "https://a.test/path", "ftp://a.test", "https://", "https://a.test/"],
    "INSTANCE_NAME": [
        " ",
        "x" * 61,
        "a\nb",
        "a\tb",
        "a\x7fb",
        "a\u202efdp",
        "a\u2066b",
        "a\u2028b",
        "a\ufeffb",
        "\udcff",
    ],
    "FRONTEND_URL": ["*", "null", "https://a.test/", "https://a.test, *", "a.test", r"https://.*\.test"],
    "TRUSTED_PROXY": ["*", "10.0.0.0/8", "nginx", "10.0.0.1,10.0.0.2", "127.0.0.1:80"],
    "ADMIN_EMAIL": ["admin", "a b@c", "@", "a@b@c"],
    "DATABASE_URL": ["app.db", "mysql://a/b", "sqlite://", "sqlite:///", "sqlite:///:memory:"],
    "AWS_BUCKET": ["ab", "a" * 64, "a..b", ".ab", "ab.", "-ab", "ab-", "a.-b", "a/b", "Files", "a_b", "192.168.5.4"],
    "AWS_REGION": ["EU", "eu central", "eu/1", "eu.example.org", "eu\n", "é"],
    "JWT_SECRET": ["short", "x" * 31, "your-secret-key", "a" * 64],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_value_stops_the_start_with_one_line_that_names_it(name: str, value: str, tmp_path: Path) -> None:
    """A14: and so for every other setting."""
    with pytest.raises(config.ConfigError) as stopped:
        config.load({"INSTANCE_PATH": str(tmp_path)} | {name: value})
    assert re.fullmatch(rf"{name} .+\.", str(stopped.value)), stopped.value


@pytest.mark.parametrize(
    "name", ["x" * 60, "ü" * 60, "Müller & Söhne <Akten>", "می\u200cخواهم", "書類　保管", "🗂️ Files"]
)
def test_the_instance_has_the_name_it_is_given(name: str, make_app: Callable[..., Flask]) -> None:
    """Issue 10: what stands in the page's header and title is told to everybody, without the spaces around it."""
    told = make_app(INSTANCE_NAME=f" {name} ").test_client().get("/api/limits").get_json()
    assert told["instanceName"] == name


def test_the_instance_s_name_is_composed(make_app: Callable[..., Flask]) -> None:
    """As names of files are: a decomposed one looks the same and counts more characters."""
    app = make_app(INSTANCE_NAME="u\u0308" * 60)
    assert app.test_client().get("/api/limits").get_json()["instanceName"] == "ü" * 60


@pytest.mark.parametrize("bucket", ["abc", "a" * 63, "files.example.org", "1.2.3", "1.2.3.4.5", "a--b-1"])
@pytest.mark.parametrize("region", ["", "auto", "us-gov-east-1"])
def test_a_bucket_and_its_region_are_named_as_hosts_are(bucket: str, region: str, tmp_path: Path) -> None:
    loaded = config.load({"INSTANCE_PATH": str(tmp_path), "AWS_BUCKET": bucket, "AWS_REGION": region})
    assert (loaded["AWS_BUCKET"], loaded["AWS_REGION"]) == (bucket, region)


@pytest.mark.parametrize("name", ["UPLOADS_DIR", "INSTANCE_PATH", "DATABASE_URL"])
def test_nothing_private_may_lie_in_the_folder_that_everyone_is_served(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E6: files, the secret and the database stay outside the static root."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    values = {name: str(tmp_path / part) for name, part in (("INSTANCE_PATH", "instance"), ("UPLOADS_DIR", "uploads"))}
    values[name] = ("sqlite:///" if name == "DATABASE_URL" else "") + str(tmp_path / "web" / "data")
    with pytest.raises(config.ConfigError, match=name):
        config.load(values)


def refused_start(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    given = {"PATH": os.environ["PATH"], "BCRYPT_ROUNDS": "4", "PORT": str(free_port())} | environ
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *(arguments or ["serve"])],
        cwd=ROOT,
        env={name: os.fsencode(value) for name, value in given.items()},
        capture_output=True,
        timeout=15,
        check=False,
    )


def folder_with_a_file_for(name: str) -> Callable[[Path], str]:
    """Return what makes a folder in which `name` cannot be made a folder, for a file lies there."""

    def make(path: Path) -> str:
        (path / "taken").mkdir()
        (path / "taken" / name).touch()
        return str(path / "taken")

    return make


@pytest.mark.parametrize(
    ("name", "make"),
    [
        pytest.param("PORT", lambda _: "4000x", id="a bad number"),
        pytest.param("JWT_SECRET", lambda _: "too-short", id="a short secret"),
        pytest.param("JWT_SECRET", lambda _: "\udcff\udcfe" * 20, id="a secret that is not UTF-8"),
        pytest.param("ADMIN_PASSWORD", lambda _: "short", id="an admin password that may not be one"),
        pytest.param("ADMIN_EMAIL", lambda _: "a" * 300 + "@example.com", id="an address that is too long"),
        pytest.param("INSTANCE_PATH", lambda path: str(Path(__file__) / "instance"), id="an instance below a file"),
        pytest.param("UPLOADS_DIR", folder_with_a_file_for(".staging"), id="an upload folder not to be written"),
        pytest.param("DATABASE_URL", lambda path: f"sqlite:///{path}/none/app.db", id="a database in no folder"),
        pytest.param("DATABASE_URL", lambda _: f"sqlite:///{__file__}", id="a database that is none"),
        pytest.param("HOST", lambda _: "203.0.113.77", id="an address of another machine"),
        pytest.param("HOST", lambda _: "no such host", id="a host name that is none"),
    ],
)
def test_a_bad_start_ends_with_one_line_on_stderr(name: str, make: Callable[[Path], str], tmp_path: Path) -> None:
    """A14: the real process exits non-zero and says which variable, without a traceback."""
    done = refused_start({"INSTANCE_PATH": str(tmp_path / "instance"), name: make(tmp_path)})
    lines = complaints(done.stderr.decode())
    assert done.returncode not in (0, None) and len(lines) == 1 and name in lines[0], done.stderr.decode()[-1500:]


def test_a_port_that_is_taken_ends_the_start_with_one_line(live: Live, tmp_path: Path) -> None:
    done = refused_start({"INSTANCE_PATH": str(tmp_path / "instance"), "PORT": str(live.port)})
    [line] = complaints(done.stderr.decode())
    assert done.returncode != 0 and "PORT" in line


# --- first start ----------------------------------------------------------------------------------------------------


def printed_passwords(live: Live) -> list[str]:
    return re.findall(r"^First account: admin@localhost with (\S+)$", live.log.read_text(), re.MULTILINE)


def accounts(live: Live) -> list[tuple[str]]:
    return rows(live, "SELECT email FROM users ORDER BY email")


def test_the_first_start_makes_one_account_and_prints_its_password_once(start: Callable[..., Live]) -> None:
    """A14: there is never a default password; the one made is shown with the command that resets it."""
    first = start(ADMIN_PASSWORD="")
    [password] = until(lambda: printed_passwords(first))
    assert len(password) >= 12 and first.login(password=password)
    assert ".venv/bin/flask --app wsgi users passwd admin@localhost" in first.log.read_text()
    first.stop()
    again = start(ADMIN_PASSWORD="")
    assert again.login(password=password) and accounts(again) == [("admin@localhost",)]
    assert password not in again.log.read_text() and not printed_passwords(again)


def test_a_given_admin_password_is_used_and_not_printed(start: Callable[..., Live]) -> None:
    live = start(ADMIN_EMAIL="Root@Example.com", ADMIN_PASSWORD="chosen-by-the-operator")
    assert live.login("root@example.com", "chosen-by-the-operator") and accounts(live) == [("root@example.com",)]
    assert "First account: " in live.log.read_text() and "chosen-by-the-operator" not in live.log.read_text()


def test_the_admin_settings_do_not_touch_an_instance_that_has_accounts(start: Callable[..., Live]) -> None:
    start().stop()
    live = start(ADMIN_EMAIL="second@example.com", ADMIN_PASSWORD="another-passphrase")
    assert live.login() and accounts(live) == [("admin@localhost",)]


def test_the_secret_is_made_once_and_is_private(start: Callable[..., Live], tmp_path: Path) -> None:
    """A14: 0600 in a folder 0700; sessions outlive a restart; every instance has its own."""
    live = start()
    headers, secret = live.login(), live.instance / "jwt_secret"
    made = secret.read_text()
    assert secret.stat().st_mode & 0o777 == 0o600 and live.instance.stat().st_mode & 0o777 == 0o700
    assert len(made) >= 32 and [p.name for p in live.instance.glob("jwt_secret*")] == ["jwt_secret"]
    live.stop()
    again = start()
    assert secret.read_text() == made and again.request("GET", "/api/documents", headers=headers)[0] == 200
    other = config.load({"INSTANCE_PATH": str(tmp_path / "other")})
    assert other["JWT_SECRET"] != made


def test_starts_at_once_on_an_empty_instance_agree(start: Callable[..., Live]) -> None:
    """P9: three servers on one new folder: all serve, one account, one password, one secret, the schema at its head."""
    servers = [start(wait=False, ADMIN_PASSWORD="") for _ in range(3)]
    for server in servers:
        until(lambda server=server: "Serving on" in server.log.read_text() or server.process.poll() is not None, 30)
        assert server.process.poll() is None, server.log.read_text()
    [password] = [found for server in servers for found in printed_passwords(server)]
    assert accounts(servers[0]) == [("admin@localhost",)]
    headers = servers[0].login(password=password)
    for server in servers:
        assert server.request("GET", "/readyz")[0] == 200
        assert server.request("GET", "/api/documents", headers=headers)[0] == 200
        assert "Traceback" not in server.log.read_text()


# --- schema ---------------------------------------------------------------------------------------------------------


def test_the_migrations_make_what_the_models_say(app: Flask) -> None:
    """H8: alembic finds no difference in either direction."""
    with app.app_context(), db.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), db.metadata) == []


def test_the_migrations_make_it_to_the_letter(app: Flask) -> None:
    """H8: also what alembic does not compare: primary keys, AUTOINCREMENT, names of constraints."""

    def lines(connection: Any) -> set[tuple[str, str]]:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        found = {(name, line.strip(" \t,").replace('"', "")) for name, sql in rows for line in sql.splitlines()}
        return {(name, line) for name, line in found if name not in ("alembic_version", "sqlite_sequence")}

    scratch = create_engine("sqlite://")
    with app.app_context(), db.engine.connect() as migrated, scratch.connect() as modelled:
        db.metadata.create_all(modelled)
        assert lines(migrated) == lines(modelled)
    scratch.dispose()


def dump(app: Flask) -> list[str]:
    """The schema and the rows as lines of SQL, sorted."""
    with closing(sqlite3.connect(app.config["INSTANCE_PATH"] / "app.db")) as connection:
        statements = [statement.replace('"', "") for statement in connection.iterdump()]
    return sorted(line.strip(" \t,);") for statement in statements for line in statement.splitlines())


ROW = (
    "INSERT INTO documents (public_id, user_id, filename, path, content_type, size, sha256, status, created_at,"
    " uploaded_at, idempotency_key, part, fieldname, fields) VALUES (?, 1, ?, ?, 'text/plain', 5, ?, 'success',"
    " '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', ?, ?, 'file', ?)"
)


def test_rows_of_the_first_schema_are_brought_along(alice: Person) -> None:
    """K11, K14: an upload from before keeps its bytes, its order and its key; its fields are kept once."""
    body = multipart(part(filename="a.txt", content=b"hello"), part(filename="b.txt", content=b"other"))
    with alice.app.app_context():
        flask_migrate.downgrade(revision="0001")
        db.engine.dispose()
    with closing(sqlite3.connect(alice.app.config["INSTANCE_PATH"] / "app.db")) as connection:
        hashes = [hashlib.sha256(content).hexdigest() for content in (b"hello", b"other")]
        for n, key in enumerate(("k", "k", None, None)):
            name, fields = "ab"[n % 2] + ".txt", '{"note": "first"}'
            connection.execute(ROW, (f"{n:032}", name, f"1/{10**13 + n}-{name}", hashes[n % 2], key, n % 2, fields))
        connection.commit()
    with alice.app.app_context():
        flask_migrate.upgrade()
    answer = alice.send(body, headers={"Idempotency-Key": "k"}).get_json()
    assert [file["id"] for file in answer["files"]] == [f"{n:032}" for n in (0, 1)]
    assert answer["fields"] == {"note": "first"}
    assert alice.send(multipart(part()), headers={"Idempotency-Key": "k"}).status_code == 422
    listed = alice.get("/api/documents").get_json()["documents"]
    assert [document["id"] for document in listed] == [f"{n:032}" for n in (3, 2, 1, 0)]
    with alice.app.app_context():
        assert db.session.scalars(text("SELECT fields IS NOT NULL FROM documents ORDER BY id")).all() == [1, 0, 1, 0]


def test_going_down_to_the_first_schema_and_up_again_loses_nothing(alice: Person, tmp_path: Path) -> None:
    """H8: neither a row nor a letter of either schema."""
    first = create_app(BASE | {"INSTANCE_PATH": str(tmp_path / "first")})
    with first.app_context():
        flask_migrate.upgrade(revision="0001")
        db.engine.dispose()
    alice.send(multipart(part("note", None, b"x"), part(), part()), headers={"Idempotency-Key": "k"})
    alice.upload()
    before = dump(alice.app)
    with alice.app.app_context():
        flask_migrate.downgrade(revision="0001")
        down = dump(alice.app)
        flask_migrate.upgrade()
        db.engine.dispose()
    assert dump(alice.app) == before
    assert [line for line in down if not line.startswith("INSERT")] == [
        line for line in dump(first) if not line.startswith("INSERT")
    ]


CONTRACT = {
    "users": "id email password_hash is_active created_at",
    "sessions": "id user_id refresh_token_hash parent_token_hash rotated_at created_at expires_at revoked_at"
    " user_agent",
    "documents": "id user_id filename path content_type size sha256 status created_at uploaded_at idempotency_key part",
    "api_tokens": "id user_id name token_hash created_at last_used_at expires_at revoked_at",
}


def test_the_schema_has_every_column_of_the_contract(app: Flask) -> None:
    with app.app_context():
        schema = inspect(db.engine)
        for table, columns in CONTRACT.items():
            assert set(columns.split()) <= {column["name"] for column in schema.get_columns(table)}, table
        indexed = [(index["column_names"], index["unique"]) for index in schema.get_indexes("documents")]
    orders = [["user_id", "id"], ["user_id", "search_key", "id"], ["user_id", "size", "id"]]  # each begins with user_id
    orders += [["search_key", "id"], ["size", "id"]]
    expected = [(["user_id", "idempotency_key", "part"], True), *[(["created_at"], False)] * 2]
    assert sorted(indexed) == sorted([*expected, *((order, False) for order in orders)])


def test_the_schema_can_be_taken_down_and_up_again(app: Flask) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
        flask_migrate.upgrade()
    assert app.test_client().get("/readyz").status_code == 200


# --- health ---------------------------------------------------------------------------------------------------------


CHECKS = ("not_draining", "database", "schema", "storage")


def ready(app: Flask) -> tuple[int, dict[str, bool]]:
    client = app.test_client()
    assert client.get("/healthz").get_json() == {"ok": True}
    answer = client.get("/readyz")
    return answer.status_code, answer.get_json()["checks"]


def test_ready_means_that_an_upload_would_work(app: Flask) -> None:
    before = state(app)
    assert ready(app) == (200, {"not_draining": True, "database": True, "schema": True, "storage": True})
    assert state(app) == before


def no_schema(app: Flask) -> None:
    (app.config["INSTANCE_PATH"] / "app.db").write_bytes(b"")


def old_schema(app: Flask) -> None:
    change(app, "UPDATE alembic_version SET version_num = '0000'")


def no_database(app: Flask) -> None:
    (app.config["INSTANCE_PATH"] / "app.db").rename(app.config["INSTANCE_PATH"] / "moved.db")
    (app.config["INSTANCE_PATH"] / "app.db").mkdir()


def broken_database(app: Flask) -> None:
    (app.config["INSTANCE_PATH"] / "app.db").write_bytes(b"this is not a database, whatever its name says" * 100)


def no_staging(app: Flask) -> None:
    (app.config["UPLOADS_DIR"] / ".staging").rmdir()


def file_for_staging(app: Flask) -> None:
    no_staging(app)
    (app.config["UPLOADS_DIR"] / ".staging").touch()


@pytest.mark.parametrize(
    ("breaks", "failing"),
    [
        (no_schema, {"schema"}),
        (old_schema, {"schema"}),
        (no_database, {"database", "schema"}),
        (broken_database, {"database", "schema"}),
        (no_staging, {"storage"}),
        (file_for_staging, {"storage"}),
    ],
)
def test_what_is_broken_is_named_and_503(breaks: Callable[[Flask], None], failing: set[str], app: Flask) -> None:
    """Alive is not ready: /healthz stays 200."""
    breaks(app)
    status, checks = ready(app)
    assert status == 503 and {name for name, ok in checks.items() if not ok} == failing


def test_readiness_writes_nothing_and_reads_the_migrations_once(
    app: Flask, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K20: a probe a second costs no file, no write of the database and no reading of the migrations."""

    def everything() -> list[tuple[str, int, int]]:
        paths = [app.config["INSTANCE_PATH"], *sorted(app.config["INSTANCE_PATH"].rglob("*"))]
        return [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths]

    ready(app)
    before = everything()
    monkeypatch.setattr(ScriptDirectory, "get_heads", None)
    for _ in range(3):
        assert ready(app)[0] == 200
    assert everything() == before


def test_readiness_costs_a_few_times_what_liveness_costs(app: Flask) -> None:
    """K20: it is asked by everything that balances loads."""
    client = app.test_client()
    spent: dict[str, list[float]] = {"/healthz": [], "/readyz": []}
    for _ in range(30):
        for path, times in spent.items():
            begun = time.process_time()
            assert client.get(path).status_code == 200
            times.append(time.process_time() - begun)
    assert min(spent["/readyz"]) < 6 * min(spent["/healthz"])


def asked_in_vain() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "readiness"]


@contextmanager
def exclusive_lock(app: Flask) -> Iterator[None]:
    """Another process keeps even readers out: in WAL only an exclusive locking mode does."""
    with app.app_context():
        db.engine.dispose()
    with closing(sqlite3.connect(app.config["INSTANCE_PATH"] / "app.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def every_connection_taken(app: Flask) -> Iterator[None]:
    with app.app_context(), ExitStack() as held:
        options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]
        for _ in range(options["pool_size"] + options["max_overflow"]):
            held.enter_context(db.engine.connect())
        yield


@pytest.mark.parametrize("held", [exclusive_lock, every_connection_taken])
def test_a_database_that_hangs_does_not_hang_the_probe(held: Callable[[Flask], Any], app: Flask) -> None:
    """The answer is there while its question still waits; whoever asks again meanwhile begins no other."""
    with held(app):
        for _ in range(2):
            status, checks = ready(app)
            assert status == 503 and {name for name, ok in checks.items() if not ok} == {"database", "schema"}
            assert len(asked_in_vain()) == 1
    until(lambda: not asked_in_vain())
    assert ready(app)[0] == 200


def test_storage_that_hangs_does_not_hang_the_probe(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file server that is away holds whoever looks at it."""
    back = threading.Event()
    monkeypatch.setattr(app.extensions["storage"], "check", lambda: back.wait(30))
    status, checks = ready(app)
    assert status == 503 and {name for name, ok in checks.items() if not ok} == {"storage"}
    assert len(asked_in_vain()) == 1
    back.set()
    until(lambda: not asked_in_vain())


def test_whoever_writes_keeps_nobody_from_being_ready(app: Flask) -> None:
    """In WAL readers pass a writer, also one of another process."""
    with closing(sqlite3.connect(app.config["INSTANCE_PATH"] / "app.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert ready(app)[0] == 200


def test_a_server_that_stops_is_alive_and_not_ready(app: Flask) -> None:
    health.draining(app).set()
    status, checks = ready(app)
    assert status == 503 and {name for name, ok in checks.items() if not ok} == {"not_draining"}


def test_probes_are_never_throttled_and_tell_no_more_than_they_must(app: Flask) -> None:
    """Whoever is refused for a flood of tries is still told that the service is ready: no version, no host."""
    client = app.test_client()
    for _ in range(11):
        answer = client.post("/api/auth/login", json={"email": "a@example.com", "password": "something-wrong"})
    assert answer.status_code == 429
    for path, body in (("/healthz", {"ok": True}), ("/readyz", {"ok": True, "checks": dict.fromkeys(CHECKS, True)})):
        assert [client.get(path).status_code for _ in range(100)] == [200] * 100
        assert client.get(path).get_json() == body


def test_a_full_disk_is_not_ready(make_app: Callable[..., Flask]) -> None:
    assert ready(make_app(MIN_FREE_BYTES=2**60)) == (
        503,
        {"not_draining": True, "database": True, "schema": True, "storage": False},
    )


def test_readiness_comes_back(app: Flask) -> None:
    no_staging(app)
    assert ready(app)[0] == 503
    (app.config["UPLOADS_DIR"] / ".staging").mkdir()
    assert ready(app)[0] == 200


# --- commands -------------------------------------------------------------------------------------------------------


def test_users_add_makes_an_account_that_can_sign_in(app: Flask) -> None:
    done = command(app, "users", "add", " Dora@Example.com ", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert Person(app, "dora@example.com").login().tokens["user"]["email"] == "dora@example.com"


def test_users_add_asks_twice_without_showing(app: Flask) -> None:
    done = command(app, "users", "add", "dora@example.com", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0 and PASSWORD not in done.output and Person(app, "dora@example.com").login()
    differing = command(app, "users", "add", "emil@example.com", stdin=f"{PASSWORD}\nanother-one\n")
    assert differing.exit_code == 1 and "emil" not in command(app, "users", "list").output


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@example.com", PASSWORD),
        ("ALICE@example.com", PASSWORD),
        ("dora", PASSWORD),
        ("dora@", PASSWORD),
        ("do ra@example.com", PASSWORD),
        ("d" * 250 + "@example.com", PASSWORD),
        ("dora@example.com", "short"),
        ("dora@example.com", ""),
        ("dora@example.com", "x" * 73),
        ("dora@example.com", "password"),
        ("dora@example.com", "dora@example.com"),
    ],
)
def test_users_add_refuses_with_one_line(email: str, password: str, alice: Person) -> None:
    """A3: an account that exists, an address that is none, a password that may not be one."""
    before = command(alice.app, "users", "list").output
    line = one_line(command(alice.app, "users", "add", email, "--password-stdin", stdin=f"{password}\n"))
    assert line.startswith("Error: ") and command(alice.app, "users", "list").output == before


def test_users_passwd_ends_the_sessions(alice: Person, bob: Person) -> None:
    """A17: the old password and every session of it are dead, other people's live."""
    done = command(alice.app, "users", "passwd", "Alice@example.com", "--password-stdin", stdin="a-new-passphrase\n")
    assert done.exit_code == 0, done.output
    assert alice.get("/api/documents").status_code == 401 and bob.get("/api/documents").status_code == 200
    old = alice.client.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    assert old.status_code == 401 and alice.login("a-new-passphrase")


def test_users_disable_ends_the_sessions_and_keeps_the_documents(alice: Person) -> None:
    """A17: a disabled account can neither go on nor sign in; its files stay."""
    alice.upload()
    before = state(alice.app)
    assert command(alice.app, "users", "disable", alice.email).exit_code == 0
    assert alice.get("/api/documents").status_code == 401
    answer = alice.client.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    assert answer.status_code == 401 and state(alice.app) == before


def test_users_enable_takes_disable_back(alice: Person, bob: Person) -> None:
    """A17: signed in anew with the old password; the sessions of before stay ended, and the others are not touched."""
    command(alice.app, "users", "disable", alice.email)
    assert command(alice.app, "users", "enable", "Alice@example.com").exit_code == 0
    assert alice.get("/api/documents").status_code == 401 and bob.get("/api/documents").status_code == 200
    assert alice.login().get("/api/documents").status_code == 200


def test_users_list_tells_who_is_active_and_what_each_keeps(alice: Person, bob: Person) -> None:
    command(alice.app, "users", "disable", bob.email)
    command(alice.app, "users", "quota", alice.email, "100")
    alice.upload(content=PDF)
    listed = command(alice.app, "users", "list").stdout.splitlines()
    assert [line.split("\t")[1:] for line in listed] == [
        [alice.email, "active", str(len(PDF)), "100"],
        [bob.email, "disabled", "0", "0"],
    ]


@pytest.mark.parametrize("arguments", ["passwd {}", "disable {}", "enable {}", "quota {} 1"])
def test_a_command_for_nobody_refuses_with_one_line(arguments: str, alice: Person) -> None:
    nobody = "nobody@example.com"
    assert nobody in one_line(command(alice.app, "users", *arguments.format(nobody).split()))


def test_commands_set_a_new_instance_up(tmp_path: Path) -> None:
    app = create_app(BASE | {"INSTANCE_PATH": str(tmp_path / "new")})
    assert command(app, "users", "list").output == ""
    assert command(app, "users", "add", "dora@example.com", "--password-stdin", stdin=PASSWORD).exit_code == 0
    assert ready(app)[0] == 200
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(
    "arguments",
    [
        "db upgrade",
        "users list",
        "users add a@example.com --password-stdin",
        "seed",
        "sweep",
        "verify",
        "documents list",
        "db current",
    ],
)
def test_every_command_makes_private_files_wherever_they_lie(arguments: str, tmp_path: Path) -> None:
    """K20: 0600 and 0700 though the operator's shell would share everything, and the database lies elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    given = {
        "PATH": os.environ["PATH"],
        "INSTANCE_PATH": str(tmp_path / "instance"),
        "UPLOADS_DIR": str(tmp_path / "uploads"),
        "DATABASE_URL": f"sqlite:///{elsewhere}/tables.db",
        "BCRYPT_ROUNDS": "4",
    }
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments.split()],
        cwd=ROOT,
        env=given,
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        umask=0,
    )
    assert done.returncode == 0, done.stderr
    made = [path for path in tmp_path.rglob("*") if path != elsewhere]
    assert elsewhere / "tables.db" in made and tmp_path / "uploads" / ".staging" in made
    assert {path.name: path.stat().st_mode & 0o777 for path in made} == {
        path.name: 0o700 if path.is_dir() else 0o600 for path in made
    }


def test_a_server_keeps_its_databases_files_private(live: Live, make_app: Callable[..., Flask]) -> None:
    """K20: also those that SQLite makes beside it, and under a server that is not ours."""
    live.login()
    found = {path.name: path.stat().st_mode & 0o777 for path in live.instance.iterdir() if path.is_file()}
    assert {"app.db", "app.db-wal", "app.db-shm"} <= found.keys() and set(found.values()) == {0o600}


def test_a_database_made_by_a_foreign_server_is_private(tmp_path: Path) -> None:
    """K20: whoever connects first, whatever the umask."""
    before = os.umask(0)
    try:
        app = create_app(BASE | {"INSTANCE_PATH": str(tmp_path / "new")})
        with app.app_context():
            flask_migrate.upgrade()
            db.session.execute(text("SELECT 1"))
            found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").glob("app.db*")}
            db.session.remove()
            db.engine.dispose()
    finally:
        os.umask(before)
    assert set(found) == {"app.db", "app.db-wal", "app.db-shm"} and set(found.values()) == {0o600}


def test_the_operators_door_is_the_real_one(live: Live) -> None:
    added = live.flask("users", "add", "real@example.com", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (added.returncode, complaints(added.stderr)) == (0, []) and live.login("real@example.com")
    again = live.flask("users", "add", "real@example.com", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "real@example.com" in live.flask("users", "list").stdout


def test_seed_makes_the_demo_account_once(app: Flask) -> None:
    for _ in range(2):
        assert command(app, "seed").exit_code == 0
    assert Person(app, "user@example.com").login("Password123!")
    assert len(command(app, "users", "list").stdout.splitlines()) == 1


def test_seed_is_refused_on_a_public_service(make_app: Callable[..., Flask]) -> None:
    app = make_app(PUBLIC_URL="https://files.example.org")
    assert "PUBLIC_URL" in one_line(command(app, "seed"))
    assert command(app, "users", "list").stdout == ""


def stored(person: Person, count: int) -> list[Path]:
    """Upload; return where the files lie."""
    answer = person.send(multipart(*(part(filename=f"{n}.pdf", content=PDF + bytes([n])) for n in range(count))))
    root: Path = person.app.config["UPLOADS_DIR"]
    return [root / file["savedTo"].removeprefix("/uploads/") for file in answer.get_json()["files"]]


def test_verify_finds_nothing_wrong_in_a_sound_instance(alice: Person) -> None:
    """H10: every row is compared with its bytes."""
    assert command(alice.app, "verify").output == "0 documents, 0 damaged.\n"
    stored(alice, 3)
    done = command(alice.app, "verify")
    assert (done.exit_code, done.output) == (0, "3 documents, 0 damaged.\n")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(PDF + b"x"), id="changed"),
        pytest.param(lambda path: path.write_bytes(PDF), id="cut"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes() * 2), id="longer"),
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder"),
        pytest.param(lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")), id="a link"),
        pytest.param(lambda path: [other.unlink() for other in path.parent.iterdir()], id="all missing"),
    ],
)
def test_verify_names_what_is_damaged_and_exits_1(damage: Callable[[Path], Any], alice: Person) -> None:
    """H10: one line a damaged document, the others are counted too."""
    paths, before = stored(alice, 3), open_files()
    damage(paths[1])
    done = command(alice.app, "verify")
    expected = [path.name for path in paths if not path.is_file() or path == paths[1]]
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit), repr(done.exception)
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [f"1/{name}" for name in expected]
    assert done.stdout == f"3 documents, {len(expected)} damaged.\n"
    assert open_files() == before


def test_verify_tells_what_is_wrong_with_each_document(alice: Person) -> None:
    """H10: the missing, those of another size and the changed are told apart."""
    missing, cut, changed = stored(alice, 3)
    missing.unlink()
    cut.write_bytes(PDF)
    changed.write_bytes(PDF + b"x")
    lines = command(alice.app, "verify").stderr.splitlines()
    assert [line.partition(": ")[2] for line in lines] == [
        "the file is missing",
        f"it has {len(PDF)} bytes, not {len(PDF) + 1}",
        "the bytes have changed",
    ]


def test_verify_tells_where_an_accounts_count_is_not_its_documents(alice: Person, bob: Person) -> None:
    """H10: quotas stand on it; the documents themselves are sound."""
    stored(alice, 2)
    with alice.app.app_context():
        db.session.execute(text("UPDATE users SET used_bytes = 7 WHERE email = 'alice@example.com'"))
        db.session.commit()
    done = command(alice.app, "verify")
    kept = 2 * (len(PDF) + 1)
    assert (done.exit_code, done.stdout) == (1, "2 documents, 0 damaged.\n")
    assert one_line(done).endswith(f"Account 1: 7 bytes are counted as used, but its documents have {kept}")


# --- request ids ----------------------------------------------------------------------------------------------------


def raw(live: Live, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; return status, headers in lower case, and body."""
    with live.connect(timeout=5) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


GET = "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n"
ANSWERS = {
    "a page": (GET.format("/", ""), 200),
    "health": (GET.format("/healthz", ""), 200),
    "readiness": (GET.format("/readyz", ""), 200),
    "the api": (GET.format("/api/limits", ""), 200),
    "no session": (GET.format("/api/documents", ""), 401),
    "nothing there": (GET.format("/nothing", ""), 404),
    "another method": (GET.format("/api/auth/login", ""), 405),
    "no JSON": ("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 415),
    "not HTTP": ("nonsense\r\n\r\n", 400),
    "a bare line feed": ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "a bare carriage return": ("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a bad header": ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "a bad length": ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
    "too long headers": (GET.format("/", "X: " + "x" * 20_000 + "\r\n"), 431),
    "too much": (GET.format("/api/upload", "Content-Length: 99999999999\r\n"), 413),
    "an unknown coding": (GET.format("/", "Transfer-Encoding: gzip\r\n"), 501),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_bears_an_id_and_makes_one_log_line(name: str, live: Live) -> None:
    """B10: also those that the server gives before the application is asked."""
    request, expected = ANSWERS[name]
    already = len(live.log.read_text())
    status, headers, body = raw(live, request.encode())
    assert status == expected and HEX_ID.fullmatch(headers.get("x-request-id", "")), headers
    assert expected < 400 or json.loads(body)["ok"] is False
    [line] = until(lambda: [x for x in live.lines if x["request_id"] == headers["x-request-id"]])
    assert (line["message"], line["status"]) == ("request", status) and "Traceback" not in live.log.read_text()[
        already:
    ]


GIVEN_IDS = ["x" * 8, "A.b_c-0123", "0123456789abcdef" * 4]
BAD_IDS = ["short", "x" * 65, "with space", "semi;colon", "quote\"quote'", "ünïcödé-id", "{json:1}", "a/b/c/d/e"]


@pytest.mark.parametrize("given", [*GIVEN_IDS, *BAD_IDS])
def test_a_strangers_id_is_not_believed(given: str, app: Flask) -> None:
    answer = app.test_client().get("/healthz", headers={"X-Request-ID": given.encode().decode("latin-1")})
    assert HEX_ID.fullmatch(answer.headers["X-Request-ID"]) and answer.headers["X-Request-ID"] != given


def test_the_trusted_proxys_id_and_address_are_believed(start: Callable[..., Live]) -> None:
    """P1: from the one proxy that is named, and only when the id is well formed."""
    live = start(TRUSTED_PROXY="127.0.0.1")
    for given in GIVEN_IDS:
        headers = {"X-Request-ID": given, "X-Forwarded-For": "198.51.100.7"}
        assert live.request("GET", "/healthz", headers=headers)[1]["x-request-id"] == given
        [line] = until(lambda given=given: [x for x in live.lines if x["request_id"] == given])
        assert line["remote_addr"] == "198.51.100.7"
    for given in BAD_IDS:
        headers = {"X-Request-ID": given.encode().decode("latin-1"), "X-Forwarded-For": "198.51.100.7"}
        assert HEX_ID.fullmatch(live.request("GET", "/healthz", headers=headers)[1]["x-request-id"])


def test_somebody_elses_id_is_not_believed_though_there_is_a_trusted_proxy(start: Callable[..., Live]) -> None:
    """P1: who reaches the port past the proxy chooses neither the id nor the address."""
    live = start(TRUSTED_PROXY="203.0.113.9")
    headers = {"X-Request-ID": GIVEN_IDS[0], "X-Forwarded-For": "198.51.100.7"}
    answered = live.request("GET", "/healthz", headers=headers)[1]["x-request-id"]
    [line] = until(lambda: [x for x in live.lines if x["request_id"] == answered])
    assert line["remote_addr"] == "127.0.0.1"
    assert answered != GIVEN_IDS[0]


# --- the log --------------------------------------------------------------------------------------------------------

FIELDS = {"ts", "level", "logger", "message", "request_id", "method", "route", "status", "duration_ms"}
FIELDS |= {"bytes_in", "user_id", "remote_addr"}


def requests_of(live: Live, request_id: str) -> list[dict[str, Any]]:
    return [line for line in live.lines if (line["request_id"], line["message"]) == (request_id, "request")]


def test_each_request_is_one_line_with_its_fields(live: Live) -> None:
    headers = live.login()
    document = json.loads(live.upload(headers)[2])["files"][0]["id"]
    requests = [
        ("GET", "/api/documents?limit=5", "/api/documents", 200, 1),
        ("GET", f"/api/documents/{document}/content", "/api/documents/<document_id>/content", 200, 1),
        ("DELETE", f"/api/documents/{document}", "/api/documents/<document_id>", 200, 1),
        ("GET", "/nothing/here?at=all", "unmatched", 404, None),
        ("BREW", "/api/limits", "unmatched", 405, None),
        ("GET", "/js/main.js", "/js/main.js", 200, None),
    ]
    for method, path, route, status, user in requests:
        answered = live.request(method, path, headers=headers)
        assert answered[0] == status
        [line] = until(lambda: requests_of(live, answered[1]["x-request-id"]))  # noqa: B023
        assert line.keys() == FIELDS
        expected = {"method": method if method != "BREW" else "OTHER", "route": route, "status": status}
        expected |= {"user_id": user, "remote_addr": "127.0.0.1", "logger": "uploadsvc.request", "level": "INFO"}
        assert {name: line[name] for name in expected} == expected
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"]) and line["duration_ms"] >= 0


def test_as_many_lines_as_requests(start: Callable[..., Live]) -> None:
    live = start()
    body = multipart(part())
    headers = live.login()
    for _ in range(10):
        live.upload(headers)
    until(lambda: sum(x["message"] == "request" for x in live.lines) >= 11)
    lines = [x for x in live.lines if x["message"] == "request"]
    assert len(lines) == 11 == len({x["request_id"] for x in lines})
    assert [x["bytes_in"] for x in lines if x["route"] == "/api/upload"] == [len(body)] * 10


TELLTALE = "telltale"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_log_line_tells_a_name_a_token_or_a_query(log_format: str, start: Callable[..., Live]) -> None:
    """No names, no passwords, no tokens, no paths, no queries, whether a request succeeds or not."""
    live = start(LOG_FORMAT=log_format)
    headers = live.login()
    token = headers["Authorization"].removeprefix("Bearer ")
    for name in (f"{TELLTALE}.pdf", f"{TELLTALE}.exe", f"{TELLTALE}.docx", f"../{TELLTALE}.pdf"):
        live.upload(headers | {"Idempotency-Key": f"{TELLTALE}-{len(name)}"}, part(filename=name))
    live.upload(headers, part(TELLTALE, None, TELLTALE.encode()), part(filename=f"{TELLTALE}.txt", content=b""))
    document = json.loads(live.request("GET", "/api/documents", headers=headers)[2])["documents"][0]["id"]
    for path in (f"/{TELLTALE}", f"/api/documents?limit={TELLTALE}", f"/api/documents/{document}?{TELLTALE}"):
        live.request("GET", path, headers=headers | {"Cookie": f"token={TELLTALE}", "User-Agent": TELLTALE})
    live.request("GET", "/api/documents", headers={"Authorization": f"Bearer {TELLTALE}"})
    live.request("GET", f"/api/documents/{document}/content", headers=headers)
    for email in ("admin@localhost", f"{TELLTALE}@example.com"):
        body = json.dumps({"email": email, "password": f"{TELLTALE}-password"}).encode()
        assert live.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})[0] == 401
    raw(live, f"GET /{TELLTALE}?{TELLTALE} HTTP/1.1\r\nHost: a\r\nContent-Length: {TELLTALE}\r\n\r\n".encode())
    live.request("DELETE", f"/api/documents/{document}", headers=headers)
    live.stop()
    logged = live.log.read_text()
    assert logged.count("/api/upload") == 5
    for secret in (TELLTALE, token, token.rpartition(".")[2], PASSWORD):
        assert secret not in logged, next(line for line in logged.splitlines() if secret in line)
    told = [line for line in logged.splitlines() if document in line]  # its id is what the audit trail is for
    assert [re.findall("uploaded|downloaded|deleted", line) for line in told] == [
        ["uploaded"],
        ["downloaded"],
        ["deleted"],
    ]


@pytest.mark.parametrize(("method", "path"), [("GET", "/content"), ("DELETE", "")])
def test_a_document_whose_bytes_are_in_disorder_is_not_named_in_the_log(
    method: str, path: str, alice: Person, log: io.StringIO
) -> None:
    """A fault of the disk is logged, the name of the file is not: neither missing bytes nor those that stay."""
    [file] = alice.upload(f"{TELLTALE}.pdf").get_json()["files"]
    stored_at = alice.app.config["UPLOADS_DIR"] / file["savedTo"].removeprefix("/uploads/")
    stored_at.unlink()
    if method == "DELETE":
        stored_at.mkdir()
    with alice.request(method, f"/api/documents/{file['id']}{path}") as answer:
        assert answer.status_code == {"GET": 500, "DELETE": 200}[method] and TELLTALE not in answer.text
    assert "ERROR" in log.getvalue() and TELLTALE not in log.getvalue()


def test_a_failed_statement_is_logged_without_its_values(alice: Person, log: io.StringIO) -> None:
    """A fault of the database is logged, the file's name and the fields among the statement's values are not."""
    with alice.app.app_context():
        db.session.execute(text("CREATE TRIGGER broken BEFORE INSERT ON documents BEGIN SELECT RAISE(FAIL, 'no'); END"))
        db.session.commit()
    answer = alice.send(multipart(part("note", None, TELLTALE.encode()), part(filename=f"{TELLTALE}.pdf")))
    assert answer.status_code == 500 and TELLTALE not in answer.text
    assert "unforeseen" in log.getvalue() and TELLTALE not in log.getvalue()


def test_a_disk_that_refuses_is_told_to_the_operator(
    alice: Person, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H5: the client learns that nothing was stored; the log says why, with the request's id."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    answer = alice.upload(f"{TELLTALE}.pdf")
    assert answer.status_code == 500
    told = [json.loads(line) for line in log.getvalue().splitlines() if "Input/output error" in line]
    assert [line["request_id"] for line in told] == [answer.headers["X-Request-ID"]]
    assert TELLTALE not in log.getvalue()


EVIL = "a\n2026-01-01 00:00:00,000 INFO forged\r\x1b[31m\x85\u2028\u202e\x7f\x00\udce9 status=200"
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]")


def written(log_format: str, make_app: Callable[..., Flask], write: Callable[[logging.Logger], None]) -> str:
    """What the operator reads of what waitress's own logger is told."""
    make_app(LOG_FORMAT=log_format)
    [handler] = (h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler)
    sink = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", newline="")
    handler.setStream(sink)
    write(logging.getLogger("waitress"))
    sink.flush()
    return sink.buffer.getvalue().decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_record_is_one_line_whatever_strangers_put_into_it(log_format: str, make_app: Callable[..., Flask]) -> None:
    """K13: in the message, in its arguments and in every extra; a library's logger is no way around."""
    logged = written(
        log_format, make_app, lambda log: log.error("Exception while serving %s", EVIL, extra={"path": EVIL, EVIL: 1})
    )
    assert logged.count("\n") == 1 == len(logged.splitlines()) and logged.endswith("\n")
    assert not UNSEEN.search(logged.replace("\x7f", "") if log_format == "json" else logged)
    assert "Exception while serving a" in logged


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_traceback_is_no_place_for_a_forged_line_either(log_format: str, make_app: Callable[..., Flask]) -> None:
    """K13: what a fault quotes is indented with the rest of its traceback, or stays in its one line."""

    def write(log: logging.Logger) -> None:
        try:
            raise ValueError(EVIL)
        except ValueError:
            log.exception("serving %s", EVIL, stack_info=True)

    logged = written(log_format, make_app, write)
    first, *following = logged.removesuffix("\n").split("\n")
    assert "ValueError" in logged and not UNSEEN.search(logged.replace("\x7f", ""))
    assert all(line.startswith("    ") for line in following) and "serving a" in first
    assert log_format == "text" or not following


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_request_forges_a_line(log_format: str, start: Callable[..., Live]) -> None:
    """K13: as many records as requests, though each path, name, header and field tries for more."""
    live = start(LOG_FORMAT=log_format)
    headers = live.login()
    evil = "%0a2026-01-01 00:00:00,000 FORGED {}%0d%1b[31m%E2%80%A8".replace(" ", "%20")
    name = "a%0A2026-01-01 FORGED.pdf"
    for path in (f"/{evil}", f"/api/documents?limit={evil}", f"/api/documents/{evil}/content"):
        live.request("GET", path, headers=headers | {"User-Agent": "\x85FORGED", "X-Request-ID": "FORGED"})
    live.upload(headers | {"Idempotency-Key": "FORGED\x85"}, part(filename=name))
    live.upload(headers, part(filename=name.replace(".pdf", ".exe")), part("FORGED", None, b"\n2026 FORGED"))
    raw(live, b"GET /\x0bFORGED HTTP/1.1\r\nHost: a\r\nFORGED\r\n\r\n")
    live.stop()
    logged = live.log.read_text()
    assert "FORGED" not in logged and logged.count("request_id") >= 7
    begins = re.compile(r"\{|\d{4}-\d\d-\d\d |First account|To set another|Serving on")
    assert all(begins.match(line) for line in logged.splitlines()), logged


# --- security events ------------------------------------------------------------------------------------------------


def events(log: io.StringIO) -> list[tuple[str, Any, str]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [(x["message"], x["user_id"], x["request_id"]) for x in lines if x["logger"] == "uploadsvc.security"]


@pytest.mark.parametrize(("email", "user"), [("alice@example.com", 1), ("nobody@example.com", None)])
def test_a_failed_login_is_a_security_event(email: str, user: int | None, alice: Person, log: io.StringIO) -> None:
    answer = alice.client.post("/api/auth/login", json={"email": email, "password": "not-the-passphrase"})
    assert answer.status_code == 401
    assert events(log) == [("login_failed", user, answer.headers["X-Request-ID"])]


def test_a_reused_refresh_token_is_one_security_event(alice: Person, log: io.StringIO) -> None:
    """A18: and the session is over."""
    answer = alice.client.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    [cookie] = (c for c in answer.headers.getlist("Set-Cookie") if c.startswith("refresh_token="))
    tokens = [cookie.partition("=")[2].partition(";")[0]]
    for _ in range(2):
        tokens.append(alice.client.post("/api/auth/refresh", json={"refresh": tokens[-1]}).get_json()["refresh"])
    reused = alice.client.post("/api/auth/refresh", json={"refresh": tokens[0]})
    assert reused.status_code == 401
    assert events(log) == [
        ("login_succeeded", 1, answer.headers["X-Request-ID"]),
        ("refresh_token_reused", 1, reused.headers["X-Request-ID"]),
    ]
    assert alice.client.post("/api/auth/refresh", json={"refresh": tokens[-1]}).status_code == 401


@pytest.mark.parametrize(("name", "content"), [("a.exe", PDF), ("a.pdf", b"MZ\x90\0"), ("a.docx", b"PK\x03\x04")])
def test_a_refused_file_is_a_security_event(name: str, content: bytes, alice: Person, log: io.StringIO) -> None:
    answer = alice.upload(name, content)
    assert answer.status_code == 415
    assert events(log) == [("file_refused", 1, answer.headers["X-Request-ID"])]


# --- errors ---------------------------------------------------------------------------------------------------------


def test_a_fault_of_ours_tells_an_id_and_nothing_else(
    alice: Person, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the-secret-of-the-server")

    with monkeypatch.context() as patch:
        patch.setattr(Document, "owned", fail)
        answer = alice.get("/api/documents")
    id_ = answer.headers["X-Request-ID"]
    assert answer.status_code == 500 and answer.mimetype == "application/json"
    body = answer.get_json()
    assert body.keys() == {"ok", "error", "message"} and body["error"] == "internal_error" and id_ in body["message"]
    assert "secret" not in answer.text and "Traceback" not in answer.text and "RuntimeError" not in answer.text
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [x["request_id"] for x in lines if "the-secret-of-the-server" in x.get("exc_info", "")] == [id_]
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert alice.get("/api/documents").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/nothing", None),
        ("GET", "/api", None),
        ("GET", "/api/", None),
        ("GET", "/api/nothing", None),
        ("POST", "/api/documents/x/y/z", None),
        ("GET", "/api/documents/", None),
        ("BREW", "/nothing", None),
        ("GET", "/favicon.ico", None),
        ("GET", "/api/auth/login", {"POST", "OPTIONS"}),
        ("HEAD", "/api/auth/login", {"POST", "OPTIONS"}),
        ("GET", "/api/upload", {"POST", "OPTIONS"}),
        ("PATCH", "/api/documents", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/api/documents/x", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("TRACE", "/", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", "/api/limits", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_unknown_paths_are_404_and_unknown_methods_405_in_json(
    method: str, path: str, allow: set[str] | None, alice: Person
) -> None:
    """B8: with the methods that would do (RFC 9110 §15.5.6)."""
    answer = alice.request(method, path)
    assert answer.status_code == (405 if allow else 404) and answer.mimetype == "application/json"
    assert set(answer.headers.get("Allow", "").replace(" ", "").split(",")) - {""} == (allow or set())
    expected = {"ok": False, "error": "method_not_allowed" if allow else "not_found"}
    assert method == "HEAD" or expected.items() <= answer.get_json().items()


# --- stopping -------------------------------------------------------------------------------------------------------


DRAIN = 30  # seconds that a stop may take when something is running


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell's background jobs ignore SIGINT, and so would the server that we start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_though_connections_are_open(
    how: signal.Signals, interruptible: None, start: Callable[..., Live]
) -> None:
    """C19: exit code 0 within seconds; idle, half-sent and never-used connections do not hold it."""
    live = start(DRAIN_SECONDS=str(DRAIN))
    headers = live.login()
    kept = live.http()
    kept.request("GET", "/api/documents", headers=headers)
    kept.getresponse().read()
    others = [live.connect() for _ in range(5)]
    others[0].sendall(b"GET / HTTP/1.1\r\nHost:")
    others[1].sendall(b"POST /api/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf")
    begun = time.monotonic()
    assert live.stop(how, timeout=10) == 0
    assert time.monotonic() - begun < DRAIN / 6
    assert "Traceback" not in live.log.read_text()
    kept.close()
    for other in others:
        other.close()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", live.port), timeout=1):
        pass


# --- the static client ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", *WEB])
def test_the_client_is_served_and_revalidated(path: str, app: Flask) -> None:
    """G3: each file of the client with an ETag, and 304 for who has it."""
    content = (ROOT / "web" / (path or "index.html")).read_bytes()
    with app.test_client() as client:
        with client.get(f"/{path}") as answer:
            assert (answer.status_code, answer.data) == (200, content)
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-cache"
        with client.get(f"/{path}", headers={"If-None-Match": answer.headers["ETag"]}) as again:
            assert (again.status_code, again.data) == (304, b"")
        with client.head(f"/{path}") as head:
            assert (head.status_code, head.data) == (200, b"")
        assert head.headers["Content-Length"] == str(len(content))


@pytest.mark.parametrize("wish", ["gzip", "gzip, deflate, br, zstd", "br, *;q=0.1", "GZIP;q=0.5"])
def test_the_client_is_compressed_for_who_takes_that(wish: str, client: FlaskClient) -> None:
    """Issue 10: a page of forty modules on a slow line. Each coding has its own entity tag (RFC 9110 §8.8.3.3)."""
    plain = client.get("/js/main.js")
    packed = client.get("/js/main.js", headers={"Accept-Encoding": wish})
    assert gzip.decompress(packed.data) == plain.data
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert packed.content_type == plain.content_type
    assert len(packed.data) < len(plain.data) / 2
    tags = [answer.headers["ETag"] for answer in (plain, packed)]
    for tag, status in zip(tags, [200, 304], strict=True):
        headers = {"Accept-Encoding": wish, "If-None-Match": tag}
        assert client.get("/js/main.js", headers=headers).status_code == status


@pytest.mark.parametrize("wish", ["", "identity", "br", "gzip;q=0", "gzip;q=0, *"])
def test_the_client_is_plain_for_all_others(wish: str, client: FlaskClient) -> None:
    answer = client.get("/css/base.css", headers={"Accept-Encoding": wish})
    assert answer.data == (ROOT / "web" / "css" / "base.css").read_bytes()
    assert "Content-Encoding" not in answer.headers and answer.headers["Vary"] == "Accept-Encoding"


def test_the_client_arrives_over_the_wire(live: Live) -> None:
    status, headers, body = live.request("GET", "/")
    assert (status, body) == (200, (ROOT / "web" / "index.html").read_bytes())
    assert headers["content-type"].startswith("text/html")
    assert live.request("GET", "/", headers={"If-None-Match": headers["etag"]})[0] == 304


# --- limits and hosts -----------------------------------------------------------------------------------------------


def test_the_limits_are_the_settings(make_app: Callable[..., Flask], unchanged: Callable[[], Any]) -> None:
    """D19: exactly the size and the number pass, one more does not."""
    app = make_app(MAX_FILE_BYTES="1000", MAX_FILES="2")
    add_user(app, "carol@example.com")
    carol = Person(app, "carol@example.com").login()
    told = app.test_client().get("/api/limits").get_json()
    assert (told["maxFileBytes"], told["maxFiles"]) == (1000, 2)
    assert [kind["extension"] for kind in told["types"]] == [".pdf", ".docx", ".txt"]
    fits, over = (part(content=PDF.ljust(size)) for size in (1000, 1001))
    assert carol.send(multipart(fits, fits)).status_code == 200
    with unchanged():
        for body in (multipart(over), multipart(fits, over), multipart(fits, fits, fits)):
            answer = carol.send(body)
            assert (answer.status_code, answer.get_json()["error"]) == (413, "too_large")


def test_the_limits_hold_on_the_real_server(start: Callable[..., Live]) -> None:
    """B10: the code is one and the same whether the application refuses or the server before it."""
    live = start(MAX_FILE_BYTES="1000", MAX_FILES="2")
    headers = live.login()
    assert live.upload(headers, part(content=PDF.ljust(1000)))[0] == 200
    for content in (PDF.ljust(1001), PDF.ljust(100_000)):
        status, _, body = live.upload(headers, part(content=content))
        assert (status, json.loads(body)["error"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("files.example.org", 200),
        ("files.example.org:4000", 200),
        ("second.example.org", 200),
        ("evil.test", 400),
        ("files.example.org.evil.test", 400),
        ("a, b", 400),
        ("127.0.0.1", 400),
    ],
)
@pytest.mark.parametrize("path", ["/api/limits", "/", "/nothing"])
def test_only_trusted_hosts_are_answered(host: str, status: int, path: str, make_app: Callable[..., Flask]) -> None:
    """P6: any other name is 400 in JSON, whatever the path; the names in the setting are no case's matter."""
    client = make_app(TRUSTED_HOSTS="files.example.org, Second.Example.org").test_client()
    with client.get(path, headers={"Host": host}) as answer:
        assert answer.status_code == (404 if (status, path) == (200, "/nothing") else status)
        assert status == 200 or (answer.get_json()["ok"] is False and HEX_ID.fullmatch(answer.headers["X-Request-ID"]))


def test_a_sign_in_under_a_foreign_host_is_400(make_app: Callable[..., Flask]) -> None:
    """P6: on the way that asks for the host itself, too."""
    client = make_app(TRUSTED_HOSTS="files.example.org").test_client()
    headers = {"Host": "evil.test", "Origin": "http://evil.test"}
    answer = client.post("/api/auth/login", json={"email": "a@b", "password": "c"}, headers=headers)
    assert answer.status_code == 400 and answer.get_json()["ok"] is False and "Set-Cookie" not in answer.headers

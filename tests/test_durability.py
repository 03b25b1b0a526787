"""Durability: what was answered 200 survives anything, and what was not leaves nothing that a sweep does not remove."""

import hashlib
import http.client
import json
import random
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.support.bodies import CONTENT_TYPE, FILES, PDF, multipart, part
from tests.support.engines import Live, needed
from tests.support.people import PASSWORD, Person
from tests.support.traces import open_files
from uploadsvc import create_app
from uploadsvc.extensions import db
from uploadsvc.models import Document, User, now
from uploadsvc.storage import LocalStorage

# --- the order of the system calls ----------------------------------------------------------------------------------

CALLS = "openat,write,pwrite64,fsync,fdatasync,link,linkat,unlink,unlinkat,rename,mkdir,mkdirat,sendto"


@pytest.fixture(scope="session")
def strace() -> str:
    """The path of strace, installed where that is possible."""
    return needed("strace")


@pytest.fixture
def trace(strace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a server started in this test is traced to. -D keeps the server the test's own child."""
    sink, wrapper = tmp_path / "trace.txt", tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {strace} -D -f -y -s 256 -e trace={CALLS} -o {sink} {sys.executable} "$@"\n')
    wrapper.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    return sink


OK = '"HTTP/1.1 200 OK'


def completed(trace: str) -> list[str]:
    """The calls in the order in which they came back, each on one line without its thread's number."""
    begun: dict[str, str] = {}
    calls = []
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif resumed := re.search(r"<\.\.\. \w+ resumed>(.*)", call):
            calls.append(begun.pop(thread).lstrip() + resumed[1])
        else:
            calls.append(call.lstrip())
    return calls


def traced_upload(live: Live, trace: Path, headers: dict[str, str], *names: str) -> tuple[list[str], list[str]]:
    """Upload; return the calls from the first staged file to the answer, and the stored names."""
    before = len(trace.read_text())
    status, _, body = live.upload(headers, *(part(filename=name) for name in names))
    assert status == 200
    deadline = time.monotonic() + 10
    while OK not in (traced := trace.read_text()[before:]):
        assert time.monotonic() < deadline, "the answer is not in the trace"
        time.sleep(0.02)
    calls = completed(traced)
    first, last = (next(n for n, call in enumerate(calls) if mark in call) for mark in (".part", OK))
    return calls[first : last + 1], [file["savedTo"].rpartition("/")[2] for file in json.loads(body)["files"]]


@pytest.mark.parametrize("files", [1, 2])
def test_every_step_is_on_the_disk_before_the_next_begins(files: int, start: Callable[..., Live], trace: Path) -> None:
    """H1: write, fsync the file, link, fsync the folder (and the root when the folder is new), one COMMIT, then 200."""
    live = start()
    headers = live.login()
    uploads, home = live.instance / "uploads", live.instance / "uploads" / "1"
    for new_folder in (True, False):
        calls, stored = traced_upload(live, trace, headers, *("abc.pdf" for _ in range(files)))

        def at(pattern: str, calls: list[str] = calls) -> list[int]:
            return [n for n, call in enumerate(calls) if re.match(pattern, call)]

        committed = at(rf"f(data)?sync\(\d+<{live.instance}/app\.db-wal>\) += 0")
        assert len(committed) == 1 and len(stored) == files, "one COMMIT for all files"
        for name in stored:
            [linked] = at(rf'linkat\(.*"{re.escape(name)}", 0\) += 0')
            [part_path] = re.findall(r'"([^"]+\.part)"', calls[linked])
            [opened] = at(rf'openat\(.*"{part_path}".*O_EXCL.*\) += \d+')
            [written] = at(rf"write\(\d+<{part_path}>")
            [synced] = at(rf"fsync\(\d+<{part_path}>\) += 0")
            [unlinked] = at(rf'unlink(at)?\(.*"{part_path}".*\) += 0')
            folder_synced = next(n for n in at(rf"fsync\(\d+<{home}>\) += 0") if n > linked)
            assert opened < written < synced < linked < folder_synced < committed[0] < len(calls) - 1
            assert linked < unlinked < committed[0]
        if new_folder:
            [made] = at(rf'mkdir(at)?\(.*"{home}", 0700\) += 0')
            assert made < at(rf"fsync\(\d+<{uploads}>\) += 0")[0] < committed[0]
        assert not at(r"rename"), "a rename would overwrite"
    assert home.stat().st_dev == (uploads / ".staging").stat().st_dev


# --- kill -9 --------------------------------------------------------------------------------------------------------

ROUNDS = 30
WORKERS = 4
SEED = 20_261_122


class Uploads:
    """What the clients of one server sent, were promised, and took back."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.promised: dict[str, str] = {}  # id -> sha256
        self.deleted: set[str] = set()  # asked for, answered or not
        self.surely_deleted: set[str] = set()

    def work(self, live: Live, headers: dict[str, str], chance: random.Random) -> None:
        """Upload, and now and then delete, until the server is gone."""
        connection = live.http()
        try:
            while True:
                if self.promised and chance.random() < 0.15:
                    self._delete(connection, headers, chance)
                else:
                    self._upload(connection, headers, chance)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def _upload(self, connection: http.client.HTTPConnection, headers: dict[str, str], chance: random.Random) -> None:
        contents = [content(chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        hashes = [hashlib.sha256(sent).hexdigest() for _, sent in contents]
        self.sent.update(hashes)
        body = multipart(*(part(filename=f"same{suffix}", content=sent) for suffix, sent in contents))
        connection.request("POST", "/api/upload", body, {"Content-Type": CONTENT_TYPE} | headers)
        answer = connection.getresponse()
        document = json.loads(answer.read())
        assert answer.status == 200, document
        self.promised.update((f["id"], sha) for f, sha in zip(document["files"], hashes, strict=True))

    def _delete(self, connection: http.client.HTTPConnection, headers: dict[str, str], chance: random.Random) -> None:
        chosen = chance.choice(list(self.promised))
        if chosen in self.deleted:
            return
        self.deleted.add(chosen)
        connection.request("DELETE", f"/api/documents/{chosen}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            self.surely_deleted.add(chosen)


def content(chance: random.Random) -> tuple[str, bytes]:
    """A PDF or a text of 1 kB to 2 MB, small ones more often."""
    size = int(1000 * 2000 ** chance.random())
    if chance.random() < 0.5:
        return ".pdf", b"%PDF-1.7\n" + chance.randbytes(size)
    return ".txt", chance.randbytes(size // 2).hex().encode()


def listed(live: Live, headers: dict[str, str]) -> dict[str, str]:
    """Every document of the account by page: id -> sha256 of its record."""
    found: dict[str, str] = {}
    path: str | None = "/api/documents?limit=200"
    while path:
        status, _, body = live.request("GET", path, headers=headers)
        assert status == 200
        page = json.loads(body)
        found |= {document["id"]: document["sha256"] for document in page["documents"]}
        path = page["next"] and f"/api/documents?limit=200&before={page['next']}"
    return found


def check(live: Live, headers: dict[str, str], uploads: Uploads, fresh: set[str], operator: Flask) -> None:
    """Assert all that must hold after a kill; `fresh` are the promises since the last check."""
    found = listed(live, headers)
    kept = {id_: sha for id_, sha in uploads.promised.items() if id_ not in uploads.deleted}
    assert kept.items() <= found.items()
    assert not uploads.surely_deleted & found.keys()
    for id_ in fresh & kept.keys():
        status, _, body = live.request("GET", f"/api/documents/{id_}/content", headers=headers)
        assert (status, hashlib.sha256(body).hexdigest()) == (200, kept[id_])
    root = live.instance / "uploads"
    with closing(sqlite3.connect(live.instance / "app.db")) as rows:
        paths = {path for (path,) in rows.execute("SELECT path FROM documents")}
    for orphan in {f"1/{file.name}" for file in root.glob("1/*")} - paths:
        whole = hashlib.sha256((root / orphan).read_bytes()).hexdigest()
        assert whole in uploads.sent, "half a file under a final name"
    for command in (["sweep", "--older-than", "0"], ["verify"]):
        done = operator.test_cli_runner().invoke(args=command)
        assert done.exit_code == 0, done.output
    assert {f"1/{file.name}" for file in root.glob("1/*")} == paths
    assert list((root / ".staging").iterdir()) == []


def test_kill_9_at_any_moment_loses_nothing_that_was_promised(start: Callable[..., Live]) -> None:
    """H2: 30 kills under load; each 200 is still there, nothing else is after a sweep, and no file is half."""
    chance = random.Random(SEED)
    uploads, seen = Uploads(), set()
    first = start()
    headers = first.login()
    operator = create_app({"INSTANCE_PATH": str(first.instance), "MIN_FREE_BYTES": "0"})
    for number in range(ROUNDS):
        live = start() if number else first
        if number:
            check(live, headers, uploads, uploads.promised.keys() - seen, operator)
        seen = set(uploads.promised)
        threads = [
            threading.Thread(target=uploads.work, args=(live, headers, random.Random(chance.random())))
            for _ in range(WORKERS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, 0.4))  # the moment of the kill
        live.stop(signal.SIGKILL)
        for thread in threads:
            thread.join()
    last = start()
    check(last, headers, uploads, uploads.promised.keys() - seen, operator)
    assert last.flask("verify").returncode == 0 and len(uploads.promised) > 2 * ROUNDS and uploads.surely_deleted
    with operator.app_context():
        db.engine.dispose()


# --- delete ---------------------------------------------------------------------------------------------------------


def test_a_delete_that_dies_between_row_and_bytes_leaves_only_garbage(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H4: the row goes first; bytes that could not be removed are the sweep's."""
    [file] = alice.upload().get_json()["files"]
    path = file["savedTo"].removeprefix("/uploads/")
    left = alice.app.config["UPLOADS_DIR"] / path
    rows = []

    def fail(_self: LocalStorage, _path: str) -> None:
        with closing(sqlite3.connect(alice.app.config["INSTANCE_PATH"] / "app.db")) as other:
            rows.append(other.execute("SELECT count(*) FROM documents").fetchone()[0])
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "delete", fail)
        alice.delete(f"/api/documents/{file['id']}")
    assert rows == [0], "the row was not committed before the bytes were touched"
    assert alice.get(f"/api/documents/{file['id']}").status_code == 404 and left.exists()
    swept = alice.app.test_cli_runner().invoke(args=["sweep", "--older-than", "0"])
    assert swept.output == f"Removed {path}\n" and not left.exists()


# --- the database ---------------------------------------------------------------------------------------------------

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_every_pooled_connection_keeps_what_is_committed(app: Flask) -> None:
    """H6: WAL, FULL, foreign keys and the lock's patience on each connection of the pool and beyond it."""
    with app.app_context(), ExitStack() as held:
        connections = [held.enter_context(db.engine.connect()) for _ in range(app.config["THREADS"] + 2)]
        assert len({id(connection.connection.dbapi_connection) for connection in connections}) == len(connections)
        for connection in connections:
            assert {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in PRAGMAS} == PRAGMAS


def test_a_row_without_its_user_is_refused(app: Flask) -> None:
    """H6: the foreign keys are held, not merely declared."""
    with app.app_context(), pytest.raises(Exception, match="FOREIGN KEY constraint failed"):
        row = "(1, 99, 'a', 'b', '2026-01-01', NULL, NULL, NULL, 'full')"
        db.session.execute(text(f"INSERT INTO api_tokens VALUES {row}"))


def test_a_read_before_a_write_does_not_make_the_write_fail(alice: Person) -> None:
    """H7: somebody else commits between a request's read and its write, and the write goes through."""
    with alice.app.app_context(), closing(sqlite3.connect(alice.app.config["INSTANCE_PATH"] / "app.db")) as other:
        user = db.session.scalar(select(User))
        assert user
        other.execute("UPDATE users SET created_at = ?", (now().isoformat(" "),))
        other.commit()
        user.is_active = False
        db.session.commit()


def test_a_write_waits_for_another_writer(alice: Person) -> None:
    """H7: an upload and a sign-in meet a writer that holds the database for a second, and wait."""
    other = sqlite3.connect(alice.app.config["INSTANCE_PATH"] / "app.db", check_same_thread=False)
    with closing(other), ThreadPoolExecutor(2) as pool:
        other.execute("BEGIN IMMEDIATE")
        waiting = [pool.submit(alice.upload), pool.submit(Person(alice.app, alice.email).login)]
        time.sleep(1)  # how long the other writer holds the lock
        assert not any(future.done() for future in waiting)
        other.rollback()
        assert waiting[0].result().status_code == 200 and waiting[1].result().tokens


HELD = 20  # seconds for which somebody else writes, unless all of ours have given up: they wait for five


def sign_in(live: Live) -> bytes:
    """Return a refresh token."""
    login = json.dumps({"email": "admin@localhost", "password": PASSWORD}).encode()
    with closing(live.http()) as connection:
        connection.request("POST", "/api/auth/login", login, {"Content-Type": "application/json"})
        cookies = connection.getresponse().headers.get_all("Set-Cookie") or []
    [token] = (cookie.partition("=")[2].partition(";")[0] for cookie in cookies if cookie.startswith("refresh_token="))
    return json.dumps({"refresh": token}).encode()


def test_a_lock_held_elsewhere_is_told_and_stops_no_reader(start: Callable[..., Live]) -> None:
    """K16: a dozen writers get 503 `busy` with Retry-After and leave nothing; who only reads is served meanwhile."""
    live = start()
    headers, json_type = live.login(), {"Content-Type": "application/json"}
    ids = [json.loads(live.upload(headers)[2])["files"][0]["id"] for _ in range(4)]
    before = sorted((live.instance / "uploads").rglob("*"))
    tokens = [sign_in(live) for _ in range(4)]
    waits = []

    def write(n: int) -> tuple[int, dict[str, str], bytes]:
        if n % 3 == 0:
            return live.upload(headers)
        if n % 3 == 1:
            return live.request("DELETE", f"/api/documents/{ids[n // 3]}", headers=headers)
        return live.request("POST", "/api/auth/refresh", tokens[n // 3], json_type)

    with closing(sqlite3.connect(live.instance / "app.db")) as other, ThreadPoolExecutor(12) as pool:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        writers = [pool.submit(write, n) for n in range(12)]
        while time.monotonic() < began + HELD and not all(writer.done() for writer in writers):
            asked = time.monotonic()
            assert live.request("GET", "/healthz")[0] == 200
            assert live.request("GET", "/api/documents", headers=headers)[0] == 200
            waits.append(time.monotonic() - asked)
            time.sleep(0.1)
        held = time.monotonic() - began
        assert all(writer.done() for writer in writers), "a client waits longer than the lock is worth"
        other.rollback()
        answers = [writer.result() for writer in writers]
    assert {(status, json.loads(body)["error"]) for status, _, body in answers} == {(503, "busy")}
    assert all(int(headers["retry-after"]) > 0 for _, headers, _ in answers)
    assert max(waits) < held / 3
    assert sorted((live.instance / "uploads").rglob("*")) == before and open_files(live.process.pid) == []
    assert set(listed(live, headers)) == set(ids) and "Traceback" not in live.log.read_text()
    with ThreadPoolExecutor(12) as pool:
        assert {status for status, _, _ in pool.map(write, range(12))} == {200}


def test_a_lock_that_is_not_given_back_by_a_fault_of_ours_is_not_kept(alice: Person) -> None:
    """K16: a commit, a refused statement and a lost connection all end a writer's turn."""
    with alice.app.app_context():
        db.session.execute(text("CREATE TRIGGER no BEFORE DELETE ON users BEGIN SELECT RAISE(FAIL, 'no'); END"))
        db.session.commit()
    for _ in range(6):  # more than there are threads
        with alice.app.app_context(), pytest.raises(IntegrityError):
            db.session.execute(text("DELETE FROM users"))
        with alice.app.app_context():
            db.session.execute(text("UPDATE users SET is_active = 1"))
            db.session.connection().invalidate()
        with alice.app.app_context():
            db.session.execute(text("UPDATE users SET is_active = 1"))
        assert alice.upload().status_code == 200


def test_eight_clients_commit_two_hundred_uploads_without_an_error(start: Callable[..., Live]) -> None:
    """H8: 8 threads x 25 commits through the door: every one 200, every row and file there."""
    live = start(THREADS="8")
    headers = live.login()

    def client(number: int) -> list[int]:
        return [live.upload(headers, part(content=PDF + bytes([number, n])))[0] for n in range(25)]

    with ThreadPoolExecutor(8) as pool:
        assert [status for statuses in pool.map(client, range(8)) for status in statuses] == [200] * 200
    assert len(set(listed(live, headers).values())) == 200
    assert len(list((live.instance / "uploads" / "1").iterdir())) == 200


def test_more_clients_than_threads_are_never_too_many_for_the_gate(start: Callable[..., Live]) -> None:
    """K16: where nobody holds the lock for long, nobody is told that the service is busy."""
    live = start(THREADS="2")
    headers = live.login()

    def client(number: int) -> set[int]:
        return {live.upload(headers, part(content=PDF + bytes([number, n])))[0] for n in range(10)}

    with ThreadPoolExecutor(12) as pool:
        assert set().union(*pool.map(client, range(12))) == {200}


def test_eight_clients_write_of_every_kind_without_an_error(start: Callable[..., Live]) -> None:
    """H8: uploads, deletes and refreshes of several sessions at once never meet a locked database."""
    live = start(THREADS="8")

    def client(number: int) -> list[int]:
        headers = live.login() if number < 4 else shared
        statuses = []
        for n in range(10):
            status, _, body = live.upload(headers, part(content=PDF + bytes([number, n])))
            statuses.append(status)
            id_ = json.loads(body)["files"][0]["id"]
            statuses.append(live.request("DELETE", f"/api/documents/{id_}", headers=headers)[0])
        return statuses

    shared = live.login()
    with ThreadPoolExecutor(8) as pool:
        assert {status for statuses in pool.map(client, range(8)) for status in statuses} == {200}
    assert listed(live, shared) == {} and list((live.instance / "uploads" / "1").iterdir()) == []


# --- what a database cannot take ------------------------------------------------------------------------------------

LONE = "\ud800"
BYTES = LONE.encode("utf-8", "surrogatepass")
JSON_LONE = '"\\ud800"'


def test_no_lone_surrogate_reaches_the_database_by_an_upload(alice: Person, unchanged: Callable[[], Any]) -> None:
    """H9: in a file's name, a field's name or its value it is 400, and nothing is stored."""
    odd = {
        "filename": part(filename="x").replace(b"x", BYTES + b".pdf"),
        "name": part(name="x").replace(b'"x"', b'"' + BYTES + b'"'),
        "field": part("note", None, BYTES),
    }
    for where, piece in odd.items():
        with unchanged():
            assert alice.send(multipart(piece, part())).status_code == 400, where


def test_an_escaped_lone_surrogate_in_a_name_stays_what_it_is(alice: Person) -> None:
    """H9: neither percent-encoding nor a backslash sequence makes one."""
    for name in ("%ED%A0%80.pdf", "\\ud800.pdf", "&#55296;.pdf"):
        [file] = alice.upload(name).get_json()["files"]
        file["filename"].encode()


@pytest.mark.parametrize(
    ("method", "path", "options", "expected"),
    [
        ("POST", "/api/auth/login", {"data": f'{{"email": {JSON_LONE}, "password": "x"}}'}, {400}),
        ("POST", "/api/auth/login", {"data": f'{{"email": "a@b", "password": {JSON_LONE}}}'}, {400}),
        ("POST", "/api/auth/password", {"data": f'{{"current": "{PASSWORD}", "new": "longer{JSON_LONE[1:]}}}'}, {400}),
        ("POST", "/api/auth/refresh", {"data": f'{{"refresh": {JSON_LONE}}}'}, {400, 401}),
        ("GET", "/api/documents/%ED%A0%80", {}, {404}),
        ("GET", "/api/documents?before=%ED%A0%80", {}, {404}),
        ("GET", "/api/documents?limit=%ED%A0%80", {}, {400}),
    ],
)
def test_no_lone_surrogate_reaches_the_database_by_json_or_address(
    method: str, path: str, options: dict[str, Any], expected: set[int], alice: Person
) -> None:
    """H9: each is the client's fault, never a UnicodeEncodeError of ours."""
    answer = alice.request(method, path, content_type="application/json" if options else None, **options)
    assert answer.status_code in expected, answer.text
    assert answer.get_json()["ok"] is False


def test_bytes_beyond_ascii_in_headers_are_taken_or_refused(alice: Person) -> None:
    """H9: a User-Agent is stored with each session, an Idempotency-Key with each upload."""
    agent = BYTES.decode("latin-1")
    answer = alice.client.post(
        "/api/auth/login", json={"email": alice.email, "password": PASSWORD}, headers={"User-Agent": agent}
    )
    assert answer.status_code == 200
    assert alice.upload(Idempotency_Key=agent).status_code == 400
    with alice.app.app_context():
        assert db.session.scalar(text("SELECT count(*) FROM sessions")) == 2
        assert db.session.query(Document).count() == 0


@pytest.mark.parametrize("command", [["add"], ["passwd"], ["disable"]])
def test_no_lone_surrogate_reaches_the_database_by_a_command(command: list[str], alice: Person) -> None:
    """H9: an argument that is not UTF-8 arrives with lone surrogates, and gets one line, not a traceback."""
    arguments = ["users", *command, "m\udce9@example.com"] + ([] if command == ["disable"] else ["--password-stdin"])
    done = alice.app.test_cli_runner().invoke(args=arguments, input=f"{PASSWORD}\n")
    assert done.exit_code != 0 and isinstance(done.exception, SystemExit), repr(done.exception)


def test_what_the_database_holds_survives_the_journey_of_real_files(alice: Person) -> None:
    """H9: names from every script are stored and come back as they were."""
    for name in ("漢字.pdf", "Ünïcödé – “quoted”.pdf", "🦆.pdf", "عربي.pdf"):
        [file] = alice.upload(name, (FILES / "cairo.pdf").read_bytes()).get_json()["files"]
        assert alice.get(f"/api/documents/{file['id']}").get_json()["document"]["filename"] == name

"""Quotas: what an account may keep is exact, whoever uploads at the same time, and told to whom it concerns."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import event

from tests.support.bodies import PDF, multipart, part
from tests.support.crowd import at_once
from tests.support.engines import BASE, ROOT, Live
from tests.support.people import Person
from tests.support.stack import files, rows
from tests.support.traces import left
from uploadsvc import create_app
from uploadsvc.extensions import db

SIZE = len(PDF)


def kept(app: Flask) -> dict[int, tuple[int, int]]:
    """By user: what is counted, and what the rows say."""
    query = "SELECT id, used_bytes, (SELECT coalesce(sum(size), 0) FROM documents WHERE user_id = users.id) FROM users"
    return {user_id: (used, int(stored)) for user_id, used, stored in rows(app, query)}


def counted(live: Live) -> list[int]:
    """What the first account keeps: as counted, by its rows, on the disk."""
    [[used]] = rows(live, "SELECT used_bytes FROM users WHERE id = 1")
    [[stored]] = rows(live, "SELECT coalesce(sum(size), 0) FROM documents")
    return [used, int(stored), sum(files(live).values())]


def set_quota(app: Flask, email: str, quota: int | str) -> None:
    done = app.test_cli_runner().invoke(args=["users", "quota", email, str(quota)])
    assert done.exit_code == 0, done.output


def sized(size: int, filename: str = "a.txt") -> bytes:
    return part(filename=filename, content=b"x" * size)


# --- exact under concurrency


@pytest.mark.parametrize(
    ("servers", "settings"),
    [(1, {"THREADS": "8"}), (1, {"WORKERS": "2"}), (2, {})],
    ids=["one process", "two workers", "two services on one instance"],
)
def test_twenty_at_once_fill_the_quota_to_the_byte(
    servers: int, settings: dict[str, str], start: Callable[..., Live]
) -> None:
    """E7: of 20 uploads of equal size 10 fit; nothing is left of the others."""
    lives = [start(USER_QUOTA_BYTES=str(10 * SIZE), **settings) for _ in range(servers)]
    headers = lives[0].login()
    answers = at_once(lambda n: lives[n % servers].upload(headers))
    assert sorted(status for status, *_ in answers) == [200] * 10 + [507] * 10
    assert {json.loads(body)["error"] for status, _, body in answers if status == 507} == {"quota_exceeded"}
    assert counted(lives[0]) == [10 * SIZE] * 3
    assert left(lives[0])["rows"] == len(left(lives[0])["files"]) == 10 and left(lives[0])["open"] == []


def test_of_uploads_of_many_sizes_at_once_none_is_refused_that_would_have_fit(start: Callable[..., Live]) -> None:
    """E7: what is stored stays within the quota, and whatever was refused is larger than what is left at the end."""
    quota = 40_000
    live = start(USER_QUOTA_BYTES=str(quota), WORKERS="2")
    headers, sizes = live.login(), [500 * (n + 1) for n in range(20)]
    statuses = at_once(lambda n: live.upload(headers, sized(sizes[n] - 100), sized(100, "b.txt"))[0])
    assert set(statuses) == {200, 507}
    stored = sum(size for size, status in zip(sizes, statuses, strict=True) if status == 200)
    assert counted(live) == [stored] * 3 and stored <= quota
    assert min(size for size, status in zip(sizes, statuses, strict=True) if status == 507) > quota - stored


def test_uploads_and_deletes_at_once_keep_the_count(start: Callable[..., Live]) -> None:
    """E7: each delete gives back once, however many ask for it, and each upload is charged once."""
    live = start(WORKERS="2")
    headers = live.login()
    ids = [json.loads(live.upload(headers)[2])["files"][0]["id"] for _ in range(3)]

    def act(n: int) -> int:
        if n % 2:
            return live.upload(headers)[0]
        return live.request("DELETE", f"/api/documents/{ids[n // 2 % 3]}", headers=headers)[0]

    statuses = at_once(act)
    assert sorted(statuses[::2]) == [200] * 3 + [404] * 7 and set(statuses[1::2]) == {200}
    assert counted(live) == [10 * SIZE] * 3


# --- a repeat is no new upload


def test_a_repeat_is_not_charged_again(make_app: Callable[..., Flask], alice: Person) -> None:
    """E7, C17: with the first upload the quota is full, and the repeat still gets its answer."""
    set_quota(alice.app, alice.email, SIZE)
    key = {"Idempotency-Key": "k"}
    first = alice.send(multipart(part()), headers=key)
    repeat = alice.send(multipart(part()), headers=key)
    assert (first.status_code, repeat.status_code, repeat.data) == (200, 200, first.data)
    assert kept(alice.app) == {1: (SIZE, SIZE)}
    assert alice.upload().status_code == 507


@pytest.mark.parametrize("settings", [{"THREADS": "20"}, {"WORKERS": "2"}], ids=["one process", "two workers"])
def test_repeats_at_once_are_charged_once(settings: dict[str, str], start: Callable[..., Live]) -> None:
    """E7, C17: there is room for one; all 20 get the answer of the one that was stored, none a 507."""
    live = start(USER_QUOTA_BYTES=str(2 * SIZE), **settings)
    headers = live.login() | {"Idempotency-Key": "k"}
    answers = at_once(lambda _: live.upload(headers, part(), part(filename="b.pdf"))[::2])
    assert len(set(answers)) == 1 and answers[0][0] == 200
    assert counted(live) == [2 * SIZE] * 3


# --- what counts


def test_exactly_the_quota_passes_and_one_byte_more_does_not(make_app: Callable[..., Flask], alice: Person) -> None:
    """E7: at once and in two steps; the smaller one that still fits is stored after the refusal."""
    app = make_app(USER_QUOTA_BYTES=1000)
    someone = Person(app, alice.email).login()
    assert someone.send(multipart(sized(1001))).status_code == 507
    assert someone.send(multipart(sized(1000))).status_code == 200
    set_quota(app, alice.email, 1500)
    assert someone.send(multipart(sized(501))).status_code == 507
    assert someone.send(multipart(sized(500))).status_code == 200
    assert someone.send(multipart(sized(1))).status_code == 507
    assert kept(app) == {1: (1500, 1500)}


def test_several_files_of_one_request_count_together(alice: Person) -> None:
    """E7: all or nothing, as for every other refusal; text fields are not counted."""
    set_quota(alice.app, alice.email, 100)
    assert alice.send(multipart(sized(60), sized(41, "b.txt"))).status_code == 507
    assert kept(alice.app) == {1: (0, 0)}
    assert alice.send(multipart(part("note", None, b"n" * 500), sized(60), sized(40, "b.txt"))).status_code == 200
    assert kept(alice.app) == {1: (100, 100)}


def test_a_delete_gives_room_back(alice: Person) -> None:
    """E7: as much as the document has, and not twice."""
    set_quota(alice.app, alice.email, 2 * SIZE)
    files = alice.send(multipart(part(), part())).get_json()["files"]
    assert alice.upload().status_code == 507
    path = f"/api/documents/{files[0]['id']}"
    assert [alice.delete(path).status_code for _ in range(2)] == [200, 404]
    assert kept(alice.app) == {1: (SIZE, SIZE)}
    assert alice.upload().status_code == 200 and alice.upload().status_code == 507


def test_each_account_has_its_own(alice: Person, bob: Person) -> None:
    """E7: Alice's full account does not keep Bob from uploading, and his deletes give her nothing."""
    for person in (alice, bob):
        set_quota(alice.app, person.email, SIZE)
    files = [person.upload().get_json()["files"][0]["id"] for person in (alice, bob)]
    assert [alice.upload().status_code, bob.upload().status_code] == [507, 507]
    assert bob.delete(f"/api/documents/{files[0]}").status_code == 404
    assert bob.delete(f"/api/documents/{files[1]}").status_code == 200
    assert [alice.upload().status_code, bob.upload().status_code] == [507, 200]
    assert kept(alice.app) == {1: (SIZE, SIZE), 2: (SIZE, SIZE)}


def test_a_refusal_leaves_nothing_and_charges_nothing(alice: Person, unchanged: Callable[[], Any]) -> None:
    """E7: no file, row, count or descriptor, whether the quota or something else refuses; then what fits is stored."""
    set_quota(alice.app, alice.email, 3 * SIZE)
    alice.upload()
    with unchanged():
        assert alice.send(multipart(part(), part(), part())).status_code == 507
        assert alice.send(multipart(part(), part(filename="b.exe"))).status_code == 415
        assert alice.send(multipart(part(), part())[:-20]).status_code == 400
    assert alice.send(multipart(part(), part())).status_code == 200


def test_a_refusal_over_the_wire_leaves_nothing(start: Callable[..., Live]) -> None:
    """E7: the streaming server too, for a file as large as may be."""
    live = start(USER_QUOTA_BYTES=str(1024 * 1024))
    headers = live.login()
    before = left(live)
    status, _, body = live.upload(headers, sized(10 * 1024 * 1024))
    assert (status, json.loads(body)["error"]) == (507, "quota_exceeded")
    assert left(live) == before


def test_a_commit_that_fails_charges_nothing(alice: Person, unchanged: Callable[[], Any]) -> None:
    """E7: neither does it hold the database, nor does the connection's next commit bring the rows along."""
    alice.upload()
    database = sqlite3.connect(alice.app.config["INSTANCE_PATH"] / "app.db")
    with closing(database), unchanged():
        database.execute("CREATE TABLE never (id INTEGER REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)")
        database.execute("CREATE TRIGGER fail AFTER UPDATE ON users BEGIN INSERT INTO never VALUES (-1); END")
        assert alice.upload().status_code == 500
        database.execute("DROP TRIGGER fail")
        assert len(alice.login().get("/api/documents").get_json()["documents"]) == 1
    assert alice.upload().status_code == 200
    assert kept(alice.app) == {1: (2 * SIZE, 2 * SIZE)}


# --- what is told


def test_the_sentence_tells_the_quota_what_is_left_and_what_the_upload_has(alice: Person) -> None:
    """E7: 507 with a code of its own, as JSON."""
    set_quota(alice.app, alice.email, 1000)
    alice.send(multipart(sized(700)))
    answer = alice.send(multipart(sized(301)))
    assert (answer.status_code, answer.mimetype) == (507, "application/json")
    assert set(answer.get_json()) == {"ok", "error", "message"} and answer.get_json()["error"] == "quota_exceeded"
    assert re.findall(r"\d+", answer.get_json()["message"]) == ["1000", "300", "301"]


def test_a_lowered_quota_only_stops_new_uploads(alice: Person) -> None:
    """E7: what is there is kept, downloaded and deleted as before, and nothing is told to be left."""
    files = alice.send(multipart(part(), part())).get_json()["files"]
    set_quota(alice.app, alice.email, SIZE - 1)
    refusal = alice.upload(content=PDF)
    assert refusal.status_code == 507 and re.findall(r"\d+", refusal.get_json()["message"])[1] == "0"
    for path in (f"/api/documents/{file['id']}" for file in files):
        with alice.get(f"{path}/content") as download:
            assert download.data == PDF
        assert alice.delete(path).status_code == 200
    assert alice.upload(filename="a.txt", content=b"x" * (SIZE - 1)).status_code == 200


def limits(person: Person, headers: dict[str, str] | None = None) -> tuple[int | None, int | None]:
    answer = person.client.get("/api/limits", headers=person.headers if headers is None else headers)
    assert answer.status_code == 200, answer.text
    return answer.get_json().get("quotaBytes"), answer.get_json().get("usedBytes")


def test_the_limits_tell_the_account_s_quota_and_use(alice: Person, bob: Person) -> None:
    """E7: to whoever is signed in, his own; without a session, and with one that is over, no more than to anybody."""
    assert limits(alice) == (0, 0)
    set_quota(alice.app, alice.email, 500)
    alice.upload()
    assert (limits(alice), limits(bob)) == ((500, SIZE), (0, 0))
    alice.post("/api/auth/logout")
    for headers in ({}, alice.headers, {"Authorization": "Bearer x"}, {"Cookie": "token=x"}):
        assert limits(alice, headers) == (None, None)


def test_a_token_spends_and_learns_its_owners_quota(alice: Person) -> None:
    """E7: a script's uploads, multipart or PUT, count as the person's own."""
    set_quota(alice.app, alice.email, 10)
    token = alice.post("/api/tokens", json={"name": "cron"}).get_json()["token"]
    script = {"Authorization": f"Bearer {token}"}
    sent = [alice.client.put("/api/upload/a.txt", data=b"x" * size, headers=script) for size in (6, 5, 4)]
    assert [answer.status_code for answer in sent] == [200, 507, 200]
    assert limits(alice) == limits(alice, script) == (10, 10)


# --- the operator


def test_an_account_s_own_quota_goes_before_the_configured_one(make_app: Callable[..., Flask], alice: Person) -> None:
    """E7: a number, 0 for none, and `default` for the setting again; also for an account made later."""
    app = make_app(USER_QUOTA_BYTES=SIZE)
    someone = Person(app, alice.email).login()
    seen = []
    for quota in ("default", str(2 * SIZE), "0", "default"):
        set_quota(app, alice.email, quota)
        seen.append((limits(someone)[0], someone.upload().status_code))
    assert seen == [(SIZE, 200), (2 * SIZE, 200), (0, 200), (SIZE, 507)]


def test_without_a_quota_everything_is_kept_and_counted(alice: Person) -> None:
    for _ in range(3):
        assert alice.upload().status_code == 200
    assert kept(alice.app) == {1: (3 * SIZE, 3 * SIZE)}


@pytest.mark.parametrize("quota", ["", "ten", "10G", "-1", "1.5", "1e3", "9" * 30, str(2**62 + 1)])
def test_a_quota_that_is_none_is_refused_and_changes_nothing(quota: str, alice: Person) -> None:
    set_quota(alice.app, alice.email, 500)
    done = alice.app.test_cli_runner().invoke(args=["users", "quota", alice.email, "--", quota])
    assert done.exit_code == 2 and "Error: " in done.stderr and "Traceback" not in done.output
    assert limits(alice) == (500, 0)


def test_the_command_says_what_holds_now(alice: Person) -> None:
    alice.upload()
    run = alice.app.test_cli_runner().invoke
    said = [run(args=["users", "quota", alice.email, quota]).stdout for quota in ("500", "0", "default")]
    assert said[0] == f"{alice.email} keeps {SIZE} bytes and may keep 500.\n"
    assert said[1] == said[2] == f"{alice.email} keeps {SIZE} bytes and may keep any number.\n"


# --- an instance from before


def at_0002(folder: Path) -> Flask:
    """An instance of the version before quotas, with three accounts of which two keep something."""
    app = create_app(BASE | {"INSTANCE_PATH": str(folder)})
    with app.app_context():
        flask_migrate.upgrade(revision="0002")
        db.engine.dispose()
    row = (
        "INSERT INTO documents (public_id, user_id, filename, path, content_type, size, sha256, status, created_at,"
        " part, fieldname) VALUES (?, ?, 'a.txt', ?, 'text/plain', ?, 'x', 'success', '2026-01-01', 0, 'file')"
    )
    with closing(sqlite3.connect(folder / "app.db")) as database:
        for number in (1, 2, 3):
            account = (number, f"{number}@example.com", "x", True, "2026-01-01 00:00:00.000000")
            database.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?)", account)
        for number, (user_id, size) in enumerate([(1, 5), (3, 2**40), (1, 7)]):
            database.execute(row, (f"{number:032}", user_id, f"{user_id}/{number}", size))
        database.commit()
    return app


def test_an_upgrade_counts_what_is_there(tmp_path: Path) -> None:
    """E7, H8: no account begins anew, and none has a quota of its own."""
    app = at_0002(tmp_path / "instance")
    listed = app.test_cli_runner().invoke(args=["users", "list"]).stdout.splitlines()
    assert [line.split("\t")[3:] for line in listed] == [["12", "0"], ["0", "0"], [str(2**40), "0"]]
    assert kept(app) == {1: (12, 12), 2: (0, 0), 3: (2**40, 2**40)}
    with app.app_context():
        db.engine.dispose()


def upgraded(folder: Path, die_before: int | None = None) -> bool:
    """Upgrade in a process of its own that dies before its nth statement that writes; did it get to the end?"""
    if not (pid := os.fork()):
        try:
            app, writes = create_app(BASE | {"INSTANCE_PATH": str(folder)}), count()
            with app.app_context():

                def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
                    if not statement.startswith(("SELECT", "PRAGMA")) and next(writes) == die_before:
                        os._exit(9)

                event.listen(db.engine, "before_cursor_execute", die)
                flask_migrate.upgrade()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def made_of(folder: Path) -> list[Any]:
    """The lines of the instance's schema, for alembic gives a table's constraints no order, and its accounts."""
    with closing(sqlite3.connect(folder / "app.db")) as database:
        tables = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        schema = sorted((name, line.strip(" \t,")) for name, sql in tables for line in sql.splitlines())
        return [*schema, *database.execute("SELECT id, email, quota_bytes, used_bytes FROM users ORDER BY id")]


def check_killed_upgrades(folder: Path) -> None:
    """In a process without threads, for it forks: upgrade, with a death before each write in turn, and then again."""
    at_0002(folder / "whole")
    before = (folder / "whole" / "app.db").read_bytes()
    assert upgraded(folder / "whole")
    whole = made_of(folder / "whole")
    for deaths in count():
        instance = folder / str(deaths)
        instance.mkdir()
        (instance / "app.db").write_bytes(before)
        if upgraded(instance, die_before=deaths):
            break
        assert upgraded(instance) and made_of(instance) == whole, f"after a death before write {deaths}"
    assert deaths > 10


def test_an_upgrade_that_was_killed_is_made_again(tmp_path: Path) -> None:
    """H8: before whichever write the process died, the next start makes the same of the instance."""
    code = "import sys, pathlib, tests.test_quotas as t; t.check_killed_upgrades(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr

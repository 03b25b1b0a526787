"""Group commit: what is uploaded at once is stored at once, and what is wrong with one upload harms no other."""

import errno
import io
import os
import select
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from tests.support.bodies import PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import tuned
from tests.support.people import Person, add_user
from tests.support.traces import state
from tests.support.wire import Wire, upload_head
from uploadsvc.crew.group import Group, together
from uploadsvc.extensions.plain import Plain
from uploadsvc.models import User, registration

NUMBER = 6


def at_once(*calls: Callable[[], TestResponse]) -> list[TestResponse]:
    """Make calls as the crew does that have arrived together; their answers, in the order of the calls."""
    group, answers = Group(), dict[int, TestResponse]()
    for number, call in enumerate(calls):
        group.run(lambda number=number, call=call: answers.update({number: call()}))
    list(group.settle())
    return [answers[number] for number in range(len(calls))]


def kept(app: Flask) -> dict[str, Any]:
    found = state(app)
    return {name: found[name] for name in ("rows", "used", "kept")} | {"files": len(found["files"])}


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many uploads each transaction has stored."""
    true, counted = registration.store, list[int]()

    def store(uploads: list[Any], quota: int) -> None:
        true(uploads, quota)
        counted.append(len(uploads))

    monkeypatch.setattr(registration, "store", store)
    return counted


def test_work_is_done_once_for_all_that_wait_and_each_goes_on() -> None:
    group, done, ended = Group(), list[list[int]](), list[int]()

    def call(number: int) -> None:
        together(done.append, number)
        ended.append(number)

    for number in range(3):
        group.run(lambda number=number: call(number))
    assert (done, ended) == ([], [])
    list(group.settle())
    assert (done, ended) == ([[0, 1, 2]], [0, 1, 2])
    call(3)
    assert done[1:] == [[3]], "outside of a group it is done at once"


def test_uploads_that_arrive_together_share_a_commit(alice: Person, bob: Person, commits: list[int]) -> None:
    """Issue 12: each is told its own documents, and each account keeps its own."""
    people = [alice, bob] * 3
    answers = at_once(*(lambda n=n, who=who: who.upload(f"{n}.pdf") for n, who in enumerate(people)))
    told = [answer.get_json()["files"][0]["filename"] for answer in answers]
    assert (commits, told) == ([6], [f"{n}.pdf" for n in range(6)])
    for who, names in ((alice, {"0.pdf", "2.pdf", "4.pdf"}), (bob, {"1.pdf", "3.pdf", "5.pdf"})):
        assert {file["filename"] for file in who.get("/api/documents").get_json()["documents"]} == names
    assert kept(alice.app) == {"rows": 6, "used": 6 * len(PDF), "kept": 6, "files": 6}


def test_of_a_group_every_step_is_on_the_disk_before_the_next(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """H1: each file's bytes before its name, all names before the commit, the commit before any answer."""
    assert alice.upload().status_code == 200
    folder, steps = (alice.app.config["UPLOADS_DIR"] / "1").stat().st_ino, list[str]()

    def record(owner: Any, name: str, what: Callable[..., str]) -> None:
        true = getattr(owner, name)

        def call(*args: Any, **options: Any) -> Any:
            steps.append(what(*args))
            return true(*args, **options)

        monkeypatch.setattr(owner, name, call)

    record(os, "fsync", lambda descriptor: "names" if os.fstat(descriptor).st_ino == folder else "bytes")
    record(os, "link", lambda *_: "link")
    record(Plain, "commit", lambda _: "commit")

    def upload(name: str) -> TestResponse:
        answer = alice.upload(name)
        steps.append("answer")
        return answer

    answers = at_once(*(partial(upload, f"{number}.pdf") for number in range(3)))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert steps == ["bytes", "link"] * 3 + ["names", "commit"] + ["answer"] * 3


def test_one_that_is_over_its_quota_takes_no_other_with_it(alice: Person, bob: Person, commits: list[int]) -> None:
    """Issue 12: together Alice's are too much for her, and one after the other the first two are not."""
    with alice.app.app_context():
        User.by_email(alice.email).quota_bytes = 2 * len(PDF)  # type: ignore[union-attr]
        User.query.session.commit()
    answers = at_once(*[alice.upload] * 4, bob.upload)
    assert [answer.status_code for answer in answers] == [200, 200, 507, 507, 200]
    assert [answer.get_json()["error"] for answer in answers[2:4]] == ["quota_exceeded"] * 2
    assert kept(alice.app) == {"rows": 3, "used": 3 * len(PDF), "kept": 3, "files": 3}
    assert commits == [1, 1, 1]


def test_equal_keys_in_a_group_store_once_and_answer_the_same(alice: Person) -> None:
    """H10: three repeats at once, and an upload without a key beside them."""

    def repeat() -> TestResponse:
        return alice.upload(Idempotency_Key="once")

    answers = at_once(repeat, alice.upload, repeat, repeat)
    assert [answer.status_code for answer in answers] == [200] * 4
    ids = [answer.get_json()["files"][0]["id"] for answer in answers]
    assert ids[0] == ids[2] == ids[3] != ids[1]
    assert kept(alice.app) == {"rows": 2, "used": 2 * len(PDF), "kept": 2, "files": 2}


def test_a_file_that_cannot_be_synced_spoils_no_other_upload(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """H5: the second of three; the failed fsync is final."""
    assert alice.upload().status_code == 200
    true, synced = os.fsync, []

    def fail(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        true(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    answers = at_once(*[alice.upload] * 3)
    assert [answer.status_code for answer in answers] == [200, 500, 200]
    assert kept(alice.app) == {"rows": 3, "used": 3 * len(PDF), "kept": 3, "files": 3}


def test_a_folder_that_cannot_be_synced_leaves_nothing_of_the_group(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H5: the names of all of them are in doubt."""
    assert alice.upload().status_code == 200
    true, folder = os.fsync, (alice.app.config["UPLOADS_DIR"] / "1").stat().st_ino

    def fail(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == folder:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        true(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    answers = at_once(*[alice.upload] * 3)
    assert [(answer.status_code, answer.get_json()["error"]) for answer in answers] == [(500, "storage_error")] * 3
    assert kept(alice.app) == {"rows": 1, "used": len(PDF), "kept": 1, "files": 1}


def test_a_commit_that_fails_leaves_nothing_of_the_group(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """H5: no upload is tried again alone, for it is the disk's fault."""

    def fail(_: Plain) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(Plain, "commit", fail)
        answers = at_once(*[alice.upload] * 3)
    assert [answer.status_code for answer in answers] == [500] * 3
    assert kept(alice.app) == {"rows": 0, "used": 0, "kept": 0, "files": 0}
    assert alice.upload().status_code == 200


def test_what_is_wrong_for_all_is_logged_for_each_no_longer_than_for_one(
    alice: Person, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12: they share an error, and whoever raises it anew would add to its traceback."""

    def fail(_: Plain) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(Plain, "commit", fail)
    at_once(alice.upload)
    alone = len(log.getvalue())
    at_once(*[alice.upload] * NUMBER)
    assert len(log.getvalue()) - alone < 1.2 * NUMBER * alone


def test_when_the_one_that_stores_for_all_is_struck_the_others_are_told_that_nobody_knows(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H5: their bytes stay for the sweep, which looks whether they have rows."""
    answers = []

    def die(*_: Any) -> None:
        raise SystemExit

    def first() -> None:
        with pytest.raises(SystemExit):
            alice.upload()

    group = Group()
    with monkeypatch.context() as patch:
        patch.setattr(registration, "store", die)
        group.run(first)
        group.run(lambda: answers.append(alice.upload()))
        list(group.settle())
    assert [(answer.status_code, answer.get_json()["error"]) for answer in answers] == [(503, "unavailable")]
    assert (kept(alice.app)["rows"], kept(alice.app)["files"]) == (0, 1)
    alice.app.test_cli_runner().invoke(args=["sweep", "--older-than", "0"])
    assert kept(alice.app)["files"] == 0


SLOWLY = """
import os, time
true = os.fsync
os.fsync = lambda descriptor: (time.sleep(0.5), true(descriptor))
"""


def test_who_is_refused_waits_for_no_group(tmp_path: Path) -> None:
    """T3, issue 12: what is known from the headers is answered while the disk has not even taken the first upload."""
    body = multipart(part(content=PDF + bytes(300_000)))
    with tuned(tmp_path, SLOWLY) as live, Wire(live) as waiting, Wire(live) as refused:
        waiting.send(upload_head(len(body), f"Authorization: {live.login()['Authorization']}"), body)
        assert eventually(lambda: any((live.instance / "uploads/.staging").iterdir()))
        refused.send(upload_head(len(body)), body)
        assert refused.answer().status == 401
        assert not select.select([waiting.socket], [], [], 0)[0]
        assert waiting.answer().status == 200


def test_a_slow_disk_syncs_the_files_of_a_group_side_by_side(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 12: and stores them all the same; no thread is left behind."""
    storage = alice.app.extensions["storage"]
    monkeypatch.setattr(storage, "is_slow", lambda: True)
    add_user(alice.app, "carol@example.com")
    carol = Person(alice.app, "carol@example.com").login()
    answers = at_once(*[alice.upload, carol.upload] * NUMBER)
    assert [answer.status_code for answer in answers] == [200] * 2 * NUMBER
    assert kept(alice.app)["files"] == 2 * NUMBER

"""The number of a request's files is exact: many at once, an end on the way, a crash, a broken line (issue 11)."""

import json
import shlex
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.crowd import at_once
from tests.support.engines import Live, start_live, tuned
from tests.support.people import Person
from tests.support.stack import change, files, rows
from tests.support.traces import left
from tests.support.visitors import OVER, bearer_of, visitor_of
from tests.support.wire import Wire, head

SERVERS: list[Any] = [
    pytest.param(1, {"THREADS": "8"}, id="one process"),
    pytest.param(1, {"WORKERS": "2"}, id="two workers"),
    pytest.param(2, {}, id="two services on one instance"),
]


def asked(live: Live, **wanted: Any) -> tuple[str, dict[str, str]]:
    """The id of a new request of the first account's, and the headers of its visitors."""
    headers = live.login() | {"Content-Type": "application/json"}
    body = json.dumps({"title": "Tax papers 2026"} | wanted).encode()
    status, _, answer = live.request("POST", "/api/requests", body, headers)
    assert status == 200, answer
    made = json.loads(answer)
    return made["id"], {"Authorization": f"Bearer {bearer_of(made)}"}


def told(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    return answer[0], "" if answer[0] == 200 else json.loads(answer[2])["error"]


def counted(live: Live) -> list[int]:
    """How many files have come: as counted, by the rows, in the storage."""
    [[received]] = rows(live, "SELECT sum(files_received) FROM file_requests")
    [[documents]] = rows(live, "SELECT count(*) FROM documents WHERE request_id IS NOT NULL")
    return [int(received), documents, len(files(live))]


# --- many at once


@pytest.mark.parametrize(("servers", "settings"), SERVERS)
def test_of_twenty_visitors_at_once_ten_are_stored_and_ten_are_told(
    servers: int, settings: dict[str, str], start: Callable[..., Live]
) -> None:
    """Issue 11, bad luck: a request for 10 files, and nothing is left of the others."""
    lives = [start(**settings) for _ in range(servers)]
    _, visitor = asked(lives[0], maxFiles=10)
    answers = at_once(lambda n: told(lives[n % servers].upload(visitor)))
    assert sorted(answers) == [(200, "")] * 10 + [OVER] * 10
    assert counted(lives[0]) == [10] * 3 and left(lives[0])["open"] == []


def test_uploads_of_several_files_at_once_are_stored_whole_or_refused_whole(start: Callable[..., Live]) -> None:
    """No more than were asked for, and whatever was refused is more than what is left at the end."""
    live = start(WORKERS="2")
    _, visitor = asked(live, maxFiles=25)
    sizes = [n % 4 + 1 for n in range(20)]
    answers = at_once(lambda n: told(live.upload(visitor, *[part()] * sizes[n])))
    assert {answer for answer in answers if answer[0] != 200} <= {OVER, (413, "too_large")}
    stored = sum(size for size, answer in zip(sizes, answers, strict=True) if answer[0] == 200)
    assert counted(live) == [stored] * 3 and stored <= 25
    assert min(size for size, answer in zip(sizes, answers, strict=True) if answer[0] != 200) > 25 - stored


@pytest.mark.parametrize(("servers", "settings"), SERVERS)
def test_repeats_at_once_count_once(servers: int, settings: dict[str, str], start: Callable[..., Live]) -> None:
    """C17: there is room for one upload; all 20 get the answer of the one that was stored."""
    lives = [start(**settings) for _ in range(servers)]
    _, visitor = asked(lives[0], maxFiles=2)
    visitor |= {"Idempotency-Key": "k"}
    answers = at_once(lambda n: lives[n % servers].upload(visitor, part(), part(filename="b.pdf"))[::2])
    assert len(set(answers)) == 1 and answers[0][0] == 200
    assert counted(lives[0]) == [2] * 3


@pytest.mark.parametrize("_run", range(3))
def test_nothing_comes_after_the_end_was_answered(_run: int, start: Callable[..., Live]) -> None:
    """Twenty uploads race with the end: what is there when that is answered stays all there is."""
    live = start(WORKERS="2")
    request_id, visitor = asked(live)
    owner, kept = live.login(), "SELECT count(*) FROM documents WHERE status = 'success'"

    def act(n: int) -> Any:
        if n != 10:
            return told(live.upload(visitor))
        status = live.request("DELETE", f"/api/requests/{request_id}", headers=owner)[0]
        return status, rows(live, kept)[0][0]

    answers = at_once(act)
    status, at_the_end = answers.pop(10)
    assert status == 200 and set(answers) <= {(200, ""), OVER}
    assert rows(live, kept) == [(at_the_end,)] and answers.count((200, "")) == at_the_end


# --- ended on the way


@contextmanager
def sending(live: Live, visitor: dict[str, str]) -> Iterator[tuple[Wire, bytes]]:
    """An upload whose body is half there, on a connection, and the other half of it."""
    body = multipart(part(content=PDF.ljust(200_000)))
    bearer = f"Authorization: {visitor['Authorization']}"
    lines = [bearer, f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(body)}"]
    with Wire(live) as wire:
        wire.send(head("POST /api/upload HTTP/1.1", *lines), body[:100_000])
        assert eventually(lambda: files(live))
        yield wire, body[100_000:]


@contextmanager
def under_way(start: Callable[..., Live], folder: Path) -> Iterator[tuple[Live, str, dict[str, str], Any]]:
    """A server whose scanner holds an upload between its admission and its commit: `finish()` lets it go on."""
    begun, go = folder / "begun", folder / "go"
    script = folder / "scan"
    script.write_text(f"#!/bin/sh\ntouch {begun}\nwhile [ ! -e {go} ]; do sleep 0.02; done\n")
    script.chmod(0o700)
    live = start(SCAN_COMMAND=shlex.quote(str(script)))
    request_id, visitor = asked(live, maxFiles=1)
    with ThreadPoolExecutor(1) as pool:
        sent: Future[Any] = pool.submit(lambda: told(live.upload(visitor)))
        assert eventually(begun.exists)

        def finish() -> Any:
            go.touch()
            return sent.result(20)

        try:
            yield live, request_id, visitor, finish
        finally:
            go.touch()


def delete(live: Live, request_id: str, _visitor: dict[str, str]) -> None:
    assert live.request("DELETE", f"/api/requests/{request_id}", headers=live.login())[0] == 200


def end_by_command(live: Live, request_id: str, _visitor: dict[str, str]) -> None:
    assert live.flask("requests", "end", request_id).returncode == 0


def end_all(live: Live, _request_id: str, _visitor: dict[str, str]) -> None:
    assert live.flask("requests", "end-all").stdout == "Ended 1 requests.\n"


def pass_by(live: Live, _request_id: str, _visitor: dict[str, str]) -> None:
    change(live, "UPDATE file_requests SET expires_at = created_at")


def pass_by_and_be_told(live: Live, request_id: str, visitor: dict[str, str]) -> None:
    """And the server with the upload has a clock that is late: for it the end is still to come."""
    pass_by(live, request_id, visitor)
    assert told(live.request("GET", "/api/request", headers=visitor)) == OVER
    change(live, "UPDATE file_requests SET expires_at = '2999-01-01 00:00:00.000000'")


@pytest.mark.parametrize("ending", [delete, end_by_command, end_all, pass_by, pass_by_and_be_told])
def test_an_upload_that_the_end_overtakes_is_told_and_leaves_nothing(
    ending: Callable[[Live, str, dict[str, str]], None], start: Callable[..., Live], tmp_path: Path
) -> None:
    """Issue 11, bad luck: it had been admitted, and all its bytes had come."""
    with under_way(start, tmp_path) as (live, request_id, visitor, finish):
        ending(live, request_id, visitor)
        assert finish() == OVER
        assert counted(live) == [0] * 3 and left(live)["open"] == []
        assert told(live.upload(visitor)) == OVER


def test_an_end_in_mid_body_is_told_when_the_body_has_come(start: Callable[..., Live]) -> None:
    """The headers were good; what came of the file is gone."""
    live = start()
    request_id, visitor = asked(live)
    with sending(live, visitor) as (wire, rest):
        delete(live, request_id, visitor)
        answer = wire.send(rest).answer()
    assert (answer.status, answer.json["error"]) == OVER
    assert counted(live) == [0] * 3 and left(live)["open"] == []


def test_the_last_place_is_whose_files_are_stored_first(start: Callable[..., Live], tmp_path: Path) -> None:
    with under_way(start, tmp_path) as (live, _, visitor, finish):
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(lambda: told(live.upload(visitor)))
            answers = [finish(), other.result(20)]
        assert sorted(answers) == [(200, ""), OVER] and counted(live) == [1] * 3


# --- what breaks


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_while_it_is_counted_leaves_no_count_and_no_row(moment: str, tmp_path: Path) -> None:
    """H2: the count is in the transaction of the rows; the place is free again after the restart."""
    die = "os.kill(os.getpid(), signal.SIGKILL)"
    prelude = f"""
import os, signal
from uploadsvc.models import FileRequest
really = FileRequest.count
def count(*arguments):
    {die if moment == "before" else "really(*arguments)"}
    {die}
FileRequest.count = count
"""
    with tuned(tmp_path, prelude) as dying:
        _, visitor = asked(dying, maxFiles=1)
        with pytest.raises(OSError):
            dying.upload(visitor)
        dying.stop_by_itself()
    live = start_live(tmp_path)
    try:
        assert counted(live)[:2] == [0, 0]
        assert [told(live.upload(visitor)) for _ in range(2)] == [(200, ""), OVER]
        assert live.flask("verify").returncode == 0
    finally:
        live.stop(signal.SIGKILL)


def test_a_commit_that_fails_gives_the_places_back(alice: Person, unchanged: Callable[[], Any]) -> None:
    visitor = visitor_of(alice, maxFiles=2)
    change(alice.app, "CREATE TABLE never (id INTEGER REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)")
    change(alice.app, "CREATE TRIGGER fail AFTER UPDATE ON file_requests BEGIN INSERT INTO never VALUES (-1); END")
    with unchanged():
        assert visitor.send(part(), part()).status_code == 500
        change(alice.app, "DROP TRIGGER fail")
    assert visitor.look().get_json()["filesLeft"] == 2
    assert visitor.send(part(), part()).status_code == 200


def test_an_upload_that_breaks_off_takes_no_place(start: Callable[..., Live]) -> None:
    live = start()
    _, visitor = asked(live, maxFiles=1)
    with sending(live, visitor):
        pass
    assert eventually(lambda: not files(live)) and counted(live) == [0] * 3
    assert [line["user_id"] for line in live.lines if line.get("status") == 499] == [None]
    assert told(live.upload(visitor)) == (200, "")


def test_visitors_hold_no_place_of_the_owners_uploads(start: Callable[..., Live]) -> None:
    """K8: a request has as many open uploads as an account may have, and keeps neither its owner nor others out."""
    live = start(USER_UPLOADS="1")
    _, visitor = asked(live)
    _, other = asked(live)
    with sending(live, visitor) as (wire, rest):
        assert told(live.upload(visitor)) == (429, "too_many_requests")
        assert [told(live.upload(who)) for who in (other, live.login())] == [(200, ""), (200, "")]
        assert wire.send(rest).answer().status == 200
    assert told(live.upload(visitor)) == (200, "")


def test_a_wrong_secret_is_refused_before_the_body_has_come(start: Callable[..., Live]) -> None:
    """House §3: the server judges it by its headers, without the database."""
    live = start()
    _, visitor = asked(live)
    wrong = visitor["Authorization"][:-1] + ("0" if visitor["Authorization"][-1] != "0" else "1")
    with Wire(live) as wire:
        wire.send(head("PUT /api/upload/a.pdf HTTP/1.1", f"Authorization: {wrong}", "Content-Length: 10000000"))
        assert wire.answer().status == 401
    assert [line["fault"] for line in live.lines if line["message"] == "request_secret_refused"] == ["wrong"]

"""Stopping and restarting: what was begun is finished or leaves nothing, with one process and with several."""

import fcntl
import http.client
import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.bodies import PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live, start_live
from tests.support.stack import files, rows
from tests.support.traces import left, open_files, requests_logged
from tests.support.wire import Wire, authorization, head, upload_head

BODY = multipart(part(content=PDF + b"x" * 200_000))
READY = head("GET /readyz HTTP/1.1")


def stored(live: Live) -> tuple[int, list[str]]:
    """Rows, and files, stored or on their way."""
    [[documents]] = rows(live, "SELECT count(*) FROM documents")
    return documents, sorted(files(live))


def refuses_connections(live: Live) -> bool:
    try:
        live.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):  # reset: it waited to be accepted when the socket was closed
        return True
    return False


def exit_code(live: Live, seconds: float = 20) -> int | None:
    """The server's exit status, once it has ended; None when it has not by then."""
    eventually(lambda: live.process.poll() is not None, seconds)
    return live.process.poll()


def half_sent(live: Live) -> Wire:
    """An upload that the server has begun to receive, and a second half to come."""
    wire = Wire(live).send(upload_head(len(BODY), authorization(live)), BODY[: len(BODY) // 2])
    assert eventually(lambda: left(live)["open"])
    return wire


# --- One process


def test_what_is_under_way_is_finished_and_nothing_new_is_begun(start: Callable[..., Live]) -> None:
    """C19: SIGTERM: a half-sent upload is answered 200 while new connections are refused and /readyz says 503."""
    live = start()
    with half_sent(live) as upload, Wire(live).send(READY) as probe:
        assert probe.answer().status == 200
        live.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: refuses_connections(live))
        answer = probe.send(READY).answer()
        assert (answer.status, answer.json["checks"]["not_draining"]) == (503, False)
        assert probe.ended()
        assert upload.send(BODY[len(BODY) // 2 :]).answer().status == 200
        assert upload.ended()
    assert exit_code(live) == 0
    assert stored(live)[0] == len(stored(live)[1]) == 1


def test_what_is_not_finished_in_time_leaves_nothing(start: Callable[..., Live]) -> None:
    """C19: DRAIN_SECONDS later the process has gone, and with it the half of an upload; the log has its 499."""
    live = start(DRAIN_SECONDS="1")
    with half_sent(live):
        began = time.monotonic()
        live.process.send_signal(signal.SIGTERM)
        assert exit_code(live) == 0
        assert 0.9 < time.monotonic() - began < 10
    assert stored(live) == (0, [])
    assert [line["status"] for line in requests_logged(live)][-1] == 499


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_stops_at_once(start: Callable[..., Live], how: signal.Signals) -> None:
    """C19: whatever connections are open, kept alive, silent or with half a header."""
    live = start()
    with Wire(live).send(READY) as kept, Wire(live), Wire(live).send(READY[:20]):
        assert kept.answer().status == 200
        live.process.send_signal(how)
        assert exit_code(live, 10) == 0


def test_a_second_ctrl_c_ends_at_once(start: Callable[..., Live]) -> None:
    """C19: the first one drains, and SIGTERM does not hurry it; nothing is left."""
    live = start()
    with half_sent(live), Wire(live).send(READY) as probe:
        assert probe.answer().status == 200
        for number in (signal.SIGINT, signal.SIGTERM):
            live.process.send_signal(number)
        assert eventually(lambda: refuses_connections(live))
        assert probe.send(READY).answer().status == 503
        live.process.send_signal(signal.SIGINT)
        assert exit_code(live, 10) == 0
    assert stored(live) == (0, [])


def test_a_download_under_way_is_finished(start: Callable[..., Live]) -> None:
    """C19: to its last byte, for a reader who takes his time."""
    live, content = start(), PDF.ljust(10_000_000, b"x")
    headers = live.login()
    file = json.loads(live.upload(headers, part(content=content))[2])["files"][0]
    request = head(f"GET /api/documents/{file['id']}/content HTTP/1.1", f"Authorization: {headers['Authorization']}")
    with Wire(live, receive_buffer=4096).send(request) as wire:
        assert wire.answer(has_body=False).status == 200
        live.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: refuses_connections(live))
        assert wire.read(len(content)) == content
    assert exit_code(live) == 0


def test_uploads_that_wait_for_a_thread_when_time_is_up_leave_nothing(start: Callable[..., Live]) -> None:
    """C19: received whole, but never begun, because the database was locked."""
    live = start(THREADS="2", DRAIN_SECONDS="2")
    line = authorization(live)
    with closing(sqlite3.connect(live.instance / "app.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        wires = [Wire(live).send(upload_head(len(BODY), line), BODY[:-10]) for _ in range(6)]
        assert eventually(lambda: len(stored(live)[1]) == len(wires))
        for wire in wires:
            wire.send(BODY[-10:])
        live.process.send_signal(signal.SIGTERM)
        assert exit_code(live) == 0
        for wire in wires:
            wire.close()
    assert stored(live) == (0, [])


def test_under_load_every_upload_is_answered_and_stored_or_neither(start: Callable[..., Live]) -> None:
    """C19: four clients, a SIGTERM: as many rows and files as answers 200, and no 5xx."""
    live = start()
    statuses = under_load(live, lambda: live.process.send_signal(signal.SIGTERM))
    assert exit_code(live) == 0
    assert set(statuses) == {200}
    rows, files = stored(live)
    assert len(statuses) == rows == len(files)


def under_load(live: Live, event: Callable[[], Any], until: int = 0) -> list[int]:
    """Upload from four clients while `event` happens, until refused or `until` answers later; return the statuses."""
    headers, statuses, stop = live.login(), [], threading.Event()

    def client() -> None:
        while not stop.is_set():
            try:
                statuses.append(live.upload(headers, part(content=PDF + b"x" * 50_000))[0])
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException):  # it was being served by what has been killed
                continue

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    assert eventually(lambda: len(statuses) > 20)
    event()
    target = len(statuses) + until
    if until:
        assert eventually(lambda: len(statuses) >= target, 20)
        stop.set()
    for thread in clients:
        thread.join()
    return statuses


# --- Several processes


def children(pid: int) -> list[int]:
    """The processes whose parent it is, oldest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append((int(fields[19]), int(stat.parent.name)))
    return [child for _, child in sorted(found)]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Every thread of the process stands still: the one that takes the signal stops the others, and may be late."""
    os.kill(pid, signal.SIGSTOP)
    try:
        assert eventually(lambda: all(state_of(task) == "T" for task in Path(f"/proc/{pid}/task").iterdir()))
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def state_of(process: Path) -> str:
    return (process / "stat").read_text().rpartition(")")[2].split()[0]


def answers_alone(live: Live, other: int) -> bool:
    """Does the service answer while the worker `other` stands still?"""
    with standing_still(other):
        return all(live.request("GET", "/healthz")[0] == 200 for _ in range(3))


@contextmanager
def two_workers(folder: Path) -> Iterator[Live]:
    """A service of two workers, both up; whatever is left of it is killed."""
    live = start_live(folder, WORKERS="2")
    assert eventually(lambda: len(children(live.process.pid)) == 2, 30)
    workers = children(live.process.pid)
    assert eventually(lambda: all(handles_sigterm(worker) for worker in workers), 30)
    yield live
    workers += children(live.process.pid)
    live.stop(signal.SIGKILL)
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One service of two workers for the tests that leave it running."""
    with two_workers(tmp_path_factory.mktemp("pair")) as live:
        yield live


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Live]:
    """A service of two workers that the test ends."""
    with two_workers(tmp_path) as live:
        yield live


def handles_sigterm(pid: int) -> bool:
    """Has the worker got as far as to drain when it is asked to stop?"""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_both_workers_answer_on_the_one_port(pair: Live) -> None:
    """WORKERS=2: each when the other stands still."""
    workers = children(pair.process.pid)
    assert [answers_alone(pair, worker) for worker in workers] == [True, True]
    assert pair.upload(pair.login())[0] == 200


def test_a_dead_worker_is_replaced_later_each_time_and_migrates_nothing(pair: Live) -> None:
    """WORKERS=2: with backoff; only the supervisor migrates: the new ones start while the lock is held."""
    with (pair.instance / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for delay in (1, 2):
            kill_newest(pair)
            died = time.monotonic()
            assert pair.request("GET", "/healthz")[0] == 200
            assert eventually(lambda: len(children(pair.process.pid)) == 2, 20)
            assert time.monotonic() - died > delay - 0.5
            assert eventually(lambda: all(handles_sigterm(worker) for worker in children(pair.process.pid)), 20)
        oldest, _newest = children(pair.process.pid)
        assert answers_alone(pair, oldest)
    assert [line["delay"] for line in pair.lines if line["message"] == "worker_died"] == [1, 2]
    assert len([line for line in pair.log.read_text().splitlines() if line.startswith("First account")]) == 1


def kill_newest(live: Live) -> None:
    victim = children(live.process.pid)[-1]
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: not is_running(victim))


def test_uploads_to_the_others_survive_a_workers_death(pair: Live) -> None:
    """WORKERS=2: no 5xx; every 200 is stored, and every row has its bytes."""
    victim = children(pair.process.pid)[0]
    statuses = under_load(pair, lambda: os.kill(victim, signal.SIGKILL), until=50)
    assert set(statuses) == {200}
    assert stored(pair)[0] >= len(statuses)
    checked = pair.flask("verify")
    assert (checked.returncode, checked.stdout) == (0, f"{stored(pair)[0]} documents, 0 damaged.\n")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stopping_the_supervisor_lets_every_worker_finish(mortal: Live, how: signal.Signals) -> None:
    """C19: half-sent uploads on both are answered, then all processes are gone and the port is free."""
    workers = children(mortal.process.pid)
    uploads = [half_sent_to(mortal, worker, other) for worker, other in (workers, workers[::-1])]
    mortal.process.send_signal(how)
    assert eventually(lambda: refuses_connections(mortal))
    for upload in uploads:
        with upload:
            assert upload.send(BODY[len(BODY) // 2 :]).answer().status == 200
    assert exit_code(mortal) == 0
    assert not any(is_running(worker) for worker in workers)
    assert stored(mortal)[0] == len(stored(mortal)[1]) == 2


def half_sent_to(live: Live, worker: int, other: int) -> Wire:
    """Half an upload, received by this worker, because the other stood still."""
    with standing_still(other):
        wire = Wire(live).send(upload_head(len(BODY), authorization(live)), BODY[: len(BODY) // 2])
        assert eventually(lambda: open_files(worker))
    return wire


def test_workers_do_not_outlive_a_killed_supervisor(mortal: Live) -> None:
    """WORKERS=2: no orphan keeps the port after kill -9, so that the service can be started again."""
    workers = children(mortal.process.pid)
    mortal.process.kill()
    mortal.process.wait()
    assert eventually(lambda: not any(is_running(worker) for worker in workers), 15)
    assert refuses_connections(mortal)


def test_a_supervisor_whose_worker_has_died_still_stops(mortal: Live) -> None:
    """C19: the missing one is not waited for, and not started again."""
    workers = children(mortal.process.pid)
    os.kill(workers[0], signal.SIGKILL)
    assert eventually(lambda: not is_running(workers[0]))
    mortal.process.send_signal(signal.SIGTERM)
    assert exit_code(mortal) == 0
    assert not is_running(workers[1])


def test_workers_stop_whose_supervisor_was_killed_while_they_started(tmp_path: Path) -> None:
    """WORKERS=2: a worker knows whom to stop with from its first moment on, not from its first look."""
    live = start_live(tmp_path, wait=False, WORKERS="2")
    assert eventually(lambda: len(children(live.process.pid)) == 2, 30)
    workers = children(live.process.pid)
    live.process.kill()
    live.process.wait()
    assert eventually(lambda: not any(is_running(worker) for worker in workers), 30)

"""Slow, absent and vanishing clients: what they may hold, for how long, and what is left when they are gone."""

import resource
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import cpu_seconds, eventually
from tests.support.engines import Live, answers, tuned
from tests.support.traces import left, requests_logged
from tests.support.wire import CHUNKED, UPLOAD, Wire, authorization, head, upload_head

pytestmark = pytest.mark.alone

BODY = multipart(part(content=PDF + b"x" * 200_000))


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose deadlines are a second or a few."""
    constants = {"HEADER_SECONDS": 1, "GRACE": 1, "LINGER_SECONDS": 2, "LINGER_IDLE": 1, "IDLE_SECONDS": 3}
    with tuned(tmp_path_factory.mktemp("hasty"), **constants) as live:
        yield live


def seconds_until_closed(wire: Wire, piece: bytes = b"", pause: float = 0.1, limit: float = 45) -> float:
    """Send `piece` again and again until the server has closed the connection."""
    start = time.monotonic()
    while time.monotonic() - start < limit:
        try:
            wire.socket.sendall(piece)
            if select.select([wire.socket], [], [], pause)[0] and not wire.socket.recv(65536):
                break
        except OSError:
            break
    return time.monotonic() - start


@contextmanager
def many(live: Live, count: int, data: bytes) -> Iterator[list[Wire]]:
    """So many connections, each of which has sent `data`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    with ExitStack() as stack:
        yield [stack.enter_context(Wire(live).send(data)) for _ in range(count)]


def is_idle(live: Live) -> bool:
    """Does the process take next to no processor time over a second, once what it does is done?"""

    def over_a_second() -> float:
        before = cpu_seconds(live.process.pid)
        time.sleep(1)
        return cpu_seconds(live.process.pid) - before

    return eventually(lambda: over_a_second() < 0.1, 15)


# --- Headers


STALLS = {
    "silence": (b"", b""),
    "half a header": (b"GET / HTTP/1.1\r\nHost: loc", b""),
    "a header a byte at a time": (b"GET / HTTP/1.1\r\nX: ", b"x"),
    "no end of the header": (head("GET / HTTP/1.1")[:-2], b""),
    "line feeds alone": (b"GET / HTTP/1.1\nHost: localhost\n\n", b""),
    "the second request": (head("GET /healthz HTTP/1.1") + b"GET / HTT", b"x"),
    "blank lines": (b"", b"\r\n\r\n"),
}


@pytest.mark.parametrize(("first", "then"), STALLS.values(), ids=STALLS)
def test_headers_that_do_not_come_are_not_waited_for(hasty: Live, first: bytes, then: bytes) -> None:
    """C11: closed at the deadline, however busy the client keeps itself."""
    with Wire(hasty).send(first) as wire:
        assert seconds_until_closed(wire, then, limit=12) < 10


def test_the_deadline_for_headers_is_ten_seconds(live: Live) -> None:
    """C11: the real one, for a silent client and for a slow one."""
    answers(live)
    with Wire(live) as silent, Wire(live).send(b"GET / HTTP/1.1\r\nX: ") as slow:
        assert 9 < seconds_until_closed(slow, b"x", 0.5) < 20
        assert seconds_until_closed(silent) < 5


def test_an_idle_connection_is_closed_but_not_at_once(hasty: Live) -> None:
    """C11: kept-alive connections outlive the deadline for headers."""
    with Wire(hasty).send(head("GET /healthz HTTP/1.1")) as wire:
        assert wire.answer().status == 200
        assert 2 < seconds_until_closed(wire) < 40


def test_half_open_connections_up_to_the_limit_hold_up_nobody_for_long(tmp_path: Path) -> None:
    """C10: five more than there is room for; the next request is served when their time is up."""
    with tuned(tmp_path, HEADER_SECONDS=3) as live:
        start = time.monotonic()
        with many(live, 1005, b"GET / HTTP/1.1\r\nHost: loc"):
            opened = time.monotonic()
            assert live.request("GET", "/healthz")[0] == 200
            assert time.monotonic() - opened < 3 + 5 + (opened - start)


def test_more_than_a_thousand_connections_work(tmp_path: Path) -> None:
    """C12: select() would end at descriptor 1023."""
    with tuned(tmp_path, HEADER_SECONDS=60, CONNECTIONS=2000) as live:
        with many(live, 1100, b"GET / HTTP/1.1\r\nHost: loc"):
            assert live.upload(live.login())[0] == 200
            assert max(int(fd.name) for fd in Path(f"/proc/{live.process.pid}/fd").iterdir()) > 1023
        assert is_idle(live)


# --- Bodies


def test_a_body_below_ten_kilobytes_a_second_is_given_up(hasty: Live) -> None:
    """C11: after the grace; one line with 408, what came, and who sent it; nothing is left."""
    line, before = authorization(hasty), left(hasty)
    with Wire(hasty).send(upload_head(len(BODY), line), BODY[:5000]) as wire:
        assert 0.9 < seconds_until_closed(wire, b"x" * 300) < 10
    assert eventually(lambda: requests_logged(hasty)[-1]["status"] == 408)
    entry = requests_logged(hasty)[-1]
    assert (entry["method"], entry["route"], entry["user_id"]) == ("POST", "/api/upload", 1)
    assert 5000 <= entry["bytes_in"] < 30_000
    assert left(hasty) == before


@pytest.mark.parametrize("start_line", ["POST /api/auth/login HTTP/1.1", UPLOAD])
@pytest.mark.parametrize("framing", ["Content-Length: 1000", CHUNKED])
def test_a_body_that_stalls_is_given_up(hasty: Live, start_line: str, framing: str) -> None:
    """C11: whoever sends it, and whatever it was to be."""
    with Wire(hasty).send(head(start_line, framing), b"1\r\n") as wire:
        assert seconds_until_closed(wire) < 10


def test_a_body_at_twenty_kilobytes_a_second_is_stored(hasty: Live) -> None:
    """C11: slow is not too slow, and the grace is no deadline."""
    body = BODY[:60_000] + BODY[-100:]
    with Wire(hasty).send(upload_head(len(body), authorization(hasty))) as wire:
        began = time.monotonic()
        for at in range(0, len(body), 4000):
            wire.send(body[at : at + 4000])
            time.sleep(
                max(0, began + (at + 4000) / 20_000 - time.monotonic())
            )  # what the machine was late is made up for
        assert wire.answer().status == 200


def test_a_refused_client_that_sends_on_slowly_is_cut_off(hasty: Live) -> None:
    """C11: the answer can be read for a while, not for ever."""
    with Wire(hasty).send(upload_head(10**8)) as wire:
        assert wire.answer().status == 401
        assert wire.ended()
        assert eventually(lambda: is_broken(wire, b"x" * 100), 10)
    assert is_idle(hasty)


def is_broken(wire: Wire, piece: bytes) -> bool:
    time.sleep(0.1)
    try:
        wire.socket.sendall(piece)
    except OSError:
        return True
    return False


# --- Clients that go away


POINTS = [0, 10, 150, 5000, 60_000, len(BODY) // 2, len(BODY) - 30, len(BODY) - 1]


def test_an_upload_that_is_broken_off_leaves_one_line_and_nothing_else(live: Live) -> None:
    """C15: twenty times at different points: no row, file or descriptor; 499 with the bytes received and the user."""
    line, before, sent = authorization(live), left(live), []
    already = len(requests_logged(live))
    for i in range(20):
        at = POINTS[i % len(POINTS)]
        with Wire(live).send(upload_head(len(BODY), line), BODY[:at]):
            sent.append(at)
        assert eventually(lambda: len(requests_logged(live)) == already + len(sent)), sent
    lines = requests_logged(live)[already:]
    assert [(line["status"], line["bytes_in"], line["user_id"], line["route"]) for line in lines] == [
        (499, at, 1, "/api/upload") for at in sent
    ]
    assert eventually(lambda: left(live) == before)


def test_the_line_of_a_put_that_is_broken_off_does_not_name_the_file(live: Live) -> None:
    """C15: its address does; the line has the route."""
    already = len(requests_logged(live))
    with Wire(live).send(head("PUT /api/upload/secret.pdf HTTP/1.1", authorization(live), "Content-Length: 99"), PDF):
        pass
    assert eventually(lambda: len(requests_logged(live)) > already + 1)
    line = requests_logged(live)[-1]
    assert (line["status"], line["route"]) == (499, "/api/upload/<rest:filename>")
    assert "secret" not in live.log.read_text()


@pytest.mark.parametrize("framing", [f"Content-Length: {len(BODY)}", CHUNKED])
def test_an_upload_that_is_reset_leaves_one_line_and_nothing_else(live: Live, framing: str) -> None:
    """C15: as above for a connection that dies instead of ending, in either framing."""
    line, before, already = authorization(live), left(live), len(requests_logged(live))
    for _ in range(20):
        with Wire(live).send(head(UPLOAD, framing, f"Content-Type: {CONTENT_TYPE}", line)) as wire:
            wire.send(b"%x\r\n" % len(BODY) if framing == CHUNKED else b"", BODY[:150_000])
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert eventually(lambda: len(requests_logged(live)) >= already + 20)
    assert {line["status"] for line in requests_logged(live)[already + 1 :]} == {499}
    assert eventually(lambda: left(live) == before)


def test_a_client_that_goes_before_its_answer_gets_nothing_stored(live: Live) -> None:
    """C16: seen between files; what was published already is taken back."""
    body, line, before = multipart(*[part()] * 20), authorization(live), left(live)
    for _ in range(5):
        already = len(requests_logged(live))
        Wire(live).send(upload_head(len(body), line), body).close()
        assert eventually(lambda already=already: len(requests_logged(live)) > already)
        gone = requests_logged(live)[already:]
        assert [(line["status"], line["user_id"]) for line in gone] == [(499, 1)]
    assert eventually(lambda: left(live) == before)


# --- Strangers in numbers


def test_slow_strangers_in_numbers_keep_nobody_out(live: Live) -> None:
    """C10: 300 half-open sockets and 200 uploads at 1 kB/s: people sign in and upload 10 MB, and then all is quiet."""
    strangers_upload = upload_head(10**8)
    stop, ticks = threading.Event(), threading.Semaphore(0)
    with many(live, 300, b"POST /api/upload HTTP/1.1\r\nHost: l"), many(live, 200, strangers_upload) as senders:

        def trickle() -> None:
            while not stop.wait(1):
                for sender in senders:
                    with suppress(OSError):
                        sender.socket.sendall(b"x" * 1000)
                ticks.release()

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            for _ in range(3):
                assert ticks.acquire(timeout=20)
                assert live.upload(live.login(), part(content=PDF.ljust(10_000_000, b"x")))[0] == 200
        finally:
            stop.set()
            thread.join()
    assert is_idle(live)


def test_connections_that_come_and_go_leave_the_service_idle(live: Live) -> None:
    """CVE-2024-49769: 500 connections closed at once, cleanly and by reset, before and after a byte."""
    fds = Path(f"/proc/{live.process.pid}/fd")
    assert eventually(lambda: answers(live))
    before = len(list(fds.iterdir()))
    for i in range(500):
        with Wire(live) as wire:
            if i % 2:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.send(b"GET / HTTP/1.1\r\n"[: i % 16])
    assert eventually(lambda: len(list(fds.iterdir())) <= before + 1)
    assert is_idle(live)


def test_urgent_data_is_no_way_to_keep_the_service_busy(live: Live) -> None:
    """C11: TCP's urgent mark means nothing in HTTP; the loop does not turn and the log does not grow for it."""
    assert eventually(lambda: answers(live))
    before = live.log.stat().st_size
    with Wire(live) as silent, Wire(live).send(b"GET / HTT") as slow:
        for wire in (silent, slow):
            wire.socket.send(b"x", socket.MSG_OOB)
        assert is_idle(live)
    assert live.log.stat().st_size - before < 10_000

"""Strangers who want the service for themselves: what they can cost everybody else, over raw sockets."""

import http.client
import resource
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httptools
import pytest

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import YARDSTICK, cpu_seconds, eventually, measured_work
from tests.support.engines import Live, answers, start_live, tuned
from tests.support.stack import staged
from tests.support.traces import left, open_files, requests_logged
from tests.support.wire import CHUNKED, UPLOAD, Wire, authorization, chunk, head, is_refusal, upload_head
from tests.test_deadlines import is_idle, many

pytestmark = pytest.mark.alone

ELSEWHERE = "127.0.0.2"  # where the visitor comes from; strangers come from 127.0.0.1
PATIENCE = 0.5  # seconds a visitor may wait; on a quiet server he waits 3 ms, and before the mends he waited 2 to 30 s
HEALTH = head("GET /healthz HTTP/1.1")


class Visitor(threading.Thread):
    """Asks `GET /healthz` from another address, on a fresh connection ten times a second; notes how long it took."""

    def __init__(self, live: Live) -> None:
        super().__init__(daemon=True)
        self._live = live
        self._stop_asking = threading.Event()
        self.waits: list[float] = []
        self.statuses: set[int] = set()

    def run(self) -> None:
        while not self._stop_asking.wait(0.1):
            start = time.monotonic()
            self.statuses.add(self.ask())
            self.waits.append(time.monotonic() - start)

    def ask(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._live.port, timeout=20, source_address=(ELSEWHERE, 0))
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def longest_wait(self) -> float:
        """Stop asking; every answer was 200, and the slowest came after so many seconds."""
        self._stop_asking.set()
        self.join()
        assert (self.statuses, len(self.waits) > 3) == ({200}, True)
        return max(self.waits)


@contextmanager
def visited(live: Live, patience: float = PATIENCE) -> Iterator[Visitor]:
    """What happens inside does not keep a visitor waiting longer."""
    visitor = Visitor(live)
    visitor.start()
    assert eventually(lambda: visitor.waits)
    yield visitor
    assert eventually(lambda: len(visitor.waits) > 5)
    begun = time.monotonic()
    measured_work()  # what company this machine has at the moment, of which the server knows nothing
    slowness = max(1, (time.monotonic() - begun) / YARDSTICK)
    longest = visitor.longest_wait()
    assert longest < patience * slowness, (longest, slowness)


def descriptors(live: Live) -> int:
    return len(list(Path(f"/proc/{live.process.pid}/fd").iterdir()))


def connections(live: Live) -> int:
    """How many connections the server still holds: open, or closed by the other side only (proc_pid_net(5))."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[1].endswith(f":{live.port:04X}") and row[3] in {"01", "08"} for row in rows)


def errors(live: Live) -> list[dict[str, Any]]:
    return [line for line in live.lines if line["level"] == "ERROR"]


@pytest.fixture(scope="module")
def alice(live: Live) -> str:
    return authorization(live)


# --- Headers that are dear to read (K1)


ROOM = 15_500  # bytes: with a token beside them just below what a header block may have


def filled(start: str, pattern: str, end: str = "") -> str:
    """As many of `pattern` as there is room for."""
    return start + pattern * ((ROOM - len(start) - len(end)) // len(pattern)) + end


LINES = {
    "digits": filled("GET http://", "0", " x y"),
    "brackets": filled("GET http://", "[", "/ HTTP/1.1"),
    "ats": filled("GET http://", "a@", "/ HTTP/1.1"),
    "labels": filled("GET http://", "a.", "/ HTTP/1.1"),
    "slashes": filled("GET /", "/", " HTTP/1.1"),
    "dots": filled("GET /", "../", " HTTP/1.1"),
    "percents": filled("GET /", "%", " HTTP/1.1"),
    "escapes": filled("GET /", "%2f", " HTTP/1.1"),
    "bad UTF-8": filled("GET /", "%ff", " HTTP/1.1"),
    "folders": filled("GET /api/documents/", "a/", " HTTP/1.1"),
    "an archive of 500": "GET /api/documents/zip?" + "&".join(["id=" + "0" * 32] * 500) + " HTTP/1.1",
    "arguments": filled("GET /api/documents?", "limit&", " HTTP/1.1"),
    "blanks": filled("GET ", " ", "/ HTTP/1.1"),
    "a method": filled("", "A", " / HTTP/1.1"),
}
FIELDS = {
    "blanks and a NUL": filled("X:", " ", "\0"),
    "blanks between": filled("X: a", " ", "b"),
    "tabs": filled("X:", "\t ", "x"),
    "a name": filled("", "x-", ": y"),
    "no colon": filled("", "x"),
    "colons": filled("X", ":"),
    "lines": "\r\n".join(["a:"] * 99),
    "one name": "\r\n".join(["Accept: " + "a/b;q=1," * 20] * 95),
    "many lines": "\r\n".join(["a:"] * 3900),
    "Cookie: quotes": filled("Cookie: token=", '"\\'),
    "Cookie: semicolons": filled("Cookie: ", ";"),
    "Cookie: blanks": filled("Cookie: a", " ", "="),
    "Cookie: many": filled("Cookie: ", "a=b; "),
    "Cookie: octal": filled('Cookie: a="', "\\101", '"'),
    "Cookie: dots": filled("Cookie: token=", "a."),
    "Range: ranges": filled("Range: bytes=", "0-,", "0-"),
    "Range: digits": filled("Range: bytes=", "9"),
    "Range: blanks": filled("Range: bytes", " ", "=0-1"),
    "If-None-Match: tags": filled("If-None-Match: ", '"a",'),
    "If-None-Match: quotes": filled("If-None-Match: ", '"'),
    "If-None-Match: weak": filled("If-None-Match: ", "W/"),
    "If-Range": filled("If-Range: ", 'W/"'),
    "If-Modified-Since": filled("If-Modified-Since: Mon, 01 Jan ", "0 "),
    "Accept": filled("Accept: ", "a/b;q=1,"),
    "Accept: semicolons": filled("Accept: a/b", ";"),
    "Accept: quotes": filled("Accept: ", '";='),
    "Accept-Language": filled("Accept-Language: ", "a-"),
    "Accept-Encoding": filled("Accept-Encoding: ", "gzip;q=,"),
    "Content-Type: quotes": filled('Content-Type: multipart/form-data; boundary="', '\\"'),
    "Content-Type: options": filled("Content-Type: multipart/form-data", "; boundary=x"),
    "Content-Type: stars": filled("Content-Type: multipart/form-data", "; boundary*0=x"),
    "Content-Type: blanks": filled("Content-Type: multipart/form-data;", " ", "boundary"),
    "Content-Length: noughts": filled("Content-Length: ", "0"),
    "Content-Length: nines": filled("Content-Length: ", "9"),
    "Transfer-Encoding": filled("Transfer-Encoding: ", "chunked,"),
    "Authorization: dots": filled("Authorization: Bearer ", "a."),
    "Authorization: blanks": filled("Authorization: Bearer", " ", "a"),
    "Authorization: Basic": filled("Authorization: Basic ", "="),
    "Authorization: members": filled("Authorization: ", ", ,"),
    "Authorization: commas": filled("Authorization: ", ",", "a"),
    "Authorization: Digest": filled("Authorization: Digest ", 'a="b",'),
    "X-Forwarded-For: addresses": filled("X-Forwarded-For: ", "1.1.1.1,"),
    "X-Forwarded-For: quotes": filled("X-Forwarded-For: ", '"'),
    "X-Forwarded-Proto": filled("X-Forwarded-Proto: ", "http,"),
    "Forwarded": filled("Forwarded: ", "for=a;"),
    "Upgrade": "\r\n".join(["Upgrade: h2c"] * 98),
    "Connection": filled("Connection: ", "a,"),
    "Expect": filled("Expect: ", "100-"),
    "Origin": filled("Origin: http://", "a."),
    "Sec-Fetch-Site": filled("Sec-Fetch-Site: ", "none,"),
    "X-CSRF-Token": filled("X-CSRF-Token: ", "\xe9"),
    "X-Request-ID": filled("X-Request-ID: ", "a"),
    "Idempotency-Key": filled("Idempotency-Key: ", "a."),
    "User-Agent": filled("User-Agent: ", "(Mozilla/"),
}
LINES |= {f"a Host of {mark}": "GET / HTTP/1.1\r\n" + filled("Host: ", mark) for mark in ("a.", ":", "[", "@")}


def requests_with(field: str, token: str) -> list[bytes]:
    """Requests for a file, for what needs a token, and for an upload that passes the gate, with one field more."""
    return [
        head("GET /css/base.css HTTP/1.1", field),
        head("GET /api/documents HTTP/1.1", field),
        head(UPLOAD, field, token, "Content-Length: 5") + b"hello",
    ]


def requests_of(line: str) -> list[bytes]:
    return [f"{line}\r\n{'' if 'Host:' in line else 'Host: localhost'}\r\n\r\n".encode()]


AGAIN = 20  # times, for a clock that ticks every 10 ms


def cost(live: Live, requests: list[bytes]) -> float:
    """The CPU seconds of a request, which is answered below 500 but 501, each on a connection of its own."""
    before = cpu_seconds(live.process.pid)
    for data in requests * AGAIN:
        with Wire(live).send(data) as wire:
            status = wire.answer().status
            assert status < 500 or status == 501, data[:80]
    return (cpu_seconds(live.process.pid) - before) / len(requests) / AGAIN


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that reads what its proxy forwards."""
    running = start_live(tmp_path_factory.mktemp("proxied"), TRUSTED_PROXY="127.0.0.1")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def token(proxied: Live) -> str:
    return authorization(proxied)


@pytest.fixture(scope="module")
def plain(proxied: Live, token: str) -> float:
    """What a harmless request of the same size costs; at least a tick of the clock, spread."""
    return max(cost(proxied, requests_with(filled("X-Filler: ", "x"), token)), 0.01 / AGAIN)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_no_request_line_is_dear(proxied: Live, plain: float, line: str) -> None:
    """K1: 16 KiB of it are answered or refused, for at most some times the CPU of harmless ones."""
    assert cost(proxied, requests_of(line)) < 8 * plain


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_no_header_is_dear(proxied: Live, plain: float, token: str, field: str) -> None:
    """K1: 16 KiB of any are answered or refused, for at most some times the CPU of harmless ones."""
    assert cost(proxied, requests_with(field, token)) < 8 * plain


def test_dear_headers_keep_nobody_waiting(proxied: Live, token: str) -> None:
    """K1: all of them at once, from a stranger who does not wait for the answers."""
    requests = [requests_of(line) for line in LINES.values()]
    requests += [requests_with(field, token) for field in FIELDS.values()]
    with ExitStack() as stack, visited(proxied):
        for request in [request for some in requests for request in some]:
            stack.enter_context(Wire(proxied).send(request))
    assert errors(proxied) == []


# --- Connections (K2)


def closed(wire: Wire, seconds: float = 5) -> bool:
    """Does the server close it in time, be it with a reset?"""
    wire.socket.settimeout(seconds)
    try:
        return wire.ended()
    except TimeoutError:
        return False
    except OSError:
        return True


def test_one_address_has_its_share_of_the_connections(live: Live) -> None:
    """K2: of 1 100 kept alive the longest idle make room; a visitor from another address is served all the while."""
    with visited(live, patience=2), many(live, 1100, HEALTH) as wires:
        assert wires[-1].answer().status == 200
        assert descriptors(live) < 500 + 50
        gone = [wires[0], wires[300], wires[599]]
        assert [wire.answer().status for wire in gone] == [200] * 3
        assert [closed(wire) for wire in gone] == [True] * 3
        for wire in (wires[600], wires[800]):
            assert [wire.answer().status, wire.send(HEALTH).answer().status] == [200] * 2


def test_who_uses_its_connections_keeps_them(start: Callable[..., Live]) -> None:
    """K2: of one address, that which has been idle longest is closed, and not the oldest."""
    live = start(ADDRESS_CONNECTIONS="4")
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(live)) for _ in range(4)]
        for wire in (*wires, wires[0]):
            assert wire.send(HEALTH).answer().status == 200
            time.sleep(0.05)
        with Wire(live).send(HEALTH) as newcomer:
            assert newcomer.answer().status == 200
            assert closed(wires[1])
            assert [wire.send(HEALTH).answer().status for wire in (wires[0], *wires[2:])] == [200] * 3


def test_an_upload_under_way_is_not_closed_for_a_newcomer(start: Callable[..., Live]) -> None:
    """K2: who has only busy connections gets no more of them; the uploads end well."""
    live = start(ADDRESS_CONNECTIONS="4")
    line, body = authorization(live), multipart(part(content=PDF.ljust(20_000)))
    assert eventually(lambda: connections(live) == 0)  # the sign-in's, which is busy until its end is seen
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(live).send(upload_head(len(body), line), body[:-1])) for _ in range(4)]
        assert eventually(lambda: len(left(live)["files"]) == 4)
        with Wire(live) as newcomer:
            assert closed(newcomer)
        assert Visitor(live).ask() == 200
        assert [wire.send(body[-1:]).answer().status for wire in wires] == [200] * 4


def test_behind_a_proxy_nobody_counts_its_connections(start: Callable[..., Live]) -> None:
    """K2: all come from its address; everybody else's are counted still."""
    live = start(TRUSTED_PROXY="127.0.0.1", ADDRESS_CONNECTIONS="4")
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(live)) for _ in range(20)]
        assert [wire.send(HEALTH).answer().status for wire in (*wires, *wires)] == [200] * 40
        others = [stack.enter_context(from_elsewhere(live)) for _ in range(6)]
        assert [ends(other) for other in others] == [True, True, False, False, False, False]


def ends(connection: socket.socket) -> bool:
    """Does it end, behind what has been answered?"""
    connection.settimeout(0.3)
    with suppress(TimeoutError):
        while connection.recv(65536):
            continue
        return True
    return False


def from_elsewhere(live: Live) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", live.port), timeout=10, source_address=(ELSEWHERE, 0))
    connection.sendall(HEALTH)
    received = connection.recv(12)
    assert received == b"HTTP/1.1 200", received
    return connection


def test_of_all_connections_the_longest_idle_makes_room(start: Callable[..., Live]) -> None:
    """K2: more than there is room for, all of one proxy: newcomers are served, and the oldest are gone."""
    live = start(TRUSTED_PROXY="127.0.0.1")
    with many(live, 1010, HEALTH) as wires:
        assert [wires[-1].answer().status, wires[-1].send(HEALTH).answer().status] == [200] * 2
        assert [wire.answer().status for wire in wires[:11]] == [200] * 11
        assert [closed(wire) for wire in wires[:10]] == [True] * 10
        assert wires[10].send(HEALTH).answer().status == 200


# --- Readers that do not read (K3)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that gives answers a second of grace, and not ten."""
    with tuned(tmp_path_factory.mktemp("hasty"), GRACE=1) as live:
        yield live


@pytest.fixture(scope="module")
def download(hasty: Live) -> bytes:
    """The request for a stored file of 10 MB."""
    line, body = authorization(hasty), multipart(part(content=PDF.ljust(10_000_000, b"x")))
    with Wire(hasty).send(upload_head(len(body), line), body) as wire:
        return head(f"GET /api/documents/{wire.answer().json['files'][0]['id']}/content HTTP/1.1", line)


def seconds_served(wire: Wire, size: int, pause: float, limit: float) -> float:
    """Read `size` bytes after every pause until the server has closed the connection, or `limit` is over."""
    start = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - start < limit and wire.socket.recv(size):
            time.sleep(pause)
    return time.monotonic() - start


@pytest.mark.parametrize("size", [0, 800], ids=["nothing", "4 kB a second"])
def test_a_reader_below_ten_kilobytes_a_second_is_given_up(hasty: Live, download: bytes, size: int) -> None:
    """K3: the connection ends and the file is closed, though the client is still there."""
    with Wire(hasty, receive_buffer=4096).send(download) as wire:
        assert wire.read(9) == b"HTTP/1.1 "
        assert eventually(lambda: open_files(hasty.process.pid))
        began = time.monotonic()
        while open_files(hasty.process.pid) and time.monotonic() - began < 15:
            if size:
                wire.socket.recv(size)
            time.sleep(0.2)
        assert 0.5 < time.monotonic() - began < 15
        assert open_files(hasty.process.pid) == []
    assert is_idle(hasty)


def test_a_reader_at_twenty_kilobytes_a_second_is_served(hasty: Live, download: bytes) -> None:
    """K3: slow is not too slow, with a small receive buffer too."""
    with Wire(hasty, receive_buffer=4096).send(download) as wire:
        assert seconds_served(wire, 4000, 0.2, limit=6) >= 6
        assert len(open_files(hasty.process.pid)) == 1
    assert eventually(lambda: open_files(hasty.process.pid) == [])


def test_pipelined_answers_that_nobody_reads_are_given_up(hasty: Live) -> None:
    """K3: small answers too, however many were asked for."""
    with Wire(hasty, receive_buffer=4096) as wire:
        flood(wire, head("GET /css/base.css HTTP/1.1") * 8000)
        assert not was_reset(wire)
        assert eventually(lambda: was_reset(wire), 20)


def was_reset(wire: Wire) -> bool:
    poll = select.poll()
    poll.register(wire.socket, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def flood(wire: Wire, data: bytes) -> None:
    """Send as much as goes without reading an answer."""
    wire.socket.settimeout(1)
    with suppress(OSError):
        wire.socket.sendall(data)


# --- Requests in one breath (K4, K5, K6)


def test_answers_that_are_never_read_hold_no_descriptors(live: Live) -> None:
    """K4: 400 kB of requests on each of ten connections: one answer at a time, and nobody waits."""
    before, size = descriptors(live), live.log.stat().st_size
    with visited(live), ExitStack() as stack:
        wires = [stack.enter_context(Wire(live, receive_buffer=4096)) for _ in range(10)]
        for wire in wires:
            flood(wire, head("GET /css/base.css HTTP/1.1") * 8000)
        assert descriptors(live) < before + 100
    assert errors(live) == []
    assert live.log.stat().st_size - size < 3_000_000


def test_without_descriptors_the_server_pauses_and_says_so_once(start: Callable[..., Live]) -> None:
    """K4: it waits without turning, serves those it has, and everybody when there are some again."""
    live = start()
    assert eventually(lambda: answers(live))
    limit = descriptors(live) + 20
    resource.prlimit(live.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
    with many(live, 60, b"") as wires:
        assert eventually(lambda: errors(live))
        assert is_idle(live)
        assert wires[0].send(HEALTH).answer().status == 200
        time.sleep(1.5)
    assert [(line["message"], line["connections"] > 10) for line in errors(live)] == [("out_of_descriptors", True)]
    assert eventually(lambda: answers(live))
    assert live.upload(live.login())[0] == 200


def test_packets_full_of_requests_keep_nobody_waiting(live: Live) -> None:
    """K5: two thousand requests in each of forty packets: one at a time is read, and the rest are bytes."""
    packet = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 1900
    resident = memory(live)
    with visited(live) as visitor, ExitStack() as stack:
        for wire in [stack.enter_context(Wire(live, receive_buffer=4096)) for _ in range(40)]:
            flood(wire, packet)
        assert eventually(lambda: len(visitor.waits) > 20)
        assert memory(live) - resident < 100_000_000
    assert is_idle(live)


def memory(live: Live) -> int:
    """Bytes that the process has in memory."""
    return int(Path(f"/proc/{live.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


LAST = {
    "Connection: close": head("GET /healthz HTTP/1.1", "Connection: close"),
    "HTTP/1.0": head("GET /healthz HTTP/1.0"),
    "a refused request": head("GET /healthz HTTP/1.1", "Host: other"),
    "a refused upload": upload_head(1_000_000),
    "a request with too much": head("POST /api/auth/login HTTP/1.1", "Content-Length: 100000"),
}
BEHIND = {
    "good": HEALTH * 500,
    "an upload": upload_head(len(multipart(part()))) + multipart(part()),
    "broken": b"\0\0\r\n\r\n" * 100,
    "half": HEALTH[:-2],
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
def test_what_follows_the_last_request_is_not_run(live: Live, last: bytes, behind: bytes) -> None:
    """K6: one answer and an end, one line in the log, and no exception, for ten clients at once."""
    before = len(requests_logged(live))
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(live).send(last + behind)) for _ in range(10)]
        statuses = {wire.answer().status for wire in wires}
        assert len(statuses) == 1
        assert [closed(wire) for wire in wires] == [True] * 10
    assert [line["status"] for line in requests_logged(live)[before:]] == [*statuses] * 10
    assert errors(live) == []


def test_requests_behind_one_whose_client_has_gone_are_not_run(live: Live) -> None:
    """K6: forty clients that send a hundred requests in one breath and leave at once."""
    before = len(requests_logged(live))
    for _ in range(40):
        Wire(live).send(HEALTH * 100).close()
    assert is_idle(live)
    assert {line["status"] for line in requests_logged(live)[before:]} <= {200, 499}
    assert errors(live) == []


# --- An account that wants everything (K8, K12)


FILES = multipart(*(part(filename=f"{number}.pdf", content=PDF.ljust(1000, b"x")) for number in range(20)))


def test_an_account_has_a_share_of_the_open_uploads(live: Live, alice: str) -> None:
    """K8: of 410 of 20 files each, 100 are received and 310 are 429; their descriptors are few."""
    before = left(live)
    with many(live, 410, upload_head(len(FILES), alice) + FILES[:-1]) as wires:
        assert eventually(lambda: len(left(live)["files"]) == len(before["files"]) + 2000, 30)
        assert descriptors(live) < 1000
        assert {is_refusal(wire.answer(), 429) for wire in wires[100:]} == {True}
        assert Visitor(live).ask() == 200
        for wire in wires[:10]:
            assert wire.send(FILES[-1:]).answer().status == 200
    assert eventually(lambda: len(left(live)["files"]) == len(before["files"]) + 200)
    assert left(live)["open"] == before["open"]


def test_a_place_comes_back_however_its_upload_ends(start: Callable[..., Live]) -> None:
    """K8: stored, refused at its end, refused on its way, or broken off."""
    live = start(USER_UPLOADS="3")
    line, body = authorization(live), multipart(part(content=PDF.ljust(20_000)))
    wrong = multipart(part(content=b"MZ" + bytes(20_000)))
    for _ in range(3):
        with ExitStack() as stack:
            held = [stack.enter_context(Wire(live).send(upload_head(len(body), line), body[:-30])) for _ in range(3)]
            assert eventually(lambda: len(staged(live)) == 3)
            with Wire(live).send(upload_head(len(body), line), body[:-30]) as fourth:
                assert is_refusal(fourth.answer(), 429)
            assert held[0].send(body[-30:]).answer().status == 200
            assert held[1].send(b"x" * 30).answer().status == 400
            with Wire(live).send(upload_head(len(wrong), line), wrong[:-1]) as refused:
                assert is_refusal(refused.answer(), 415)
        assert eventually(lambda: staged(live) == [])


def test_tiny_chunks_cost_little_more_than_large_ones(live: Live, alice: str) -> None:
    """K12: what chunks of 6 bytes cost more is at most 3 times what llhttp alone takes to read them; best of rounds."""
    body = multipart(part(content=PDF.ljust(4_000_000, b"x")))
    rounds = [[chunked_cost(live, alice, body, size) for size in (6, 60_000)] for _ in range(5)]
    tiny, large = (min(costs) for costs in zip(*rounds, strict=True))
    yardstick = min(bare_cost(body, 6) for _ in range(5))
    assert tiny - large <= 3 * yardstick, (rounds, yardstick)


class Sink:
    """What llhttp needs to hand over content."""

    def __init__(self) -> None:
        self.on_body = [].append


def bare_cost(body: bytes, size: int) -> float:
    """The CPU seconds of reading `body` in chunks of `size` with nothing around it."""
    data = b"".join(chunk(body[at : at + size]) for at in range(0, len(body), size))
    parser = httptools.HttpRequestParser(Sink())
    start = time.process_time()
    parser.feed_data(head(UPLOAD, CHUNKED) + data)
    return time.process_time() - start


def chunked_cost(live: Live, token: str, body: bytes, size: int) -> float:
    data = b"".join(chunk(body[at : at + size]) for at in range(0, len(body), size))
    before = cpu_seconds(live.process.pid)
    with Wire(live).send(head(UPLOAD, CHUNKED, f"Content-Type: {CONTENT_TYPE}", token), data, b"0\r\n\r\n") as wire:
        assert wire.answer().status == 200
    return cpu_seconds(live.process.pid) - before


# --- What llhttp would read otherwise than we do


WISH = ["Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"]


@pytest.mark.parametrize("name", ["Upgrade", "upgrade", "UPGRADE", "UPgrade"])
@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0", ""])
def test_a_wish_for_another_protocol_is_not_granted(live: Live, alice: str, name: str, protocol: str) -> None:
    """RFC 9110 §7.8: `curl --http2` sends one with its upload, which is stored, and the connection serves on."""
    body, wish = multipart(part(content=PDF.ljust(30_000))), [*WISH, f"{name}: {protocol}"]
    with Wire(live) as wire:
        assert wire.send(upload_head(len(body), alice, *wish), body, HEALTH).answer().status == 200
        assert wire.answer().status == 200
        wire.send(
            head(UPLOAD, CHUNKED, f"Content-Type: {CONTENT_TYPE}", alice, *wish), chunk(body), b"0\r\n\r\n", HEALTH
        )
        assert [wire.answer().status for _ in range(2)] == [200, 200]


def test_a_body_behind_a_wish_is_no_request(live: Live) -> None:
    """A request hidden in the body of one that asks for another protocol is never run."""
    before = len(requests_logged(live))
    lines = [*WISH, "Upgrade: h2c", f"Content-Length: {len(HEALTH)}"]
    with Wire(live).send(head("POST /api/auth/login HTTP/1.1", *lines), HEALTH) as wire:
        assert is_refusal(wire.answer(), 415)
        assert wire.send(HEALTH).answer().status == 200
    assert [line["status"] for line in requests_logged(live)[before:]] == [415, 200]


STRANGE = {
    "CONNECT": (head("CONNECT localhost:80 HTTP/1.1"), 501),
    "CONNECT with a body": (head("CONNECT localhost:80 HTTP/1.1", "Content-Length: 5") + b"hello", 501),
    "ICE": (head("SOURCE /healthz ICE/1.0"), 400),
    "ICE for GET": (head("GET /healthz ICE/1.0"), 400),
    "RTSP": (head("OPTIONS /healthz RTSP/1.0"), 400),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x00\xee\x01\x00\x00\xea\x03\x03\r\n\r\n", 400),
    "HTTP/1.2": (head("GET /healthz HTTP/1.2"), 400),
    "HTTP/01.1": (head("GET /healthz HTTP/01.1"), 400),
    "http/1.1": (head("GET /healthz http/1.1"), 400),
    "a fragment": (head("GET /healthz#a HTTP/1.1"), 400),
    "an absolute fragment": (head("GET http://localhost/healthz#a HTTP/1.1"), 400),
    "a fragment behind a query": (head("GET /healthz?a#b HTTP/1.1"), 400),
    "no slash": (head("GET healthz HTTP/1.1"), 400),
    "a port that is none": (head("GET http://localhost:99999/healthz HTTP/1.1"), 400),
    "a length of noughts": (head("GET /healthz HTTP/1.1", f"Content-Length: {'0' * 5000}"), 400),
}


@pytest.mark.parametrize(("data", "status"), STRANGE.values(), ids=STRANGE)
def test_what_is_not_our_protocol_is_refused(live: Live, data: bytes, status: int) -> None:
    """Once, readably, and nothing behind it is run."""
    with Wire(live).send(data + HEALTH) as wire:
        assert is_refusal(wire.answer(), status)
        assert closed(wire)
    assert errors(live) == []


@pytest.mark.parametrize("method", ["BREW", "DESCRIBE", "PROPFIND", "SOURCE"])
def test_a_method_of_others_is_answered_and_the_connection_serves_on(live: Live, method: str) -> None:
    """B8: whether llhttp knows it or not, it is the application that says 405."""
    with Wire(live).send(head(f"{method} /healthz HTTP/1.1")) as wire:
        assert is_refusal(wire.answer(), 405)
        assert wire.send(HEALTH).answer().status == 200


TARGETS = {
    "absolute": ("http://localhost/healthz", 200),
    "absolute, with a query": ("http://localhost/healthz?a=b", 200),
    "absolute, another host": ("http://example.org:8080/healthz", 200),
    "absolute, with a user": ("http://user:password@localhost/healthz", 200),
    "absolute, https": ("https://localhost/healthz", 200),
    "absolute, no path": ("http://localhost", 200),
    "absolute, a query and no path": ("http://localhost?a", 200),
    "asterisk": ("*", 404),
    "escaped": ("/%68ealthz", 200),
}


@pytest.mark.parametrize(("target", "status"), TARGETS.values(), ids=TARGETS)
def test_targets_are_read_in_every_form(live: Live, target: str, status: int) -> None:
    """RFC 9112 §3.2: and the connection serves on."""
    with Wire(live).send(head(f"GET {target} HTTP/1.1")) as wire:
        assert wire.answer().status == status
        assert wire.send(HEALTH).answer().status == 200


@pytest.mark.parametrize(("lines", "ends"), [([], True), (["Connection: keep-alive"], False)])
def test_http_1_0_is_kept_alive_only_where_it_asks(live: Live, lines: list[str], ends: bool) -> None:
    """RFC 9112 §9.3: with and without a Host, and an upload too."""
    for start in ([], ["Host: localhost"]):
        request = "\r\n".join(["GET /healthz HTTP/1.0", *start, *lines, "", ""]).encode()
        with Wire(live).send(request) as wire:
            assert wire.answer().status == 200
            if ends:
                assert closed(wire)
            else:
                assert wire.send(request).answer().status == 200


def test_http_1_0_uploads_and_is_told_nothing_in_between(live: Live, alice: str) -> None:
    """RFC 9110 §10.1.1: no 100 for HTTP/1.0."""
    body = multipart(part(content=PDF.ljust(30_000)))
    lines = [f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(body)}", alice, "Expect: 100-continue"]
    with Wire(live).send(head("POST /api/upload HTTP/1.0", *lines)) as wire:
        time.sleep(0.1)
        assert wire.send(body).answer().status == 200
        assert closed(wire)


def test_names_with_underscores_stand_for_nothing(proxied: Live) -> None:
    """CGI cannot tell them from dashes: they neither forge what a proxy sets, nor a length, nor a token."""
    before = len(requests_logged(proxied))
    lines = ["X_Forwarded_For: 6.6.6.6", "X-Forwarded_For: 6.6.6.6", "Content_Length: 10", "Transfer_Encoding: chunked"]
    with Wire(proxied).send(head("GET /healthz HTTP/1.1", *lines, "X-Forwarded-For: 7.7.7.7")) as wire:
        assert wire.answer().status == 200
        assert wire.send(HEALTH).answer().status == 200
    assert requests_logged(proxied)[before]["remote_addr"] == "7.7.7.7"

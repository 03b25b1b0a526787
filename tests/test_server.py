"""The streaming server over raw sockets: what it refuses, when, how the client learns of it, and what stays behind."""

import hashlib
import inspect
import json
import random
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, ClassVar

import httptools
import jwt
import pytest
from waitress import channel, parser, server, task, wasyncore

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import allowance, cpu_seconds, eventually
from tests.support.engines import Live, needed, start_live, tuned
from tests.support.traces import left, requests_logged, written
from tests.support.wire import CHUNKED, EXPECT, UPLOAD, Wire, authorization, chunk, head, is_refusal, upload_head

SECRET = "tests-only-secret-of-more-than-32-bytes"
HUGE = 100_000_000


@pytest.fixture(scope="module")
def alice(live: Live) -> str:
    return authorization(live)


@pytest.fixture
def unchanged(live: Live, alice: str) -> Iterator[None]:
    """The test leaves no file, row or descriptor behind."""
    before = left(live)
    yield
    assert eventually(lambda: left(live) == before), (before, left(live))


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "big.pdf"
    with path.open("wb") as file:
        file.truncate(HUGE)
    return path


# --- What the server stands on


HOOKS = [
    (server.BaseWSGIServer, "__init__", "self application map _start _sock dispatcher adj sockinfo bind_socket kw"),
    (server.BaseWSGIServer, "maintenance", "self now"),
    (server.BaseWSGIServer, "add_task", "self task"),
    (server.BaseWSGIServer, "pull_trigger", "self"),
    (server.BaseWSGIServer, "readable", "self"),
    (server.BaseWSGIServer, "handle_accept", "self"),
    (server.TcpWSGIServer, "set_socket_options", "self conn"),
    (wasyncore, "readwrite", "obj flags"),
    (wasyncore.dispatcher, "add_channel", "self map"),
    (wasyncore.dispatcher, "close", "self"),
    (wasyncore.dispatcher, "send", "self data do_close"),
    (channel.HTTPChannel, "__init__", "self server sock addr adj map"),
    (channel.HTTPChannel, "del_channel", "self map"),
    (channel.HTTPChannel, "received", "self data"),
    (channel.HTTPChannel, "readable", "self"),
    (channel.HTTPChannel, "writable", "self"),
    (channel.HTTPChannel, "handle_read", "self"),
    (channel.HTTPChannel, "handle_write", "self"),
    (channel.HTTPChannel, "handle_expt", "self"),
    (channel.HTTPChannel, "handle_close", "self"),
    (channel.HTTPChannel, "service", "self"),
    (channel.HTTPChannel, "cancel", "self"),
    (channel.HTTPChannel, "write_soon", "self data"),
    (channel.HTTPChannel, "check_client_disconnected", "self"),
    (channel.HTTPChannel, "_flush_exception", "self flush do_close"),
    (channel.HTTPChannel, "_flush_some", "self do_close"),
    (task.WSGITask, "__init__", "self channel request"),
    (task.WSGITask, "start", "self"),
    (task.WSGITask, "finish", "self"),
    (task.WSGITask, "get_environment", "self"),
    (task.WSGITask, "set_close_on_finish", "self"),
]

ATTRIBUTES = [
    (server.BaseWSGIServer, "channel_class", channel.HTTPChannel),
    (server.Adjustments, "send_bytes", 1),
    (server.Adjustments, "outbuf_overflow", 1048576),
    (server.Adjustments, "channel_request_lookahead", 0),
    (channel.HTTPChannel, "task_class", task.WSGITask),
    (channel.HTTPChannel, "error_task_class", task.ErrorTask),
    (channel.HTTPChannel, "parser_class", parser.HTTPRequestParser),
    (channel.HTTPChannel, "request", None),
    (channel.HTTPChannel, "will_close", False),
    (channel.HTTPChannel, "close_when_flushed", False),
    (channel.HTTPChannel, "total_outbufs_len", 0),
    (channel.HTTPChannel, "last_activity", 0),
]


@pytest.mark.parametrize(("owner", "name", "parameters"), HOOKS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_method_of_waitress_that_the_server_builds_on_is_as_it_was(owner: Any, name: str, parameters: str) -> None:
    """An upgrade of waitress that moves a hook fails here, and not in production."""
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters.split()


@pytest.mark.parametrize(("owner", "name", "value"), ATTRIBUTES, ids=lambda value: getattr(value, "__name__", ""))
def test_an_attribute_of_waitress_that_the_server_builds_on_is_as_it_was(owner: Any, name: str, value: Any) -> None:
    """An upgrade of waitress that renames an attribute fails here, and not in production."""
    assert getattr(owner, name) == value


class Owner:
    active_channels: ClassVar[dict[int, Any]] = {}


def test_a_connection_of_waitress_has_what_the_server_reads_of_it() -> None:
    """What `HTTPChannel.__init__` sets, and so no class attribute tells of."""
    ours, theirs = socket.socketpair()
    made = channel.HTTPChannel(Owner(), ours, ("127.0.0.1", 1), server.Adjustments(), map={})
    names = {
        "server",
        "adj",
        "addr",
        "connected",
        "creation_time",
        "outbufs",
        "outbuf_lock",
        "requests",
        "requests_lock",
    }
    assert names <= set(vars(made))
    made.handle_close()
    theirs.close()


class Callbacks:
    """Notes what llhttp tells."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_message_begin(self) -> None:
        self.told.append("begin")

    def on_headers_complete(self) -> None:
        self.told.append("headers")

    def on_body(self, content: bytes) -> None:
        self.told.append(content.decode())

    def on_message_complete(self) -> None:
        self.told.append("end")


def told(data: bytes) -> list[str]:
    """What llhttp tells of `data`, with its refusal at the end."""
    callbacks = Callbacks()
    try:
        httptools.HttpRequestParser(callbacks).feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
        callbacks.told.append(type(error).__name__)
    return callbacks.told


LEFT_TO_LLHTTP = {
    "length and chunked": head(UPLOAD, "Content-Length: 5", CHUNKED),
    "chunked in the middle": head(UPLOAD, "Transfer-Encoding: chunked, gzip"),
    "two lengths": head(UPLOAD, "Content-Length: 5", "Content-Length: 5"),
    "a sign": head(UPLOAD, "Content-Length: +5"),
    "too long a length": head(UPLOAD, f"Content-Length: {2**64}"),
    "an empty length": head(UPLOAD, "Content-Length: "),
    "a bare LF": head(UPLOAD, "X: y\nZ: 1"),
    "a bare CR": head(UPLOAD, "X: y\rZ: 1"),
    "a NUL": head(UPLOAD, "X: \0"),
    "a folded header": head(UPLOAD, "X: y\r\n z"),
    "a blank before the colon": head(UPLOAD, "X : y"),
    "no colon": head(UPLOAD, "X"),
    "HTTP/9.9": head("GET / HTTP/9.9"),
    "a target with a blank": head("GET /a b HTTP/1.1"),
    "a chunk's size with a sign": head(UPLOAD, CHUNKED) + b"+1\r\nx\r\n",
    "a chunk's size with LF": head(UPLOAD, CHUNKED) + b"1\nx\n",
    "a chunk that is too long": head(UPLOAD, CHUNKED) + b"1\r\nxx\r\n",
}
LEFT_TO_US = {
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": head("GET / HTTP/1.1", "Host: other"),
    "a coding in HTTP/1.0": head("POST / HTTP/1.0", CHUNKED) + b"0\r\n\r\n",
    "another coding": head(UPLOAD, "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "RTSP": head("DESCRIBE /x RTSP/1.0"),
    "ICE": head("SOURCE /x ICE/1.0"),
    "a fragment": head("GET /a#b HTTP/1.1"),
    "noughts before a length": head("GET / HTTP/1.1", f"Content-Length: {'0' * 5000}"),
    "a thousand headers": head("GET / HTTP/1.1", *["a: b"] * 1000),
    "a name with an underscore": head("GET / HTTP/1.1", "Content_Length: 5"),
    "a chunk's extension": head(UPLOAD, CHUNKED) + b"1;" + b"a" * 100_000 + b"\r\nx\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("data", LEFT_TO_LLHTTP.values(), ids=LEFT_TO_LLHTTP)
def test_what_is_left_to_llhttp_it_refuses(data: bytes) -> None:
    """An upgrade of httptools that grows lenient fails here, and not in production (RFC 9112 §11.2)."""
    assert told(data)[-1] in ("HttpParserError", "HttpParserInvalidMethodError")
    assert "end" not in told(data)


@pytest.mark.parametrize("data", LEFT_TO_US.values(), ids=LEFT_TO_US)
def test_what_llhttp_accepts_is_left_to_us(data: bytes) -> None:
    """Where httptools begins to refuse it, a check of `server/request.py` can go."""
    assert told(data)[-1] == "end"


def test_llhttp_is_the_version_whose_habits_are_known() -> None:
    """httptools 0.9 reads on into a second request, and takes a wish for another protocol for the message's end."""
    assert httptools.__version__.startswith("0.9.")
    get = head("GET / HTTP/1.1")
    assert told(get + get) == ["begin", "headers", "end"] * 2
    wish = head(UPLOAD, "Connection: upgrade", "Upgrade: h2c", "Content-Length: 5")
    assert told(wish + b"hello") == ["begin", "headers", "end", "HttpParserUpgrade"]
    assert told(head("CONNECT a:1 HTTP/1.1"))[-1] == "HttpParserUpgrade"
    assert told(head(UPLOAD, "Upgrade: h2c", "Content-Length: 5") + b"hello") == ["begin", "headers", "hello", "end"]


# --- The gate


BAD_TOKENS = {"none": [], "garbled": ["Authorization: Bearer a.b.c"], "not ASCII": ["Authorization: Bearer \xe9"]}


@pytest.mark.parametrize("lines", BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_a_stranger_with_expect_is_refused_without_a_byte_of_body(
    live: Live, unchanged: None, lines: list[str]
) -> None:
    """C1: the final 401, and no 100 before it."""
    with Wire(live).send(upload_head(HUGE, EXPECT, *lines)) as wire:
        assert is_refusal(wire.answer(), 401)
        assert wire.ended()


@pytest.mark.parametrize("framing", [f"Content-Length: {HUGE}", CHUNKED])
def test_a_stranger_is_answered_while_the_body_is_still_to_come(live: Live, unchanged: None, framing: str) -> None:
    """C2: the 401 is there before the body, and the rest is read so that no reset hides it."""
    with Wire(live).send(head(UPLOAD, framing, f"Content-Type: {CONTENT_TYPE}")) as wire:
        assert is_refusal(wire.answer(), 401)
        wire.send(*[b"x" * 65536] * 50)
        assert wire.ended()


def test_a_strangers_100_megabytes_write_nothing(live: Live, unchanged: None) -> None:
    """C2: Python's http.client sends all of it and reads the 401; not one byte goes to the disk."""
    before = written(live)
    for _ in range(3):
        assert live.request("POST", "/api/upload", bytes(HUGE), {"Content-Type": CONTENT_TYPE})[0] == 401
    assert written(live) - before < 100


@pytest.mark.parametrize(("header", "sent"), [(EXPECT, 0), ("Expect:", HUGE + 1000)], ids=["Expect", "no Expect"])
def test_curl_reads_the_401_of_a_huge_upload(
    live: Live, unchanged: None, big_file: Path, header: str, sent: int
) -> None:
    """C1, C2: exit status 0 and the answer; with Expect not a byte of the body is sent."""
    before = written(live)
    form = ["--form", f"file=@{big_file}", "--header", header, f"http://127.0.0.1:{live.port}/api/upload"]
    for _ in range(3):
        shown = subprocess.run(
            [needed("curl"), "--silent", "--show-error", "--write-out", "\n%{http_code} %{size_upload}", *form],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        body, status, size = re.fullmatch(r"(.*)\n+(\d+) (\d+)", shown, re.DOTALL).groups()
        assert (json.loads(body)["error"], status) == ("unauthorized", "401")
        assert int(size) <= sent
    assert written(live) - before < 100


GATE = {
    "more than the limits allow": ([], 21 * 10_485_760, 413),
    "compressed": (["Content-Encoding: gzip"], 1000, 415),
    "a bad Idempotency-Key": (["Idempotency-Key: a b"], 1000, 400),
}


@pytest.mark.parametrize("expect", [[EXPECT], []], ids=["Expect", "no Expect"])
@pytest.mark.parametrize("case", GATE.values(), ids=GATE)
def test_the_headers_of_a_hopeless_upload_are_enough(
    live: Live, alice: str, unchanged: None, case: tuple[list[str], int, int], expect: list[str]
) -> None:
    """C3, C14: refused before the body, for a declared size, an encoding or a header."""
    lines, length, status = case
    with Wire(live).send(upload_head(length, alice, *lines, *expect)) as wire:
        assert is_refusal(wire.answer(), status)
        assert wire.ended()


def test_a_size_over_the_limit_is_refused_where_the_client_can_read_it(start: Callable[..., Live]) -> None:
    """C3: clients that send everything before they read get the 413 of twice the limit."""
    live = start(MAX_FILE_BYTES="2000000", MAX_FILES="2")
    headers, before = live.login() | {"Content-Type": CONTENT_TYPE}, written(live)
    for _ in range(3):
        status, _, body = live.request("POST", "/api/upload", bytes(8_000_000), headers)
        assert (status, json.loads(body)["error"]) == (413, "too_large")
    assert written(live) - before < 100


def test_a_size_far_over_the_limit_is_answered_and_cut_off(start: Callable[..., Live]) -> None:
    """C3: who sends on and on is not read for ever; a reset is tolerated."""
    live = start(MAX_FILE_BYTES="100000", MAX_FILES="1")
    with Wire(live).send(upload_head(HUGE, authorization(live))) as wire:
        assert is_refusal(wire.answer(), 413)
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            wire.send(*[bytes(65536)] * (HUGE // 65536))


def test_a_full_disk_is_told_before_the_body(start: Callable[..., Live]) -> None:
    """C18: less room than the declared size and the reserve."""
    live = start(MIN_FREE_BYTES=str(2**60))
    with Wire(live).send(upload_head(1000, EXPECT, authorization(live))) as wire:
        assert is_refusal(wire.answer(), 507)


def test_a_chunked_upload_over_the_limit_is_refused_on_its_way(start: Callable[..., Live]) -> None:
    """C4: 413, with at most the limit and one chunk on the disk, and nothing after."""
    live = start(MAX_FILE_BYTES="1000000", MAX_FILES="2")
    wire = Wire(live).send(head(UPLOAD, CHUNKED, f"Content-Type: {CONTENT_TYPE}", authorization(live)))
    staged, sizes, answered = live.instance / "uploads" / ".staging", [0], threading.Event()

    def watch() -> None:
        while not answered.is_set():
            for path in staged.iterdir():
                with suppress(FileNotFoundError):
                    sizes.append(path.stat().st_size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with wire:
        wire.send(chunk(multipart(part())[:-50]), chunk(b"x" * 100_000))
        assert eventually(lambda: max(sizes) > 0)
        answer = wire.send(*[chunk(b"x" * 100_000)] * 11).answer()
        answered.set()
        watcher.join()
        assert is_refusal(answer, 413)
    assert 0 < max(sizes) <= 1_100_000
    assert eventually(lambda: not any(left(live).values()))


# --- Expect and framing


@pytest.mark.parametrize("target", ["/healthz", "/api/limits", "/nothing"])
def test_expect_without_a_body_is_answered_at_once_and_mixes_nothing(live: Live, target: str) -> None:
    """C5: no 100, no waiting; the next request keeps its own headers."""
    with Wire(live).send(head(f"GET {target} HTTP/1.1", EXPECT)) as wire:
        assert wire.answer().status in (200, 404)
        assert wire.send(head("GET /healthz HTTP/1.1", EXPECT), head("GET /healthz HTTP/1.1")).answer().status == 200
        assert wire.answer().status == 200


def test_expect_with_a_good_upload_is_told_to_continue_once(live: Live, alice: str) -> None:
    """C5: 100, then the body, then 200, five hundred times on one connection, however soon the next one comes."""
    body = multipart(part())
    with Wire(live) as wire:
        for _ in range(500):
            assert wire.send(upload_head(len(body), EXPECT, alice)).answer().status == 100
            assert wire.send(body).answer().status == 200
    assert [entry for entry in live.lines if entry["level"] == "ERROR"] == []


LENGTHS = ["+5", "-1", "0x5", "5, 5", "5 5", "5;", "", "1e3", "\xb2", "5\r\nContent-Length: 5", "9" * 5000]


@pytest.mark.parametrize("expect", [[EXPECT], []], ids=["Expect", "no Expect"])
@pytest.mark.parametrize("length", LENGTHS, ids=lambda length: ascii(length[:30]))
def test_an_unclear_length_is_refused(live: Live, unchanged: None, length: str, expect: list[str]) -> None:
    """C6: 400 and close, with Expect too."""
    for start in (UPLOAD, "POST /api/auth/login HTTP/1.1"):
        with Wire(live).send(head(start, f"Content-Length: {length}", *expect), b"hello") as wire:
            assert is_refusal(wire.answer(), 400)
            assert wire.ended()


NEXT = head("GET /healthz HTTP/1.1")
FRAMINGS = {
    "length and chunked": head(UPLOAD, "Content-Length: 5", CHUNKED) + b"0\r\n\r\n",
    "chunked and length": head(UPLOAD, CHUNKED, "Content-Length: 5") + b"0\r\n\r\n",
    "chunked in HTTP/1.0": head("POST /api/upload HTTP/1.0", CHUNKED) + b"0\r\n\r\n",
    "two codings": head(UPLOAD, CHUNKED, CHUNKED) + b"0\r\n\r\n",
    "chunked twice": head(UPLOAD, f"{CHUNKED}, chunked") + b"0\r\n\r\n",
    "gzip": head(UPLOAD, "Transfer-Encoding: gzip") + b"0\r\n\r\n",
    "gzip, chunked": head(UPLOAD, "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "a vertical tab": head(UPLOAD, "Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "an empty coding": head(UPLOAD, "Transfer-Encoding: ") + b"0\r\n\r\n",
    "a bare LF": head(UPLOAD, "Content-Length: 0\nX: y"),
    "a bare CR": head(UPLOAD, "Content-Length: 0\rX: y"),
    "a NUL": head(UPLOAD, "Content-Length: 0", "X: \0"),
    "a folded header": head(UPLOAD, "X: y\r\n z"),
    "a folded first header": b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "a blank before the colon": head(UPLOAD, "Content-Length : 0"),
    "no colon": head(UPLOAD, "Content-Length"),
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "a Host of two words": b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a Host with a path": b"GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a Host with a user": b"GET /healthz HTTP/1.0\r\nHost: me@a\r\n\r\n",
    "two Hosts": head("GET /healthz HTTP/1.1", "Host: localhost"),
    "two Content-Types": head(UPLOAD, *["Content-Type: text/plain"] * 2, "Content-Length: 0"),
    "two Authorizations": head("GET /healthz HTTP/1.1", *["Authorization: Bearer a"] * 2),
    "HTTP/2.0": head("GET /healthz HTTP/2.0"),
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "no method": head("/healthz HTTP/1.1"),
    "a method in lower case": head("get /healthz HTTP/1.1"),
    "an address that is none": head("GET http://[ HTTP/1.1"),
    "no line at all": b"\0\xff\r\n\r\n",
}


@pytest.mark.parametrize("data", FRAMINGS.values(), ids=FRAMINGS)
def test_unclear_framing_is_refused_and_nothing_after_it_is_run(live: Live, unchanged: None, data: bytes) -> None:
    """C7: 400 or 501, once; the connection ends, and what followed in it is no request."""
    before = len(requests_logged(live))
    with Wire(live).send(data + NEXT) as wire:
        assert is_refusal(wire.answer(), 400, 501)
        assert wire.ended()
    assert [line["status"] in (400, 501) for line in requests_logged(live)[before:]] == [True]


def test_of_pipelined_requests_those_before_an_invalid_one_are_answered(live: Live) -> None:
    """C7: two answers and a refusal, in order, and no more."""
    with Wire(live).send(NEXT * 2 + head("GET / HTTP/1.1", "Host: other") + NEXT) as wire:
        assert [wire.answer().status for _ in range(3)] == [200, 200, 400]
        assert wire.ended()


def test_what_follows_a_refused_upload_is_its_body(live: Live, alice: str, unchanged: None) -> None:
    """C7: a request hidden in a body that was refused early is never run."""
    before = len(requests_logged(live))
    with Wire(live).send(upload_head(HUGE), head("DELETE /api/documents/1 HTTP/1.1", alice), NEXT) as wire:
        assert is_refusal(wire.answer(), 401)
        assert wire.ended()
    assert len(requests_logged(live)) == before + 1


# --- Chunks and headers without end


def small_head(*lines: str) -> bytes:
    return head("POST /api/auth/login HTTP/1.1", "Content-Type: application/json", *lines)


ENDLESS = {
    "extension": b"1;" + b"a" * 1100,
    "size": b"0" * 1100,
    "trailer": b"0\r\n" + b"a: b\r\n" * 1400,
    "trailer line": b"0\r\na: " + b"b" * 8300,
    "blank lines": b"\r\n" * 70_000,
    "tiny chunks": chunk(b"x") * 20_000,
}


@pytest.mark.parametrize("target", ["/api/auth/login", "/api/upload"])
@pytest.mark.parametrize("data", ENDLESS.values(), ids=ENDLESS)
def test_chunks_with_more_framing_than_content_are_refused(
    live: Live, alice: str, unchanged: None, data: bytes, target: str
) -> None:
    """C8: after 1 KiB of extension or 8 KiB of trailer, before their end has come."""
    with Wire(live).send(head(f"POST {target} HTTP/1.1", CHUNKED, alice, f"Content-Type: {CONTENT_TYPE}")) as wire:
        assert is_refusal(wire.send(data).answer(), 400)
        assert wire.ended()


def test_twelve_megabytes_of_extension_cost_little(live: Live) -> None:
    """C8: stock waitress needed 7.7 s of CPU for them, and no sign-in."""
    before = cpu_seconds(live.process.pid)
    with Wire(live).send(small_head(CHUNKED), b"1;" + b"a" * 12_000_000) as wire:
        assert is_refusal(wire.answer(), 400)
    assert cpu_seconds(live.process.pid) - before < allowance(1)


def test_a_flood_of_blank_lines_is_refused(live: Live) -> None:
    """C9: one or two before a request are ignored (RFC 9112 §2.2); two megabytes of them cost next to nothing."""
    with Wire(live).send(b"\r\n\r\n", NEXT) as wire:
        assert wire.answer().status == 200
    before = cpu_seconds(live.process.pid)
    with Wire(live).send(b"\r\n" * 1_000_000) as wire:
        assert is_refusal(wire.answer(), 400)
    assert cpu_seconds(live.process.pid) - before < allowance(0.5)


BAD_CHUNKS = [b"g\r\n", b"-1\r\n", b"0x1\r\n", b"1 \r\nx\r\n", b"1\nx\n", b"1\r\nxx\r\n", b"1;\0\r\nx\r\n"]


@pytest.mark.parametrize("data", BAD_CHUNKS, ids=ascii)
def test_garbled_chunks_are_refused(live: Live, alice: str, unchanged: None, data: bytes) -> None:
    """C7: neither guessed at nor passed on."""
    with Wire(live) as wire:
        wire.send(head(UPLOAD, CHUNKED, alice, f"Content-Type: {CONTENT_TYPE}"), data, b"0\r\n\r\n" + NEXT)
        assert is_refusal(wire.answer(), 400)
        assert wire.ended()


@pytest.mark.parametrize("size", [10, 1000, 65536, 10**6])
def test_a_chunked_upload_is_stored_byte_for_byte(live: Live, alice: str, size: int) -> None:
    """C4: in chunks of any size, with extensions and a trailer; the connection serves on."""
    content = PDF + bytes(range(256)) * 500
    body = multipart(part(content=content))
    pieces = [chunk(body[at : at + size], b";a=b") for at in range(0, len(body), size)]
    with Wire(live) as wire:
        wire.send(head(UPLOAD, CHUNKED, f"Content-Type: {CONTENT_TYPE}", alice), b"".join(pieces))
        wire.send(b"0\r\nX-Trailer: 1\r\n\r\n" + NEXT)
        answer = wire.answer()
        assert answer.status == 200, answer
        assert wire.answer().status == 200
        wire.send(head(f"GET /api/documents/{answer.json['files'][0]['id']}/content HTTP/1.1", alice))
        assert wire.answer().body == content


@pytest.mark.parametrize("lines", [["X: " + "x" * 17_000], [f"X-{i}: x" for i in range(2000)]], ids=["one", "many"])
def test_a_header_block_over_16_kib_is_refused(live: Live, lines: list[str]) -> None:
    """C9: 431, before its end has come."""
    with Wire(live).send(head("GET / HTTP/1.1", *lines)[:-2]) as wire:
        assert is_refusal(wire.answer(), 431)
        assert wire.ended()


def test_a_header_block_just_below_16_kib_passes_in_tiny_packets(live: Live) -> None:
    """C9: five thousand packets stay cheap."""
    data, before = head("GET /healthz HTTP/1.1", "X: " + "x" * 16_000), cpu_seconds(live.process.pid)
    with Wire(live) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.send(*[data[at : at + 3] for at in range(0, len(data), 3)])
        assert wire.answer().status == 200
    assert cpu_seconds(live.process.pid) - before < allowance(3)


# --- Answers while the body is on its way


@pytest.mark.parametrize("first", [9000, 100_000], ids=lambda size: f"{size} bytes at first")
def test_a_wrong_first_byte_is_refused_while_the_client_still_sends(
    live: Live, alice: str, unchanged: None, first: int
) -> None:
    """C2: the answer comes before the rest of the body, and the rest breaks nothing (the intake gathers 8 KiB)."""
    body = multipart(part(content=b"MZ" + bytes(5_000_000)))
    at = body.index(b"MZ") + first
    with Wire(live).send(upload_head(len(body), alice), body[:at]) as wire:
        assert is_refusal(wire.answer(), 415)
        for start in range(at, len(body), 65536):
            wire.send(body[start : start + 65536])
        assert wire.ended()


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", CHUNKED])
@pytest.mark.parametrize("target", ["/api/auth/login", "/api/limits", "/nothing", "/"])
def test_other_addresses_take_64_kib_and_no_more(
    live: Live, alice: str, unchanged: None, target: str, framing: str
) -> None:
    """C3: 413, readable, and nothing is spooled, whoever sends it."""
    before = written(live)
    with Wire(live).send(head(f"POST {target} HTTP/1.1", framing, alice)) as wire:
        wire.send(chunk(b" " * 100_000), *[chunk(b" " * 100_000)] * 9)
        assert is_refusal(wire.answer(), 413)
        assert wire.ended()
    assert written(live) - before < 100


def test_a_small_body_of_64_kib_reaches_the_view(live: Live) -> None:
    """C3: the view's own limit for JSON answers it."""
    with Wire(live).send(small_head("Content-Length: 65536"), b" " * 65536, NEXT) as wire:
        assert is_refusal(wire.answer(), 413)
        assert wire.answer().status == 200


def test_one_connection_serves_uploads_and_other_requests(live: Live, alice: str) -> None:
    """Keep-alive: two uploads, a list of both, and a bad upload that leaves the connection usable."""
    body = multipart(part(filename="keep.pdf"))
    with Wire(live) as wire:
        for sent, status in ((body, 200), (body, 200), (multipart(part("x", None, b"")), 400)):
            assert wire.send(upload_head(len(sent), alice), sent).answer().status == status
        documents = wire.send(head("GET /api/documents?limit=2 HTTP/1.1", alice)).answer().json["documents"]
        assert [document["filename"] for document in documents] == ["keep.pdf"] * 2


def test_pipelined_uploads_are_all_stored(live: Live, alice: str) -> None:
    """Keep-alive: ten uploads in one breath, their answers in order."""
    bodies = [multipart(part(filename=f"{i}.pdf", content=PDF + b"x" * i * 9000)) for i in range(10)]
    with Wire(live).send(b"".join(upload_head(len(body), alice) + body for body in bodies)) as wire:
        files = [wire.answer().json["files"][0] for _ in bodies]
    assert [(file["filename"], file["size"]) for file in files] == [
        (f"{i}.pdf", len(PDF) + i * 9000) for i in range(10)
    ]


# Between two requests of a connection a thread may be held up anywhere; here it is, where it has let the first one go.
HELD_UP = """
import time
from uploadsvc.server.channel import Channel

class Requests(list):
    def pop(self, at):
        first = super().pop(at)
        time.sleep(0.03)
        return first

begin = Channel.__init__
def __init__(self, *arguments, **options):
    begin(self, *arguments, **options)
    self.requests = Requests()
Channel.__init__ = __init__
"""


def test_each_request_is_answered_once_however_threads_take_turns(tmp_path: Path) -> None:
    """C7: a request that comes as the one before it ends is no second thread's too: answers would change places."""
    paths = ["/", "/css/base.css", "/js/main.js", "/js/http.js"]
    with tuned(tmp_path, HELD_UP) as live:
        files = {path: live.request("GET", path)[2] for path in paths}
        assert len(set(files.values())) == len(paths)

        def ask(_: int) -> bool:
            with Wire(live) as wire:
                asked = (path for _ in range(5) for path in paths)
                return all(wire.send(head(f"GET {path} HTTP/1.1")).answer().body == files[path] for path in asked)

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(ask, range(6))) == [True] * 6
        assert [line for line in live.lines if line["level"] == "ERROR"] == []


LEISURELY = """
import time
from waitress.channel import HTTPChannel
from uploadsvc.server import Server

true = HTTPChannel.service


def service(channel):
    time.sleep(0.1)
    true(channel)
    time.sleep(0.05)


HTTPChannel.service = service
Server.maintenance = lambda *_: None
"""


def test_a_connection_is_read_on_whichever_of_its_threads_ends_first(tmp_path: Path) -> None:
    """Issue 12: its next request comes while the thread of the one before is at its end, and is longer at work.

    Nothing looks after connections once a second here, which would only hide that one is forgotten.
    """
    with tuned(tmp_path, LEISURELY) as live, Wire(live, timeout=5) as wire:
        for _ in range(5):
            assert wire.send(head("GET /healthz HTTP/1.1")).answer().status == 200


def test_uploads_side_by_side_keep_their_bytes(live: Live, alice: str) -> None:
    """Eight clients at once, each with pieces of another size, small and larger than what the loop takes at a time."""

    def upload(size: int) -> bool:
        content = PDF + random.Random(size).randbytes(1_000_000)
        body, digest = multipart(part(content=content)), hashlib.sha256(content).hexdigest()
        with Wire(live) as wire:
            for _ in range(5):
                wire.send(upload_head(len(body), alice), *(body[at : at + size] for at in range(0, len(body), size)))
                answer = wire.answer()
                assert (answer.status, answer.json["files"][0]["sha256"]) == (200, digest)
        return True

    sizes = [700, 9000, 65_535, 65_536, 65_537, 262_144, 300_000, 2_000_000]
    with ThreadPoolExecutor(len(sizes)) as pool:
        assert list(pool.map(upload, sizes)) == [True] * len(sizes)


# --- Downloads, encodings, repeats, tokens


@pytest.fixture(scope="module")
def download(live: Live, alice: str) -> bytes:
    """The request for a stored file of 10 MB."""
    body = multipart(part(content=TEN_MEGABYTES))
    with Wire(live).send(upload_head(len(body), alice), body) as wire:
        return head(f"GET /api/documents/{wire.answer().json['files'][0]['id']}/content HTTP/1.1", alice)


TEN_MEGABYTES = PDF.ljust(10_000_000, b"x")


def test_slow_readers_of_downloads_hold_no_thread(live: Live, alice: str, download: bytes) -> None:
    """C13: twice as many as there are threads; each gets its bytes when it reads on."""
    with ExitStack() as stack:
        readers = [stack.enter_context(Wire(live, receive_buffer=4096).send(download)) for _ in range(8)]
        assert [reader.answer(has_body=False).status for reader in readers] == [200] * 8
        assert live.upload({"Authorization": alice.partition(": ")[2]})[0] == 200
        assert [reader.read(len(TEN_MEGABYTES)) == TEN_MEGABYTES for reader in readers[:2]] == [True, True]


def test_clients_that_pipeline_downloads_and_do_not_read_hold_no_thread(
    live: Live, alice: str, download: bytes
) -> None:
    """C13: 40 MB asked for in one breath, on more connections than there are threads."""
    with ExitStack() as stack:
        readers = [stack.enter_context(Wire(live, receive_buffer=4096).send(download * 4)) for _ in range(8)]
        assert [reader.answer(has_body=False).status for reader in readers] == [200] * 8
        for _ in range(3):
            assert live.upload({"Authorization": alice.partition(": ")[2]})[0] == 200
        assert readers[0].read(len(TEN_MEGABYTES)) == TEN_MEGABYTES


def test_downloads_on_one_connection_are_whole(live: Live, download: bytes) -> None:
    """C13: 30 MB, one answer after the other."""
    with Wire(live) as wire:
        assert [wire.send(download).answer().body == TEN_MEGABYTES for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x"])
def test_a_compressed_part_is_stored_as_it_came(live: Live, alice: str, encoding: str) -> None:
    """C14: a part's own Content-Encoding inflates nothing."""
    header = f'Content-Disposition: form-data; name="file"; filename="a.pdf"\r\nContent-Encoding: {encoding}\r\n\r\n'
    body = multipart(header.encode() + PDF)
    with Wire(live).send(upload_head(len(body), alice), body) as wire:
        assert wire.answer().json["files"][0]["size"] == len(PDF)


def test_a_repeat_with_expect_after_a_lost_answer_stores_nothing_new(live: Live, alice: str) -> None:
    """C17: the same ids, one row, one file."""
    body, key, before = multipart(part(filename="once.pdf")), "Idempotency-Key: once", left(live)
    with Wire(live).send(upload_head(len(body), alice, key), body):
        assert eventually(lambda: left(live)["rows"] == before["rows"] + 1)
    answers = []
    for _ in range(2):
        with Wire(live).send(upload_head(len(body), alice, key, EXPECT)) as wire:
            assert wire.answer().status == 100
            answers.append(wire.send(body).answer())
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].json == answers[1].json
    after = left(live)
    assert (after["rows"], len(after["files"])) == (before["rows"] + 1, len(before["files"]) + 1)


@pytest.fixture(scope="module")
def known_secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    running = start_live(tmp_path_factory.mktemp("known"), JWT_SECRET=SECRET)
    yield running
    running.stop()


def short_lived(live: Live, seconds: int) -> dict[str, str]:
    """The headers of a token of a living session with an end of one's own choice."""
    token = live.login()["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, SECRET, algorithms=["HS256"]) | {"exp": int(time.time()) + seconds}
    return {"Authorization": f"Bearer {jwt.encode(claims, SECRET)}"}


def test_a_token_that_expires_during_its_upload_is_good_to_the_end(known_secret: Live) -> None:
    """A24: what the gate let in is stored."""
    live, body = known_secret, multipart(part(content=PDF + b"x" * 100_000))
    headers = short_lived(live, 2)
    with Wire(live).send(upload_head(len(body), f"Authorization: {headers['Authorization']}"), body[:50_000]) as wire:
        assert eventually(lambda: live.request("GET", "/api/documents", headers=headers)[0] == 401)
        assert wire.send(body[50_000:]).answer().status == 200
    status, _, answer = live.request("POST", "/api/upload", body, headers | {"Content-Type": CONTENT_TYPE})
    assert (status, json.loads(answer)["error"]) == (401, "token_expired")


def test_a_session_that_is_ended_during_its_upload_stores_nothing(known_secret: Live) -> None:
    """A16: logout takes effect at once, on an upload under way too."""
    live, body, before = known_secret, multipart(part(content=PDF + b"x" * 100_000)), left(known_secret)
    headers = live.login()
    with Wire(live).send(upload_head(len(body), f"Authorization: {headers['Authorization']}"), body[:50_000]) as wire:
        assert live.request("POST", "/api/auth/logout", headers=headers)[0] == 200
        assert is_refusal(wire.send(body[50_000:]).answer(), 401)
    assert eventually(lambda: left(live) == before)


def test_an_upload_by_cookie_needs_its_csrf_header_before_its_body(live: Live, unchanged: None) -> None:
    """B1, C1: judged at the gate."""
    cookie = f"Cookie: token={live.login()['Authorization'].removeprefix('Bearer ')}"
    with Wire(live).send(upload_head(HUGE, EXPECT, cookie)) as wire:
        answer = wire.answer()
        assert is_refusal(answer, 401)
        assert answer.json["error"] == "csrf_failed"


def test_no_request_is_taken_for_the_one_before_it(start: Callable[..., Live]) -> None:
    """Whichever thread answers, also the one that the command began in: what a request knew ends with it."""
    live = start(THREADS="2")
    headers = live.login()
    for _ in range(150):
        live.request("GET", "/api/documents", headers=headers)
        live.request("GET", "/api/limits")
    assert eventually(lambda: len(requests_logged(live)) == 301)
    users = {(line["route"], line["user_id"]) for line in requests_logged(live)}
    assert users == {("/api/auth/login", 1), ("/api/documents", 1), ("/api/limits", None)}


# --- The loop


def test_a_connection_is_asked_again_whenever_its_task_has_ended(tmp_path: Path) -> None:
    """Issue 12: without the look at all of them each second nothing hangs, be it read beside the loop or not."""
    forgetful = "from uploadsvc.server.watch import Watch\nWatch.stir_all = lambda self: None\n"
    with tuned(tmp_path, forgetful) as live:
        token = authorization(live)
        bodies = [multipart(part(content=PDF.ljust(size, b"x"))) for size in (5_000_000, 1_000_000, 10_000)]

        def upload(number: int) -> list[int]:
            with Wire(live) as wire:
                chosen = [bodies[(number + turn) % 3] for turn in range(60)]
                return [wire.send(upload_head(len(body), token), body).answer().status for body in chosen]

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(upload, range(6))) == [[200] * 60] * 6

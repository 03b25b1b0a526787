"""Thousands of broken requests over raw sockets: no 5xx, nothing left behind, and the service serves on.

Pipelined they are answered as they are one by one: what ends a request does not depend on what follows or how it came.
"""

import json
import random
import re
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live
from tests.support.stack import staged
from tests.support.traces import left, requests_logged
from tests.support.wire import CHUNKED, EXPECT, UPLOAD, Wire, authorization, chunk, head, upload_head

COUNT, BATCH, CLIENTS = 5000, 50, 4
SEQUENCES, BROKEN = 2000, 400
AT_REST = (7, 1)  # threads: the main one, the loop, the sweeper and four workers; sockets: the listening one
PATIENCE = 0.5  # seconds without any answer after which no more is expected: what was cut off gets none

LINES = [
    "Content-Length: 0",
    "Content-Length: 99999999999",
    "Content-Length: -1",
    CHUNKED,
    "Transfer-Encoding: identity",
    EXPECT,
    "Connection: close",
    "Host: other",
    "Content-Type: text/plain",
    "Content-Encoding: gzip",
    "Authorization: Bearer a.b.c",
    "Cookie: token=a.b.c; csrf_token=x",
    "X-CSRF-Token: \xe9",
    "X-Forwarded-For: 6.6.6.6, a",
    "Idempotency-Key: fuzz",
    "Range: bytes=0-",
]
BYTES = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"\xff",
    b"%00",
    b"--",
    b"0\r\n\r\n",
    b";",
    b"[",
    b"#",
]
TARGETS = [b"*", b"http://[", b"//api/upload", b"/api/upload?%", b"/api/%75pload", b"/../etc/passwd", b"/%ff", b"\xe9"]


def valid(line: str) -> list[bytes]:
    """Requests as clients send them, of every kind the service knows."""
    body = multipart(part(content=PDF + b"x" * 20_000), part("note", None, b"hello"), part(filename="b.txt"))
    login = b'{"email": "admin@localhost", "password": "wrong"}'
    chunked = head(UPLOAD, CHUNKED, f"Content-Type: {CONTENT_TYPE}", line)
    return [
        upload_head(len(body), line) + body,
        upload_head(len(body), line, EXPECT) + body,
        upload_head(len(body)) + body,
        chunked + chunk(body[:9000], b";a=b") + chunk(body[9000:]) + b"0\r\nX: y\r\n\r\n",
        head("POST /api/auth/login HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(login)}")
        + login,
        head("GET /api/documents?limit=2 HTTP/1.1", line),
        head("GET / HTTP/1.1"),
        head("DELETE /api/documents/none HTTP/1.0", line, "Connection: keep-alive"),
    ]


def mutated(dice: random.Random, requests: list[bytes]) -> bytes:
    """One to three requests in one breath, with up to four things done to them."""
    data = b"".join(dice.choices(requests, k=dice.choice([1, 1, 1, 2, 3])))
    for _ in range(dice.randint(1, 4)):
        end = data.find(b"\r\n\r\n") + 2 if dice.random() < 0.7 else len(data)
        at, other = sorted((dice.randint(0, end), dice.randint(0, end)))
        line_end = data.find(b"\r\n", at) + 2
        data = dice.choice(
            [
                data[:at] + dice.choice(BYTES) + data[at:],
                data[:at] + dice.randbytes(dice.randint(1, 9)) + data[at + dice.randint(0, 9) :],
                data[:at] + data[other:],
                data[:other] + data[at:],
                data[:line_end] + dice.choice(LINES).encode("latin-1") + b"\r\n" + data[line_end:],
                re.sub(rb"(?<=Content-Length: )\d+", str(dice.randint(0, 2 ** dice.randint(0, 60))).encode(), data),
                re.sub(rb"(?<= )/\S*", lambda _: dice.choice(TARGETS), data, count=1),
                data[: dice.randint(0, len(data))],
            ]
        )
    return data


def answers_to(live: Live, requests: list[bytes], first: int) -> list[int]:
    """Send a batch, each on a connection of its own; the statuses of all that comes back."""
    statuses: list[int] = []
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for seed in range(first, first + BATCH):
            wire = stack.enter_context(Wire(live))
            selector.register(wire.socket, selectors.EVENT_READ)
            with suppress(OSError):
                wire.socket.sendall(mutated(random.Random(seed), requests))
        while selector.get_map() and (ready := selector.select(PATIENCE)):
            for key, _ in ready:
                received = b""
                with suppress(OSError):
                    received = key.fileobj.recv(262144)
                if not received:
                    selector.unregister(key.fileobj)
                statuses += (int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received))
    return statuses


def sockets_open(live: Live) -> int:
    descriptors = Path(f"/proc/{live.process.pid}/fd").iterdir()
    return len([fd for fd in descriptors if fd.is_socket()])


def threads(live: Live) -> int:
    return len(list(Path(f"/proc/{live.process.pid}/task").iterdir()))


@pytest.fixture(scope="module")
def line(live: Live) -> str:
    """The header of a token, made before the broken sign-ins use up the tries."""
    return authorization(live)


def test_five_thousand_broken_requests_do_no_harm(live: Live, line: str) -> None:
    """C20: every answer below 500, every thread alive, descriptors and files as before, and no error in the log."""
    assert eventually(lambda: (threads(live), sockets_open(live)) == AT_REST)
    requests = valid(line)
    with ThreadPoolExecutor(CLIENTS) as pool:
        batches = pool.map(lambda first: answers_to(live, requests, first), range(0, COUNT, BATCH))
        statuses = [status for batch in batches for status in batch]
    assert len(statuses) > COUNT / 2
    assert [status for status in statuses if status >= 500 and status != 501] == []
    assert eventually(lambda: (threads(live), sockets_open(live)) == AT_REST)
    assert [entry for entry in live.lines if entry["level"] == "ERROR"] == []
    assert {entry["status"] for entry in requests_logged(live) if entry["status"] >= 500} <= {501}
    assert eventually(lambda: not staged(live))
    found = left(live)
    assert (len(found["files"]), found["open"]) == (found["rows"], [])
    body = multipart(part())
    with Wire(live).send(upload_head(len(body), line), body) as wire:
        assert wire.answer().status == 200


# --- Pipelined


END = head("GET /healthz HTTP/1.1", "Connection: close")
UNSTEADY = re.compile(rb"password|Idempotency", re.IGNORECASE)  # answered otherwise the next time
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r]*\r\n(.*?\r\n)\r\n", re.DOTALL)
Result = tuple[int, str]  # a status, and the code of an error


@dataclass
class Unit:
    """A request, what it was answered alone, and whether the connection ended then."""

    data: bytes
    result: Result
    ends: bool

    @property
    def may_end(self) -> bool:
        """A body may be refused before it has come, and a chunked one may hide where the next request begins."""
        return self.ends or b"chunked" in self.data or (self.data.startswith(b"POST") and self.result[0] >= 400)

    @property
    def must_end(self) -> bool:
        return self.ends and not self.data.startswith(b"POST")


def results_in(received: bytes) -> list[Result]:
    """The final answers that have come whole."""
    found, at = [], 0
    while answer := ANSWER.match(received, at):
        length = re.search(rb"Content-Length: (\d+)", answer[2])
        at = answer.end() + (int(length[1]) if length else 0)
        if at > len(received):
            break
        body, status = received[answer.end() : at], int(answer[1])
        if status >= 200:
            found.append((status, json.loads(body)["error"] if status >= 400 else ""))
    return found


def alone(live: Live, data: bytes) -> Unit | None:
    """Send one request on a fresh connection; None unless it is one: answered once, whatever is asked behind it."""
    with Wire(live, timeout=PATIENCE) as wire:
        try:
            first = received(wire.send(data), 1)
        except (TimeoutError, ConnectionError):
            return None
        with suppress(ConnectionError):
            wire.send(END)
        results = results_in(first + received_to_the_end(wire))
    ends = len(results) == 1
    return Unit(data, results[0], ends) if ends or results[1:] == [(200, "")] else None


def received(wire: Wire, count: int) -> bytes:
    """Receive until so many answers have come, or the connection has ended."""
    data = b""
    while len(results_in(data)) < count and (piece := wire.socket.recv(262144)):
        data += piece
    return data


def received_to_the_end(wire: Wire) -> bytes:
    """Receive until the connection has ended, be it with a reset."""
    data = b""
    with suppress(ConnectionError, TimeoutError, ValueError):
        while piece := wire.socket.recv(262144):
            data += piece
    return data


def pipelined(live: Live, units: list[Unit], seed: int) -> str:
    """Send some requests in one breath, in pieces cut anywhere; '' when the answers are those they get alone."""
    dice = random.Random(seed)
    sequence = dice.choices(units, k=dice.randint(2, 8))
    data = b"".join(unit.data for unit in sequence) + END
    cuts = sorted({0, len(data), *(dice.randrange(len(data)) for _ in range(dice.choice([0, 1, 3, 20])))})
    with Wire(live) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):
            for start, end in pairwise(cuts):
                wire.socket.sendall(data[start:end])
                time.sleep(dice.choice([0, 0, 0.001]))
        return complaint(seed, sequence, results_in(received_to_the_end(wire)))


def complaint(seed: int, sequence: list[Unit], results: list[Result]) -> str:
    """What is wrong with the answers to a sequence, and to the request that ends the connection behind it."""
    expected = [*(unit.result for unit in sequence), (200, "")]
    answered, last = sequence[: len(results)], len(results) > len(sequence)
    is_wrong = results != expected[: len(results)] or any(unit.must_end for unit in sequence[: len(results) - 1])
    is_short = not last and not (answered and answered[-1].may_end)
    if not (is_wrong or is_short):
        return ""
    units = [(unit.data[:60], unit.data[-60:], len(unit.data), unit.result, unit.ends) for unit in sequence]
    return f"{seed}: {results}, which ends {'short' if is_short else 'wrong'}, for {units}"


def has_another_length(data: bytes) -> bool:
    """Does its body end elsewhere than it says? Then what follows it is its rest, or its rest is what follows."""
    start, _, body = data.partition(b"\r\n\r\n")
    return any(int(length) != len(body) for length in re.findall(rb"Content-Length: (\d+)", start, re.IGNORECASE))


def broken_units(live: Live, requests: list[bytes]) -> list[Unit]:
    """What is left of requests that have been broken, once what is no request by itself has been left out."""
    candidates = [mutated(random.Random(seed), [requests[seed % len(requests)]]) for seed in range(BROKEN)]
    usable = [data for data in candidates if not (UNSTEADY.search(data) or has_another_length(data))]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda data: alone(live, data), usable)
        return [unit for unit in found if unit]


def test_two_thousand_pipelined_sequences_are_answered_as_their_requests_are_alone(live: Live, line: str) -> None:
    """C7, C20, K6: valid and broken ones, in order, up to the first that ends the connection."""
    requests = [data for data in valid(line) if not UNSTEADY.search(data)]
    sound = [unit for unit in (alone(live, data) for data in requests) if unit]
    broken = broken_units(live, requests)
    assert (len(sound), len(broken) > BROKEN / 4) == (len(requests), True)
    goes_on = [unit for unit in broken if not unit.ends]
    units = sound * (len(broken) // len(sound)) + goes_on + random.Random(0).sample(broken, len(broken) // 4)
    with ThreadPoolExecutor(CLIENTS) as pool:
        complaints = [c for c in pool.map(lambda seed: pipelined(live, units, seed), range(SEQUENCES)) if c]
    assert complaints == []
    assert [entry for entry in live.lines if entry["level"] == "ERROR"] == []
    assert eventually(lambda: (threads(live), sockets_open(live)) == AT_REST)

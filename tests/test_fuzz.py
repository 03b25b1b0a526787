"""Five thousand broken requests over raw sockets: no 5xx, nothing left behind, and the service serves on."""

import random
import re
import selectors
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live
from tests.support.traces import left, requests_logged
from tests.support.wire import CHUNKED, EXPECT, UPLOAD, Wire, authorization, chunk, head, upload_head

COUNT, BATCH, CLIENTS = 5000, 50, 4
AT_REST = (6, 1)  # threads: the loop, the sweeper and four workers; sockets: the listening one
PATIENCE = 0.2  # seconds without any answer after which no more is expected: what was cut off gets none

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


def test_five_thousand_broken_requests_do_no_harm(live: Live) -> None:
    """C20: every answer below 500, every thread alive, descriptors and files as before, and no error in the log."""
    line = authorization(live)
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
    assert eventually(lambda: not list((live.instance / "uploads" / ".staging").iterdir()))
    found = left(live)
    assert (len(found["files"]), found["open"]) == (found["rows"], [])
    body = multipart(part())
    with Wire(live).send(upload_head(len(body), line), body) as wire:
        assert wire.answer().status == 200

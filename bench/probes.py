"""What load alone does not show: how soon a refusal comes, how long readers wait, what many uploads at once hold."""

import select
import socket
import threading
import time
from statistics import median, mode, quantiles

from load import CONTENT_TYPE, SIZES, body, uploads, wrk

LARGE = SIZES["10 MB"][0]
TRIES = 5
PNG = b"\x89PNG\r\n\x1a\n\0"  # as long as what a PDF begins with
ASKED_A_SECOND = 20


def head(server, length, signed=True):
    """The head of an upload whose body has `length` bytes."""
    headers = {"Host": "localhost", "Content-Length": length} | CONTENT_TYPE
    if signed:
        headers["Authorization"] = server.authorization
    lines = [f"POST {server.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def first_answer(server, start, content):
    """Send an upload until its answer begins; return (milliseconds, body bytes sent by then, status).

    The status is 0 when the connection broke before the client could read it.
    """
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        started = time.perf_counter()
        wire.sendall(start)
        wire.setblocking(False)
        rest = memoryview(content)
        status = 0
        while True:
            answered, room, _ = select.select([wire], [wire] if rest else [], [], 30)
            if answered or not room:
                break
            try:
                rest = rest[wire.send(rest[: 1 << 16]) :]
            except ConnectionError:
                break
        took = (time.perf_counter() - started) * 1000
        if answered:
            status = _status(wire)
        return took, len(content) - len(rest), status


def _status(wire):
    try:
        return int(wire.recv(64).split(b" ")[1])
    except (ConnectionError, IndexError):
        return 0


def refusals(server):
    """Send 10 MB as a stranger without a token, and as a PNG named .pdf; for each the medians until the answer."""
    good = body(LARGE, server.field)
    cases = {
        "stranger": (head(server, len(good), signed=False), good),
        "png": (head(server, len(good)), good.replace(b"%PDF-1.7\n", PNG)),
    }
    found = {}
    for case, (start, content) in cases.items():
        tries = []
        for _ in range(TRIES):
            tries.append(first_answer(server, start, content))
        server.rest()
        server.clear(LARGE)
        times, sent, statuses = zip(*tries, strict=True)
        found[case] = {"ms": round(median(times), 1), "sent": int(median(sent)), "status": mode(statuses)}
    return found


def documents(server, size, rounds):
    """p50 and p99 in ms of GET /api/documents, asked at a steady pace while uploads saturate the service.

    A question counts from when it is due, so that one that waits for its predecessor is not shortened.
    """
    took = []
    length, connections = SIZES[size]
    for _ in range(rounds):
        over = threading.Event()
        asker = threading.Thread(target=_ask, args=(server, over, took))
        asker.start()
        uploads(server, length, connections, 3)
        over.set()
        asker.join()
    cuts = quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "asked": len(took)}


def _ask(server, over, took):
    due = time.perf_counter()
    while not over.wait(max(0, due - time.perf_counter())):
        server.request("GET", "/api/documents", headers={"Authorization": server.authorization})
        took.append((time.perf_counter() - due) * 1000)
        due += 1 / ASKED_A_SECOND


def slow_uploads(server, count=500):
    """MiB over idle with `count` uploads open that have each sent 100 kB of 1 MB."""
    before = server.memory()
    start = head(server, 1_000_000) + body(1_000_000)[:100_000]
    wires = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
    for wire in wires:
        wire.sendall(start)
    time.sleep(2)
    more = server.memory() - before
    for wire in wires:
        wire.close()
    return {"count": count, "idle_mib": round(before), "over_idle_mib": round(more, 1)}


def many_uploads(server, count=64):
    """MiB over idle at the peak of `count` uploads of 10 MB at once, after a few have warmed the service up."""
    uploads(server, LARGE, 1, 1)
    server.forget_peak()
    before = server.memory()
    run = wrk(server, body(LARGE), count, 3)
    more = server.memory("VmHWM") - before
    server.rest()
    server.clear(LARGE)
    return {"count": count, "idle_mib": round(before), "over_idle_mib": round(more, 1), "refused": run["refused"]}

"""A ZIP on its way through a real server: it streams, breaks off visibly, and leaves room for everybody else."""

import json
import secrets
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support.bodies import PDF, part
from tests.support.clock import eventually
from tests.support.engines import Live
from tests.support.stack import change, rows, storage_of
from tests.support.traces import open_files, requests_logged
from tests.support.wire import Wire, head
from tests.test_archive import address

BIG = PDF.ljust(9_000_000, b"x")
MANY = 6  # more than the server keeps for a client that reads nothing


def stored(live: Live, headers: dict[str, str], *contents: bytes) -> list[str]:
    answer = live.upload(headers, *(part(filename=f"{n}.pdf", content=data) for n, data in enumerate(contents)))
    assert answer[0] == 200, answer
    return [file["id"] for file in json.loads(answer[2])["files"]]


def copied(live: Live, headers: dict[str, str], count: int = MANY) -> list[str]:
    """The ids of so many large documents, which share their bytes: what is tested is how they are sent."""
    [first] = stored(live, headers, BIG)
    ids = [first, *(secrets.token_hex(16) for _ in range(count - 1))]
    columns = "user_id, filename, search_key, path, content_type, size, sha256, status, created_at, part, fieldname"
    for id_ in ids[1:]:
        change(
            live,
            f"INSERT INTO documents (public_id, {columns})"
            f" SELECT :id, {columns} FROM documents WHERE public_id = :first",
            id=id_,
            first=first,
        )
    return ids


def asking(ids: list[str], headers: dict[str, str], method: str = "GET") -> bytes:
    return head(f"{method} {address(ids)} HTTP/1.1", f"Authorization: {headers['Authorization']}")


def everything(wire: Wire) -> bytes:
    """What comes until the connection ends."""
    return b"".join(iter(lambda: wire.read(1 << 20), b""))


def chunks_of(body: bytes) -> tuple[bytes, bool]:
    """The content of a chunked body, and whether its last chunk came (RFC 9112 §7.1)."""
    content, at = [], 0
    while at < len(body):
        line = body.index(b"\r\n", at)
        length, at = int(body[at:line], 16), line + 2
        if not length:
            return b"".join(content), True
        content.append(body[at : at + length])
        at += length + 2
    return b"".join(content), False


@pytest.fixture
def headers(live: Live) -> dict[str, str]:
    return live.login()


@pytest.fixture
def stalled() -> Iterator[Callable[..., Wire]]:
    """Ask for archives, and read of each only that it begins."""
    with ExitStack() as held:

        def begin(live: Live, ids: list[str], headers: dict[str, str]) -> Wire:
            wire = held.enter_context(Wire(live, receive_buffer=4096))
            wire.send(asking(ids, headers))
            return wire

        yield begin


def test_a_large_archive_arrives_whole(live: Live, headers: dict[str, str]) -> None:
    """Issue 11, 2: chunked, for its length is not known; a Range is ignored (RFC 9110 §14.2)."""
    ids = stored(live, headers, BIG, PDF, BIG)
    status, told, body = live.request("GET", address(ids), headers=headers | {"Range": "bytes=0-9"})
    assert (status, told["transfer-encoding"]) == (200, "chunked")
    assert not {"content-length", "accept-ranges", "content-range"} & told.keys()
    found = zipfile.ZipFile(BytesIO(body))
    assert [found.read(name) for name in found.namelist()] == [BIG, PDF, BIG]


def test_five_hundred_ids_fit_into_an_address(live: Live, headers: dict[str, str]) -> None:
    """Issue 11, 2: with the headers of a browser beside them."""
    ids = [id_ for _ in range(25) for id_ in stored(live, headers, *[PDF] * 20)]
    browser = {"User-Agent": "Mozilla/5.0 " + "x" * 200, "Cookie": f"token={'x' * 500}; other={'y' * 4000}"}
    status, _, body = live.request("GET", address(ids), headers=headers | browser)
    assert status == 200 and len(zipfile.ZipFile(BytesIO(body)).namelist()) == 500


def test_head_tells_what_get_would_and_sends_nothing(live: Live, headers: dict[str, str]) -> None:
    """RFC 9110 §9.3.2: not even the last chunk, which would be taken for the next answer's beginning."""
    ids = stored(live, headers, PDF)
    with Wire(live).send(asking(ids, headers, "HEAD")) as wire:
        answer = wire.answer(has_body=False)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
        assert "content-length" not in answer.headers
        assert wire.ended()


def test_memory_stays_flat(live: Live, headers: dict[str, str]) -> None:
    """Issue 11, 2: 270 MB pass through."""
    ids = copied(live, headers, 30)

    def resident() -> int:
        status = Path(f"/proc/{live.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    before = resident()
    with Wire(live).send(asking(ids, headers)) as wire:
        assert wire.answer().status == 200
        size = sum(len(piece) for piece in iter(lambda: wire.read(1 << 20), b""))
    assert size > 30 * len(BIG)
    assert resident() - before < 16 << 20


# --- bad luck


def test_a_file_that_vanished_is_seen_to_be_missing(live: Live, headers: dict[str, str]) -> None:
    """Issue 11, bad luck: no last chunk, the connection closes, nobody takes it for whole; the log says which."""
    ids = stored(live, headers, PDF, PDF, BIG, PDF)
    [(path,)] = rows(live, "SELECT path FROM documents WHERE public_id = :id", id=ids[2])
    storage_of(live).delete(path)
    with Wire(live).send(asking(ids, headers)) as wire:
        answer = wire.answer()
        content, ended = chunks_of(everything(wire))
    assert (answer.status, ended, content.count(PDF)) == (200, False, 2)
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(BytesIO(content))
    [line] = [line for line in live.lines if line["message"] == "archive_broken_off"]
    assert (line["document_id"], line["request_id"]) == (ids[2], answer.headers["x-request-id"])
    assert (line["level"], line["reason"]) == ("ERROR", "the file is missing")
    assert "Traceback" not in live.log.read_text()
    assert live.request("GET", address([ids[0], ids[3]]), headers=headers)[0] == 200
    assert live.request("DELETE", f"/api/documents/{ids[2]}", headers=headers)[0] == 200


def test_a_document_that_is_deleted_meanwhile_breaks_it_off(
    live: Live, headers: dict[str, str], stalled: Callable[..., Wire]
) -> None:
    """Issue 11, bad luck: what was sent stays sent, and what has gone is not made up for."""
    many = copied(live, headers)
    [last] = stored(live, headers, PDF)
    wire = stalled(live, [*many, last], headers)
    assert wire.answer().status == 200
    assert live.request("DELETE", f"/api/documents/{last}", headers=headers)[0] == 200
    content, ended = chunks_of(everything(wire))
    assert not ended and content.count(PDF) == MANY and b"PK\x05\x06" not in content
    assert [line["document_id"] for line in live.lines if line["message"] == "archive_broken_off"][-1] == last


def test_a_client_that_goes_away_frees_everything(live: Live, headers: dict[str, str]) -> None:
    """Issue 11, 2: more of them than there are places, and the next one is served."""
    ids = copied(live, headers)
    for _ in range(6):
        with Wire(live, receive_buffer=4096).send(asking(ids, headers)) as wire:
            assert wire.answer().status == 200
        assert eventually(lambda: open_files(live.process.pid) == [])
    assert live.request("GET", address(ids[:2]), headers=headers)[0] == 200
    assert "Traceback" not in live.log.read_text()


# --- room for others


@pytest.mark.parametrize(("threads", "places"), [("4", 2), ("2", 1)])
def test_archives_take_not_every_thread(
    threads: str, places: int, start: Callable[..., Live], stalled: Callable[..., Wire]
) -> None:
    """Issue 11, 2: as with downloads that pass through from a bucket; who comes too many is told when to come again."""
    live = start(THREADS=threads)
    headers = live.login()
    ids = copied(live, headers)
    taken = [stalled(live, ids, headers) for _ in range(places)]
    assert [wire.answer().status for wire in taken] == [200] * places
    for method, path in (("GET", "/healthz"), ("GET", "/api/documents"), ("HEAD", address(ids))):
        assert live.request(method, path, headers=headers)[0] == 200
    status, told, body = live.request("GET", address(ids), headers=headers)
    assert (status, told["retry-after"], json.loads(body)["error"]) == (503, "5", "unavailable")
    assert live.upload(headers)[0] == 200
    assert live.request("GET", f"/api/documents/{ids[0]}/content", headers=headers)[2] == BIG
    taken[0].close()
    assert eventually(lambda: live.request("GET", address(ids[:2]), headers=headers)[0] == 200, 20)


def test_a_stop_waits_for_an_archive_and_not_for_ever(start: Callable[..., Live], stalled: Callable[..., Wire]) -> None:
    """DRAIN_SECONDS: then the connection is closed, and what came of it has no end."""
    live = start(DRAIN_SECONDS="1")
    headers = live.login()
    wire = stalled(live, copied(live, headers), headers)
    assert wire.answer().status == 200
    assert live.stop() == 0
    content: Any = everything_until_reset(wire)
    assert b"PK\x05\x06" not in content
    assert not [line for line in requests_logged(live) if line["status"] >= 500]


def everything_until_reset(wire: Wire) -> bytes:
    try:
        return everything(wire)
    except OSError:
        return b""

"""A store that is away, dies or hangs, a service that is killed: nothing is half-kept, nothing promised is lost."""

import http.client
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live
from tests.support.s3 import Store, settled

BIG = PDF.ljust(9_000_000, b"x")


@pytest.fixture
def bucket(frail: Store) -> str:
    return frail.bucket()


@pytest.fixture
def live(frail: Store, bucket: str, start: Callable[..., Live]) -> Live:
    return start(**frail.environ(bucket))


def left(live: Live) -> tuple[list[tuple[Any, ...]], int, list[Path]]:
    """Rows, what they count, staged files."""
    with closing(sqlite3.connect(live.instance / "app.db")) as database:
        rows = database.execute("SELECT path, status FROM documents").fetchall()
        [used] = database.execute("SELECT sum(used_bytes) FROM users").fetchone()
    return rows, used, list((live.instance / "uploads" / ".staging").iterdir())


def is_ready(live: Live) -> bool:
    return live.request("GET", "/readyz")[0] == 200


def test_a_store_that_is_away_is_503_and_comes_back_without_a_restart(live: Live, frail: Store, bucket: str) -> None:
    """Nothing of the upload is kept, the service is not ready, and tells who asks to come again."""
    headers = live.login() | {"Idempotency-Key": "again"}
    assert is_ready(live)
    frail.stop()
    status, told, body = live.upload(headers, part(filename="telltale.pdf"))
    assert (status, json.loads(body)["error"], told["retry-after"]) == (503, "unavailable", "5")
    assert "telltale" not in live.log.read_text()  # the store's client names the object
    assert left(live) == ([], 0, [])
    assert eventually(lambda: not is_ready(live), 20)
    frail.start()
    assert eventually(lambda: is_ready(live), 20)
    assert live.upload(headers)[0] == 200
    assert len(settled(live, frail, bucket)) == 1


def test_a_store_that_is_away_takes_no_download_with_it(frail: Store, bucket: str, start: Callable[..., Live]) -> None:
    live = start(**frail.environ(bucket), S3_PROXY_DOWNLOADS="1")
    headers = live.login()
    [file] = json.loads(live.upload(headers)[2])["files"]
    frail.stop()
    for asked in ({}, {"Range": "bytes=5-9"}):
        status, told, body = live.request("GET", f"/api/documents/{file['id']}/content", headers=headers | asked)
        assert (status, json.loads(body)["error"], told["retry-after"]) == (503, "unavailable", "5")
    status, _, body = live.request("DELETE", f"/api/documents/{file['id']}", headers=headers)
    assert (status, left(live)) == (200, ([], 0, []))  # the row is gone, and the bytes are the sweep's
    verified = live.flask("verify")
    assert (verified.returncode, verified.stdout) == (0, "0 documents, 0 damaged.\n")
    frail.start()
    assert settled(live, frail, bucket) == {}


def test_a_store_that_dies_in_an_upload_leaves_no_row(live: Live, frail: Store, bucket: str) -> None:
    """Of twenty files some lie in the bucket already: they are garbage, which the sweep removes."""
    headers = live.login()
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(live.upload, headers, *[part(content=BIG)] * 20)
        assert eventually(lambda: len(frail.objects(bucket)) > 2, 60)
        frail.stop()
        status, _, body = upload.result()
    assert (status, json.loads(body)["ok"]) == (503, False)
    assert left(live) == ([], 0, [])
    frail.start()
    assert settled(live, frail, bucket) == {}
    assert eventually(lambda: live.upload(headers)[0] == 200, 20)


def test_a_store_that_hangs_keeps_nobody_else_waiting(live: Live, frail: Store, bucket: str) -> None:
    """Who needs no store is answered meanwhile; the upload ends well when the store goes on."""
    headers = live.login()
    with ThreadPoolExecutor(1) as pool:
        with frail.paused():
            upload = pool.submit(live.upload, headers)
            assert live.request("GET", "/api/documents", headers=headers)[0] == 200
            assert eventually(lambda: not is_ready(live), 20)
            assert not upload.done()
        assert upload.result()[0] == 200
    assert len(settled(live, frail, bucket)) == 1


def test_a_store_that_hangs_takes_not_every_thread(live: Live, frail: Store, bucket: str) -> None:
    """More uploads than threads: those who find no place are told soon, and who needs no store is answered."""
    headers = live.login()
    with ThreadPoolExecutor(8) as pool:
        with frail.paused():
            uploads = [pool.submit(live.upload, headers) for _ in range(8)]
            assert eventually(lambda: sum(upload.done() for upload in uploads) == 5, 18)
            assert live.request("GET", "/api/documents", headers=headers)[0] == 200
        statuses = sorted(upload.result()[0] for upload in uploads)
    assert statuses == [200] * 3 + [503] * 5
    assert len(settled(live, frail, bucket)) == 3


def test_the_last_of_twenty_files_fails_and_none_is_kept(live: Live, frail: Store, bucket: str) -> None:
    """All or nothing, at once and not only after a sweep."""
    headers = live.login()
    when = "BEFORE INSERT ON documents WHEN new.part = 19"
    with closing(sqlite3.connect(live.instance / "app.db")) as database, database:
        database.execute(f"CREATE TRIGGER failing {when} BEGIN SELECT RAISE(FAIL, 'not the last'); END")
    status, _, body = live.upload(headers, *[part()] * 20)
    assert (status, json.loads(body)["ok"]) == (500, False)
    assert (left(live), frail.objects(bucket)) == (([], 0, []), {})


def test_a_client_that_leaves_while_files_are_stored_leaves_nothing(live: Live, frail: Store, bucket: str) -> None:
    """499, as soon as it is noticed."""
    body = multipart(*[part(content=BIG)] * 20)
    head = f"POST /api/upload HTTP/1.1\r\nHost: a\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: {live.login()['Authorization']}\r\n\r\n"
    with live.connect(timeout=60) as connection:
        connection.sendall(head.encode() + body)
        assert eventually(lambda: frail.objects(bucket), 60)
    assert eventually(lambda: [line for line in live.lines if line.get("status") == 499], 60)
    assert (left(live), frail.objects(bucket)) == (([], 0, []), {})


def test_a_store_that_dies_in_a_download_cuts_it_off(frail: Store, bucket: str, start: Callable[..., Live]) -> None:
    """Never a short answer that looks whole."""
    live = start(**frail.environ(bucket), S3_PROXY_DOWNLOADS="1", MAX_FILE_BYTES=str(64 << 20))
    headers = live.login()
    [file] = json.loads(live.upload(headers, part(content=PDF.ljust(60 << 20, b"x")))[2])["files"]
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)
    with closing(connection):
        connection.request("GET", f"/api/documents/{file['id']}/content", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, len(answer.read(1000))) == (200, 1000)
        frail.stop()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
    assert live.request("GET", "/healthz")[0] == 200

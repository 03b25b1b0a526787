"""Files in a bucket: the real `serve` on SQLite and SeaweedFS."""

import hashlib
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live, start_live
from tests.support.people import PASSWORD
from tests.support.s3 import Store, Way, way_to
from uploadsvc.storage import BucketSettings, Storage, storage_for

NAMES = [
    "a b.pdf",
    "a+b%20&c#d?e=f.pdf",
    '"it\'s" <quoted>.pdf',
    "naïve 日本語 файл.pdf",
    "שלום עולם.pdf",
    "..pdf.pdf",
    "back\\slash.pdf",
    "ä" * 118 + ".pdf",
]


@pytest.fixture
def bucket(store: Store) -> Iterator[str]:
    name = store.bucket()
    yield name
    store.discard(name)


@pytest.fixture
def serving(store: Store, bucket: str, start: Callable[..., Live]) -> Callable[..., Live]:
    """Start `serve` on the bucket, with settings of one's own."""
    return lambda **environ: start(**store.environ(bucket) | environ)


@pytest.fixture
def live(serving: Callable[..., Live]) -> Live:
    return serving()


@pytest.fixture
def kept(store: Store, bucket: str, tmp_path: Path) -> Storage:
    """The storage itself."""
    settings = BucketSettings(bucket, "us-east-1", store.endpoint, store.key, store.secret, "", 8, False)
    return storage_for(tmp_path / "staged", 0, settings)


def rows(live: Live, query: str = "SELECT path, status FROM documents ORDER BY id") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(live.instance / "app.db")) as database:
        return database.execute(query).fetchall()


def used(live: Live) -> int:
    return int(rows(live, "SELECT sum(used_bytes) FROM users")[0][0])


def staged(live: Live) -> list[Path]:
    return list((live.instance / "uploads" / ".staging").iterdir())


def uploaded(live: Live, headers: dict[str, str], *parts: bytes) -> list[dict[str, Any]]:
    status, _, body = live.upload(headers, *parts)
    assert status == 200, body
    files: list[dict[str, Any]] = json.loads(body)["files"]
    return files


def fetched(url: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """What a client gets that follows a redirect, without what it shows to the service."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=20) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, error.read()


def other_account(live: Live) -> dict[str, str]:
    assert live.flask("users", "add", "bob@example.com", "--password-stdin", stdin=f"{PASSWORD}\n").returncode == 0
    return live.login("bob@example.com")


# --- uploads --------------------------------------------------------------------------------------------------------


def test_an_upload_lies_in_the_bucket_and_nowhere_else(live: Live, store: Store, bucket: str) -> None:
    """The row names the object, which is what was sent, is an attachment to whoever meets it there."""
    [file] = uploaded(live, live.login())
    path = file["savedTo"].removeprefix("/uploads/")
    assert (store.objects(bucket), rows(live)) == ({path: len(PDF)}, [(path, "success")])
    assert (used(live), staged(live), store.multiparts(bucket)) == (len(PDF), [], [])
    with store.client() as client:
        found = client.get_object(Bucket=bucket, Key=path)
        assert found["Body"].read() == PDF
    assert found["ContentDisposition"].startswith("attachment; filename*=UTF-8''a.pdf")
    assert not [path for path in (live.instance / "uploads").rglob("*") if path.is_file()]


def test_equal_names_in_one_upload_are_different_objects(live: Live, store: Store, bucket: str) -> None:
    files = uploaded(live, live.login(), *[part(content=PDF + bytes([n])) for n in range(20)])
    assert len({file["savedTo"] for file in files}) == len(store.objects(bucket)) == 20
    assert (len(rows(live)), used(live)) == (20, 20 * (len(PDF) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_makes_the_whole_journey(name: str, live: Live, store: Store, bucket: str) -> None:
    """F7: put, listed, fetched by a presigned address with its true name, deleted."""
    headers = live.login()
    path = f"/api/upload/{quote(name, safe='')}"
    status, _, body = live.request("PUT", path, PDF, headers | {"Content-Type": "application/pdf"})
    assert status == 200, body
    [file] = json.loads(body)["files"]
    assert (file["filename"], list(store.objects(bucket))) == (name, [file["savedTo"].removeprefix("/uploads/")])
    content = f"/api/documents/{file['id']}/content"
    status, told, body = live.request("GET", content, headers=headers)
    assert (status, body) == (302, b"")
    status, sent, body = fetched(told["location"])
    assert (status, body, sent["content-type"]) == (200, PDF, "application/pdf")
    assert sent["content-disposition"].endswith(f"filename*=UTF-8''{quote(name, safe='')}")
    assert live.request("DELETE", f"/api/documents/{file['id']}", headers=headers)[0] == 200
    assert (store.objects(bucket), rows(live), used(live)) == ({}, [], 0)


@pytest.mark.parametrize("size", [16 << 20, (16 << 20) + 1, 40 << 20])
def test_a_large_file_arrives_whole(size: int, serving: Callable[..., Live], store: Store, bucket: str) -> None:
    """In parts where it is large: the object has every byte, and no part is left."""
    live, body = serving(MAX_FILE_BYTES=str(64 << 20)), PDF.ljust(size, b"x")
    headers = live.login()
    [file] = uploaded(live, headers, part(content=body))
    assert list(store.objects(bucket).values()) == [size] and store.multiparts(bucket) == []
    told = live.request("GET", f"/api/documents/{file['id']}/content", headers=headers)[1]
    assert hashlib.sha256(fetched(told["location"])[2]).hexdigest() == file["sha256"]
    assert live.flask("verify").stdout == "1 documents, 0 damaged.\n"


def test_twenty_repeats_at_once_are_stored_once(serving: Callable[..., Live], store: Store, bucket: str) -> None:
    """U9: all get the same answer; the losers' objects and rows are gone."""
    live = serving(THREADS="8")
    headers = live.login() | {"Idempotency-Key": "the-same"}
    files = [part(content=PDF + bytes([n])) for n in range(3)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: live.upload(headers, *files), range(20)))
    assert {(status, body) for status, _, body in answers} == {(200, answers[0][2])}
    assert (len(store.objects(bucket)), len(rows(live)), used(live)) == (3, 3, 3 * (len(PDF) + 1))
    assert sorted(store.objects(bucket)) == sorted(path for path, _ in rows(live))


def test_twenty_uploads_at_once_fill_the_quota_exactly(serving: Callable[..., Live], store: Store, bucket: str) -> None:
    live = serving(THREADS="8", USER_QUOTA_BYTES=str(5 * len(PDF)))
    headers = live.login()
    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(lambda _: live.upload(headers)[0], range(20)))
    assert statuses == [200] * 5 + [507] * 15
    assert (len(store.objects(bucket)), len(rows(live)), used(live)) == (5, 5, 5 * len(PDF))


def test_two_processes_take_no_name_from_each_other(serving: Callable[..., Live], store: Store, bucket: str) -> None:
    """Equal names in equal milliseconds: the store decides who has which."""
    live = serving(WORKERS="2")
    headers = live.login()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: uploaded(live, headers, part(content=PDF + bytes([n]))), range(40)))
    assert len({file["savedTo"] for [file] in found}) == 40
    assert sorted(store.objects(bucket)) == sorted(path for path, _ in rows(live))


def test_a_row_whose_bytes_are_on_their_way_is_seen_by_nobody(live: Live) -> None:
    """Not in the list, not in the figures, not charged, not found by its id, not verified."""
    headers = live.login()
    [file] = uploaded(live, headers)
    with closing(sqlite3.connect(live.instance / "app.db")) as database, database:
        database.execute("UPDATE documents SET status = 'pending'")
        database.execute("UPDATE users SET used_bytes = 0, document_count = 0")
    assert json.loads(live.request("GET", "/api/documents", headers=headers)[2])["documents"] == []
    for path in ("", "/content"):
        assert live.request("GET", f"/api/documents/{file['id']}{path}", headers=headers)[0] == 404
    assert live.request("DELETE", f"/api/documents/{file['id']}", headers=headers)[0] == 404
    assert live.flask("verify").stdout == "0 documents, 0 damaged.\n"
    assert live.flask("documents", "list").stdout == ""
    assert b"\ndocuments 0.0\n" in live.request("GET", "/metrics")[2]


# --- downloads ------------------------------------------------------------------------------------------------------


def test_a_download_is_sent_to_the_store(live: Live) -> None:
    """For five minutes, to the owner alone; nobody keeps the address, and it is good for nothing else."""
    headers = live.login()
    [file] = uploaded(live, headers)
    content = f"/api/documents/{file['id']}/content"
    status, told, _ = live.request("GET", content, headers=headers)
    assert (status, told["cache-control"]) == (302, "private, no-store")
    assert parse_qs(urlsplit(told["location"]).query)["X-Amz-Expires"] == ["300"]
    assert fetched(told["location"])[2] == PDF
    assert fetched(told["location"], {"Range": "bytes=0-3"})[::2] == (206, PDF[:4])
    for forged in (told["location"][:-1] + "0", told["location"].replace("X-Amz-Expires=300", "X-Amz-Expires=3000")):
        assert forged == told["location"] or fetched(forged)[0] == 403
    assert live.request("GET", content)[0] == 401
    assert live.request("GET", content, headers=other_account(live))[0] == 404
    assert "X-Amz" not in live.log.read_text()


def test_what_the_row_can_tell_takes_no_store(live: Live) -> None:
    """HEAD, and If-None-Match of what the client has."""
    headers = live.login()
    [file] = uploaded(live, headers)
    content = f"/api/documents/{file['id']}/content"
    status, told, body = live.request("HEAD", content, headers=headers)
    assert (status, told["content-length"], told["etag"], body) == (200, str(len(PDF)), f'"{file["sha256"]}"', b"")
    assert told["content-disposition"].startswith("attachment; filename=")
    status, told, _ = live.request("GET", content, headers=headers | {"If-None-Match": f'"{file["sha256"]}"'})
    assert (status, "location" in told) == (304, False)


def test_downloads_can_pass_through_the_service(serving: Callable[..., Live]) -> None:
    """With S3_PROXY_DOWNLOADS as from a folder: whole, in part, from the middle, and 416 behind the end."""
    live, body = serving(S3_PROXY_DOWNLOADS="1"), PDF.ljust(1_000_000, b"x")
    headers = live.login()
    [file] = uploaded(live, headers, part(content=body))
    content = f"/api/documents/{file['id']}/content"
    status, told, sent = live.request("GET", content, headers=headers)
    assert (status, sent, told["content-length"], told["etag"]) == (200, body, "1000000", f'"{file["sha256"]}"')
    for asked, expected in (("0-3", body[:4]), ("500000-699999", body[500_000:700_000]), ("-7", body[-7:])):
        status, _, sent = live.request("GET", content, headers=headers | {"Range": f"bytes={asked}"})
        assert (status, sent == expected) == (206, True), asked
    assert live.request("GET", content, headers=headers | {"Range": "bytes=1000000-"})[0] == 416
    assert live.request("HEAD", content, headers=headers)[1]["content-length"] == "1000000"


ASKED = [  # for a document of a million bytes: method, headers, the answer's status, what is asked of the store
    ("GET", {}, 200, [("GET", "")]),
    ("GET", {"Range": "bytes=500000-699999"}, 206, [("GET", "bytes=500000-699999")]),
    ("GET", {"Range": "bytes=-7"}, 206, [("GET", "bytes=999993-999999")]),
    ("GET", {"Range": "bytes=0-3", "If-Range": '"another"'}, 200, [("GET", "")]),
    ("GET", {"Range": "bytes=1000000-"}, 416, []),
    ("GET", {"If-None-Match": "*"}, 304, []),
    ("GET", {"If-Match": '"another"'}, 412, []),
    ("GET", {"If-Match": '"another"', "Range": "bytes=0-3"}, 412, []),
    ("GET", {"If-Match": "*", "If-None-Match": "*"}, 304, []),
    ("GET", {"If-Match": "*"}, 200, [("GET", "")]),
    ("HEAD", {"Range": "bytes=0-3"}, 200, []),
]


def test_the_store_is_asked_once_for_what_is_sent(serving: Callable[..., Live], store: Store) -> None:
    """What the row can tell costs no request, a part of the bytes one for that part."""
    body = PDF + bytes(n % 251 for n in range(1_000_000 - len(PDF)))
    with way_to(store) as way:
        live = serving(S3_PROXY_DOWNLOADS="1", AWS_ENDPOINT_URL=f"http://127.0.0.1:{way.port}")
        headers = live.login()
        [file] = uploaded(live, headers, part(content=body))
        for method, given, status, asked in ASKED:
            way.asked.clear()
            answer = live.request(method, f"/api/documents/{file['id']}/content", headers=headers | given)
            assert (answer[0], way.asked) == (status, asked)
            if status == 206:
                first, _, last = asked[0][1].removeprefix("bytes=").partition("-")
                assert answer[2] == body[int(first) : int(last) + 1]
        live.stop()


@pytest.mark.parametrize("proxied", ["0", "1"])
def test_a_condition_that_fails_is_412_in_json(proxied: str, serving: Callable[..., Live]) -> None:
    """RFC 9110 §13.1.1: If-Match of what the document is not; the connection stays usable."""
    live = serving(S3_PROXY_DOWNLOADS=proxied)
    headers = live.login()
    [file] = uploaded(live, headers)
    with closing(live.http()) as connection:
        for _ in range(2):
            connection.request("GET", f"/api/documents/{file['id']}/content", headers=headers | {"If-Match": '"no"'})
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["error"]) == (412, "precondition_failed")


@pytest.mark.parametrize("proxied", ["0", "1"])
def test_a_download_whose_object_is_gone_is_a_fault(
    proxied: str, serving: Callable[..., Live], store: Store, bucket: str
) -> None:
    """Through the service 500 and a line in the log; the store answers for itself."""
    live = serving(S3_PROXY_DOWNLOADS=proxied)
    headers = live.login()
    [file] = uploaded(live, headers)
    with store.client() as client:
        client.delete_object(Bucket=bucket, Key=file["savedTo"].removeprefix("/uploads/"))
    status, told, body = live.request("GET", f"/api/documents/{file['id']}/content", headers=headers)
    if proxied == "1":
        assert (status, json.loads(body)["error"]) == (500, "storage_error")
        assert [line["reason"] for line in live.lines if line["message"] == "storage_failed"] == ["the file is missing"]
    else:
        assert fetched(told["location"])[0] == 404
    verified = live.flask("verify")
    assert (verified.returncode, "the file is missing" in verified.stderr) == (1, True)


def test_a_client_that_leaves_a_download_holds_nothing(serving: Callable[..., Live]) -> None:
    """The store's connection and the thread are given back; who reads slowly keeps nobody else waiting."""
    live = serving(S3_PROXY_DOWNLOADS="1", MAX_FILE_BYTES=str(64 << 20), THREADS="2")
    headers = live.login()
    [file] = uploaded(live, headers, part(content=PDF.ljust(60 << 20, b"x")))
    request = f"GET /api/documents/{file['id']}/content HTTP/1.1\r\nHost: a\r\n"
    request += f"Authorization: {headers['Authorization']}\r\n\r\n"
    for _ in range(5):
        with live.connect(receive_buffer=4096) as connection:
            connection.sendall(request.encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
            assert live.request("GET", "/healthz")[0] == 200
    assert eventually(lambda: live.request("GET", f"/api/documents/{file['id']}", headers=headers)[0] == 200)


@pytest.fixture
def slow_way(store: Store) -> Iterator[Way]:
    with way_to(store) as way:
        yield way


def others_are_answered(live: Live, headers: dict[str, str]) -> None:
    assert live.request("GET", "/healthz")[0] == 200
    assert live.request("GET", "/api/documents", headers=headers)[0] == 200
    live.login()
    uploaded(live, headers)


def test_a_store_that_stalls_in_downloads_takes_not_every_thread(
    slow_way: Way, serving: Callable[..., Live], store: Store
) -> None:
    """Two of six wait for it; the others are asked to come again, and who needs other things gets them."""
    endpoint = f"http://127.0.0.1:{slow_way.port}"
    live = serving(S3_PROXY_DOWNLOADS="1", AWS_ENDPOINT_URL=endpoint, THREADS="4")
    headers, body = live.login(), PDF.ljust(8 << 20, b"x")
    [file] = uploaded(live, headers, part(content=body))
    slow_way.lets_pass = 1 << 20
    with ThreadPoolExecutor(6) as pool:
        get = ("GET", f"/api/documents/{file['id']}/content", None, headers)
        downloads = [pool.submit(live.request, *get) for _ in range(6)]
        others_are_answered(live, headers)
        assert eventually(lambda: sum(download.done() for download in downloads) == 4, 20)
        others_are_answered(live, headers)
        assert sum(download.done() for download in downloads) == 4
        slow_way.goes_on.set()
        answers = sorted((download.result() for download in downloads), key=lambda answer: answer[0])
    assert [answer[0] for answer in answers] == [200] * 2 + [503] * 4
    assert [answer[2] == body for answer in answers[:2]] == [True, True]
    assert {(told["retry-after"], json.loads(text)["error"]) for _, told, text in answers[2:]} == {("5", "unavailable")}
    live.stop()


def test_clients_that_read_slowly_take_not_every_thread(serving: Callable[..., Live]) -> None:
    """A file that is larger than what the server keeps for a client: two read, and when they have gone others can."""
    live = serving(S3_PROXY_DOWNLOADS="1", MAX_FILE_BYTES=str(64 << 20), THREADS="4")
    headers = live.login()
    [file] = uploaded(live, headers, part(content=PDF.ljust(48 << 20, b"x")))
    path = f"/api/documents/{file['id']}/content"
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {headers['Authorization']}\r\n\r\n"
    with ExitStack() as held:
        readers = [held.enter_context(live.connect(receive_buffer=4096)) for _ in range(6)]
        for reader in readers:
            reader.sendall(request.encode())
        others_are_answered(live, headers)
        assert sorted(reader.recv(12) for reader in readers) == [b"HTTP/1.1 200"] * 2 + [b"HTTP/1.1 503"] * 4
        others_are_answered(live, headers)
    assert eventually(lambda: live.request("GET", path, headers=headers)[0] == 200)


# --- the sweep ------------------------------------------------------------------------------------------------------


def test_the_sweep_removes_what_no_row_names_and_nothing_else(live: Live, store: Store, bucket: str) -> None:
    """Leftovers of all kinds go; documents, what is somebody else's, and what is young stay."""
    [file] = uploaded(live, live.login())
    foreign = ["readme.txt", "backups/2026.tar", "1/notes.txt", "1/deep/1700000000000-a.pdf", "x/1700000000000-a.pdf"]
    leftovers = ["1/1700000000000-a.pdf", "77/1700000000000-ü b.pdf"]
    with store.client() as client:
        for key in [*foreign, *leftovers]:
            client.put_object(Bucket=bucket, Key=key, Body=b"x")
        for key in ("1/1700000000001-a.pdf", "films/a.mp4"):
            client.create_multipart_upload(Bucket=bucket, Key=key)
    (live.instance / "uploads" / ".staging" / "0123.part").touch()
    with closing(sqlite3.connect(live.instance / "app.db")) as database, database:
        columns = "user_id, filename, path, content_type, size, sha256, status, created_at, part, fieldname, public_id"
        given = "1, 'a', '1/1700000000000-a.pdf', 'a', 1, 'a', 'pending', '2026-01-01 00:00:00.000000', 0, 'a', 'b'"
        database.execute(f"INSERT INTO documents ({columns}) VALUES ({given})")
    assert live.flask("sweep", "--older-than", "3600").stdout == ""
    assert len(rows(live)) == 1  # what was announced in January is given up by any sweep
    done = live.flask("sweep", "--older-than", "0")
    removed = {line.removeprefix("Removed ") for line in done.stdout.splitlines()}
    assert removed == {*leftovers, "1/1700000000001-a.pdf", ".staging/0123.part"}
    assert set(store.objects(bucket)) == {*foreign, file["savedTo"].removeprefix("/uploads/")}
    assert (store.multiparts(bucket), staged(live)) == (["films/a.mp4"], [])


def test_an_upload_that_the_sweep_gave_up_is_refused_cleanly(live: Live) -> None:
    """Its rows are gone before it ends: no document, nothing charged, and a retry is welcome."""
    headers = live.login()
    trigger = "CREATE TRIGGER giving_up AFTER INSERT ON documents BEGIN DELETE FROM documents WHERE id = new.id; END"
    with closing(sqlite3.connect(live.instance / "app.db")) as database, database:
        database.execute(trigger)
    status, told, body = live.upload(headers)
    assert (status, json.loads(body)["error"], told["retry-after"]) == (503, "unavailable", "5")
    assert (rows(live), used(live)) == ([], 0)


# --- the storage itself ---------------------------------------------------------------------------------------------


def test_a_taken_name_passes_to_a_later_one(kept: Storage, store: Store, bucket: str) -> None:
    """Never over another instance's object: what is announced again is where it lies."""
    told: list[str] = []

    def take_it(path: str) -> None:
        told.append(path)
        if len(told) < 3:
            with store.client() as client:
                client.put_object(Bucket=bucket, Key=path, Body=b"another instance's")

    for size in (10, 17 << 20):
        told.clear()
        file = kept.stage()
        file.write(bytes(size))
        file.close()
        path = kept.publish(file, 1, "a.pdf", take_it)
        found = store.objects(bucket)
        assert (len(told), told[-1], found[path], found[told[0]]) == (3, path, size, 18)
    assert store.multiparts(bucket) == []


def test_bytes_that_change_on_the_staging_disk_are_not_stored(kept: Storage, store: Store, bucket: str) -> None:
    """The store compares what it gets with what was hashed while it streamed."""
    for size in (10, 17 << 20):
        file = kept.stage()
        file.write(bytes(size))
        file.close()
        with file.path.open("r+b") as planted:
            planted.write(b"X")
        with pytest.raises(Exception, match="Nothing was stored"):
            kept.publish(file, 1, "a.pdf", lambda _: None)
        file.discard()
    assert (store.objects(bucket), store.multiparts(bucket)) == ({}, [])


# --- settings -------------------------------------------------------------------------------------------------------

BAD_ENDPOINTS = [
    "s3.example.org",
    "http://s3_store:8333",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:0",
    "http://key:secret@127.0.0.1:8333",
    "http://127.0.0.1:8333/bucket",
    "http://127.0.0.1:8333?a=b",
    "http://-s3.example.org",
    "http://s3..example.org",
    "http://1.2.3.999",
    "http://[::1",
    "http://[1:2]:80",
]


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"AWS_BUCKET": "No Bucket"}, "AWS_BUCKET"),
        *[({"AWS_ENDPOINT_URL": url}, "AWS_ENDPOINT_URL") for url in BAD_ENDPOINTS],
        ({"AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID"),
        ({"S3_PROXY_DOWNLOADS": "yes"}, "S3_PROXY_DOWNLOADS"),
    ],
)
def test_a_bad_setting_stops_the_start(
    environ: dict[str, str], variable: str, store: Store, bucket: str, tmp_path: Path
) -> None:
    live = start_live(tmp_path, wait=False, **store.environ(bucket) | environ)
    assert live.process.wait(30) != 0
    [line] = live.log.read_text().splitlines()
    assert line.startswith(f"{variable} ") and "secret@" not in line


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"AWS_BUCKET": "not-there"}, "there is no bucket of this name"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the key or its secret is wrong, or may not use the bucket"),
    ],
)
def test_a_store_that_refuses_is_told_at_the_start(
    environ: dict[str, str], reason: str, serving: Callable[..., Live]
) -> None:
    """The service runs, for a bucket can be made; it is not ready, uploads are 500, and the log says why, once."""
    live = serving(**environ)
    told = [line for line in live.lines if line["message"] == "storage_not_ready"]
    assert [(line["level"], line["reason"]) for line in told] == [("ERROR", reason)]
    status, _, body = live.request("GET", "/readyz")
    assert (status, json.loads(body)["checks"]["storage"]) == (503, False)
    status, _, body = live.upload(live.login())
    assert (status, json.loads(body)["error"]) == (500, "storage_error")
    assert (rows(live), used(live), staged(live)) == ([], 0, [])
    assert "wrong" not in live.log.read_text().replace(reason, "")


def test_debug_logs_hold_no_signature(serving: Callable[..., Live], store: Store) -> None:
    live = serving(LOG_LEVEL="DEBUG")
    headers = live.login()
    [file] = uploaded(live, headers)
    assert live.request("GET", f"/api/documents/{file['id']}/content", headers=headers)[0] == 302
    log = live.log.read_text()
    assert not [word for word in ("X-Amz", "AWS4-HMAC", store.key, store.secret) if word in log]


def test_multipart_bodies_and_refusals_leave_nothing(live: Live, store: Store, bucket: str) -> None:
    """All or nothing: one bad file among good ones stores none."""
    headers = live.login() | {"Content-Type": CONTENT_TYPE}
    body = multipart(part(), part(filename="b.pdf", content=b"no PDF"))
    assert live.request("POST", "/api/upload", body, headers)[0] == 415
    assert (store.objects(bucket), rows(live), staged(live)) == ({}, [], [])


# --- moving ---------------------------------------------------------------------------------------------------------


def test_documents_move_to_the_bucket_and_back_while_the_service_runs(
    store: Store, bucket: str, start: Callable[..., Live]
) -> None:
    """Copy, restart with the bucket, copy again what came in between; every byte is there, nothing is copied twice."""
    live = start()
    headers = live.login()
    contents = [PDF + bytes([n]) for n in range(5)] + [PDF.ljust(20_000, b"y")]
    uploaded(live, headers, *[part(filename=f"ü {n}.pdf", content=body) for n, body in enumerate(contents)])
    live.environ |= store.environ(bucket)
    assert live.flask("storage", "copy", "--to", "s3").stdout == "6 documents copied (0 MB), 0 were there already.\n"
    [late] = uploaded(live, headers)
    [gone] = uploaded(live, headers, part(filename="deleted.pdf"))
    assert live.request("DELETE", f"/api/documents/{gone['id']}", headers=headers)[0] == 200
    live.stop()
    moved = start(**store.environ(bucket))
    assert moved.flask("storage", "copy", "--to", "s3").stdout == "1 documents copied (0 MB), 6 were there already.\n"
    headers = moved.login()
    found = json.loads(moved.request("GET", "/api/documents", headers=headers)[2])["documents"]
    assert len(found) == 7
    for document in found:
        told = moved.request("GET", f"/api/documents/{document['id']}/content", headers=headers)[1]
        assert hashlib.sha256(fetched(told["location"])[2]).hexdigest() == document["sha256"]
    assert moved.flask("verify").stdout == "7 documents, 0 damaged.\n"
    for path in (moved.instance / "uploads" / "1").iterdir():
        path.unlink()
    assert moved.flask("storage", "copy", "--to", "local").stdout.startswith("7 documents copied")
    moved.stop()
    back = start()
    assert back.flask("verify").stdout == "7 documents, 0 damaged.\n"
    status, _, body = back.request("GET", f"/api/documents/{late['id']}/content", headers=back.login())
    assert (status, body) == (200, PDF)
    refused = back.flask("storage", "copy", "--to", "s3")
    assert (refused.returncode, "AWS_BUCKET" in refused.stderr) == (1, True)


def test_a_copy_names_what_is_damaged_and_goes_on(store: Store, bucket: str, start: Callable[..., Live]) -> None:
    live = start()
    headers = live.login()
    bad, missing, _good = uploaded(
        live, headers, *[part(filename=f"{name}.pdf") for name in ("bad", "missing", "good")]
    )
    folder = live.instance / "uploads"
    (folder / bad["savedTo"].removeprefix("/uploads/")).write_bytes(PDF[:-1] + b"?")
    (folder / missing["savedTo"].removeprefix("/uploads/")).unlink()
    live.environ |= store.environ(bucket)
    done = live.flask("storage", "copy", "--to", "s3")
    assert (done.returncode, len(store.objects(bucket)), staged(live)) == (1, 1, [])
    assert "the bytes have changed" in done.stderr and "the file is missing" in done.stderr
    assert done.stdout == "1 documents copied (0 MB), 0 were there already, 2 are damaged.\n"


def test_a_copy_brings_what_is_there_with_other_bytes(store: Store, bucket: str, start: Callable[..., Live]) -> None:
    """A copy of the same size is looked into, in the folder and in a store that tells no SHA-256."""
    live = start()
    files = uploaded(live, live.login(), part(), part(filename="b.pdf", content=PDF + b"b"))
    paths = [file["savedTo"].removeprefix("/uploads/") for file in files]
    live.environ |= store.environ(bucket)
    with store.client() as client:  # without the SHA-256 that the service gives along
        client.put_object(Bucket=bucket, Key=paths[0], Body=PDF[:-1] + b"?")
        client.put_object(Bucket=bucket, Key=paths[1], Body=PDF + b"b")
    done = live.flask("storage", "copy", "--to", "s3")
    assert done.stdout == "1 documents copied (0 MB), 1 were there already.\n", done.stderr
    spoiled = live.instance / "uploads" / paths[1]
    spoiled.write_bytes(PDF + b"?")
    done = live.flask("storage", "copy", "--to", "local")
    assert done.stdout == "1 documents copied (0 MB), 1 were there already.\n", done.stderr
    assert spoiled.read_bytes() == PDF + b"b"
    assert live.flask("verify").stdout == "2 documents, 0 damaged.\n"


def test_a_backup_of_a_bucket_is_restored_into_another(
    live: Live, store: Store, bucket: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """H10: the bytes come out of the store into DIR, and from there into another instance's bucket or folder."""
    headers = live.login()
    uploaded(live, headers, part(), part(filename="ü b.pdf", content=PDF.ljust(9_000_000, b"x")))
    with closing(sqlite3.connect(live.instance / "app.db")) as database, database:
        columns = "user_id, filename, path, content_type, size, sha256, status, created_at, part, fieldname, public_id"
        given = "1, 'a', '1/1700000000000-a.pdf', 'a', 1, 'a', 'pending', '2026-01-01 00:00:00.000000', 0, 'a', 'b'"
        database.execute(f"INSERT INTO documents ({columns}) VALUES ({given})")
    done = live.flask("backup", str(tmp_path / "backup"))
    assert (done.returncode, done.stdout) == (0, "2 documents are in the backup.\n"), done.stderr
    other = store.bucket()
    for environ in (store.environ(other), dict.fromkeys(store.environ(other), "")):
        fresh = Live(live.process, live.port, tmp_path_factory.mktemp("fresh"), live.log, dict(live.environ))
        fresh.environ |= {"INSTANCE_PATH": str(fresh.instance)} | environ
        restored = fresh.flask("restore", str(tmp_path / "backup"))
        assert restored.stdout == "2 documents restored, 0 left out.\n", restored.stderr
        assert fresh.flask("verify").stdout == "2 documents, 0 damaged.\n"
    assert store.objects(other) == store.objects(bucket)
    store.discard(other)

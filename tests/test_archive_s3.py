"""A ZIP of what lies in a bucket: it passes through the service, whoever sends single documents."""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import Any

import pytest

from tests.support.bodies import PDF, part
from tests.support.clock import eventually
from tests.support.engines import Live
from tests.support.s3 import Store, way_to
from tests.support.wire import Wire
from tests.test_archive import address
from tests.test_archive_sent import BIG, asking, chunks_of, copied, everything, stored


@pytest.fixture
def serving(store: Store, start: Callable[..., Live]) -> Iterator[Callable[..., Live]]:
    """Start `serve` on a bucket of its own, with settings of one's own."""
    name = store.bucket()
    yield lambda **environ: start(**store.environ(name) | environ)
    store.discard(name)


@pytest.mark.parametrize("proxied", ["0", "1"])
def test_an_archive_of_a_bucket_is_whole(proxied: str, serving: Callable[..., Live], store: Store) -> None:
    """Issue 11, 2: one object is asked for after the other."""
    with way_to(store) as way:
        live = serving(S3_PROXY_DOWNLOADS=proxied, AWS_ENDPOINT_URL=f"http://127.0.0.1:{way.port}")
        headers = live.login()
        ids = stored(live, headers, BIG, PDF, BIG)
        way.asked.clear()
        status, _, body = live.request("GET", address(ids), headers=headers)
        assert status == 200 and way.asked == [("GET", "")] * 3
        live.stop()
    found = zipfile.ZipFile(BytesIO(body))
    assert [found.read(name) for name in found.namelist()] == [BIG, PDF, BIG]


def test_an_object_that_vanished_breaks_it_off(serving: Callable[..., Live], store: Store) -> None:
    """Issue 11, bad luck: in a bucket as on a disk."""
    live = serving()
    headers = live.login()
    ids = stored(live, headers, PDF, PDF, PDF)
    with store.client() as client:
        bucket = live.environ["AWS_BUCKET"]
        client.delete_object(Bucket=bucket, Key=sorted(store.objects(bucket))[1])
    with Wire(live).send(asking(ids, headers)) as wire:
        assert wire.answer().status == 200
        content, ended = chunks_of(everything(wire))
    assert not ended and content.count(PDF) == 1 and b"PK\x05\x06" not in content
    [line] = [line for line in live.lines if line["message"] == "archive_broken_off"]
    assert (line["document_id"], line["reason"]) == (ids[1], "the file is missing")


def test_a_store_that_is_away_is_503(serving: Callable[..., Live], frail: Store) -> None:
    """Before the first byte there is an answer."""
    live = serving(**frail.environ(bucket := frail.bucket()))
    headers = live.login()
    ids = stored(live, headers, PDF)
    frail.kill()
    status, told, body = live.request("GET", address(ids), headers=headers)
    assert (status, told["retry-after"], json.loads(body)["error"]) == (503, "5", "unavailable")
    frail.start()
    assert eventually(lambda: live.request("GET", address(ids), headers=headers)[0] == 200, 20)
    frail.discard(bucket)


def test_archives_and_downloads_share_their_places(serving: Callable[..., Live]) -> None:
    """Issue 11, 2: two of either kind, and the threads that are left serve others; an archive keeps its place."""
    live = serving(S3_PROXY_DOWNLOADS="1", THREADS="4")
    headers = live.login()
    ids = copied(live, headers)
    content = f"/api/documents/{ids[0]}/content"
    with ExitStack() as held:
        readers: list[Any] = [held.enter_context(Wire(live, receive_buffer=4096)) for _ in range(2)]
        for reader in readers:
            assert reader.send(asking(ids, headers)).answer().status == 200
        for path in (address(ids), content):
            assert live.request("GET", path, headers=headers)[0] == 503
        assert live.upload(headers, part())[0] == 200
        assert live.request("GET", "/api/documents", headers=headers)[0] == 200
    assert eventually(lambda: live.request("GET", content, headers=headers)[0] == 200, 20)

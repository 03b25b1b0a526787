"""Crashes: kill -9 of an instance, and of the store, in the middle of uploads; what was answered 200 is there."""

import http.client
import json
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.support.bodies import PDF, part
from tests.support.clock import eventually
from tests.support.engines import BASE, Live, answers
from tests.support.s3 import Store, settled

ROUNDS = 15  # with each database; in every second one the store is killed too
LARGE = PDF.ljust(17_000_000, b"x")  # goes to the store in several parts


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of an instance that keeps its rows there."""
    if request.param == "SQLite":
        return {}
    return {"DATABASE_URL": request.getfixturevalue("database_url"), "JWT_SECRET": str(BASE["JWT_SECRET"])}


def upload_on(live: Live, headers: dict[str, str], *parts: bytes) -> set[str]:
    """Upload until nobody answers; return the paths of what was promised."""
    found = set()
    with suppress(OSError, http.client.HTTPException):
        while True:
            status, _, body = live.upload(headers, *parts)
            if status == 200:
                found |= {file["savedTo"].removeprefix("/uploads/") for file in json.loads(body)["files"]}
    return found


def test_killed_at_any_moment_rows_and_objects_agree_after_the_sweep(
    frail: Store, database: dict[str, str], start: Callable[..., Live]
) -> None:
    """H3: no row without its object, no object without its row, no multipart upload, and the quota counts them."""
    dice, bucket, promised, environ = random.Random(9), frail.bucket(), set(), dict[str, str]()
    small = [part(content=PDF + bytes([number])) for number in range(3)]
    for number in range(ROUNDS):
        live = start(**frail.environ(bucket), **database, MAX_FILE_BYTES=str(32 << 20), **environ)
        environ = {"PORT": str(live.port)}
        assert eventually(lambda live=live: answers(live))
        headers = live.login()
        with ThreadPoolExecutor(3) as pool:
            bodies = (small, small, [*small, part(content=LARGE)])
            uploads = [pool.submit(upload_on, live, headers, *parts) for parts in bodies]
            time.sleep(dice.uniform(0.05, 1.5))
            if number % 2:
                frail.kill()
            live.stop(signal.SIGKILL)
            for upload in uploads:
                promised |= upload.result()
        if number % 2:
            frail.start()
        assert promised <= set(settled(live, frail, bucket))
    assert promised

"""Crashes: kill -9 of an instance, and of the store, in the middle of uploads; what was answered 200 is there."""

import http.client
import json
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tests.support.bodies import PDF, part
from tests.support.clock import eventually
from tests.support.engines import BASE, Live, answers
from tests.support.s3 import Store, settled

ROUNDS = 15  # in every second one the store is killed too
LARGE = PDF.ljust(17_000_000, b"x")  # goes to the store in several parts


def upload_on(live: Live, headers: dict[str, str], *parts: bytes) -> set[str]:
    """Upload until nobody answers; return the paths of what was promised."""
    found = set()
    with suppress(OSError, http.client.HTTPException):
        while True:
            status, _, body = live.upload(headers, *parts)
            if status == 200:
                found |= {file["savedTo"].removeprefix("/uploads/") for file in json.loads(body)["files"]}
    return found


def crashed(lives: list[Live], seconds: float, crash: Callable[[], None]) -> list[set[str]]:
    """Upload to all of them, kill them in the midst of it; return the paths that each has promised."""
    small = [part(content=PDF + bytes([number])) for number in range(3)]
    bodies = (small, small, [*small, part(content=LARGE)])
    headers = [live.login() for live in lives]
    with ThreadPoolExecutor(len(lives) * len(bodies)) as pool:
        uploads = [
            [pool.submit(upload_on, live, bearer, *parts) for parts in bodies]
            for live, bearer in zip(lives, headers, strict=True)
        ]
        time.sleep(seconds)
        crash()
        for live in lives:
            live.stop(signal.SIGKILL)
        return [set().union(*(upload.result() for upload in sent)) for sent in uploads]


def test_killed_at_any_moment_rows_and_objects_agree_after_the_sweep(
    frail: Store, database_url: str, start: Callable[..., Live], tmp_path: Path
) -> None:
    """H3: no row without its object, no object without its row, no multipart upload, and the quota counts them.

    On SQLite and on PostgreSQL side by side, in a bucket each: a round is mostly waiting.
    """
    dice = random.Random(9)
    databases = {"sqlite": {}, "postgresql": {"DATABASE_URL": database_url, "JWT_SECRET": str(BASE["JWT_SECRET"])}}
    buckets = [frail.bucket() for _ in databases]
    environs = [
        frail.environ(bucket) | database | {"INSTANCE_PATH": str(tmp_path / name), "MAX_FILE_BYTES": str(32 << 20)}
        for bucket, (name, database) in zip(buckets, databases.items(), strict=True)
    ]
    promised: list[set[str]] = [set() for _ in databases]
    with ThreadPoolExecutor(len(databases)) as pool:
        for number in range(ROUNDS):
            lives = list(pool.map(lambda environ: start(**environ), environs))
            assert all(eventually(lambda live=live: answers(live)) for live in lives)
            environs = [given | {"PORT": str(live.port)} for given, live in zip(environs, lives, strict=True)]
            store_dies = number % 2
            found = crashed(lives, dice.uniform(0.05, 1.5), frail.kill if store_dies else lambda: None)
            if store_dies:
                frail.start()
            promised = [before | new for before, new in zip(promised, found, strict=True)]
            kept = pool.map(lambda live, bucket: settled(live, frail, bucket), lives, buckets)
            assert all(those <= set(lying) for those, lying in zip(promised, kept, strict=True))
    assert all(promised)

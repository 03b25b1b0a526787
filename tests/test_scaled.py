"""deploy/scaled/: two instances behind nginx. What is sent to either is there; a rolling restart loses nothing.

What the instances share stands in the fixture `engines`.
"""

import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.bodies import PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live, free_port
from tests.support.instances import Instances, commands, is_used, two_instances
from tests.support.proxies import NAME, Fronted, nginx, with_replaced
from tests.support.wire import Answer, Wire, upload_head

UPLOADS = 40


@pytest.fixture(params=["SQLite and a folder", "PostgreSQL, S3 and Valkey"])
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Where the tables, the files and the counts of both instances are: settings of the service."""
    if request.param == "SQLite and a folder":
        return {"DATABASE_URL": f"sqlite:///{tmp_path}/app.db", "UPLOADS_DIR": str(tmp_path / "uploads")}
    tables, store, valkey = (request.getfixturevalue(name) for name in ("database_url", "store", "valkey"))
    bucket = store.environ(store.bucket())
    return {"DATABASE_URL": tables, **bucket, "S3_PROXY_DOWNLOADS": "1", "REDIS_URL": valkey.url()}


@pytest.fixture
def pair(tmp_path: Path, engines: dict[str, str]) -> Iterator[tuple[Fronted, Instances]]:
    """nginx and two instances whose patience with uploads at a stop is short."""
    with two_instances(tmp_path, **engines, DRAIN_SECONDS="3") as running:
        yield running


def asked(front: Live, method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(*front.request(method, path, None, headers))


def documents(front: Fronted, token: dict[str, str]) -> list[dict[str, Any]]:
    """All of somebody's documents, read page by page."""
    found, before = [], ""
    while True:
        page = asked(front, "GET", f"/api/documents?limit=200{before}", token).json
        found += page["documents"]
        if not page["next"]:
            return found
        before = f"&before={page['next']}"


# --- One of two


def test_requests_go_to_both_and_each_knows_what_the_other_has_done(pair: tuple[Fronted, Instances]) -> None:
    """Sessions, documents, keys of uploads: an instance has nothing that the other one needs."""
    front, instances = pair
    token = front.login()
    for number in range(20):
        assert front.upload(token, part(filename=f"{number}.pdf"))[0] == 200
    again = [Answer(*front.upload(token | {"Idempotency-Key": "the-one"})) for _ in range(6)]
    assert len({json.dumps(answer.json["files"]) for answer in again}) == 1
    listed = documents(front, token)
    assert len(listed) == len({document["id"] for document in listed}) == 21
    for document in listed:
        assert asked(front, "GET", f"/api/documents/{document['id']}/content", token).body == PDF
    assert asked(front, "POST", "/api/auth/logout", token).status == 200
    assert [asked(front, "GET", "/api/documents", token).status for _ in range(6)] == [401] * 6
    for number in (0, 1):
        routes = {(line["method"], line["route"]) for line in instances.served(number)}
        assert {("POST", "/api/upload"), ("GET", "/api/documents/<document_id>/content")} <= routes, routes
        assert {200, 401} <= {line["status"] for line in instances.served(number)}


def test_nobody_notices_that_an_instance_has_died(pair: tuple[Fronted, Instances]) -> None:
    """What has not been sent goes to the other one at once, uploads and sign-ins too; and it comes back by itself."""
    front, instances = pair
    token = front.login()
    instances.now(0).stop(signal.SIGKILL)
    assert {asked(front, "GET", "/api/limits").status for _ in range(20)} == {200}
    assert {front.upload(front.login())[0] for _ in range(3)} == {200}
    assert {asked(front, "GET", "/readyz").status for _ in range(3)} == {200}
    instances.start(0)
    assert is_used(front, instances, 0)
    assert len(documents(front, token)) >= 3


@contextmanager
def deaf(port: int, heard: list[bytes]) -> Iterator[None]:
    """What takes requests and closes without a word, as an instance that dies over them would."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                heard.append(connection.recv(65536))

    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


SENT = {"GET": 2, "HEAD": 2, "DELETE": 2, "POST": 1, "PUT": 1}


@pytest.mark.parametrize("method", SENT)
def test_only_what_may_be_repeated_is_sent_to_both(tmp_path: Path, method: str) -> None:
    """A sign-in or an upload that may have been carried out is 502, never carried out twice."""
    heard: list[bytes] = []
    ports = [free_port(), free_port()]
    lives = [Live(None, port, tmp_path, tmp_path / "log", {}) for port in ports]
    path, body = {"PUT": ("/api/upload/a.pdf", PDF), "POST": ("/api/auth/login", b"{}")}.get(method, ("/x", None))
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(deaf(port, heard))
        front = stack.enter_context(nginx(tmp_path, *lives))
        status, headers, _ = front.request(method, path, body)
    assert (status, headers["retry-after"]) == (502, "5")
    assert [request.split()[0].decode() for request in heard if request] == [method] * SENT[method]


# --- A rolling restart


class Sender:
    """One upload that takes its time, under a key of its own; what became of it stands in `status`, 0 for no answer."""

    def __init__(self, number: int, token: dict[str, str]) -> None:
        self.name = f"{number:02}.pdf"
        self.content = PDF.ljust(150_000 + number, b"%d" % (number % 10))
        self.token = token | {"Idempotency-Key": f"rolling-{number}"}
        self.seconds = 0.5 + number * 0.4  # some end before the first stop, some after the last
        self.status = -1

    def send(self, front: Fronted) -> None:
        body = multipart(part(filename=self.name, content=self.content))
        lines = [f"{name}: {value}" for name, value in self.token.items()]
        pieces = [body[at : at + 1500] for at in range(0, len(body), 1500)]
        try:
            with Wire(front, timeout=60) as wire:
                wire.send(upload_head(len(body), *lines).replace(b"Host: localhost", f"Host: {NAME}".encode()))
                for piece in pieces:
                    wire.send(piece)
                    time.sleep(self.seconds / len(pieces))  # the pace of a slow client
                self.status = wire.answer().status
        except (OSError, AssertionError):  # closed, before an answer or in place of one
            self.status = 0

    def send_again(self, front: Fronted) -> int:
        return front.upload(self.token, part(filename=self.name, content=self.content))[0]


class Reader:
    """Somebody who asks all the time, and notes every answer."""

    def __init__(self, front: Fronted, token: dict[str, str]) -> None:
        self.statuses: list[int] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(front, token))

    def _read(self, front: Fronted, token: dict[str, str]) -> None:
        while not self._ended.wait(0.01):
            self.statuses.append(asked(front, "GET", "/api/documents?limit=1", token).status)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@contextmanager
def systemd(folder: Path, instances: Instances) -> Iterator[dict[str, str]]:
    """An environment in which `systemctl restart uploadsvc@N` restarts the instance N."""
    (folder / "bin").mkdir()
    wish, ended = folder / "wish", threading.Event()
    script = f'#!/bin/sh\n[ "$1" = restart ] && echo "$2" > {wish}.new && mv {wish}.new {wish}\n'
    (folder / "bin/systemctl").write_text(f"{script}while [ -e {wish} ]; do sleep 0.05; done\n")
    (folder / "bin/systemctl").chmod(0o755)

    def grant() -> None:
        while not ended.wait(0.02):
            if wish.exists():
                instances.restart(int(wish.read_text().strip().removeprefix("uploadsvc@")) - 1)
                wish.unlink()

    thread = threading.Thread(target=grant)
    thread.start()
    try:
        yield {"PATH": f"{folder}/bin:{os.environ['PATH']}"}
    finally:
        ended.set()
        thread.join()


def roll(folder: Path, instances: Instances) -> None:
    """Restart both as README.md says."""
    ports = "".join(f"{number + 1}) port={instances.now(number).port};; " for number in (0, 1))
    script = commands("Restarting, one instance after the other", "systemctl restart")
    script = with_replaced(script, {"do\n": f"do case $n in {ports}esac\n", "400$n": "$port"})
    with systemd(folder, instances) as environ:
        told = subprocess.run(["sh", "-ec", script], env=environ, capture_output=True, timeout=120, check=False)
    assert told.returncode == 0, told


def test_a_rolling_restart_loses_no_upload_and_stores_none_twice(
    pair: tuple[Fronted, Instances], tmp_path: Path
) -> None:
    """40 in flight while one instance and then the other is restarted as README.md says: a 200 is there with its bytes,
    all else is a failure that a repeat under the same key mends, and whoever reads sees nothing of it."""
    front, instances = pair
    token = front.login()
    senders = [Sender(number, token) for number in range(UPLOADS)]
    with Reader(front, token) as reader, ThreadPoolExecutor(UPLOADS) as pool:
        sent = [pool.submit(sender.send, front) for sender in senders]
        assert eventually(lambda: instances.under_way() > UPLOADS // 2, 30)
        roll(tmp_path, instances)
        for one in sent:
            one.result()
    statuses = [sender.status for sender in senders]
    assert set(statuses) <= {0, 200, 502, 503} and 200 in statuses, statuses
    assert set(reader.statuses) == {200}
    stored = {document["filename"] for document in documents(front, token)}
    assert {sender.name for sender in senders if sender.status == 200} <= stored
    assert [sender.send_again(front) for sender in senders] == [200] * UPLOADS
    listed = documents(front, token)
    assert sorted(document["filename"] for document in listed) == [sender.name for sender in senders]
    for document in listed:
        sender = next(sender for sender in senders if sender.name == document["filename"])
        content = asked(front, "GET", f"/api/documents/{document['id']}/content", token).body
        assert content == sender.content and document["sha256"] == hashlib.sha256(content).hexdigest()
    assert all(len(instances.runs[number]) == 2 and is_used(front, instances, number) for number in (0, 1))
    assert instances.under_way() == 0

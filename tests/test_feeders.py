"""The rows of tests/test_multipart.py once more, on both feeders: the streaming server, and any other WSGI server."""

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from werkzeug.test import EnvironBuilder, TestResponse

from tests import test_multipart as table
from tests.support.bodies import multipart, part
from tests.support.clock import allowance, cpu_seconds, eventually
from tests.support.engines import BASE, connected, start_live
from tests.support.people import PASSWORD, Person, add_user
from tests.support.traces import open_files
from tests.support.wire import Wire, chunk, head
from uploadsvc import create_app
from uploadsvc.extensions import db

# These make an application of their own, read this process's log, or send more header than a server takes: see below.
OWN_WAY = {
    "test_the_sum_has_a_limit",
    "test_ten_megabytes_around_the_body_cost_little",
    "test_a_hostile_content_type_is_refused_quickly",
    "test_two_content_types_are_refused",
}
globals().update({name: row for name, row in vars(table).items() if name.startswith("test_") and name not in OWN_WAY})


@dataclass
class Service:
    """A running service, whichever feeder it has. Its `open` is what Flask's test client offers, over a socket."""

    port: int
    instance: Path
    pid: int | str = "self"
    chunk_bytes: int = 0  # when not 0, bodies are sent in chunks

    def connect(self, timeout: float = 20, receive_buffer: int = 0) -> socket.socket:
        return connected(self.port, timeout, receive_buffer)

    def open(
        self, path: str, *, method: str, headers: dict[str, str], data: bytes = b"", content_type: str = ""
    ) -> TestResponse:
        headers = headers | {"Content-Type": content_type, "Connection": "close"}
        if self.chunk_bytes and data:
            headers["Transfer-Encoding"] = "chunked"
            pieces = [data[at : at + self.chunk_bytes] for at in range(0, len(data), self.chunk_bytes)]
            data = b"".join(chunk(piece) for piece in pieces) + b"0\r\n\r\n"
        else:
            headers["Content-Length"] = str(len(data))
        request = head(f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()))
        with Wire(self) as wire:
            with suppress(OSError):  # a plain server closes on what it need not read; its answer is there all the same
                wire.socket.sendall(request + data)
            answer = wire.answer()
        return TestResponse([answer.body], str(answer.status), answer.headers, EnvironBuilder().get_request())


class Caller(Person):
    """Somebody who speaks to a service over a socket instead of to the test client."""

    def __init__(self, service: Service) -> None:
        body = json.dumps({"email": "admin@localhost", "password": PASSWORD}).encode()
        answer = service.open("/api/auth/login", method="POST", headers={}, data=body, content_type="application/json")
        self.client, self.tokens = service, answer.get_json()


@contextmanager
def streaming(folder: Path, chunk_bytes: int = 0, **settings: int) -> Iterator[Service]:
    """Feeder 2: the real server."""
    live = start_live(folder, **{name: str(value) for name, value in settings.items()})
    try:
        yield Service(live.port, live.instance, live.process.pid, chunk_bytes)
    finally:
        live.process.kill()
        live.process.wait()


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def plain(folder: Path, **settings: int) -> Iterator[Service]:
    """Feeder 1: the standard library's WSGI server, one request at a time."""
    app = create_app(BASE | {"INSTANCE_PATH": str(folder)} | settings)
    add_user(app, "admin@localhost")
    with make_server("127.0.0.1", 0, app, handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Service(server.server_port, folder)
        finally:
            server.shutdown()
            thread.join()
    with app.app_context():
        db.engine.dispose()


FEEDERS: dict[str, Callable[..., AbstractContextManager[Service]]] = {
    "streaming": streaming,
    "chunked": partial(streaming, chunk_bytes=50_000),
    "wsgiref": plain,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, schema: Path) -> Callable[[], Path]:
    """Make folders with a migrated database."""

    def make() -> Path:
        path = tmp_path_factory.mktemp("service")
        shutil.copy(schema, path / "app.db")
        return path

    return make


@pytest.fixture(scope="module", params=FEEDERS)
def feeder(request: pytest.FixtureRequest) -> Callable[..., AbstractContextManager[Service]]:
    return FEEDERS[request.param]


@pytest.fixture(scope="module")
def service(feeder: Callable[..., AbstractContextManager[Service]], folder: Callable[[], Path]) -> Iterator[Service]:
    with feeder(folder()) as running:
        yield running


@pytest.fixture(scope="module")
def alice(service: Service) -> Person:
    """Takes the place of the table's own Alice."""
    return Caller(service)


@pytest.fixture
def unchanged(service: Service, alice: Person) -> Callable[[], Any]:
    """Takes the place of the fixture of the same name."""

    def state() -> Any:
        files = sorted(str(path) for path in (service.instance / "uploads").rglob("*") if path.is_file())
        return files, alice.get("/api/documents?limit=200").data, open_files(service.pid)

    @contextmanager
    def check() -> Iterator[None]:
        assert eventually(lambda: not open_files(service.pid))  # the sweep at a server's start looks into folders
        before = state()
        yield
        assert eventually(lambda: state() == before), (before, state())

    return check


def test_ten_megabytes_around_the_body_cost_little_processor_time(
    service: Service, alice: Person, unchanged: Callable[[], Any]
) -> None:
    """D14: before it 400, behind it ignored."""
    line = b"\r\n" + table.MARK[:-1] + b"\r\n" + b"x" * 60
    rubbish, before = line * (10_000_000 // len(line)), cpu_seconds(service.pid)
    with unchanged():
        assert table.refused(alice.send(rubbish + multipart(part())), 400)
    assert alice.send(multipart(part()) + rubbish).status_code == 200
    assert cpu_seconds(service.pid) - before < allowance(2)


@pytest.mark.parametrize("options", [";" * 15000, ";a=b" * 3700, ';a="' * 3700, "; a" * 5000, " " * 15000 + "x"])
def test_a_hostile_content_type_of_fifteen_kilobytes_is_refused_quickly(
    service: Service, alice: Person, unchanged: Callable[[], Any], options: str
) -> None:
    """D15: as long as the server lets headers be."""
    with unchanged():
        before = cpu_seconds(service.pid)
        assert table.refused(alice.send(multipart(part()), "multipart/form-data" + options), 400)
        assert cpu_seconds(service.pid) - before < allowance(0.5)


def test_the_sum_of_files_and_fields_has_a_limit(
    feeder: Callable[..., AbstractContextManager[Service]], folder: Callable[[], Path]
) -> None:
    """D19: files times limit + 64 KiB, epilogue included."""
    with feeder(folder(), MAX_FILE_BYTES=1000, MAX_FILES=2) as service:
        alice = Caller(service)
        assert alice.send(multipart(part()).ljust(67_536)).status_code == 200
        assert table.refused(alice.send(multipart(part()).ljust(67_537)), 413)

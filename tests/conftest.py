"""Fixtures: an application and a real server, each on its own SQLite file and folder; Alice owns, Bob is a stranger."""

import http.client
import io
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from uploadsvc import create_app
from uploadsvc.extensions import db
from uploadsvc.models import User

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "tests" / "files"
PASSWORD = "a-fine-passphrase"
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
PDF = b"%PDF-1.7\nhello\n%%EOF\n"
BASE = {"BCRYPT_ROUNDS": 4, "MIN_FREE_BYTES": 0, "JWT_SECRET": "tests-only-secret-of-more-than-32-bytes", "THREADS": 4}


def part(
    name: str = "file", filename: str | None = "a.pdf", content: bytes = PDF, mimetype: str | None = None
) -> bytes:
    """One part as a browser would send it, without its boundary."""
    head = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if mimetype is not None:
        head += f"\r\nContent-Type: {mimetype}"
    return head.encode() + b"\r\n\r\n" + content


def multipart(*parts: bytes, boundary: str = BOUNDARY) -> bytes:
    """A complete multipart/form-data body."""
    mark = b"--" + boundary.encode()
    return b"".join(mark + b"\r\n" + p + b"\r\n" for p in parts) + mark + b"--\r\n"


CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database file to copy: migrating takes longer than most tests."""
    folder = tmp_path_factory.mktemp("schema")
    app = create_app(BASE | {"INSTANCE_PATH": str(folder)})
    with app.app_context():
        flask_migrate.upgrade()
        db.engine.dispose()
    return folder / "app.db"


@pytest.fixture
def make_app(tmp_path: Path, schema: Path) -> Iterator[Callable[..., Flask]]:
    """Make applications with settings of one's own, on one database and one folder."""
    made: list[Flask] = []

    def make(**overrides: Any) -> Flask:
        instance = tmp_path / "instance"
        instance.mkdir(exist_ok=True)
        if not (instance / "app.db").exists():
            shutil.copy(schema, instance / "app.db")
        made.append(create_app(BASE | {"INSTANCE_PATH": str(instance)} | overrides))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@dataclass
class Person:
    """Someone with an account and, after `login`, a session. Requests bear the access token unless `cookies`."""

    app: Flask
    email: str
    client: FlaskClient = field(init=False)
    tokens: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.app.test_client(use_cookies=False)

    def login(self, password: str = PASSWORD) -> "Person":
        answer = self.client.post("/api/auth/login", json={"email": self.email, "password": password})
        assert answer.status_code == 200, answer.text
        self.tokens = answer.get_json()
        return self

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['accessToken']}"}

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        return self.client.open(path, method=method, headers=self.headers | (headers or {}), **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.request("DELETE", path, **options)

    def send(
        self, body: bytes, content_type: str = CONTENT_TYPE, headers: dict[str, str] | None = None
    ) -> TestResponse:
        """POST a raw multipart body."""
        return self.post("/api/upload", data=body, content_type=content_type, headers=headers)

    def upload(
        self, filename: str = "a.pdf", content: bytes = PDF, mimetype: str | None = None, **headers: str
    ) -> TestResponse:
        """POST one file."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(multipart(part(filename=filename, content=content, mimetype=mimetype)), headers=given)


def add_user(app: Flask, email: str) -> None:
    with app.app_context():
        User.create(email, PASSWORD, 4)
        db.session.commit()


@pytest.fixture
def alice(app: Flask) -> Person:
    add_user(app, "alice@example.com")
    return Person(app, "alice@example.com").login()


@pytest.fixture
def bob(app: Flask) -> Person:
    add_user(app, "bob@example.com")
    return Person(app, "bob@example.com").login()


def signed_in(app: Flask) -> FlaskClient:
    """A browser in which Alice has signed in: a session of its own, in cookies."""
    client = app.test_client()
    answer = client.post("/api/auth/login", json={"email": "alice@example.com", "password": PASSWORD})
    assert answer.status_code == 200
    return client


@pytest.fixture
def visitor(alice: Person) -> FlaskClient:
    return signed_in(alice.app)


def csrf(visitor: FlaskClient) -> dict[str, str]:
    """The header that a browser's cookies need on everything but GET."""
    cookie = visitor.get_cookie("csrf_token")
    assert cookie is not None
    return {"X-CSRF-Token": cookie.value}


@pytest.fixture
def log(app: Flask) -> io.StringIO:
    """What the application logs from here on."""
    sink = io.StringIO()
    [handler] = (h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler)
    handler.setStream(sink)
    return sink


def open_files(pid: int | str = "self") -> list[str]:
    """What the process holds open on disk: no sockets, no pipes, and nothing of the database's pool."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if "/uploads" in target:
            found.append(target)
    return sorted(found)


def state(app: Flask, pid: int | str = "self") -> dict[str, Any]:
    """Everything an upload can leave behind: the upload tree with the staging folder, the rows, the descriptors."""
    root: Path = app.config["UPLOADS_DIR"]
    with app.app_context():
        rows = db.session.execute(text("SELECT count(*), coalesce(sum(size), 0) FROM documents")).one()
        db.session.remove()
    tree = sorted((str(p.relative_to(root)), p.lstat().st_size if p.is_file() else 0) for p in root.rglob("*"))
    return {"tree": tree, "rows": tuple(rows), "open": open_files(pid)}


@pytest.fixture
def unchanged(app: Flask) -> Callable[[], Any]:
    """`with unchanged():` asserts that what is inside leaves no file, row or descriptor behind."""

    @contextmanager
    def check() -> Iterator[None]:
        before = state(app)
        yield
        assert state(app) == before

    return check


@dataclass
class Live:
    """A real `serve` process."""

    process: subprocess.Popen[bytes]
    port: int
    instance: Path
    log: Path
    environ: dict[str, str]

    def connect(self, timeout: float = 20) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def http(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers in lower case, body."""
        connection = self.http()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def login(self, email: str = "admin@localhost", password: str = PASSWORD) -> dict[str, str]:
        """Sign in; return the headers of an authorized request."""
        body = json.dumps({"email": email, "password": password}).encode()
        status, _, answer = self.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
        assert status == 200, answer
        return {"Authorization": f"Bearer {json.loads(answer)['accessToken']}"}

    def upload(self, headers: dict[str, str], *parts: bytes) -> tuple[int, dict[str, str], bytes]:
        body = multipart(*(parts or (part(),)))
        return self.request("POST", "/api/upload", body, {"Content-Type": CONTENT_TYPE} | headers)

    def flask(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run an operator's command on the same instance."""
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = 20) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log's JSON lines so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def installed(tool: str) -> str:
    """The path of a Debian package's program of the same name, installed first where we may; '' if it cannot be."""
    if not shutil.which(tool) and os.geteuid() == 0 and shutil.which("apt-get"):
        script = f"apt-get -qq update && apt-get -qq install -y --no-install-recommends {tool}"
        quietly = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["sh", "-c", script], env=quietly, capture_output=True, timeout=600, check=False)
    return shutil.which(tool) or ""


def needed(tool: str) -> str:
    """The path of a program that a test cannot do without; without it the test fails with one line."""
    return installed(tool) or pytest.fail(f"{tool} is needed and could not be installed: apt-get install {tool}", False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_live(folder: Path, wait: bool = True, **environ: str) -> Live:
    """Start `serve` on a free port; `environ` adds to a small environment of the tests' own."""
    port, instance = free_port(), folder / "instance"
    given = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "INSTANCE_PATH": str(instance),
        "BCRYPT_ROUNDS": "4",
        "MIN_FREE_BYTES": "0",
        "ADMIN_PASSWORD": PASSWORD,
        "PYTHONUNBUFFERED": "1",
    } | environ
    log = folder / f"serve-{port}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "serve"], cwd=ROOT, env=given, stdout=sink, stderr=sink
        )
    live = Live(process, int(given["PORT"]), Path(given["INSTANCE_PATH"]), log, given)
    deadline = time.monotonic() + 30
    while wait:
        try:
            live.connect(timeout=1).close()
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                live.stop(signal.SIGKILL)
                raise AssertionError(f"serve did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
    return live


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """Start real servers; all are killed after the test."""
    started: list[Live] = []

    def begin(**environ: str) -> Live:
        started.append(start_live(tmp_path, **environ))
        return started[-1]

    yield begin
    for live in started:
        live.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One real server for a module's tests."""
    running = start_live(tmp_path_factory.mktemp("live"))
    yield running
    running.stop(signal.SIGKILL)

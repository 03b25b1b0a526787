"""Fixtures: an application and a real server, each on its own database and storage; Alice owns, Bob is a stranger.

They are a SQLite file and a folder, and with `pytest --scaled` PostgreSQL, S3 and Redis.
"""

import io
import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import engines
from tests.support.engines import BASE, Live, start_live
from tests.support.people import Person, add_user, signed_in
from tests.support.postgres import Postgres, name_of, start_postgres
from tests.support.s3 import Store
from tests.support.traces import state
from tests.support.valkey import Valkey, valkey_server
from uploadsvc import create_app
from uploadsvc.extensions import db

scaled = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--scaled", action="store_true", help="on PostgreSQL, S3 and Redis")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: a third of the tests' time is waiting for servers and deadlines."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("scaled"):
        from tests.support.scaled import Scaled

        config.stash[scaled] = Scaled()
        engines.given_by_run = config.stash[scaled].settings


def pytest_sessionfinish(session: pytest.Session) -> None:
    if scaled in session.config.stash:
        session.config.stash[scaled].close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if scaled in config.stash:
        items[:], left_out = config.stash[scaled].sorted_out(items)
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let services that are measured be started as everywhere; the others may be forked."""
    engines.forks = item.get_closest_marker("alone") is None


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
def instance(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Path]:
    """The instance folder of a test's services; what the run gave for it is taken back afterwards."""
    yield tmp_path / "instance"
    if scaled in pytestconfig.stash:
        pytestconfig.stash[scaled].forget(tmp_path / "instance")


@pytest.fixture
def make_app(instance: Path, schema: Path) -> Iterator[Callable[..., Flask]]:
    """Make applications with settings of one's own, on one database and one storage."""
    made: list[Flask] = []

    def make(**overrides: Any) -> Flask:
        instance.mkdir(exist_ok=True)
        given = engines.given_by_run(instance)
        if not given and not (instance / "app.db").exists():
            shutil.copy(schema, instance / "app.db")
        made.append(create_app(BASE | {"INSTANCE_PATH": str(instance)} | given | overrides))
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


@pytest.fixture
def alice(app: Flask) -> Person:
    add_user(app, "alice@example.com")
    return Person(app, "alice@example.com").login()


@pytest.fixture
def bob(app: Flask) -> Person:
    add_user(app, "bob@example.com")
    return Person(app, "bob@example.com").login()


@pytest.fixture
def carol(app: Flask) -> Person:
    """A collector."""
    add_user(app, "carol@example.com", collector=True)
    return Person(app, "carol@example.com").login()


@pytest.fixture
def visitor(alice: Person) -> FlaskClient:
    return signed_in(alice.app)


@pytest.fixture
def log(app: Flask) -> io.StringIO:
    """What the application logs from here on."""
    sink = io.StringIO()
    [handler] = (h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler)
    handler.setStream(sink)
    return sink


@pytest.fixture
def unchanged(app: Flask) -> Callable[[], Any]:
    """`with unchanged():` asserts that what is inside leaves no file, row or descriptor behind."""

    @contextmanager
    def check() -> Iterator[None]:
        before = state(app)
        yield
        assert state(app) == before

    return check


@pytest.fixture
def start(instance: Path) -> Iterator[Callable[..., Live]]:
    """Start real servers; all are killed after the test."""
    started: list[Live] = []

    def begin(**environ: str) -> Live:
        started.append(start_live(instance.parent, **environ))
        return started[-1]

    yield begin
    for live in started:
        live.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, whose database `migrated` is there to be copied."""
    server = start_postgres()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def migrated(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of an empty, migrated PostgreSQL database to copy."""
    url = postgres.create()
    app = create_app(BASE | {"INSTANCE_PATH": str(tmp_path_factory.mktemp("migrated")), "DATABASE_URL": url})
    with app.app_context():
        flask_migrate.upgrade()
        db.engine.dispose()
    yield name_of(url)
    postgres.drop(url)


@pytest.fixture
def database_url(postgres: Postgres, migrated: str) -> Iterator[str]:
    """The URL of an empty, migrated PostgreSQL database of the test's own."""
    url = postgres.create(migrated)
    yield url
    postgres.drop(url)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One real server for a module's tests."""
    running = start_live(tmp_path_factory.mktemp("live"))
    yield running
    running.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real S3 server for all the tests of this process; each takes a bucket of its own."""
    server = Store(tmp_path_factory.mktemp("s3"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of a module's own, for others would miss it while it is away."""
    server = Store(tmp_path_factory.mktemp("frail"))
    yield server
    server.kill()


@pytest.fixture
def frail(own_store: Store) -> Store:
    """A store that a test may kill; it runs, whatever the test before has done."""
    return own_store if own_store.process else own_store.start()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A real Valkey, one for each process of the tests; `url()` is an empty database of it."""
    with valkey_server() as running:
        yield running

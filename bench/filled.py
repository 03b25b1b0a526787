"""A real `serve` with as many documents and accounts as one likes, and a connection to ask it on."""

import http.client
import json
import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

from load import CONTENT_TYPE, body
from peers import PASSWORD
from servers import Service

ME, COLLECTOR = "admin@localhost", "collector@localhost"
UPLOAD = body(10 * 1024)
WORDS = (
    "annual",
    "budget",
    "contract",
    "draft",
    "evidence",
    "figures",
    "grant",
    "invoice",
    "journal",
    "minutes",
    "offer",
)
AGE = timedelta(days=1000)  # of the oldest document
USER = (
    "INSERT INTO users (email, password_hash, is_active, created_at, is_collector)"
    " SELECT ?, password_hash, 1, created_at, ? FROM users WHERE id = 1"
)
SESSION = (
    "INSERT INTO sessions (id, user_id, refresh_token_hash, created_at, expires_at, user_agent)"
    " SELECT 'session ' || id, id, '', created_at, '2100-01-01', '' FROM users"
)
DOCUMENT = (
    "INSERT INTO documents (public_id, user_id, filename, search_key, path, content_type, size, sha256, status,"
    " created_at, uploaded_at, part, fieldname)"
    " VALUES (?, ?, ?, ?, ?, 'application/pdf', ?, ?, 'success', ?, ?, 0, 'file')"
)
COUNT = (
    "UPDATE users SET (document_count, used_bytes) ="
    " (SELECT count(*), coalesce(sum(size), 0) FROM documents WHERE user_id = users.id)"
)
MIDDLE = "SELECT id, public_id FROM documents WHERE user_id = 1 ORDER BY id LIMIT 1 OFFSET ?"
FINDABLE = "UPDATE documents SET search_key = search_key || public_id WHERE id = ?"


class Instance(Service):
    """A `serve` in `folder`, filled if it is new, and one connection to it that stays open."""

    def __init__(self, folder, documents=0, users=1, **settings):
        is_new = not folder.exists()
        super().__init__(folder, **settings)
        self.middle = ""
        if is_new:
            with closing(sqlite3.connect(folder / "app.db")) as database, database:
                self.fill(database, documents, users)
        self.wire = http.client.HTTPConnection("127.0.0.1", self.port)
        self.bearers = {ME: self.authorization}
        if is_new:
            login = json.dumps({"email": COLLECTOR, "password": PASSWORD})
            answer = self.ask("POST", "/api/auth/login", login, {"Content-Type": "application/json"})
            self.bearers[COLLECTOR] = f"Bearer {json.loads(answer)['accessToken']}"
            self.wire.close()  # it is opened again when next asked on: until then others may be filled for minutes

    def fill(self, database, documents, users):
        """Insert accounts with a session each, and documents, which need no bytes to be listed."""
        database.execute("PRAGMA cache_size = -1000000")  # KiB
        database.execute(USER, (COLLECTOR, True))
        database.executemany(USER, ((f"user{n}@example.com", False) for n in range(1, users)))
        database.execute(SESSION)
        owners = [owner for (owner,) in database.execute("SELECT id FROM users WHERE email != ?", [COLLECTOR])]
        made, now = random.Random(documents), datetime.now(UTC)
        moments = (now - AGE * (1 - n / documents) for n in range(documents))
        database.executemany(DOCUMENT, (row(made, owners[n % users], moment) for n, moment in enumerate(moments)))
        database.execute(COUNT)
        for number, self.middle in database.execute(MIDDLE, [documents // users // 2]).fetchall():
            database.execute(FINDABLE, [number])

    def ask(self, method, path, content=None, headers=None):
        """Ask on the connection that stays open; return the answer's body."""
        self.wire.request(method, path, content, headers or {})
        answer = self.wire.getresponse()
        found = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {found[:200]!r}")
        return found

    def timed(self, path, content=None, email=ME, method=""):
        """Ask as somebody; return the milliseconds until the answer was whole, and its body."""
        headers = {"Authorization": self.bearers[email]} | (CONTENT_TYPE if content else {})
        began = time.perf_counter()
        found = self.ask(method or ("POST" if content else "GET"), path.format(middle=self.middle), content, headers)
        return (time.perf_counter() - began) * 1000, found

    def upload(self):
        """Upload 10 kB; return the milliseconds that took, and the document's id."""
        took, answer = self.timed("/api/upload", UPLOAD)
        return took, json.loads(answer)["files"][0]["id"]

    def stop(self):
        self.wire.close()
        super().stop()


def row(made, owner, moment):
    """Return the values of a document that `made` chooses."""
    name = f"{made.choice(WORDS).title()} {made.choice(WORDS)} {made.randrange(10**6)}.pdf"
    path = f"{owner}/{moment.timestamp() * 1000:.0f}-{name}"
    written = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    size, digest = made.randrange(1000, 10**7), made.randbytes(32).hex()
    return made.randbytes(16).hex(), owner, name, name.lower(), path, size, digest, written, written

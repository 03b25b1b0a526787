"""Backup and restore: what was answered 200 before a backup is in it, and comes back as it was or not at all."""

import errno
import hashlib
import json
import os
import pty
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command as alembic
from click.testing import Result
from flask import Flask
from sqlalchemy import create_engine

from tests.support.bodies import PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import ROOT, Live
from tests.support.people import Person
from uploadsvc.cli.manifest import Manifest
from uploadsvc.storage import LocalStorage

ALICE = "alice@example.com"
STORED = "ä.pdf"


def run(app: Flask, *arguments: object) -> Result:
    return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])


def done(app: Flask, *arguments: object) -> str:
    """What a command that must succeed says."""
    result = run(app, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refusal(result: Result) -> str:
    """The one line of a command that failed."""
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), repr(result.exception)
    [line] = result.stderr.splitlines()
    return line


def shelf(person: Person) -> dict[str, str]:
    """Each document that the person's list shows, with the SHA-256 of what its download brings."""
    listed = person.get("/api/documents?limit=200").get_json()["documents"]
    found = {}
    for document in listed:
        with person.get(f"/api/documents/{document['id']}/content") as download:
            found[document["id"]] = hashlib.sha256(download.data).hexdigest()
    assert found == {document["id"]: document["sha256"] for document in listed}
    return found


def uploaded(person: Person, count: int = 1) -> list[dict[str, str]]:
    answer = person.send(multipart(*(part(filename=STORED, content=PDF + os.urandom(9)) for _ in range(count))))
    assert answer.status_code == 200, answer.text
    files: list[dict[str, str]] = answer.get_json()["files"]
    return files


def stored_at(folder: Path, file: dict[str, str]) -> Path:
    """Where the file of an upload's answer lies below an upload folder."""
    return folder / file["savedTo"].removeprefix("/uploads/")


def lying(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def empty(make_app: Callable[..., Flask], tmp_path: Path) -> Callable[[], Flask]:
    """Make instances that hold nothing."""

    def make() -> Flask:
        made = len([path for path in tmp_path.iterdir() if path.name.startswith("new-")])
        return make_app(INSTANCE_PATH=str(tmp_path / f"new-{made}"))

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"


# --- there and back -------------------------------------------------------------------------------------------------


def test_a_backup_restores_to_an_equal_service(
    alice: Person, bob: Person, folder: Path, empty: Callable[[], Flask]
) -> None:
    """H10: accounts, sessions, documents and counts are what they were, and `verify` is clean."""
    uploaded(alice, 3)
    uploaded(bob)
    assert done(alice.app, "backup", folder) == "4 documents are in the backup.\n"
    app = empty()
    assert done(app, "restore", folder) == "4 documents restored, 0 left out.\n"
    assert done(app, "verify") == "4 documents, 0 damaged.\n"
    for person in (alice, bob):
        there = Person(app, person.email)
        there.tokens = person.tokens
        assert shelf(there) == shelf(person), "the session goes on, with all its documents"
        assert uploaded(Person(app, person.email).login())
    for instance in (alice.app.config["INSTANCE_PATH"], app.config["INSTANCE_PATH"]):
        assert not [name for name in lying(instance) if "in-progress" in name]


def test_a_backup_is_private_and_links_what_it_can(alice: Person, folder: Path) -> None:
    """H10: folders 0700, files 0600, also in a folder that was open; no byte of a document is copied."""
    [file] = uploaded(alice)
    folder.mkdir()
    folder.chmod(0o755)
    done(alice.app, "backup", folder)
    modes = {path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")] if path.is_dir()}
    assert modes == {0o700} and {p.stat().st_mode & 0o777 for p in folder.rglob("*") if p.is_file()} == {0o600}
    assert stored_at(folder / "uploads", file).samefile(stored_at(alice.app.config["UPLOADS_DIR"], file))


@pytest.mark.parametrize("links", [True, False], ids=["linked", "copied"])
def test_a_repeated_backup_takes_over_what_changed(
    links: bool, alice: Person, folder: Path, empty: Callable[[], Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """H10: new documents come, deleted ones go, and what is there already is not read again."""
    if not links:
        monkeypatch.setattr(os, "link", across(os.link, folder))
    [gone, stays] = uploaded(alice, 2)
    done(alice.app, "backup", folder)
    before = stored_at(folder / "uploads", stays).stat().st_ino
    alice.delete(f"/api/documents/{gone['id']}")
    [new] = uploaded(alice)
    done(alice.app, "backup", folder)
    there = {path for path in lying(folder / "uploads") if not path.startswith(".staging")}
    assert there == {file["savedTo"].removeprefix("/uploads/") for file in (stays, new)}
    assert stored_at(folder / "uploads", stays).stat().st_ino == before
    assert len(list(folder.glob("app-*"))) == 1
    app = empty()
    done(app, "restore", folder)
    assert shelf(Person(app, ALICE).login()).keys() == {stays["id"], new["id"]}


def across(true: Callable[..., None], folder: Path) -> Callable[..., None]:
    """os.link, where `folder` lies on another filesystem."""

    def link(*names: object, **options: object) -> None:
        if "src_dir_fd" in options and Path(f"/proc/self/fd/{options['dst_dir_fd']}").readlink().is_relative_to(folder):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        true(*names, **options)

    return link


def test_a_folder_may_have_any_name(alice: Person, tmp_path: Path, empty: Callable[[], Flask]) -> None:
    """Also one that is no UTF-8, which the operator's shell hands over as it is."""
    uploaded(alice)
    for name in (b"two words", b"a?mode=memory#%20", b"\xff"):
        folder = tmp_path / os.fsdecode(name)
        done(alice.app, "backup", folder)
        assert done(empty(), "restore", folder) == "1 documents restored, 0 left out.\n"


@pytest.mark.parametrize("is_terminal", [True, False], ids=["terminal", "file"])
def test_progress_is_for_those_who_look(is_terminal: bool, alice: Person, folder: Path) -> None:
    """A bar on a terminal's standard error, nothing in a file's; standard output is the same."""
    uploaded(alice, 2)
    terminal, errors = pty.openpty()
    environ = {"PATH": os.environ["PATH"], "INSTANCE_PATH": str(alice.app.config["INSTANCE_PATH"])}
    process = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "backup", str(folder)],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=errors if is_terminal else subprocess.PIPE,
        timeout=60,
        check=True,
    )
    os.close(errors)
    shown = os.read(terminal, 65536).decode() if is_terminal else process.stderr.decode()
    os.close(terminal)
    assert process.stdout.decode() == "2 documents are in the backup.\n"
    assert ("Copying" in shown and "100%" in shown) if is_terminal else shown == ""


# --- under load -----------------------------------------------------------------------------------------------------


class Load:
    """Clients that upload and delete until they are told to stop."""

    def __init__(self, live: Live, headers: dict[str, str]) -> None:
        self.live, self.headers, self.stopped = live, headers, threading.Event()
        self.promised: dict[str, str] = {}  # id -> sha256
        self.deleted: set[str] = set()  # asked for
        self.gone: set[str] = set()  # answered
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(2)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        chance, mine = random.Random(number), []
        while not self.stopped.wait(0.01):
            if mine and chance.random() < 0.4:
                id_ = mine.pop(chance.randrange(len(mine)))
                self.deleted.add(id_)
                assert self.live.request("DELETE", f"/api/documents/{id_}", headers=self.headers)[0] == 200
                self.gone.add(id_)
            else:
                content = PDF + chance.randbytes(chance.randrange(1000, 50_000))
                status, _, body = self.live.upload(self.headers, part(content=content))
                assert status == 200
                id_ = json.loads(body)["files"][0]["id"]
                self.promised[id_] = hashlib.sha256(content).hexdigest()
                mine.append(id_)


def listed(live: Live, headers: dict[str, str]) -> dict[str, str]:
    """Every document of the account by page: id -> sha256 of its record."""
    found: dict[str, str] = {}
    before = ""
    while before is not None:
        _, _, body = live.request("GET", f"/api/documents?limit=200{before}", headers=headers)
        page = json.loads(body)
        found |= {document["id"]: document["sha256"] for document in page["documents"]}
        before = page["next"] and f"&before={page['next']}"
    return found


def test_a_backup_under_constant_uploads_restores_to_an_equal_service(
    start: Callable[..., Live], make_app: Callable[..., Flask], tmp_path: Path, folder: Path
) -> None:
    """H10: what was promised before is in it, nothing in it lacks its bytes, and tokens of before go on."""
    live = start()
    headers = live.login()
    origin = make_app(INSTANCE_PATH=str(live.instance), JWT_SECRET="")
    token = done(origin, "tokens", "add", "admin@localhost", "script").strip()
    with Load(live, headers) as load:
        assert eventually(lambda: len(load.promised) > 20)
        for _ in range(2):
            gone, promised = set(load.gone), dict(load.promised)
            saved = live.flask("backup", str(folder))
            assert (saved.returncode, saved.stderr) == (0, ""), saved.stderr
            gone_meanwhile = load.gone - gone
    assert len(load.promised) > len(promised) > 20 and gone_meanwhile
    live.stop()
    twin = {"INSTANCE_PATH": str(tmp_path / "twin")}
    operator = make_app(JWT_SECRET="", **twin)
    done(operator, "restore", folder)
    assert ", 0 damaged" in done(operator, "verify")
    again = start(**twin)
    assert again.login()
    found = listed(again, headers)
    assert promised.keys() - load.deleted <= found.keys(), "what was promised before the last backup is in it"
    assert not found.keys() & gone, "what was deleted before it is not"
    for id_, sha256 in found.items():
        status, _, content = again.request("GET", f"/api/documents/{id_}/content", headers=headers)
        assert (status, hashlib.sha256(content).hexdigest(), sha256) == (200, load.promised[id_], load.promised[id_])
    assert again.upload({"Authorization": f"Bearer {token}"})[0] == 200
    secrets = [(instance / "jwt_secret") for instance in (live.instance, again.instance)]
    assert secrets[0].read_bytes() == secrets[1].read_bytes() and secrets[1].stat().st_mode & 0o777 == 0o600


def test_a_document_deleted_while_the_backup_runs_is_not_in_it(
    alice: Person, folder: Path, empty: Callable[[], Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """H10: it is no error, its row goes from the copy too, its upload's text fields to the next row, and counts fit."""
    answer = alice.send(multipart(part(), part(), part("note", None, b"hello")), headers={"Idempotency-Key": "k"})
    [first, second] = answer.get_json()["files"]
    true = LocalStorage.open

    def late(self: LocalStorage, path: str) -> object:
        if path == first["savedTo"].removeprefix("/uploads/"):
            alice.delete(f"/api/documents/{first['id']}")
        return true(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "open", late)
        assert done(alice.app, "backup", folder) == "1 documents are in the backup.\n"
    app = empty()
    done(app, "restore", folder)
    assert done(app, "verify") == "1 documents, 0 damaged.\n"
    there = Person(app, ALICE).login()
    assert shelf(there).keys() == {second["id"]}
    again = there.send(multipart(part(), part(), part("note", None, b"hello")), headers={"Idempotency-Key": "k"})
    assert again.get_json()["fields"] == {"note": "hello"}


# --- killed ---------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from flask.cli import main

name, path, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
true, calls = getattr(os, name), []

def call(*arguments, **options):
    if path in str(arguments):
        calls.append(name)
    if len(calls) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return true(*arguments, **options)

setattr(os, name, call)
if "--copied" in sys.argv:
    sys.argv.remove("--copied")
    def link(*_, **__):
        raise OSError(18, "another filesystem")
    os.link = link
sys.argv = ["flask", "--app", "wsgi", *sys.argv[4:]]
main()
"""


Moment = tuple[str, str, int]


def killed(app: Flask, moment: Moment, *arguments: object) -> None:
    """Run a command that is killed just before it calls the function of os on a path like this for the nth time."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    environ |= {name: str(app.config[name]) for name in ("INSTANCE_PATH", "JWT_SECRET", "BCRYPT_ROUNDS")}
    given = [sys.executable, "-c", KILLED, *map(str, moment), *map(str, arguments)]
    process = subprocess.run(given, env=environ, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()


IDENTITY, MANIFEST = ("replace", "instance_id", 1), ("replace", "backup.json", 1)
LINKED, COPIED = ("link", STORED, 2), ("rename", STORED, 2)
TIDIED = ("unlink", STORED, 1)  # a deleted document's file
MOMENTS: list[tuple[Moment, list[str]]] = [(IDENTITY, []), (LINKED, []), (COPIED, ["--copied"]), (MANIFEST, [])]


def test_a_backup_killed_at_any_moment_is_told_from_a_finished_one_and_can_be_repeated(
    alice: Person, folder: Path, empty: Callable[[], Flask]
) -> None:
    """H10: `restore` refuses what no manifest names; the next backup completes it and leaves nothing of the killed."""
    uploaded(alice, 3)
    app = empty()
    for moment, options in MOMENTS:
        killed(alice.app, moment, "backup", folder, *options)
        assert "no finished backup" in refusal(run(app, "restore", folder)), moment
    done(alice.app, "backup", folder)
    assert len(list(folder.glob("app-*"))) == 1 and not [name for name in lying(folder) if name.endswith(".part")]
    done(app, "restore", folder)
    assert shelf(Person(app, ALICE).login()) == shelf(alice)


@pytest.mark.parametrize(
    ("moment", "is_new"),
    [(LINKED, False), (MANIFEST, False), (TIDIED, True)],
    ids=["files", "manifest", "tidying"],
)
def test_a_repeated_backup_killed_at_any_moment_leaves_the_earlier_one_or_the_new_one(
    moment: Moment, is_new: bool, alice: Person, folder: Path, empty: Callable[[], Flask]
) -> None:
    """H10: until the new one is whole the earlier one is what `restore` brings, and afterwards the new one."""
    [gone, *_] = uploaded(alice, 2)
    done(alice.app, "backup", folder)
    earlier = shelf(alice)
    alice.delete(f"/api/documents/{gone['id']}")
    uploaded(alice, 2)
    killed(alice.app, moment, "backup", folder)
    app = empty()
    done(app, "restore", folder)
    assert shelf(Person(app, ALICE).login()) == (shelf(alice) if is_new else earlier)
    done(alice.app, "backup", folder)
    again = empty()
    done(again, "restore", folder)
    assert shelf(Person(again, ALICE).login()) == shelf(alice)


@pytest.mark.parametrize("moment", [COPIED, IDENTITY], ids=["files", "identity"])
def test_a_killed_restore_leaves_the_instance_empty_and_can_be_repeated(
    moment: Moment, alice: Person, folder: Path, empty: Callable[[], Flask]
) -> None:
    """H10: files without rows are taken up by the next one."""
    uploaded(alice, 3)
    done(alice.app, "backup", folder)
    app = empty()
    killed(app, moment, "restore", folder)
    assert done(app, "users", "list") == "" and lying(app.config["UPLOADS_DIR"])
    done(app, "restore", folder)
    assert done(app, "verify") == "3 documents, 0 damaged.\n"
    assert shelf(Person(app, ALICE).login()) == shelf(alice)


# --- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["letter.txt", "backup.json", "instance_id", ".hidden"])
def test_a_folder_of_something_else_is_refused_and_left_alone(name: str, alice: Person, folder: Path) -> None:
    """H10: DIR is new, empty or ours; nobody's files are mixed with a backup or tidied away."""
    folder.mkdir()
    folder.chmod(0o755)
    (folder / name).write_text("mine")
    assert "neither" in refusal(run(alice.app, "backup", folder)) or name == "instance_id"
    assert [path.read_text() for path in folder.iterdir()] == ["mine"] and folder.stat().st_mode & 0o777 == 0o755


def test_the_backup_of_another_instance_is_refused(alice: Person, folder: Path, empty: Callable[[], Flask]) -> None:
    """H10: two instances with one JWT_SECRET are two instances."""
    uploaded(alice)
    done(alice.app, "backup", folder)
    before = lying(folder)
    other = empty()
    done(other, "seed")
    assert "another instance" in refusal(run(other, "backup", folder))
    assert lying(folder) == before


def test_the_restored_instance_goes_on_with_its_backup(alice: Person, folder: Path, empty: Callable[[], Flask]) -> None:
    """H10: it is the same instance, moved."""
    uploaded(alice)
    done(alice.app, "backup", folder)
    app = empty()
    done(app, "restore", folder)
    uploaded(Person(app, ALICE).login())
    assert done(app, "backup", folder) == "2 documents are in the backup.\n"


def test_a_backup_goes_neither_among_the_uploads_nor_into_the_served_folder(alice: Person) -> None:
    """H10: the one would be swept or served as a user's, the other be had by everyone."""
    for parent in (alice.app.config["UPLOADS_DIR"], ROOT / "web"):
        for command in (["backup"], ["documents", "export"]):
            assert "served to everyone" in refusal(run(alice.app, *command, parent / "7"))
            assert not (parent / "7").exists()


def test_what_is_no_folder_is_a_mistake_of_usage(alice: Person, tmp_path: Path) -> None:
    """Exit code 2, and one for a parent that is not there."""
    (tmp_path / "file").touch()
    for arguments in (["backup"], ["restore"], ["restore", tmp_path / "none"], ["backup", tmp_path / "file"]):
        assert run(alice.app, *arguments).exit_code == 2
    assert "none" in refusal(run(alice.app, "backup", tmp_path / "none" / "deeper"))


def test_two_backups_at_once_are_one_too_many(alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """H10: the second is told so in one line; the first goes on."""
    uploaded(alice)
    told = []
    true = LocalStorage.sync

    def sync(self: LocalStorage) -> None:
        told.append(refusal(run(alice.app, "backup", folder)))
        true(self)

    monkeypatch.setattr(LocalStorage, "sync", sync)
    done(alice.app, "backup", folder)
    assert len(told) == 1 and "running" in told[0]


def test_an_instance_that_holds_something_is_not_restored_into(
    alice: Person, folder: Path, empty: Callable[[], Flask]
) -> None:
    """H10: neither over accounts nor beside files that no row of the backup names."""
    uploaded(alice)
    done(alice.app, "backup", folder)
    uploaded(alice)
    before = shelf(alice)
    assert "accounts" in refusal(run(alice.app, "restore", folder))
    app = empty()
    stranger = app.config["UPLOADS_DIR"] / "1" / "1700000000000-only-here.pdf"
    stranger.parent.mkdir()
    stranger.write_bytes(PDF)
    assert "UPLOADS_DIR" in refusal(run(app, "restore", folder))
    assert shelf(alice) == before and lying(app.config["UPLOADS_DIR"]) == {"1/1700000000000-only-here.pdf"}


# --- damaged --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: replaced(path, path.read_bytes()[:-9] + bytes(9)), id="changed"),
        pytest.param(lambda path: replaced(path, path.read_bytes()[:-1]), id="cut"),
        pytest.param(lambda path: path.unlink(), id="missing"),
    ],
)
def test_a_damaged_file_of_a_backup_is_noticed(
    damage: Callable[[Path], None], alice: Person, folder: Path, empty: Callable[[], Flask]
) -> None:
    """H10: nothing is restored, all that is damaged is named; --skip-damaged brings the others, and counts fit."""
    [sound, *files] = uploaded(alice, 3)
    done(alice.app, "backup", folder)
    for file in files:
        damage(stored_at(folder / "uploads", file))
    app = empty()
    result = run(app, "restore", folder)
    assert result.exit_code == 1 and "--skip-damaged" in result.stderr.splitlines()[2]
    names = {file["savedTo"].removeprefix("/uploads/") for file in files}
    assert {line.partition(": ")[0] for line in result.stderr.splitlines()[:2]} == names
    assert lying(app.config["UPLOADS_DIR"]) == set() and done(app, "users", "list") == ""
    assert "1 documents restored, 2 left out." in done(app, "restore", folder, "--skip-damaged")
    assert shelf(Person(app, ALICE).login()).keys() == {sound["id"]}
    assert done(app, "verify") == "1 documents, 0 damaged.\n"


def replaced(path: Path, content: bytes) -> None:
    """Write a new file in the place of one that has other names."""
    path.unlink()
    path.write_bytes(content)


def test_a_damaged_database_of_a_backup_is_noticed(alice: Person, folder: Path, empty: Callable[[], Flask]) -> None:
    """H10: one byte is enough; the instance stays empty."""
    uploaded(alice)
    done(alice.app, "backup", folder)
    [database] = folder.glob("app-*.db")
    content = bytearray(database.read_bytes())
    content[-1] ^= 1
    database.write_bytes(content)
    app = empty()
    assert "database is damaged" in refusal(run(app, "restore", folder))
    assert done(app, "users", "list") == ""


def test_a_document_that_has_lost_its_bytes_is_named_and_left_out(
    alice: Person, folder: Path, empty: Callable[[], Flask]
) -> None:
    """H10: what cannot be restored is no reason to save nothing; an earlier backup's good bytes are kept."""
    [kept, lost, cut] = uploaded(alice, 3)
    root: Path = alice.app.config["UPLOADS_DIR"]
    stored_at(root, lost).unlink()
    replaced(stored_at(root, cut), b"%PDF-")
    result = run(alice.app, "backup", folder)
    assert result.exit_code == 1 and result.output.count(".pdf: ") == 2
    app = empty()
    done(app, "restore", folder)
    assert shelf(Person(app, ALICE).login()).keys() == {kept["id"]}
    stored_at(root, kept).unlink()
    assert "2 documents have lost" in run(alice.app, "backup", folder).stderr
    again = empty()
    done(again, "restore", folder)
    assert shelf(Person(again, ALICE).login()).keys() == {kept["id"]}


def test_a_disk_that_refuses_ends_a_backup_with_one_line(
    alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H10: a full backup disk is not taken for lost documents, and there is no manifest."""
    uploaded(alice, 2)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", across(os.link, folder))
        patch.setattr(os, "rename", full)
        assert "full" in refusal(run(alice.app, "backup", folder))
    assert Manifest.read(folder) is None and list(folder.glob("app-*")) == []
    assert done(alice.app, "backup", folder) == "2 documents are in the backup.\n"


# --- other versions -------------------------------------------------------------------------------------------------


@pytest.fixture
def aged(alice: Person, folder: Path) -> Iterator[Callable[[str], None]]:
    """Make the backup that of the schema `revision`, or of one that is unknown here."""

    def age(revision: str) -> None:
        manifest = Manifest.read(folder)
        assert manifest
        database = folder / manifest.database
        with alice.app.app_context():
            config = alice.app.extensions["migrate"].migrate.get_config()
            config.attributes["engine"] = engine = create_engine(f"sqlite:///{database}")
            if revision.startswith("0"):
                alembic.downgrade(config, revision)
            engine.dispose()
        with closing(sqlite3.connect(database)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
            copy.execute("UPDATE alembic_version SET version_num = ?", (revision,))
            copy.commit()
        content = database.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        Manifest(manifest.database, len(content), sha256, manifest.documents, manifest.finished_at).write(folder)

    yield age


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005", "0006"])
def test_a_backup_of_an_older_version_is_brought_up_to_date(
    revision: str, alice: Person, folder: Path, aged: Callable[[str], None], empty: Callable[[], Flask]
) -> None:
    """H10: its schema is migrated before anything is put in place."""
    uploaded(alice, 2)
    done(alice.app, "backup", folder)
    aged(revision)
    app = empty()
    done(app, "restore", folder)
    assert done(app, "verify") == "2 documents, 0 damaged.\n"
    assert shelf(Person(app, ALICE).login()) == shelf(alice)


def test_a_backup_of_a_newer_version_is_refused(
    alice: Person, folder: Path, aged: Callable[[str], None], empty: Callable[[], Flask]
) -> None:
    """H10: one line, and an instance as empty as before."""
    uploaded(alice)
    done(alice.app, "backup", folder)
    aged("9999")
    app = empty()
    assert "a newer one's" in refusal(run(app, "restore", folder))
    assert lying(app.config["UPLOADS_DIR"]) == set() and done(app, "users", "list") == ""

"""`documents list` and `documents export`: who uploaded what, and the files with their true names."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import update

from tests.support.bodies import PDF
from tests.support.people import PASSWORD, Person
from uploadsvc.extensions import db
from uploadsvc.models import Document, User
from uploadsvc.storage import LocalStorage

ALICE, BOB = "alice@example.com", "bob@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "export"


def documents(app: Flask, *arguments: object) -> Result:
    return app.test_cli_runner().invoke(args=["documents", *map(str, arguments)])


def counted(result: Result) -> tuple[int, int, int]:
    """How many were exported, were there and are damaged, as the command says."""
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    exported, there, damaged = (int(word) for word in result.stdout.split() if word.isdigit())
    return exported, there, damaged


def sent(person: Person, name: str, content: bytes = PDF) -> dict[str, str]:
    answer = person.upload(name, content)
    assert answer.status_code == 200, answer.text
    [file] = answer.get_json()["files"]
    return file


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rename(app: Flask, document: dict[str, str], name: str) -> None:
    """Give a document a name that an upload would have cleaned."""
    with app.app_context():
        db.session.execute(update(Document).where(Document.public_id == document["id"]).values(filename=name))
        db.session.commit()


# --- list -----------------------------------------------------------------------------------------------------------


def test_the_list_tells_who_uploaded_what_newest_last(alice: Person, bob: Person) -> None:
    first, second = sent(alice, "Ünïcödé 漢字.pdf"), sent(bob, "b.pdf", PDF * 2)
    lines = [line.split("\t") for line in documents(alice.app, "list").stdout.splitlines()]
    assert [(line[0], *line[2:]) for line in lines] == [
        (first["id"], str(len(PDF)), ALICE, "Ünïcödé 漢字.pdf"),
        (second["id"], str(len(PDF) * 2), BOB, "b.pdf"),
    ]
    shown = [person.get("/api/documents").get_json()["documents"][0]["uploadedAt"] for person in (alice, bob)]
    assert [line[1] for line in lines] == shown


def test_the_list_of_one_account_is_its_own(alice: Person, bob: Person, folder: Path) -> None:
    sent(alice, "a.pdf"), sent(bob, "b.pdf")
    assert [
        line.split("\t")[3:] for line in documents(alice.app, "list", "--user", BOB.upper()).stdout.splitlines()
    ] == [[BOB, "b.pdf"]]
    for command in (["list"], ["export", folder]):
        for email in ("nobody@example.com", "m\udce9@example.com", ""):
            nobody = documents(alice.app, *command, "--user", email)
            assert (nobody.exit_code, nobody.stdout) == (1, "") and nobody.stderr.count("\n") == 1


def test_a_line_of_the_list_is_one_line_whatever_the_name(alice: Person) -> None:
    """CWE-117: no name moves the cursor, ends the line or adds a column."""
    rename(alice.app, sent(alice, "a.pdf"), "a\tb\n\x1b[2J\u202e.pdf")
    [line] = documents(alice.app, "list").stdout.splitlines()
    assert line.split("\t")[4] == r"a\tb\n\x1b[2J\u202e.pdf"


# --- export ---------------------------------------------------------------------------------------------------------


def test_the_export_has_the_true_names_and_the_times(alice: Person, bob: Person, folder: Path) -> None:
    """Also those of many scripts; equal ones are numbered, oldest first, and each account has a folder of its own."""
    for content in (b"1", b"2", b"3"):
        sent(alice, "Ünïcödé – 漢字 🦆.pdf", PDF + content)
    sent(alice, "عربي.txt", b"text")
    sent(bob, "Ünïcödé – 漢字 🦆.pdf", PDF)
    assert counted(documents(alice.app, "export", folder)) == (5, 0, 0)
    assert held(folder) == {
        f"{ALICE}/Ünïcödé – 漢字 🦆.pdf": PDF + b"1",
        f"{ALICE}/Ünïcödé – 漢字 🦆 (2).pdf": PDF + b"2",
        f"{ALICE}/Ünïcödé – 漢字 🦆 (3).pdf": PDF + b"3",
        f"{ALICE}/عربي.txt": b"text",
        f"{BOB}/Ünïcödé – 漢字 🦆.pdf": PDF,
    }
    [newest] = bob.get("/api/documents").get_json()["documents"]
    [path] = (folder / BOB).iterdir()
    uploaded = datetime.fromisoformat(newest["uploadedAt"])
    assert abs(datetime.fromtimestamp(path.stat().st_mtime, UTC) - uploaded) < timedelta(milliseconds=2)


def test_an_export_can_be_repeated(alice: Person, folder: Path) -> None:
    """What an earlier one copied is recognised by its bytes; equal documents stay as many files."""
    for _ in range(3):
        sent(alice, "a.pdf")
    assert counted(documents(alice.app, "export", folder)) == (3, 0, 0)
    sent(alice, "a.pdf", PDF + b"new")
    (folder / ALICE / ".exporting.part").write_bytes(b"a killed one's")
    assert counted(documents(alice.app, "export", folder)) == (1, 3, 0)
    names = ["a (2).pdf", "a (3).pdf", "a (4).pdf", "a.pdf"]
    assert sorted(held(folder)) == [f"{ALICE}/{name}" for name in names]


def test_nothing_that_lies_there_is_overwritten(alice: Person, folder: Path, tmp_path: Path) -> None:
    """Neither a file of the same name and size, nor a folder, nor what a link leads to."""
    sent(alice, "a.pdf")
    home = folder / ALICE
    home.mkdir(parents=True)
    other = bytes(len(PDF))
    (home / "a.pdf").write_bytes(other)
    (home / "a (2).pdf").mkdir()
    (home / "a (3).pdf").symlink_to(tmp_path / "nowhere.pdf")
    assert counted(documents(alice.app, "export", folder)) == (1, 0, 0)
    assert held(folder) == {f"{ALICE}/a.pdf": other, f"{ALICE}/a (4).pdf": PDF}
    assert not (tmp_path / "nowhere.pdf").exists()


def test_an_export_of_one_account_since_a_day(alice: Person, bob: Person, folder: Path) -> None:
    """The day begins at midnight in UTC, and itself is in it."""
    old, new = sent(alice, "old.pdf"), sent(alice, "new.pdf")
    sent(bob, "b.pdf")
    with alice.app.app_context():
        for file, moment in ((old, "2026-03-04T23:59:59"), (new, "2026-03-05T00:00:00")):
            when = datetime.fromisoformat(moment)
            change = update(Document).where(Document.public_id == file["id"])
            db.session.execute(change.values(created_at=when, uploaded_at=when))
        db.session.commit()
    assert counted(documents(alice.app, "export", folder, "--user", ALICE, "--since", "2026-03-05")) == (1, 0, 0)
    assert held(folder) == {f"{ALICE}/new.pdf": PDF}


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "05.03.2026", ""])
def test_what_is_no_day_is_a_mistake_of_usage(since: str, alice: Person, folder: Path) -> None:
    assert documents(alice.app, "export", folder, "--since", since).exit_code == 2 and not folder.exists()


@pytest.mark.parametrize("name", ["../../up.pdf", "/etc/up.pdf", "..", "a\0b.pdf", "x" * 300 + ".pdf", ".pdf"])
def test_no_name_leads_out_of_its_folder(name: str, alice: Person, folder: Path) -> None:
    """Whatever the table says, and however long it is."""
    rename(alice.app, sent(alice, "a.pdf"), name)
    assert counted(documents(alice.app, "export", folder)) == (1, 0, 0)
    [path] = held(folder)
    assert path.startswith(f"{ALICE}/") and path.count("/") == 1


def test_accounts_whose_names_are_no_folders_have_one_each(app: Flask, folder: Path) -> None:
    """An e-mail may hold a slash, or no dot, and two may be alike once they are made safe."""
    for email in ("../x@example.com", "a?b@example.com", "a*b@example.com", "a_b@example.com", "admin@localhost"):
        with app.app_context():
            User.create(email, PASSWORD, 4)
            db.session.commit()
        sent(Person(app, email).login(), "a.pdf", PDF + email.encode())
    assert counted(documents(app, "export", folder)) == (5, 0, 0)
    folders = {path.partition("/")[0] for path in held(folder)}
    assert len(folders) == len(held(folder)) == 5
    assert {"a_b@example.com", "admin@localhost"} <= folders


def test_what_is_damaged_is_named_and_the_others_are_exported(alice: Person, folder: Path) -> None:
    """H10: nothing that is not what was uploaded gets a name in the export."""
    damaged = sent(alice, "damaged.pdf")
    sent(alice, "sound.pdf")
    path = alice.app.config["UPLOADS_DIR"] / damaged["savedTo"].removeprefix("/uploads/")
    path.write_bytes(bytes(len(PDF)))
    result = documents(alice.app, "export", folder)
    assert (result.exit_code, counted(result)) == (1, (1, 0, 1))
    assert result.stderr == f"{damaged['savedTo'].removeprefix('/uploads/')}: the bytes have changed\n"
    assert held(folder) == {f"{ALICE}/sound.pdf": PDF}


@pytest.mark.parametrize("command", [["documents", "export", "DIR"], ["verify"]], ids=["export", "verify"])
def test_what_is_deleted_meanwhile_is_no_damage(
    command: list[str], alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H10: a row that was read just before it went is not reported."""
    sent(alice, "a.pdf")
    going = sent(alice, "b.pdf")
    true: Callable[..., object] = LocalStorage.open

    def late(self: LocalStorage, path: str) -> object:
        if path == going["savedTo"].removeprefix("/uploads/"):
            alice.delete(f"/api/documents/{going['id']}")
        return true(self, path)

    monkeypatch.setattr(LocalStorage, "open", late)
    arguments = [str(folder) if argument == "DIR" else argument for argument in command]
    done = alice.app.test_cli_runner().invoke(args=arguments)
    assert (done.exit_code, done.stderr) == (0, "") and done.stdout.startswith("1 documents")


def test_a_disk_that_refuses_ends_an_export_with_one_line(
    alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for a damaged document, and leaves no half file."""
    sent(alice, "a.pdf")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "utime", fail)
    result = documents(alice.app, "export", folder)
    assert result.exit_code == 1 and "full" in result.stderr and result.stderr.count("\n") == 1
    assert held(folder) == {}

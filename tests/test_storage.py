"""Storage: what lies where, with which rights, and what is left when the disk refuses."""

import errno
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, FILES, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import BASE, ROOT, Live, start_live
from tests.support.people import Person, add_user
from tests.support.traces import open_files, state
from uploadsvc import create_app
from uploadsvc.errors import InsufficientStorage, StorageFailed
from uploadsvc.extensions import db
from uploadsvc.extensions.plain import Plain
from uploadsvc.models import Document
from uploadsvc.storage import LocalStorage, Staged, names, staging
from uploadsvc.uploads import publication

NOW_MS = 1_700_000_000_000
PAGE = 4096


def files(app: Flask) -> set[str]:
    """Every name in the upload tree that is not a folder's."""
    root: Path = app.config["UPLOADS_DIR"]
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def opened(app: Flask) -> list[str]:
    """What this process holds open of the upload tree."""
    return [path for path in open_files() if path.startswith(str(app.config["UPLOADS_DIR"]))]


def nothing_stored(app: Flask) -> bool:
    return files(app) == set() and state(app)["rows"] == 0 and opened(app) == []


def on_disk(person: Person, file: dict[str, Any]) -> Path:
    """Where an answer's file lies."""
    root: Path = person.app.config["UPLOADS_DIR"]
    return root / file["savedTo"].removeprefix("/uploads/")


def stored(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["files"]
    return found


def staged(local: LocalStorage, content: bytes = PDF) -> Staged:
    file = local.stage()
    file.write(content)
    return file


# --- names and links ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["..", ".", "../x.pdf", "..\\x.pdf", "/x.pdf", "../../wsgi.txt"])
def test_no_name_reaches_the_working_directory(
    name: str, alice: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E3: whatever a file is called, the folder the server runs in gets no new entry."""
    home = tmp_path / "home" / "wsgi.txt"
    home.mkdir(parents=True)
    monkeypatch.chdir(home)
    answer = alice.upload(name)
    assert answer.status_code in {200, 400, 415}
    assert list(home.iterdir()) == [] and list(home.parent.iterdir()) == [home]
    owned = {name for name in files(alice.app) if name.startswith("1/")}
    assert len(owned) == (answer.status_code == 200) and owned == files(alice.app)


def test_the_source_never_uses_the_librarys_directory_target() -> None:
    """E3: DirectoryTarget names files as the client says."""
    for path in (ROOT / "uploadsvc").rglob("*.py"):
        assert "DirectoryTarget" not in path.read_text(encoding="utf-8"), path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is not the service's, with a file that must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("not yours")
    os.utime(folder / "secret.txt", (0, 0))
    return folder


def untouched(outside: Path) -> bool:
    return [p.read_text() for p in outside.iterdir()] == ["not yours"]


def test_a_link_in_place_of_a_users_folder_is_not_followed(alice: Person, outside: Path) -> None:
    """E5: neither an upload nor the sweep goes where a planted link leads."""
    (alice.app.config["UPLOADS_DIR"] / "1").symlink_to(outside)
    (outside / "secret.txt").rename(outside / f"{NOW_MS}-secret.txt")
    answer = alice.upload()
    assert (answer.status_code, answer.get_json()["error"]) == (500, "storage_error")
    assert alice.app.test_cli_runner().invoke(args=["sweep", "--older-than", "0"]).exit_code == 0
    assert untouched(outside) and state(alice.app)["rows"] == 0


def test_a_link_in_place_of_the_staging_folder_is_not_followed(alice: Person, outside: Path) -> None:
    """E5: neither an upload nor the sweep touches what the staging folder was made to point at."""
    staging = alice.app.config["UPLOADS_DIR"] / ".staging"
    staging.rmdir()
    staging.symlink_to(outside)
    assert alice.upload().status_code == 500
    alice.app.test_cli_runner().invoke(args=["sweep", "--older-than", "0"])
    assert untouched(outside)


def test_a_link_with_the_final_name_is_neither_followed_nor_overwritten(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E5: publishing passes a taken name, be it a link or a file."""
    monkeypatch.setattr(names, "unix_ms", lambda: NOW_MS)
    folder = LocalStorage(tmp_path / "uploads", 0)
    (folder.root / "7").mkdir()
    (folder.root / "7" / f"{NOW_MS}-a.pdf").symlink_to(outside / "secret.txt")
    (folder.root / "7" / f"{NOW_MS}01-a.pdf").write_bytes(b"older")
    assert folder.publish(staged(folder), 7, "a.pdf") == f"7/{NOW_MS}02-a.pdf"
    assert (folder.root / "7" / f"{NOW_MS}-a.pdf").is_symlink() and untouched(outside)
    assert (folder.root / "7" / f"{NOW_MS}01-a.pdf").read_bytes() == b"older"


def test_a_link_with_the_staged_name_is_neither_followed_nor_overwritten(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E5: even a guessed staging name cannot be prepared."""
    monkeypatch.setattr(staging.secrets, "token_hex", lambda _: "guessed")
    folder = LocalStorage(tmp_path / "uploads", 0)
    (folder.staging / "guessed.part").symlink_to(outside / "secret.txt")
    with pytest.raises(StorageFailed):
        folder.stage()
    assert untouched(outside)


def test_a_link_in_place_of_a_document_is_not_served_and_deleting_it_spares_the_target(
    alice: Person, outside: Path
) -> None:
    """E5: a download does not follow a planted link; a delete removes the link alone."""
    [file] = stored(alice.upload())
    on_disk(alice, file).unlink()
    on_disk(alice, file).symlink_to(outside / "secret.txt")
    with alice.get(f"/api/documents/{file['id']}/content") as answer:
        assert answer.status_code == 500 and b"not yours" not in answer.data
    assert alice.delete(f"/api/documents/{file['id']}").status_code == 200
    assert untouched(outside) and files(alice.app) == set()


# --- rights ---------------------------------------------------------------------------------------------------------


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def too_open(folder: Path) -> set[str]:
    """Names below `folder` that others may read, the group may write, or (files) anyone may execute."""
    found = set()
    for path in folder.rglob("*"):
        if path.lstat().st_mode & (0o027 if path.is_dir() else 0o137):
            found.add(path.name)
    return found


def test_uploaded_files_are_private_whatever_the_umask(start: Callable[..., Live]) -> None:
    """E6: files 0600 and folders 0700 even where the service was started with umask 0."""
    with umask(0):
        live = start()
        assert live.upload(live.login())[0] == 200
    root = live.instance / "uploads"
    assert root.stat().st_mode & 0o777 == 0o700 and too_open(root) == set()
    assert {p.stat().st_mode & 0o777 for p in root.rglob("*.pdf")} == {0o600}


def test_everything_the_service_writes_is_private_in_a_folder_that_others_may_enter(
    start: Callable[..., Live], tmp_path: Path
) -> None:
    """E6: the database holds what the files do, and its folder may have been made by somebody else."""
    with umask(0o022):
        (tmp_path / "instance").mkdir(mode=0o755)
        live = start()
        assert live.upload(live.login())[0] == 200
    assert too_open(live.instance) == set()


def test_the_upload_folder_is_not_served(start: Callable[..., Live]) -> None:
    """E6: what is stored can be had by its id and in no other way."""
    live = start()
    saved_to = json.loads(live.upload(live.login())[2])["files"][0]["savedTo"]
    for path in (saved_to, f"/instance{saved_to}", f"/..{saved_to}", f"/static{saved_to}", "/.staging"):
        assert live.request("GET", path)[0] == 404, path


# --- a refusing disk: injected --------------------------------------------------------------------------------------


@contextmanager
def failing(name: str, code: int, at: int = 1) -> Iterator[list[int]]:
    """Let the `at`th call of os.`name` fail with `code`; yield the inodes of the descriptors it was called with."""
    true, inodes = getattr(os, name), []

    def fail(*args: Any, **options: Any) -> Any:
        inodes.append(os.fstat(args[0]).st_ino if isinstance(args[0], int) else 0)
        if len(inodes) == at:
            raise OSError(code, os.strerror(code))
        return true(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, fail)
        yield inodes
    assert len(inodes) >= at, f"os.{name} was never called {at} times"


REFUSALS = [
    pytest.param(errno.ENOSPC, (507, "insufficient_storage"), id="ENOSPC"),
    pytest.param(errno.EDQUOT, (507, "insufficient_storage"), id="EDQUOT"),
    pytest.param(errno.EIO, (500, "storage_error"), id="EIO"),
]
# The first upload of a user syncs: file 1, the root with the new folder, file 2, the folder.
STEPS = [("mkdir", 1), ("link", 1), ("link", 2), *(("fsync", at) for at in range(1, 5))]


@pytest.mark.parametrize(("code", "expected"), REFUSALS)
@pytest.mark.parametrize(("call", "at"), STEPS)
def test_a_failing_call_leaves_nothing_and_the_next_upload_works(
    call: str, at: int, code: int, expected: tuple[int, str], alice: Person
) -> None:
    """H5: ENOSPC, EDQUOT and EIO on mkdir, link and fsync: JSON, nothing left, and a failed fsync is final."""
    body = multipart(part(filename="a.pdf"), part(filename="b.pdf"))
    with failing(call, code, at) as inodes:
        answer = alice.send(body)
    assert (answer.status_code, answer.get_json()["error"]) == expected
    assert nothing_stored(alice.app)
    if call == "fsync":
        assert inodes[at - 1] not in inodes[at:], "the failed fsync was tried again"
    assert len(stored(alice.send(body))) == 2
    assert alice.app.test_cli_runner().invoke(args=["verify"]).exit_code == 0


@pytest.mark.parametrize("call", ["fsync", "link", "mkdir"])
def test_a_failing_call_spares_the_files_of_others_and_of_earlier(call: str, alice: Person, bob: Person) -> None:
    """H5: what was stored before the disk failed stays."""
    stored(alice.upload())
    before = files(alice.app)
    with failing(call, errno.EIO):
        assert (alice if call != "mkdir" else bob).upload().status_code == 500
    assert files(alice.app) == before and (state(alice.app)["rows"], state(alice.app)["used"]) == (1, len(PDF))


@pytest.mark.parametrize(("code", "expected"), REFUSALS)
def test_a_staged_file_that_cannot_be_opened_leaves_nothing(
    code: int, expected: tuple[int, str], alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H5: the second file cannot be staged, and the first goes too."""
    true, opened = os.open, []

    def fail(path: Any, *args: Any, **options: Any) -> int:
        if str(path).endswith(".part"):
            opened.append(path)
            if len(opened) == 2:
                raise OSError(code, os.strerror(code))
        return true(path, *args, **options)

    monkeypatch.setattr(os, "open", fail)
    answer = alice.send(multipart(part(), part()))
    assert (answer.status_code, answer.get_json()["error"]) == expected
    assert nothing_stored(alice.app)


@pytest.mark.parametrize(
    ("message", "expected"),
    [("database or disk is full", (507, "insufficient_storage")), ("disk I/O error", (500, "storage_error"))],
)
def test_a_failing_commit_leaves_nothing_and_the_next_upload_works(
    message: str, expected: tuple[int, str], alice: Person
) -> None:
    """H5: SQLite says SQLITE_FULL for ENOSPC and SQLITE_IOERR for EDQUOT and EIO; the published files go."""

    def fail(_: Plain) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError(message))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plain, "commit", fail)
        answer = alice.send(multipart(part(filename="a.pdf"), part(filename="b.pdf")))
    assert (answer.status_code, answer.get_json()["error"]) == expected
    assert nothing_stored(alice.app)
    assert len(stored(alice.upload())) == 1


def test_only_the_databases_own_words_make_a_full_disk(alice: Person) -> None:
    """H5: a file's name is part of a failed statement's text and does not turn another fault into 507."""

    def fail(_: Plain) -> None:
        raise OperationalError("INSERT", {"filename": "disk is full.pdf"}, sqlite3.OperationalError("no such table"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plain, "commit", fail)
        assert alice.upload("disk is full.pdf").status_code == 500


@contextmanager
def recorded_syncs() -> Iterator[list[int]]:
    """Yield the inodes that os.fsync is called with."""
    true, inodes = os.fsync, []

    def record(descriptor: int) -> None:
        inodes.append(os.fstat(descriptor).st_ino)
        true(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", record)
        yield inodes


def test_a_users_folder_that_was_never_synced_is_synced_by_the_next_upload(alice: Person) -> None:
    """H1: mkdir succeeded and the sync of its parent did not: the next 200 makes up for it."""
    root: Path = alice.app.config["UPLOADS_DIR"]
    with failing("fsync", errno.EIO, at=2) as inodes:
        assert alice.upload().status_code == 500
    assert inodes[1] == root.stat().st_ino
    with recorded_syncs() as synced:
        stored(alice.upload())
    assert root.stat().st_ino in synced


def test_a_users_folder_that_was_removed_is_made_again(alice: Person) -> None:
    """H1: an operator tidied the empty folder away; the next upload makes and syncs it."""
    root: Path = alice.app.config["UPLOADS_DIR"]
    [file] = stored(alice.upload())
    alice.delete(f"/api/documents/{file['id']}")
    (root / "1").rmdir()
    with recorded_syncs() as synced:
        stored(alice.upload())
    assert root.stat().st_ino in synced


# --- a refusing disk: a real one ------------------------------------------------------------------------------------
# Each `check_…` runs in a child process: (disk, database) are a folder on a small disk and a migrated file to copy.


def person(instance: Path, **settings: Any) -> Person:
    app = create_app(BASE | {"INSTANCE_PATH": str(instance), "MIN_FREE_BYTES": "0"} | settings)
    add_user(app, "alice@example.com")
    return Person(app, "alice@example.com").login()


def bring(database: Path, instance: Path) -> Path:
    instance.mkdir()
    shutil.copy(database, instance / "app.db")
    return instance


@contextmanager
def full_but_for(disk: Path, pages: int = 0, inodes: int | None = None) -> Iterator[None]:
    """Fill `disk` until only that many pages, or inodes, are free."""
    fillers = [disk / "filler"]
    left = os.statvfs(disk)
    if inodes is None:
        fillers[0].write_bytes(bytes(left.f_bavail * left.f_frsize - pages * PAGE))
    else:
        fillers = [disk / f"filler{n}" for n in range(left.f_favail - inodes)]
        for filler in fillers:
            filler.touch()
    yield
    for filler in fillers:
        filler.unlink()


def refused_without_trace(alice: Person, body: bytes, expected: tuple[int, str]) -> None:
    before = state(alice.app)["rows"], files(alice.app)
    answer = alice.send(body)
    assert (answer.status_code, answer.get_json()["error"]) == expected, answer.text
    assert (state(alice.app)["rows"], files(alice.app)) == before
    assert opened(alice.app) == []


FULL = (507, "insufficient_storage")


def check_writes(disk: Path, database: Path) -> None:
    """Twenty files of one byte take twenty pages, which a look at Content-Length cannot foresee."""
    alice = person(bring(database, disk.with_name("instance")), UPLOADS_DIR=disk / "uploads")
    body = multipart(*(part(filename=f"{n}.txt", content=b"x") for n in range(20)))
    with full_but_for(disk, pages=10):
        refused_without_trace(alice, body, FULL)
        stored(alice.upload())
    assert len(stored(alice.send(body))) == 20


def check_declared_size(disk: Path, database: Path) -> None:
    """What cannot fit is refused before anything is written."""
    alice = person(bring(database, disk.with_name("instance")), UPLOADS_DIR=disk / "uploads")
    with full_but_for(disk, pages=10):
        refused_without_trace(alice, multipart(part(content=PDF + bytes(11 * PAGE))), FULL)
    stored(alice.upload(content=PDF + bytes(11 * PAGE)))


def check_names(disk: Path, database: Path) -> None:
    """A tmpfs counts inodes for files, folders and links: without any, each of open, mkdir and link fails in turn."""
    alice = person(bring(database, disk.with_name("instance")), UPLOADS_DIR=disk / "uploads")
    body = multipart(part(filename="a.pdf"), part(filename="b.pdf"))
    for free in range(4):
        with full_but_for(disk, inodes=free):
            refused_without_trace(alice, body, FULL)
    with full_but_for(disk, inodes=4):
        assert len(stored(alice.send(body))) == 2


def check_commit(disk: Path, database: Path) -> None:
    """The file takes the last page, and SQLite has none for the row."""
    alice = person(bring(database, disk / "instance"))
    with full_but_for(disk, pages=16):
        refused_without_trace(alice, multipart(part(content=PDF + bytes(16 * PAGE - 300))), FULL)
    stored(alice.upload())


def check_file_size(disk: Path, database: Path) -> None:
    """RLIMIT_FSIZE: the write fails with EFBIG after its first 64 KiB."""
    alice = person(bring(database, disk / "instance"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
    refused_without_trace(alice, multipart(part(), part(content=PDF + bytes(100_000))), FULL)
    stored(alice.upload())


def check_journal_size(disk: Path, database: Path) -> None:
    """RLIMIT_FSIZE: the journal of the database cannot grow, and SQLite says “disk I/O error”."""
    alice = person(bring(database, disk / "instance"))
    journal = (disk / "instance" / "app.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal + PAGE, resource.RLIM_INFINITY))
    refused_without_trace(alice, multipart(part()), (500, "storage_error"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    stored(alice.upload())


class Sending:
    """An upload on its way to a real server, sent as the test says."""

    def __init__(self, live: Live, headers: dict[str, str], framing: str) -> None:
        self.wire = live.connect()
        lines = ["POST /api/upload HTTP/1.1", "Host: a", "Connection: close", f"Content-Type: {CONTENT_TYPE}", framing]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wire.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")

    def send(self, data: bytes) -> "Sending":
        self.wire.sendall(data)
        return self

    def status(self) -> int:
        with self.wire:
            return int(b"".join(iter(lambda: self.wire.recv(65536), b"")).split(b" ", 2)[1])


def free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


@contextmanager
def serving_with_room(disk: Path, room: int) -> Iterator[tuple[Live, dict[str, str], Callable[[], bool]]]:
    """A real server with `room` bytes above its reserve, the headers of a session, and whether the reserve is whole."""
    reserve = free(disk) - room
    live = start_live(disk.parent, UPLOADS_DIR=str(disk / "uploads"), MIN_FREE_BYTES=str(reserve))
    try:
        yield live, live.login(), lambda: free(disk) >= reserve
    finally:
        live.stop(signal.SIGKILL)


def check_concurrent_uploads(disk: Path, _: Path) -> None:
    """K9: room for one of four uploads of 4 MB that are on their way together, and again when it has gone."""
    body = multipart(part(content=PDF.ljust(4_000_000, b"x")))
    length, half = f"Content-Length: {len(body)}", len(body) // 2
    with serving_with_room(disk, 6_000_000) as (live, headers, whole):
        given_up = Sending(live, headers, length).send(body[:half])
        assert eventually(lambda: any((disk / "uploads" / ".staging").iterdir()))
        given_up.wire.close()
        assert eventually(lambda: not any((disk / "uploads" / ".staging").iterdir()))
        four = [Sending(live, headers, length).send(body[:half]) for _ in range(4)]
        for upload in four:
            upload.send(body[half:])
        assert sorted(upload.status() for upload in four) == [200, 507, 507, 507]
        assert whole() and len(list((disk / "uploads" / "1").iterdir())) == 1


def check_written_bytes(disk: Path, _: Path) -> None:
    """K9: what an upload has written counts once, so another may have the rest."""
    body = multipart(part(content=PDF.ljust(4_000_000, b"x")))
    with serving_with_room(disk, 6_000_000) as (live, headers, whole):
        waiting = Sending(live, headers, f"Content-Length: {len(body)}").send(body[:-1])
        assert eventually(
            lambda: sum(path.stat().st_size for path in (disk / "uploads" / ".staging").iterdir()) > 3_900_000
        )
        assert live.upload(headers, part(content=PDF.ljust(1_500_000, b"x")))[0] == 200
        assert (waiting.send(body[-1:]).status(), whole()) == (200, True)


def check_chunked_upload(disk: Path, _: Path) -> None:
    """K9: 9 MB of which nobody was told, with room for 2, end in 507 on the way and leave nothing."""
    body = multipart(part(content=PDF.ljust(9_000_000, b"x")))
    with serving_with_room(disk, 2_000_000) as (live, headers, whole):
        upload = Sending(live, headers, "Transfer-Encoding: chunked")
        for at in range(0, len(body), 100_000):
            piece = body[at : at + 100_000]
            upload.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            assert whole()
        assert upload.send(b"0\r\n\r\n").status() == 507
        assert [path for path in (disk / "uploads").rglob("*") if path.is_file()] == []
        small = Sending(live, headers, "Transfer-Encoding: chunked")
        body = multipart(part())
        assert small.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)).status() == 200


def namespace() -> list[str]:
    """Return the command that may mount a disk of its own, or nothing where the system allows none."""
    command = ["unshare", "-m" if os.geteuid() == 0 else "-rm"]
    probe = [*command, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    if shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return command
    return []


CHECKS: list[Callable[[Path, Path], None]] = [check_file_size, check_journal_size]
if NAMESPACE := namespace():
    CHECKS += [check_writes, check_declared_size, check_names, check_commit]
    CHECKS += [check_concurrent_uploads, check_written_bytes, check_chunked_upload]
SIZES = dict.fromkeys(CHECKS[-3:], "12m")  # of the disks, where 4 MB are too little


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_a_disk_that_is_really_full_leaves_nothing_and_the_next_upload_works(
    check: Callable[[Path, Path], None], tmp_path: Path, schema: Path
) -> None:
    """H5, K9: a real full disk (tmpfs) and a real size limit (RLIMIT_FSIZE), each in a child process."""
    disk = tmp_path / "disk"
    disk.mkdir()
    code = "import sys, pathlib, tests.test_storage as t; getattr(t, sys.argv[1])(*map(pathlib.Path, sys.argv[2:]))"
    command = [sys.executable, "-c", code, check.__name__, str(disk), str(schema)]
    if check not in (check_file_size, check_journal_size):
        mount = f"mount -t tmpfs -o size={SIZES.get(check, '4m')},nr_inodes=200 tmpfs '{disk}' && exec \"$@\""
        command = [*NAMESPACE, "sh", "-c", mount, "sh", *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# --- all or nothing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("third", "status"),
    [
        pytest.param(part(filename="c.exe"), 415, id="another type"),
        pytest.param(part(filename="c.pdf", content=b"hello"), 415, id="not what its name says"),
        pytest.param(part(filename="c.docx", content=b"PK\x03\x04" + bytes(200)), 415, id="seen at the end only"),
        pytest.param(part(filename="c.pdf", content=b""), 400, id="empty"),
        pytest.param(part(filename="c.pdf", content=PDF + bytes(5000)), 413, id="too large"),
    ],
)
def test_a_bad_third_file_keeps_the_good_ones_out(
    third: bytes, status: int, make_app: Callable[..., Flask], unchanged: Callable[[], Any]
) -> None:
    """H11: all or nothing on disk and in the database, and the message names the bad file."""
    app = make_app(MAX_FILE_BYTES=4096)
    add_user(app, "carol@example.com")
    carol = Person(app, "carol@example.com").login()
    with unchanged():
        answer = carol.send(multipart(part(filename="a.pdf"), part(filename="b.pdf"), third, part(filename="d.pdf")))
        assert answer.status_code == status and "“c." in answer.get_json()["message"]
    assert nothing_stored(app)


# --- hashes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["libreoffice.pdf", "libreoffice.docx", "utf16be-bom.txt", "ascii.txt"])
def test_the_hash_of_the_stream_is_the_hash_of_the_file(name: str, alice: Person) -> None:
    """H10: the sha256 of the answer, of the record, of the stored file and of the sent bytes are one."""
    content = (FILES / name).read_bytes()
    [file] = stored(alice.upload(name, content))
    record = alice.get(f"/api/documents/{file['id']}").get_json()["document"]
    expected = hashlib.sha256(content).hexdigest()
    assert file["sha256"] == record["sha256"] == expected
    assert hashlib.sha256(on_disk(alice, file).read_bytes()).hexdigest() == expected
    assert file["size"] == record["size"] == len(content) == on_disk(alice, file).stat().st_size


@pytest.mark.parametrize("step", [1, 7, 4096, 65536, 1 << 20])
def test_the_hash_does_not_depend_on_the_pieces(step: int, tmp_path: Path) -> None:
    """H10: bytes in pieces of any size are hashed and counted as the whole."""
    content = PDF + os.urandom(20_000)
    local = LocalStorage(tmp_path / "uploads", 0)
    file = local.stage()
    for at in range(0, len(content), step):
        file.write(content[at : at + step])
    assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    with local.open(local.publish(file, 1, "a.pdf")) as published:
        assert published.read() == content


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_five_equal_names_in_one_millisecond_give_five_files(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """H12: a clock that stands still makes no two names equal and overwrites nothing."""
    monkeypatch.setattr(names, "unix_ms", lambda: NOW_MS)
    contents = [PDF + bytes([n]) for n in range(5)]
    found = stored(alice.send(multipart(*(part(content=content) for content in contents[:3]))))
    found += [stored(alice.upload(content=content))[0] for content in contents[3:]]
    assert len({file["savedTo"] for file in found}) == 5
    assert [on_disk(alice, file).read_bytes() for file in found] == contents


def test_a_clock_that_moves_back_keeps_names_unique_and_the_order_by_arrival(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H12: names come from the clock, the order from the database."""
    ids = []
    for step in range(5):
        monkeypatch.setattr(names, "unix_ms", lambda step=step: NOW_MS - 1000 * step)
        past = datetime(2026, 1, 1) - timedelta(seconds=step)
        monkeypatch.setattr(publication, "now", lambda past=past: past)
        ids.append(stored(alice.upload())[0]["id"])
    assert [d["id"] for d in alice.get("/api/documents").get_json()["documents"]] == ids[::-1]
    assert len(files(alice.app)) == 5


def test_two_servers_on_one_folder_never_choose_one_name(start: Callable[..., Live]) -> None:
    """H12: two processes receive the same name at the same time, and every file stays."""
    servers = [start(), start()]
    headers = servers[0].login()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: servers[n % 2].upload(headers), range(80)))
    assert [status for status, _, _ in answers] == [200] * 80
    assert len({json.loads(body)["files"][0]["savedTo"] for _, _, body in answers}) == 80
    assert len(list((servers[0].instance / "uploads" / "1").iterdir())) == 80


# --- the sweep ------------------------------------------------------------------------------------------------------


def plant(root: Path, name: str, age: float) -> str:
    """Put a file below the upload folder, last written `age` seconds ago."""
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(PDF)
    os.utime(path, (time.time() - age,) * 2)
    return name


def test_the_sweep_removes_old_leftovers_and_nothing_else(alice: Person, log: io.StringIO) -> None:
    """H3: old leftovers go and are logged; young ones, files with rows and foreign files stay."""
    root: Path = alice.app.config["UPLOADS_DIR"]
    [file] = stored(alice.upload())
    kept = str(on_disk(alice, file).relative_to(root))
    os.utime(root / kept, (0, 0))
    day = 86_400.0
    gone = {
        plant(root, ".staging/0123.part", day),
        plant(root, f"1/{NOW_MS}-left.pdf", day),
        plant(root, f"999/{NOW_MS}-nobodys.pdf", day),
    }
    stay = {
        kept,
        plant(root, ".staging/4567.part", 60),
        plant(root, f"1/{NOW_MS}-young.pdf", 60),
        plant(root, "1/notes.txt", day),
        plant(root, "lost+found/1234567890123-a.pdf", day),
        plant(root, "README", day),
    }
    done = alice.app.test_cli_runner().invoke(args=["sweep"])
    assert done.exit_code == 0, done.output
    assert {line.removeprefix("Removed ") for line in done.output.splitlines()} == gone
    assert files(alice.app) == stay
    logged = log.getvalue()
    assert logged.count("leftover_removed") == 3 and "left.pdf" not in logged and "nobodys" not in logged
    with alice.get(f"/api/documents/{file['id']}/content") as download:
        assert download.data == PDF


@pytest.mark.parametrize("name", ["2026", "1/1700000000000-folder.pdf/notes", "01/1700000000000-mine.pdf"])
def test_the_sweep_bears_with_what_the_service_did_not_make(name: str, alice: Person) -> None:
    """H3: a foreign file or folder whose name resembles ours neither goes nor stops the sweep."""
    root: Path = alice.app.config["UPLOADS_DIR"]
    (root / "1").mkdir()
    plant(root, name, 10**6)
    plant(root, f"7/{NOW_MS}-left.pdf", 10**6)
    done = alice.app.test_cli_runner().invoke(args=["sweep"])
    assert done.exit_code == 0, done.exception
    assert files(alice.app) == {name}


def test_the_default_age_is_twice_the_longest_upload(make_app: Callable[..., Flask]) -> None:
    """H3: max(request time) x 2: ten files of 100 MB at 10 kB/s take 29 hours."""
    app = make_app(MAX_FILE_BYTES=100_000_000, MAX_FILES=10)
    root: Path = app.config["UPLOADS_DIR"]
    plant(root, ".staging/gone.part", 201_000)
    young = plant(root, ".staging/young.part", 199_000)
    assert app.test_cli_runner().invoke(args=["sweep"]).exit_code == 0
    assert files(app) == {young}


def test_a_row_without_its_file_is_reported_and_kept(alice: Person) -> None:
    """H3: the sweep removes garbage, never records."""
    [file] = stored(alice.upload())
    on_disk(alice, file).unlink()
    runner = alice.app.test_cli_runner()
    assert runner.invoke(args=["sweep", "--older-than", "0"]).exit_code == 0
    verified = runner.invoke(args=["verify"])
    assert verified.exit_code == 1 and file["savedTo"].removeprefix("/uploads/") in verified.output
    with alice.app.app_context():
        assert db.session.query(Document).count() == 1


def test_serve_sweeps_when_it_starts(start: Callable[..., Live], tmp_path: Path) -> None:
    """H3: what a killed server left goes when the next one starts."""
    root = tmp_path / "instance" / "uploads"
    (root / ".staging").mkdir(parents=True)
    left = [plant(root, ".staging/0123.part", 10**6), plant(root, f"1/{NOW_MS}-telltale.pdf", 10**6)]
    live = start()

    def removed() -> list[str]:
        return [line["path"] for line in live.lines if line["message"] == "leftover_removed"]

    deadline = time.monotonic() + 10
    while len(removed()) < len(left) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any((root / name).exists() for name in left)
    assert sorted(removed()) == [".staging/0123.part", f"1/{NOW_MS}"]


# --- descriptors ----------------------------------------------------------------------------------------------------


@contextmanager
def recorded_opens() -> Iterator[list[tuple[str, int]]]:
    """Yield, of every staged file that os.open opens, its name and how many are open then."""
    true, opens = os.open, []

    def record(path: Any, *args: Any, **options: Any) -> int:
        descriptor = true(path, *args, **options)
        if str(path).endswith(".part"):
            opens.append((Path(path).name, sum(name.endswith(".part") for name in open_files())))
        return descriptor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", record)
        yield opens


def test_an_upload_of_twenty_files_holds_one_of_them_open(alice: Person) -> None:
    """K8: each is closed when its part ends, and opened again for its fsync, a Word document for its inspection too."""
    document = (FILES / "libreoffice.docx").read_bytes()
    parts = [part(filename="a.docx", content=document) if n % 4 == 0 else part() for n in range(20)]
    with recorded_opens() as opens:
        assert len(stored(alice.send(multipart(*parts)))) == 20
    assert {count for _, count in opens} == {1}
    times = Counter(name for name, _ in opens)
    assert Counter(times.values()) == {2: 15, 3: 5}


def test_an_upload_that_waits_for_its_next_file_holds_none_open(live: Live) -> None:
    """K8: 40 uploads of 19 files each, of which the last has not come, cost a descriptor each: their connection's."""
    headers = live.login()
    body = multipart(*[part()] * 20)
    staging = live.instance / "uploads" / ".staging"
    with ExitStack() as held:
        for _ in range(40):
            upload = Sending(live, headers, f"Content-Length: {len(body)}")
            held.enter_context(upload.wire)
            upload.send(body[: body.rindex(b"Content-Disposition")])
        assert eventually(lambda: len(list(staging.iterdir())) == 40 * 19)
        assert [name for name in open_files(live.process.pid) if name.endswith(".part")] == []


def test_a_link_in_place_of_a_staged_file_is_not_followed(tmp_path: Path, outside: Path) -> None:
    """K8, E5: neither to read what was written nor to sync it, now that both open it again."""
    local = LocalStorage(tmp_path / "uploads", 0)
    file = staged(local)
    file.close()
    file.path.unlink()
    file.path.symlink_to(outside / "secret.txt")
    with pytest.raises(StorageFailed):
        file.open()
    with pytest.raises(StorageFailed):
        local.publish(file, 1, "a.txt")
    assert list((local.root).rglob("*.txt")) == [] and untouched(outside)


def test_room_is_promised_once_and_given_back_once(tmp_path: Path) -> None:
    """K9: of two uploads that need most of the disk the second gets it when the first has gone."""
    local = LocalStorage(tmp_path / "uploads", 0)
    most = free(tmp_path) * 6 // 10
    first = local.reserve(most)
    with pytest.raises(InsufficientStorage):
        local.reserve(most)
    first.release()
    first.release()
    second = local.reserve(most)
    with pytest.raises(InsufficientStorage):
        local.reserve(most)
    second.release()


def test_the_reserve_is_kept_free(make_app: Callable[..., Flask]) -> None:
    """H5: MIN_FREE_BYTES is refused to uploads before a byte is written."""
    app = make_app(MIN_FREE_BYTES=2**60)
    add_user(app, "carol@example.com")
    answer = Person(app, "carol@example.com").login().upload()
    assert (answer.status_code, answer.get_json()["error"]) == FULL and nothing_stored(app)
    with pytest.raises(InsufficientStorage):
        app.extensions["storage"].check()


def test_a_disk_is_slow_when_even_its_quickest_sync_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight slow ones in a row, and no longer after one that is quick: a busy machine alone makes no disk slow."""
    folder = LocalStorage(tmp_path / "uploads", 0)

    def is_slow_after(pause: float) -> bool:
        monkeypatch.setattr(os, "fsync", lambda _: time.sleep(pause))
        file = staged(folder)
        folder.publish(file, 1, "a.pdf")
        return folder.is_slow()

    assert [is_slow_after(0.005) for _ in range(9)] == [False] * 7 + [True] * 2
    assert eventually(lambda: not is_slow_after(0))  # on a busy machine even that one may have been interrupted

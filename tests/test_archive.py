"""Several documents as one ZIP: what is in it, under which names, and who gets none."""

import hashlib
import re
import subprocess
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.support.bodies import PDF, multipart, part
from tests.support.engines import needed
from tests.support.people import Person
from tests.support.stack import rows, storage_of
from tests.support.traces import open_files
from tests.test_audit import of, trail
from uploadsvc.errors import BrokenOff
from uploadsvc.extensions import db

UNKNOWN = "0" * 32
CONTENTS = {"a.txt": b"first", "Prüfung.txt": "grüß".encode(), "漢字.pdf": PDF, "big.pdf": PDF.ljust(1_000_000, b"x")}


def stored(person: Person, *files: tuple[str, bytes]) -> list[str]:
    """Upload files; return their documents' ids."""
    answer = person.send(multipart(*(part(filename=name, content=content) for name, content in files)))
    assert answer.status_code == 200, answer.text
    return [file["id"] for file in answer.get_json()["files"]]


def address(ids: list[str]) -> str:
    return "/api/documents/zip?" + "&".join(f"id={id_}" for id_ in ids)


def archive(person: Person, ids: list[str]) -> zipfile.ZipFile:
    with person.get(address(ids)) as answer:
        assert answer.status_code == 200, answer.text
        found = zipfile.ZipFile(BytesIO(answer.data))
    assert found.testzip() is None
    return found


@pytest.fixture
def ids(alice: Person) -> list[str]:
    return stored(alice, *CONTENTS.items())


def test_an_archive_holds_what_was_uploaded(alice: Person, ids: list[str]) -> None:
    """Issue 11, 2: in the order that is asked for, as it is, with true names."""
    found = archive(alice, ids[::-1])
    assert found.namelist() == list(CONTENTS)[::-1]
    assert {name: found.read(name) for name in CONTENTS} == CONTENTS
    for entry in found.infolist():
        assert entry.compress_type == zipfile.ZIP_STORED
        assert bool(entry.flag_bits & 0x800) == (not entry.filename.isascii())  # APPNOTE, appendix D: UTF-8
        assert entry.date_time > (2026, 1, 1, 0, 0, 0)


@pytest.mark.parametrize(("program", "package"), [("unzip -tq", "unzip"), ("bsdtar -tf", "libarchive-tools")])
def test_other_programs_read_it(program: str, package: str, alice: Person, ids: list[str], tmp_path: Path) -> None:
    """Issue 11, 2: not only the library that wrote it."""
    command, option = program.split()
    needed(command, package)
    file = tmp_path / "documents.zip"
    file.write_bytes(alice.get(address(ids)).data)
    environ = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([command, option, str(file)], capture_output=True, env=environ, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_is_an_attachment_that_runs_nothing(alice: Person, ids: list[str]) -> None:
    """G1: as a document's content is; its name tells the day."""
    with alice.get(address(ids)) as answer:
        told = answer.headers
    assert (told["Content-Type"], told["Cache-Control"]) == ("application/zip", "private, no-store")
    assert re.match(r'attachment; filename="documents-2\d{3}-\d\d-\d\d\.zip"; ', told["Content-Disposition"])
    assert told["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert not {"Content-Length", "Accept-Ranges", "ETag"} & set(told.keys())


SAME = {
    ("a.pdf", "a.pdf", "a.pdf"): ["a.pdf", "a (2).pdf", "a (3).pdf"],
    ("a.pdf", "A.PDF"): ["a.pdf", "A (2).PDF"],  # the same file to Windows and macOS
    ("a (2).pdf", "a.pdf", "a.pdf"): ["a (2).pdf", "a.pdf", "a (3).pdf"],
    ("a.pdf", "a.pdf", "a (2).pdf"): ["a.pdf", "a (2).pdf", "a (2) (2).pdf"],
    ("Straße.txt", "STRASSE.txt"): ["Straße.txt", "STRASSE (2).txt"],
    ("a.pdf", "a.txt"): ["a.pdf", "a.txt"],
    (r"..\..\x.pdf", 'say "hi"?.pdf', "a:b|c<d>*.pdf"): ["_.._x.pdf", "say _hi__.pdf", "a_b_c_d__.pdf"],
    ("..txt", " .hidden.txt"): ["file.txt", "hidden.txt"],
    ("CON.txt", "nul.tar.pdf", "con.TXT", "console.txt"): ["_CON.txt", "_nul.tar.pdf", "_con (2).TXT", "console.txt"],
    ("漢" * 251 + ".pdf",) * 2: ["漢" * 83 + ".pdf", "漢" * 82 + " (2).pdf"],
}


@pytest.mark.parametrize("given", SAME, ids=lambda given: ascii(given[0])[:20])
def test_no_two_files_have_one_name_anywhere(given: tuple[str, ...], alice: Person) -> None:
    """Issue 11, 2: equal names are numbered, and what a filesystem refuses, or takes for a path, is "_" (E1)."""
    ids = [stored(alice, (name, PDF if name.lower().endswith("pdf") else b"x"))[0] for name in given]
    assert archive(alice, ids).namelist() == SAME[given]


def test_five_hundred_equal_names_are_numbered_at_once(alice: Person) -> None:
    ids = [id_ for _ in range(25) for id_ in stored(alice, *[("scan.txt", b"x")] * 20)]
    names = archive(alice, ids).namelist()
    assert names == ["scan.txt", *(f"scan ({n}).txt" for n in range(2, 501))]


def test_a_document_that_is_named_twice_is_in_it_once(alice: Person, ids: list[str]) -> None:
    assert archive(alice, [ids[0], ids[1], ids[0]]).namelist() == ["a.txt", "Prüfung.txt"]


@pytest.mark.parametrize("limit", ["ZIP64_LIMIT", "ZIP_FILECOUNT_LIMIT"])
def test_what_is_too_large_for_the_old_format_is_zip64(
    limit: str, alice: Person, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 11, 2: APPNOTE §4.3.14; the limit of 4 GB, or of 65 535 files, is lowered, for they take long to send."""
    monkeypatch.setattr(zipfile, limit, 3)
    with alice.get(address(ids)) as answer:
        sent = answer.data
    assert b"PK\x06\x06" in sent and b"PK\x06\x07" in sent
    monkeypatch.undo()
    found = zipfile.ZipFile(BytesIO(sent))
    assert found.testzip() is None and {name: found.read(name) for name in CONTENTS} == CONTENTS


# --- who gets none


@pytest.mark.parametrize("wrong", [UNKNOWN, "x", "", "../a", "a" * 5000, "bob's", "deleted"])
def test_one_id_that_is_not_ones_own_and_nothing_is_sent(
    wrong: str, alice: Person, bob: Person, ids: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A25: Bob's, an unknown one, a deleted one: the same 404 wherever it stands, and no line in the trail."""
    if wrong == "bob's":
        [wrong] = stored(bob, ("his.txt", b"his"))
    if wrong == "deleted":
        wrong = ids[3]
        alice.delete(f"/api/documents/{wrong}")
    caplog.clear()
    for some in ([wrong], [wrong, ids[0]], [*ids[:3], wrong]):
        answer = alice.get(address(some))
        assert (answer.status_code, answer.get_json()["error"]) == (404, "not_found")
    assert trail(caplog) == [] and open_files() == []


@pytest.mark.parametrize("query", ["", "?", "?ids=1", "?" + "&".join(f"id={n:032}" for n in range(501))], ids=len)
def test_none_or_more_than_five_hundred_are_400(query: str, alice: Person) -> None:
    assert alice.get(f"/api/documents/zip{query}").status_code == 400


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT"])
def test_no_other_method_is_taken(method: str, alice: Person) -> None:
    """RFC 9110 §15.5.6: it is no document's address, whose methods are others."""
    answer = alice.request(method, "/api/documents/zip")
    assert (answer.status_code, set(answer.allow)) == (405, {"GET", "HEAD", "OPTIONS"})


@pytest.mark.parametrize("scope", ["upload", "full"])
def test_a_script_needs_the_scope_of_the_list(scope: str, alice: Person, ids: list[str]) -> None:
    token = alice.post("/api/tokens", json={"name": "x", "scope": scope}).get_json()["token"]
    with alice.client.get(address(ids), headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status_code == (200 if scope == "full" else 403)
    assert alice.client.get(address(ids)).status_code == 401


# --- how it is made


def test_all_ids_are_looked_up_in_one_statement(alice: Person, ids: list[str]) -> None:
    """Issue 11, 2: with the owner in its WHERE clause."""
    asked: list[str] = []
    with alice.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    archive(alice, ids)
    [statement] = [statement for statement in asked if "FROM documents" in statement]
    assert "documents.user_id = " in statement.partition("WHERE")[2]


def test_one_download_of_all_is_told(alice: Person, ids: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """K18: one line with every id; looking whether it is there tells nothing of one's own."""
    caplog.clear()
    assert alice.request("HEAD", address(ids)).status_code == 200
    archive(alice, ids)
    total = sum(map(len, CONTENTS.values()))
    assert trail(caplog) == [of(alice, "downloaded", documents=ids, bytes=total)]


def test_one_file_is_open_at_a_time(alice: Person, ids: list[str]) -> None:
    """Issue 11, 2: and none before the first is wanted, or after the last."""
    seen = []
    with alice.get(address(ids), buffered=False) as answer:
        for _ in answer.iter_encoded():
            seen.append(len(open_files()))
    assert max(seen) == 1 and seen[-1] == 0 and open_files() == []


def test_an_answer_that_is_not_read_leaves_nothing_open(alice: Person, ids: list[str]) -> None:
    """More often than there are places for those who send."""
    for _ in range(5):
        alice.get(address(ids), buffered=False).close()
        assert open_files() == []


def path_of(alice: Person, id_: str) -> str:
    [(path,)] = rows(alice.app, "SELECT path FROM documents WHERE public_id = :id", id=id_)
    return str(path)


def vanish(alice: Person, id_: str) -> None:
    storage_of(alice.app).delete(path_of(alice, id_))


def rewrite(content: bytes) -> Callable[[Person, str], None]:
    def change(alice: Person, id_: str) -> None:
        digest = hashlib.sha256(content).hexdigest()
        storage_of(alice.app).put_back(BytesIO(content), path_of(alice, id_), len(content), digest)

    return change


DAMAGE = {"missing": vanish, "shorter": rewrite(b"x"), "empty": rewrite(b""), "longer": rewrite(b"x" * 2_000_000)}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_cannot_be_sent_breaks_the_archive_off(
    kind: str, alice: Person, ids: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 11, bad luck: no central directory follows, and the log says which document it was."""
    DAMAGE[kind](alice, ids[2])
    sent = b""
    with alice.get(address(ids), buffered=False) as answer:
        chunks = answer.iter_encoded()
        with pytest.raises(BrokenOff):
            while True:
                sent += next(chunks)
    assert CONTENTS["a.txt"] in sent and b"PK\x01\x02" not in sent and b"PK\x05\x06" not in sent
    [line] = [record for record in caplog.records if record.getMessage() == "archive_broken_off"]
    told: dict[str, Any] = vars(line)
    assert (told["document_id"], told["request_id"]) == (ids[2], answer.headers["X-Request-ID"])
    assert told["reason"] == "the file is missing" if kind == "missing" else "bytes, not" in told["reason"]
    assert open_files() == []


def test_what_cannot_even_begin_is_a_fault_in_json(alice: Person, ids: list[str]) -> None:
    """As with a single download: nothing was sent, so there is an answer, and no line that says it was."""
    vanish(alice, ids[0])
    answer = alice.get(address(ids))
    assert (answer.status_code, answer.get_json()["error"]) == (500, "storage_error")

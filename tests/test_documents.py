"""Documents: list, show, download and delete; what is Alice's does not exist for Bob."""

import hashlib
import http.client
import json
import re
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import select, text
from werkzeug.test import TestResponse
from werkzeug.wsgi import FileWrapper

from tests.support.bodies import FILES, PDF, multipart, part
from tests.support.engines import Live
from tests.support.people import Person
from tests.support.traces import open_files, state
from uploadsvc.documents import disposition
from uploadsvc.extensions import db
from uploadsvc.models import Document
from uploadsvc.storage import LocalStorage

CONTENT = (FILES / "reportlab.pdf").read_bytes()
UNKNOWN = "0" * 32


@pytest.fixture
def document(alice: Person) -> dict[str, Any]:
    """Alice's one document, as the list shows it."""
    assert alice.upload("report.pdf", CONTENT, "application/pdf").status_code == 200
    [found] = alice.get("/api/documents").get_json()["documents"]
    return dict(found)


def content_of(document: dict[str, Any]) -> str:
    return f"/api/documents/{document['id']}/content"


def fetch(person: Person, path: str, method: str = "GET", **headers: str) -> TestResponse:
    """Request, read and close."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with person.request(method, path, headers=given) as answer:
        answer.get_data()
    return answer


def page(person: Person, query: str = "") -> tuple[list[str], str | None]:
    answer = person.get(f"/api/documents{query}")
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    return [document["id"] for document in body["documents"]], body["next"]


def fill(person: Person, count: int) -> list[str]:
    """Upload `count` files; return their ids, newest first."""
    ids = []
    for n in range(0, count, 20):
        names = [f"{at}.txt" for at in range(n, min(n + 20, count))]
        answer = person.send(multipart(*(part(filename=name, content=b"x") for name in names)))
        ids += [file["id"] for file in answer.get_json()["files"]]
    return ids[::-1]


# --- the list -------------------------------------------------------------------------------------------------------


def test_an_empty_list_is_a_list(alice: Person) -> None:
    nothing = {"documents": [], "next": None, "total": 0, "totalBytes": 0}
    assert alice.get("/api/documents").get_json() == {"ok": True} | nothing


def test_the_list_shows_each_document_as_its_upload_told(alice: Person, document: dict[str, Any]) -> None:
    assert document.keys() == {
        "id",
        "filename",
        "mimetype",
        "size",
        "sha256",
        "status",
        "createdAt",
        "uploadedAt",
        "via",
        "sender",
    }
    assert document["filename"] == "report.pdf" and document["mimetype"] == "application/pdf"
    assert (document["size"], document["sha256"]) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert document["status"] == "success" and document["createdAt"].endswith("Z")
    assert alice.get(f"/api/documents/{document['id']}").get_json() == {"ok": True, "document": document}


def test_the_list_is_paged_newest_first_without_gaps(alice: Person) -> None:
    ids = fill(alice, 25)
    assert page(alice) == (ids, None)
    found: list[str] = []
    query, following = "?limit=10", None
    for expected in (10, 10, 5):
        some, following = page(alice, query)
        assert len(some) == expected
        found, query = found + some, f"?limit=10&before={following}"
    assert (found, following) == (ids, None)


def test_a_page_that_is_exactly_full_has_no_next(alice: Person) -> None:
    ids = fill(alice, 4)
    assert page(alice, "?limit=4") == (ids, None)
    assert page(alice, f"?limit=2&before={ids[1]}") == (ids[2:], None)
    assert page(alice, f"?before={ids[-1]}") == ([], None)


def test_uploads_and_deletes_between_pages_shift_nothing(alice: Person) -> None:
    ids = fill(alice, 6)
    first, following = page(alice, "?limit=3")
    fill(alice, 2)
    alice.delete(f"/api/documents/{ids[4]}")
    assert page(alice, f"?limit=3&before={following}") == ([ids[3], ids[5]], None)
    assert first == ids[:3]


def test_the_page_holds_fifty_unless_told_and_two_hundred_at_most(alice: Person) -> None:
    ids = fill(alice, 205)
    for query, size in (("?", 50), ("?limit=200&", 200), ("?limit=1&", 1)):
        found, following = page(alice, query)
        assert found == ids[:size]
        assert page(alice, f"{query}before={following}")[0] == ids[size : 2 * size]


def test_a_cursor_stays_good_when_its_document_is_deleted(alice: Person) -> None:
    """D26: also when everything around it goes, and comes, while somebody pages."""
    ids = fill(alice, 8)
    first, following = page(alice, "?limit=3")
    for number in (1, 2, 3):
        assert alice.delete(f"/api/documents/{ids[number]}").status_code == 200
    fill(alice, 2)
    assert first == ids[:3]
    assert page(alice, f"?before={following}") == (ids[4:], None)
    for id_ in ids[4:]:
        alice.delete(f"/api/documents/{id_}")
    assert page(alice, f"?before={following}") == ([], None)


def test_a_cursor_of_the_newest_document_hides_what_takes_its_place(alice: Person) -> None:
    """D26: what is uploaded after the newest was deleted is newer than the page that was read."""
    ids = fill(alice, 3)
    following = page(alice, "?limit=1")[1]
    alice.delete(f"/api/documents/{ids[0]}")
    fill(alice, 1)
    assert page(alice, f"?before={following}") == (ids[1:], None)


def test_a_cursor_tells_nothing_of_how_many_documents_there_are(alice: Person, bob: Person) -> None:
    """D26: neither the number of a document nor which of two is the larger can be read from it."""
    fill(alice, 30)
    cursors = [page(alice, f"?limit={n}")[1] or "" for n in range(1, 30)]
    assert len(set(cursors)) == 29 and all(re.fullmatch(r"c-[0-9a-f]{32}", cursor) for cursor in cursors)
    assert cursors not in (sorted(cursors), sorted(cursors, reverse=True))
    assert cursors[0] == page(alice, "?limit=1")[1]
    halves = [int(cursor[at : at + 16], 16) for cursor in cursors for at in (2, 18)]
    assert min(halves) > 2**48  # a plain number would be small


GARBLED = {
    "cut": lambda cursor: cursor[:-1],
    "longer": lambda cursor: cursor + "0",
    "another number": lambda cursor: cursor[:-1] + ("0" if cursor[-1] != "0" else "1"),
    "another proof": lambda cursor: "c-" + ("0" if cursor[2] != "0" else "1") + cursor[3:],
    "capitals": str.upper,
    "nothing after its mark": lambda cursor: "c-",
    "a number": lambda cursor: "c-1",
    "zeros": lambda cursor: "c-" + "0" * 32,
    "other digits": lambda cursor: "c-" + "١" * 32,
    "a line feed": lambda cursor: cursor + "%0a",
    "a NUL": lambda cursor: cursor + "%00",
    "very long": lambda cursor: "c-" + "0" * 5000,
}


@pytest.mark.parametrize("garble", GARBLED.values(), ids=GARBLED)
def test_a_garbled_cursor_is_refused(garble: Callable[[str], str], alice: Person) -> None:
    """D26: never a fault of ours, and never a page of something else."""
    fill(alice, 3)
    cursor = page(alice, "?limit=1")[1] or ""
    answer = alice.get(f"/api/documents?before={garble(cursor)}")
    assert answer.status_code == (404 if garble is str.upper else 400) and answer.get_json()["ok"] is False


def test_a_strangers_cursor_is_refused(alice: Person, bob: Person) -> None:
    """D26: it names a place in its owner's list alone."""
    fill(alice, 3)
    fill(bob, 3)
    cursor = page(alice, "?limit=1")[1]
    assert bob.get(f"/api/documents?before={cursor}").status_code == 400


BAD_LIMITS = [
    "0",
    "201",
    "-1",
    "+5",
    "abc",
    "1.5",
    "1e2",
    "١",
    "５",
    "0x10",
    "%205",
    "5%00",
    "999999999999999999999",
    "0000001005",
]


@pytest.mark.parametrize(
    "limit", ["", *BAD_LIMITS, "000000100" + "9" * 30, "000000100" + "9" * 5000], ids=lambda x: x[:30]
)
def test_a_limit_out_of_bounds_is_refused(limit: str, alice: Person) -> None:
    answer = alice.get(f"/api/documents?limit={limit}")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "bad_request")


@pytest.mark.parametrize("before", [UNKNOWN, "1", "../x", "a%00b", "'; DROP TABLE documents; --", "x" * 5000])
def test_an_unknown_before_is_404(before: str, alice: Person, document: dict[str, Any]) -> None:
    """G3: whatever stands there is an id that nothing has."""
    assert alice.get(f"/api/documents?before={before}").status_code == 404


def fill_with_fields(person: Person, count: int, *fields: bytes) -> None:
    """Upload `count` files, 20 a request, each request with the same text fields."""
    for _ in range(0, count, 20):
        assert person.send(multipart(*fields, *(part(content=PDF) for _ in range(20)))).status_code == 200


def test_text_fields_are_stored_once_an_upload(alice: Person) -> None:
    """K14: what 20 files came with is kept once, not on each of their rows."""
    fill_with_fields(alice, 200, part("note", None, b"x" * 60_000))
    with alice.app.app_context():
        [(rows, with_fields, size)] = db.session.execute(
            text("SELECT count(*), count(fields), sum(length(CAST(fields AS text))) FROM documents")
        )
    assert (rows, with_fields) == (200, 10) and size < 10 * 64 * 1024


def test_a_list_costs_the_same_with_and_without_text_fields(alice: Person, bob: Person) -> None:
    """K14: 200 documents of uploads full of text are read as fast as 200 of plain ones."""
    fill_with_fields(alice, 200, *(part(f"n{n}", None, b"x" * 5_000) for n in range(12)))
    fill_with_fields(bob, 200)
    spent: dict[str, list[float]] = {alice.email: [], bob.email: []}
    for _ in range(15):
        for person in (alice, bob):
            begun = time.process_time()
            assert len(page(person, "?limit=200")[0]) == 200
            spent[person.email].append(time.process_time() - begun)
    assert statistics.median(spent[alice.email]) < 1.5 * statistics.median(spent[bob.email])


# --- somebody else's ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/documents/{id}"),
        ("HEAD", "/api/documents/{id}"),
        ("GET", "/api/documents/{id}/content"),
        ("HEAD", "/api/documents/{id}/content"),
        ("DELETE", "/api/documents/{id}"),
        ("GET", "/api/documents?before={id}"),
    ],
)
def test_a_strangers_document_is_not_found_and_stays_as_it_is(
    method: str, path: str, bob: Person, document: dict[str, Any], unchanged: Callable[[], Any]
) -> None:
    """A25: Bob gets the 404 of an id that never was, whatever he asks of Alice's document."""
    with unchanged():
        hers = fetch(bob, path.format(id=document["id"]), method, If_None_Match=f'"{document["sha256"]}"')
        nobodys = fetch(bob, path.format(id=UNKNOWN), method)
        assert hers.status_code == nobodys.status_code == 404
        assert hers.data == nobodys.data
        assert page(bob) == ([], None)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/{id}"), ("GET", "/{id}/content"), ("HEAD", "/{id}/content"), ("DELETE", "/{id}")],
)
def test_without_a_session_nothing_is_told(
    method: str, path: str, alice: Person, document: dict[str, Any], unchanged: Callable[[], Any]
) -> None:
    with unchanged():
        answer = alice.client.open(f"/api/documents{path.format(id=document['id'])}", method=method)
        assert answer.status_code == 401 and CONTENT[:20] not in answer.data


def test_each_sees_their_own(alice: Person, bob: Person) -> None:
    hers, his = fill(alice, 3), fill(bob, 2)
    assert (page(alice), page(bob)) == ((hers, None), (his, None))


def test_a_strangers_id_says_nothing_about_order(alice: Person, bob: Person) -> None:
    """A25: `before` is looked up among the asker's own, however many those are."""
    fill(bob, 2)
    hers = fill(alice, 2)
    fill(bob, 2)
    assert bob.get(f"/api/documents?before={hers[0]}").status_code == 404


def test_ids_cannot_be_guessed(alice: Person) -> None:
    """A25: 128 random bits each, not a count."""
    ids = fill(alice, 20)
    assert all(len(id_) == 32 and int(id_, 16) for id_ in ids) and len({id_[:8] for id_ in ids}) == 20


# --- the download ---------------------------------------------------------------------------------------------------


def test_a_download_is_an_attachment_that_runs_nothing(alice: Person, document: dict[str, Any]) -> None:
    """G1: attachment, our type, nosniff, sandbox, same-origin, never kept by a cache."""
    answer = fetch(alice, content_of(document))
    assert (answer.status_code, answer.data) == (200, CONTENT)
    expected = {
        "Content-Type": "application/pdf",
        "Content-Length": str(len(CONTENT)),
        "Content-Disposition": "attachment; filename=\"report.pdf\"; filename*=UTF-8''report.pdf",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "bytes",
        "ETag": f'"{document["sha256"]}"',
    }
    assert {name: answer.headers.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "content", "declared", "expected"),
    [
        ("a.PDF", PDF, "application/octet-stream", "application/pdf"),
        ("a.txt", b"<script>alert(1)</script>", "text/plain; charset=utf-7", "text/plain"),
        ("a.txt", "grüß".encode("utf-16"), None, "text/plain"),
        ("a.txt", PDF[1:], None, "text/plain"),
    ],
)
def test_the_type_is_ours_never_the_clients(
    name: str, content: bytes, declared: str | None, expected: str, alice: Person
) -> None:
    """G1: what the client declared is not what it is served as."""
    [file] = alice.upload(name, content, declared).get_json()["files"]
    answer = fetch(alice, content_of(file))
    assert file["mimetype"] == expected
    assert answer.headers["Content-Type"].partition(";")[0] == expected and "utf-7" not in str(answer.headers)
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.data == content


DISPOSITION = re.compile(
    r"""attachment; filename="([ !#-\[\]-~]+)"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)"""  # RFC 6266, RFC 8187
)


def saved_name(header: str) -> tuple[str, str]:
    """Return the ASCII name and the true name of a Content-Disposition."""
    match = DISPOSITION.fullmatch(header)
    assert match, header
    return match[1], unquote(match[2], errors="strict")


NAMES = {
    'say "hi".pdf': 'say "hi".pdf',
    "a;b.pdf": "a;b.pdf",
    "a; filename=evil.exe.pdf": "a; filename=evil.exe.pdf",
    "100%.pdf": "100%.pdf",
    "%41%00.pdf": "%41%00.pdf",
    "a%0D%0AX-Evil: 1.pdf": "aX-Evil: 1.pdf",
    "a\u202efdp.exe.pdf": "afdp.exe.pdf",
    "漢字.pdf": "漢字.pdf",
    "🦆 ’ quack.pdf": "🦆 ’ quack.pdf",
    "é" * 300 + ".pdf": "é" * 251 + ".pdf",
    "漢" * 300 + ".pdf": "漢" * 251 + ".pdf",
    "a'b*c(d).pdf": "a'b*c(d).pdf",
    "＂＼％.pdf": "＂＼％.pdf",
    "…..pdf": "…..pdf",
}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:40])
def test_any_name_comes_back_in_a_header_that_parses(name: str, alice: Person) -> None:
    """G2: quotes, semicolons, percent signs, line breaks, bidi and 300 characters: 200, and the name is kept."""
    answer = alice.upload(name)
    assert answer.status_code == 200, answer.text
    [file] = answer.get_json()["files"]
    assert file["filename"] == NAMES[name]
    download = fetch(alice, content_of(file))
    assert download.status_code == 200 and "X-Evil" not in download.headers
    plain, true = saved_name(download.headers["Content-Disposition"])
    assert true == NAMES[name] and plain.endswith(".pdf") and plain != ".pdf"


def test_a_name_without_an_ascii_letter_has_a_fallback() -> None:
    """G2: old clients save “漢字.pdf” as file.pdf, not as a hidden file."""
    assert saved_name(disposition("漢字.pdf")) == ("file.pdf", "漢字.pdf")
    assert saved_name(disposition("Prüfung.pdf")) == ("Prufung.pdf", "Prüfung.pdf")


# --- ranges and conditions ------------------------------------------------------------------------------------------

SIZE = len(CONTENT)
RANGES = {
    "bytes=0-0": (0, 1),
    "bytes=0-9": (0, 10),
    "bytes=10-19": (10, 20),
    "bytes=-5": (SIZE - 5, SIZE),
    f"bytes=-{SIZE + 100}": (0, SIZE),
    "bytes=5-": (5, SIZE),
    f"bytes={SIZE - 1}-": (SIZE - 1, SIZE),
    f"bytes=5-{SIZE * 2}": (5, SIZE),
}


@pytest.mark.parametrize("given", RANGES)
def test_a_range_gets_exactly_its_bytes(given: str, alice: Person, document: dict[str, Any]) -> None:
    """G3: 206 with Content-Range and Content-Length (RFC 9110 §14)."""
    first, end = RANGES[given]
    answer = fetch(alice, content_of(document), Range=given)
    assert (answer.status_code, answer.data) == (206, CONTENT[first:end])
    assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(end - first)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize("given", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=99999999999-"])
def test_a_range_beyond_the_end_is_416_in_json(given: str, alice: Person, document: dict[str, Any]) -> None:
    """G3: unsatisfiable is told with the size that there is (RFC 9110 §15.5.17)."""
    answer = fetch(alice, content_of(document), Range=given)
    assert answer.status_code == 416 and answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.mimetype == "application/json" and answer.get_json()["ok"] is False


@pytest.mark.parametrize(
    "given", ["bytes=0-1,5-6", "bytes=0-0,-1", "lines=1-2", "bytes=abc", "bytes=5-2", "bytes=-0", "x"]
)
def test_a_range_that_is_not_understood_is_ignored_or_refused(
    given: str, alice: Person, document: dict[str, Any]
) -> None:
    """G3: RFC 9110 §14.2: any Range may be ignored and an invalid one refused; an unknown unit must be ignored."""
    answer = fetch(alice, content_of(document), Range=given)
    valid = given.startswith(("bytes=0", "lines"))
    assert answer.status_code in ({200} if valid else {200, 400, 416})
    assert answer.status_code != 200 or answer.data == CONTENT


@pytest.mark.parametrize(
    ("condition", "status"), [('"{sha256}"', 206), ('"other"', 200), ('W/"{sha256}"', 200), ("nonsense", 200)]
)
def test_if_range_decides_between_the_part_and_the_whole(
    condition: str, status: int, alice: Person, document: dict[str, Any]
) -> None:
    """G3: a resumed download of another version starts over (RFC 9110 §13.1.5)."""
    answer = fetch(alice, content_of(document), Range="bytes=0-9", If_Range=condition.format(**document))
    assert (answer.status_code, answer.data) == (status, CONTENT[:10] if status == 206 else CONTENT)


@pytest.mark.parametrize(
    ("tag", "status"),
    [('"{sha256}"', 304), ('W/"{sha256}"', 304), ("*", 304), ('"a", "{sha256}"', 304), ('"a"', 200), ("", 200)],
)
def test_if_none_match_saves_the_bytes(tag: str, status: int, alice: Person, document: dict[str, Any]) -> None:
    """G3: 304 without a body when the client has the bytes (RFC 9110 §13.1.2)."""
    answer = fetch(alice, content_of(document), If_None_Match=tag.format(**document))
    assert (answer.status_code, answer.data) == (status, b"" if status == 304 else CONTENT)
    assert answer.headers["ETag"] == f'"{document["sha256"]}"'


def test_if_none_match_comes_before_the_range(alice: Person, document: dict[str, Any]) -> None:
    """G3: who has the bytes is told so, whatever part was asked for (RFC 9110 §13.2.2)."""
    assert fetch(alice, content_of(document), If_None_Match="*", Range="bytes=0-9").status_code == 304


def test_head_tells_what_get_would_send(alice: Person, document: dict[str, Any]) -> None:
    """G3: the same headers, no bytes."""
    head, get = (fetch(alice, content_of(document), method) for method in ("HEAD", "GET"))
    assert head.status_code == 200 and head.data == b""
    told = [dict(answer.headers) for answer in (head, get)]
    assert told[0] | {"X-Request-ID": ""} == told[1] | {"X-Request-ID": ""}


def test_head_ignores_a_range(alice: Person, document: dict[str, Any]) -> None:
    """G3: a Range is defined for GET alone (RFC 9110 §14.2)."""
    head = fetch(alice, content_of(document), "HEAD", Range="bytes=0-9")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(SIZE))


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"Range": "bytes=0-9"}, 206),
        ("GET", {"Range": "bytes=0-1,3-4"}, None),
        ("GET", {"If_None_Match": "*"}, 304),
        ("GET", {"Range": "bytes=99999999999-"}, 416),
        ("HEAD", {}, 200),
        ("HEAD", {"Range": "bytes=99999999999-"}, None),
        ("HEAD", {"If_None_Match": "*"}, 304),
    ],
)
def test_no_descriptor_is_left_open(
    method: str, headers: dict[str, str], status: int | None, alice: Person, document: dict[str, Any]
) -> None:
    """G3: whatever the outcome, the file is closed when the answer is."""
    for _ in range(3):
        answer = fetch(alice, content_of(document), method, **headers)
        assert status in (None, answer.status_code)
        root = str(alice.app.config["UPLOADS_DIR"])
        assert not [path for path in open_files() if path.startswith(root)]


HOSTILE_IDS = [
    "..%2f..%2fetc%2fpasswd",
    "../../etc/passwd",
    "%2e%2e/content",
    "%00",
    "%00/content",
    "..%5c..%5cx",
    "1%27--",
    "%ff",
]
HOSTILE_PATHS = [
    "..%2fwsgi.py",
    "../wsgi.py",
    "%2e%2e/wsgi.py",
    "..%5cwsgi.py",
    "%00",
    "js/main.js%00",
    "js/main.js/..%2fwsgi.py",
    "web/js/main.js",
]


@pytest.mark.parametrize(
    "path", [*(f"api/documents/{id_}" for id_ in [*HOSTILE_IDS, "a" * 5000]), *HOSTILE_PATHS], ids=lambda x: x[:40]
)
def test_a_hostile_address_is_404(path: str, live: Live) -> None:
    """G3: dots, NUL and backslashes in an id or a static path lead nowhere, on the real server."""
    status, headers, body = live.request("GET", f"/{path}", headers=live.login())
    assert status == 404 and headers["content-type"] == "application/json"
    assert json.loads(body)["error"] == "not_found"


# --- delete ---------------------------------------------------------------------------------------------------------


def test_a_deleted_document_is_gone_everywhere(alice: Person, document: dict[str, Any]) -> None:
    assert alice.delete(f"/api/documents/{document['id']}").get_json() == {"ok": True}
    after = state(alice.app)
    assert (after["files"], after["rows"], after["used"]) == ({}, 0, 0)
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert fetch(alice, f"/api/documents/{document['id']}{path}", method).status_code == 404


def test_a_link_to_a_deleted_document_never_serves_its_successor(alice: Person, document: dict[str, Any]) -> None:
    """A25: an id is never given out again; the number below it may be, and nobody sees that one."""
    alice.delete(f"/api/documents/{document['id']}")
    alice.upload("report.pdf", PDF)
    [successor] = alice.get("/api/documents").get_json()["documents"]
    assert successor["id"] != document["id"]
    assert fetch(alice, content_of(document)).status_code == 404


def test_of_two_deletes_at_once_the_slower_never_hits_the_successor(alice: Person, document: dict[str, Any]) -> None:
    """A25: between a delete's look and its act another one has deleted, and an upload got the row's number."""
    with alice.app.app_context():
        seen = db.session.scalars(select(Document)).one()
        alice.delete(f"/api/documents/{document['id']}")
        [successor] = alice.upload("report.pdf", PDF).get_json()["files"]
        assert not seen.delete()
    assert page(alice) == ([successor["id"]], None)
    assert fetch(alice, content_of(successor)).data == PDF


def test_a_document_whose_bytes_are_gone_can_be_deleted(alice: Person, document: dict[str, Any]) -> None:
    [path] = (alice.app.config["UPLOADS_DIR"] / "1").iterdir()
    path.unlink()
    assert fetch(alice, content_of(document)).status_code == 500
    assert alice.delete(f"/api/documents/{document['id']}").status_code == 200
    assert page(alice) == ([], None)


def test_deleting_one_of_two_equal_files_keeps_the_other(alice: Person) -> None:
    first, second = (alice.upload().get_json()["files"][0] for _ in range(2))
    alice.delete(f"/api/documents/{first['id']}")
    assert fetch(alice, content_of(second)).data == PDF


def test_what_a_reader_has_begun_is_finished_though_it_was_deleted(alice: Person, document: dict[str, Any]) -> None:
    with alice.get(content_of(document)) as download:
        assert alice.delete(f"/api/documents/{document['id']}").status_code == 200
        assert download.data == CONTENT


def test_a_download_that_meets_a_delete_is_whole_or_404(start: Callable[..., Live]) -> None:
    """K16: the row was found, the bytes have gone in between: never a fault of the server."""
    live = start()
    headers = live.login()
    statuses: Counter[int] = Counter()

    def download(path: str) -> int:
        status, _, body = live.request("GET", path, headers=headers)
        assert status != 200 or body == PDF
        return status

    with ThreadPoolExecutor(4) as pool:
        for _ in range(60):
            path = content_of(json.loads(live.upload(headers)[2])["files"][0])
            readers = [pool.submit(download, path) for _ in range(3)]
            deletes = [pool.submit(live.request, "DELETE", path.removesuffix("/content"), None, headers)]
            deletes += [pool.submit(live.request, "DELETE", path.removesuffix("/content"), None, headers)]
            assert sorted(delete.result()[0] for delete in deletes) == [200, 404]
            statuses.update(reader.result() for reader in readers)
    assert statuses.keys() <= {200, 404}, statuses


def test_bytes_that_go_between_the_row_and_the_file_are_404(
    alice: Person, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """K16: the one moment that a race seldom meets, held still."""
    opened = LocalStorage.open

    def open_late(storage: LocalStorage, path: str) -> Any:
        monkeypatch.undo()
        with alice.app.app_context():
            assert alice.delete(f"/api/documents/{document['id']}").status_code == 200
        return opened(storage, path)

    monkeypatch.setattr(LocalStorage, "open", open_late)
    assert fetch(alice, content_of(document)).status_code == 404


# --- on the real server ---------------------------------------------------------------------------------------------

BIG = PDF + bytes(range(256)) * 40_000  # just below the limit of a file


@pytest.fixture
def big(live: Live) -> tuple[str, dict[str, str]]:
    """The address of a big file's content, and the headers to get it."""
    headers = live.login()
    body = json.loads(live.upload(headers, part(filename="big.pdf", content=BIG))[2])
    return content_of(body["files"][0]), headers


def wait_until_closed(live: Live) -> None:
    deadline = time.monotonic() + 10
    while open_files(live.process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert open_files(live.process.pid) == []


def test_a_whole_download_arrives_as_it_was_sent(live: Live, big: tuple[str, dict[str, str]]) -> None:
    """G1: every byte over the wire, with its length, and the connection stays usable."""
    path, headers = big
    connection = live.http()
    for method, given, expected in (
        ("GET", {}, (200, BIG)),
        ("HEAD", {}, (200, b"")),
        ("GET", {"Range": "bytes=1000-3000000"}, (206, BIG[1000:3000001])),
        ("GET", {"If-None-Match": "*"}, (304, b"")),
        ("GET", {"Range": "bytes=99999999999-"}, (416, None)),
        ("GET", {}, (200, BIG)),
    ):
        connection.request(method, path, headers=headers | given)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == expected[0] and expected[1] in (None, body)
    connection.close()
    wait_until_closed(live)


def test_the_server_sends_the_file_itself_while_a_slow_reader_reads(start: Callable[..., Live]) -> None:
    """C13: the bytes go through wsgi.file_wrapper: the file stays open, and no worker thread waits for the reader."""
    live = start(THREADS="2")
    headers = live.login()
    path = content_of(json.loads(live.upload(headers, part(content=BIG))[2])["files"][0])
    readers = []
    for _ in range(6):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", live.port))
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {headers['Authorization']}\r\n\r\n".encode())
        assert reader.recv(15) == b"HTTP/1.1 200 OK"
        readers.append(reader)
    assert len(open_files(live.process.pid)) == 6
    assert live.request("GET", "/api/documents", headers=headers)[0] == 200
    for reader in readers:
        reader.close()
    wait_until_closed(live)


@pytest.mark.parametrize(("headers", "whole"), [({}, True), ({"Range": "bytes=0-9"}, False)])
def test_the_view_hands_the_file_to_the_servers_own_sender(
    headers: dict[str, str], whole: bool, alice: Person, document: dict[str, Any]
) -> None:
    """C13: a whole file is given to wsgi.file_wrapper as it is (PEP 3333); a part is cut from it."""
    given = []

    class Sender(FileWrapper):
        def __init__(self, file: Any, size: int = 8192) -> None:
            given.append(file)
            super().__init__(file, size)

    with alice.get(content_of(document), headers=headers, environ_overrides={"wsgi.file_wrapper": Sender}) as answer:
        assert answer.data == (CONTENT if whole else CONTENT[:10])
    assert len(given) == 1 and given[0].name and given[0].closed


def test_a_reader_that_goes_away_leaves_no_descriptor(live: Live, big: tuple[str, dict[str, str]]) -> None:
    """G3: an aborted download is closed too."""
    path, headers = big
    for _ in range(10):
        connection = live.http()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.read(1000) == BIG[:1000]
        answer.close()
        connection.close()
    wait_until_closed(live)


def test_many_answers_leave_no_descriptor(live: Live, big: tuple[str, dict[str, str]]) -> None:
    """G3: 206, 304, 416 and HEAD, over and over on one connection."""
    path, headers = big
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=20)
    for n in range(40):
        given = [{"Range": "bytes=-9"}, {"If-None-Match": "*"}, {"Range": "bytes=99999999999-"}, {}][n % 4]
        connection.request("HEAD" if n % 4 == 3 else "GET", path, headers=headers | given)
        connection.getresponse().read()
    connection.close()
    wait_until_closed(live)

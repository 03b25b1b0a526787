"""PUT: one file whose name is in the address and whose bytes are the body, as `curl -T` sends it, on both feeders."""

import hashlib
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests import test_feeders as both
from tests.support.bodies import FILES, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live
from tests.support.people import Person
from tests.support.traces import left, requests_logged
from tests.support.wire import CHUNKED, EXPECT, Answer, Wire, authorization, chunk, head, is_refusal
from tests.test_multipart import LIMIT, refused, stored
from uploadsvc.errors import Malformed, TooLarge
from uploadsvc.filetypes import accept
from uploadsvc.intake import RawIntake, ReceivedFile
from uploadsvc.storage import LocalStorage

FIXTURES = ("folder", "feeder", "service", "alice", "unchanged")
globals().update({name: getattr(both, name) for name in FIXTURES})

LINES = {"Accept": "text/plain"}
BIG = PDF.ljust(LIMIT)
SHA = hashlib.sha256(PDF).hexdigest()


def put(person: Person, name: str, content: bytes = PDF, mimetype: str = "", **headers: str) -> TestResponse:
    """PUT a file at an address that ends in `name`."""
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return person.request("PUT", f"/api/upload/{name}", headers=given, data=content, content_type=mimetype)


# --- Names


NAMES = {
    "plain": ("report.pdf", "report.pdf", "report.pdf"),
    "folders": ("a/b.pdf", "b.pdf", "a/b.pdf"),
    "folders, encoded": ("a%2Fb.pdf", "b.pdf", "a/b.pdf"),
    "out of here": ("..%2F..%2Fetc/b.pdf", "b.pdf", "../../etc/b.pdf"),
    "a slash in front": ("/b.pdf", "b.pdf", "/b.pdf"),
    "a NUL": ("a%00b.pdf", "ab.pdf", "a\0b.pdf"),
    "composed": ("%C3%A4.pdf", "ä.pdf", "ä.pdf"),
    "decomposed": ("a%CC%88.pdf", "ä.pdf", "a\u0308.pdf"),
    "any script": ("%E5%A0%B1%E5%91%8A%F0%9F%93%84.PDF", "報告📄.PDF", "報告📄.PDF"),
    "written backwards": ("a%E2%80%AEfdp.pdf", "afdp.pdf", "a\u202efdp.pdf"),
    "signs of addresses": ("100%25+%5B1%5D%20%23%3F;=&.pdf", "100%+[1] #?;=&.pdf", "100%+[1] #?;=&.pdf"),
    "encoded twice": ("%2541.pdf", "%41.pdf", "%41.pdf"),
    "300 characters": ("x" * 300 + ".pdf", "x" * 251 + ".pdf", "x" * 300 + ".pdf"),
    "spaces around": ("%20a.pdf%20", "a.pdf", " a.pdf "),
}
ESCAPED = {  # coreutils: a backslash in front of the line, and of each of these
    "a line feed": ("a%0Ab.pdf", "ab.pdf", "a\\nb.pdf"),
    "a carriage return": ("a%0Db.pdf", "ab.pdf", "a\\rb.pdf"),
    "a backslash": ("a%5Cb.pdf", "a\\b.pdf", "a\\\\b.pdf"),
    "a path of Windows": ("C%3A%5Ctemp%5Cb.pdf", "b.pdf", "C:\\\\temp\\\\b.pdf"),
}


@pytest.mark.parametrize(("address", "name", "line"), (NAMES | ESCAPED).values(), ids=NAMES | ESCAPED)
def test_the_name_in_the_address_is_cleaned_for_people_and_told_to_scripts_as_it_was_sent(
    alice: Person, address: str, name: str, line: str
) -> None:
    """E2, issue 8: the document has the clean name, the line for sha256sum the client's own."""
    assert stored(alice, put(alice, address)) == [("file", name, PDF)]
    answer = put(alice, address, **LINES)
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    mark = "\\" if "\\" in line else ""
    assert answer.data.decode() == f"{mark}{SHA}  {line}\n"


BAD_NAMES = {
    "none": ("", 400),
    "not UTF-8": ("%FF.pdf", 400),
    "a surrogate": ("%ED%A0%80.pdf", 400),
    "the folder": (".", 415),
    "the folder above": ("..", 415),
    "only an ending": (".pdf", 415),
    "nothing to show before the ending": ("%E2%80%8F.pdf", 415),
    "nothing to show": ("%00", 415),
    "a folder": ("a.pdf/", 415),
    "no ending": ("pdf", 415),
    "a type that is not accepted": ("a.exe", 415),
    "an ending behind a NUL": ("a.exe%00.pd", 415),
    "300 characters without an ending": ("x" * 300, 415),
}


@pytest.mark.parametrize(("address", "status"), BAD_NAMES.values(), ids=BAD_NAMES)
@pytest.mark.parametrize("content", [PDF, BIG], ids=len)
def test_a_name_that_cannot_be_one_is_refused_with_a_sentence(
    alice: Person, unchanged: Callable[[], Any], address: str, status: int, content: bytes
) -> None:
    """E2, F1: whether or not the body has arrived by then."""
    with unchanged():
        assert refused(put(alice, address, content), status)
        answer = put(alice, address, content, **LINES)
    assert (answer.status_code, answer.mimetype) == (status, "text/plain")
    assert re.fullmatch(r"error: [^\n]+\n", answer.data.decode())


@pytest.mark.parametrize("content", [PDF, BIG], ids=len)
def test_an_address_without_its_last_slash_is_told_where_the_name_goes(
    alice: Person, unchanged: Callable[[], Any], content: bytes
) -> None:
    """`curl -T report.pdf …/api/upload`: curl adds the name only where the address ends in a slash."""
    with unchanged():
        answer = alice.request("PUT", "/api/upload", data=content, content_type="")
    assert refused(answer, 405) and "/api/upload/report.pdf" in answer.get_json()["message"]
    assert "post" in answer.headers["Allow"].lower()


# --- Sizes and contents


@pytest.mark.parametrize("path", sorted(p for p in FILES.iterdir() if p.suffix in (".pdf", ".docx", ".txt")), ids=str)
def test_real_files_are_stored_byte_for_byte(alice: Person, path: Any) -> None:
    """F1-F6, by PUT."""
    content = path.read_bytes()
    assert stored(alice, put(alice, path.name, content)) == [("file", path.name, content)]


def test_a_file_of_exactly_the_limit_passes_and_one_byte_more_does_not(
    alice: Person, unchanged: Callable[[], Any]
) -> None:
    """D19, C3, C4: by its declared size, or as its chunks arrive."""
    assert stored(alice, put(alice, "a.pdf", BIG)) == [("file", "a.pdf", BIG)]
    with unchanged():
        answer = put(alice, "a.pdf", BIG + b" ")
        assert refused(answer, 413) and str(LIMIT) in answer.get_json()["message"]


def test_an_empty_file_is_refused(alice: Person, unchanged: Callable[[], Any]) -> None:
    """F7."""
    with unchanged():
        assert refused(put(alice, "a.txt", b""), 400)


FOREIGN = {
    "text as PDF": ("a.pdf", b"just text" * 200),
    "PDF as text": ("a.txt", PDF),
    "text as DOCX": ("a.docx", b"just text"),
    "a ZIP of no document": ("a.docx", b"PK\x03\x04" + bytes(100)),
    "a form": ("a.pdf", multipart(part(content=b"x" * 2000))),
}


@pytest.mark.parametrize(("name", "content"), FOREIGN.values(), ids=FOREIGN)
def test_content_that_is_not_what_the_name_says_is_refused(
    alice: Person, unchanged: Callable[[], Any], name: str, content: bytes
) -> None:
    """F1-F6, by PUT."""
    with unchanged():
        assert refused(put(alice, name, content), 415)


@pytest.mark.parametrize("declared", ["", "application/pdf", "Application/PDF; x=y", "application/octet-stream"])
def test_a_declared_type_may_be_missing_the_name_s_or_any_bytes(alice: Person, declared: str) -> None:
    """F7."""
    assert stored(alice, put(alice, "a.pdf", PDF, declared)) == [("file", "a.pdf", PDF)]


@pytest.mark.parametrize(
    "declared", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "nonsense"]
)
@pytest.mark.parametrize("content", [PDF, BIG], ids=len)
def test_another_declared_type_is_refused_and_the_right_one_named(
    alice: Person, unchanged: Callable[[], Any], declared: str, content: bytes
) -> None:
    """F7: `curl --data-binary` says that it sends a form, and is told what to say instead."""
    with unchanged():
        answer = put(alice, "a.pdf", content, declared)
    assert refused(answer, 415) and "Send it as application/pdf." in answer.get_json()["message"]


@pytest.mark.parametrize(
    ("header", "status"),
    [({"Content-Range": "bytes 3-20/21"}, 400), ({"Content-Encoding": "gzip"}, 415), ({"Idempotency-Key": "a b"}, 400)],
    ids=str,
)
def test_a_piece_or_a_coding_of_a_file_is_not_stored_as_the_file(
    alice: Person, unchanged: Callable[[], Any], header: dict[str, str], status: int
) -> None:
    """RFC 9110 §14.5, C14: `curl -C -` would store the end of a text as the text."""
    with unchanged():
        assert refused(put(alice, "a.txt", b"the end", **header), status)


@pytest.mark.parametrize("framing", ["Content-Length: 5000", CHUNKED])
def test_a_file_that_is_cut_off_leaves_nothing(
    service: both.Service, alice: Person, unchanged: Callable[[], Any], framing: str
) -> None:
    """C15, D3, by PUT."""
    lines = (framing, *(f"{name}: {value}" for name, value in alice.headers.items()))
    with unchanged(), Wire(service) as wire:
        wire.send(head("PUT /api/upload/a.pdf HTTP/1.1", *lines), chunk(PDF) if framing == CHUNKED else PDF)


# --- Who, and how often


def test_a_stranger_and_a_page_without_its_token_are_refused(
    service: both.Service, alice: Person, unchanged: Callable[[], Any]
) -> None:
    """B1, C1: PUT is judged as POST is."""
    cookie = {"Cookie": f"token={alice.tokens['accessToken']}"}
    csrf = {"X-CSRF-Token": alice.tokens["csrfToken"]}
    sent: dict[str, Any] = {"method": "PUT", "data": PDF, "content_type": ""}
    with unchanged():
        assert refused(service.open("/api/upload/a.pdf", headers={}, **sent), 401)
        assert refused(service.open("/api/upload/a.pdf", headers=cookie, **sent), 401)
        site = cookie | csrf | {"Sec-Fetch-Site": "cross-site"}
        assert refused(service.open("/api/upload/a.pdf", headers=site, **sent), 403)
    assert service.open("/api/upload/a.pdf", headers=cookie | csrf, **sent).status_code == 200


def test_a_repeat_stores_nothing_and_another_file_is_422(alice: Person, unchanged: Callable[[], Any]) -> None:
    """C17, K11: by PUT, and by a form with the same file."""
    key = {"Idempotency_Key": f"put-{os.urandom(8).hex()}"}
    first = put(alice, "a.pdf", PDF, **key)
    with unchanged():
        assert put(alice, "a.pdf", PDF, **key).data == first.data
        assert alice.upload("a.pdf", PDF, **key).data == first.data
        assert put(alice, "folder/a.pdf", PDF, **key, **LINES).data.decode() == f"{SHA}  folder/a.pdf\n"
        assert refused(put(alice, "b.pdf", PDF, **key), 422)
        assert put(alice, "a.pdf", PDF + b"x", **key, **LINES).data.startswith(b"error: This Idempotency-Key ")


@pytest.mark.parametrize("deleted", [0, 1])
def test_a_repeat_after_deleting_one_of_two_tells_the_other_s_line(alice: Person, deleted: int) -> None:
    """C17: the lines name what is left, each with its own name."""
    key = {"Idempotency-Key": f"two-{os.urandom(8).hex()}"}
    body = multipart(part(filename="a.pdf"), part(filename="b.txt", content=b"hello"))
    files = alice.send(body, headers=key).get_json()["files"]
    assert alice.delete(f"/api/documents/{files[deleted]['id']}").status_code == 200
    answer, kept = alice.send(body, headers=key | LINES), files[1 - deleted]
    assert (answer.status_code, answer.data.decode()) == (200, f"{kept['sha256']}  {kept['filename']}\n")


WISHES = {
    "text/plain": True,
    "Text/Plain; charset=utf-8": True,
    "text/plain, */*;q=0.1": True,
    "text/plain;q=0.5, */*;q=0.1": True,
    "application/json;q=0.5, text/plain": True,
    "*/*": False,
    "application/json, text/plain, */*": False,
    "application/json, text/plain;q=0.9": False,
    "text/plain;q=0": False,
    "nonsense": False,
}


@pytest.mark.parametrize(("accept", "text"), WISHES.items(), ids=WISHES)
def test_who_would_rather_have_text_gets_lines_and_everybody_else_json(alice: Person, accept: str, text: bool) -> None:
    """RFC 9110 §12.5.1: browsers' libraries name both, and JSON first."""
    for answer in (put(alice, "a.pdf", Accept=accept), put(alice, "a.exe", Accept=accept)):
        assert answer.mimetype == ("text/plain" if text else "application/json")


# --- Only a server that streams: what it does before the body is there


def begin(live: Live, name: str, *lines: str) -> Wire:
    return Wire(live).send(head(f"PUT /api/upload/{name} HTTP/1.1", authorization(live), *lines))


def answered_after(live: Live, name: str, lines: list[str], *body: bytes) -> Answer:
    """The answer to a PUT whose body never comes to its end."""
    before = left(live)
    with begin(live, name, *lines).send(*body) as wire:
        answer = wire.answer()
    assert eventually(lambda: left(live) == before), (before, left(live))
    return answer


@pytest.mark.parametrize("expect", [[], [EXPECT]], ids=["no Expect", "Expect"])
@pytest.mark.parametrize(
    ("name", "lines", "status"),
    [
        ("a.pdf", [f"Content-Length: {LIMIT + 1}"], 413),
        ("a.exe", ["Content-Length: 100000"], 415),
        ("a.exe", [CHUNKED], 415),
        ("a.pdf", ["Content-Length: 100000", "Content-Type: text/plain"], 415),
        ("a.pdf", ["Content-Length: 100000", "Content-Range: bytes 0-99999/200000"], 400),
        ("%FF.pdf", [CHUNKED], 400),
        ("", ["Content-Length: 100000"], 400),
    ],
)
def test_a_hopeless_put_is_refused_before_its_body(
    live: Live, name: str, lines: list[str], status: int, expect: list[str]
) -> None:
    """C1, C3, C14: the final answer, and no 100 before it."""
    assert is_refusal(answered_after(live, name, lines + expect), status)


@pytest.mark.parametrize("framing", [CHUNKED, f"Content-Length: {LIMIT}"])
@pytest.mark.parametrize(
    ("name", "content"), [("a.docx", b"just"), ("a.txt", b"%PDF-"), ("a.txt", b"hello\0"), ("a.pdf", b"x" * 1024)]
)
def test_wrong_content_is_refused_at_its_first_wrong_byte(live: Live, name: str, content: bytes, framing: str) -> None:
    """F1-F6: while the client still sends."""
    answer = answered_after(live, name, [framing], chunk(content) if framing == CHUNKED else content)
    assert is_refusal(answer, 415)


def test_a_chunked_file_over_the_limit_is_refused_at_the_first_byte_over_it(live: Live) -> None:
    """C4: its end is still to come."""
    answer = answered_after(live, "a.pdf", [CHUNKED], chunk(BIG), chunk(b" "))
    assert is_refusal(answer, 413) and "“a.pdf”" in answer.json["message"]


def test_no_chunk_at_all_is_an_empty_file(live: Live) -> None:
    """F7, as `curl -T - </dev/null` sends it."""
    assert is_refusal(answered_after(live, "a.txt", [CHUNKED], b"0\r\n\r\n"), 400)


@pytest.mark.parametrize("framing", [CHUNKED, f"Content-Length: {len(PDF)}"])
def test_a_file_in_the_smallest_pieces_is_stored(live: Live, framing: str) -> None:
    """C1: byte by byte, and told to go on once."""
    pieces = [PDF[at : at + 1] for at in range(len(PDF))]
    body = [*map(chunk, pieces), b"0\r\n\r\n"] if framing == CHUNKED else pieces
    with begin(live, "a.pdf", framing, EXPECT) as wire:
        assert wire.answer(has_body=False).status == 100
        answer = wire.send(*body).answer()
    assert (answer.status, answer.json["files"][0]["sha256"]) == (200, SHA)


@pytest.mark.parametrize("framing", ["Content-Length: 5000", CHUNKED])
def test_the_log_tells_of_a_put_that_was_broken_off_without_its_name(live: Live, framing: str) -> None:
    """C15: 499, and the route instead of the address, which is the file's name."""
    name, before = f"secret-{os.urandom(8).hex()}", len(requests_logged(live))
    with begin(live, f"{name}.pdf", framing) as wire:
        wire.send(chunk(PDF) if framing == CHUNKED else PDF)
    lines = [line for line in requests_logged(live)[before:] if line["method"] == "PUT"]
    assert eventually(lambda: any(line["status"] == 499 for line in requests_logged(live)[before:])), lines
    [line] = [line for line in requests_logged(live)[before:] if line["status"] == 499]
    assert (line["method"], line["route"], line["user_id"]) == ("PUT", "/api/upload/<rest:filename>", 1)
    assert name not in live.log.read_text()


# --- The intake by itself


@pytest.fixture
def intake(tmp_path: Any) -> RawIntake[Any, Any]:
    storage = LocalStorage(tmp_path, 0)
    file = ReceivedFile("file", "a.txt", accept("a.txt", ""), storage.stage(storage.reserve(0)))
    return RawIntake(file, None, 10)


def test_what_comes_after_a_refusal_is_ignored_and_gives_no_file(intake: RawIntake[Any, Any], tmp_path: Any) -> None:
    """As the multipart intake does."""
    intake.feed(b"hello")
    with pytest.raises(TooLarge):
        intake.feed(b"hello!")
    intake.feed(b"more")
    intake.abort()
    with pytest.raises(Malformed):
        intake.finish()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

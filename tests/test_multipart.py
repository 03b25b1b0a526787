"""Multipart bodies through the door: what is refused leaves nothing, what is accepted is stored byte for byte."""

import hashlib
import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, stream_encode_multipart

from tests.support.bodies import BOUNDARY, CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import allowance
from tests.support.engines import Live
from tests.support.people import Person, add_user
from tests.support.stack import files

MARK = b"--" + BOUNDARY.encode()
LIMIT = 10_485_760
DISPOSITION = b'Content-Disposition: form-data; name="file"; filename="a.pdf"'


def stored(person: Person, answer: TestResponse) -> list[tuple[str, str, bytes]]:
    """(fieldname, filename, bytes as downloaded) of every file of a 200."""
    assert answer.status_code == 200, answer.text
    found = []
    for file in answer.get_json()["files"]:
        with person.get(f"/api/documents/{file['id']}/content") as download:
            assert (len(download.data), hashlib.sha256(download.data).hexdigest()) == (file["size"], file["sha256"])
            found.append((file["fieldname"], file["filename"], download.data))
    return found


def refused(answer: TestResponse, *statuses: int) -> bool:
    """Is it one of the statuses, in the form of every error?"""
    assert answer.status_code in statuses, answer.text
    body = answer.get_json()
    return body["ok"] is False and bool(body["error"]) and bool(body["message"])


def raw(header: bytes, content: bytes = PDF) -> bytes:
    """A body of one part with these header lines."""
    return multipart(header + b"\r\n\r\n" + content)


EPILOGUES = [
    b"",
    b"\r\n",
    b"\r",
    b"x",
    b"\r\nthe end",
    b"\r\n" * 100,
    b"\r\n" + MARK + b"\r\n" + part(),
    b"x" * 100_000,
]


@pytest.mark.parametrize("epilogue", EPILOGUES, ids=lambda epilogue: f"{len(epilogue)} bytes")
def test_an_epilogue_changes_nothing(alice: Person, epilogue: bytes) -> None:
    """D1: what follows the closing boundary is ignored (RFC 2046 §5.1.1)."""
    content = PDF + b"x" * 5000
    answer = alice.send(multipart(part(content=content))[:-2] + epilogue)
    assert stored(alice, answer) == [("file", "a.pdf", content)]


def test_files_of_one_field_keep_their_names_types_and_bytes(alice: Person) -> None:
    """D2: also when they declare types."""
    answer = alice.send(
        multipart(part(mimetype="application/pdf"), part(filename="b.txt", content=b"text", mimetype="text/plain"))
    )
    assert [file["mimetype"] for file in answer.get_json()["files"]] == ["application/pdf", "text/plain"]
    assert stored(alice, answer) == [("file", "a.pdf", PDF), ("file", "b.txt", b"text")]


def test_a_body_that_was_cut_off_is_refused(alice: Person, unchanged: Callable[[], Any]) -> None:
    """D3: at and around every delimiter, behind complete parts too."""
    body = multipart(part(content=PDF + b"x" * 9000), part("note", None, b"hello"), part())
    marks = [at for at in range(len(body)) if body.startswith(MARK, at)]
    cuts = {mark + step for mark in marks for step in (-2, -1, 0, 1, len(MARK), len(MARK) + 1, len(MARK) + 2)}
    with unchanged():
        for cut in sorted(cut for cut in cuts if 0 <= cut < marks[-1] + len(MARK) + 2):
            assert refused(alice.send(body[:cut]), 400), cut


FAULTS = {
    "no header": (b"\r\n" + PDF, 400),
    "an empty file": (part(content=b""), 400),
    "another type": (part(filename="a.exe"), 415),
    "other content": (part(content=b"hello"), 415),
    "no Word document": (part(filename="a.docx", content=b"PK\x03\x04" + b"x" * 9000), 415),
    "a false declaration": (part(mimetype="text/html"), 415),
    "a field that is no text": (part("note", None, b"\xff"), 400),
}


@pytest.mark.parametrize(("fault", "status"), FAULTS.values(), ids=FAULTS)
def test_an_error_after_a_good_part_stores_nothing(
    alice: Person, unchanged: Callable[[], Any], fault: bytes, status: int
) -> None:
    """D4: all or nothing."""
    with unchanged():
        assert refused(alice.send(multipart(part(content=PDF + b"x" * 20000), fault)), status)


HEADERS = {
    "Latin-1": DISPOSITION.replace(b"a.pdf", b"\xe4.pdf"),
    "comments": DISPOSITION.replace(b"form-data", b"form-data " + b"(" * 800),
    "a NUL": DISPOSITION.replace(b"a.pdf", b"a\0.pdf"),
    "a bare CR": DISPOSITION.replace(b"a.pdf", b"a\r.pdf"),
    "a bare LF": DISPOSITION.replace(b"a.pdf", b"a\n.pdf"),
    "a surrogate": DISPOSITION.replace(b"a.pdf", b"\xed\xa0\x80.pdf"),
    "overlong UTF-8": DISPOSITION.replace(b"a.pdf", b"\xc0\xaf.pdf"),
    "an open quote": DISPOSITION[:-1],
    "text after a quote": DISPOSITION + b" x",
    "no colon": DISPOSITION.replace(b":", b""),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_garbled_part_header_is_refused(alice: Person, unchanged: Callable[[], Any], header: bytes) -> None:
    """D5: never a 500."""
    with unchanged():
        assert refused(alice.send(raw(header)), 400)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("", 400),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ('multipart/form-data; boundary=""', 400),
        ("multipart/form-data; boundary=" + "0" * 71, 400),
        (f"{CONTENT_TYPE}; boundary={BOUNDARY}", 400),
        (f"{CONTENT_TYPE}; boundary=other", 400),
        ('multipart/form-data; boundary="a b"', 400),
        ('multipart/form-data; boundary="ab "', 400),
        ('multipart/form-data; boundary="é"', 400),
        ("multipart/form-data; boundary*=\"'", 400),
        (f'multipart/form-data; boundary="{BOUNDARY}', 400),
        ("multipart/form-data; boundary=other", 400),
        (f"multipart/mixed; boundary={BOUNDARY}", 415),
        (f"text/plain; boundary={BOUNDARY}", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json", 415),
    ],
)
def test_a_content_type_that_names_no_boundary_is_refused(
    alice: Person, unchanged: Callable[[], Any], content_type: str, status: int
) -> None:
    """D6: 400 for a bad boundary, 415 for another media type."""
    with unchanged():
        assert refused(alice.send(multipart(part()), content_type), status)


@pytest.mark.parametrize("boundary", ["0" * 70, "x", "'()+_,-./:=?", BOUNDARY])
def test_a_boundary_of_up_to_seventy_characters_works(alice: Person, boundary: str) -> None:
    """D6: 70 is RFC 2046's limit."""
    answer = alice.send(multipart(part(), boundary=boundary), f'multipart/form-data; boundary="{boundary}"')
    assert stored(alice, answer) == [("file", "a.pdf", PDF)]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (r"test ; ö %22 = ;.pdf", 'test ; ö " = ;.pdf'),
        (r"test \ \\ ; ö %22 = ;.pdf", r'test \ \\ ; ö " = ;.pdf'),
        (r"C:\Users\new\a.pdf", "a.pdf"),
        ("a%0D%0Ab.pdf", "ab.pdf"),
        ("100%25 %2e%2F%0d%0a%5c.pdf", "100%25 %2e%2F%0d%0a%5c.pdf"),
        ("%2522.pdf", "%2522.pdf"),
        (r"a\".pdf", 'a".pdf'),
        (r"\\host\a.pdf", "a.pdf"),
        (r"\a.pdf", r"\a.pdf"),
        (r"..\a.pdf", r"..\a.pdf"),
        ("漢字 Ελλάδα 👍.pdf", "漢字 Ελλάδα 👍.pdf"),
        ("a;b=c.pdf", "a;b=c.pdf"),
        ("a&amp;b&#1234;.pdf", "a&amp;b&#1234;.pdf"),
        (" a  b .pdf", "a  b.pdf"),
    ],
)
def test_names_arrive_as_browsers_send_them(alice: Person, sent: str, shown: str) -> None:
    r"""D7, D25: raw UTF-8, %22 %0D %0A and \" decoded and nothing else; then cut to the last component."""
    assert stored(alice, alice.upload(sent)) == [("file", shown, PDF)]


@pytest.mark.parametrize(
    ("sent", "known"),
    [(r"C:\new", r"C:\new"), ("end\\", "end\\"), ("a%22b%0D%0Ac", 'a"b\r\nc'), ("ö %41 =;", "ö %41 =;"), ("..", "..")],
)
def test_field_names_arrive_as_browsers_send_them(alice: Person, sent: str, known: str) -> None:
    """D7: the names of fields are kept as they are; they name nothing on the disk."""
    answer = alice.send(multipart(part(sent, None, b"1"), part(sent)))
    assert answer.get_json()["fields"] == {known: "1"}
    assert stored(alice, answer) == [(known, "a.pdf", PDF)]


IGNORED = ["filename*=utf-8''b.pdf", "filename*=utf-7''+AC8-.pdf", "filename*=%00%0d%0a.pdf"]
FORBIDDEN = ["filename*0*=utf-8''b.pdf", "name*=utf-8''x"]


@pytest.mark.parametrize("parameters", [*IGNORED, *FORBIDDEN, *(f'filename="a.pdf"; {extra}' for extra in FORBIDDEN)])
def test_extended_parameters_are_refused(alice: Person, unchanged: Callable[[], Any], parameters: str) -> None:
    """D8: RFC 7578 §4.2 forbids them, and decoding them has let paths in."""
    with unchanged():
        assert refused(alice.send(raw(f'Content-Disposition: form-data; name="file"; {parameters}'.encode())), 400)


@pytest.mark.parametrize("extra", IGNORED)
@pytest.mark.parametrize("form", ['filename="a.pdf"; {}', '{}; filename="a.pdf"'])
def test_an_extended_name_beside_the_name_is_ignored(alice: Person, form: str, extra: str) -> None:
    """D23: whatever it says, before or behind."""
    answer = alice.send(raw(f'Content-Disposition: form-data; name="file"; {form.format(extra)}'.encode()))
    assert stored(alice, answer) == [("file", "a.pdf", PDF)]


def test_encoded_words_and_continuations_are_not_decoded(alice: Person) -> None:
    """D8: `../../etc/passwd` in base64 stays base64."""
    word = "=?utf-8?b?Li4vLi4vZXRjL3Bhc3N3ZA==?="
    assert stored(alice, alice.upload(f"{word}.pdf")) == [("file", f"{word}.pdf", PDF)]
    answer = alice.send(raw(DISPOSITION + b'; filename*0="b"; filename*1=".exe"'))
    assert stored(alice, answer) == [("file", "a.pdf", PDF)]


# What HttpClient's MultipartFormDataContent writes, and PowerShell's Invoke-RestMethod -Form with it.
HTTP_CLIENT = (
    b"--7d2c3f4e\r\n"
    b"Content-Type: application/octet-stream\r\n"
    b"Content-Disposition: form-data; name=file; filename=report.pdf; filename*=utf-8''report.pdf\r\n\r\n"
    b"%PDF-1.7\nhello\n%%EOF\n\r\n"
    b"--7d2c3f4e\r\n"
    b"Content-Disposition: form-data; name=file; "
    b"filename=\"my report.pdf\"; filename*=utf-8''my%20report.pdf\r\n\r\n"
    b"%PDF-1.7\nhello\n%%EOF\n\r\n"
    b"--7d2c3f4e\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Disposition: form-data; name=note\r\n\r\n"
    b"hello\r\n"
    b"--7d2c3f4e--\r\n"
)
DOTNET = 'multipart/form-data; boundary="7d2c3f4e"'


def test_dotnets_client_gets_through(alice: Person) -> None:
    """D23: names unquoted where they may be, and “filename*” beside “filename”, which alone counts."""
    answer = alice.send(HTTP_CLIENT, DOTNET)
    assert stored(alice, answer) == [("file", "report.pdf", PDF), ("file", "my report.pdf", PDF)]
    assert answer.get_json()["fields"] == {"note": "hello"}


def test_dotnets_encoded_word_stays_as_it_was_sent(alice: Person, unchanged: Callable[[], Any]) -> None:
    """D23, D8: names beyond ASCII come as RFC 2047, whose ending is in base64; nothing is stored as what it is not."""
    name = b"filename=\"=?utf-8?B?w6QucGRm?=\"; filename*=utf-8''%C3%A4.pdf"
    with unchanged():
        answer = alice.send(HTTP_CLIENT.replace(b"filename=report.pdf; filename*=utf-8''report.pdf", name), DOTNET)
        assert refused(answer, 415)
    assert "=?utf-8?B?w6QucGRm?=" in answer.get_json()["message"]


# What werkzeug.test.stream_encode_multipart and launchpadlib write for an empty field.
BARE_FIELD = (
    b"\r\n--b\r\n"
    b'Content-Disposition: form-data; name="note"\r\n\r\n'
    b"--b\r\n"
    b'Content-Disposition: form-data; name="file"; filename="a.pdf"\r\n'
    b"Content-Type: application/pdf\r\n\r\n"
    b"%PDF-1.7\nhello\n%%EOF\n\r\n"
    b"--b--\r\n"
)


@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"This is a message in MIME format.\r\n", b"x" * 1024])
def test_a_preamble_and_a_field_without_its_line_get_through(alice: Person, preamble: bytes) -> None:
    """D24: a CRLF or up to 1 KiB before the first boundary, and no line for an empty field."""
    answer = alice.send(preamble + BARE_FIELD, "multipart/form-data; boundary=b")
    assert stored(alice, answer) == [("file", "a.pdf", PDF)]
    assert answer.get_json()["fields"] == {"note": ""}


def test_werkzeugs_encoder_gets_through(alice: Person) -> None:
    """D24: the same from the encoder itself, which is the one in Flask's test client."""
    values = {"note": "", "file": FileStorage(io.BytesIO(PDF), "a.pdf")}
    body, _, boundary = stream_encode_multipart(values, boundary="b")
    content = body.read()
    assert content.startswith(BARE_FIELD.partition(b"; filename")[0])
    answer = alice.send(content, f"multipart/form-data; boundary={boundary}")
    assert stored(alice, answer) == [("file", "a.pdf", PDF)]
    assert answer.get_json()["fields"] == {"note": ""}


def test_a_longer_preamble_is_refused(alice: Person, unchanged: Callable[[], Any]) -> None:
    """D24: over 1 KiB."""
    with unchanged():
        assert refused(alice.send(b"x" * 1025 + BARE_FIELD, "multipart/form-data; boundary=b"), 400)


BACKSLASHES = [  # (client, as it writes the name, as it is shown, as it lies on the disk)
    ("Chrome on Linux", rb"week 4\5.pdf", "week 4\\5.pdf", "week 4_5.pdf"),
    ("curl 7.80", rb"say \"hi\".pdf", 'say "hi".pdf', "say _hi_.pdf"),
    ("curl 7.80, with a semicolon", rb"a\"; b.pdf", 'a"; b.pdf', "a_; b.pdf"),
    ("curl 7.80, with a last quote", rb"a.pdf\".pdf", 'a.pdf".pdf', "a.pdf_.pdf"),
    ("Internet Explorer", rb"C:\Users\ann\a.pdf", "a.pdf", "a.pdf"),
    ("a Windows script", rb"\\server\share\a.pdf", "a.pdf", "a.pdf"),
]


@pytest.mark.parametrize(("sent", "shown", "kept"), [row[1:] for row in BACKSLASHES], ids=[r[0] for r in BACKSLASHES])
def test_a_backslash_is_a_character_except_in_a_windows_path(alice: Person, sent: bytes, shown: str, kept: str) -> None:
    r"""D25: `\"` is a quote; on the disk a backslash is replaced, as a quote is."""
    answer = alice.send(raw(DISPOSITION.replace(b"a.pdf", sent)))
    assert stored(alice, answer) == [("file", shown, PDF)]
    assert answer.get_json()["files"][0]["savedTo"].partition("-")[2] == kept


def test_twenty_files_pass_and_twenty_one_do_not(alice: Person, unchanged: Callable[[], Any]) -> None:
    """D9: the limit on files; of the 21, none is stored."""
    assert len(stored(alice, alice.send(multipart(*[part()] * 20)))) == 20
    with unchanged():
        assert refused(alice.send(multipart(*[part()] * 21)), 413)


def test_thirty_two_parts_pass_and_thirty_three_do_not(alice: Person, unchanged: Callable[[], Any]) -> None:
    """D9: the limit on parts, and 10^5 empty ones in well under a second."""
    field = part("note", None, b"")
    assert alice.send(multipart(part(), *[field] * 31)).status_code == 200
    with unchanged():
        assert refused(alice.send(multipart(part(), *[field] * 32)), 400)
        before = time.process_time()
        assert refused(alice.send(multipart(*[field] * 100_000)), 400)
        assert time.process_time() - before < allowance(1)


LONG_HEADERS = {
    "a line over 4 KiB": b"X: " + b"x" * 4096,
    "a 10 MB line": b"X: " + b"x" * 10_000_000,
    "nine lines": b"\r\n".join(b"X-%d: 1" % i for i in range(8)),
    "2.5 million lines": b"\r\n".join([b"a:"] * 2_500_000),
}


@pytest.mark.parametrize("line", LONG_HEADERS.values(), ids=LONG_HEADERS)
def test_a_long_part_header_is_refused(alice: Person, unchanged: Callable[[], Any], line: bytes) -> None:
    """D10: over 4 KiB or 8 lines, in well under a second."""
    body = raw(DISPOSITION + b"\r\n" + line)
    with unchanged():
        before = time.process_time()
        assert refused(alice.send(body), 400)
        assert time.process_time() - before < allowance(1)


@pytest.mark.parametrize("filler", ["\\a", '\\"', "%22", '";'])
def test_names_dense_with_escapes_are_read_quickly(alice: Person, filler: str) -> None:
    """D11: fifteen parts of 4 KB names."""
    body = multipart(*[part(filename=(filler * 2000)[:3900] + ".pdf")] * 15)
    before = time.process_time()
    assert alice.send(body).status_code in (200, 400)
    assert time.process_time() - before < allowance(1)


def test_a_field_over_64_kib_is_refused(alice: Person, unchanged: Callable[[], Any]) -> None:
    """D12: all that is not file content shares 64 KiB; a little less passes and is echoed whole."""
    passes = "ä" * 30_000
    answer = alice.send(multipart(part("note", None, passes.encode()), part()))
    assert answer.get_json()["fields"] == {"note": passes}
    with unchanged():
        for fields in ([part("note", None, b"x" * 65537)], [part("note", None, b"x" * 40_000)] * 2):
            assert refused(alice.send(multipart(part(), *fields)), 400, 413)


def test_a_part_without_a_file_name_is_a_field(alice: Person, unchanged: Callable[[], Any]) -> None:
    """D12: whatever its name and its bytes."""
    answer = alice.send(multipart(part("file", None, PDF, "application/pdf"), part()))
    assert answer.get_json()["fields"] == {"file": PDF.decode()}
    with unchanged():
        assert refused(alice.send(multipart(part("file", None, PDF))), 400)


DENSE = {
    "CR first": b"\r" + PDF,
    "CRLF first": b"\r\n\r\n" + PDF,
    "LF first": b"\n" + PDF,
    "CRLF last": PDF + b"\r\n",
    "CR": PDF + b"\r" * 1_000_000,
    "CRLF": PDF + b"\r\n" * 500_000,
    "CRLF--": PDF + b"\r\n--" * 250_000,
    "hyphens": PDF + b"-" * 1_000_000,
    "boundary prefixes": PDF + (b"\r\n" + MARK[:-1]) * 25_000,
}


@pytest.mark.parametrize("content", DENSE.values(), ids=DENSE)
def test_content_dense_with_boundary_bytes_is_stored_exactly(alice: Person, content: bytes) -> None:
    """D13: byte for byte, followed by another part."""
    before = time.process_time()
    answer = alice.send(multipart(part(content=content), part("note", None, b"-")))
    assert time.process_time() - before < allowance(1)
    assert stored(alice, answer) == [("file", "a.pdf", content)]
    assert answer.get_json()["fields"] == {"note": "-"}


def test_ten_megabytes_around_the_body_cost_little(
    caplog: pytest.LogCaptureFixture, alice: Person, unchanged: Callable[[], Any]
) -> None:
    """D14: before it 400, behind it ignored; one line in the log each, and one of what was stored."""
    rubbish = b"\r\n" + MARK[:-1] + b"\r\n" + b"x" * 60
    rubbish *= 10_000_000 // len(rubbish)
    caplog.clear()
    before = time.process_time()
    with unchanged():
        assert refused(alice.send(rubbish + multipart(part())), 400)
    assert alice.send(multipart(part()) + rubbish).status_code == 200
    assert time.process_time() - before < allowance(1)
    assert [record.message for record in caplog.records] == ["request", "uploaded", "request"]


@pytest.mark.parametrize("options", [";" * 16000, ";a=b" * 4000, ';a="' * 4000, "; a" * 5000, " " * 16000 + "x"])
def test_a_hostile_content_type_is_refused_quickly(alice: Person, unchanged: Callable[[], Any], options: str) -> None:
    """D15: no pattern backs up over 16 KB."""
    with unchanged():
        before = time.process_time()
        assert refused(alice.send(multipart(part()), "multipart/form-data" + options), 400)
        assert time.process_time() - before < allowance(0.2)


ODD = {
    "line feeds alone": multipart(part()).replace(b"\r\n", b"\n"),
    "blanks behind a delimiter": multipart(part()).replace(MARK + b"\r\n", MARK + b" \r\n"),
    "blanks behind a later delimiter": multipart(part(), part()).replace(
        b"\r\n" + MARK + b"\r\n", b"\r\n" + MARK + b" \t\r\n"
    ),
    "a line feed behind a later delimiter": multipart(part(), part()).replace(
        b"\r\n" + MARK + b"\r\n", b"\r\n" + MARK + b"\n"
    ),
    "no header first": multipart(b"\r\n" + PDF, part()),
    "no header last": multipart(part(), b"\r\n" + PDF),
    "no disposition": raw(b"Content-Type: application/pdf"),
    "two dispositions": raw(DISPOSITION + b"\r\n" + DISPOSITION),
    "another disposition": raw(DISPOSITION.replace(b"form-data", b"attachment")),
    "a folded header": raw(DISPOSITION.replace(b"; filename", b";\r\n filename")),
    "no name": raw(b'Content-Disposition: form-data; filename="a.pdf"'),
    "an empty name": multipart(part("")),
    "two names": raw(DISPOSITION + b'; name="x"'),
    "two file names": raw(DISPOSITION + b'; filename="x.pdf"'),
    "two types": raw(DISPOSITION + b"\r\nContent-Type: application/pdf" * 2),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_what_no_client_sends_is_refused(alice: Person, unchanged: Callable[[], Any], body: bytes) -> None:
    """D16: never a silent 200."""
    with unchanged():
        assert refused(alice.send(body), 400)


EMPTY = {
    "an empty body": b"",
    "only the end": MARK + b"--\r\n",
    "an empty input": multipart(part(filename="", content=b"", mimetype="application/octet-stream")),
    "only a field": multipart(part("note", None, b"hello")),
    "an empty file": multipart(part(content=b"")),
    "bytes without a name": multipart(part(filename="")),
}


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY)
def test_an_upload_without_a_file_is_refused(alice: Person, unchanged: Callable[[], Any], body: bytes) -> None:
    """D17: 400, not 500."""
    with unchanged():
        assert refused(alice.send(body), 400)


@pytest.mark.parametrize("name", ["only the end", "an empty input", "only a field"])
def test_who_chose_no_file_is_told_so(alice: Person, name: str) -> None:
    """D17: a file input left empty is not an error of the person's browser."""
    assert "no file" in alice.send(EMPTY[name]).get_json()["message"]


def test_an_empty_input_beside_a_file_is_ignored(alice: Person) -> None:
    """D17: browsers send every input of a form."""
    answer = alice.send(multipart(part("other", filename="", content=b""), part()))
    assert stored(alice, answer) == [("file", "a.pdf", PDF)]


def test_of_two_fields_with_one_name_the_last_counts(alice: Person) -> None:
    """D18: and fields of any name are echoed."""
    fields = [part("a", None, b"1"), part("a", None, b"2"), part("__proto__", None, b"{}"), part("b[]", None, b"")]
    answer = alice.send(multipart(*fields, part()))
    assert answer.get_json()["fields"] == {"a": "2", "__proto__": "{}", "b[]": ""}


def test_files_of_any_field_are_files_and_tell_their_field(alice: Person) -> None:
    """D18: one field name may also bear a file and a text."""
    answer = alice.send(multipart(part("x"), part("y", "b.txt", b"text"), part("x", None, b"1")))
    assert stored(alice, answer) == [("x", "a.pdf", PDF), ("y", "b.txt", b"text")]
    assert answer.get_json()["fields"] == {"x": "1"}


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_the_order_of_files_and_fields_does_not_matter(alice: Person, order: tuple[int, ...]) -> None:
    """D18: a field after the file counts like one before it."""
    parts = [part("note", None, b"hello"), part(), part("more", None, b"x")]
    answer = alice.send(multipart(*(parts[i] for i in order)))
    assert stored(alice, answer) == [("file", "a.pdf", PDF)]
    assert answer.get_json()["fields"] == {"note": "hello", "more": "x"}


def test_a_file_of_exactly_the_limit_passes(alice: Person) -> None:
    """D19: 10 485 760 bytes, twice: the limit is each file's own."""
    content = PDF.ljust(LIMIT, b"x")
    files = stored(alice, alice.send(multipart(part(content=content), part(content=content))))
    assert [bytes_ == content for _, _, bytes_ in files] == [True, True]


def test_a_file_of_one_byte_more_is_refused_with_all_others(alice: Person, unchanged: Callable[[], Any]) -> None:
    """D19: 413, and the message names the file."""
    with unchanged():
        answer = alice.send(multipart(part(), part(filename="big.pdf", content=PDF.ljust(LIMIT + 1, b"x")), part()))
        assert refused(answer, 413)
    assert "big.pdf" in answer.get_json()["message"]


def test_the_sum_has_a_limit(make_app: Callable[..., Flask]) -> None:
    """D19: files times limit + 64 KiB, epilogue included."""
    app = make_app(MAX_FILE_BYTES=1000, MAX_FILES=2)
    add_user(app, "alice@example.com")
    alice = Person(app, "alice@example.com").login()
    assert alice.send(multipart(part()).ljust(67_536)).status_code == 200
    assert refused(alice.send(multipart(part()).ljust(67_537)), 413)


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"binary"])
def test_a_transfer_encoding_is_not_decoded(alice: Person, encoding: bytes) -> None:
    """D20: RFC 7578 §4.7 deprecates the header; the bytes are stored as they come."""
    answer = alice.send(raw(DISPOSITION + b"\r\nContent-Transfer-Encoding: " + encoding, b"%PDF-=20JVBERi0="))
    assert stored(alice, answer) == [("file", "a.pdf", b"%PDF-=20JVBERi0=")]


@pytest.mark.parametrize("filename", [None, "a.pdf"])
def test_multipart_in_multipart_is_refused(alice: Person, unchanged: Callable[[], Any], filename: str | None) -> None:
    """D20: RFC 7578 §4.3 ended multipart/mixed."""
    inner = b'--in\r\nContent-Disposition: file; filename="a.pdf"\r\n\r\n' + PDF + b"\r\n--in--"
    with unchanged():
        assert refused(alice.send(multipart(part("file", filename, inner, "multipart/mixed; boundary=in"))), 415)


@pytest.mark.parametrize(
    "types",
    [
        (CONTENT_TYPE, CONTENT_TYPE),
        (CONTENT_TYPE, "multipart/form-data; boundary=other"),
        (CONTENT_TYPE, "text/plain"),
        ("multipart/form-data", CONTENT_TYPE),
        (f'multipart/form-data; boundary="{BOUNDARY}"', f'multipart/form-data; boundary="{BOUNDARY}"'),
    ],
)
def test_two_content_types_are_refused(live: Live, types: tuple[str, str]) -> None:
    """D22: waitress joins the two lines; neither boundary may be taken."""
    body = multipart(part())
    lines = ["POST /api/upload HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in live.login().items()] + [f"Content-Type: {t}" for t in types]
    with live.connect() as wire:
        wire.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["ok"] is False
    assert not files(live)

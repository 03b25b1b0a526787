"""What is accepted, under which names: real files of real programs, and files made to deceive."""

import codecs
import io
import random
import struct
import time
import tracemalloc
import unicodedata
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.bodies import FILES, PDF, multipart, part
from tests.support.clock import allowance
from tests.support.engines import Live
from tests.support.people import Person
from uploadsvc.errors import UnsupportedType
from uploadsvc.filetypes import TYPES, accept, clean_name, safe_name

MADE_UP = settings(max_examples=300, deadline=None, derandomize=True, database=None)
GOOD = sorted(p for p in FILES.iterdir() if p.suffix in {".pdf", ".docx", ".txt"})
REFUSED = sorted((FILES / "refused").iterdir())


def judge(filename: str, content: bytes, size: int = 65536, declared: str = "") -> None:
    """What an upload goes through: name, stream in pieces of `size`, then the whole file."""
    candidate = accept(filename, declared)
    for at in range(0, len(content), size):
        candidate.feed(content[at : at + size])
    candidate.finish()
    candidate.inspect(lambda: io.BytesIO(content), len(content))


def accepted(filename: str, content: bytes, size: int = 65536, declared: str = "") -> bool:
    try:
        judge(filename, content, size, declared)
    except UnsupportedType:
        return False
    return True


# Real files


def test_there_are_files_to_try() -> None:
    assert {p.suffix for p in GOOD} == {p.suffix for p in REFUSED} == {".pdf", ".docx", ".txt"}
    assert len(GOOD) >= 20
    assert len(REFUSED) >= 10


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_real_file_is_stored_byte_for_byte(alice: Person, path: Path) -> None:
    """F1, F2, F4, F6: files of many programs come back as they were, under the type of their name."""
    [file] = alice.upload(path.name, path.read_bytes()).get_json()["files"]
    assert file["mimetype"] == next(kind.mimetype for kind in TYPES if kind.extension == path.suffix)
    with alice.get(f"/api/documents/{file['id']}/content") as download:
        assert download.data == path.read_bytes()


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.name)
def test_a_renamed_file_is_refused(alice: Person, unchanged: Callable[[], Any], path: Path) -> None:
    """F3, F1, F6: 415 with the file's name in the message, nothing stored."""
    with unchanged():
        answer = alice.upload(path.name, path.read_bytes())
    assert (answer.status_code, answer.get_json()["error"]) == (415, "unsupported_type")
    assert path.name in answer.get_json()["message"]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("path", GOOD + REFUSED, ids=lambda path: path.name)
def test_the_verdict_does_not_hang_on_the_pieces(path: Path, size: int) -> None:
    """F6: characters, signatures and heads may be cut anywhere."""
    assert accepted(path.name, path.read_bytes(), size) == (path in GOOD)


# PDF


@pytest.mark.parametrize("size", [1, 64, 65536])
@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"%PDF-", True),
        (b"x" * 1019 + b"%PDF-1.4", True),
        (b"x" * 1020 + b"%PDF-1.4", False),
        (b"\0" * 500 + b"%PDF-2.0" + b"\xff" * 5000, True),
        (b"\xef\xbb\xbf%PDF-1.4", True),
        (b"%PDF", False),
        (b"%pdf-1.4", False),
        (b"%FDF-1.2", False),
        (b"% PDF-1.4", False),
        (b"x" * 5000, False),
        (b"x", False),
    ],
)
def test_a_pdf_begins_within_its_first_1024_bytes(content: bytes, verdict: bool, size: int) -> None:
    """F1: and no more is asked."""
    assert accepted("a.pdf", content, size) is verdict


@pytest.mark.parametrize("name", ["a.txt", "a.docx"])
def test_a_pdf_under_another_name_is_refused(name: str) -> None:
    """F1: whatever follows the head."""
    assert not accepted(name, PDF)
    assert not accepted(name, b"%PDF-")


# DOCX

TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml."
MAIN = f'<Override PartName="/word/document.xml" ContentType="{TYPE}document.main+xml"/>'


def types(*entries: str, prolog: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    namespace = "http://schemas.openxmlformats.org/package/2006/content-types"
    return f'{prolog}<Types xmlns="{namespace}">{"".join(entries)}</Types>'


def archive(*entries: tuple[str | zipfile.ZipInfo, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def docx(*more: tuple[str | zipfile.ZipInfo, str | bytes], content_types: str | bytes = types(MAIN)) -> bytes:
    """A small document with further entries."""
    return archive(("[Content_Types].xml", content_types), ("word/document.xml", "<document/>" * 9), *more)


def patched(data: bytes, name: str, at: int, form: str, value: int) -> bytes:
    """`data` with the field `at` (APPNOTE §4.3.12) of an entry of the central directory set to `value`."""
    directory = data.rindex(name.encode()) - 46
    assert data.startswith(b"PK\x01\x02", directory)
    return data[: directory + at] + struct.pack(form, value) + data[directory + at + struct.calcsize(form) :]


def ended(data: bytes, at: int, form: str, value: int) -> bytes:
    """`data` with the field `at` of the end of the central directory (APPNOTE §4.3.16) set to `value`."""
    end = data.rindex(b"PK\x05\x06") + at
    return data[:end] + struct.pack(form, value) + data[end + struct.calcsize(form) :]


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


def dated(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.extra = b"\x0a\0\x20\0" + bytes(32)
    return info


DOCUMENT = docx()
CONTENT_TYPES = 128 * 1024
NOISE = ("word/media/a.png", random.Random(1).randbytes(12_000))  # keeps what packs well below 100 : 1
OTHER = '<Override PartName="/a" ContentType="b"/>'
FLAGS, METHOD, PACKED, UNPACKED, OFFSET = 8, 10, 20, 24, 42
SIZE_LIMIT = 100 * 1024 * 1024
ROOM = docx(("word/media/a.png", random.Random(1).randbytes(2 * 1024 * 1024)))
OTHERS = sum(m.file_size for m in zipfile.ZipFile(io.BytesIO(DOCUMENT)).infolist())

WORD = {
    "the least there is": DOCUMENT,
    "main part by another name": archive(
        ("[Content_Types].xml", types(MAIN.replace("document.xml", "document2.xml"))), ("word/document2.xml", "<a/>")
    ),
    "content types last": archive(("word/document.xml", "<a/>"), ("[Content_Types].xml", types(MAIN))),
    "trash first": archive(
        ("[trash]/0000.dat", b"\xff" * 512), ("word/document.xml", "<a/>"), ("[Content_Types].xml", types(MAIN))
    ),
    "folders": docx(("word/", b""), ("word/media/", b"")),
    "a name of other letters": docx(("word/漢字.xml", "<a/>")),
    "an archive comment": ended(DOCUMENT, 20, "<H", 5) + b"hello",
    "content types in UTF-16": docx(
        content_types=codecs.BOM_UTF16_LE + types(MAIN, prolog='<?xml version="1.0"?>').encode("utf-16-le")
    ),
    "times as extra fields": docx((dated("word/a"), b"x")),
    "2000 entries": docx(*[(f"word/{i}", b"x") for i in range(1998)]),
    "128 KiB of content types": docx(NOISE, content_types=types(MAIN, " " * (CONTENT_TYPES - len(types(MAIN))))),
    "2000 parts in the content types": docx(NOISE, content_types=types(MAIN, *[OTHER] * 1999)),
    "namespaces on an element": docx(
        content_types=types(MAIN.replace("<Override", "<Override" + "".join(f' xmlns:a{i}="b"' for i in range(20))))
    ),
    "exactly 100 MB unpacked": patched(ROOM, "word/media/a.png", UNPACKED, "<L", SIZE_LIMIT - OTHERS),
}

HOSTILE = {
    "junk": b"PK\x03\x04" + b"x" * 1000,
    "only the signature": b"PK\x03\x04",
    "an empty archive": archive(),
    "an archive cut short": DOCUMENT[:-1],
    "an archive cut in half": DOCUMENT[: len(DOCUMENT) // 2],
    "bytes in front": b"MZ\x90" + DOCUMENT,
    "an archive in front": DOCUMENT + DOCUMENT,
    "bytes behind": DOCUMENT + b"x",
    "a comment longer than the file": ended(DOCUMENT, 20, "<H", 5),
    "one entry more than there is": ended(ended(DOCUMENT, 8, "<H", 3), 10, "<H", 3),
    "several disks": ended(DOCUMENT, 4, "<H", 1),
    "a directory elsewhere": ended(DOCUMENT, 16, "<L", 1),
    "no content types": archive(("word/document.xml", "<a/>")),
    "content types without a main part": docx(content_types=types()),
    "a main part that is missing": archive(("[Content_Types].xml", types(MAIN))),
    "only a default type": docx(
        content_types=types(f'<Default Extension="xml" ContentType="{TYPE}document.main+xml"/>')
    ),
    "a template": docx(content_types=types(MAIN.replace("document.main", "template.main"))),
    "a spreadsheet": docx(content_types=types(MAIN.replace("wordprocessingml.document", "spreadsheetml.sheet"))),
    "macros by type": docx(
        content_types=types(
            MAIN,
            '<Override PartName="/a.bin" ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/>',
        )
    ),
    "macros by name": docx(("word/vbaProject.bin", b"x")),
    "macros in capitals": docx(("WORD/VBAPROJECT.BIN", b"x")),
    "a DOCTYPE": docx(content_types=types(MAIN, prolog="<!DOCTYPE Types>")),
    "entities": docx(content_types=types(MAIN, prolog='<!DOCTYPE a [<!ENTITY b "bbbbb"><!ENTITY c "&b;&b;&b;">]>')),
    "content types that are no XML": docx(content_types="hello"),
    "content types that end early": docx(content_types=types(MAIN)[:-8]),
    "content types over 128 KiB": docx(NOISE, content_types=types(MAIN, " " * (CONTENT_TYPES - len(types(MAIN)) + 1))),
    "2100 parts in the content types": docx(NOISE, content_types=types(MAIN, *[OTHER] * 2099)),
    "content types within content types": docx(content_types=types(f"<Override>{MAIN}</Override>")),
    "an element of nine attributes": docx(
        content_types=types(MAIN, "<a " + " ".join(f'a{i}=""' for i in range(9)) + "/>")
    ),
    "content types over 1 MB": docx(NOISE, content_types=types(MAIN, " " * (1 << 20))),
    "content types in an unknown encoding": docx(
        content_types=types(MAIN, prolog='<?xml version="1.0" encoding="x-none"?>')
    ),
    "content types in base64": docx(content_types=types(MAIN, prolog='<?xml version="1.0" encoding="base64"?>')),
    "content types in a multibyte encoding": docx(
        content_types=types(MAIN, prolog='<?xml version="1.0" encoding="shift_jis"?>')
    ),
    "an absolute name": docx(("/etc/passwd", b"x")),
    "a parent folder": docx(("word/../../x", b"x")),
    "a parent folder at the end": docx(("word/..", b"x")),
    "a backslash": docx(("word\\..\\x", b"x")),
    "a NUL in a name": docx(("word/a~b", b"x")).replace(b"a~b", b"a\0b"),
    "two entries of one name": docx(("word/document.xml", "<other/>")),
    "a symbolic link": docx((link("word/media/a"), "/etc/passwd")),
    "an encrypted entry": patched(DOCUMENT, "word/document.xml", FLAGS, "<H", 1),
    "a strongly encrypted entry": patched(DOCUMENT, "word/document.xml", FLAGS, "<H", 0x41),
    "encrypted content types": patched(DOCUMENT, "[Content_Types].xml", FLAGS, "<H", 1),
    "an unusual compression": patched(DOCUMENT, "word/document.xml", METHOD, "<H", 14),
    "content types that are not deflated": patched(DOCUMENT, "[Content_Types].xml", METHOD, "<H", 0),
    "2001 entries": docx(*[(f"word/{i}", b"x") for i in range(1999)]),
    "over 100 MB unpacked": patched(ROOM, "word/media/a.png", UNPACKED, "<L", SIZE_LIMIT - OTHERS + 1),
    "over 100 : 1": docx(("word/media/a.bmp", bytes(300_000))),
    "content types that unpack to more than they say": patched(DOCUMENT, "[Content_Types].xml", UNPACKED, "<L", 50),
    "content types that unpack to less than they say": patched(DOCUMENT, "[Content_Types].xml", UNPACKED, "<L", 900),
    "an entry longer than the file": patched(DOCUMENT, "word/document.xml", PACKED, "<L", 100_000),
    "overlapping entries": patched(DOCUMENT, "word/document.xml", OFFSET, "<L", 0),
    "an entry one byte into the next": patched(
        docx(("word/a", b"x")),
        "word/document.xml",
        PACKED,
        "<L",
        zipfile.ZipFile(io.BytesIO(DOCUMENT)).getinfo("word/document.xml").compress_size + 1,
    ),
    "an entry behind the directory": patched(DOCUMENT, "word/document.xml", OFFSET, "<L", len(DOCUMENT) - 30),
}


@pytest.mark.parametrize("content", WORD.values(), ids=WORD)
def test_a_word_document_is_recognised_by_its_directory(content: bytes) -> None:
    """F2, F4: in any order of entries, wherever the main part lies."""
    assert accepted("a.docx", content)


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_any_other_archive_is_refused(content: bytes) -> None:
    """F2, F3: damaged, hostile, macro-bearing, encrypted or of another kind; never another exception."""
    assert not accepted("a.docx", content)


@pytest.mark.parametrize("name", ["macros by name", "over 100 : 1", "bytes behind", "content types in base64"])
def test_a_refused_archive_leaves_nothing(alice: Person, unchanged: Callable[[], Any], name: str) -> None:
    """F2: through the door, behind a good file."""
    with unchanged():
        answer = alice.send(multipart(part(), part(filename="b.docx", content=HOSTILE[name])))
    assert answer.status_code == 415
    assert "b.docx" in answer.get_json()["message"]


@pytest.mark.parametrize("name", ["a.pdf", "a.txt"])
def test_an_archive_under_another_name_is_refused(name: str) -> None:
    """F6: PK heads are no text."""
    assert not accepted(name, DOCUMENT)


def entry(name: bytes, offset: int, extra: bytes = b"") -> bytes:
    """One empty stored entry of a central directory."""
    lengths = len(name), len(extra), 0
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, *lengths, 0, 0, 0, offset) + name + extra


def with_entries(count: int, extra: bytes = b"") -> bytes:
    """A document whose central directory lists `count` more entries, each with these extra fields."""
    end = DOCUMENT.rindex(b"PK\x05\x06")
    start = struct.unpack_from("<L", DOCUMENT, end + 16)[0]
    directory = DOCUMENT[start:end] + b"".join(entry(b"%06d" % i, 0, extra) for i in range(count))
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count + 2, count + 2, len(directory), start, 0)
    return DOCUMENT[:start] + directory + last


def behind_zip64(count: int, **lies: int) -> bytes:
    """The same, told only by ZIP64 records; the plain record tells of two entries in a directory of 76 bytes."""
    body = with_entries(count)[:-22]
    start = struct.unpack_from("<L", DOCUMENT, DOCUMENT.rindex(b"PK\x05\x06") + 16)[0]
    told = {"entries": count + 2, "length": len(body) - start, "offset": start} | lies
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, told["entries"], *told.values())
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(body), 1)
    return body + record + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, 76, len(body), 0)


BOMBS = {
    "30 MB of zeros": docx(("word/media/a.bmp", bytes(30_000_000))),
    "content types of 30 MB": docx(content_types=types(MAIN, " " * 30_000_000)),
    "content types of 30 MB that say 100 bytes": patched(
        docx(content_types=types(MAIN, " " * 30_000_000)), "[Content_Types].xml", UNPACKED, "<L", 100
    ),
    "60 000 entries": with_entries(60_000),
    "60 000 entries behind ZIP64": behind_zip64(60_000),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_what_a_letter_costs(bomb: bytes) -> None:
    """F5: refused in half a second and a few MB, with nothing but the content types ever inflated."""
    before = time.process_time()
    assert not accepted("a.docx", bomb)
    assert time.process_time() - before < allowance(0.5)
    tracemalloc.start()
    try:
        assert not accepted("a.docx", bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


def filled(form: str, size: int) -> str:
    """`size` characters of `form` with one number after another in it."""
    return "".join(form % number for number in range(size // len(form % 9999)))


BURDENS = {
    "1 MB of elements": types(MAIN, "<a/>" * 250_000),
    "1 MB of nested elements": types(MAIN, "<a>" * 300_000),
    "80 000 attributes": types(MAIN, "<a" + filled(' a%d=""', 800_000) + "/>"),
    "128 KiB of elements": types(MAIN, "<a/>" * 32_000),
    "128 KiB of nested elements": types(MAIN, "<a>" * 43_000),
    "128 KiB of attributes": types(MAIN, "<a" + filled(' a%d=""', 120_000) + "/>"),
    "128 KiB of attributes in a namespace": types(MAIN, '<a xmlns:a="b"' + filled(' a:a%d=""', 130_000) + "/>"),
    "128 KiB of namespaces": types(MAIN, "<a" + filled(' xmlns:a%d="b"', 130_000) + "/>", "<a>"),
    "128 KiB of references": types(MAIN, "&#60;" * 26_000, "<a>"),
    "128 KiB of comments": types(MAIN, "<!---->" * 18_000, "<a>"),
}


def seconds_to_refuse(content: bytes) -> float:
    """The least CPU seconds of five verdicts: the others tell about the machine."""
    seconds = []
    for _ in range(5):
        before = time.process_time()
        assert not accepted("a.docx", content)
        seconds.append(time.process_time() - before)
    return min(seconds)


@pytest.mark.parametrize("content_types", BURDENS.values(), ids=BURDENS)
def test_content_types_that_burden_a_parser_are_refused_cheaply(content_types: str) -> None:
    """K7: in 20 ms of CPU, which is four times what the worst of these takes, whatever else the archive holds."""
    assert seconds_to_refuse(docx(NOISE, content_types=content_types)) < allowance(0.02)


FIELD = b"\x09\x09\0\0"  # an extra field of no bytes
DIRECTORIES = {
    "extra fields of 64 KiB": with_entries(15, FIELD * 16_383),
    "an extra field of 64 KiB": with_entries(3, FIELD * 16_383),
    "extra fields of 1 KiB": with_entries(120, FIELD * 256),
    "extra fields of 64 bytes": with_entries(1_900, FIELD * 16),
    "5000 entries that say they are two": ended(ended(with_entries(5_000), 8, "<H", 2), 10, "<H", 2),
}


@pytest.mark.parametrize("content", DIRECTORIES.values(), ids=DIRECTORIES)
def test_a_directory_that_burdens_a_reader_is_refused_cheaply(content: bytes) -> None:
    """K7: for no more than a few times what a directory of as many entries as are allowed takes."""
    assert seconds_to_refuse(content) < 4 * seconds_to_refuse(with_entries(1_998))


def four_at_once(live: Live, parts: list[bytes]) -> tuple[set[int], list[float], float]:
    """Upload the same four times; the statuses, what each of a visitor's requests meanwhile took, and what all took."""
    headers, waits = live.login(), []
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        uploads = [pool.submit(live.upload, headers, *parts) for _ in range(4)]
        while not all(upload.done() for upload in uploads):
            before = time.monotonic()
            assert live.request("GET", "/healthz")[0] == 200
            waits.append(time.monotonic() - before)
    return {upload.result()[0] for upload in uploads}, waits, time.monotonic() - began


def test_a_visitor_does_not_wait_for_them(live: Live) -> None:
    """K7: four uploads of twenty such documents at once, the last of them judged after nineteen that pass.

    He waits half a second at most, or longer where four uploads of twenty letters take that long too.
    """
    longest = types(MAIN, *[OTHER] * 1999)
    good, bad = (docx(NOISE, content_types=content) for content in (longest, BURDENS["128 KiB of attributes"]))
    parts = [part(filename="a.docx", content=good)] * 19 + [part(filename="b.docx", content=bad)]
    letters, _, seconds_for_letters = four_at_once(live, [part(filename="a.docx", content=docx(NOISE))] * 20)
    statuses, waits, _ = four_at_once(live, parts)
    assert (letters, statuses) == ({200}, {415})
    assert max(waits) < max(0.5, 6 * seconds_for_letters)


def test_an_entry_that_lies_about_its_size_is_never_inflated() -> None:
    """F5: 30 MB that say 100 bytes cost nothing, because nobody looks."""
    bomb = patched(docx(("word/media/a.bmp", bytes(30_000_000))), "word/media/a.bmp", UNPACKED, "<L", 100)
    tracemalloc.start()
    try:
        accepted("a.docx", bomb)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "lies", [{"offset": 2**40}, {"offset": 2**63}, {"length": 2**62}, {"length": 0, "offset": 2**64 - 1}, {}]
)
def test_an_archive_with_zip64_records_gets_a_verdict(lies: dict[str, int]) -> None:
    """F2: whatever the records say, and no other exception."""
    accepted("a.docx", behind_zip64(0, **lies))


def test_a_garbled_archive_gets_a_verdict() -> None:
    """F2: 3000 documents with a few bytes changed, most of them in the directory."""
    base, verdicts = docx(("word/a", b"hello" * 9)), set()
    start = struct.unpack_from("<L", base, base.rindex(b"PK\x05\x06") + 16)[0]
    for seed in range(3000):
        chance, data = random.Random(seed), bytearray(base)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(chance.choice([0, start, len(base) - 22]), len(data))
            data[at] = chance.choice([0, 255, data[at] ^ 1 << chance.randrange(8)])
        verdicts.add(accepted("a.docx", bytes(data)))
    assert verdicts == {True, False}


# Text

UTF16, UTF32 = codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE


@pytest.mark.parametrize("size", [1, 2, 3, 65536])
@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"a", True),
        (b"\n", True),
        ("ü".encode() * 40_000, True),
        ("a" * 65535 + "ü漢👍", True),
        ("\ufeffhello", True),
        ("\x1b[31mred\x1b[0m\x07", True),
        ("nul \0", False),
        (b"Stra\xdfe\tund\r\nWeg\f", True),
        (b"Stra\xdfe \x07", False),
        (b"\x07 Stra\xdfe", False),
        (b"Stra\xdfe \0", False),
        (b"\xe6\xbc", True),  # half a character of UTF-8 is two of Latin-1
        (b"\x01\xe6\xbc", False),
        (UTF16 + "hello 👍".encode("utf-16-le"), True),
        (codecs.BOM_UTF16_BE + "hello 👍".encode("utf-16-be"), True),
        (UTF16 + b"h\0e", False),
        (UTF16 + b"\x00\xd8h\0", False),
        (UTF32 + "hello 👍".encode("utf-32-be"), True),
        (UTF32 + b"\0\x11\0\0", False),
        ("hello".encode("utf-16-le"), False),
        (b"%PDF-1.4 hello", False),
        (b"PK\x03\x04", False),
        (b"PK\x03\x04hello", False),
        (b"MZ\x90\x00", False),
        (b"MZ\x90hello", False),
        (b"\x7fELF", False),
        (b"\x7fELF\x02\x01", False),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"\x1f\x8b\x08hello", False),
        (b"MZ is the signature of", True),
        (b"PK is a name", True),
        (b"ELF \x7f", True),
        (b"100 %PDF-1.4", True),
        (b"<html><script>alert(1)</script>", True),
        (b"#!/bin/sh\n", True),
    ],
)
def test_text_is_what_decodes_as_text(content: bytes | str, verdict: bool, size: int) -> None:
    """F6: UTF-8, UTF-16 and UTF-32 with a mark, or 8-bit without control characters; in pieces of any size."""
    assert accepted("a.txt", content.encode() if isinstance(content, str) else content, size) is verdict


def is_text(content: bytes) -> bool:
    """F6 said again, of a whole file."""
    if content.startswith((b"%PDF-", b"PK\3\4", b"MZ\x90", b"\x7fELF")):
        return False
    for marks, encoding in (
        ((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-32"),
        ((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-16"),
    ):
        if content.startswith(marks):
            return decodes(content, encoding)
    if b"\0" in content:
        return False
    return decodes(content, "utf-8") or not set(content) & (set(range(32)) - set(b"\t\n\r\f"))


def decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
HEADS = [b"", b"%PDF-", b"PK\3\4", b"MZ\x90", b"\x7fELF", UTF16, UTF32, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE]
BYTES = st.lists(st.sampled_from([b"\0", b"\1", b"\t", b"a", b"\xdf", "ü".encode(), "👍".encode(), b"\xed\xa0\x80"]))


@MADE_UP
@given(st.sampled_from(HEADS), st.binary(max_size=40) | BYTES.map(b"".join) | TEXTS.map(str.encode), st.integers(1, 50))
def test_any_bytes_are_judged_as_whole_ones_are(head: bytes, tail: bytes, size: int) -> None:
    """F6: the streaming verdict is that of the rule on the whole file."""
    if head + tail:
        assert accepted("a.txt", head + tail, size) == is_text(head + tail)


# Type, declaration, download


@pytest.mark.parametrize(
    ("filename", "declared", "status"),
    [
        ("a.pdf", "application/pdf", 200),
        ("a.pdf", "Application/PDF; charset=x", 200),
        ("a.pdf", "application/octet-stream", 200),
        ("a.pdf", "", 200),
        ("a.pdf", "text/plain", 415),
        ("a.pdf", "application/x-pdf", 415),
        ("a.txt", "text/plain; charset=utf-8", 200),
        ("a.txt", "text/html", 415),
        ("a.docx", TYPES[1].mimetype, 200),
        ("a.docx", "application/zip", 415),
        ("a.docx", "application/msword", 415),
    ],
)
def test_a_declared_type_must_be_the_extensions(alice: Person, filename: str, declared: str, status: int) -> None:
    """F7: parameters are ignored, none and octet-stream pass; what is stored is our type, never the client's."""
    content = {".pdf": PDF, ".txt": b"text", ".docx": DOCUMENT}[Path(filename).suffix]
    answer = alice.upload(filename, content, declared)
    assert answer.status_code == status
    if status == 200:
        own = {kind.extension: kind.mimetype for kind in TYPES}
        assert answer.get_json()["files"][0]["mimetype"] == own[Path(filename).suffix]


@pytest.mark.parametrize("filename", ["a.pdf", "a.txt", "a.docx"])
def test_an_empty_file_is_refused(alice: Person, unchanged: Callable[[], Any], filename: str) -> None:
    """F7: with 400, because nothing was sent that could be of a wrong type."""
    with unchanged():
        assert alice.upload(filename, b"").status_code == 400


@pytest.mark.parametrize(
    ("filename", "content", "mimetype"),
    [
        ("a.pdf", PDF + DOCUMENT, "application/pdf"),
        ("a.pdf", DOCUMENT[:60] + PDF + DOCUMENT, "application/pdf"),
        ("a.txt", b"<html><script>alert(1)</script></html>", "text/plain"),
    ],
)
def test_a_polyglot_is_only_ever_an_attachment_of_its_type(
    alice: Person, filename: str, content: bytes, mimetype: str
) -> None:
    """F8: PDF and ZIP at once stays a PDF, HTML in a .txt stays text, and no browser renders either."""
    [file] = alice.upload(filename, content).get_json()["files"]
    with alice.get(f"/api/documents/{file['id']}/content") as download:
        assert download.data == content
        assert download.mimetype == file["mimetype"] == mimetype
        assert download.headers["Content-Disposition"].startswith("attachment;")
        assert download.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in download.headers["Content-Security-Policy"]


# Names


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("a.PDF", "a.PDF"),
        ("a.exe.pdf", "a.exe.pdf"),
        ("a.exe .pdf", "a.exe.pdf"),
        ("a.pdf ", "a.pdf"),
        ("a .pdf", "a.pdf"),
        ("a%2Epdf", None),
        ("a.pdf.exe", None),
        ("a.pdf.", None),
        ("a.pdf%00", None),
        ("a.pdf%22", None),
        ("a.pdf;.exe", None),
        ("a.p df", None),
        ("a.pdf/b", None),
        ("a.docm", None),
        ("a.doc", None),
        ("pdf", None),
        (".pdf", None),
        ("a.ｐdf", None),
    ],
)
def test_the_last_extension_decides(alice: Person, filename: str, shown: str | None) -> None:
    """E4: after decoding, whatever its case; blanks at the ends of name and stem do not count."""
    answer = alice.upload(filename)
    assert answer.status_code == (200 if shown else 415)
    if shown:
        assert answer.get_json()["files"][0]["filename"] == shown


@pytest.mark.parametrize(
    ("filename", "shown"),
    [(".pdf", "“.pdf”"), ("\u2028.txt", "“.txt”"), ("\u2029\u202e .DOCX", "“.DOCX”"), ("C:\\\u2066.pdf", "“.pdf”")],
)
def test_a_name_with_nothing_before_its_ending_is_told_so(
    alice: Person, unchanged: Callable[[], Any], filename: str, shown: str
) -> None:
    """E1, E4: what is dropped may be all there was; the sentence does not say that a TXT must be a TXT."""
    with unchanged():
        answer = alice.upload(filename)
    assert answer.status_code == 415
    assert answer.get_json()["message"].startswith(f"{shown} is an ending without a name")


@pytest.mark.parametrize("filename", ["\u2028", "a.pdf/", "C:\\", " "])
def test_a_name_with_nothing_left_is_told_so(alice: Person, unchanged: Callable[[], Any], filename: str) -> None:
    """E1: there is no name to show, and none is shown."""
    with unchanged():
        answer = alice.upload(filename)
    assert answer.status_code == 415
    assert "“" not in answer.get_json()["message"]


E1 = [
    ("../../x.pdf", "x.pdf"),
    ("/etc/x.pdf", "x.pdf"),
    ("C:\\x.pdf", "x.pdf"),
    ("\\\\host\\share\\x.pdf", "x.pdf"),
    ("c:\\a/b\\x.pdf", "x.pdf"),
    ("a/C:\\x.pdf", "x.pdf"),
    ("..\\..\\x.pdf", "..\\..\\x.pdf"),
    ("C:x\\y.pdf", "C:x\\y.pdf"),
    ("x\\\\y.pdf", "x\\\\y.pdf"),
    ("..", 415),
    (".", 415),
    ("", 400),
    ("a\0.pdf", 400),
    ("a\r\nb.pdf", 400),
    ("a%0D%0Ab.pdf", "ab.pdf"),
    ("%2e%2e%2fx.pdf", "%2e%2e%2fx.pdf"),
    ("x.pdf/", 415),
    (".htaccess", 415),
    (".x.pdf", ".x.pdf"),
    ("...pdf", "...pdf"),
    ("-rf.pdf", "-rf.pdf"),
    ("é" * 300 + ".pdf", "é" * 251 + ".pdf"),
    ("漢" * 300 + ".pdf", "漢" * 251 + ".pdf"),
    ("👍" * 300 + ".docx.txt.pdf", "👍" * 251 + ".pdf"),
    ("CON.pdf", "CON.pdf"),
    ("x.pdf::$DATA", 415),
    ("x:y|z?*<>.pdf", "x:y|z?*<>.pdf"),
    ("$(id)`id`;&.pdf", "$(id)`id`;&.pdf"),
    ("a\u202efdp.exe", 415),
    ("exe\u202efdp.pdf", "exefdp.pdf"),
    ("\u2066a\u2069\u200f\u061c.pdf", "a.pdf"),
    ("a\u2028b\u0085.pdf", "ab.pdf"),
    ("\ufeffa.pdf", "a.pdf"),
    (b"a\xed\xa0\x80.pdf", 400),
    (b"\xff.pdf", 400),
    ("x" * 1_000_000 + ".pdf", 400),
    ("x" * 3000 + ".pdf", "x" * 251 + ".pdf"),
]


@pytest.mark.parametrize(("filename", "expected"), E1, ids=[ascii(name)[:30] for name, _ in E1])
def test_no_name_leads_out_of_the_folder(app: Flask, alice: Person, filename: str | bytes, expected: str | int) -> None:
    """E1, E3: the only new entry lies in the user's folder, of at most 255 bytes, and is a plain file."""
    name = filename if isinstance(filename, bytes) else filename.encode()
    answer = alice.send(multipart(part(filename="~", content=PDF).replace(b"~", name, 1)))
    entries = [p.relative_to(app.config["UPLOADS_DIR"]) for p in app.config["UPLOADS_DIR"].rglob("*") if p.is_file()]
    if isinstance(expected, int):
        assert (answer.status_code, entries) == (expected, [])
        return
    [entry] = entries
    assert answer.get_json()["files"][0]["filename"] == expected
    assert entry.parts[0] == "1"
    assert is_safe(entry.name)
    assert entry.name.partition("-")[0].isdecimal()


def is_clean(name: str) -> bool:
    """No separator, no control or bidi character, and NFC."""
    letters = not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c == "/" for c in name)
    bidi = any("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" or c in "\u200e\u200f\u061c" for c in name)
    return letters and not bidi and unicodedata.is_normalized("NFC", name)


def is_safe(name: str) -> bool:
    """Clean, not hidden, without characters that other systems refuse, within a filesystem's 255 bytes."""
    return is_clean(name) and not set('<>:"|?*\\') & set(name) and name[0] not in ". " and len(name.encode()) <= 255


EXTENSIONS = st.sampled_from([".pdf", ".PDF", ".docx", ".txt", ".Txt"])
ODD = st.sampled_from(
    [
        *"./\\ :%<>|?*\0\r\n\t",
        "..",
        "\u202e",
        "\u2066",
        "\u2028",
        "\u3000",
        "\ud800",
        "e\u0301",
        "\u0301",
        "漢" * 90,
        "K:\\",
    ]
)
NAMES = st.tuples(st.lists(st.text(max_size=5) | ODD, max_size=8).map("".join), EXTENSIONS).map("".join)


@MADE_UP
@given(NAMES)
@example("a/ \u212a:\\b.pdf")
def test_a_shown_name_is_clean(name: str) -> None:
    """E1: one path component in NFC, no control or bidi characters, 255 at most, its extension as it was."""
    shown = clean_name(name)
    assert is_clean(shown)
    assert len(shown) <= 255
    assert shown.rpartition(".")[2] == name.rpartition(".")[2]
    assert clean_name(shown) == shown


@MADE_UP
@given(NAMES)
def test_a_stored_name_is_safe(name: str) -> None:
    """E1: no separators, control, bidi or reserved characters, never hidden, 255 bytes with the time before it."""
    stored = safe_name(name)
    assert is_safe(stored)
    assert is_safe(f"1700000000000-{stored}")
    assert stored.rpartition(".")[0]
    assert stored.rpartition(".")[2] == name.rpartition(".")[2]


@MADE_UP
@given(NAMES)
@example("a\u3000..pdf")
@example(".\u3000a.pdf")
@example("x" * 233 + "\u3000" + "x" * 9 + ".pdf")
def test_a_stored_name_is_its_own_stored_name(name: str) -> None:
    """E2: whoever stores a document under the name it has on the disk gets that name."""
    assert safe_name(safe_name(name)) == safe_name(name)


@pytest.mark.parametrize("name", ["a." + "x" * 300, "a" * 300 + "." + "x" * 300, "x" * 300, "." + "x" * 300])
def test_a_shown_name_has_at_most_255_characters_whatever_its_extension(name: str) -> None:
    """E2: refused names are shown too, in the message that refuses them."""
    assert len(clean_name(name)) <= 255


def test_five_equal_names_in_one_upload_are_five_files(app: Flask, alice: Person) -> None:
    """E2: under one name for people and five on the disk."""
    files = alice.send(multipart(*[part(content=PDF + b"%d" % i) for i in range(5)])).get_json()["files"]
    assert {file["filename"] for file in files} == {"a.pdf"}
    paths = [app.config["UPLOADS_DIR"] / file["savedTo"].removeprefix("/uploads/") for file in files]
    assert [path.read_bytes() for path in paths] == [PDF + b"%d" % i for i in range(5)]


def test_five_equal_names_at_once_are_five_files(app: Flask, alice: Person) -> None:
    """E2: sent by five at the same time, none is overwritten."""

    def upload(number: int) -> bytes:
        person = Person(app, alice.email, alice.tokens)
        [file] = person.upload(content=PDF + b"%d" % number).get_json()["files"]
        return (app.config["UPLOADS_DIR"] / file["savedTo"].removeprefix("/uploads/")).read_bytes()

    with ThreadPoolExecutor(5) as threads:
        assert list(threads.map(upload, range(5))) == [PDF + b"%d" % i for i in range(5)]


def test_one_name_in_two_forms_is_one_name(app: Flask, alice: Person) -> None:
    """E2: names are NFC, as macOS's decomposed ones are not."""
    for name in ("é.pdf", "e\u0301.pdf"):
        [file] = alice.upload(name).get_json()["files"]
        assert file["filename"] == "\u00e9.pdf"
        assert file["savedTo"].endswith("-\u00e9.pdf")

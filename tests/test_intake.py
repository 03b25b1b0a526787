"""The intake, fed directly: a body has one outcome whatever pieces it comes in, and hostile ones cost little."""

import random
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from streaming_form_data import StreamingFormDataParser
from streaming_form_data.targets import ValueTarget

from tests.support.bodies import BOUNDARY, CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import allowance, cpu
from uploadsvc.errors import ApiError, InsufficientStorage, Malformed, TooLarge, UnsupportedType
from uploadsvc.filetypes import accept, clean_name
from uploadsvc.intake import Intake, Limits

MARK = b"--" + BOUNDARY.encode()
PIECES = (0, 1, 7, 64, 1000, 65536)  # 0: whole
MB = 1024 * 1024
LIMITS = Limits()
GOOD = multipart(part("a", "one.txt", b"one\r\n"), part("note", None, b"hello"), part("b", "two.pdf", PDF))
MADE_UP = settings(max_examples=300, deadline=None, derandomize=True, database=None)


class Memory:
    """A stage in memory."""

    def __init__(self) -> None:
        self.size, self.data, self.left = 0, bytearray(), True

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.data += chunk

    def close(self) -> None:
        """Memory holds nothing open."""

    def discard(self) -> None:
        self.left = False


class Reader:
    """An intake with what it has staged and how many bytes it was given."""

    def __init__(
        self, content_type: str = CONTENT_TYPE, limits: Limits = LIMITS, stage: Callable[[], Any] = Memory
    ) -> None:
        self.staged: list[Any] = []
        self.taken = 0
        self._new_stage = stage
        self.intake = Intake(content_type, self._stage, accept, limits)

    def _stage(self) -> Any:
        self.staged.append(self._new_stage())
        return self.staged[-1]

    def feed(self, pieces: Iterable[bytes]) -> "Reader":
        for piece in pieces:
            self.taken += len(piece)
            self.intake.feed(piece)
        return self


def pieces_of(body: bytes, size: int) -> Iterable[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size)) if size else [body]


def outcome(body: bytes, size: int = 0, content_type: str = CONTENT_TYPE, limits: Limits = LIMITS) -> Any:
    """([(fieldname, filename, bytes)], fields) of an accepted body; else the error's class, and nothing left staged."""
    reader = Reader(content_type, limits)
    try:
        received = reader.feed(pieces_of(body, size)).intake.finish()
    except ApiError as error:
        assert not any(stage.left for stage in reader.staged)
        return type(error)
    return [(f.fieldname, f.recogniser.filename, bytes(f.staged.data)) for f in received.files], received.fields


def with_header(*lines: str) -> bytes:
    """A body of one part with these header lines."""
    return multipart("\r\n".join(lines).encode() + b"\r\n\r\n" + PDF)


ONE = ([("file", "a.pdf", PDF)], {})
DISPOSITION = 'Content-Disposition: form-data; name="file"; filename="a.pdf"'
BARE = part("n", None, b"")
SMALL = Limits(file_bytes=100, files=2, parts=4, overhead=400)
RUNS = b"%PDF-" + b"\r\n\r\r\n--\r\n-" * 50
BAD_TEXT = b"fine " * 4000 + b"\xff\x01"

TABLE: dict[str, tuple[bytes, Any, Limits]] = {
    "two files and a field": (GOOD, ([("a", "one.txt", b"one\r\n"), ("b", "two.pdf", PDF)], {"note": "hello"}), SMALL),
    "a field twice, last counts": (
        multipart(part("n", None, b"1"), part(), part("n", None, b"2")),
        (ONE[0], {"n": "2"}),
        LIMITS,
    ),
    "an empty field": (multipart(part("n", None, b""), part()), (ONE[0], {"n": ""}), LIMITS),
    "an empty input beside a file": (multipart(part(filename="", content=b""), part()), ONE, LIMITS),
    "CRLF runs": (multipart(part(content=RUNS)), ([("file", "a.pdf", RUNS)], {}), LIMITS),
    "an epilogue": (multipart(part()) + b"the end\r\n", ONE, LIMITS),
    "an epilogue like a body": (multipart(part()) * 2, ONE, LIMITS),
    "no line end at the end": (multipart(part())[:-2], ONE, LIMITS),
    "a header that RFC 7578 ignores": (with_header(DISPOSITION, "X-Other: 1"), ONE, LIMITS),
    "a disposition in capitals": (with_header(DISPOSITION.upper()), ([("FILE", "A.PDF", PDF)], {}), LIMITS),
    "exactly the limit": (
        multipart(part(content=b"%PDF-".ljust(100))),
        ([("file", "a.pdf", b"%PDF-".ljust(100))], {}),
        SMALL,
    ),
    "one byte over the limit": (multipart(part(content=b"%PDF-".ljust(101))), TooLarge, SMALL),
    "over the limit after a good one": (multipart(part(), part(content=b"%PDF-".ljust(101))), TooLarge, SMALL),
    "a file too many": (multipart(part(), part(), part()), TooLarge, SMALL),
    "a part too many": (multipart(part(), *[part("n", None, b"")] * 4), Malformed, SMALL),
    "a field over the rest": (multipart(part(), part("n", None, b"x" * 400)), TooLarge, SMALL),
    "nothing": (b"", Malformed, LIMITS),
    "only the end": (MARK + b"--\r\n", Malformed, LIMITS),
    "only a field": (multipart(part("n", None, b"1")), Malformed, LIMITS),
    "only an empty input": (multipart(part(filename="", content=b"")), Malformed, LIMITS),
    "bytes without a name": (multipart(part(filename="")), Malformed, LIMITS),
    "an empty file": (multipart(part(content=b"")), Malformed, LIMITS),
    "an empty file after a good one": (multipart(part(), part(content=b"")), Malformed, LIMITS),
    "a line end before the boundary": (b"\r\n" + multipart(part()), ONE, LIMITS),
    "a preamble": (b"hello\r\n" + multipart(part()), ONE, LIMITS),
    "a preamble that is almost a boundary": (b"\r\n" + MARK[:-1] + b"\r\n" + multipart(part()), ONE, LIMITS),
    "a preamble of 1 KiB": (b"x" * 1024 + b"\r\n" + multipart(part()), ONE, LIMITS),
    "a preamble of a byte more": (b"x" * 1025 + b"\r\n" + multipart(part()), Malformed, LIMITS),
    "a preamble without its line end": (b"hello" + multipart(part()), Malformed, LIMITS),
    "only a preamble": (b"hello", Malformed, LIMITS),
    "a preamble and the end": (b"hello\r\n" + MARK + b"--\r\n", Malformed, LIMITS),
    "an empty field without its line": (
        multipart(BARE, part()).replace(BARE + b"\r\n", BARE),
        (ONE[0], {"n": ""}),
        LIMITS,
    ),
    "an empty field without its line at the end": (
        multipart(part(), BARE).replace(BARE + b"\r\n", BARE),
        (ONE[0], {"n": ""}),
        LIMITS,
    ),
    "an empty input without its line": (
        multipart(part(filename="", content=b""), part()).replace(b"\r\n\r\n\r\n", b"\r\n\r\n"),
        ONE,
        LIMITS,
    ),
    "an empty file without its line": (
        multipart(part(content=b"")).replace(b"\r\n\r\n\r\n", b"\r\n\r\n"),
        Malformed,
        LIMITS,
    ),
    "a field that begins with hyphens": (multipart(part("n", None, b"--x"), part()), (ONE[0], {"n": "--x"}), LIMITS),
    "a field that begins with a line end": (
        multipart(part("n", None, b"\r\n--x"), part()),
        (ONE[0], {"n": "\r\n--x"}),
        LIMITS,
    ),
    "another boundary": (multipart(part(), boundary="other"), Malformed, LIMITS),
    "line feeds alone": (multipart(part()).replace(b"\r\n", b"\n"), Malformed, LIMITS),
    "no header": (multipart(b"\r\n" + PDF), Malformed, LIMITS),
    "no header end": (multipart(DISPOSITION.encode()), Malformed, LIMITS),
    "no disposition": (with_header("Content-Type: application/pdf"), Malformed, LIMITS),
    "two dispositions": (with_header(DISPOSITION, DISPOSITION), Malformed, LIMITS),
    "another disposition": (with_header(DISPOSITION.replace("form-data", "attachment")), Malformed, LIMITS),
    "a folded header": (with_header(DISPOSITION, " folded"), Malformed, LIMITS),
    "a space before the colon": (with_header(DISPOSITION.replace(":", " :")), Malformed, LIMITS),
    "no name": (with_header('Content-Disposition: form-data; filename="a.pdf"'), Malformed, LIMITS),
    "an empty name": (multipart(part("")), Malformed, LIMITS),
    "a name twice": (with_header(DISPOSITION + '; name="x"'), Malformed, LIMITS),
    "an extended name beside the name": (with_header(DISPOSITION + "; filename*=utf-8''b.pdf"), ONE, LIMITS),
    "an extended name alone": (
        with_header("Content-Disposition: form-data; name=file; filename*=utf-8''b.pdf"),
        Malformed,
        LIMITS,
    ),
    "Latin-1 in a header": (multipart(part(filename="ä.pdf").replace("ä".encode(), b"\xe4")), Malformed, LIMITS),
    "nine header lines": (with_header(DISPOSITION, *(f"X-{i}: 1" for i in range(8))), Malformed, LIMITS),
    "a header over 4 KiB": (with_header(DISPOSITION, "X: " + "x" * 4096), Malformed, LIMITS),
    "a field that is no text": (multipart(part(), part("n", None, b"\xff")), Malformed, LIMITS),
    "a delimiter with trailing blanks": (MARK + b" \r\n" + part() + b"\r\n" + MARK + b"--", Malformed, LIMITS),
    "a later delimiter with trailing blanks": (
        multipart(part(), part()).replace(b"\r\n" + MARK + b"\r\n", b"\r\n" + MARK + b" \r\n"),
        Malformed,
        LIMITS,
    ),
    "a later delimiter that ends in a line feed": (
        multipart(part(), part()).replace(b"\r\n" + MARK + b"\r\n", b"\r\n" + MARK + b"\n"),
        Malformed,
        LIMITS,
    ),
    "an unknown type": (multipart(part(filename="a.exe")), UnsupportedType, LIMITS),
    "a false declaration": (multipart(part(mimetype="text/plain")), UnsupportedType, LIMITS),
    "a false content": (multipart(part(content=b"x" * 2000)), UnsupportedType, LIMITS),
    "a false content after a good one": (multipart(part(), part(content=b"x" * 20000)), UnsupportedType, LIMITS),
    "multipart in multipart": (multipart(part(filename=None, mimetype="multipart/mixed")), UnsupportedType, LIMITS),
}


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize(("body", "expected", "limits"), TABLE.values(), ids=TABLE)
def test_a_body_has_one_outcome_in_pieces_of_any_size(body: bytes, expected: Any, limits: Limits, size: int) -> None:
    """D16, D23, D24: what is not valid is refused in pieces of any size, never silently accepted."""
    assert outcome(body, size, limits=limits) == expected


@pytest.mark.parametrize("size", PIECES)
def test_of_two_faults_the_same_one_is_told_in_pieces_of_any_size(size: int) -> None:
    """D16: the verdict on bad content followed by a bad header does not hang on where the network cut the body."""
    body = multipart(part(filename="a.txt", content=BAD_TEXT), b"X: no disposition\r\n\r\n")
    assert outcome(body, size) == outcome(body)


def test_a_body_cut_anywhere_is_refused() -> None:
    """D3: cut at every offset before the end of the closing boundary, nothing staged is left."""
    end = GOOD.rindex(MARK) + len(MARK) + 2
    for size in (0, 1, 64):
        assert {outcome(GOOD[:cut], size) for cut in range(end)} == {Malformed}
        assert outcome(GOOD[:end], size) == TABLE["two files and a field"][1]


def test_a_body_cut_behind_staged_bytes_is_refused() -> None:
    """D3: also where the library has already been given the first files."""
    body = multipart(part(content=PDF + b"x" * 9000), part("n", None, b"x" * 9000), part(content=PDF + b"x" * 9000))
    assert {outcome(body[:cut]) for cut in range(0, len(body) - 2, 7)} == {Malformed}
    assert isinstance(outcome(body[:-2]), tuple)


def test_a_good_part_before_an_error_is_discarded() -> None:
    """D4: the library finishes parts before the body is known to be whole."""
    reader = Reader()
    with pytest.raises(Malformed):
        reader.feed([multipart(part(content=PDF + b"x" * 20000), b"no header\r\n\r\n")])
    assert [stage.left for stage in reader.staged] == [False]


def test_an_abort_discards_and_may_be_repeated() -> None:
    reader = Reader().feed([GOOD[:-10]])
    reader.intake.abort()
    reader.intake.abort()
    assert [stage.left for stage in reader.staged] == [False, False]


def test_a_disk_that_fills_is_reported_as_such() -> None:
    class Full(Memory):
        def write(self, chunk: bytes) -> None:
            raise InsufficientStorage("full")

    reader = Reader(stage=Full)
    with pytest.raises(InsufficientStorage):
        reader.feed([GOOD])
    assert not any(stage.left for stage in reader.staged)


def test_the_library_still_reads_the_headers_of_others() -> None:
    """D2: what is remembered is that one header; the library's own door works as ever in this process."""
    target = ValueTarget()
    reader = StreamingFormDataParser({"Content-Type": CONTENT_TYPE})
    reader.register("b", target)
    reader.data_received(GOOD)
    assert (target.multipart_filename, target.value) == ("two.pdf", PDF)


# Boundaries

BOUNDARIES = ("b", "-", "--", "0" * 70, BOUNDARY, "'()+_,-./:=?", "gc0pJq0M:08jU534c0p")


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("form", ["multipart/form-data; boundary={}", 'Multipart/Form-Data;charset=x ;BOUNDARY="{}"'])
def test_every_legal_boundary_works(boundary: str, form: str) -> None:
    """D6: RFC 2046 §5.1.1 allows 1 to 70 of these characters, quoted or (as clients do) bare."""
    assert outcome(multipart(part(), boundary=boundary), content_type=form.format(boundary)) == ONE


@pytest.mark.parametrize(
    "boundary", ["", "0" * 71, "a b", "b ", "a\rb", "a\nb", "a\r\nX: y", "ä", "a\0", 'a"b', "a\\b"]
)
def test_every_other_boundary_is_refused(boundary: str) -> None:
    """D6: characters that RFC 2046 does not allow, or more than 70."""
    assert outcome_of_type(f'multipart/form-data; boundary="{boundary}"') is Malformed


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("", Malformed),
        ("  ", Malformed),
        ("multipart/form-data", Malformed),
        ("multipart/form-data; boundary", Malformed),
        ("multipart/form-data; boundary=a; boundary=a", Malformed),
        ("multipart/form-data; boundary=a, multipart/form-data; boundary=b", Malformed),
        ("multipart/form-data, text/plain; boundary=a", Malformed),
        ("multipart/form-data; boundary*=\"'", Malformed),
        ("multipart/form-data; boundary*=utf-8''a", Malformed),
        ("multipart/form-data (comment); boundary=a", Malformed),
        ("multipart/mixed; boundary=a", UnsupportedType),
        ("multipart/form-data-x; boundary=a", UnsupportedType),
        ("application/json", UnsupportedType),
        ("text/plain; boundary=a", UnsupportedType),
    ],
)
def test_a_content_type_without_one_boundary_is_refused(content_type: str, expected: type[ApiError]) -> None:
    """D6: missing, doubled, or not multipart/form-data at all."""
    assert outcome_of_type(content_type) is expected


def outcome_of_type(content_type: str) -> type[ApiError] | None:
    try:
        Reader(content_type)
    except ApiError as error:
        return type(error)
    return None


# Bodies that a machine made up

FRAGMENTS = [b"\r", b"\n", b"\r\n", b"--", b"-", b"\r\n--", b"\r\r\n--", b"\0", b"x", b"\xff", b"x" * 97, b"x" * 8192]
NAME_CHARS = st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="%")
NAMES = st.text(NAME_CHARS | st.sampled_from('\r\n";\\= /'), min_size=1, max_size=20)


@st.composite
def contents(draw: st.DrawFn, boundary: str) -> bytes:
    """Bytes that look like delimiters as much as bytes may that are none."""
    mark = b"\r\n--" + boundary.encode()
    fragments = [*FRAGMENTS, mark[:-1], mark[2:-1], mark[:-1] + b"\r\n", boundary.encode()]
    content = b"".join(draw(st.lists(st.sampled_from(fragments), max_size=30)))
    assume(mark not in b"\r\n" + content)
    return content


@st.composite
def forms(draw: st.DrawFn) -> tuple[str, list[tuple[str, str | None, bytes]]]:
    """A boundary and parts: (name, filename or None, content)."""
    boundary = draw(st.sampled_from(BOUNDARIES[:5]))
    file = st.tuples(
        NAMES, NAMES.map(lambda name: name + "~.pdf"), contents(boundary).map(lambda content: b"%PDF-" + content)
    )
    text = st.tuples(NAMES, st.none(), st.text(max_size=50).map(str.encode) | st.just(b"\r\n-\r\n--"))
    parts = draw(st.lists(file | text, max_size=5))
    parts.insert(draw(st.integers(0, len(parts))), draw(file))
    assume(all(b"\r\n--" + boundary.encode() not in b"\r\n" + content for _, _, content in parts))
    return boundary, parts


def escaped(name: str | None) -> Any:
    """A name as a browser writes it (WHATWG)."""
    return name and name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


@MADE_UP
@given(forms(), st.lists(st.integers(1, 9000), min_size=1, max_size=8))
def test_made_up_bodies_arrive_exactly(form: tuple[str, list[tuple[str, str | None, bytes]]], sizes: list[int]) -> None:
    """D7: bytes, names and fields are those that were sent, in pieces of any size."""
    boundary, parts = form
    body = multipart(*(part(escaped(name), escaped(file), content) for name, file, content in parts), boundary=boundary)
    reader, at = Reader(f'multipart/form-data; boundary="{boundary}"'), 0
    while at < len(body):
        for size in sizes:
            reader.feed([body[at : at + size]])
            at += size
    received = reader.intake.finish()
    files = [(f.fieldname, f.recogniser.filename, bytes(f.staged.data)) for f in received.files]
    assert files == [(name, clean_name(file), content) for name, file, content in parts if file is not None]
    assert received.fields == {name: content.decode() for name, file, content in parts if file is None}


@pytest.mark.parametrize("boundary", ["b", "0" * 70])
def test_sizes_around_the_gathered_block_arrive_exactly(boundary: str) -> None:
    """D1: the library loses bytes when it is given a few at a time; 8 KiB is where the intake hands on."""
    content_type = f"multipart/form-data; boundary={boundary}"
    for size in [*range(1, 60), *range(8192 - 200, 8192 + 20), *range(2 * 8192 - 200, 2 * 8192 + 20)]:
        body = multipart(*[part(filename="a.txt", content=b"x" * size)] * 2, boundary=boundary)
        expected = ([("file", "a.txt", b"x" * size)] * 2, {})
        assert outcome(body, 0, content_type) == outcome(body, 1000, content_type) == expected, size


@MADE_UP
@given(st.lists(st.sampled_from([*FRAGMENTS, MARK, b"\r\n" + MARK, part(), part("n", None, b"1"), b"\r\n\r\n"])))
def test_rubbish_has_one_outcome_whole_and_in_pieces(fragments: list[bytes]) -> None:
    """D16: delimiters, headers and fragments in any order."""
    body = b"".join(fragments)
    assert outcome(body) == outcome(body, 7) == outcome(body, 1000)


WORDS = (
    *("form-data", "attachment", "name=", "name", "filename=", "filename*=", "filename*0=", '"', '"', '"', ";", ";"),
    *("=", "\\", "%22", "%0D%0A", "%00", "(" * 800, ")", "utf-8''", "=?utf-8?b?Li4v?=", "=?utf-7?q?+AC8-?=", " "),
    *("\t", "\r", "\n", "\r\n", "\0", "\x85", "\u2028", "ö", "漢", "a.pdf", ".txt", "../", ":", ",", "'", "x" * 300),
)


def fuzzed(random_: random.Random) -> bytes:
    """A Content-Disposition line that was good once."""
    line = list(DISPOSITION) if random_.random() < 0.7 else ["Content-Disposition: "]
    for _ in range(random_.randrange(1, 5)):
        line.insert(random_.randrange(len(line) // 2, len(line) + 1), random_.choice(WORDS))
        if random_.random() < 0.15:
            del line[random_.randrange(len(line))]
    block = "".join(line).encode()
    return block.replace("ö".encode(), b"\xf6") if random_.random() < 0.2 else block


def test_fuzzed_dispositions_are_accepted_or_refused_and_nothing_else() -> None:
    """D5: 6000 seeds; any exception that is no refusal would be a 500."""
    seen = {tuple: 0, Malformed: 0, TooLarge: 0, UnsupportedType: 0}
    for seed in range(6000):
        result = outcome(multipart(fuzzed(random.Random(seed)) + b"\r\n\r\n" + PDF, part()))
        seen[tuple if isinstance(result, tuple) else result] += 1
    assert min(seen[tuple], seen[Malformed], seen[UnsupportedType]) > 50


# What hostile bodies cost


def endless(start: bytes, filler: bytes, total: int) -> Iterable[bytes]:
    """`start` and then `filler` over and over in 64 KiB pieces, until `total` bytes."""
    yield start
    piece = filler * (65536 // len(filler))
    for _ in range(total // len(piece)):
        yield piece


OPEN = MARK + b"\r\n" + b'Content-Disposition: form-data; name="file"; filename="a.pdf'
STREAMS = {
    "a 64 MiB header": (OPEN, b"x", 64 * MB),
    "a 64 MiB second header": (OPEN + b'"\r\nX: ', b"x", 64 * MB),
    "2.5 million header lines": (OPEN + b'"\r\n', b"a:\r\n", 10 * MB),
    "a 1 MB name of quotes": (OPEN, b'"; ', MB),
    "a 1 MB name of backslashes": (OPEN, b"\\", MB),
    "a 10 MB preamble": (b"", b"x", 10 * MB),
    "a 10 MB preamble of line ends": (b"", b"\r\n", 10 * MB),
    "a 10 MB first line": (MARK, b"x", 10 * MB),
    "100 000 empty parts": (MARK, b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' + MARK, 100_000 * 90),
    "100 000 empty inputs": (
        MARK,
        b'\r\nContent-Disposition: form-data; name="a"; filename=""\r\n\r\n\r\n' + MARK,
        100_000 * 100,
    ),
    "a 10 MB field": (MARK + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n', b"x", 10 * MB),
}


@pytest.mark.parametrize(("start", "filler", "total"), STREAMS.values(), ids=STREAMS)
def test_an_endless_stream_is_refused_within_its_second_piece(start: bytes, filler: bytes, total: int) -> None:
    """D10: headers, names, preambles, parts and fields beyond their limit are refused before they are collected."""
    reader = Reader()
    with pytest.raises((Malformed, TooLarge)):
        reader.feed(endless(start, filler, total))
    assert reader.taken <= len(start) + 2 * 65536
    assert reader.staged == []


def test_a_trickled_header_is_refused_after_four_kib() -> None:
    """D10: in single bytes too."""
    reader = Reader()
    with pytest.raises(Malformed):
        reader.feed(bytes([byte]) for byte in OPEN + b"x" * MB)
    assert reader.taken <= len(MARK) + 2 + 4096 + 4


def test_no_file_is_opened_beyond_the_twentieth() -> None:
    """D9: what comes after the limit is not staged, and what came before is gone."""
    reader = Reader()
    with pytest.raises(TooLarge):
        reader.feed([multipart(*[part()] * 1000)])
    assert [stage.left for stage in reader.staged] == [False] * 20


def test_no_part_is_opened_beyond_the_thirty_second() -> None:
    """D9: 32 parts pass, the 33rd header is the last that is read."""
    assert outcome(multipart(part(), *[part("n", None, b"")] * 31)) == (ONE[0], {"n": ""})
    reader = Reader()
    with pytest.raises(Malformed):
        reader.feed(pieces_of(multipart(*[part("n", None, b"")] * 32, part(), part()), 64))
    assert reader.taken <= len(multipart(*[part("n", None, b"")] * 33)) + 64
    assert reader.staged == []


class Counting(Memory):
    """A stage that keeps nothing."""

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)


def whole(pieces: Iterable[bytes]) -> int:
    """The size of the one file of a complete body."""
    [file] = Reader(stage=Counting).feed(pieces).intake.finish().files
    return file.staged.size


def peak(action: Callable[[], Any]) -> int:
    """The most memory, in bytes, that `action` held at once."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_file() -> None:
    """D13: a file of 10 MB passes through a few chunks of memory."""
    pieces = [MARK + b"\r\n" + part(), *endless(b"", b"x\r\n-", 9 * MB), b"\r\n" + MARK + b"--"]
    assert peak(lambda: whole(pieces)) < MB


def test_memory_does_not_grow_with_refused_parts_or_the_epilogue() -> None:
    """D9: nor with 10^5 empty parts, nor with 10 MB behind the end."""

    def parts() -> None:
        with pytest.raises(Malformed):
            Reader().feed(endless(*STREAMS["100 000 empty parts"]))

    assert peak(parts) < MB
    pieces = list(endless(multipart(part()), b"\r\n" + MARK, 10 * MB))
    assert peak(lambda: whole(pieces)) < MB


def test_a_field_is_held_in_the_memory_it_is_allowed() -> None:
    """D12: of a field without end no more than 64 KiB and a chunk or two are held."""

    def field() -> None:
        with pytest.raises(TooLarge):
            Reader().feed(endless(*STREAMS["a 10 MB field"]))

    assert peak(field) < MB


def filled(filler: bytes) -> bytes:
    """A file of just under 10 MB."""
    return (b"%PDF-" + filler * (10_000_000 // len(filler)))[:10_000_000]


DENSE = {
    "CR": b"\r",
    "CRLF": b"\r\n",
    "CRLF--": b"\r\n--",
    "hyphens": b"-",
    "boundary prefixes": b"\r\n" + MARK[:-1],
    "boundaries without CR": b"\n" + MARK,
    "CRs before boundaries": b"\r\r\n" + MARK[:-2],
}


@pytest.fixture(scope="module")
def plain_seconds() -> float:
    return cpu(lambda: outcome(multipart(part(content=filled(b"x"))), 65536))


@pytest.mark.parametrize("filler", DENSE.values(), ids=DENSE)
def test_content_dense_with_boundary_bytes_is_exact_and_cheap(filler: bytes, plain_seconds: float) -> None:
    """D13: 10 MB of what a parser looks for; an algorithm that backs up would take minutes."""
    content = filled(filler)
    body = multipart(part(content=content))
    assert outcome(body, 65536)[0] == [("file", "a.pdf", content)]
    assert cpu(lambda: outcome(body, 65536)) < 10 * plain_seconds + allowance(0.5)


def test_an_epilogue_is_cheap(plain_seconds: float) -> None:
    """D14: 10 MB behind the end cost no more than 10 MB of file."""
    body = multipart(part()) + b"\r\n" + MARK * (10_000_000 // len(MARK))
    assert outcome(body, 65536) == ONE
    assert cpu(lambda: outcome(body, 65536)) < plain_seconds + allowance(0.1)


NAMES_FROM_HELL = {
    "backslash and letter": "\\a",
    "backslashes": "\\",
    "escaped quotes": '\\"',
    "quotes": '"',
    "quotes and blanks": '" ',
    "percent 22": "%22",
    "semicolons": ";",
    "parameters": '"; a="',
    "almost parameters": '"; a',
    "semicolons and blanks": '" ; ;\t',
    "brackets": "(",
    "blanks": " ",
    "slashes": "/",
}


@pytest.mark.parametrize("filler", NAMES_FROM_HELL.values(), ids=NAMES_FROM_HELL)
def test_names_dense_with_escapes_are_cheap(filler: str) -> None:
    """D11: fifteen parts of 4 KB names, against the same of letters."""

    def body(text: str) -> bytes:
        return multipart(*[part(filename=(text * 4000)[:3900] + ".pdf")] * 15)

    assert isinstance(outcome(body("x")), tuple)
    letters, dense = (cpu(lambda text=text: outcome(body(text))) for text in ("x", filler))
    assert dense < 10 * letters + allowance(0.05)


@pytest.mark.parametrize("line", ["X:" + " " * 4000 + "\x01", "X" * 4000, "X: " + "a " * 1900 + "\x7f"])
def test_a_header_line_that_almost_matches_is_cheap(line: str) -> None:
    """D11: no pattern backs up over a line."""
    assert outcome(with_header(DISPOSITION, line)) is Malformed
    assert cpu(lambda: outcome(with_header(DISPOSITION, line))) < allowance(0.05)


@pytest.mark.parametrize(
    "options", [";" * 16000, "; " * 8000, ";a=b" * 4000, ';a="' * 4000, '="' * 8000, "; a" * 5000, " " * 16000 + "x"]
)
def test_a_hostile_content_type_is_cheap(options: str) -> None:
    """D15: 16 KB, which is all that the server lets in, in 10 ms."""
    assert cpu(lambda: outcome_of_type("multipart/form-data" + options)) < allowance(0.01)
    assert outcome_of_type("multipart/form-data" + options) is Malformed

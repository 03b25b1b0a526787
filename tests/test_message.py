"""What llhttp reads of one request, with bytes alone: heads, and chunks cut anywhere with a request behind them."""

import pytest

from tests.support.wire import CHUNKED, UPLOAD, chunk, head
from uploadsvc.errors import BadRequest, NotImplementedHere
from uploadsvc.message import Message

NEXT = head("GET /healthz HTTP/1.1")
TRICKS = (
    b"--\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n\r\n\r\nPOST"  # content that looks like an end, and a next
)
BODIES = {
    "one chunk": chunk(TRICKS),
    "tiny chunks": b"".join(chunk(TRICKS[at : at + 3]) for at in range(0, len(TRICKS), 3)),
    "extensions": chunk(TRICKS[:20], b";a=b") + chunk(TRICKS[20:], b';a="b"'),
    "nothing": b"",
}
ENDS = {"no trailer": b"0\r\n\r\n", "a trailer": b"0\r\nX: y\r\n\r\n", "noughts": b"000\r\n\r\n"}


def chunked() -> Message:
    message = Message()
    assert message.read_head(head(UPLOAD, CHUNKED)) == "POST"
    assert (message.chunked, message.ended) == (True, False)
    return message


def read(message: Message, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """The content, and what was not taken for it."""
    content = b""
    for number, piece in enumerate(pieces):
        more, rest = message.read_chunks(piece)
        content += more
        if message.ended:
            return content, rest + b"".join(pieces[number + 1 :])
        assert rest == b""
    return content, b""


def is_right(message: Message, pieces: list[bytes], body: bytes, rest: bytes) -> bool:
    """Is the content exact, and the rest too, or known to be lost?"""
    found = read(message, pieces)
    return found[0] == body and message.ended and (message.overrun or found[1] == rest)


# --- Heads


def test_a_head_is_kept_as_it_came() -> None:
    """Names, values and target are bytes; nothing is decoded or joined."""
    message = Message()
    assert message.read_head(b"PUT /%41?b=%20 HTTP/1.1\r\nHost: a\r\nX:  \xff y \r\nx: z\r\n\r\n") == "PUT"
    assert message.target == b"/%41?b=%20"
    assert [(name, value.strip()) for name, value in message.headers] == [
        (b"Host", b"a"),
        (b"X", b"\xff y"),
        (b"x", b"z"),
    ]
    assert not message.chunked


def test_a_wish_for_another_protocol_is_left_out() -> None:
    """RFC 9110 §7.8: the body after it is read, whatever case the name has, and however often it comes."""
    for name in ("Upgrade", "upgrade", "UPGRADE", "UPgrADE"):
        message = Message()
        message.read_head(head(UPLOAD, "Connection: Upgrade", f"{name}: h2c", f"{name}: x", "X-Upgrade: y", CHUNKED))
        assert [name for name, _ in message.headers] == [b"Host", b"Connection", b"X-Upgrade", b"Transfer-Encoding"]
        assert read(message, [chunk(b"hello") + b"0\r\n\r\n"]) == (b"hello", b"")


REFUSED = {
    "CONNECT": (head("CONNECT a:1 HTTP/1.1"), NotImplementedHere),
    "gzip": (head(UPLOAD, "Transfer-Encoding: gzip"), NotImplementedHere),
    "gzip, chunked": (head(UPLOAD, "Transfer-Encoding: gzip, chunked"), NotImplementedHere),
    "length and chunked": (head(UPLOAD, "Content-Length: 1", CHUNKED), BadRequest),
    "a fold behind a wish": (head(UPLOAD, "Connection: upgrade", "Upgrade: h2c\r\n x"), BadRequest),
    "a bare LF": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", BadRequest),
    "nothing": (b"\0\r\n\r\n", BadRequest),
}


@pytest.mark.parametrize(("block", "error"), REFUSED.values(), ids=REFUSED)
def test_an_unclear_head_is_refused(block: bytes, error: type[Exception]) -> None:
    """C7: by llhttp, or where it says no more than that by us."""
    with pytest.raises(error):
        Message().read_head(block)


# --- Chunks


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("data", BODIES.values(), ids=BODIES)
def test_chunks_are_read_whatever_their_pieces(data: bytes, end: bytes) -> None:
    """C4: cut in two anywhere, and into single bytes; the next request's begin is exact, or known to be lost."""
    wire, body = data + end + NEXT, TRICKS if data else b""
    for at in range(len(wire) + 1):
        assert is_right(chunked(), [wire[:at], wire[at:]], body, NEXT), at
    for size in (1, 2, 3, 7):
        assert is_right(chunked(), [wire[at : at + size] for at in range(0, len(wire), size)], body, NEXT), size


@pytest.mark.parametrize("start", [NEXT, b"POST / HTTP/1.1\r\n", b"G", b""], ids=["whole", "POST", "a byte", "nothing"])
def test_the_begin_of_a_next_request_is_kept(start: bytes) -> None:
    """Pipelining: what comes with the last chunk is not lost, however little of it has come."""
    message = chunked()
    assert read(message, [chunk(b"hello") + b"0\r\n\r\n" + start]) == (b"hello", start)
    assert not message.overrun


@pytest.mark.parametrize("rest", [b"\0\0", b"get / HTTP/1.1\r\n"], ids=ascii)
def test_what_cannot_be_told_from_content_ends_the_connection(rest: bytes) -> None:
    """RFC 9112 §9.3.2: the content is whole, and the client may ask again elsewhere."""
    message = chunked()
    assert read(message, [chunk(b"hello") + b"0\r\n\r\n" + rest])[0] == b"hello"
    assert (message.ended, message.overrun) == (True, True)


def test_many_looks_of_an_end_in_content_are_content() -> None:
    """More of them in one piece than are looked at: the content is exact all the same."""
    body = b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n" * 5000
    wire = chunk(body) + b"0\r\n\r\n" + NEXT
    for size in (1000, 4096, 65536, len(wire)):
        assert is_right(chunked(), [wire[at : at + size] for at in range(0, len(wire), size)], body, NEXT), size


ENDLESS = {
    "an extension": [b"1;" + b"a" * 5000],
    "an extension in bytes": [b"1;", *[b"a"] * 1100],
    "a size": [b"0" * 5000],
    "a trailer": [b"0\r\n" + b"a: b\r\n" * 2000],
    "tiny chunks": [chunk(b"x") * 20_000],
}


@pytest.mark.parametrize("pieces", ENDLESS.values(), ids=ENDLESS)
def test_framing_has_bounds(pieces: list[bytes]) -> None:
    """C8: whether it comes at once or a byte at a time."""
    with pytest.raises(BadRequest):
        read(chunked(), pieces)


def test_a_message_that_has_ended_refuses_to_begin_again() -> None:
    """llhttp has no pause: a second request in its bytes must not be taken for the first."""
    message = chunked()
    read(message, [b"0\r\n\r\n"])
    with pytest.raises(BadRequest):
        message.on_message_begin()
    message.release()

"""A page on another host can read every answer, also those that are made below the application; others read none."""

from collections.abc import Iterator

import pytest

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.engines import Live, start_live
from tests.support.wire import (
    CHUNKED,
    EXPECT,
    UPLOAD,
    Answer,
    Wire,
    authorization,
    chunk,
    head,
    is_refusal,
    upload_head,
)

APP, EVIL = "https://app.example.org", "https://evil.test"
ORIGIN = f"Origin: {APP}"
EXPOSED = {"X-Request-ID", "Retry-After", "Content-Disposition"}
LOGIN = "POST /api/auth/login HTTP/1.1"
LIMIT = 10 * 1024 * 1024


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service with a client elsewhere, and one without a proxy between it and us."""
    running = start_live(tmp_path_factory.mktemp("live"), FRONTEND_URL=f"https://other.example.org, {APP}")
    yield running
    running.stop(9)


@pytest.fixture(scope="module")
def alice(live: Live) -> str:
    return authorization(live)


def answered(live: Live, *pieces: bytes) -> Answer:
    """The answer to raw bytes; what comes after a refusal may meet a closed connection."""
    with Wire(live) as wire:
        for piece in pieces:
            wire.send(piece)
        return wire.answer()


def is_readable(answer: Answer, origin: str = APP) -> bool:
    """May a page of `origin` read it, and does no cache give it to another?"""
    headers = answer.headers
    granted = headers.get("access-control-allow-origin"), headers.get("access-control-allow-credentials")
    assert "origin" in headers["vary"].lower(), headers
    if granted == (None, None):
        return False
    assert granted == (origin.lower(), "true"), headers
    exposed = {name.strip() for name in headers["access-control-expose-headers"].split(",")}
    assert exposed == {name.lower() for name in EXPOSED}
    return True


# --- Refusals by the server itself, each with an Origin that stood in the headers

BODY = multipart(part(content=PDF.ljust(2 * LIMIT)))
WRONG_TYPE = multipart(part(filename="a.exe", content=PDF.ljust(500_000)))
FRAMING: dict[str, tuple[list[bytes], int]] = {
    "400 a header without a colon": ([head("GET /api/limits HTTP/1.1", ORIGIN, "no colon")], 400),
    "400 a blank in a header's name": ([head("GET /api/limits HTTP/1.1", ORIGIN, "X-Bad : 1")], 400),
    "400 a NUL in a header": ([head("GET /api/limits HTTP/1.1", ORIGIN, "X-Bad: \0")], 400),
    "400 no Host": ([f"GET /api/limits HTTP/1.1\r\n{ORIGIN}\r\n\r\n".encode()], 400),
    "400 two hosts": ([head("GET /api/limits HTTP/1.1", ORIGIN, "Host: other")], 400),
    "400 a length that is none": ([head(UPLOAD, ORIGIN, "Content-Length: ten")], 400),
    "400 two lengths": ([head(UPLOAD, ORIGIN, "Content-Length: 1", "Content-Length: 2")], 400),
    "400 a length beside a coding": ([head(UPLOAD, ORIGIN, "Content-Length: 1", CHUNKED)], 400),
    "400 another version": ([head("GET /api/limits HTTP/1.2", ORIGIN)], 400),
    "400 a fragment": ([head("GET /api/limits#a HTTP/1.1", ORIGIN)], 400),
    "400 a chunk": ([head(LOGIN, ORIGIN, CHUNKED), b"xyz\r\n"], 400),
    "413 announced": ([head(LOGIN, ORIGIN, "Content-Length: 99999999")], 413),
    "413 counted": ([head(LOGIN, ORIGIN, CHUNKED), chunk(b"x" * 70_000)], 413),
    "413 JSON": ([head(LOGIN, ORIGIN, "Content-Type: application/json", "Content-Length: 17000"), b"x" * 17_000], 413),
    "431 too long": ([head("GET /api/limits HTTP/1.1", ORIGIN, f"Cookie: {'x' * 20_000}")], 431),
    "431 too long, and still coming": (
        [head("GET /api/limits HTTP/1.1", ORIGIN, "Cookie: x")[:-4] + b"x" * 17_000],
        431,
    ),
    "431 too many": ([head("GET /api/limits HTTP/1.1", *["X-A: 1"] * 101, ORIGIN)], 431),
    "501 a coding": ([head(UPLOAD, ORIGIN, "Transfer-Encoding: gzip")], 501),
    "501 CONNECT": ([head("CONNECT /api/limits HTTP/1.1", ORIGIN)], 501),
    "405 a method that nobody knows": ([head("BREW /api/limits HTTP/1.1", ORIGIN)], 405),
}
LARGE = head(UPLOAD, ORIGIN, f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(BODY)}")
MID_BODY: dict[str, tuple[list[bytes], int]] = {
    "401 nobody": ([LARGE, BODY[:1000]], 401),
    "401 a token that is none": ([LARGE[:-2] + b"Authorization: Bearer none\r\n\r\n", BODY[:1000]], 401),
    "401 a CSRF value beyond ASCII": ([LARGE[:-2] + b"X-CSRF-Token: \xc3\xa9\r\n\r\n", BODY[:1000]], 401),
    "401 before a body that is to be asked for": ([LARGE[:-2] + EXPECT.encode() + b"\r\n\r\n"], 401),
}
SIGNED: dict[str, tuple[list[bytes], int]] = {
    "413 declared": ([upload_head(999_999_999, ORIGIN)], 413),
    "413 in mid-body": ([LARGE, BODY[: LIMIT + 100_000]], 413),
    "400 a part's header": ([LARGE, multipart(part(name="x" * 10_000))[:9000]], 400),
    "415 in mid-body": ([upload_head(len(WRONG_TYPE), ORIGIN), WRONG_TYPE[:100_000]], 415),
    "415 no form": ([head(UPLOAD, ORIGIN, "Content-Type: text/plain", "Content-Length: 99"), b"x"], 415),
    "400 no boundary": ([head(UPLOAD, ORIGIN, "Content-Type: multipart/form-data", "Content-Length: 99"), b"x"], 400),
    "400 a garbled part": ([LARGE, multipart(b"no colon\r\n\r\n" + b"x" * 9000)], 400),
    "400 a chunk in mid-body": (
        [upload_head(9, ORIGIN).replace(b"Content-Length: 9", CHUNKED.encode()), b"xyz\r\n"],
        400,
    ),
    "400 the last boundary is missing": ([upload_head(5000, ORIGIN), multipart(part())[:-8].ljust(5000)], 400),
    "415 PUT": ([head("PUT /api/upload/a.exe HTTP/1.1", ORIGIN, "Content-Length: 99"), b"x"], 415),
    "400 PUT": ([head("PUT /api/upload/%ff HTTP/1.1", ORIGIN, "Content-Length: 99"), b"x"], 400),
}


@pytest.mark.parametrize("case", FRAMING | MID_BODY | SIGNED)
def test_a_page_on_another_host_reads_why_the_server_refused(live: Live, alice: str, case: str) -> None:
    """B7, B10: where the Origin was among the headers, however garbled these are; any other page reads nothing."""
    pieces, status = (FRAMING | MID_BODY | SIGNED)[case]
    if case in SIGNED:
        pieces = [pieces[0][:-2] + alice.encode() + b"\r\n\r\n", *pieces[1:]]
    answer = answered(live, *pieces)
    assert is_refusal(answer, status) and is_readable(answer)
    foreign = answered(live, *[piece.replace(APP.encode(), EVIL.encode()) for piece in pieces])
    assert is_refusal(foreign, status, 403) and not is_readable(foreign)


UNCLEAR = {
    "the Origin has not arrived": head("GET /api/limits HTTP/1.1", f"Cookie: {'x' * 70_000}", ORIGIN),
    "two of them": head("GET /api/limits HTTP/1.1", ORIGIN, f"Origin: {EVIL}", f"Cookie: {'x' * 20_000}"),
    "its line is cut off": head("GET /api/limits HTTP/1.1", f"Cookie: {'x' * 20_000}", ORIGIN)[:-4],
    "it stands in the body": head(LOGIN, "no colon") + b"\r\n" + ORIGIN.encode() + b"\r\n",
    "no request line": b"nonsense\r\n" + ORIGIN.encode() + b"\r\n\r\n",
    "an address outside the API": head("GET / HTTP/1.1", ORIGIN, "no colon"),
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_where_it_is_unclear_whose_page_it_is_none_reads_the_refusal(live: Live, case: str) -> None:
    """B7: the answer is the same; a page sees that its request failed, and not why."""
    answer = answered(live, UNCLEAR[case])
    assert is_refusal(answer, 400, 431) and "access-control-allow-origin" not in answer.headers


def test_the_origin_is_read_however_it_arrives(live: Live) -> None:
    """A byte at a time, in capitals, with blanks around it."""
    request = head("GET /api/limits HTTP/1.1", f"ORIGIN:\t {APP}  ", "no colon")
    answer = answered(live, *[request[at : at + 1] for at in range(len(request))])
    assert is_refusal(answer, 400) and is_readable(answer)


def test_a_throttled_page_reads_when_to_come_again(live: Live) -> None:
    """429 and its Retry-After, which is exposed."""
    wrong = b'{"email": "nobody@example.com", "password": "wrong"}'
    request = head(LOGIN, ORIGIN, "Content-Type: application/json", f"Content-Length: {len(wrong)}") + wrong
    answers = [answered(live, request) for _ in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert is_readable(answers[-1]) and int(answers[-1].headers["retry-after"]) > 0


# --- Preflights

WANTED = "authorization,content-type,idempotency-key,x-csrf-token"
ADDRESSES = [
    "/api/auth/login",
    "/api/documents/none/content",
    "/api/documents?limit=1",
    "/api/upload",
    "/api/upload/",
    "/api/upload/a.pdf",
    "/api/upload/a/b/../c.pdf",
    "/api/upload/%C3%9Cbersicht%20%E2%84%961.pdf",
    "/api/upload/%ff%00%0d%0a%2f.pdf",
    "/api/upload/%0aa.pdf?x=1",
    "/api/upload/a;b=c'\"<>.pdf",
    "/api/upload//",
    f"/api/upload/{'a' * 8000}.pdf",
]


def preflight(live: Live, path: str, method: str, origin: str = APP, wanted: str = WANTED) -> Answer:
    asked = [f"Access-Control-Request-Method: {method}", f"Access-Control-Request-Headers: {wanted}"]
    return answered(live, head(f"OPTIONS {path} HTTP/1.1", f"Origin: {origin}", *asked))


def allowed_headers(answer: Answer) -> set[str]:
    return {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_preflight_lets_an_allowed_page_ask(live: Live, path: str) -> None:
    """B7, B8: with credentials and every header that the client sends, for ten minutes; a stranger's page may not."""
    answer = preflight(live, path, "PUT")
    assert answer.status == 200 and is_readable(answer)
    headers = answer.headers
    assert allowed_headers(answer) == set(WANTED.split(","))
    assert {"put", "delete", "post", "get"} <= set(headers["access-control-allow-methods"].split(", "))
    assert headers["access-control-max-age"] == "600" and answer.body == b""
    refused = preflight(live, path, "PUT", EVIL)
    assert not is_readable(refused) and "access-control-allow-headers" not in refused.headers


def test_a_preflight_for_many_headers_is_told_the_few_that_there_are(live: Live) -> None:
    """As many as fit: the answer names none that was not asked for, and none that the service does not know."""
    many = ",".join(f"x-{number:04}" for number in range(1500))
    answer = preflight(live, "/api/upload", "POST", wanted=f"{many},{WANTED}")
    assert answer.status == 200 and is_readable(answer)
    assert {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")} == set(
        WANTED.split(",")
    )
    too_many = preflight(live, "/api/upload", "POST", wanted=f"{many},{many}")
    assert is_refusal(too_many, 431) and is_readable(too_many)

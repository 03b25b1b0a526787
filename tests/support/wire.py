"""HTTP by hand: raw connections, and the bytes of requests."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.bodies import CONTENT_TYPE
from tests.support.engines import Live

UPLOAD = "POST /api/upload HTTP/1.1"
EXPECT = "Expect: 100-continue"
CHUNKED = "Transfer-Encoding: chunked"


@dataclass
class Answer:
    """One answer as it came over the wire; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A raw connection."""

    def __init__(self, live: Live, timeout: float = 20, receive_buffer: int = 0) -> None:
        self.socket = live.connect(timeout, receive_buffer)
        self._stream = self.socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, *pieces: bytes) -> "Wire":
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except OSError:
            self.close()
            raise
        return self

    def answer(self, has_body: bool = True) -> Answer:
        """Read the next answer, be it an interim one."""
        start = self._stream.readline()
        assert re.match(rb"HTTP/1\.[01] \d{3} ", start), start
        lines = iter(self._stream.readline, b"\r\n")
        headers = dict(line.decode().rstrip().lower().split(": ", 1) for line in lines)
        return Answer(int(start[9:12]), headers, self._stream.read(int(headers.get("content-length", 0)) * has_body))

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    def ended(self) -> bool:
        """Is there nothing more but an orderly end? A reset raises."""
        return self._stream.read(1) == b""


def head(start: str, *lines: str) -> bytes:
    """A request line and its headers, with a Host."""
    return "\r\n".join([start, "Host: localhost", *lines, "", ""]).encode("latin-1")


def upload_head(length: int, *lines: str) -> bytes:
    return head(UPLOAD, f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {length}", *lines)


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


def authorization(live: Live) -> str:
    """The header line of an access token."""
    return f"Authorization: {live.login()['Authorization']}"


def is_refusal(answer: Answer, *statuses: int) -> bool:
    """Is it one of the statuses, in the form of every error, with what every answer bears?"""
    assert answer.status in statuses, answer
    assert answer.json["ok"] is False and answer.json["error"] and answer.json["message"]
    headers = answer.headers
    assert (headers["content-type"], headers["x-content-type-options"]) == ("application/json", "nosniff")
    return "server" not in headers and len(headers["x-request-id"]) == 32 and "no-store" in headers["cache-control"]

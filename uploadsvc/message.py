"""What llhttp (httptools) reads of one request: its request line, its headers and, where it is chunked, its body.

llhttp is strict by itself about what servers disagree on: it refuses two lengths, a length beside a transfer coding,
bare line feeds, folded lines, control characters. It has no pause and reads on into a pipelined request, so it is given
the header block alone, and of chunks no more than can belong to this request.
"""

import re
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from .errors import BadRequest, NotImplementedHere

_FRAMING = 1024  # bytes in a row of a chunk's size and extensions, or of trailers (RFC 9112 §7.1)
_ALL_FRAMING = 64 * 1024  # bytes of them in all, and as many again as there are of content
_SLICE = 4 * 1024  # bytes fed at a time, and so how late the bounds may notice
_TRIES = 8  # places in a slice that look like the begin of a pipelined request
_NEXT = re.compile(rb"\r\n\r\n(?=[A-Z]{3}|[A-Z]{0,2}\Z)")
_LENGTH_DIGITS = 19
_METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT"}
HOST = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=%:\[\]]*")  # a name, an address, a port (RFC 3986 §3.2); or nothing
_OTHER_METHOD = re.compile(rb"[A-Z]{1,20}")
_REQUEST_LINE = re.compile(rb"[A-Z]{1,20} (/[!-~]*) HTTP/\d\.\d\r\n")
_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([!-~]+)[ \t]*(?=\r\n)", re.IGNORECASE)
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


class Message:
    """One request message. `target` and `headers` are as they came; of a `chunked` one `ended` tells its last chunk.

    `overrun` tells that the next request's begin could not be told from content: it is lost, and the client may ask
    again on another connection (RFC 9112 §9.3.2).
    """

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunked = self.ended = self.overrun = False
        self._content: list[bytes] = []
        self.on_body = self._content.append  # no method of ours: it is called for every chunk, be it six bytes
        self._coding_is_known = True
        self.length = 0  # bytes of a body that is not chunked
        self._wire = self._framing = self._size = 0
        self._parser: Any = HttpRequestParser(self)

    def read_head(self, block: bytes) -> str:
        """Read a header block to its blank line and return the method; raise BadRequest or NotImplementedHere."""
        if b"upgrade" in block.lower():
            # A wish for another protocol is not granted (RFC 9110 §7.8); llhttp would read no body after it.
            block = _UPGRADE.sub(b"", block)
        method, _, rest = block.partition(b" ")
        if method not in _METHODS and _OTHER_METHOD.fullmatch(method):
            block = b"POST " + rest  # llhttp refuses what it does not know; 405 is for the application to say
        try:
            self._parser.feed_data(block)
        except HttpParserError as error:
            self._refuse_codings()  # of those that do not end in chunked llhttp says no more than that
            raise BadRequest("The request is not valid HTTP.") from error
        except HttpParserUpgrade as error:
            raise NotImplementedHere("The server is no proxy and knows no CONNECT.") from error
        self._refuse_codings()
        self._read_length()
        return method.decode()

    def read_chunks(self, data: bytes) -> tuple[bytes, bytes]:
        """Return (content, what belongs to the next request); raise BadRequest for chunks that are no valid HTTP."""
        fed = 0
        while fed < len(data) and not self.ended:
            piece = data[fed : fed + _SLICE]
            # The message may end where the next one could begin: llhttp must not see both.
            begins = [found.end() for found in islice(_NEXT.finditer(piece), _TRIES)]
            for start, end in zip([0, *begins], [*begins, len(piece)], strict=True):
                self._feed(piece[start:end])
                fed += end - start
                if self.ended:
                    break
        content = b"".join(self._content)
        self._content.clear()
        return content, data[fed:]

    def release(self) -> None:
        """Part from llhttp, which holds this object's methods."""
        self._parser = None

    def on_url(self, url: bytes) -> None:
        """Keep the request target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; those behind the last chunk are read and dropped."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Note whether the body is chunked, and coded otherwise too."""
        codings = self._values(b"transfer-encoding")
        self.chunked = bool(codings)
        self._coding_is_known = all(coding.lower() == b"chunked" for coding in codings)

    def on_message_complete(self) -> None:
        """Note the end."""
        self.ended = True

    def on_message_begin(self) -> None:
        """Stop llhttp at a second request."""
        if self.ended:
            raise BadRequest("One request at a time.")

    def _values(self, name: bytes) -> list[bytes]:
        return [value.strip(b" \t") for given, value in self.headers if given.lower() == name]

    def _read_length(self) -> None:
        """Read what llhttp has found to be one number, with any count of noughts before it."""
        for value in self._values(b"content-length"):
            if len(value) > _LENGTH_DIGITS:
                raise BadRequest("The request's Content-Length is not valid.")
            self.length = int(value)

    def _refuse_codings(self) -> None:
        if not self._coding_is_known:
            raise NotImplementedHere("The request uses a transfer coding that the server does not know.")

    def _feed(self, piece: bytes) -> None:
        known = len(self._content)
        try:
            self._parser.feed_data(piece)
        except HttpParserError as error:
            if not self.ended:
                raise BadRequest("The chunks of the request are not valid HTTP.") from error
            self.overrun = True
        arrived = sum(map(len, self._content[known:]))
        self._size += arrived
        self._wire += len(piece)
        self._framing = 0 if arrived else self._framing + len(piece)
        if self._framing > _FRAMING or self._wire > 2 * self._size + _ALL_FRAMING:
            raise BadRequest("The chunks of the request have more framing than content.")


def glimpse(block: bytes) -> tuple[str, str]:
    """Return the path and the Origin of a header block that is refused unread, whole or not; both "" if one is unclear.

    A page may then read why (Fetch §3.2): what its browser adds can make the headers too long.
    """
    lines, end, _ = block.partition(b"\r\n\r\n")
    start, origins = _REQUEST_LINE.match(lines + end), _ORIGIN.findall(lines + end)
    if not start or len(origins) != 1:
        return "", ""
    path = re.split(rb"[?#]", start[1])[0]
    return unquote_to_bytes(path).decode("latin-1"), origins[0].decode("latin-1")

"""One request as it arrives: read by llhttp, refused where it is unclear, its body sent where it belongs."""

import time
from collections.abc import Callable
from io import BytesIO
from urllib.parse import unquote_to_bytes

from httptools import HttpParserInvalidURLError, parse_url

from ..errors import ApiError, BadRequest, HeadersTooLong, TooLarge
from ..message import HOST, Message
from ..uploads import StreamedReception, is_upload

LINE_BYTES = 19 * 1024  # of the request line: it may name 500 documents
HEADER_BYTES = 16 * 1024  # of all headers
HEADER_LINES = 100  # a browser sends twenty
SMALL_BODY = 64 * 1024  # bytes of a body that is kept in memory; only uploads are larger
_BLANK_LINE = b"\r\n\r\n"
_NOT_SO_LARGE = f"Only uploads may be larger than {SMALL_BODY} bytes, and this address takes none."
# Two of one of these mean different things to different servers: request smuggling (RFC 9112 §11.2).
_SINGLE = {"HOST", "CONTENT_LENGTH", "TRANSFER_ENCODING", "CONTENT_TYPE", "AUTHORIZATION", "EXPECT"}


class Request:
    """A request with the attributes that waitress's channel and tasks read.

    `admit` judges by its headers an upload whose body is still on its way. A refused request is `completed` too: it
    has an `error`, or its reception has one. `cut_short` tells that nothing after it may be read as a request.
    """

    version, url_scheme = "1.1", "http"
    command = path = query = request_uri = ""  # a request that is refused before they are known is logged too
    completed = headers_finished = expects_continue = cut_short = False
    error: ApiError | None = None
    reception: StreamedReception | None = None

    def __init__(self, admit: Callable[["Request"], StreamedReception]) -> None:
        self._admit = admit
        self.started = self.body_started = time.monotonic()
        self.headers: dict[str, str] = {}  # by the names that CGI has for them, without HTTP_
        self.body_bytes_received = self._head_bytes_received = 0
        self.head = b""
        self._chunked: Message | None = None
        self._left = 0  # bytes to come of a body of known length
        self._small_body: list[bytes] = []

    def receive(self, data: bytes) -> bytes:
        """Take what arrived; return what belongs to the next request."""
        try:
            if not self.headers_finished:
                data = self._receive_head(data)
            if self.headers_finished and not self.completed:
                data = self._receive_body(data)
        except Exception as error:
            self._refuse(error)
        return b"" if self.cut_short else data

    @property
    def body_bytes(self) -> int:
        """Return the size of the body as far as it is known: what has come, and what was declared."""
        return self.body_bytes_received + self._left

    def close(self) -> None:
        """Leave nothing of an upload behind. Idempotent."""
        if self.reception:
            self.reception.close()

    def get_body_stream(self) -> BytesIO:
        """Return the body for the application to read; of a streamed upload nothing is left."""
        return BytesIO(b"".join(self._small_body))

    def _receive_head(self, data: bytes) -> bytes:
        """Gather the header block, read it and open the body; return what has arrived of that."""
        self._head_bytes_received += len(data)
        self.head = (self.head + data).lstrip(b"\r\n")  # RFC 9112 §2.2: blank lines before a request are ignored
        line = self.head.find(b"\r\n", 0, LINE_BYTES)
        limit = HEADER_BYTES + line if line >= 0 else LINE_BYTES
        end = self.head.find(_BLANK_LINE, 0, limit)
        if end >= 0:
            end += len(_BLANK_LINE)
            rest = self.head[end:]
            self._read_head(self.head[:end])
            self.headers_finished, self.head = True, b""
            self._open_body(rest)
            return rest
        if self._head_bytes_received >= limit:
            raise (
                HeadersTooLong("The headers of the request are too long.") if self.head else BadRequest("No request.")
            )
        return b""

    def _read_head(self, block: bytes) -> None:
        line = block[: block.index(b"\r\n")]
        if block.count(b"\r\n") > HEADER_LINES + 2:
            raise HeadersTooLong("The request has too many headers.")
        if not line.endswith((b" HTTP/1.1", b" HTTP/1.0")):
            raise BadRequest("The request is not HTTP/1.1 or HTTP/1.0.")
        message = Message()
        self.command = message.read_head(block)
        self.version = line[-3:].decode()
        self._left = message.length
        self._set_target(message.target)
        for name, value in message.headers:
            self._add_header(name.decode("latin-1"), value.strip(b" \t").decode("latin-1"))
        if not HOST.fullmatch(self.headers.get("HOST", "" if self.version == "1.0" else " ")):
            raise BadRequest("The request has no Host header that is valid.")  # RFC 9112 §3.2
        if message.chunked and self.version == "1.0":
            raise BadRequest("HTTP/1.0 has no transfer codings.")  # RFC 9112 §6.1
        if message.chunked:
            self._chunked = message
        else:
            message.release()

    def _set_target(self, target: bytes) -> None:
        """Split the request target, which is in origin, absolute or asterisk form (RFC 9112 §3.2)."""
        self.request_uri = target.decode("latin-1")
        path, _, query = target.partition(b"?")
        if not target.startswith((b"/", b"*")):
            try:
                parsed = parse_url(target)
            except HttpParserInvalidURLError as error:
                raise BadRequest("The request's target is not valid.") from error
            path, query = parsed.path or b"/", parsed.query or b""
        if b"#" in target:
            raise BadRequest("The request's target is not valid.")
        self.path = unquote_to_bytes(path).decode("latin-1")
        self.query = query.decode("latin-1")

    def _add_header(self, name: str, value: str) -> None:
        if "_" in name:  # CGI's names cannot tell it from a dash: a way to forge a header that a proxy sets
            return
        key = name.upper().replace("-", "_")
        if key not in self.headers:
            self.headers[key] = value
        elif key in _SINGLE:
            raise BadRequest(f"The request has the header {name} twice.")
        else:
            self.headers[key] += f", {value}"

    def _open_body(self, arrived: bytes) -> None:
        """Decide what becomes of the body: there is none, it is small or all here, or an upload is to be judged."""
        if not self._left and not self._chunked:
            self.completed = True
            return
        self.body_started = time.monotonic()
        whole = not self._chunked and len(arrived) >= self._left
        if is_upload(self.command, self.path) and not whole:
            self.reception = self._admit(self)
            self.reception.check()
        elif self._left > SMALL_BODY:
            raise TooLarge(_NOT_SO_LARGE)
        expected = self.headers.get("EXPECT", "").lower() == "100-continue" and self.version == "1.1"
        self.expects_continue = expected and not arrived

    def _receive_body(self, data: bytes) -> bytes:
        """Take bytes of the body; return what follows it."""
        if self._chunked:
            content, rest = self._chunked.read_chunks(data)
            self.completed, self.cut_short = self._chunked.ended, self._chunked.overrun
        else:
            content, rest = data[: self._left], data[self._left :]
            self._left -= len(content)
            self.completed = not self._left
        self.body_bytes_received += len(content)
        if self.reception:
            self.reception.feed(content)
        elif self.body_bytes_received > SMALL_BODY:
            raise TooLarge(_NOT_SO_LARGE)
        else:
            self._small_body.append(content)
        if self._chunked and self.completed:
            self._chunked.release()
        return rest

    def _refuse(self, error: Exception) -> None:
        """End the request here, to be answered with `error`; one that nobody foresaw is for the view to log."""
        if self.reception:
            self.reception.error = error
        elif isinstance(error, ApiError):
            self.error = error
        else:
            raise error
        self.completed = self.cut_short = True
        self.expects_continue = False

"""One request as it arrives: its framing, and at the end of its headers the decision what becomes of its body."""

import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, RequestEntityTooLarge

from ..errors import TooLarge
from ..uploads import UPLOAD_PATH
from .bodies import SMALL_BODY, BoundedChunks, SmallBody
from .feeding import StreamedReception

if TYPE_CHECKING:
    from . import Server

_BLANK_LINES = 8  # pairs
# Two of one of these mean different things to different servers: request smuggling (RFC 9112 §11.2).
_SINGLE = (b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"expect")


class Parser(HTTPRequestParser):
    """waitress's parser, stricter in framing, that feeds an upload's body to the intake instead of a spool."""

    command = path = ""  # until the headers are parsed; a request refused before that is logged too

    def __init__(self, adj: Adjustments, server: "Server", discard_rest: Callable[[], None]) -> None:
        super().__init__(adj)
        self._server, self._discard_rest = server, discard_rest
        self.started = self.body_started = time.monotonic()
        self.reception: StreamedReception | None = None
        self._blank = 0
        self.cut_short = False  # answered before its body was read to the end: nothing may follow it

    def received(self, data: bytes) -> int:
        """Take what arrived; return the bytes consumed, which is all of them once the request is refused."""
        in_body = self.body_rcv is not None
        try:
            consumed: int = super().received(data)
            if self.empty:  # blank lines before a request (RFC 9112 §2.2): few are borne, and its time runs on
                self.empty = self.completed = self.headers_finished = False
                self.header_plus = b""
                self._blank += 1
                self.error = BadRequest("") if self._blank > _BLANK_LINES else None
            elif self.headers_finished and not in_body and not self.error:
                self._admit()
        except Exception as error:  # the intake's refusals, and whatever else a hostile body brings about
            self._refuse(error)
        if self.error or (self.reception and self.reception.error):
            self.cut()
            return len(data)
        return consumed

    def cut(self) -> None:
        """End the request here: it is answered without the rest of its body."""
        self.completed = self.cut_short = True
        self.expect_continue = False  # waitress would send "100 Continue" and then wait for ever
        self._discard_rest()

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the request line and headers; raise ParsingError for framing that servers disagree about."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # an impossible target, a length of a thousand digits
            raise ParsingError("A value that cannot be") from error
        _, *lines = header_plus.split(b"\r\n")
        if any(line.startswith((b" ", b"\t")) for line in lines):
            raise ParsingError("Folded header line")  # RFC 9112 §5.2
        fields = [(name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
        counts = Counter(name for name, _ in fields)
        if any(counts[name] > 1 for name in _SINGLE):
            raise ParsingError("A header that may occur once occurs twice")
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("Unknown HTTP version")
        if self.version == "1.1" and not counts[b"host"]:
            raise ParsingError("No Host header")  # RFC 9112 §3.2
        coding = dict(fields).get(b"transfer-encoding")
        if coding is not None and (counts[b"content-length"] or not self.chunked or coding.lower() != b"chunked"):
            raise ParsingError("Ambiguous length")  # RFC 9112 §6.1: both, in HTTP/1.0, or chunked twice

    def _admit(self) -> None:
        """Decide at the end of the headers: refuse, feed the intake, or keep a small body."""
        if self.body_rcv is None:
            self.expect_continue = False  # as above: there is no body to wait for
            return
        self.body_started = time.monotonic()
        buffer: StreamedReception | SmallBody
        if self.command == "POST" and self.path == UPLOAD_PATH:
            buffer = self._admit_upload()
        elif self.content_length <= SMALL_BODY:
            buffer = SmallBody()
        else:
            raise TooLarge("")
        if self.chunked:
            self.body_rcv = BoundedChunks(buffer)
        else:
            self.body_rcv.buf = buffer

    def _admit_upload(self) -> StreamedReception:
        with self._server.app.request_context(self._environ()):
            self.reception = StreamedReception(self._server.largest_upload)
        self.reception.check()
        return self.reception

    def _environ(self) -> dict[str, Any]:
        """Return as much of a WSGI environment as the headers' verdict needs."""
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": self.path,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "0",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
        }
        for name, value in self.headers.items():
            environ[name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"] = value
        return environ

    def _refuse(self, error: Exception) -> None:
        """Have the view answer with `error`; what is no upload the server answers itself."""
        if self.reception:
            self.reception.error = error
        else:
            self.error = RequestEntityTooLarge("") if isinstance(error, TooLarge) else BadRequest("")

"""One connection: reads in bursts, answers early and lingers to be read, keeps deadlines, notices who has gone."""

import socket
import time
from typing import TYPE_CHECKING, Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask

from .. import config, errors, telemetry
from ..uploads import RECEPTION
from .feeding import Burst
from .parser import Parser

if TYPE_CHECKING:
    from . import Server

HEADER_SECONDS = 10  # for a request's headers to arrive whole
BODY_GRACE = 10  # seconds before the floor counts
BODY_FLOOR = 10_000  # bytes a second, on average since the body began
LINGER_SECONDS = 30  # to read the answer while the rest of a refused body is thrown away
LINGER_IDLE = 5  # seconds without a byte
LINGER_UPLOADS = 4  # largest uploads' worth of bytes: who declares too much can still read why it is refused

_REFUSALS = {
    400: "The request is not valid HTTP.",
    413: "The request is larger than this address takes.",
    431: "The headers of the request are too long.",
    501: "The request uses a transfer coding that the server does not know.",
}


class Task(WSGITask):
    """Runs the application; gives it what the server knows of an upload."""

    def start(self) -> None:
        """Announce the close when a body was not read to its end, or the server is stopping."""
        super().start()
        if self.request.cut_short or self.channel.server.draining:
            self.set_close_on_finish()

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment, with the reception of an upload and the bytes of body received."""
        environ: dict[str, Any] = super().get_environment()
        environ[telemetry.BYTES_IN] = self.request.body_bytes_received
        if self.request.reception:
            environ[RECEPTION] = self.request.reception
        return environ


class JsonErrorTask(ErrorTask):
    """Answers what the server refuses itself in the form of every other error."""

    def execute(self) -> None:
        """Write the refusal, log it, and close the connection."""
        error, channel = self.request.error, self.channel
        request_id = telemetry.outside_app(self.request.command, error.code, channel.addr[0])
        message = _REFUSALS.get(error.code) or errors.InternalError(request_id).message
        body = errors.document(errors.code_of(error.code, error.reason), message).encode()
        headers = config.security_headers(channel.server.app.config) | {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Request-ID": request_id,
        }
        self.status, self.content_length = f"{error.code} {error.reason}", len(body)
        self.response_headers.extend(headers.items())
        self.set_close_on_finish()
        self.write(body)


class Channel(HTTPChannel):
    """A connection from its first byte to its last.

    Everything here runs in the I/O loop but `service` and, during a burst, `receive`.
    """

    task_class = Task
    error_task_class = JsonErrorTask
    server: "Server"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._discarding = self._late = self._in_burst = False
        self._discarded = 0
        self._linger_since: float | None = None
        super().__init__(*arguments, **options)

    def parser_class(self, adj: Adjustments) -> Parser:
        """Return the parser of the next request."""
        return Parser(adj, self.server, self.discard_rest)

    def discard_rest(self) -> None:
        """Throw away everything that still arrives: it belongs to a request that is answered already."""
        self._discarding = True

    def received(self, data: bytes) -> bool:
        """Take what arrived; of a refused body only so much."""
        if not self._discarding:
            return bool(super().received(data))
        self._discarded += len(data)
        self.will_close = self.will_close or self._discarded > LINGER_UPLOADS * self.server.largest_upload
        return True

    def readable(self) -> bool:
        """Read on while a client that still sends gets its answer; leave a burst alone."""
        if self._in_burst:
            return False
        return not self.will_close if self._discarding else bool(super().readable())

    def writable(self) -> bool:
        """Send, or close, when no worker is reading: the descriptor it reads must stay its own."""
        return not self._in_burst and bool(super().writable())

    def handle_read(self) -> None:
        """Read once; where that was as much as the loop takes and more of an upload is to come, a worker reads on."""
        self._in_burst = self.receive(self.adj.recv_bytes) and self.is_receiving()
        if self._in_burst:
            self.server.add_task(Burst(self))

    def receive(self, size: int) -> bool:
        """Read and take at most `size` bytes; tell whether there were as many."""
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.will_close = True  # the loop closes it
            return False
        self.last_activity = time.time()
        self.received(data)
        return len(data) == size

    def is_receiving(self) -> bool:
        """Tell whether the body of an upload is still on its way."""
        request = self.request
        return request is not None and request.reception is not None and not (self._discarding or self.will_close)

    def end_burst(self) -> None:
        """Give the connection back to the loop."""
        self._in_burst = False
        self.server.pull_trigger()

    def handle_write(self) -> None:
        """Send; where waitress would close on a sender, and so reset the connection, shut down and linger."""
        if self.socket is None:  # closed while it was read, in the same turn of the loop
            return
        if self.will_close or not (self._discarding and self.close_when_flushed):
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.connected and not self.total_outbufs_len:
            self.close_when_flushed, self._linger_since = False, time.monotonic()
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.will_close = True

    def send_continue(self) -> None:
        """Queue “100 Continue” for the loop: waitress sends it from a worker too, and then both may send at once."""
        line = b"HTTP/1.1 100 Continue\r\n\r\n"
        with self.outbuf_lock:
            self.outbufs[-1].append(line)
            self.current_outbuf_count += len(line)
            self.total_outbufs_len += len(line)
        self.sent_continue = True
        self.request.expect_continue = self.request.completed = False

    def handle_close(self) -> None:
        """Give up a request that has not arrived whole; its upload leaves nothing."""
        if self._in_burst:
            self.will_close = True
            return
        request, self.request = self.request, None
        if request is not None and not request.completed and (request.headers_finished or self._late):
            self._give_up(request)
        super().handle_close()

    def handle_expt(self) -> None:
        """Close on TCP urgent data: HTTP knows none, and its mark would wake the loop for ever."""
        self.will_close = True

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Hold no worker thread for a client that does not read; `service` sees to it instead."""

    def service(self) -> None:
        """Answer the next request, in a worker thread; one whose client has gone is only logged.

        A client that asks on without reading gets what it asked for so far, and the connection closes: what it
        pipelined behind is not answered, and it may ask again (RFC 9112 §9.3.2).
        """
        if not self.connected:
            self._give_up(self.requests[0])
        super().service()
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            with self.requests_lock:
                for request in self.requests:
                    request.close()
                self.requests.clear()
                self.close_when_flushed = True
            self.server.pull_trigger()

    def cancel(self) -> None:
        """Give up what waited for a worker thread when the server's time was up."""
        for request in self.requests:
            self._give_up(request)
        super().cancel()

    def is_busy(self) -> bool:
        """Tell whether a request is being received, answered or sent its answer."""
        receiving = self.request is not None and self.request.headers_finished
        return bool(receiving or self.requests or self.total_outbufs_len)

    def check_deadlines(self) -> None:
        """Have the connection closed when it is later than it may be."""
        now, request = time.monotonic(), self.request
        if self._linger_since is not None:
            late = now - self._linger_since > LINGER_SECONDS or time.time() - self.last_activity > LINGER_IDLE
        elif request is None:
            silent = not self.requests and self.creation_time == self.last_activity
            late = silent and time.time() - self.creation_time > HEADER_SECONDS
        elif not request.headers_finished:
            late = now - request.started > HEADER_SECONDS
        else:
            elapsed = now - request.body_started
            late = elapsed > BODY_GRACE and request.body_bytes_received < BODY_FLOOR * elapsed
        self._late = self._late or late
        self.will_close = self.will_close or late

    def _give_up(self, request: Parser) -> None:
        """Release the request and log it: 408 when it was too slow (RFC 9110 §15.5.9), else 499."""
        request.close()
        claims = request.reception.claims if request.reception else None
        telemetry.outside_app(
            request.command,
            408 if self._late else 499,
            self.addr[0],
            route=request.path if request.reception else "unmatched",
            bytes_in=request.body_bytes_received,
            user_id=int(claims["sub"]) if claims else None,
            duration_ms=round((time.monotonic() - request.started) * 1000, 1),
        )

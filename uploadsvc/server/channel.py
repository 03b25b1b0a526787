"""One connection: one request at a time, answered early, lingering to be read; deadlines; who has gone is noticed."""

import logging
import socket
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel

from .. import telemetry
from ..throttle import network_of
from ..uploads import ROUTES, StreamedReception, is_upload
from .deadlines import Deadlines
from .request import Request
from .task import Task

log = logging.getLogger("uploadsvc.server")

LINGER_UPLOADS = 4  # largest uploads' worth of bytes: who declares too much can still read why it is refused
LONG = 4 * 1024 * 1024  # bytes: an upload of more is received beside the loop, not between two of its turns

_BURST_READS = 32  # before the thread turns to another task
_BURST_BYTES = 256 * 1024  # a read: larger ones fall out of the processor's cache before they are hashed
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Channel(HTTPChannel):
    """A connection from its first byte to its last.

    Everything here runs in the thread that turns the loop, but `service`, which may read a burst of an upload. While a
    request is answered nothing is read: the next one waits in the system's buffer, or as bytes in `_kept`.
    """

    task_class = error_task_class = Task
    server: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._kept = b""
        self._discarding = self._late = self._in_burst = False
        self._discarded = 0
        self.sent = 0
        self._deadlines = Deadlines()
        super().__init__(*arguments, **options)
        self.network = network_of(self.addr[0])
        self.server.count(self.network, 1)

    def parser_class(self, _adj: Adjustments) -> Request:
        """Return the reader of the next request."""
        return Request(self._admit)

    def _admit(self, request: Request) -> StreamedReception:
        """Judge an upload by its headers, before its body is read."""
        app = self.server.app
        return StreamedReception(app, app.request_class(Task(self, request).get_environment()))

    def readable(self) -> bool:
        """Read on while a client that still sends gets its answer; leave a burst, and a waiting request, alone."""
        if self._in_burst or self._kept:
            return False
        return not self.will_close if self._discarding else bool(super().readable())

    def handle_read(self) -> None:
        """Read once; where that was as much as the loop takes and more of an upload is to come, read on in a burst."""
        self._in_burst = self._receive(self.adj.recv_bytes) and self._is_receiving()
        if self._in_burst:
            self.server.add_task(self)

    def received(self, data: bytes) -> bool:
        """Take what arrived; of a refused body only so much."""
        if self._discarding:
            self._discarded += len(data)
            self.will_close = self.will_close or self._discarded > LINGER_UPLOADS * self.server.largest_upload
            return True
        request = self.request = self.request or self.parser_class(self.adj)
        self._kept = request.receive(data)
        if request.completed:
            self.request, self._discarding = None, request.cut_short
            with self.requests_lock:  # `service` takes one away and queues the next under it: not both of us may
                self.requests.append(request)
                if not self._in_burst:
                    self.server.add_task(self)
        elif request.expects_continue:
            request.expects_continue = False
            self.write_soon(_CONTINUE)
            self.send_now()
        return True

    def _read_burst(self) -> None:
        """Read and feed an upload until nothing waits or others have waited long enough; answer it if it ended."""
        try:
            for _ in range(_BURST_READS):
                if not self._is_receiving() or not self._receive(_BURST_BYTES):
                    break
        finally:
            self._in_burst = False
        if self.requests:
            self._answer()

    def _receive(self, size: int) -> bool:
        """Read and take at most `size` bytes; tell whether there were as many."""
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return False
        except (OSError, AttributeError):  # reset, or closed before its burst began, with or without its object
            data = b""
        if not data:
            self.will_close = True  # the loop closes it
            return False
        self.last_activity = time.time()
        self.received(data)
        return len(data) == size

    def _is_receiving(self) -> bool:
        """Tell whether the body of an upload is still on its way."""
        request = self.request
        return request is not None and request.reception is not None and not (self._discarding or self.will_close)

    @property
    def is_long(self) -> bool:
        """Tell whether what comes next takes long enough to be worth another thread."""
        return any(request.body_bytes > LONG for request in (self.request, *self.requests) if request)

    @property
    def gathers(self) -> bool:
        """Tell whether what comes next is an upload that may wait for others to be stored with it: none is refused."""
        request = self.request if self._in_burst else self.requests[0]
        if request is None or request.cut_short or self.is_long:
            return False
        return self.server.stores_together and is_upload(request.command, request.path)

    def service(self) -> None:
        """Read a burst, or answer the request."""
        try:
            if self._in_burst:
                self._read_burst()
            else:
                self._answer()
        finally:
            self.server.task_ended(self)

    def _answer(self) -> None:
        """Answer the request; one whose client has gone is only logged."""
        if not self.connected:
            self._give_up(self.requests[0])
        try:
            super().service()
        except Exception:  # not even a refusal could be written
            log.exception("answer_failed")
            self.will_close = True

    def check_client_disconnected(self) -> bool:
        """Tell whether the client has gone; nobody else reads the connection while its request is answered."""
        try:
            return not self.connected or self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except (OSError, AttributeError):  # closed meanwhile, with or without its object
            return True

    def cancel(self) -> None:
        """Give up what waited for a thread when the server's time was up."""
        for request in self.requests:
            self._give_up(request)
        super().cancel()

    def writable(self) -> bool:
        """Send, close, or begin the next request; not in a burst: the descriptor it reads must stay its own."""
        return not self._in_burst and (bool(super().writable()) or self.has_waiting())

    def handle_write(self) -> None:
        """Send; where waitress would close on a sender, and so reset the connection, shut down and linger."""
        if self.socket is None:  # closed while it was read, in the same turn of the loop
            return
        if self.will_close or not (self._discarding and self.close_when_flushed):
            super().handle_write()
            if self.has_waiting():
                self.received(self._kept)
            return
        self._flush_exception(self._flush_some)
        if self.connected and not self.total_outbufs_len:
            self.close_when_flushed = False
            self._deadlines.linger()
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.will_close = True

    def has_waiting(self) -> bool:
        """Tell whether a request waits whose turn it is: the answer before it has left."""
        ending = self.will_close or self.close_when_flushed or self._discarding
        return bool(self._kept) and not (ending or self.requests or self.total_outbufs_len)

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send and count; how much of it the client has taken, its deadline asks."""
        sent: int = super().send(data, do_close)
        self.sent += sent
        return sent

    def send_now(self) -> None:
        """Send what the client takes without waiting; the loop sends the rest."""
        with self.outbuf_lock:
            self._flush_exception(self._flush_some, do_close=False)

    def handle_close(self) -> None:
        """Give up a request that was under way; one that a thread is answering notices by itself."""
        request, self.request = self.request, None  # one turn of the loop may close it twice
        if request is not None and (request.headers_finished or self._late):
            self._give_up(request)
        super().handle_close()

    def del_channel(self, map: dict[int, Any] | None = None) -> None:
        """Count it among its neighbours no longer."""
        if self._fileno is not None:
            self.server.count(self.network, -1)
        super().del_channel(map)

    def handle_expt(self) -> None:
        """Close on TCP urgent data: HTTP knows none, and its mark would wake the loop for ever."""
        self.will_close = True

    def is_busy(self) -> bool:
        """Tell whether a request is being received, answered or sent its answer."""
        receiving = self.request is not None and self.request.headers_finished
        return bool(receiving or self.requests or self.total_outbufs_len)

    def check_deadlines(self) -> None:
        """Have the connection closed when it is later than it may be."""
        if self.will_close:
            self._deadlines.hurry(self)
        elif self._deadlines.are_past(self):
            self._late = self.will_close = True

    def _give_up(self, request: Request) -> None:
        """Release the request and log it: 408 when it was too slow (RFC 9110 §15.5.9), else 499."""
        request.close()
        credential = request.reception.credential if request.reception else None
        telemetry.outside_app(
            self.server.app.config["TRUSTED_PROXY"],
            request.command,
            408 if self._late else 499,
            self.addr[0],
            request.headers,
            route=ROUTES[request.command] if request.reception else "unmatched",
            bytes_in=request.body_bytes_received,
            user_id=credential and credential.user_id,
            duration_ms=round((time.monotonic() - request.started) * 1000, 1),
        )

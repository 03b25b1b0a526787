"""What answers a request: the application, also for a request that the server refuses."""

from typing import Any

from waitress.task import WSGITask

from .. import guard, telemetry
from ..errors import BrokenOff
from ..uploads import RECEPTION


class Task(WSGITask):
    """Has the application answer a request, also one that the server refuses; gives it what the server knows of it."""

    def start(self) -> None:
        """Announce the close when a body was not read to its end, or the server is stopping."""
        super().start()
        if self.request.cut_short or self.channel.server.draining:
            self.set_close_on_finish()

    def service(self) -> None:
        """Answer; what cannot be finished ends without its last chunk, and so does the connection."""
        try:
            super().service()
        except BrokenOff:
            self.close_on_finish = True

    def build_response_header(self) -> bytes:
        """Return the header; to HEAD nothing follows, also where GET would get chunks (RFC 9110 §9.3.2)."""
        header: bytes = super().build_response_header()
        self.chunked_response = self.chunked_response and self.request.command != "HEAD"
        return header

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment, with the reception of an upload, a refusal, and the bytes of body received."""
        environ: dict[str, Any] = super().get_environment()
        environ[telemetry.BYTES_IN] = self.request.body_bytes_received
        if self.request.reception:
            environ[RECEPTION] = self.request.reception
        if self.request.error:
            environ |= guard.refusing(self.request.error, self.request.head)
        return environ

    def finish(self) -> None:
        """Send the answer at once: another turn of the loop would cost as much as the sending."""
        super().finish()
        self.channel.send_now()

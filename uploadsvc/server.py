"""The server: waitress with our limits, JSON for its own refusals, and a clean stop."""

import signal
import socket
import sys
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask

from . import config, errors, telemetry
from .uploads import upload_limits

_REFUSALS = {
    400: "The request is not valid HTTP.",
    413: "The request is larger than the server takes.",
    431: "The headers of the request are too long.",
    501: "The request uses a transfer coding that the server does not know.",
}


class JsonErrorTask(ErrorTask):
    """Answers what waitress refuses itself in the form of every other error."""

    def execute(self) -> None:
        """Write the refusal, log it, and close the connection."""
        status, reason = self.request.error.code, self.request.error.reason
        request_id = telemetry.refused(self.request.command, status, self.channel.addr[0])
        headers = config.security_headers(self.channel.server.settings) | {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Request-ID": request_id,
        }
        message = _REFUSALS.get(status) or errors.InternalError(request_id).message
        body = errors.document(reason.lower().replace(" ", "_"), message).encode()
        self.status, self.content_length = f"{status} {reason}", len(body)
        self.response_headers.extend(headers.items())
        self.set_close_on_finish()
        self.write(body)


class Channel(HTTPChannel):
    """A connection."""

    error_task_class = JsonErrorTask


class Server(TcpWSGIServer):
    """The listening socket and its loop."""

    channel_class = Channel

    def __init__(self, app: Flask) -> None:
        self.settings = app.config
        with app.app_context():
            limits = upload_limits()
        listener = listen(app.config["HOST"], app.config["PORT"])
        super().__init__(
            app,
            _sock=listener,
            bind_socket=False,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            sockets=[listener],
            threads=app.config["THREADS"],
            asyncore_use_poll=True,  # select() ends at descriptor 1023
            connection_limit=1000,
            backlog=1024,
            recv_bytes=65536,
            channel_timeout=30,
            cleanup_interval=5,
            channel_request_lookahead=1,  # with 0 a client that has gone is never noticed
            max_request_header_size=16384,
            max_request_body_size=limits.files * limits.file_bytes + limits.overhead + 1,  # waitress refuses >=
            ident=None,
            **_proxy_settings(app.config["TRUSTED_PROXY"]),
        )


def listen(host: str, port: int) -> socket.socket:
    """Bind the listening socket; stop with one line when that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise config.ConfigError(f"HOST and PORT: cannot listen on {host}:{port}: {error.strerror}.") from error


def run(app: Flask) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are being answered are finished first, within 5 seconds."""
    server = Server(app)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.print_listen("Serving on http://{}:{}")
    server.run()


def _proxy_settings(proxy: str) -> dict[str, Any]:
    if not proxy:
        return {"clear_untrusted_proxy_headers": True}
    return {
        "trusted_proxy": proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
        "clear_untrusted_proxy_headers": True,
    }

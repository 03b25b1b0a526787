"""The server: waitress that streams uploads, refuses early, keeps deadlines and drains before it stops.

It stands on waitress's own hooks, which tests/test_server.py names one by one: `TcpWSGIServer.channel_class`,
`HTTPChannel.parser_class`, `task_class` and `error_task_class`, `BaseWSGIServer.maintenance`, the receivers' buffers.
fsync, the inspection of archives, every SQL statement and the bulk of a large upload are for the worker threads.
"""

import os
import resource
import signal
import socket
import time
from typing import Any

from flask import Flask
from waitress.server import TcpWSGIServer
from waitress.wasyncore import dispatcher

from .. import config, telemetry
from ..uploads import upload_limits
from .channel import Channel

CONNECTIONS = 1000  # at once; a stranger's half-open ones are closed after ten seconds
IDLE_SECONDS = 30  # between requests, or without a byte within one
DESCRIPTORS = 8192  # a connection and its staged files, twice over


class Server(TcpWSGIServer):
    """The listening socket, its loop and its end."""

    channel_class = Channel

    def __init__(self, app: Flask, listener: socket.socket, supervisor: int | None = None) -> None:
        self.app = app
        self._supervisor = supervisor
        with app.app_context():
            self.largest_upload = upload_limits().request_bytes
        self._stop_by: float | None = None
        super().__init__(
            app,
            _sock=listener,
            bind_socket=False,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            sockets=[listener],
            threads=app.config["THREADS"],
            asyncore_use_poll=True,  # select() ends at descriptor 1023
            connection_limit=CONNECTIONS,
            backlog=1024,
            recv_bytes=65536,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=1,
            channel_request_lookahead=1,  # with 0 a client that has gone is never noticed
            max_request_header_size=16384,
            max_request_body_size=2**62,  # the parser's own bounds are tighter and answer better
            ident=None,
            clear_untrusted_proxy_headers=True,
            **_proxy_settings(app.config["TRUSTED_PROXY"]),
        )

        self._application = self.application  # waitress has put its reading of the proxy's headers around ours
        self.application = self._believe_only_the_proxy

    def _believe_only_the_proxy(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Drop an X-Request-ID of anybody else's, while the peer's own address is still known."""
        if environ["REMOTE_ADDR"] != self.app.config["TRUSTED_PROXY"]:
            environ.pop("HTTP_X_REQUEST_ID", None)
        return self._application(environ, start_response)

    @property
    def draining(self) -> bool:
        """Tell whether the server has been asked to stop."""
        return self._stop_by is not None

    def stop(self, number: int, _frame: Any) -> None:
        """Let running requests finish within DRAIN_SECONDS; a second Ctrl-C ends at once."""
        if not self.draining:
            self._stop_by = time.monotonic() + self.app.config["DRAIN_SECONDS"]
            telemetry.draining(self.app).set()  # once: a second signal within it would wait for itself
        elif number == signal.SIGINT:
            self._stop_by = time.monotonic()
        self.pull_trigger()

    def run(self) -> None:
        """Serve until stopped; what has not finished by then leaves nothing behind."""
        while not self.draining:
            self._turn()
        dispatcher.close(self)  # the listening socket; connections go on
        while time.monotonic() < (self._stop_by or 0) and any(c.is_busy() for c in self.active_channels.values()):
            self._turn()
            self.maintenance(time.time())
        for channel in list(self.active_channels.values()):
            channel.will_close = True  # ends a burst, and a worker that waits for a slow reader
            channel.handle_write()
        self.task_dispatcher.shutdown()
        for channel in list(self.active_channels.values()):
            channel.handle_close()
        self.trigger.close()

    def _turn(self) -> None:
        self.asyncore.loop(timeout=1, map=self._map, use_poll=True, count=1)

    def maintenance(self, now: float) -> None:
        """Close what is late or has been idle too long; a worker whose supervisor was killed stops too."""
        if self._supervisor not in (None, os.getppid()):
            self.stop(signal.SIGTERM, None)
        for channel in self.active_channels.values():
            channel.check_deadlines()
        super().maintenance(now)


def listen(host: str, port: int) -> socket.socket:
    """Bind the listening socket; stop with one line when that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise config.ConfigError(f"HOST and PORT: cannot listen on {host}:{port}: {error.strerror}.") from error


def run(app: Flask, listener: socket.socket, supervisor: int | None = None) -> None:
    """Serve `app` on `listener` until SIGTERM or Ctrl-C, or until the process `supervisor` is no more the parent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    server = Server(app, listener, supervisor)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    server.run()


def _proxy_settings(proxy: str) -> dict[str, Any]:
    if not proxy:
        return {}
    headers = {"x-forwarded-for", "x-forwarded-proto"}
    return {"trusted_proxy": proxy, "trusted_proxy_count": 1, "trusted_proxy_headers": headers}

"""The server: waitress that streams uploads, refuses early, keeps deadlines and drains before it stops.

It stands on waitress's own hooks, which tests/test_server.py names one by one: the dispatcher, the map and the
`channel_class` of `TcpWSGIServer`, `parser_class`, `task_class` and `error_task_class` of `HTTPChannel`,
`BaseWSGIServer.maintenance`. httptools takes the place of its parser, `Crew` that of its threads, `Watch` that of its
loop.
"""

import errno
import logging
import os
import resource
import signal
import socket
import time
from collections import Counter, deque
from typing import Any

from flask import Flask
from waitress.server import TcpWSGIServer
from waitress.wasyncore import dispatcher

from .. import config, guard, health, telemetry
from ..crew import Crew
from ..throttle import network_of
from ..uploads import upload_limits
from .channel import Channel
from .watch import Watch

log = logging.getLogger("uploadsvc.server")

CONNECTIONS = 1000  # at once; of more the one that has been idle longest is closed
IDLE_SECONDS = 30  # between requests, or without a byte within one
DESCRIPTORS = 8192  # a connection and its staged files, twice over
_SPARE = 32  # connections beyond them, while nobody is idle; then they wait in the backlog
_LAST_SECONDS = 5  # for threads to end when the time for draining is over
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE}


class Server(TcpWSGIServer):
    """The listening socket, its loop and its end."""

    channel_class = Channel

    def __init__(self, app: Flask, listener: socket.socket, supervisor: int | None = None) -> None:
        self.app = app
        self._supervisor = supervisor
        # A scanner takes its time, and whoever waits for company would wait for it too.
        self.stores_together = app.extensions["storage"].gathers and not app.extensions["scanner"]
        self.largest_upload = upload_limits(app.config).request_bytes
        self._stop_by: float | None = None
        self._waiting = False
        self._accept_again = self._tell_again = 0.0
        self._watch = Watch()
        self._served: Counter[Channel] = Counter()  # for how many tasks a thread is at work, or will be
        self._ended: deque[Channel] = deque()  # whose task has ended
        self._neighbours: Counter[str] = Counter()  # connections by their networks
        super().__init__(
            app,
            map=self._watch,
            _sock=listener,
            bind_socket=False,
            dispatcher=Crew(self.turn, self.pull_trigger, app.extensions["storage"].is_slow),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            sockets=[listener],
            threads=app.config["THREADS"],
            connection_limit=CONNECTIONS + _SPARE,
            backlog=1024,
            recv_bytes=65536,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=1,
            channel_request_lookahead=0,  # one request at a time
            ident=None,
            clear_untrusted_proxy_headers=True,
            **_proxy_settings(app.config["TRUSTED_PROXY"]),
        )
        self.adj.send_bytes = self.adj.outbuf_overflow  # header and body in one send, at the end of the task
        # Around waitress's own reading of what the proxy says, which answers what is wrong in its own words.
        self.application = guard.believing(self.application, app.config["TRUSTED_PROXY"])

    @property
    def draining(self) -> bool:
        """Tell whether the server has been asked to stop."""
        return self._stop_by is not None

    def stop(self, number: int, _frame: Any) -> None:
        """Let running requests finish within DRAIN_SECONDS; a second Ctrl-C ends at once."""
        if not self.draining:
            self._stop_by = time.monotonic() + self.app.config["DRAIN_SECONDS"]
            health.draining(self.app).set()  # once: a second signal within it would wait for itself
        elif number == signal.SIGINT:
            self._stop_by = time.monotonic()
        self.pull_trigger()

    def run(self) -> None:
        """Serve until stopped; what has not finished by then leaves nothing behind."""
        self.task_dispatcher.start(self.adj.threads)
        self.task_dispatcher.wait()
        for channel in list(self.active_channels.values()):
            channel.will_close = True  # ends a burst, and a thread that waits for a slow reader
            channel.handle_write()
        self.task_dispatcher.shutdown(_LAST_SECONDS)
        for channel in list(self.active_channels.values()):
            channel.handle_close()
        self.trigger.close()
        self._watch.close()
        if self.task_dispatcher.failure:
            raise self.task_dispatcher.failure

    def turn(self, seconds: float) -> None:
        """Turn the loop once, waiting at most so long for something to happen."""
        if self.draining and not self._drain():
            return  # a request that were read now would be begun while its connection is closed
        self._waiting = True
        self._watch.stir(self._fileno)  # it looks at the clock, too
        for channel in self._served:
            self._watch.stir(channel._fileno)
        while self._ended:
            channel = self._ended.popleft()
            self._served[channel] -= 1
            if not self._served[channel]:
                del self._served[channel]
        self._watch.turn(seconds)
        self._waiting = False

    def add_task(self, task: Channel) -> None:
        """Queue a connection for a thread, and ask it at every turn until that has ended: what it wants will change."""
        self._served[task] += 1
        super().add_task(task)

    def task_ended(self, task: Channel) -> None:
        """Have the connection asked once more, and then only when something happens."""
        self._ended.append(task)
        self.pull_trigger()

    def _drain(self) -> bool:
        """Accept nobody any more; tell whether it goes on: else the threads are dismissed, and no scan keeps one."""
        if self.accepting:
            dispatcher.close(self)  # the listening socket; connections go on
        self.maintenance(time.time())
        in_time = time.monotonic() < (self._stop_by or 0)
        goes_on = in_time and any(channel.is_busy() for channel in self.active_channels.values())
        if not goes_on:
            self.task_dispatcher.dismiss()
            if scanner := self.app.extensions["scanner"]:
                scanner.stop()
        return goes_on

    def pull_trigger(self) -> None:
        """Have the loop look again, if it is waiting; else it is about to look anyway."""
        if self._waiting:
            super().pull_trigger()

    def readable(self) -> bool:
        """Accept, unless descriptors have run out."""
        return bool(super().readable()) and time.monotonic() >= self._accept_again

    def handle_accept(self) -> None:
        """Accept one connection, at the cost of an idle one where there are too many."""
        try:
            connection, address = self.socket.accept()
            self.set_socket_options(connection)
        except OSError as error:  # it has gone already, or there is no descriptor for it
            if error.errno in _NO_DESCRIPTORS:
                self._pause()
            return
        if self._has_room_for(address[0]):
            self.channel_class(self, connection, address, self.adj, map=self._map)
        else:
            connection.close()

    def count(self, network: str, by: int) -> None:
        """Count connections of a network."""
        self._neighbours[network] += by
        if not self._neighbours[network]:
            del self._neighbours[network]

    def _has_room_for(self, address: str) -> bool:
        """Close an idle connection where the newcomer's network has its share, or where there are too many in all."""
        if address != self.app.config["TRUSTED_PROXY"]:
            network = network_of(address)
            if self._neighbours[network] >= self.app.config["ADDRESS_CONNECTIONS"]:
                return self._close_longest_idle(network)
        if len(self.active_channels) >= CONNECTIONS:
            self._close_longest_idle()
        return True

    def _close_longest_idle(self, network: str = "") -> bool:
        """Close one that waits for a request, of the network if one is given; tell whether there was any."""
        channels = [channel for channel in self.active_channels.values() if network in ("", channel.network)]
        idle = [channel for channel in channels if not channel.is_busy()]
        if idle:
            min(idle, key=lambda channel: channel.last_activity).handle_close()
        return bool(idle)

    def _pause(self) -> None:
        """Accept nobody for a second; the log tells it once a minute."""
        now = time.monotonic()
        self._accept_again = now + 1
        if now >= self._tell_again:
            self._tell_again = now + 60
            log.error("out_of_descriptors", extra={"connections": len(self.active_channels)})

    def maintenance(self, now: float) -> None:
        """Close what is late or has been idle too long; a worker whose supervisor was killed stops too."""
        if self._supervisor not in (None, os.getppid()):
            self.stop(signal.SIGTERM, None)
        for channel in list(self.active_channels.values()):
            channel.check_deadlines()
        self._watch.stir_all()
        telemetry.metrics.looked_at_server(self.task_dispatcher.waiting, len(self.active_channels))
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
    with app.extensions["open_uploads"].shared():
        server.run()


def _proxy_settings(proxy: str) -> dict[str, Any]:
    if not proxy:
        return {}
    headers = {"x-forwarded-for", "x-forwarded-proto"}
    return {"trusted_proxy": proxy, "trusted_proxy_count": 1, "trusted_proxy_headers": headers}

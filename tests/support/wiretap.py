"""A stretch of the way to a service that keeps what clients say on it."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Tap(socketserver.ThreadingTCPServer):
    """Listens in front of the service on `behind`; `heard` are the bytes that each connection's client sent."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.behind = behind
        self.heard: list[bytearray] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Connection(socketserver.BaseRequestHandler):
    """One client's connection, and its own to the service."""

    server: Tap

    def handle(self) -> None:
        heard = bytearray()
        self.server.heard.append(heard)
        with socket.create_connection(("127.0.0.1", self.server.behind)) as service:
            answering = threading.Thread(target=pass_on, args=(service, self.request))
            answering.start()
            pass_on(self.request, service, heard)
            answering.join()


def pass_on(source: socket.socket, target: socket.socket, heard: bytearray | None = None) -> None:
    """Pass bytes on until there are no more, and tell the other side."""
    with suppress(OSError):
        while data := source.recv(65536):
            if heard is not None:
                heard += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def tapped(port: int) -> Iterator[Tap]:
    """Keep what is said to the service on `port` by whoever takes the tap's port instead."""
    with Tap(port) as tap:
        thread = threading.Thread(target=tap.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield tap
        finally:
            tap.shutdown()
            thread.join()

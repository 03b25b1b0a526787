"""A stretch of the way to a database: a Unix socket in front of another one, which can be cut at a word."""

import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path


class Cutter:
    """Passes bytes between `folder`, the host of a DATABASE_URL, and PostgreSQL's own socket."""

    def __init__(self, target: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cut-", dir="/tmp"))
        self._target = target
        self._word, self._arrives = b"", False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / target.name))
        self._listener.listen()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> "Cutter":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for end in self._open:
            _shut(end)
        for thread in self._threads:
            thread.join(10)
        for end in [self._listener, *self._open]:
            end.close()
        shutil.rmtree(self.folder)

    def cut_at(self, word: bytes, arrives: bool) -> None:
        """Cut the first connection on which a client says `word`, once: the server hears it, or does not."""
        self._word, self._arrives = word, arrives

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._target))
                self._open += [client, server]
                for arguments in ((client, server, True), (server, client, False)):
                    self._threads.append(threading.Thread(target=self._pass_on, args=arguments))
                    self._threads[-1].start()

    def _pass_on(self, source: socket.socket, target: socket.socket, forth: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if forth and self._word and self._word in data:
                    self._word = b""
                    self._cut(source, target, data)
                    return
                target.sendall(data)
        _shut(target)

    def _cut(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        """Let the client lose the connection before any answer, which is read here."""
        _shut(client)
        if self._arrives:
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)

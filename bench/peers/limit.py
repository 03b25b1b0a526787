"""The limit: what a process of Python can carry from sockets to files when it does nothing else.

It leaves out HTTP (it only finds the body's length), the parts (the body is the file), and all that a service is for.
usage: python limit.py PORT FOLDER PROCESSES
"""

import itertools
import os
import re
import socket
import sys
import threading
from pathlib import Path

PIECE = 1 << 20
LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
serial = itertools.count()


def head_and_rest(wire):
    """Read to the end of a request's headers; return them and what came of the body (both empty: nothing came)."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = wire.recv(1 << 16)
        if not piece:
            return b"", b""
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def store(wire, rest, length, path, room):
    """Write `rest` and what follows it on the wire until there are `length` bytes; say whether all of them came."""
    with path.open("wb", buffering=0) as out:
        left = length - out.write(rest)
        while left:
            count = wire.recv_into(room[: min(left, PIECE)])
            if not count:
                return False
            left -= out.write(room[:count])
    return True


def serve(wire, uploads):
    room = memoryview(bytearray(PIECE))
    with wire:
        while True:
            head, rest = head_and_rest(wire)
            if not head:
                return
            length = int(LENGTH.search(head)[1])
            if not store(wire, rest, length, uploads / f"{os.getpid()}-{next(serial)}", room):
                return
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def main(port, folder, processes):
    uploads = folder / "uploads"
    uploads.mkdir(parents=True, exist_ok=True)
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    for _ in range(processes - 1):
        if os.fork() == 0:
            break
    while True:
        wire, _ = listener.accept()
        threading.Thread(target=serve, args=(wire, uploads), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

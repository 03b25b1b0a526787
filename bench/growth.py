"""What grows with the number of documents, accounts, connections and files: `make bench-growth`. Needs Linux.

Instances of several sizes run side by side and are asked in turn, so that whatever else the machine does hits all of
them alike. The tables tell median and 99th percentile in ms at the smallest size, and the others as multiples of these.
`bench/growth.py DIR` lays the instances below DIR; without it they lie in memory.
"""

import os
import resource
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

from filled import COLLECTOR, ME, Instance

ROUNDS, SECONDS = 300, 5  # at most, for each row of a table
SIZES = {  # documents and the accounts that have them, in equal shares
    "10 documents": (10, 1),
    "10 000": (10_000, 1),
    "1 000 000": (1_000_000, 1),
    "1 000 000 of 100 users": (1_000_000, 100),
    "1 000 000 of 10 000 users": (1_000_000, 10_000),
}
MINE = {  # with {middle}, the id of the document in the middle of my list
    "first page": "/api/documents",
    "by name": "/api/documents?sort=name",
    "by size": "/api/documents?sort=size",
    "page in the middle": "/api/documents?before={middle}",
    "page in the middle, by name": "/api/documents?sort=name&before={middle}",
    "search that finds many": "/api/documents?q=budget",
    "search that finds one": "/api/documents?q={middle}",
    "one document": "/api/documents/{middle}",
    "`/api/limits`": "/api/limits",
    "`/readyz`": "/readyz",
}
EVERYONES = {
    "everybody's, first page": "/api/documents?all=1",
    "everybody's, by name": "/api/documents?all=1&sort=name",
    "everybody's, by size": "/api/documents?all=1&sort=size",
    "everybody's, search that finds many": "/api/documents?all=1&q=budget",
}
CONNECTIONS, FILES = 900, 100_000


def head(*columns):
    """Print the head of a table."""
    print("\n| | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1), flush=True)


def compare(what, ask, instances):
    """Let `ask`, which returns milliseconds, ask the instances in turn; print a row of what they needed."""
    took, until = [[] for _ in instances], time.monotonic() + SECONDS
    for _ in range(ROUNDS):
        for instance, times in zip(instances, took, strict=True):
            times.append(ask(instance))
        if time.monotonic() > until:
            break
    tell(what, took)


def tell(what, took):
    """Print a row: the median and the 99th percentile of the first times, the others' as multiples of them."""
    numbers = [(statistics.median(times), sorted(times)[int(len(times) * 0.99)]) for times in took]
    base = numbers[0]
    others = [f"{median / base[0]:.2f} / {late / base[1]:.2f}" for median, late in numbers[1:]]
    print(f"| {what} | " + " | ".join([f"{base[0]:.1f} / {base[1]:.1f}", *others]) + " |", flush=True)


def upload(instance):
    return instance.upload()[0]


def download(instance):
    return instance.timed(f"/api/documents/{instance.upload()[1]}/content")[0]


def delete(instance):
    return instance.timed(f"/api/documents/{instance.upload()[1]}", method="DELETE")[0]


def documents(folder, held):
    """Ask everything of instances of all sizes."""
    instances = []
    for number, size in enumerate(SIZES.values()):
        instances.append(Instance(folder / f"documents-{number}", *size))
        held.callback(instances[-1].stop)
    head(*SIZES)
    scrapes = [instance.timed("/metrics")[0] for instance in instances]  # the next one asks nothing of the database
    tell("the first `/metrics`, once", [[took] for took in scrapes])
    for email, paths in ((ME, MINE), (COLLECTOR, EVERYONES)):
        for what, path in paths.items():
            compare(what, lambda instance, path=path, email=email: instance.timed(path, email=email)[0], instances)
    compare("upload of 10 kB", upload, instances)


def connections(folder, held):
    """Ask with and without idle connections beside."""
    instances = [
        Instance(folder / f"connections-{number}", 10_000, ADDRESS_CONNECTIONS="1000") for number in (0, CONNECTIONS)
    ]
    for instance in instances:
        held.callback(instance.stop)
    head("alone", f"{CONNECTIONS} idle connections")
    for what, ask in (
        ("first page", lambda instance: instance.timed("/api/documents")[0]),
        ("upload of 10 kB", upload),
    ):
        with ExitStack() as idle:  # made anew, for nobody may be idle for long
            for _ in range(CONNECTIONS):
                idle.enter_context(socket.create_connection(("127.0.0.1", instances[1].port)))
            compare(what, ask, instances)


def files(folder, held):
    """Ask what touches an account's folder, with few files in it and with many."""
    instances = [Instance(folder / f"files-{count}", count) for count in (10, FILES)]
    for instance in instances:
        held.callback(instance.stop)
        lay_files(instance)
    head("10 files", f"{FILES}")
    compare("upload of 10 kB", upload, instances)
    compare("download of 10 kB", download, instances)
    compare("deletion", delete, instances)


def lay_files(instance):
    """Give each document of `instance` a file of no bytes and of its age."""
    with closing(sqlite3.connect(instance.folder / "app.db")) as database:
        paths = [path for (path,) in database.execute("SELECT path FROM documents")]
    for path in paths:
        file = instance.folder / "uploads" / path
        file.parent.mkdir(exist_ok=True)
        file.touch()
        os.utime(file, (0, 0))


def sweep(folder):
    """Print an upload's times while all of the folder that `files` filled is swept, as `serve` does at its start."""
    leftover = folder / "uploads" / "1" / "1000000000000-leftover.pdf"
    during, after, seconds = [], [], []
    for _ in range(5):
        leftover.touch()
        os.utime(leftover, (0, 0))
        began, instance = time.monotonic(), Instance(folder)
        while leftover.exists():
            during.append(instance.upload()[0])
        seconds.append(time.monotonic() - began)
        after += [instance.upload()[0] for _ in range(100)]
        instance.stop()
    head("uploads", f"while {FILES} files are swept")
    tell("upload of 10 kB", [after, during])
    print(f"\n`serve` had swept {statistics.median(seconds):.1f} s after its start; {len(during)} uploads meanwhile.")


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    where = sys.argv[1] if len(sys.argv) > 1 else "/dev/shm"
    with tempfile.TemporaryDirectory(prefix="growth-", dir=where) as name:
        for part in (documents, connections, files):
            with ExitStack() as held:
                part(Path(name), held)
        sweep(Path(name) / f"files-{FILES}")


if __name__ == "__main__":
    main()

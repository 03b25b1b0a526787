"""The service beside its peers on this machine: `make bench`. Needs Linux and wrk, and for some peers node with npm.

Each run of a peer stands beside a run of ours, and what is told is the median of these pairs' ratios: other figures
mean nothing on another machine. What peers need is installed into bench/.cache at first use; a peer that cannot be
installed is left out. A run of everything, as it comes, is kept: bench/results.json, the picture drawn from it, and
the tables in bench/README.md. Any other run is only printed.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import picture
import probes
import tables
from load import SIZES, uploads
from peers import HERE, PEERS, Left
from servers import PeerServer, Service

RESULTS = HERE / "results.json"
MEMORY = Path("/dev/shm")
ROOM = 4 << 30  # bytes: what the fastest peer stores in one run, with some to spare


class Progress:
    """One line on a terminal that tells what runs; nothing elsewhere."""

    def __init__(self, steps):
        self._steps, self._done = steps, 0

    def step(self, what):
        self._done += 1
        self._write(f"{self._done}/{self._steps} {what}")

    def tell(self, line):
        """Say a line that stays."""
        self._write("")
        print(line, file=sys.stderr, flush=True)

    def end(self):
        self._write("")

    def _write(self, line):
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default=",".join(PEERS), help="peers, with commas: %(default)s")
    parser.add_argument("--sizes", default=",".join(SIZES), help="%(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="pairs with each peer at each size: %(default)s")
    parser.add_argument("--seconds", type=int, default=1, help="of each run: %(default)s")
    parser.add_argument("--workers", type=int, default=1, help="processes, of ours and of each peer: %(default)s")
    parser.add_argument("--storage", choices=["memory", "disk"], default="memory", help="%(default)s")
    parser.add_argument("--connections", type=int, help="instead of 8 with 10 kB and 4 above")
    chosen = parser.parse_args()
    chosen.against = [name for name in chosen.against.split(",") if name]
    chosen.sizes = chosen.sizes.split(",")
    unknown = ({*chosen.against} - {*PEERS}) | ({*chosen.sizes} - {*SIZES})
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    usual = (list(PEERS), list(SIZES), 1, "memory", None)
    chosen.whole = usual == (chosen.against, chosen.sizes, chosen.workers, chosen.storage, chosen.connections)
    return chosen


def storage(chosen, progress):
    """Return the folder to make everything in: None is the ordinary one for temporary files."""
    if chosen.storage == "disk":
        return None
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        return MEMORY
    progress.tell(f"{MEMORY} has not {ROOM >> 30} GiB to spare: everything lies on the ordinary filesystem")
    return None


def start(held, base, chosen, progress):
    """Start ours and every peer that can be; return them by name."""
    servers = {}
    for name in ["ours", *chosen.against]:
        progress.step(f"start {name}")
        try:
            if name == "ours":
                servers[name] = Service(base / name, chosen.workers)
            else:
                servers[name] = PeerServer(name, base / name, chosen.workers)
        except Left as why:
            progress.tell(f"{name} is left out: {why}")
        else:
            held.callback(servers[name].stop)
    if "ours" not in servers:
        raise SystemExit(1)
    return servers


def pairs(servers, size, chosen, progress):
    """Run ours and the peers in turns, each run of ours between two peers; return by name the pairs (ours, its)."""
    length, connections = SIZES[size]
    found = {name: [] for name in servers}

    def run(name):
        progress.step(f"{size}, {name}")
        return uploads(servers[name], length, chosen.connections or connections, chosen.seconds)

    names = [name for name in servers if name != "ours"]
    for _ in range(chosen.rounds):
        servers["ours"].ready()
        for first in range(0, max(len(names), 1), 2):
            before = {name: run(name) for name in names[first : first + 1]}
            ours = run("ours")
            after = {name: run(name) for name in names[first + 1 : first + 2]}
            found["ours"].append((ours, ours))
            for name, its in (before | after).items():
                found[name].append((ours, its))
    return found


def summary(runs):
    """The medians of a server's pairs: of its own figures, and of ours over it."""
    said = {key: round(median(its[key] for _, its in runs), 2) for key in ("uploads_s", "cpu_ms", "p99_ms")}
    said |= {key: sum(its[key] for _, its in runs) for key in ("refused", "broken", "lost")}
    for key, name in (("uploads_s", "ratio"), ("cpu_ms", "cpu_ratio")):
        ratios = sorted(ours[key] / its[key] for ours, its in runs if its[key])
        said[name] = round(median(ratios), 3) if ratios else None
        said[f"{name}_spread"] = [round(ratio, 3) for ratio in ratios[:: max(len(ratios) - 1, 1)]]
    return said


def side_by_side(where, chosen, progress):
    """Return what is known of every server, and how long readers of ours wait while it is loaded."""
    with ExitStack() as held:
        base = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=where)))
        servers = start(held, base, chosen, progress)
        said = {name: {"title": server.title, "sizes": {}} for name, server in servers.items()}
        for name, server in servers.items():
            progress.step(f"refusals of {name}")
            uploads(server, *SIZES["10 kB"], 1)  # what compiles itself while it runs shall have begun to
            said[name]["refusals"] = probes.refusals(server)
        for size in chosen.sizes:
            for name, runs in pairs(servers, size, chosen, progress).items():
                said[name]["sizes"][size] = summary(runs)
        for name, server in servers.items():
            said[name]["peak_mib"] = round(server.memory("VmHWM"))
        waiting = {}
        for size in chosen.sizes:
            progress.step(f"{size}, reading the list meanwhile")
            servers["ours"].ready()
            waiting[size] = probes.documents(servers["ours"], size, chosen.rounds)
    return said, waiting


def crowds(base, chosen):
    """Ask a fresh service, which lets one account and address have that many, what uploads at once hold in memory."""
    limits = {"USER_UPLOADS": "1000", "ADDRESS_CONNECTIONS": "1000"}
    found = {}
    for name, probe in (("slow", probes.slow_uploads), ("fast", probes.many_uploads)):
        service = Service(base / name, chosen.workers, **limits)
        try:
            found[name] = probe(service)
        finally:
            service.stop()
    return found


def machine(chosen, where):
    node = ""
    if shutil.which("node"):
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "node": node.removeprefix("v"),
        "storage": "memory" if where else "disk",
        "workers": chosen.workers,
        "rounds": chosen.rounds,
        "seconds": chosen.seconds,
        "connections": {size: chosen.connections or SIZES[size][1] for size in chosen.sizes},
    }


def main():
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what was started is stopped too
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed (Debian: apt-get install wrk)")
    count = len(chosen.against)
    turns = chosen.rounds * (count + max((count + 1) // 2, 1))
    progress = Progress(2 * (count + 1) + len(chosen.sizes) * (turns + 1) + 1)
    where = storage(chosen, progress)
    servers, waiting = side_by_side(where, chosen, progress)
    progress.step("many uploads at once")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder:
        at_once = crowds(Path(folder), chosen)
    results = {"machine": machine(chosen, where), "servers": servers, "documents": waiting, "at_once": at_once}
    progress.end()
    print(tables.text(results))
    if chosen.whole and where:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        picture.draw(RESULTS)
        tables.fill(HERE / "README.md", results)


if __name__ == "__main__":
    main()

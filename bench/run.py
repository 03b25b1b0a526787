"""What the service can do on this machine: `make bench`. Needs wrk (Debian: apt-get install wrk) and Linux's /proc.

Everything lies in memory-backed storage where there is some, so that disks do not blur the figures. Only ratios
within one run mean anything; bench/README.md holds a run and how it was taken.
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
SIZES = {"10 kB": (10 * 1024, 8), "1 MB": (1024 * 1024, 4), "10 MB": (10 * 1024 * 1024 - 1024, 4)}
SECONDS = 5
PASSWORD = "a-fine-passphrase"
CONTENT_TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def body(size):
    """One PDF of `size` bytes as a browser would send it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="report.pdf"\r\n'
    content = b"%PDF-1.7\n" + os.urandom(size - 9)
    return f"{head}Content-Type: application/pdf\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


class Service:
    """A real `serve` in a folder of its own."""

    def __init__(self, folder, workers=1, **settings):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environ = {
            "PORT": str(self.port),
            "INSTANCE_PATH": str(folder),
            "WORKERS": str(workers),
            "ADMIN_PASSWORD": PASSWORD,
            "BCRYPT_ROUNDS": "4",
            "USER_UPLOADS": "1000",
            "ADDRESS_CONNECTIONS": "1000",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
            cwd=ROOT,
            env=os.environ | environ | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait()
        login = json.dumps({"email": "admin@localhost", "password": PASSWORD})
        answer = self.request("POST", "/api/auth/login", login, {"Content-Type": "application/json"})
        self.token = json.loads(answer)["accessToken"]

    def _wait(self):
        for _ in range(300):
            try:
                return self.request("GET", "/healthz")
            except OSError:
                time.sleep(0.1)
        raise SystemExit("serve did not start")

    def request(self, method, path, content=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, content, headers or {})
            return connection.getresponse().read()
        finally:
            connection.close()

    def _statuses(self):
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(entry.name)) == self.process.pid:
                    yield (entry / "status").read_text(), (entry / "stat").read_text()
            except OSError:
                continue

    def memory(self, what="VmRSS"):
        """Resident MiB of all processes: now, or at the peak with VmHWM."""
        return sum(int(re.search(rf"{what}:\s+(\d+)", status)[1]) for status, _ in self._statuses()) / 1024

    def cpu(self):
        """CPU seconds of all processes so far."""
        ticks = (stat.rsplit(")", 1)[1].split()[11:13] for _, stat in self._statuses())
        return sum(int(user) + int(system) for user, system in ticks) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)


@contextmanager
def service(**settings):
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=memory if memory.is_dir() else None))
    running = Service(folder, **settings)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def wrk(running, content, connections, path="/api/upload", seconds=SECONDS):
    """Run wrk; return (requests, requests a second, p99 in ms)."""
    script = ["-s", str(ROOT / "bench/upload.lua")] if content else ["-H", f"Authorization: Bearer {running.token}"]
    sample = running.folder / "body"
    if content:
        sample.write_bytes(content)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *script]
    environ = os.environ | {"BODY": str(sample), "BOUNDARY": BOUNDARY, "TOKEN": running.token}
    url = f"{running.url}{path}"
    out = subprocess.run([*command, url], env=environ, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(out)
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    return int(re.search(r"(\d+) requests in", out)[1]), rate, float(p99) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def throughput():
    print("| workers | size | uploads/s | p99 ms | peak MiB | CPU s per GB |\n|---|---|---|---|---|---|")
    for workers in (1, 2):
        for name, (size, connections) in SIZES.items():
            with service(workers=workers) as running:
                before = running.cpu()
                count, rate, p99 = wrk(running, body(size), connections)
                cost = (running.cpu() - before) / (count * size / 1e9)
                peak = running.memory("VmHWM")
                print(f"| {workers} | {name} | {rate:.0f} | {p99:.0f} | {peak:.0f} | {cost:.1f} |", flush=True)


def first_refusal():
    """Time until a stranger's and a liar's 10 MB upload is answered, beside a good one's."""
    print("\n| upload of 10 MB | answered after ms | bytes sent by then |\n|---|---|---|")
    good = body(SIZES["10 MB"][0])
    with service() as running:
        signed = {"Authorization": f"Bearer {running.token}"}
        for name, content, headers in (
            ("without a token", good, {}),
            ("a PNG named .pdf", good.replace(b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n\0"), signed),
            ("good", good, signed),
        ):
            print("| {} | {:.1f} | {} |".format(name, *answered(running.port, content, CONTENT_TYPE | headers)))


def answered(port, content, headers):
    """Send an upload until the first byte of its answer; return (milliseconds, body bytes sent)."""
    lines = [f"{k}: {v}" for k, v in ({"Host": "x", "Content-Length": len(content)} | headers).items()]
    with socket.create_connection(("127.0.0.1", port)) as wire:
        started, sent = time.perf_counter(), 0
        wire.sendall("\r\n".join(["POST /api/upload HTTP/1.1", *lines, "", ""]).encode())
        wire.setblocking(False)
        while True:
            try:
                wire.recv(65536)
                return (time.perf_counter() - started) * 1000, sent
            except BlockingIOError:
                pass
            with suppress(BlockingIOError):
                sent += wire.send(content[sent : sent + 65536]) if sent < len(content) else 0


def reading_under_load():
    """p99 of the document list, alone and while 10 MB uploads saturate the service."""
    print("\n| GET /api/documents | requests/s | p99 ms |\n|---|---|---|")
    with service() as running:
        for number in range(20):
            running.request(
                "POST", "/api/upload", body(1000 + number), CONTENT_TYPE | {"Authorization": f"Bearer {running.token}"}
            )
        print("| alone | {1:.0f} | {2:.0f} |".format(*wrk(running, None, 2, "/api/documents", 3)))
        sample = running.folder / "load"
        sample.write_bytes(body(SIZES["10 MB"][0]))
        environ = os.environ | {"BODY": str(sample), "BOUNDARY": BOUNDARY, "TOKEN": running.token}
        command = ["wrk", "-t1", "-c4", "-d6s", "-s", str(ROOT / "bench/upload.lua")]
        url = f"http://127.0.0.1:{running.port}/api/upload"
        load = subprocess.Popen([*command, url], env=environ, stdout=subprocess.DEVNULL)
        time.sleep(1)
        print("| under load | {1:.0f} | {2:.0f} |".format(*wrk(running, None, 2, "/api/documents", 3)))
        load.wait()


def slow_uploads(count=500):
    """Memory with `count` uploads open that have each sent 100 kB."""
    with service() as running:
        before = running.memory()
        head = {"Host": "x", "Content-Length": 1_000_000, "Authorization": f"Bearer {running.token}"} | CONTENT_TYPE
        lines = "\r\n".join(["POST /api/upload HTTP/1.1", *(f"{k}: {v}" for k, v in head.items()), "", ""]).encode()
        start = body(1_000_000)[:100_000]
        wires = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(count)]
        for wire in wires:
            wire.sendall(lines + start)
        time.sleep(2)
        more = running.memory() - before
        print(f"\n{count} slow uploads open: {more:.1f} MiB over the {before:.0f} MiB of an idle service")
        for wire in wires:
            wire.close()


if __name__ == "__main__":
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed (Debian: apt-get install wrk)")
    throughput()
    first_refusal()
    reading_under_load()
    slow_uploads()

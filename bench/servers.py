"""A server under measurement: a process group of its own, what it takes of the machine, and how it is asked."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import peers

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A running server. What it writes lies in `folder`, the uploads below `folder`/uploads."""

    path = "/api/upload"
    field = "file"
    authorization = ""

    def __init__(self, folder, environ, cwd):
        self.folder = folder
        self.environ = environ
        self.cwd = cwd
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, command):
        """Start it; return when it listens, raise peers.Left when it does not within half a minute."""
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.cwd, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self):
        for _ in range(300):
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        last = (self.folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
        raise peers.Left(f"it did not start: {''.join(last)}")

    def ready(self):
        """Do what must be done before a round of uploads."""

    def request(self, method, path, content=None, headers=None):
        """Return the body of an answer, whatever its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, content, headers or {})
            return connection.getresponse().read()
        finally:
            connection.close()

    def _members(self):
        """The group's processes: for each its folder in /proc and the fields of its `stat` behind the name."""
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[2]) == self.process.pid:
                    yield entry, fields

    def memory(self, what="VmRSS"):
        """Resident MiB of all processes: now, or at the peak with VmHWM. What they share counts in each."""
        kib = 0
        for entry, _ in self._members():
            with suppress(OSError):
                found = re.search(rf"{what}:\s+(\d+)", (entry / "status").read_text())
                kib += int(found[1]) if found else 0
        return kib / 1024

    def forget_peak(self):
        """Let the peak of the memory begin at what it is now."""
        for entry, _ in self._members():
            (entry / "clear_refs").write_text("5")

    def cpu(self):
        """CPU seconds, user and system, of all processes so far."""
        return sum(int(fields[11]) + int(fields[12]) for _, fields in self._members()) / TICKS

    def rest(self):
        """Return the CPU seconds so far when it idles, or after ten seconds: what it put off until later counts too."""
        before = self.cpu()
        for _ in range(40):
            time.sleep(0.25)
            now = self.cpu()
            if now - before < 0.015:
                break
            before = now
        return now

    def clear(self, size):
        """Remove all uploads; return how many were whole."""
        whole = 0
        for file in (self.folder / "uploads").rglob("*"):
            if file.is_file():
                whole += file.stat().st_size >= size
                file.unlink()
        return whole

    def stop(self):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Service(Server):
    """This service, as `serve` runs it, on an instance of its own."""

    title = "uploadsvc"

    def __init__(self, folder, workers=1, **settings):
        super().__init__(folder, None, ROOT)
        mine = {
            "PORT": str(self.port),
            "INSTANCE_PATH": str(folder),
            "TMPDIR": str(folder),
            "WORKERS": str(workers),
            "ADMIN_PASSWORD": peers.PASSWORD,
        }
        self.environ = os.environ | mine | settings
        self.start([sys.executable, "-m", "flask", "--app", "wsgi", "serve"])
        self.ready()

    def ready(self):
        """Sign in: a token lives for a quarter of an hour."""
        login = json.dumps({"email": "admin@localhost", "password": peers.PASSWORD})
        answer = self.request("POST", "/api/auth/login", login, {"Content-Type": "application/json"})
        self.authorization = f"Bearer {json.loads(answer)['accessToken']}"


class PeerServer(Server):
    """A peer of ours; raises peers.Left where it cannot run."""

    def __init__(self, name, folder, processes):
        peer = peers.PEERS[name]
        super().__init__(folder, peers.environment(folder), None)
        self.title, self.path, self.field = peer.title, peer.path, peer.field
        command, self.cwd = peers.command(name, self.port, folder, processes)
        (folder / "uploads").mkdir()
        self.start(command)
        self.authorization = peer.authorization
        with suppress(FileNotFoundError):
            self.authorization = f"Bearer {(folder / 'token').read_text()}"

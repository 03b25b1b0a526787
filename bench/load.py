"""Uploads by wrk, and what they took: uploads a second, CPU milliseconds an upload, what was refused or lost."""

import os
import re
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).with_name("upload.lua")
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
CONTENT_TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
SIZES = {"10 kB": (10 * 1024, 8), "1 MB": (1024 * 1024, 4), "10 MB": (10 * 1024 * 1024 - 1024, 4)}  # bytes, connections
MILLISECONDS = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}


def body(size, field="file"):
    """One PDF of `size` bytes as a browser would send it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="report.pdf"\r\n'
    content = b"%PDF-1.7\n" + os.urandom(size - 9)
    return f"{head}Content-Type: application/pdf\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def wrk(target, content, connections, seconds):
    """Upload `content` all the time for `seconds`; return what wrk says.

    `target` has the attributes folder, url, path and authorization. Of the answers: `taken` (2xx), `refused`;
    `uploads_s` counts those taken; `p99_ms` is of all.
    """
    sample = target.folder / "body"
    sample.write_bytes(content)
    environ = {"BODY": str(sample), "BOUNDARY": BOUNDARY, "AUTHORIZATION": target.authorization}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", SCRIPT]
    done = subprocess.run(
        [*command, target.url + target.path], env=os.environ | environ, capture_output=True, text=True, check=True
    )
    return _said(done.stdout)


def _said(out):
    answers = int(re.search(r"(\d+) requests in", out)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    refused = int(bad[1]) if bad else 0
    taken = answers - refused
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", out).groups()
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    return {
        "taken": taken,
        "refused": refused,
        "broken": sum(map(int, broken.groups())) if broken else 0,
        "uploads_s": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]) * taken / max(answers, 1),
        "p99_ms": float(p99) * MILLISECONDS[unit],
    }


def uploads(server, size, connections, seconds):
    """Load a server with files of `size` bytes; return what wrk says, `cpu_ms` an upload, and how many were `lost`:
    answered well, but not whole on disk."""
    before = server.cpu()
    run = wrk(server, body(size, server.field), connections, seconds)
    run["cpu_ms"] = (server.rest() - before) * 1000 / max(run["taken"], 1)
    run["lost"] = max(0, run["taken"] - server.clear(size))
    return run

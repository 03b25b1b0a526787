"""The peers that the service is measured beside: what they are, and how they are installed at first use."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"
PASSWORD = "a-fine-passphrase"
BASIC = "Basic " + base64.b64encode(f"bench:{PASSWORD}".encode()).decode()


_failed: dict[str, "Left"] = {}  # what could not be installed is not tried again in the same run


class Left(Exception):
    """Why a peer is left out of a run, in one line."""


class Peer(NamedTuple):
    """How a peer is shown, started and asked. `home` is the folder in peers/ with what it needs."""

    title: str
    home: str
    command: str
    many: bool  # it knows more than one process
    path: str = "/api/upload"
    field: str = "file"
    authorization: str = ""  # else a Bearer token that it writes to FOLDER/token


PEERS = {
    "original": Peer("the original", "original", "{node} server.js {port} {folder} prisma.js", True),
    "original-sqlite": Peer("same, no ORM", "original", "{node} server.js {port} {folder} sqlite.js", True),
    "flask": Peer("Flask, 10 min", "python", "{bin}/python flask_app.py {port} {folder}", False),
    "copyparty": Peer(
        "copyparty",
        "python",
        "{bin}/copyparty -q -i 127.0.0.1 -p {port} -a bench:{password} -v {folder}/uploads:up:rw,bench "
        "--hist {folder}/hist -e2dsa --wram",
        False,
        "/up/?j",
        "f",
        BASIC,
    ),
    "fastapi": Peer("FastAPI", "python", "{bin}/uvicorn --port {port} --workers {processes} fastapi_app:app", True),
    "fastify": Peer("Fastify", "node", "{node} fastify.js {port} {folder}", True),
    "express": Peer("Express", "node", "{node} express.js {port} {folder}", True),
    "limit": Peer("socket to file", "", "{python} limit.py {port} {folder} {processes}", True),
}


def installed(home):
    """Install what the folder peers/`home` needs into the cache, if that is not done; return the copy it runs from."""
    source = HERE / "peers" / home
    if not home:
        return source
    wanted = [file.read_bytes() for file in sorted(source.iterdir()) if file.suffix in (".json", ".txt", ".prisma")]
    copy = CACHE / home
    stamp = copy / ".installed"
    if home in _failed:
        raise _failed[home]
    digest = hashlib.sha256(b"".join(wanted)).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        _install(copy)
        stamp.write_text(digest)
    shutil.copytree(source, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def _install(copy):
    if (copy / "package.json").exists():
        steps = [
            "npm install --ignore-scripts --no-fund --no-audit --no-package-lock",
            "npm run prepare-peer --if-present",
        ]
    else:
        steps = [f"{sys.executable} -m venv venv", "venv/bin/python -m pip install -r requirements.txt"]
    log = CACHE / f"{copy.name}.log"
    with log.open("wb") as out:
        for step in steps:
            done = subprocess.run(step.split(), cwd=copy, stdout=out, stderr=out, check=False)
            if done.returncode:
                _failed[copy.name] = Left(f"`{step}` failed, see {log.relative_to(HERE.parent)}")
                raise _failed[copy.name]


def command(name, port, folder, processes):
    """Return (command, working directory) that start the peer `name`; raise Left where that cannot be."""
    peer = PEERS[name]
    if processes > 1 and not peer.many:
        raise Left("it runs as one process only")
    node = "node"
    if processes > 1:
        node = f"node {HERE}/peers/cluster.mjs {processes}"
    if peer.command.startswith("{node}") and not (shutil.which("node") and shutil.which("npm")):
        raise Left("it needs node and npm")
    home = installed(peer.home)
    filled = peer.command.format(
        node=node,
        bin=home / "venv/bin",
        python=sys.executable,
        port=port,
        folder=folder,
        processes=processes,
        password=PASSWORD,
    )
    return filled.split(), home


def environment(folder):
    """Return the environment of a peer: what it writes lies in its folder."""
    mine = {"FOLDER": str(folder), "HOME": str(folder), "TMPDIR": str(folder), "NODE_ENV": "production"}
    return os.environ | mine

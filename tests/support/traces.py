"""What a service leaves behind and tells: files, rows, descriptors, bytes written, lines in its log."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import text

from tests.support.engines import Live
from uploadsvc.extensions import db


def open_files(pid: int | str = "self") -> list[str]:
    """What the process holds open on disk: no sockets, no pipes, and nothing of the database's pool."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if "/uploads" in target:
            found.append(target)
    return sorted(found)


def state(app: Flask, pid: int | str = "self") -> dict[str, Any]:
    """Everything an upload can leave behind: the tree with the staging folder, rows, what they count, descriptors."""
    root: Path = app.config["UPLOADS_DIR"]
    with app.app_context():
        rows = db.session.execute(text("SELECT count(*), coalesce(sum(size), 0) FROM documents")).one()
        used = db.session.scalar(text("SELECT sum(used_bytes) FROM users"))
        db.session.remove()
    tree = sorted((str(p.relative_to(root)), p.lstat().st_size if p.is_file() else 0) for p in root.rglob("*"))
    return {"tree": tree, "rows": tuple(rows), "used": used, "open": open_files(pid)}


def left(live: Live) -> dict[str, Any]:
    """Everything an upload can leave behind: files, rows, what they count, descriptors."""
    files = sorted(str(p) for p in (live.instance / "uploads").rglob("*") if p.is_file())
    with closing(sqlite3.connect(live.instance / "app.db")) as database:
        [rows] = database.execute("SELECT count(*) FROM documents").fetchone()
        [used] = database.execute("SELECT sum(used_bytes) FROM users").fetchone()
    return {"files": files, "rows": rows, "used": used, "open": open_files(live.process.pid)}


def requests_logged(live: Live) -> list[dict[str, Any]]:
    return [line for line in live.lines if line["message"] == "request"]


def written(live: Live) -> int:
    """Bytes the process has written to anything but sockets and its log."""
    io = Path(f"/proc/{live.process.pid}/io").read_text()
    return int(re.search(r"wchar: (\d+)", io)[1]) - live.log.stat().st_size

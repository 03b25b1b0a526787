"""What a service leaves behind and tells: files, rows, descriptors, bytes written, lines in its log."""

import re
from pathlib import Path
from typing import Any

from flask import Flask

from tests.support.engines import Live
from tests.support.stack import Place, files, rows


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
    """Everything an upload can leave behind: files with their sizes, rows, what they count, descriptors."""
    return {"files": files(app), **_counted(app), "open": open_files(pid)}


def left(live: Live) -> dict[str, Any]:
    """Everything an upload can leave behind: files, rows, what they count, descriptors."""
    return {"files": sorted(files(live)), **_counted(live), "open": open_files(live.process.pid)}


_COUNTED = (
    "SELECT (SELECT count(*) FROM documents), (SELECT sum(used_bytes) FROM users),"
    " (SELECT sum(document_count) FROM users), (SELECT sum(files_received) FROM file_requests)"
)


def _counted(place: Place) -> dict[str, int]:
    [[documents, used, kept, received]] = rows(place, _COUNTED)
    return {"rows": documents, "used": used, "kept": kept, "received": received}


def requests_logged(live: Live) -> list[dict[str, Any]]:
    return [line for line in live.lines if line["message"] == "request"]


def written(live: Live) -> int:
    """Bytes the process has written to anything but sockets and its log."""
    io = Path(f"/proc/{live.process.pid}/io").read_text()
    return int(re.search(r"wchar: (\d+)", io)[1]) - live.log.stat().st_size

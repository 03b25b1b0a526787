"""What `serve` does by the clock, with hours of a fraction of a second."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.bodies import PDF, part
from tests.support.clock import eventually
from tests.support.engines import Live, tuned
from tests.support.people import Person
from tests.support.stack import change
from tests.support.visitors import bearer_of
from uploadsvc.cli.maintenance import verified
from uploadsvc.storage import Storage

HOUR = 0.2  # seconds
RECORD = "verified"


@contextmanager
def serving(folder: Path, verify_hours: int) -> Iterator[Live]:
    prelude = "import os\nfrom uploadsvc.cli import schedule\n"
    prelude += f"schedule._HOUR = schedule._LOOK = {HOUR}\nos.environ['VERIFY_HOURS'] = '{verify_hours}'\n"
    with tuned(folder, prelude) as live:
        yield live


def logged(live: Live, message: str) -> list[dict[str, Any]]:
    return [line for line in live.lines if line["message"] == message]


def some_hours_pass(live: Live) -> bool:
    """Have three sweeps been made from now on, after each of which it is asked whether it is time to verify?"""
    for number in range(3):
        leftover = live.instance / "uploads" / ".staging" / f"{number}.part"
        leftover.touch()
        os.utime(leftover, (0, 0))
        if not eventually(lambda leftover=leftover: not leftover.exists()):
            return False
    return True


def overdue(folder: Path) -> None:
    """Let the last verification be long ago."""
    record = folder / "instance" / RECORD
    record.parent.mkdir(exist_ok=True)
    record.touch()
    os.utime(record, (0, 0))


def test_serve_verifies_and_logs_what_is_damaged(tmp_path: Path) -> None:
    """H10: one line with the counts, an error line a damaged document, by its id and without its name."""
    with serving(tmp_path, verify_hours=1) as live:
        headers = live.login()
        for name in ("sound.pdf", "secret-name.pdf"):
            assert live.upload(headers, part(filename=name))[0] == 200
        [path] = (live.instance / "uploads" / "1").glob("*-secret-name.pdf")
        path.write_bytes(bytes(len(PDF)))
        assert eventually(lambda: any(line["damaged"] for line in logged(live, "verified")), 20)
        counts, damaged = logged(live, "verified")[-1], logged(live, "document_damaged")[-1]
        assert (counts["level"], counts["documents"], counts["damaged"]) == ("INFO", 2, 1)
        number = path.name.partition("-")[0]
        assert (damaged["level"], damaged["path"], damaged["reason"]) == (
            "ERROR",
            f"1/{number}",
            "the bytes have changed",
        )
        assert live.request("GET", f"/api/documents/{damaged['document_id']}", headers=headers)[0] == 200
        assert "secret-name" not in live.log.read_text()
        assert some_hours_pass(live), "the sweep goes on"


def test_serve_logs_what_is_miscounted(tmp_path: Path) -> None:
    """E7 and issue 11: what an account keeps, and more files of a request than have come; each by its id."""
    with serving(tmp_path, verify_hours=1) as live:
        headers = live.login() | {"Content-Type": "application/json"}
        made = json.loads(live.request("POST", "/api/requests", b'{"title": "telltale"}', headers)[2])
        assert live.upload({"Authorization": f"Bearer {bearer_of(made)}"})[0] == 200
        change(live, "UPDATE users SET used_bytes = 7")
        change(live, "UPDATE file_requests SET files_received = 0")
        assert eventually(lambda: logged(live, "request_miscounted"), 20)
        usage, request = logged(live, "usage_miscounted")[-1], logged(live, "request_miscounted")[-1]
        assert (usage["level"], usage["user_id"], usage["counted"], usage["kept"]) == ("ERROR", 1, 7, len(PDF))
        told = (request["level"], request["file_request"], request["counted"], request["kept"])
        assert told == ("ERROR", made["id"], 0, 1) and "telltale" not in live.log.read_text()


def test_it_verifies_once_when_it_is_overdue_and_not_again_after_a_restart(tmp_path: Path) -> None:
    """H10: the last time is remembered in the instance folder."""
    overdue(tmp_path)
    with serving(tmp_path, verify_hours=8760) as live:
        assert eventually(lambda: logged(live, "verified"))
        assert some_hours_pass(live) and len(logged(live, "verified")) == 1
    with serving(tmp_path, verify_hours=8760) as live:
        assert some_hours_pass(live) and logged(live, "verified") == []


def test_a_new_instance_waits_for_its_first_time(tmp_path: Path) -> None:
    """H10: what has just been written is not read again at once."""
    with serving(tmp_path, verify_hours=8760) as live:
        assert some_hours_pass(live) and logged(live, "verified") == []
        assert time.time() - (live.instance / RECORD).stat().st_mtime < 60
        assert (live.instance / RECORD).stat().st_mode & 0o777 == 0o600


def test_no_hours_are_no_verification(tmp_path: Path) -> None:
    """VERIFY_HOURS=0, however long ago the last one was."""
    overdue(tmp_path)
    with serving(tmp_path, verify_hours=0) as live:
        assert some_hours_pass(live) and logged(live, "verified") == []


def test_a_gentle_verification_leaves_the_disk_half_its_time(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """H10: it sleeps as long as each file took."""
    for _ in range(5):
        assert alice.upload().status_code == 200
    kind = type(alice.app.extensions["storage"])  # with --scaled a bucket
    true, takes = kind.open, 0.1

    def slow(self: Storage, path: str) -> object:
        time.sleep(takes)
        return true(self, path)

    monkeypatch.setattr(kind, "open", slow)
    with alice.app.app_context():
        began = time.monotonic()
        assert len(list(verified(gently=True))) == 5
    assert time.monotonic() - began >= 2 * 5 * takes

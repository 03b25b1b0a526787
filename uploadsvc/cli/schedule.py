"""What `serve` does by the clock, in the one process that no request waits for: sweep hourly, verify daily.

Of several instances on one PostgreSQL one does it, and another one when that is gone.
"""

import logging
import threading
import time
from pathlib import Path

from flask import Flask

from ..extensions import db
from ..extensions.postgres import Leadership
from ..models import Document
from .maintenance import nameless, swept, swept_staging, verified

log = logging.getLogger("uploadsvc.cli")

_HOUR = 3600.0  # seconds
_LOOK = 5.0  # seconds: how long nobody may be the one who keeps house


def keep_house(app: Flask) -> None:
    """Sweep now and every hour, and verify when it is time again, but not in the first hour, as long as we lead.

    The staging folder is this machine's own: whoever leads, each process that keeps house sweeps its own.
    """
    with app.app_context():
        leadership = Leadership(db.engine)
    house = _House(app)
    try:
        while True:
            house.look(leadership.is_ours())
            time.sleep(_LOOK)
    finally:
        leadership.resign()


class _House:
    """What is to be done, and when it was done last."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._swept = float("-inf")  # when, by the monotonic clock
        self._leads = False
        self._verifier: threading.Thread | None = None

    def look(self, leads: bool) -> None:
        """Do what is due, all of it if we lead; a failure is logged."""
        begins, self._leads = leads and not self._leads, leads
        if begins or time.monotonic() - self._swept >= _HOUR:
            self._swept = time.monotonic()
            self._sweep()
            if leads and not begins:
                self._verify()

    def _sweep(self) -> None:
        try:
            with self._app.app_context():
                list(swept() if self._leads else swept_staging())
        except Exception:  # leaving the context raises, too, when its connection is lost
            log.exception("sweep_failed")

    def _verify(self) -> None:
        if _is_time(self._app) and not (self._verifier and self._verifier.is_alive()):
            self._verifier = threading.Thread(target=_verify, args=(self._app,), daemon=True, name="verifier")
            self._verifier.start()


def _record(app: Flask) -> Path:
    """Return the file whose time is that of the last verification, or of the first look for one."""
    path: Path = app.config["INSTANCE_PATH"] / "verified"
    return path


def _is_time(app: Flask) -> bool:
    record, hours = _record(app), app.config["VERIFY_HOURS"]
    try:
        if not record.exists():
            record.touch(mode=0o600)
        return bool(hours) and time.time() - record.stat().st_mtime >= hours * _HOUR
    except OSError:
        log.exception("verify_failed")
        return False


def _verify(app: Flask) -> None:
    """Verify gently and log what is wrong, without names, and at the end how much was read."""
    try:
        with app.app_context():
            checked, damaged = _verified_documents()
            for user_id, what, counted, kept in Document.miscounted():
                fault = {"user_id": user_id, "what": what, "counted": counted, "kept": kept}
                log.error("usage_miscounted", extra=fault)
            for request_id, counted, kept in Document.beyond_requests():
                log.error("request_miscounted", extra={"file_request": request_id, "counted": counted, "kept": kept})
        _record(app).touch()
        log.info("verified", extra={"documents": checked, "damaged": damaged})
    except Exception:  # leaving the context raises, too, when its connection is lost
        log.exception("verify_failed")


def _verified_documents() -> tuple[int, int]:
    """Return how many documents were read and how many of them are damaged; log these."""
    checked = damaged = 0
    for document, fault in verified(gently=True):
        checked += 1
        if fault:
            damaged += 1
            about = {"document_id": document.public_id, "path": nameless(document.path), "reason": fault}
            log.error("document_damaged", extra=about)
    return checked, damaged

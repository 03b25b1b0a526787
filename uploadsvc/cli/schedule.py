"""What `serve` does by the clock, in the one process that no request waits for: sweep hourly, verify daily."""

import logging
import threading
import time
from pathlib import Path

from flask import Flask

from ..extensions import db
from ..models import Document
from .maintenance import nameless, swept, verified

log = logging.getLogger("uploadsvc.cli")

_HOUR = 3600.0  # seconds


def keep_house(app: Flask) -> None:
    """Sweep now and every hour, and verify when it is time again, but not in the first hour; a failure is logged."""
    verifier: threading.Thread | None = None
    while True:
        with app.app_context():
            try:
                list(swept())
            except Exception:
                log.exception("sweep_failed")
        time.sleep(_HOUR)
        if _is_time(app) and not (verifier and verifier.is_alive()):
            verifier = threading.Thread(target=_verify, args=(app,), daemon=True, name="verifier")
            verifier.start()


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
    checked = damaged = 0
    with app.app_context():
        try:
            for document, fault in verified(gently=True):
                checked += 1
                if fault:
                    damaged += 1
                    about = {"document_id": document.public_id, "path": nameless(document.path), "reason": fault}
                    log.error("document_damaged", extra=about)
            for user_id, counted, kept in Document.miscounted():
                log.error("usage_miscounted", extra={"user_id": user_id, "counted": counted, "kept": kept})
            db.session.remove()
            _record(app).touch()
            log.info("verified", extra={"documents": checked, "damaged": damaged})
        except Exception:
            log.exception("verify_failed")

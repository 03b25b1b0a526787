"""What the operator sees: ids, one log line a request, who did what, faults, figures."""

from flask import Flask

from . import audit, database, faults, logs, metrics, requests, sentry
from .requests import BYTES_IN, outside_app

__all__ = ["BYTES_IN", "database", "init_app", "metrics", "outside_app"]


def init_app(app: Flask) -> None:
    """Have every request numbered and logged, and every fault too."""
    logs.configure(app.config["LOG_LEVEL"], app.config["LOG_FORMAT"])
    sentry.init_app(app.config["SENTRY_DSN"])
    audit.init_app()
    requests.init_app(app)
    faults.init_app(app)

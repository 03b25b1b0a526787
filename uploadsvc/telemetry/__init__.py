"""What the operator sees: request ids, one log line a request, security events, faults, figures."""

from flask import Flask

from . import database, faults, logs, metrics, requests
from .requests import BYTES_IN, outside_app

__all__ = ["BYTES_IN", "database", "init_app", "metrics", "outside_app"]


def init_app(app: Flask) -> None:
    """Have every request numbered and logged, and every fault too."""
    logs.configure(app.config["LOG_LEVEL"], app.config["LOG_FORMAT"])
    requests.init_app(app)
    faults.init_app(app)

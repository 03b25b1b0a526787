"""`/metrics`: the figures for Prometheus, and those of them that the database and the disk know."""

import hmac
import ipaddress
import logging
import re
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, request
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Select, func, or_, select, union
from sqlalchemy.exc import SQLAlchemyError

from .errors import Unauthorized
from .extensions import connection
from .guard import PROXIED, is_proxied
from .models import ApiToken, Document, Session, User, now
from .storage import Storage
from .telemetry.metrics import CONTENT_TYPE, exposition
from .throttle import Store

bp = Blueprint("metrics", __name__)
log = logging.getLogger("uploadsvc.metrics")

_FRESH = 30.0  # seconds for which the facts are not asked again
_WINDOWS = {"15m": timedelta(minutes=15), "24h": timedelta(hours=24)}
_NEAR_HOST = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")


def init_app(app: Flask) -> None:
    """Register the route."""
    app.extensions["facts"] = Facts(app.extensions["storage"], app.extensions["throttle_store"])
    app.register_blueprint(bp)


@bp.get("/metrics")
def metrics() -> Response:
    """Tell the figures, to whoever has METRICS_TOKEN, without one to this machine alone."""
    _admit(current_app.config["METRICS_TOKEN"])
    text = exposition(current_app.extensions["facts"], current_app.config["METRICS_FOLDER"])
    return Response(text, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


class Facts(Collector):
    """What the database and the disk know: asked by a scrape, and no more often than every 30 seconds.

    Where processes share a store for their throttles, also whether it is there.
    """

    def __init__(self, storage: Storage, store: Store | None) -> None:
        self._storage = storage
        self._store = store
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._known: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """Return the facts; where they cannot be had, none: the rest of the figures tells why."""
        with self._lock:
            if time.monotonic() - self._asked > _FRESH:
                self._known, self._asked = self._ask(), time.monotonic()
            return self._known + self._throttles()

    def _throttles(self) -> list[Metric]:
        if self._store is None:
            return []
        return [
            _gauge("throttle_store_up", "1: REDIS_URL is used; 0: this process counts alone.", not self._store.lost)
        ]

    def _ask(self) -> list[Metric]:
        try:
            return [
                _gauge("documents", "Documents that are kept.", _scalar(select(func.sum(User.document_count)))),
                _gauge("storage_used_bytes", "Their bytes.", _scalar(select(func.sum(User.used_bytes)))),
                _gauge("storage_free_bytes", "Room where they lie, as uploads see it.", self._storage.free_bytes()),
                _active_users(),
            ]
        except (SQLAlchemyError, OSError):
            log.exception("facts_unknown")
            return []


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _active_users() -> Metric:
    family = GaugeMetricFamily("active_users", "Accounts that signed in, renewed or uploaded.", labels=["window"])
    for window, length in _WINDOWS.items():
        since = now() - length
        sessions = select(Session.user_id).where(or_(Session.created_at >= since, Session.rotated_at >= since))
        tokens = select(ApiToken.user_id).where(ApiToken.last_used_at >= since)
        uploads = select(Document.user_id).where(Document.created_at >= since, Document.request_id.is_(None))
        users = union(sessions, tokens, uploads).subquery()
        family.add_metric([window], _scalar(select(func.count()).select_from(users)))
    return family


def _scalar(query: Select[Any]) -> int:
    return int(connection().scalar(query) or 0)  # a sum of large numbers is a Decimal of PostgreSQL's


def _admit(token: str) -> None:
    """Raise Unauthorized for a wrong token; without one to show, answer whoever is elsewhere with 404."""
    if token:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            raise Unauthorized("Send METRICS_TOKEN as a Bearer token.", reason="invalid" if given else "")
    elif not _is_near():
        abort(404)  # not 403: whoever may not see the figures need not learn that they are there


def _is_near() -> bool:
    """Tell whether this machine asks for itself.

    A proxy on it that TRUSTED_PROXY does not name makes all the world look so: what proxies add is a sign of it, and
    so is another Host, which a page in a browser of this machine has too (DNS rebinding), and HTTP/1.0, which nginx
    speaks unless told otherwise.
    """
    proxied = request.environ.get(PROXIED) or is_proxied(request.environ)
    direct = not proxied and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
    return direct and _is_loopback(request.remote_addr or "") and bool(_NEAR_HOST.fullmatch(request.host))


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback

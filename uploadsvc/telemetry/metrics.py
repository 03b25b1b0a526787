"""What Prometheus is told: each figure's definition, and how a request enters them.

Labels are routes, statuses and words of our own: never a user, a name, an address or a path, for a series that is once
there stays until the process ends.
"""

import os
from collections.abc import Iterable
from functools import partial
from typing import Any

from flask import Response, g
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ..errors import ApiError, TooManyRequests, Unauthorized, UnsupportedType
from .notes import count_notes, into, note

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # which every scraper reads

disable_created_metrics()  # one more series for each that nobody asks for
_registry = CollectorRegistry()
ProcessCollector(registry=_registry)
_counter = partial(Counter, registry=_registry)
_gauge = partial(Gauge, registry=_registry, multiprocess_mode="livesum")
_histogram = partial(Histogram, registry=_registry)

_KIB = 1024
_MIB = 1024 * _KIB
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)  # OTel's and two
_RECEIVE_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1200)
_STORE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_QUERY_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
_SIZE_BUCKETS = (64 * _KIB, _MIB, 4 * _MIB, 10 * _MIB, 32 * _MIB, 128 * _MIB, 512 * _MIB, 2048 * _MIB)
_SPEED_BUCKETS = (*(64 * _KIB * 4**step for step in range(7)), 512 * _MIB)

_request_seconds = _histogram(
    "http_request_duration_seconds",
    "From when a thread takes a request up to its answer; of one that broke off, from its first byte.",
    ["method", "route", "status"],
    buckets=_REQUEST_BUCKETS,
)
_in_progress = _gauge("http_requests_in_progress", "Requests that are being answered.")
_uploads = _counter("uploads_total", "Uploads, each a request of one or more files.", ["result"])
_upload_bytes = _counter(
    "upload_bytes_total", "Content of uploads; of those refused on the way what came of the body.", ["result"]
)
_upload_size = _histogram("upload_size_bytes", "Content of a stored upload.", buckets=_SIZE_BUCKETS)
_receive_seconds = _histogram(
    "upload_receive_seconds",
    "From an upload's first byte to its last, 0 if all came at once.",
    buckets=_RECEIVE_BUCKETS,
)
_speed = _histogram(
    "upload_speed_bytes_per_second",
    "How fast an upload came, of those that did not come all at once.",
    buckets=_SPEED_BUCKETS,
)
_store_seconds = _histogram(
    "upload_store_seconds", "Syncing and committing an upload's files.", ["backend"], buckets=_STORE_BUCKETS
)
QUERY_SECONDS = _histogram(
    "database_query_seconds",
    "A statement with the wait for one's turn to write, or a commit.",
    ["operation"],
    buckets=_QUERY_BUCKETS,
)
_logins = _counter("logins_total", "Tries to sign in.", ["result"])
_token_rejections = _counter(
    "token_rejections_total", "What sessions, scripts and visitors bear and was refused.", ["reason"]
)
_suspicious_files = _counter("suspicious_files_total", "Files refused for what they are.", ["reason"])
_rate_limited = _counter("rate_limited_total", "Requests refused by a throttle.", ["scope"])
_queue_depth = _gauge("waitress_queue_depth", "Requests that wait for a thread, looked at once a second.")
_connections = _gauge("waitress_open_connections", "Open connections, looked at once a second.")

_SUSPICIOUS = ("name", "declared_type", "content", "malware")
_RESULT_BY_STATUS = {401: "unauthorized", 408: "timeout", 413: "too_large", 429: "throttled", 499: "client_closed"}
_RESULT_BY_CODE = {"quota_exceeded": "quota"}  # of others the code itself
_RESULT_BY_REASON = {"truncated": "truncated", "over": "request_over"}
_LOGIN_RESULT = {200: "ok", 401: "failed", 429: "throttled"}
_LOGIN, _UPLOAD = "/api/auth/login", "/api/upload"


def _begin_at_zero() -> None:
    """Make the series that alerts ask for: Prometheus sees no increase in one that begins with its first event."""
    known: dict[Any, Iterable[str]] = {
        _uploads: (
            "ok",
            "quota",
            "truncated",
            "suspicious",
            "storage_error",
            "insufficient_storage",
            "scan_failed",
            "unavailable",
            "request_over",
        ),
        _upload_bytes: ("ok",),
        _logins: _LOGIN_RESULT.values(),
        _token_rejections: ("invalid", "expired", "revoked", "csrf", "over"),
        _suspicious_files: _SUSPICIOUS,
        _rate_limited: ("address", "pair", "account", "checks", "uploads", "request", "visitor", "secret"),
    }
    for metric, labels in known.items():
        for label in labels:
            into(metric, label)
    for result in _RESULT_BY_STATUS.values():
        into(_uploads, result)


_begin_at_zero()


def begun() -> None:
    """Count a request that has reached the application."""
    note(_in_progress.inc, 1)


def answered(method: str, route: str, response: Response, seconds: float, bytes_in: int) -> None:
    """Count a request that the application has answered, by what its answer tells; `bytes_in` came of its body."""
    note(_in_progress.dec, 1)
    status: int = response.status_code
    error: ApiError | None = getattr(response, "error", None)
    note(into(_request_seconds, method, route, status), seconds)
    if _is_upload(method, route):
        _count_upload(_result(status, error), g.get("content_bytes", bytes_in))
    elif route == _LOGIN:
        note(into(_logins, _LOGIN_RESULT.get(status, "refused")), 1)
    if error is not None:
        _count_refusal(error)


def ended_outside(method: str, route: str, status: int, seconds: float, bytes_in: int) -> None:
    """Count a request that ended before it reached the application."""
    note(into(_request_seconds, method, route, status), seconds)
    if _is_upload(method, route):
        _count_upload(_result(status, None), bytes_in)


def upload_arrived(size: int, seconds: float, speed: float) -> None:
    """Time an upload whose body came whole: bytes of content, seconds, bytes a second or 0 where that is not known."""
    g.content_bytes = size
    note(into(_receive_seconds), seconds)
    if speed:
        note(into(_speed), speed)


def upload_stored(backend: str, seconds: float) -> None:
    """Time the storing of an upload whose files were found good, up to its commit."""
    note(into(_store_seconds, backend), seconds)


def looked_at_server(waiting: int, connections: int) -> None:
    """Tell how many requests wait for a thread, and how many connections are open; to be called once a second."""
    count_notes()
    _queue_depth.set(waiting)
    _connections.set(connections)


def exposition(facts: Collector, folder: str) -> bytes:
    """Return every figure, and what `facts` collects; of all workers where they keep theirs in `folder`."""
    count_notes()
    registry = CollectorRegistry()
    registry.register(facts)
    if folder:
        registry.register(MultiProcessCollector(None, folder))
        registry.register(_SupervisorsStart())
    else:
        registry.register(_registry)
    return generate_latest(registry)


class _SupervisorsStart(Collector):
    """Of the process metrics the one that several workers have in common: since when the service runs."""

    def collect(self) -> Iterable[Metric]:
        process = ProcessCollector(pid=os.getppid, registry=None)
        return [metric for metric in process.collect() if metric.name == "process_start_time_seconds"]


def _is_upload(method: str, route: str) -> bool:
    return method in ("POST", "PUT") and route.startswith(_UPLOAD)


def _count_upload(result: str, size: int) -> None:
    note(into(_uploads, result), 1)
    note(into(_upload_bytes, result), size)
    if result == "ok":
        note(into(_upload_size), size)


def _result(status: int, error: ApiError | None) -> str:
    """Return the one word for how an upload ended."""
    if status < 400:  # noqa: PLR2004 - RFC 9110 §15.5
        return "ok"
    if error and error.reason in _RESULT_BY_REASON:
        return _RESULT_BY_REASON[error.reason]
    if error and _is_suspicious(error):
        return "suspicious"
    if status in _RESULT_BY_STATUS:
        return _RESULT_BY_STATUS[status]
    return _RESULT_BY_CODE.get(error.code, error.code) if error else "malformed"  # what Flask itself refuses


def _is_suspicious(error: ApiError) -> bool:
    return isinstance(error, UnsupportedType) and error.reason in _SUSPICIOUS


def _count_refusal(error: ApiError) -> None:
    if _is_suspicious(error):
        note(into(_suspicious_files, error.reason), 1)
    elif isinstance(error, Unauthorized) and error.reason:  # else there was no token, or it was a password
        note(into(_token_rejections, error.reason), 1)
    elif isinstance(error, TooManyRequests):
        note(into(_rate_limited, error.reason or "other"), 1)

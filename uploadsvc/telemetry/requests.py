"""One log line a request, and the ids that all its lines bear."""

import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app, g, request

from ..credentials import new_id
from . import metrics
from .audit import visiting
from .logs import NO_IDS, ids

log = logging.getLogger("uploadsvc.request")

BYTES_IN = "uploadsvc.bytes_in"  # in the WSGI environment, from a server that counts
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Four fields, of which a version after 00 may have more; ff is no version, and noughts are no id.
_TRACEPARENT = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def init_app(app: Flask) -> None:
    """Number and log every request."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    trusted = bool(current_app.config["TRUSTED_PROXY"]) and _GIVEN_ID.fullmatch(given)
    g.request_id = given if trusted else new_id()
    g.started = time.perf_counter()
    ids.set({"request_id": g.request_id} | _trace(request.environ.get("HTTP_TRACEPARENT", "")))
    metrics.begun()


def _trace(traceparent: str) -> dict[str, str]:
    """Return the trace id of a header that is valid (W3C Trace Context §3.2), of any other nothing."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return {"trace_id": found[1]} if found else {}


def _forget(_error: BaseException | None) -> None:
    ids.set(NO_IDS)  # the thread has other lines to write


def _end(response: Response) -> Response:
    """Log the request: no names, no tokens, no query, and the route instead of the path."""
    response.headers["X-Request-ID"] = g.request_id
    principal = g.get("principal")
    method = request.method if request.method in _METHODS else "OTHER"
    route = request.url_rule.rule if request.url_rule else "unmatched"
    seconds = time.perf_counter() - g.started
    bytes_in = request.environ.get(BYTES_IN, request.content_length or 0)
    metrics.answered(method, route, response, seconds, bytes_in)
    log.info(
        "request",
        extra={
            "method": method,
            "route": route,
            "status": response.status_code,
            "duration_ms": round(seconds * 1000, 1),
            "bytes_in": bytes_in,
            "user_id": principal and principal.user_id,
            "remote_addr": request.remote_addr,
        }
        | visiting(principal),
    )
    return response


def outside_app(proxy: str, method: str, status: int, peer: str, headers: Mapping[str, str], **fields: Any) -> None:
    """Log and count a request that never reached the application, from the address `peer`.

    `headers` are by the names that CGI has for them, without HTTP_; of address and id only the trusted `proxy` is
    believed, and of several hops the last.
    """
    given = headers if peer == proxy else {}
    given_id = given.get("X_REQUEST_ID", "")
    address = given.get("X_FORWARDED_FOR", "").rpartition(",")[2].strip() or peer
    method, route = method if method in _METHODS else "OTHER", fields.get("route", "unmatched")
    metrics.ended_outside(method, route, status, fields.get("duration_ms", 0) / 1000, fields.get("bytes_in", 0))
    known = {"remote_addr": address, "request_id": given_id if _GIVEN_ID.fullmatch(given_id) else new_id()}
    fields = {"method": method, "route": route, "status": status} | fields | known
    log.info("request", extra=fields | _trace(headers.get("TRACEPARENT", "")))

"""Faults told to Sentry where SENTRY_DSN says so: what failed and where in the code, nothing that anybody sent.

None of the SDK's integrations with a framework is used. They wrap the application and read its requests; one that
reads a body takes it from the intake, and what is never read needs no scrubbing.
"""

import logging
from typing import Any

from flask import has_request_context, request

from .logs import with_ids

_KEPT = ("event_id", "timestamp", "platform", "level", "logger", "exception", "environment", "sdk")
_IDS = ("request_id", "trace_id")


def init_app(dsn: str) -> None:
    """Send every line of level ERROR to `dsn`, in a thread of the SDK's; nothing at all without one."""
    if not dsn:
        return
    import sentry_sdk  # noqa: PLC0415 - an extra
    from sentry_sdk.integrations.atexit import AtexitIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.logging import EventHandler  # noqa: PLC0415

    sentry_sdk.init(
        dsn,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[AtexitIntegration(callback=lambda _pending, _timeout: None)],
        before_send=_without_what_users_sent,
        release="",  # else it asks git
        include_local_variables=False,
        max_request_body_size="never",
        traces_sample_rate=0,
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_backpressure_handling=False,
    )
    handler = EventHandler(level=logging.ERROR)
    handler.addFilter(with_ids)
    logging.getLogger().addHandler(handler)


def _without_what_users_sent(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """Return the event with what is known to be ours; the sentence of an exception may quote a name, and is not.

    The log has that sentence, under the same `request_id`. Another library's message may hold a path.
    """
    record = hint["log_record"]
    told = {name: event[name] for name in _KEPT if name in event}
    told["message"] = record.msg if record.name.startswith("uploadsvc.") else "a library's error"
    told["tags"] = {name: vars(record)[name] for name in _IDS if name in vars(record)} | _route()
    for exception in told.get("exception", {}).get("values", []):
        exception.pop("value", None)
    return told


def _route() -> dict[str, str]:
    if not has_request_context():
        return {}
    return {"method": request.method, "route": request.url_rule.rule if request.url_rule else "unmatched"}

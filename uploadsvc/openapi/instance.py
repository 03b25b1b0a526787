"""The operations on the instance itself, for whoever watches it and for programs."""

from typing import Any

from .answers import answer, ok, refused
from .operations import ANYONE, get
from .schemas import NOT_OK, OK, TEXT, YES_OR_NO, record

_CHECKS = record(dict.fromkeys(("not_draining", "database", "schema", "storage"), YES_OR_NO))

INSTANCE: dict[str, dict[str, Any]] = {
    "/api/openapi.json": get(
        "openapi",
        "Describe this API",
        ANYONE,
        {"200": answer("OpenAPI 3.1.", {"application/json": {"type": "object"}})},
    ),
    "/healthz": get("healthz", "Tell that the process answers", ANYONE, ok("It does.")),
    "/readyz": get(
        "readyz",
        "Tell whether uploads would work",
        ANYONE,
        {
            "200": answer("They would.", {"application/json": record({"ok": OK, "checks": _CHECKS})}),
            "503": answer("They would not.", {"application/json": record({"ok": NOT_OK, "checks": _CHECKS})}),
        },
    ),
    "/metrics": get(
        "metrics",
        "Tell the figures, for Prometheus",
        [{"metrics": []}, {}],
        {"200": answer("The text format.", {"text/plain": TEXT})} | refused(404),
        description="Without a METRICS_TOKEN only the service's own machine gets them, others 404.",
    ),
}

"""What the API is, told to programs: OpenAPI 3.1, built once. A route stands in `accounts`, `files`, `requests` or
`instance`."""

import json
from typing import Any

from flask import Blueprint, Response

from .accounts import ACCOUNTS
from .answers import HEADERS, RESPONSES
from .files import FILES
from .instance import INSTANCE
from .operations import SECURITY_SCHEMES
from .requests import REQUESTS
from .schemas import SCHEMAS

bp = Blueprint("openapi", __name__)

_ABOUT = """\
A small team collects PDF, DOCX and TXT files. Sizes are in bytes, times RFC 3339 in UTC, ids opaque. A refusal is \
`{"ok": false, "error": <stable code>, "message": <a sentence>}` with its status; act on the code, show the message. \
A status that is listed with every operation may come from the server itself, before it knows which one was meant. \
What is not listed is 404 `not_found`, or 405 `method_not_allowed` with `Allow`; HEAD goes wherever GET does.

A JSON body has at most 16 KiB and 32 levels, the request line 19 KiB, the headers 16 KiB and 100 lines. Members \
that are not described are ignored, and answers may get more of them. Unsafe requests that a browser sends for \
another site's page are 403 `cross_site`. Cookies need the header `X-CSRF-Token` on everything but GET."""


def document() -> dict[str, Any]:
    """Return the description, as the specification's JSON objects."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "uploadsvc", "version": "1", "description": _ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "paths": ACCOUNTS | FILES | REQUESTS | INSTANCE,
        "components": {
            "schemas": SCHEMAS,
            "responses": RESPONSES,
            "headers": HEADERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


_TEXT = json.dumps(document(), ensure_ascii=False) + "\n"


@bp.get("/api/openapi.json")
def openapi() -> Response:
    """Send the description; it is the same for everybody."""
    return Response(_TEXT, mimetype="application/json")

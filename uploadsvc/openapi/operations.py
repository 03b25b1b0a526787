"""How a path's row is written: who may ask, what is sent, what is answered."""

from functools import partial
from typing import Any

from .answers import ALWAYS, Answers, refused
from .schemas import Schema

Access = list[dict[str, list[str]]]  # sets of security schemes, each of which is enough, with the token's scope

ANYONE: Access = []
SESSION: Access = [{"session": []}, {"cookie": [], "csrf": []}]
FULL: Access = [*SESSION, {"apiToken": ["full"]}, {"basic": ["full"]}]
VISIT: Access = [{"request": []}]
UPLOAD: Access = [*SESSION, {"apiToken": ["upload"]}, {"basic": ["upload"]}, *VISIT]

SECURITY_SCHEMES = {
    "session": {"type": "http", "scheme": "bearer", "description": "The `accessToken` of a sign-in."},
    "apiToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token (`ups_…`) with the scope that is asked for; `full` includes `upload`.",
    },
    "request": {
        "type": "http",
        "scheme": "bearer",
        "description": "What follows the `#` in the `url` of a file request, as its visitors bear it.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "An API token as the password of any user name."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "token", "description": "Set by a sign-in."},
    "refreshCookie": {"type": "apiKey", "in": "cookie", "name": "refresh_token", "description": "Set by a sign-in."},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "The newest `csrfToken`, which is the cookie `csrf_token` too.",
    },
    "metrics": {"type": "http", "scheme": "bearer", "description": "METRICS_TOKEN, where the operator has set it."},
}


def sent(schema: Schema, media_type: str = "application/json", **more: Any) -> Schema:
    """Return a request's body."""
    return {"required": True, "content": {media_type: {"schema": schema} | more}}


def given(name: str, place: str, schema: Schema, description: str = "", **more: Any) -> Schema:
    """Return a parameter; only those in the path are required."""
    told = {"description": description} if description else {}
    return {"name": name, "in": place, "required": place == "path", "schema": schema} | told | more


def _operation(
    method: str, name: str, summary: str, access: Access, answers: Answers, **more: Any
) -> dict[str, dict[str, Any]]:
    """Return one method of a path; `more` is OpenAPI's own. Cookies need no CSRF token for a GET."""
    safe = method == "get"
    if safe:
        access = [{scheme: scopes for scheme, scopes in each.items() if scheme != "csrf"} for each in access]
    everybody = not access or {} in access
    always = ALWAYS if safe and everybody else (*ALWAYS, 403)
    operation = {"operationId": name, "summary": summary, "security": access} | more
    return {method: operation | {"responses": dict(sorted((refused(*always) | answers).items()))}}


get, post, put, delete = (partial(_operation, method) for method in ("get", "post", "put", "delete"))

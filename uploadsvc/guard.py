"""What is refused before any view sees it: headers that a library would stumble over, and other sites' requests."""

import re

from flask import Flask, current_app, g, request

from .errors import ApiError, CrossSite, CsrfFailed, InternalError, Unauthorized

REFUSAL = "uploadsvc.refusal"  # in the WSGI environment, from a server that refuses the request itself
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def init_app(app: Flask) -> None:
    """Have every request looked at first."""
    app.before_request(_refuse_what_the_server_refuses)
    app.before_request(_refuse_strange_headers)
    app.before_request(_refuse_cross_site)


def _refuse_what_the_server_refuses() -> None:
    """Answer in the server's name, so that its refusals look, and are logged, like all others."""
    refusal = request.environ.get(REFUSAL)
    if refusal is None:
        return
    if isinstance(refusal, ApiError):
        raise refusal
    raise InternalError(g.request_id)


def _refuse_strange_headers() -> None:
    """Refuse what the library would stumble over: a CSRF token that is not ASCII, a blank list member."""
    if not request.headers.get("X-CSRF-Token", "").isascii():
        raise CsrfFailed
    if any(
        member and not member.strip()
        for member in re.split(r",\s*", request.headers.get("Authorization", "").strip().strip(","))
    ):
        raise Unauthorized


def _refuse_cross_site() -> None:
    """Refuse unsafe requests that a browser says come from another site (OWASP CSRF, Fetch Metadata).

    A browser too old for Sec-Fetch-Site still sends Origin; a script sends neither, and its token decides.
    """
    if request.method in _SAFE_METHODS:
        return
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin in current_app.config["FRONTEND_URL"]:
        return
    foreign = origin not in (None, current_app.config["PUBLIC_URL"]) and origin.partition("://")[2] != request.host
    if site in ("cross-site", "same-site") or (site is None and foreign):
        raise CrossSite("This request came from another site's page.")

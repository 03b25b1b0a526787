"""What is refused before any view sees it: strange headers, other hosts' names, other sites' requests.

The refusals that may be an attack are security events (ASVS 5.0 §16.3).
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, current_app, g, request

from . import audit
from .errors import ApiError, BadRequest, CrossSite, CsrfFailed, InternalError, TooManyRequests, Unauthorized, answer
from .message import glimpse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

REFUSAL = "uploadsvc.refusal"  # in the WSGI environment, from a server that refuses the request itself
PROXIED = "uploadsvc.proxied"  # in the WSGI environment, from a server that drops what a proxy adds
_PROXY_HEADERS = frozenset({"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP"})
_FORWARDED = {  # by an honest proxy: one scheme, and addresses without quotes
    "HTTP_X_FORWARDED_PROTO": re.compile("(https?)?", re.IGNORECASE),
    "HTTP_X_FORWARDED_FOR": re.compile('[^"]*'),
}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}  # RFC 9110 §9.2.1
_OWN_SITE = {"same-origin", "none"}  # none: typed, or a bookmark (Fetch Metadata §2.3)
_EVENTS = {CsrfFailed: "csrf_refused", CrossSite: "cross_site_refused", TooManyRequests: "throttled"}


class PlainRequest(Request):
    """A request whose Host is in lower case, as TRUSTED_HOSTS are: a host's name has no case (RFC 9110 §4.2.3).

    What is wrong with a JSON body is told in a sentence of ours.
    """

    def __init__(self, environ: dict[str, Any], *args: Any, **options: Any) -> None:
        if "HTTP_HOST" in environ:
            environ["HTTP_HOST"] = environ["HTTP_HOST"].lower()
        super().__init__(environ, *args, **options)

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Refuse a body that is no JSON; without an error it was not sent as such, and that is Flask's 415."""
        if e is None:
            return super().on_json_loading_failed(e)
        raise BadRequest("The body is not valid JSON in UTF-8, or holds a NUL, or is nested too deeply.") from e


def believing(application: "WSGIApplication", proxy: str) -> "WSGIApplication":
    """Return `application` with only what the one trusted `proxy` says left, while the peer's address is still known.

    An X-Request-ID of anybody else's is dropped; a garbled claim of the proxy's is refused by the application itself.
    """

    def believe(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        environ[PROXIED] = is_proxied(environ)
        if environ["REMOTE_ADDR"] != proxy:
            environ.pop("HTTP_X_REQUEST_ID", None)
            return application(environ, start_response)
        for key, valid in _FORWARDED.items():
            if not valid.fullmatch(environ.get(key, "")):
                del environ[key]
                environ[REFUSAL] = BadRequest("The proxy in front of the service forwards a header it cannot read.")
        return application(environ, start_response)

    return believe


def refusing(error: ApiError, head: bytes) -> dict[str, Any]:
    """Return what in the WSGI environment has the application answer with `error`, to the page that asked.

    `head` is the header block if it could not be read; whose page that was stands in it.
    """
    path, origin = glimpse(head)
    asked = {"PATH_INFO": path, "HTTP_ORIGIN": origin} if origin else {}
    return {REFUSAL: error, **asked}


def is_proxied(environ: Mapping[str, Any]) -> bool:
    """Tell whether a request bears what proxies add."""
    return not environ.keys().isdisjoint(_PROXY_HEADERS)


def prepare(app: Flask) -> None:
    """Read hosts without their case and never redirect; to be called before the first route is added.

    Werkzeug's redirects to a tidier address name the client's Host as ours; what is not exactly one of our addresses
    is not found.
    """
    app.request_class = PlainRequest
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False


def init_app(app: Flask) -> None:
    """Have every request looked at first, and every suspicious refusal told."""
    app.before_request(_refuse_what_the_server_refuses)
    app.before_request(_refuse_strange_headers)
    app.before_request(_refuse_cross_site)
    for error in _EVENTS:
        app.register_error_handler(error, refused)


def refused(error: ApiError) -> Response:
    """Log the event that `error` is, and answer it."""
    event = next(name for kind, name in _EVENTS.items() if isinstance(error, kind))
    audit.tell(event)
    return answer(error)


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
    if not request.environ.get("HTTP_X_CSRF_TOKEN", "").isascii():
        raise CsrfFailed
    authorization = request.environ.get("HTTP_AUTHORIZATION", "").strip().strip(",")
    if "," in authorization and any(member and not member.strip() for member in re.split(r",\s*", authorization)):
        raise Unauthorized


def _refuse_cross_site() -> None:
    """Refuse unsafe requests that a browser says come from another site (OWASP CSRF, Fetch Metadata).

    A browser too old for Sec-Fetch-Site still sends Origin; a script sends neither, and its token decides.
    """
    if request.method in SAFE_METHODS:
        return
    origin, site = request.environ.get("HTTP_ORIGIN"), request.environ.get("HTTP_SEC_FETCH_SITE")
    if origin is None and site is None:
        return
    if origin in current_app.config["FRONTEND_URL"]:
        return
    own = (None, current_app.config["PUBLIC_URL"], f"{request.scheme}://{request.host}")
    foreign = origin not in own if site is None else site not in _OWN_SITE
    if foreign:
        raise CrossSite("This request came from another site's page.")

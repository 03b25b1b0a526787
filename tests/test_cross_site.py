"""Other people's pages: CSRF, CORS, methods, and the headers and form of every answer, the server's own included."""

import http.client
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, multipart, part
from tests.support.engines import BASE, Live
from tests.support.people import PASSWORD, Person, csrf, signed_in
from uploadsvc import create_app
from uploadsvc.config import ConfigError

LOGIN, REFRESH, LOGOUT = "/api/auth/login", "/api/auth/refresh", "/api/auth/logout"
VERIFY, PASSWORD_ROUTE, UPLOAD = "/api/auth/verify-status", "/api/auth/password", "/api/upload"
ALICE = {"email": "alice@example.com", "password": PASSWORD}
OWN, APP, EVIL = "http://localhost", "https://app.example.com", "https://evil.test"
NEW_PASSWORD = {"current": PASSWORD, "new": "another-passphrase"}


def uploaded(visitor: FlaskClient, headers: dict[str, str]) -> TestResponse:
    return visitor.post(UPLOAD, data=multipart(part()), content_type=CONTENT_TYPE, headers=headers)


def error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json().get("error")


# --- CSRF: cookies are sent by any page, the header only by ours


def no_header(_: FlaskClient) -> dict[str, str]:
    return {}


def empty_header(_: FlaskClient) -> dict[str, str]:
    return {"X-CSRF-Token": ""}


def wrong_header(_: FlaskClient) -> dict[str, str]:
    return {"X-CSRF-Token": "0" * 32}


def other_sessions_header(visitor: FlaskClient) -> dict[str, str]:
    return csrf(signed_in(visitor.application))


def planted_cookie(visitor: FlaskClient) -> dict[str, str]:
    visitor.set_cookie("csrf_token", "planted")
    return {"X-CSRF-Token": "planted"}


def former_header(visitor: FlaskClient) -> dict[str, str]:
    former = csrf(visitor)
    visitor.post(REFRESH, headers=former)
    return former


BAD_CSRF = [no_header, empty_header, wrong_header, other_sessions_header, planted_cookie, former_header]


@pytest.mark.parametrize("spoil", BAD_CSRF)
def test_an_upload_by_cookie_needs_its_sessions_csrf_value(
    visitor: FlaskClient, unchanged: Callable[[], Any], spoil: Callable[[FlaskClient], dict[str, str]]
) -> None:
    """B1, B3: cookie and header being equal is not enough, the value must be the one in the token; nothing is kept."""
    headers = spoil(visitor)
    with unchanged():
        assert error(uploaded(visitor, headers)) == (401, "csrf_failed")


@pytest.mark.parametrize("spoil", BAD_CSRF)
def test_a_document_is_not_deleted_without_the_csrf_value(
    visitor: FlaskClient, alice: Person, spoil: Callable[[FlaskClient], dict[str, str]]
) -> None:
    """B1, B3: the same for DELETE."""
    [file] = alice.upload().get_json()["files"]
    path = f"/api/documents/{file['id']}"
    assert error(visitor.delete(path, headers=spoil(visitor))) == (401, "csrf_failed")
    assert visitor.get(path).status_code == 200


@pytest.mark.parametrize("spoil", BAD_CSRF)
@pytest.mark.parametrize("path", [LOGOUT, REFRESH, PASSWORD_ROUTE])
def test_a_session_is_not_touched_without_the_csrf_value(
    visitor: FlaskClient, path: str, spoil: Callable[[FlaskClient], dict[str, str]]
) -> None:
    """B1, B3: no page can end, renew or take over a session; the refusal sets no cookie."""
    headers = spoil(visitor)
    answer = visitor.post(path, headers=headers, json=NEW_PASSWORD)
    assert error(answer) == (401, "csrf_failed")
    assert "Set-Cookie" not in answer.headers
    assert visitor.get("/api/documents").status_code == 200
    assert visitor.post(LOGIN, json=ALICE).status_code == 200


def test_a_bearer_token_needs_no_csrf_header(alice: Person) -> None:
    """B2: curl works, for upload and for everything else."""
    [file] = alice.upload().get_json()["files"]
    assert alice.delete(f"/api/documents/{file['id']}").status_code == 200
    assert alice.post(PASSWORD_ROUTE, json=NEW_PASSWORD).status_code == 200
    assert alice.post(LOGOUT).status_code == 200


def test_one_csrf_value_serves_upload_and_refresh(visitor: FlaskClient) -> None:
    """B4: what one login gave is good for both, and what the refresh gave is good again."""
    value = csrf(visitor)
    assert uploaded(visitor, value).status_code == 200
    assert visitor.post(REFRESH, headers=value).status_code == 200
    assert uploaded(visitor, csrf(visitor)).status_code == 200


# --- requests from other sites

FORMS = {
    "urlencoded": ("application/x-www-form-urlencoded", "email=alice%40example.com&password=a-fine-passphrase"),
    "multipart": (CONTENT_TYPE, multipart(part("email", None, b"alice@example.com"))),
    "text/plain": ("text/plain", json.dumps(ALICE)),
    "json": ("application/json", json.dumps(ALICE)),
}
FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
    {"Sec-Fetch-Site": "some-future-value", "Origin": OWN},
    {"Origin": EVIL},
    {"Origin": "null"},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
@pytest.mark.parametrize(("mimetype", "body"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("path", [LOGIN, REFRESH, LOGOUT])
def test_a_strangers_page_neither_signs_in_nor_out(
    visitor: FlaskClient, path: str, mimetype: str, body: str | bytes, foreign: dict[str, str]
) -> None:
    """B5: whatever form it posts, with the right CSRF value even: 403 and no Set-Cookie."""
    answer = visitor.post(path, data=body, content_type=mimetype, headers=foreign | csrf(visitor))
    assert error(answer) == (403, "cross_site")
    assert "Set-Cookie" not in answer.headers
    assert visitor.get("/api/documents").status_code == 200


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "text/plain"])
@pytest.mark.parametrize("path", [LOGIN, REFRESH, LOGOUT])
def test_a_form_of_unknown_origin_is_no_way_in_or_out(visitor: FlaskClient, path: str, form: str) -> None:
    """B5: a browser that tells neither site nor origin sends cookies but no CSRF header: 4xx and no Set-Cookie."""
    mimetype, body = FORMS[form]
    answer = visitor.post(path, data=body, content_type=mimetype)
    assert answer.status_code in (401, 415)
    assert "Set-Cookie" not in answer.headers
    assert visitor.get("/api/documents").status_code == 200


REFUSED: list[dict[str, str]] = [
    *FOREIGN,
    {"Origin": "http://localhost.evil.test"},
    {"Origin": "http://localhost:81"},
    {"Origin": "http://evil.test/localhost"},
    {"Origin": "localhost"},
    {"Origin": "http://127.0.0.1:4001"},
    {"Origin": "https://localhost"},
    {"Origin": "https://127.0.0.1:4000"},
    {"Origin": "ftp://localhost"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "Same-Origin"},
    {"Sec-Fetch-Site": "same-origin, cross-site"},
]


@pytest.mark.parametrize("headers", REFUSED, ids=str)
def test_an_unsafe_request_from_another_site_is_refused(
    alice: Person, unchanged: Callable[[], Any], headers: dict[str, str]
) -> None:
    """B6, K21: by Sec-Fetch-Site, known or unknown, else by Origin with its scheme; even with a good token."""
    with unchanged():
        assert error(alice.send(multipart(part()), headers=headers)) == (403, "cross_site")


OWN_PAGES: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin", "Origin": OWN},
    {"Sec-Fetch-Site": "none"},
    {"Origin": OWN},
    {"Origin": "http://127.0.0.1:4000"},
    {},
]


@pytest.mark.parametrize("headers", OWN_PAGES, ids=str)
def test_an_unsafe_request_from_our_page_or_from_a_script_passes(alice: Person, headers: dict[str, str]) -> None:
    """B6: the own host, PUBLIC_URL, or no word about where it came from."""
    assert alice.send(multipart(part()), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("public_url", "origin", "status"),
    [
        ("https://files.example.org", "https://files.example.org", 200),
        ("https://files.example.org:443", "https://files.example.org", 200),
        ("https://files.example.org", "http://files.example.org", 403),
        ("http://files.example.org:80", "http://files.example.org", 200),
        ("http://files.example.org", "https://files.example.org", 403),
    ],
)
def test_the_public_origin_counts_with_its_scheme(
    make_app: Callable[..., Flask], alice: Person, public_url: str, origin: str, status: int
) -> None:
    """K21: behind a proxy the request comes by another name; a page of the same name over plain http is not ours."""
    client = make_app(PUBLIC_URL=public_url).test_client(use_cookies=False)
    answer = client.post(LOGIN, json=ALICE, headers={"Origin": origin, "Host": "10.0.0.5:4000"})
    assert answer.status_code == status


@pytest.mark.parametrize(("scheme", "status"), [("https", 200), ("http", 403)])
def test_the_own_host_counts_with_the_scheme_that_the_proxy_tells(live_proxy: Live, scheme: str, status: int) -> None:
    """K21: with TRUSTED_PROXY the request's scheme is the one that the browser used."""
    headers = {
        "Host": "files.example.org",
        "Origin": f"{scheme}://files.example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "192.0.2.1",
        "Content-Type": "application/json",
    }
    body = json.dumps({"email": "admin@localhost", "password": PASSWORD}).encode()
    assert live_proxy.request("POST", LOGIN, body, headers)[0] == status


@pytest.fixture
def live_proxy(start: Callable[..., Live]) -> Live:
    """A server whose trusted proxy is the test itself, and that knows no name of its own."""
    return start(TRUSTED_PROXY="127.0.0.1")


def test_without_a_word_about_the_site_the_token_decides(client: FlaskClient, visitor: FlaskClient) -> None:
    """B6: both headers absent: nobody is refused for that, and nobody let in."""
    assert error(uploaded(client, {})) == (401, "unauthorized")
    assert error(uploaded(visitor, {})) == (401, "csrf_failed")


def test_a_link_on_another_site_may_lead_here(visitor: FlaskClient) -> None:
    """B6: reading is safe."""
    for path in ("/", "/api/documents"):
        with visitor.get(path, headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert answer.status_code == 200


# --- CORS

STRANGERS = [
    EVIL,
    "null",
    "https://app.example.com.evil.test",
    "https://appXexample.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://sub.app.example.com",
    "https://xapp.example.com",
    "*",
]
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def cors_headers(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("origin", [*STRANGERS, APP, OWN])
def test_cors_is_off_by_default(client: FlaskClient, origin: str) -> None:
    """B7: no origin is told that it may read."""
    answers = [
        client.get("/api/limits", headers={"Origin": origin}),
        client.post(LOGIN, json=ALICE, headers={"Origin": origin}),
        client.options(UPLOAD, headers={"Origin": origin} | PREFLIGHT),
    ]
    assert [cors_headers(answer) for answer in answers] == [{}] * 3


@pytest.fixture
def sister(make_app: Callable[..., Flask], alice: Person) -> FlaskClient:
    """A browser at a service that knows two origins besides its own, with Alice's account."""
    return signed_in(make_app(FRONTEND_URL=f"https://other.example.com, {APP}"))


@pytest.mark.parametrize("origin", STRANGERS)
def test_only_the_exact_origin_is_allowed(sister: FlaskClient, origin: str) -> None:
    """B7: neither a suffix nor a prefix nor another scheme or port of a name on the list."""
    for path in ("/api/limits", "/api/documents"):
        assert cors_headers(sister.get(path, headers={"Origin": origin})) == {}
    assert cors_headers(sister.options(UPLOAD, headers={"Origin": origin} | PREFLIGHT)) == {}
    assert error(sister.post(LOGIN, json=ALICE, headers={"Origin": origin})) == (403, "cross_site")


@pytest.mark.parametrize("origins", [APP, f"https://other.example.com, {APP}"])
@pytest.mark.parametrize("origin", [None, APP, EVIL, "null"])
def test_what_depends_on_the_origin_says_so(make_app: Callable[..., Flask], origins: str, origin: str | None) -> None:
    """K21: answers, refusals and preflights alike, for whom they allow or not and for one origin as for two."""
    client, headers = make_app(FRONTEND_URL=origins).test_client(), {"Origin": origin} if origin else {}
    answers = [
        client.get("/api/limits", headers=headers),
        client.get("/api/documents", headers=headers),
        client.get("/api/nothing", headers=headers),
        client.get(LOGIN, headers=headers),
        client.post(LOGIN, data=b"{", content_type="application/json", headers=headers),
        client.options(UPLOAD, headers=headers | PREFLIGHT),
    ]
    assert [answer.vary.as_set() for answer in answers] == [{"origin"}] * len(answers)


def test_a_host_that_is_not_ours_is_refused_depending_on_the_origin_too(make_app: Callable[..., Flask]) -> None:
    """K21: also where no route was looked for."""
    client = make_app(FRONTEND_URL=APP, TRUSTED_HOSTS="files.example.org").test_client()
    assert "Origin" in client.get("/api/limits", headers={"Host": "evil.test", "Origin": APP}).vary


def test_without_cors_nothing_depends_on_the_origin(client: FlaskClient) -> None:
    """K21: a cache is not told to keep copies that would all be the same."""
    assert "Vary" not in client.get("/api/limits", headers={"Origin": APP}).headers


@pytest.mark.parametrize("origin", [APP, "https://other.example.com"])
def test_an_origin_on_the_list_may_read_with_credentials(sister: FlaskClient, origin: str) -> None:
    """B7: answers and refusals alike name it, and `Vary: Origin` keeps a cache from mixing them up."""
    for path, status in (("/api/documents", 200), ("/api/documents/none", 404)):
        answer = sister.get(path, headers={"Origin": origin, "Sec-Fetch-Site": "same-site"})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in answer.vary


def test_a_preflight_allows_what_the_client_sends(sister: FlaskClient) -> None:
    """B7: the four headers of the contract, credentials, and no wildcard."""
    wanted = "authorization, content-type, idempotency-key, x-csrf-token"
    headers = {"Origin": APP, **PREFLIGHT, "Access-Control-Request-Headers": wanted}
    answer = sister.options(UPLOAD, headers=headers)
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert (answer.status_code, sorted(allowed)) == (200, wanted.split(", "))
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_a_sister_host_can_use_the_cookies_of_one_site(sister: FlaskClient, site: str) -> None:
    """B6, B7: it takes the CSRF value from an answer, since it cannot read our cookie."""
    headers = {"Origin": APP, "Sec-Fetch-Site": site}
    value = sister.post(VERIFY, headers=headers).get_json()["csrfToken"]
    assert uploaded(sister, headers | {"X-CSRF-Token": value}).status_code == 200
    assert sister.post(LOGIN, json=ALICE, headers=headers).status_code == 200


@pytest.mark.parametrize("origins", ["*", "https://*.example.com", "https://app.example.com/", "app.example.com"])
def test_a_pattern_is_no_origin(tmp_path: Any, origins: str) -> None:
    """B7: the list takes exact origins only; anything else stops the start."""
    with pytest.raises(ConfigError, match="FRONTEND_URL"):
        create_app(BASE | {"INSTANCE_PATH": str(tmp_path), "FRONTEND_URL": origins})


# --- methods


def every_path(app: Flask) -> Iterator[tuple[str, set[str]]]:
    """Each address of the service with the methods it is meant to take."""
    methods: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        methods.setdefault(re.sub("<[^>]+>", "none", rule.rule), set()).update(rule.methods or ())
    yield from methods.items()


def test_a_method_that_is_not_listed_is_405(alice: Person) -> None:
    """B8: JSON, with the ones that are listed in Allow."""
    for path, methods in every_path(alice.app):
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - methods:
            answer = alice.request(method, path)
            assert error(answer) == (405, "method_not_allowed"), (method, path)
            assert set(answer.headers["Allow"].split(", ")) == methods


def test_options_runs_no_view(client: FlaskClient, visitor: FlaskClient, unchanged: Callable[[], Any]) -> None:
    """B8: neither for a stranger nor for a signed-in browser does OPTIONS act or tell more than the methods."""
    uploaded(visitor, csrf(visitor))
    with unchanged():
        for path, methods in every_path(client.application):
            for someone in (client, visitor):
                answer = someone.options(path)
                assert (answer.status_code, answer.data, set(answer.allow)) == (200, b"", methods), path
                assert "Set-Cookie" not in answer.headers


def test_options_on_a_document_neither_deletes_nor_shows_it(client: FlaskClient, alice: Person) -> None:
    """B8: without a token too, the protected views stay shut."""
    [file] = alice.upload().get_json()["files"]
    for suffix in ("", "/content"):
        assert client.options(f"/api/documents/{file['id']}{suffix}").data == b""
        assert client.head(f"/api/documents/{file['id']}{suffix}").status_code == 401
    assert alice.get(f"/api/documents/{file['id']}").status_code == 200


def test_reading_changes_nothing(alice: Person, visitor: FlaskClient, unchanged: Callable[[], Any]) -> None:
    """B8: GET and HEAD of every address that takes them leave the files, the rows and the session as they were."""
    [file] = alice.upload().get_json()["files"]
    with unchanged():
        for path, methods in every_path(alice.app):
            for method in methods & {"GET", "HEAD"}:
                with visitor.open(path.replace("none", file["id"]), method=method) as answer:
                    assert answer.status_code < 500, (method, path)
                    assert "Set-Cookie" not in answer.headers


# --- the headers and the form of every answer

API_ERRORS = {
    "400": (("POST", LOGIN), {"data": b"{", "content_type": "application/json"}, 400, "bad_request"),
    "401 nobody": (("GET", "/api/documents"), {}, 401, "unauthorized"),
    "401 wrong": (("POST", LOGIN), {"json": ALICE}, 401, "invalid_credentials"),
    "403": (("POST", LOGIN), {"json": ALICE, "headers": {"Origin": EVIL}}, 403, "cross_site"),
    "404": (("GET", "/api/nothing"), {}, 404, "not_found"),
    "404 trailing slash": (("GET", "/api/documents/"), {}, 404, "not_found"),
    "404 two slashes in the API": (("GET", "/api//documents"), {}, 404, "not_found"),
    "404 not UTF-8": (("GET", "/api/%ff"), {}, 404, "not_found"),
    "405": (("GET", LOGIN), {}, 405, "method_not_allowed"),
    "413": (("POST", LOGIN), {"data": b"x" * 20_000, "content_type": "application/json"}, 413, "too_large"),
    "415": (("POST", LOGIN), {"data": b"x", "content_type": "text/plain"}, 415, "unsupported_type"),
}
PAGES = {
    "the client": (("GET", "/"), {}, 200, ""),
    "a script": (("GET", "/js/main.js"), {}, 200, ""),
    "a style": (("GET", "/css/base.css"), {}, 200, ""),
    "limits": (("GET", "/api/limits"), {}, 200, ""),
    "healthz": (("GET", "/healthz"), {}, 200, ""),
    "options": (("OPTIONS", UPLOAD), {}, 200, ""),
    "the page without a path": (("GET", "//localhost"), {}, 200, ""),
    "404 two slashes": (("GET", "/js//main.js"), {}, 404, "not_found"),
    "404 page": (("GET", "/nothing.html"), {}, 404, "not_found"),
    "404 above": (("GET", "/../wsgi.py"), {}, 404, "not_found"),
    "405 page": (("POST", "/"), {}, 405, "method_not_allowed"),
}


def assert_headers(headers: dict[str, str], api: bool) -> None:
    """`headers` by name in lower case."""
    policy = [directive.strip() for directive in headers["content-security-policy"].split(";")]
    assert {"object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"]
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    assert "no-store" in headers["cache-control"] or not api
    assert not {"server", "via", "x-powered-by", "strict-transport-security"} & set(headers)


def lower(answer: TestResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers}


@pytest.mark.parametrize(("line", "options", "status", "code"), (API_ERRORS | PAGES).values(), ids=API_ERRORS | PAGES)
def test_every_answer_bears_the_headers_and_every_error_is_json(
    client: FlaskClient, line: tuple[str, str], options: dict[str, Any], status: int, code: str
) -> None:
    """B9, B10: pages, answers and refusals; a refusal has a stable code and one sentence."""
    method, path = line
    with client.open(path, method=method, **options) as answer:
        assert answer.status_code == status
        assert_headers(lower(answer), path.startswith("/api"))
        assert status < 400 or answer.mimetype == "application/json"
        body = answer.get_json() if status >= 400 else {}
    assert status < 400 or (set(body), body["ok"], body["error"]) == ({"ok", "error", "message"}, False, code)


def test_a_fault_of_ours_is_json_without_its_details(app: Flask) -> None:
    """B9, B10: 500 tells an id to report, not what went wrong."""
    app.add_url_rule("/api/fault", view_func=lambda: {}["a secret detail"])
    answer = app.test_client().get("/api/fault")
    assert error(answer) == (500, "internal_error")
    assert answer.headers["X-Request-ID"] in answer.get_json()["message"]
    assert "secret" not in answer.text
    assert_headers(lower(answer), api=True)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_host_that_is_not_ours_is_refused_in_json(make_app: Callable[..., Flask], method: str) -> None:
    """B9, B10: the refusal comes before any route, and looks like every other."""
    client = make_app(TRUSTED_HOSTS="files.example.org").test_client()
    answer = client.open("/api/limits", method=method, headers={"Host": "evil.test"})
    assert error(answer) == (400, "bad_request")
    assert_headers(lower(answer), api=True)


@pytest.mark.parametrize("host", ["files.example.org", "Files.Example.ORG", "FILES.example.org:4000"])
@pytest.mark.parametrize("trusted", ["files.example.org", "other.test, FILES.Example.org", ".Example.org"])
def test_a_hosts_name_has_no_case(make_app: Callable[..., Flask], trusted: str, host: str) -> None:
    """K21: neither in the setting nor in the request (RFC 9110 §4.2.3)."""
    client = make_app(TRUSTED_HOSTS=trusted).test_client()
    assert client.get("/api/limits", headers={"Host": host}).status_code == 200
    assert client.get("/api/limits", headers={"Host": host + ".evil.test"}).status_code == 400


def test_an_upload_to_a_name_in_capitals_is_stored(start: Callable[..., Live]) -> None:
    """K21: the streaming server judges the host when the headers are there."""
    live = start(TRUSTED_HOSTS="localhost")
    headers = {"Host": "LocalHost:4000", "Content-Type": "application/json"}
    body = json.dumps({"email": "admin@localhost", "password": PASSWORD}).encode()
    status, _, answer = live.request("POST", LOGIN, body, headers)
    assert status == 200
    headers = {"Host": "LOCALHOST", "Authorization": f"Bearer {json.loads(answer)['accessToken']}"}
    assert live.upload(headers)[0] == 200
    assert live.upload(headers | {"Host": "evil.test"})[0] == 400


def untidy(path: str) -> set[str]:
    """Addresses that a router might want to tidy up by a redirect."""
    doubled = {path[:at] + "/" + path[at:] for at, letter in enumerate(path) if letter == "/"}
    return doubled | {path + "/", path + "//", path.rstrip("/") or "//", "/." + path, path + "?x=//evil.test"}


def test_no_address_is_answered_with_a_redirect(app: Flask, alice: Person) -> None:
    """P6: it would be built from the Host that the client sent; what is not exactly an address is 404 in JSON."""
    for path, _ in every_path(app):
        for other in untidy(path):
            for method in ("GET", "POST"):
                environ = {"PATH_INFO": other.partition("?")[0], "HTTP_HOST": "evil.test"}
                with alice.request(method, "/", environ_overrides=environ) as answer:
                    assert not 300 <= answer.status_code < 400, (method, other)
                    assert answer.status_code < 400 or answer.mimetype == "application/json"
                    assert "evil.test" not in str(answer.headers), (method, other)


def test_an_absolute_target_without_a_path_is_the_page(live: Live) -> None:
    """P6: RFC 9112 §3.2.2 takes it for a slash."""
    status, headers, _ = raw(live, b"GET http://evil.test HTTP/1.1\r\nHost: evil.test\r\n\r\n")
    assert (status, headers.get("location")) == (200, None)


def test_a_download_bears_the_headers(alice: Person) -> None:
    """B9: with a policy of its own, under which nothing runs."""
    [file] = alice.upload().get_json()["files"]
    with alice.get(f"/api/documents/{file['id']}/content") as answer:
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/api/limits", "/api/nothing"])
def test_hsts_goes_with_https(make_app: Callable[..., Flask], path: str) -> None:
    """B9: a year of it, when PUBLIC_URL is https; never else, as `assert_headers` asks."""
    with make_app(PUBLIC_URL="https://files.example.org").test_client().get(path) as answer:
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


# --- the same from the real server, whose own refusals never reach the application


def raw(live: Live, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; return status, headers by name in lower case, body."""
    with live.connect() as connection, http.client.HTTPResponse(connection) as answer:
        connection.sendall(request)
        answer.begin()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


HOST = b"Host: localhost\r\n"
UNSENT = b"POST /api/upload HTTP/1.1\r\n" + HOST
SERVERS_OWN = {
    "400 no colon": (b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n", 400),
    "400 blank in a name": (b"GET / HTTP/1.1\r\n" + HOST + b"X-Bad : 1\r\n\r\n", 400),
    "400 nonsense": (b"nonsense\r\n\r\n", 400),
    "400 NUL in a header": (b"GET / HTTP/1.1\r\n" + HOST + b"X-Bad: \0\r\n\r\n", 400),
    "400 impossible target": (b"GET http://[/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "400 length no number": (UNSENT + b"Content-Length: ten\r\n\r\n", 400),
    "400 negative length": (UNSENT + b"Content-Length: -1\r\n\r\n", 400),
    "400 two lengths": (UNSENT + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "400 bad chunk": (
        UNSENT.replace(b"/api/upload", b"/api/auth/login") + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        400,
    ),
    "413 announced": (
        UNSENT.replace(b"/api/upload", b"/api/auth/login") + b"Content-Length: 999999999999\r\n\r\n",
        413,
    ),
    "431": (b"GET / HTTP/1.1\r\n" + HOST + b"X-Long: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    "501": (UNSENT + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "501 two codings": (UNSENT + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
}


@pytest.mark.parametrize(("request_bytes", "status"), SERVERS_OWN.values(), ids=SERVERS_OWN)
def test_the_servers_own_refusals_are_json_with_the_headers(live: Live, request_bytes: bytes, status: int) -> None:
    """B9, B10: 400, 413, 431 and 501 that waitress makes look like every other error, and close the connection."""
    found, headers, body = raw(live, request_bytes)
    assert (found, headers["content-type"]) == (status, "application/json")
    assert_headers(headers, api=True)
    told = json.loads(body)
    assert (set(told), told["ok"]) == ({"ok", "error", "message"}, False)
    assert re.fullmatch("[a-z_]+", told["error"])
    assert len(body) == int(headers["content-length"])


@pytest.mark.parametrize("case", ["400 length no number", "413 announced"])
def test_a_status_has_one_code_whoever_refuses(live: Live, case: str) -> None:
    """B10: a code is stable only if the server's refusal and the application's bear the same."""
    request_bytes, status = SERVERS_OWN[case]
    assert json.loads(raw(live, request_bytes)[2])["error"] == {400: "bad_request", 413: "too_large"}[status]


LIVE_PAGES = [
    ("/", 200),
    ("/js/main.js", 200),
    ("/css/base.css", 200),
    ("/api/limits", 200),
    ("/api/documents", 401),
    ("/x", 404),
]


@pytest.mark.parametrize(("path", "status"), LIVE_PAGES)
def test_what_the_real_server_sends_bears_the_headers(live: Live, path: str, status: int) -> None:
    """B9: static files and answers, with nothing added that names the server."""
    found, headers, _ = live.request("GET", path)
    assert found == status
    assert_headers(headers, path.startswith("/api"))


def test_the_servers_own_refusal_tells_hsts_with_https(start: Callable[..., Live]) -> None:
    """B9: the same rule as for the application's answers."""
    live = start(PUBLIC_URL="https://files.example.org")
    _, headers, _ = raw(live, SERVERS_OWN["501"][0])
    assert headers["strict-transport-security"] == "max-age=31536000"


def test_a_csrf_header_beyond_ascii_is_401_on_the_wire(live: Live) -> None:
    """B10: bytes that no client library would send."""
    status, _, body = raw(live, UNSENT + b"Content-Length: 0\r\nX-CSRF-Token: \xc3\xa9\xff\r\n\r\n")
    assert (status, json.loads(body)["error"]) == (401, "csrf_failed")

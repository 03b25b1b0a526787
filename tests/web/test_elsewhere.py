"""The client on another host of the same site: deploy/cdn.nginx.conf serves it, and the service is reached through
deploy/nginx.conf, with TLS, or directly. Everything that the page can do it can do from there, and it tells why not."""

import http.client
import json
import re
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.support.engines import Live, free_port, start_live
from tests.support.proxies import APP, BEHIND, NAME, cdn, nginx
from tests.web.steps import (
    REFUSED,
    UNREACHED,
    Account,
    Watch,
    answers,
    choose,
    expect_all,
    expect_status,
    expire,
    patience,
    pdf,
    pdfs,
    row,
    rows,
    shelf,
    sign_in,
    throttle,
)
from uploadsvc import config

Allow = Callable[..., None]
MB = 1024 * 1024


@pytest.fixture(scope="module", params=["through nginx", "directly"])
def places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The page's origin, the service's, and the service itself."""
    folder, port = tmp_path_factory.mktemp("places"), free_port()
    scheme = "https" if request.param == "through nginx" else "http"
    origin = f"{scheme}://{APP}:{port}"
    with ExitStack() as stack:
        behind = BEHIND if scheme == "https" else {}
        site = start_live(folder, FRONTEND_URL=origin, **behind)
        stack.callback(lambda: places["site"].stop(signal.SIGKILL))
        places = {"origin": origin, "site": site, "api": f"http://{NAME}:{site.port}", "folder": folder}
        if scheme == "https":
            (folder / "nginx").mkdir()
            front = stack.enter_context(nginx(folder / "nginx", site, allowed=origin))
            places["api"] = f"https://{NAME}:{front.port}"
        (folder / "cdn").mkdir()
        stack.enter_context(cdn(folder / "cdn", port, places["api"]))
        yield places


@pytest.fixture(scope="module")
def site(places: dict[str, Any]) -> Live:
    return places["site"]


@pytest.fixture(scope="module")
def origin(places: dict[str, Any]) -> str:
    return places["origin"]


@pytest.fixture(scope="module")
def api(places: dict[str, Any]) -> str:
    return places["api"]


@pytest.fixture(scope="module")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """The certificate is the tests' own."""
    return browser_context_args | {"ignore_https_errors": True}


@pytest.fixture(autouse=True)
def said_by_the_browser(watch: Watch, origin: str) -> None:
    """What it logs of every page elsewhere: nobody has signed in yet; and on plain http, that a header needs https."""
    watch.allowed.append(f"{REFUSED} 401 .*/verify-status")
    if origin.startswith("http:"):
        watch.allowed.append("The Cross-Origin-Opener-Policy header has been ignored")


def test_a_day_on_another_host(signed_in: Page, person: Account) -> None:
    """Upload, list, reload, download, delete, sign out: with no word of the browser against it."""
    choose(signed_in, *pdfs(3))
    expect_all(signed_in, "SUCCESS", 3)
    assert sorted(person.names) == ["f00.pdf", "f01.pdf", "f02.pdf"]
    signed_in.reload()
    expect(shelf(signed_in)).to_have_count(3)
    with signed_in.expect_download() as download:
        signed_in.get_by_role("link", name="Download f01.pdf").click()
    assert download.value.suggested_filename == "f01.pdf"
    assert download.value.path().read_bytes() == pdf("f01.pdf")["buffer"]
    signed_in.get_by_role("button", name="Delete f01.pdf").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(shelf(signed_in)).to_have_count(2)
    assert len(person.names) == 2
    signed_in.get_by_role("button", name="Sign out").click()
    expect(signed_in.locator("#sign-in-view")).to_be_visible()
    signed_in.reload()
    expect(signed_in.locator("#sign-in-view")).to_be_visible()


ASK = """async (api) => {
    const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': localStorage.getItem('csrf_token') };
    const body = JSON.stringify({ title: 'Tax papers 2026', maxFiles: 1 });
    const answer = await fetch(`${api}/api/requests`, { method: 'POST', credentials: 'include', headers, body });
    return (await answer.json()).url;
}"""


def test_a_visitor_comes_to_the_same_host(signed_in: Page, person: Account, allow: Allow, api: str) -> None:
    """The page of a request works from there, too; no cookie of whoever is signed in goes along."""
    allow(f"{REFUSED} 401")
    link = signed_in.evaluate(ASK, api)
    page = signed_in.context.new_page()
    uploads: list[Request] = []

    def note(request: Request) -> None:
        if (request.method, request.url) == ("POST", f"{api}/api/upload"):
            uploads.append(request)

    page.on("request", note)
    page.goto("/request#" + link.partition("#")[2])
    page.locator("#sender").fill("Ana")
    choose(page, pdf("a.pdf"))
    expect(page.locator("#thanks")).to_have_text("1 file arrived. Thank you.")
    expect(page.get_by_role("heading", name="This request is over")).to_be_visible()
    assert [(document["filename"], document["sender"]) for document in person.documents] == [("a.pdf", "Ana")]
    assert len(uploads) == 1 and "cookie" not in uploads[0].all_headers()


def test_the_session_outlives_its_access_token(signed_in: Page, person: Account, allow: Allow) -> None:
    """By the refresh cookie, which travels within one site: in mid-work, and when the page is opened again."""
    allow(f"{REFUSED} 401")
    refreshes = answers(signed_in.context, "/api/auth/refresh")
    expire(signed_in.context)
    choose(signed_in, *pdfs(3))
    expect_all(signed_in, "SUCCESS", 3)
    assert refreshes == [200] and len(person.names) == 3
    expire(signed_in.context)
    signed_in.reload()
    expect(shelf(signed_in)).to_have_count(3)
    assert refreshes == [200, 200]
    expire(signed_in.context, session=True)
    choose(signed_in, pdf("late.pdf"))
    expect(signed_in.locator("#sign-in-again")).to_be_visible()
    sign_in(signed_in, person)
    expect_status(signed_in, "late.pdf", "SUCCESS")


def raise_limit(page: Page, places: dict[str, Any]) -> None:
    """Have the page believe that files of 100 MB are welcome, until it asks again."""
    _, headers, body = places["site"].request("GET", "/api/limits", headers={"Host": NAME, "Origin": places["origin"]})

    def lie(route: Route) -> None:
        route.fulfill(json=json.loads(body) | {"maxFileBytes": 100 * MB}, headers=headers)

    page.route("**/api/limits", lie, times=1)
    page.reload()
    expect(page.locator("#hint")).to_contain_text("100 MB")


def test_what_the_server_refuses_in_mid_upload_is_told(
    signed_in: Page, person: Account, allow: Allow, places: dict[str, Any], disk: Callable[..., Any]
) -> None:
    """413 after ten of thirty megabytes, and 415: the row says why, and nothing of a connection."""
    allow(f"{REFUSED} 41[35]")
    raise_limit(signed_in, places)
    statuses = answers(signed_in.context, "/api/upload")
    choose(signed_in, disk("large.pdf", size=30 * MB))
    expect(row(signed_in, "large.pdf")).to_contain_text("Not uploaded. The server's limit is 10 MB.")
    content = b"PK\x03\x04" + b"\0" * 3 * MB
    choose(signed_in, {"name": "none.docx", "mimeType": "", "buffer": content})
    expect(row(signed_in, "none.docx")).to_contain_text("Not uploaded. The document is damaged.")
    assert statuses == [413, 415] and person.names == []
    expect(signed_in.locator("#banner")).to_be_hidden()


def test_headers_that_are_too_long_are_told_too(signed_in: Page, allow: Allow, api: str) -> None:
    """431, refused before any header was read: 30 cookies of other hosts of the site are enough for that."""
    allow(f"{REFUSED} 431", UNREACHED)
    cookies = [{"name": f"c{number}", "value": "x" * 1000, "url": api} for number in range(30)]
    signed_in.context.add_cookies(cookies)
    seen = signed_in.evaluate(
        """async (url) => {
            const answer = await fetch(url, { credentials: 'include' });
            return [answer.status, (await answer.json()).error];
        }""",
        f"{api}/api/limits",
    )
    assert seen == [431, "request_header_fields_too_large"]
    signed_in.context.clear_cookies(name=re.compile("^c[0-9]+$"))


def test_a_page_of_an_origin_that_is_not_listed_reads_nothing(page: Page, watch: Watch, places: dict[str, Any]) -> None:
    """Of the same site, with the user's cookies even: the browser withholds the answer."""
    watch.allowed += ["CORS", UNREACHED, "off origin"]
    (places["folder"] / "other").mkdir(exist_ok=True)
    port = free_port()
    with cdn(places["folder"] / "other", port, places["api"]):
        page.goto(places["origin"].rpartition(":")[0] + f":{port}/")
        failed = "async (url) => fetch(url, { credentials: 'include' }).then(() => 'read', () => 'withheld')"
        assert page.evaluate(failed, f"{places['api']}/api/limits") == "withheld"


def test_the_service_goes_and_comes_back(
    signed_in: Page, person: Account, allow: Allow, places: dict[str, Any], disk: Callable[..., Any]
) -> None:
    """The page, which is still served, says that it cannot be reached, and then sends what was left, each file once."""
    allow(UNREACHED, f"{REFUSED} 50", "CORS")
    patience(signed_in, probes=[200], retries=[200, 400, 800])
    slow = throttle(signed_in, 1_000_000)
    choose(signed_in, *[disk(f"f{number:02}.pdf", size=400_000) for number in range(6)])
    expect(rows(signed_in, "SUCCESS").first).to_be_visible()
    old = places["site"]
    old.stop(signal.SIGKILL)
    expect(signed_in.locator("#banner-text")).to_contain_text("The server can't be reached.")
    other = signed_in.context.new_page()
    other.goto("/")
    patience(other, probes=[200])
    expect(other.locator("#banner-text")).to_contain_text("The server can't be reached.")
    new = start_live(places["folder"], **{**old.environ, "PORT": str(old.port)})
    old.process, old.log = new.process, new.log
    throttle(signed_in, 0)
    expect_all(signed_in, "SUCCESS", 6)
    slow.detach()
    assert sorted(person.names) == [f"f{number:02}.pdf" for number in range(6)]
    expect(signed_in.locator("#banner")).to_be_hidden()
    expect(shelf(other).first).to_be_visible(timeout=30_000)


# --- What the file says


def got(places: dict[str, Any], path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """The answer of the page's host."""
    at = urlsplit(places["origin"])
    if at.scheme == "https":
        tls = ssl.create_default_context(cafile=places["folder"] / "cdn/fullchain.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", at.port, timeout=20, context=tls)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", at.port, timeout=20)
    connection.request("GET", path, headers={"Host": APP} | {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


PAGES = {"/", "/index.html", "/request"}


@pytest.mark.parametrize("path", [*sorted(PAGES), "/js/main.js", "/js/ui/dom.js", "/css/base.css", "/icon.svg"])
def test_the_page_comes_with_the_services_own_headers(places: dict[str, Any], site: Live, path: str) -> None:
    """B9: but for where it may connect to; the same types and bytes but for one line; asked for again each time."""
    status, headers, body = got(places, path)
    _, own, original = site.request("GET", path, headers={"Host": NAME})
    told = body.replace(b'<meta name="api" content="%s">' % places["api"].encode(), b'<meta name="api" content="">')
    assert status == 200 and told == original and (told != body) is (path in PAGES)
    wanted = config.security_headers({"PUBLIC_URL": "https://files.example.org"})
    wanted["Content-Security-Policy"] = wanted["Content-Security-Policy"].replace(
        "connect-src 'self'", f"connect-src {places['api']}"
    )
    assert {name: headers[name.lower()] for name in wanted} == wanted
    kind = headers["content-type"].removesuffix("; charset=utf-8")
    assert (kind, headers["cache-control"]) == (own["content-type"].removesuffix("; charset=utf-8"), "no-cache")
    for known in ({"If_None_Match": headers["etag"]}, {"If_Modified_Since": headers["last-modified"]}):
        assert got(places, path, **known)[0] == 304


@pytest.mark.parametrize(
    "path", ["/none", "/js/", "/js", "/.git/config", "/../wsgi.py", "/index.html/x", "/api/limits"]
)
def test_nothing_else_lies_there(places: dict[str, Any], path: str) -> None:
    """Least of all the API: the page's host passes nothing on."""
    assert got(places, path)[0] in {400, 404}

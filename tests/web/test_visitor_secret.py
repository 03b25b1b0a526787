"""The secret of a file request's link (issue 11, 1): in the fragment and in one header, and nowhere else."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.engines import ROOT, Live, start_live
from tests.support.wiretap import tapped
from tests.web.steps import Account, Watch, choose, expect_status, pdf
from tests.web.visiting import ask, visit

WEB = ROOT / "web"
PAGES = {name: (WEB / name).read_text(encoding="utf-8") for name in ("index.html", "request.html")}
KEPT = """async () => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, document.title,
    history.state, name, await indexedDB.databases(), await caches.keys(), document.documentElement.outerHTML])"""


@pytest.fixture
def talkative(tmp_path: Path) -> Any:
    """A server that logs all that it can."""
    live = start_live(tmp_path, LOG_LEVEL="DEBUG")
    yield live
    live.stop(signal.SIGKILL)


def heads(heard: list[bytearray]) -> list[str]:
    """The heads of all requests on the wire, with no body among them."""
    text = b"\n".join(bytes(one) for one in heard).decode("latin-1")
    found = re.findall(r"(?:GET|POST|PUT|HEAD|OPTIONS) \S+ HTTP/1\.1\r\n(?:[^\r\n]+\r\n)+\r\n", text)
    assert len(found) == text.count(" HTTP/1.1\r\n")
    return found


def test_the_secret_is_told_to_the_server_alone_and_in_one_header(context: BrowserContext, talkative: Live) -> None:
    """Issue 11: every log line, the Referer of every request, `document.cookie`, all that the browser keeps, the
    console, and every byte on the wire, while all that can happen to a visitor does."""
    asked = ask(Account(talkative, "admin@localhost"), maxFiles=2)
    secret = asked.secret.partition(".")[2]
    wrong = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    said, addresses, referers = [], [], []
    context.on("console", lambda message: said.append(f"{message.text} {message.location}"))
    context.on("weberror", lambda error: said.append(str(error.error)))
    context.on("request", lambda request: referers.append(request.headers.get("referer")))
    context.on("request", lambda request: addresses.append(request.url))
    page = context.new_page()
    with tapped(talkative.port) as tap:
        page.goto(f"http://127.0.0.1:{tap.port}/request#{asked.id}.{wrong}")
        expect(page.locator("#closed-view")).to_be_visible()
        page.goto("about:blank")
        page.goto(f"http://127.0.0.1:{tap.port}{asked.link}")
        page.locator("#sender").fill("Ana")
        choose(page, pdf("a.pdf"), {"name": "no.docx", "mimeType": "", "buffer": b"PK\x03\x04" + b"\0" * 999})
        expect_status(page, "a.pdf", "SUCCESS")
        expect_status(page, "no.docx", "FAILED")
        page.get_by_role("link", name="Skip to main content").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        choose(page, pdf("b.pdf"))
        expect(page.locator("#end")).to_be_visible()
        kept = page.evaluate(KEPT)
        page.reload()
        expect(page.locator("#closed-view")).to_be_visible()
        assert page.url.endswith(asked.link)  # one can come back
        requests = heads(tap.heard)
    log = talkative.log.read_text()
    assert asked.received == [("a.pdf", "Ana"), ("b.pdf", "Ana")]
    assert log.count("/api/request ") + log.count('"/api/request"') > 2
    for hidden in (secret, wrong):
        assert hidden not in log
        assert hidden not in kept
        assert hidden not in "\n".join(said)
        assert hidden not in "\n".join(url.partition("#")[0] for url in addresses)
        bearing = [line for head in requests for line in head.split("\r\n") if hidden in line]
        assert set(bearing) == {f"Authorization: Bearer {asked.id}.{hidden}"}
    assert sum(secret in bytes(heard).decode("latin-1") for heard in tap.heard) > 0
    assert not any(referers)
    assert not [head for head in requests if re.search(r"^(referer|cookie):", head, re.IGNORECASE | re.MULTILINE)]
    assert {head.partition(" HTTP")[0] for head in requests if "Authorization" in head} == {
        "GET /api/request",
        "POST /api/upload",
    }
    assert len(context.cookies()) == 0


def test_the_page_is_served_as_the_other_one_is(site: Live) -> None:
    """Its policy, `Referrer-Policy`, `Cache-Control`, packed, with an entity tag."""
    (status, page, body), (_, other, _) = (
        site.request("GET", path, headers={"Accept-Encoding": "gzip"}) for path in ("/request", "/")
    )
    varying = {"content-disposition", "etag", "content-length", "date", "x-request-id"}
    assert status == 200
    assert {name: value for name, value in page.items() if name not in varying} == {
        name: value for name, value in other.items() if name not in varying
    }
    assert (page["referrer-policy"], page["cache-control"], page["content-encoding"]) == (
        "no-referrer",
        "no-cache",
        "gzip",
    )
    assert "default-src 'none'" in page["content-security-policy"] and len(body) < len(PAGES["request.html"]) / 2
    known = {"Accept-Encoding": "gzip", "If-None-Match": page["etag"]}
    assert site.request("GET", "/request", headers=known)[0] == 304


SHARED = {
    "the rows' section": r'    <section id="queue".*?    </section>\n',
    "a row": r'<template id="row-template">.*?</template>\n',
    "a notice": r'<template id="notice-template">.*?</template>\n',
    "the banner": r'  <div class="banner" id="banner".*?  </div>\n',
    "the ways into the zone": r'(?<=data-drag="">\n)      <svg.*?    </section>\n',
    "what a drop says": r'<div class="overlay".*?</div>\n',
    "the question": r'<dialog id="confirm".*?</dialog>\n',
    "the voices": r'<div class="vh" id="announcer-status".*?id="notices"[^\n]*\n',
    "what is read without modules": r'  <noscript>.*?</noscript>\n\n  <div [^>]*id="unsupported".*?\n  </div>\n',
}


@pytest.mark.parametrize("part", SHARED)
def test_what_both_pages_have_is_the_same_in_both(part: str) -> None:
    """No build puts it there from one source, and one script works on both."""
    found = {re.search(SHARED[part], html, re.DOTALL)[0] for html in PAGES.values()}  # type: ignore[index]
    assert len(found) == 1


def test_the_drawings_are_the_same_in_both() -> None:
    """And each page has those that it shows."""
    index, request = (
        dict(re.findall(r'(<symbol id="[^"]+")(.*?)</symbol>', html, re.DOTALL)) for html in PAGES.values()
    )
    assert request.items() <= index.items()
    for html in PAGES.values():
        assert set(re.findall(r'href="#(i-[\w-]+)"', html)) == set(re.findall(r'symbol id="(i-[\w-]+)"', html))


def test_a_name_of_bidi_and_control_characters(page: Page, person: Account, watch: Watch) -> None:
    """Issue 11: 200 of them are no name; with letters among them those are left, and no more than 200 are written."""
    asked = ask(person)
    visit(page, asked)
    marks = "\u202e\u2066\u200f\u0007\u2028" * 40
    for name in (marks, f"{marks[:196]}A\u202en\u0007a", "x" * 300):
        page.evaluate("(name) => { document.getElementById('sender').value = name; }", name)
        file = pdf(f"{len(name)}.pdf")
        choose(page, file)
        expect_status(page, file["name"], "SUCCESS")
    assert [sender for _, sender in asked.received] == [None, "Ana", "x" * 200]


def test_a_phone_scrolls_no_way_but_down(page: Page, person: Account, watch: Watch) -> None:
    """At 320 px, with the longest title in one word, a note without a gap, and a queue."""
    asked = ask(person, title="W" * 200, note="x" * 2000)
    page.set_viewport_size({"width": 320, "height": 640})
    visit(page, asked)
    choose(page, pdf("n" * 150 + ".pdf"))
    expect(page.locator("#thanks")).to_be_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth <= 320")
    for place in ("#visit-h", "#visit-note", "#visit-open", "#thanks"):
        assert page.locator(place).evaluate("(element) => element.scrollWidth <= element.clientWidth")

"""Issue 10, "or the page stays blank": which browsers the page needs, what it says where its modules do not load, and
what is fetched ahead so that they load soon."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.engines import ROOT
from tests.web.steps import REFUSED, UNREACHED, Account, Watch, choose, expect_status, hold, pdf, sign_in
from tests.web.test_accessibility import check

WEB = ROOT / "web"
PAGES = {name: (WEB / name).read_text(encoding="utf-8") for name in ("index.html", "request.html")}
MODULES = {"index.html": ("main", "app"), "request.html": ("visitor",)}  # that each begins with
SCRIPTS = sorted((WEB / "js").rglob("*.js"))
STATIC = re.compile(r"^(?:import|export)\b[^;()]*?['\"](\.[^'\"]+)['\"]", re.MULTILINE)

# Younger than two years at the end of 2026, or named by the issue: a browser without one of them shows a blank page.
TOO_YOUNG = {
    "Promise.withResolvers": r"\bwithResolvers\b",
    "Promise.try": r"\bPromise\.try\b",
    "methods of sets": r"\.(union|intersection|(symmetricD|d)ifference|is(Subset|Superset|Disjoint)(Of|From))\(",
    "helpers of iterators": r"\b(Iterator\.(from|concat|zip)|(values|keys|entries|matchAll)\([^()]*\)\s*"
    r"\.(map|filter|take|drop|flatMap|reduce|toArray|forEach|some|every|find)\()",
    "Array.fromAsync": r"\bfromAsync\b",
    "RegExp.escape": r"\bRegExp\.escape\b",
    "base64 of bytes": r"\b(from|to|setFrom)(Base64|Hex)\b",
    "using": r"^\s*(await )?using \w+ =",
    "imports of JSON or CSS": r"\bwith\s*\{\s*type:",
    "regular expressions with modifiers": r"\(\?[ims]*-?[ims]+:",
    "Intl.DurationFormat": r"\bDurationFormat\b",
    "Error.isError": r"\bisError\b",
    "Math.sumPrecise": r"\bsumPrecise\b",
    "Map's getOrInsert": r"\bgetOrInsert\w*\b",
    "Temporal": r"\bTemporal\.",
    "scheduler": r"\bscheduler\.",
    "moveBefore": r"\bmoveBefore\b",
    "Float16": r"\b(Float16Array|f16round)\b",
    "URLPattern": r"\bURLPattern\b",
    "Trusted Types' objects": r"\btrustedTypes\b",
}


@pytest.mark.parametrize("name", TOO_YOUNG)
def test_nothing_is_younger_than_two_years(name: str) -> None:
    found = {
        str(path.relative_to(WEB)): match[0]
        for path in SCRIPTS
        if (match := re.search(TOO_YOUNG[name], path.read_text(encoding="utf-8"), re.MULTILINE))
    }
    assert found == {}


# What decides which browsers the page needs: without them it does not start, or fails when it matters. From MDN's
# browser-compat-data; what only looks a little different without (a hover's shade, a gutter) does not count.
# pattern: (Chrome and Edge, Firefox, Safari)
NEEDED = {
    r"\bIntl\.Segmenter\b": (87, 125, 14.1),
    r"\bcheckVisibility\b": (105, 106, 17.4),
    r"\bAbortSignal\.timeout\b": (103, 100, 16),
    r"\.aria(Label|Invalid|Busy|Pressed|Hidden|Current)\b": (102, 119, 12.1),
    r":has\(": (105, 121, 15.4),
    r"\bcolor-mix\(": (111, 113, 16.2),
    r"@layer\b": (99, 97, 15.4),
    r"<dialog\b": (37, 98, 15.4),
    r"^\s*#\w+": (84, 90, 15),
    r"\b\d*dvh\b": (108, 101, 15.4),
    r"^const .* = await ": (89, 89, 15),
}


def needed() -> tuple[float, ...]:
    """Return the versions of Chrome and Edge, Firefox and Safari that have all that web/ uses."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*SCRIPTS, *WEB.rglob("*.css"), *WEB.glob("*.html")])
    used = [versions for pattern, versions in NEEDED.items() if re.search(pattern, text, re.MULTILINE)]
    return tuple(max(column) for column in zip(*used, strict=True))


def told(text: str) -> tuple[float, ...]:
    """Return the versions that a sentence names, in that order."""
    found = re.search(r"Edge\D+([\d.]*\d)\D+Firefox\D+([\d.]*\d)\D+Safari\D+([\d.]*\d)", text)
    assert found, text
    return tuple(float(version) for version in found.groups())


def test_the_browsers_that_are_named_are_those_that_suffice() -> None:
    """In the README and in both sentences of each page."""
    sentences = [found for html in PAGES.values() for found in re.findall(r"<p><a href=\"\">.*?</p>", html)]
    readme = re.search(r"^.*\bFirefox \d.*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert readme and len(sentences) == 4
    assert {told(text) for text in (*sentences, readme[0])} == {needed()}


def imported(path: Path, seen: set[Path]) -> set[Path]:
    """Return the modules that `path` cannot start without, itself too."""
    if path not in seen:
        seen.add(path)
        for name in STATIC.findall(path.read_text(encoding="utf-8")):
            imported((path.parent / name).resolve(), seen)
    return seen


@pytest.mark.parametrize("page", PAGES)
def test_every_module_is_fetched_ahead(page: str) -> None:
    """All that main.js imports, before what app.js does; the visitors' page has one module that imports all others."""
    ahead = re.findall(r'<link rel="modulepreload" href="([^"]+)"', PAGES[page])
    wanted: set[Path] = set()
    for first in MODULES[page]:
        imported(WEB / f"js/{first}.js", wanted)
    assert sorted(ahead) == sorted(str(path.relative_to(WEB)) for path in wanted)


def test_signing_in_waits_for_no_more_than_it_needs(page: Page, watch: Watch) -> None:
    """Mend: a bare header on a slow line. The form is there before the app is; the app comes when it is loaded."""
    hold(page, "**/js/queue.js")
    page.goto("/")
    expect(page.locator("#email")).to_be_focused()
    ahead = [request for request in watch.requests if request.endswith(".js")]
    assert ahead.index("GET /js/ui/views.js") < ahead.index("GET /js/app.js")


def test_a_sign_in_before_the_app_is_loaded(page: Page, person: Account, watch: Watch) -> None:
    """The form stays, busy, until the app is there to be shown."""
    held = hold(page, "**/js/queue.js")
    page.goto("/")
    sign_in(page, person)
    expect(page.locator("#who")).to_have_text(person.email)
    expect(page.locator("#sign-in [type=submit]")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#app-view")).to_be_hidden()
    held[0].continue_()
    expect(page.locator("#documents-empty")).to_be_visible()
    expect(page.locator("#app-view h1")).to_be_focused()
    choose(page, pdf("a.pdf"))
    expect_status(page, "a.pdf", "SUCCESS")


def test_what_is_fetched_ahead_is_fetched_once(page: Page, watch: Watch) -> None:
    """And before the first module has told what it imports."""
    page.goto("/")
    expect(page.locator("#sign-in-view")).to_be_visible()
    scripts = [request for request in watch.requests if request.endswith(".js")]
    assert len(scripts) == len(set(scripts))


def garbled(route: Route) -> None:
    route.fulfill(body="const = ;", content_type="text/javascript")


FAULTS: dict[str, tuple[str, Callable[[Route], None]]] = {
    "the first is not there": ("**/js/main.js", lambda route: route.fulfill(status=404, body="")),
    "one is not there": ("**/js/format.js", lambda route: route.fulfill(status=404, body="")),
    "one does not arrive": ("**/js/ui/dom.js", lambda route: route.abort("connectionreset")),
    "the first cannot be read": ("**/js/main.js", garbled),
    "one cannot be read": ("**/js/queue.js", garbled),
    "one is a page of somebody else": (
        "**/js/http.js",
        lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_module_that_does_not_load_is_told(page: Page, watch: Watch, fault: str) -> None:
    """The sentence is there, and nothing else; what helps once, loading again, is a link in it."""
    watch.allowed.extend(
        [f"{REFUSED} 404", UNREACHED, "thrown: Unexpected token", "MIME type", "thrown: Failed to fetch dynamically"]
    )
    pattern, answer = FAULTS[fault]
    page.route(pattern, answer)
    page.goto("/")
    notice = page.get_by_role("alert").filter(has_text="This page could not be loaded")
    expect(notice).to_be_visible()
    expect(notice).not_to_contain_text("Diese", use_inner_text=True)
    expect(page.locator("#sign-in-view")).to_be_hidden()
    page.unroute(pattern)
    notice.get_by_role("link", name="Load it again").click()
    expect(page.locator("#sign-in-view")).to_be_visible()
    expect(page.locator("#unsupported")).to_be_hidden()


@pytest.mark.parametrize("missing", ["Intl.Segmenter", "EventTarget", "BroadcastChannel"])
def test_a_browser_that_lacks_something_is_told(page: Page, watch: Watch, missing: str) -> None:
    watch.allowed.append("thrown: .*(is not a constructor|is not defined|undefined)")
    page.add_init_script(f"delete {missing if '.' in missing else 'window.' + missing};")
    page.goto("/")
    expect(page.locator("#unsupported")).to_be_visible()
    check(page)


def test_a_browser_without_modules_is_told(page: Page, watch: Watch) -> None:
    """As far as a browser that has them can be one that has not: it is not told of them, and fetches none."""
    watch.allowed.append(UNREACHED)
    page.add_init_script("delete HTMLScriptElement.prototype.noModule;")
    page.route("**/js/main.js", lambda route: route.abort("blockedbyclient"))
    page.goto("/")
    expect(page.locator("#unsupported")).to_be_visible()


@pytest.mark.parametrize(
    ("languages", "sentence"),
    [
        (["de-AT"], "Diese Seite konnte nicht geladen werden"),
        (["fr", "de", "en"], "Diese Seite konnte nicht geladen werden"),
        (["en-US", "de"], "This page could not be loaded"),
        (["fr"], "This page could not be loaded"),
    ],
)
def test_it_is_told_in_the_language_of_the_page(page: Page, watch: Watch, languages: list[str], sentence: str) -> None:
    watch.allowed.append(UNREACHED)
    page.add_init_script(f"Object.defineProperty(navigator, 'languages', {{ get: () => {languages} }});")
    page.route("**/js/main.js", lambda route: route.abort("connectionreset"))
    page.goto("/")
    expect(page.locator("#unsupported h1:visible")).to_have_text(sentence)


def test_nothing_is_told_of_what_goes_wrong_later(page: Page, watch: Watch) -> None:
    """Nor where all is well."""
    watch.allowed.append("thrown: later")
    page.goto("/")
    expect(page.locator("#sign-in-view")).to_be_visible()
    expect(page.locator("#unsupported")).to_be_hidden()
    with page.expect_event("pageerror"):
        page.evaluate("() => { setTimeout(() => { throw new Error('later'); }); }")
    expect(page.locator("#unsupported")).to_be_hidden()


@pytest.mark.parametrize("path", ["/api/limits", "/api/auth/verify-status"])
def test_one_request_that_is_lost_is_asked_again(signed_in: Page, person: Account, watch: Watch, path: str) -> None:
    """A network that changes while the page loads: what is added is sent all the same."""
    watch.allowed.append(UNREACHED)
    signed_in.route(f"**{path}", lambda route: route.abort("connectionreset"), times=1)
    signed_in.reload()
    expect(signed_in.locator("#app-view")).to_be_visible()
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "SUCCESS")
    assert person.names == ["a.pdf"]


def test_limits_that_do_not_come_are_no_lost_connection(signed_in: Page, watch: Watch) -> None:
    """The server answers the probe: no banner that comes and goes; the limits are asked for until they are there."""
    watch.allowed.append(f"{REFUSED} 500")
    signed_in.add_init_script(
        """document.addEventListener('DOMContentLoaded', () => {
            window.banners = 0;
            const count = () => { window.banners += document.getElementById('banner').hidden ? 0 : 1; };
            new MutationObserver(count).observe(document.getElementById('banner'), { attributes: true });
        });"""
    )
    signed_in.route("**/api/limits", lambda route: route.fulfill(status=500, json={"ok": False}), times=2)
    signed_in.reload()
    expect(signed_in.locator("#hint")).to_contain_text("up to 10 MB")
    assert watch.requests.count("GET /api/limits") == 4  # one of them before the reload
    assert signed_in.evaluate("banners") == 0


def test_what_must_run_everywhere_is_old_javascript() -> None:
    """unsupported.js runs in browsers that know no module: no arrow, no `let`, no template (ECMAScript 5)."""
    code = re.sub(r"(?m)//.*$|^\s*/\*\*.*\*/$", "", (WEB / "js/unsupported.js").read_text(encoding="utf-8"))
    assert code.count("function") > 3
    assert not re.search(r"=>|`|\b(let|const|class|async|await)\b|\.\.\.", code)

"""Issue 10, "Make it a product": what one sees of the page, by its geometry and its computed styles."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.web.steps import UPLOAD, Account, Watch, choose, expect_all, expect_status, frozen, pdf, pdfs, shelf, sign_in
from tests.web.test_accessibility import PNG

Box = dict[str, float]

WEIGHT = "(element) => getComputedStyle(element).fontWeight"
WORDS = re.compile(r"(upload documents|my documents)", re.IGNORECASE)
SHAPES = """(root) => [...root.querySelectorAll('rect, path')].map(
    (shape) => ['d', 'width', 'height', 'rx', 'stroke-width'].map((name) => shape.getAttribute(name)))"""
LINES = """(element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return new Set(Array.from(range.getClientRects(), ({ top }) => Math.round(top))).size;
}"""
# The controls that one sees, each with its size; a link within a name is as wide as the name and stands in a row.
TARGETS = """() => [...document.querySelectorAll('button, a[href], input, summary')]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches('.skip, .name a'))
    .map((element) => { const { width, height } = element.getBoundingClientRect();
        return [element.id || element.ariaLabel || element.textContent, Math.floor(width), Math.floor(height)]; })"""


def box(element: Locator) -> Box:
    found = element.bounding_box()
    assert found
    return dict(found)


def size(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})


def too_small(page: Page, least: int) -> list[Any]:
    return [target for target in page.evaluate(TARGETS) if min(target[1:]) < least]


@pytest.fixture
def stocked(signed_in: Page) -> Page:
    """The page with two documents, and nothing in the queue."""
    choose(signed_in, pdf("a.pdf"), pdf("b.pdf"))
    expect_all(signed_in, "SUCCESS", 2)
    expect(shelf(signed_in)).to_have_count(2)
    signed_in.get_by_role("button", name="Clear finished").click()
    expect(signed_in.locator("#queue")).to_be_hidden()
    return signed_in


@pytest.fixture
def touched(browser: Browser, browser_context_args: dict[str, Any], watch: Watch, person: Account) -> Iterator[Page]:
    """The page on a touch phone, after `person` has signed in."""
    viewport = {"width": 390, "height": 844}
    with browser.new_context(
        **browser_context_args | {"viewport": viewport, "has_touch": True, "is_mobile": True}
    ) as c:
        watch.heed(c)
        page = c.new_page()
        page.goto("/")
        sign_in(page, person)
        expect(page.locator("#hint")).not_to_be_empty()
        yield page


def test_the_zone_is_one_line_once_there_is_something(signed_in: Page) -> None:
    """Large while there is nothing yet; with a queue or documents its buttons and its words stand side by side."""
    zone, button, words = (signed_in.locator(selector) for selector in ("#zone", "#choose", ".says"))
    expect(zone.locator(".or")).to_be_visible()
    large = box(zone)["height"]
    assert box(words)["y"] >= box(button)["y"] + box(button)["height"]
    signed_in.route(UPLOAD, lambda _route: None)
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "UPLOADING")
    assert box(zone)["height"] <= 72 < large
    assert box(words)["x"] > box(button)["x"] + box(button)["width"]
    signed_in.get_by_role("button", name="Cancel upload of a.pdf").click()
    expect_status(signed_in, "a.pdf", "CANCELLED")
    signed_in.unroute(UPLOAD)  # what it holds back goes on: nothing may be left of it
    choose(signed_in, pdf("b.pdf"))
    expect(shelf(signed_in)).to_have_count(1)
    signed_in.get_by_role("button", name="Clear finished").click()
    expect(signed_in.locator("#queue")).to_be_hidden()
    assert box(zone)["height"] <= 72


@pytest.mark.parametrize("is_empty", [True, False])
def test_the_phone_has_no_hole_in_the_zone(signed_in: Page, is_empty: bool) -> None:
    """Where a desk reads "or drop them here" a phone has nothing, not even its room."""
    if not is_empty:
        choose(signed_in, pdf("a.pdf"))
        expect(shelf(signed_in)).to_have_count(1)
    size(signed_in, 390)
    zone, ways, hint = (box(signed_in.locator(selector)) for selector in ("#zone", ".ways", "#hint"))
    expect(signed_in.locator(".or")).to_be_hidden()
    assert hint["y"] - (ways["y"] + ways["height"]) <= 12
    assert ways["y"] - zone["y"] <= 36
    assert zone["y"] + zone["height"] - (hint["y"] + hint["height"]) <= 28


@pytest.mark.parametrize("width", [1280, 390])
def test_the_name_is_the_link_and_download_a_quiet_icon(stocked: Page, width: int) -> None:
    """The icon is no second link to those who listen, but it is seen, as large as a button, and without a frame."""
    size(stocked, width)
    expect(stocked.get_by_role("link", name="Download a.pdf")).to_have_text(re.compile("a.pdf"))
    icon = shelf(stocked).filter(has_text="a.pdf").locator(".actions .download")
    expect(icon).to_be_visible()
    expect(icon).to_have_attribute("aria-label", "Download a.pdf")
    expect(icon).to_have_attribute("href", re.compile("/api/documents/.+/content$"))
    expect(icon.locator("svg")).to_be_visible()
    assert (box(icon)["width"], box(icon)["height"]) == (40, 40)
    assert icon.evaluate("(icon) => getComputedStyle(icon).borderColor") == "rgba(0, 0, 0, 0)"
    with stocked.expect_download() as download:
        icon.click()
    assert download.value.suggested_filename == "a.pdf"


def test_names_are_heavier_than_what_can_be_done(signed_in: Page, person: Account) -> None:
    """600 for names and heads, 400 for every button."""
    choose(signed_in, pdf("a.pdf"), PNG)
    expect(shelf(signed_in)).to_have_count(1)
    with frozen(person.site):
        choose(signed_in, *pdfs(2))
        expect(signed_in.locator("#cancel-all")).to_be_visible()
        assert set(signed_in.locator("button").evaluate_all(f"(all) => all.map({WEIGHT})")) == {"400"}
        for strong in (".row .full", ".row .stem", "h1, h2", "#brand"):
            assert set(signed_in.locator(strong).evaluate_all(f"(all) => all.map({WEIGHT})")) == {"600"}
        light = ".row .meta, .aside, #total-text, #hint"
        assert set(signed_in.locator(light).evaluate_all(f"(all) => all.map({WEIGHT})")) == {"400"}


def test_favicon_and_mark_are_one(page: Page) -> None:
    """The same shapes in the tab as in the header."""
    page.goto("/icon.svg")
    icon = page.locator("svg").evaluate(SHAPES)
    assert len(icon) == 3
    page.goto("/")
    assert page.locator("#i-mark").evaluate(SHAPES) == icon
    assert page.locator("link[rel=icon]").get_attribute("href") == "icon.svg"
    expect(page.locator(".brand use")).to_have_attribute("href", "#i-mark")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_heads_of_the_sections_are_alike(signed_in: Page, width: int) -> None:
    """The title left, what can be done right of it on the same line, how it stands beneath."""
    choose(signed_in, pdf("a.pdf"), PNG)
    expect(shelf(signed_in)).to_have_count(1)
    expect(signed_in.locator("#queue-summary")).not_to_be_empty()
    size(signed_in, width)
    heads = []
    for name, tools, status in (
        ("#queue-h", "#clear-finished", "#queue-summary"),
        ("#documents-h", "#refresh", "#documents-updated"),
    ):
        title, action, aside = (box(signed_in.locator(selector)) for selector in (name, tools, status))
        column = box(signed_in.locator("#zone"))
        middles = [place["y"] + place["height"] / 2 for place in (title, action)]
        assert abs(middles[0] - middles[1]) <= 1
        assert title["x"] == aside["x"] == column["x"]
        assert action["x"] > title["x"] + title["width"]
        assert aside["y"] >= action["y"] + action["height"] - 1
        edge = (
            action["x"] + action["width"] - 12 - (column["x"] + column["width"])
        )  # its words end where the column does
        heads.append((round(edge), round(aside["y"] - title["y"]), title["height"], aside["height"]))
    assert heads[0] == heads[1]
    assert abs(heads[0][0]) <= 1


def test_the_folded_line_begins_where_all_lines_do(signed_in: Page) -> None:
    signed_in.evaluate("async () => Object.assign((await import('/js/config.js')).TIMING, { fold: 50, tick: 50 })")
    signed_in.mouse.move(0, 0)
    choose(signed_in, pdf("a.pdf"))
    expect(signed_in.locator("#folded")).to_be_visible()
    left = box(signed_in.locator("#folded summary .icon"))["x"]
    assert left == box(signed_in.locator("#queue-h"))["x"]


def test_the_words_do_not_repeat(stocked: Page) -> None:
    """Neither "Upload documents" nor "My documents"; what is left of "Documents" is the instance's own name."""
    text = stocked.locator("body").inner_text()
    assert not WORDS.search(text)
    assert len(re.findall("documents", text, re.IGNORECASE)) == 1
    heads = stocked.locator("h1, h2").evaluate_all(
        "(all) => all.filter((h) => h.checkVisibility()).map((h) => h.innerText)"
    )
    assert heads == ["Add files", "Your files"]


@pytest.mark.parametrize("since", ["2025-09-28T10:04:00Z", ""])
def test_a_document_has_one_line_of_facts_on_the_phone(stocked: Page, since: str) -> None:
    """Beneath its name, a long date too; the row is no higher than on a desk."""

    def long_ago(route: Route) -> None:
        body = route.fetch().json()
        for document in body["documents"]:
            document.update(uploadedAt=since or document["uploadedAt"], size=9_999_999)
        route.fulfill(json=body)

    stocked.route("**/api/documents?*", long_ago)
    stocked.get_by_role("button", name="Refresh").click()
    expect(shelf(stocked).first).to_contain_text("9.5 MB")
    size(stocked, 390)
    for line in shelf(stocked).all():
        name, meta = line.locator(".name"), line.locator(".meta")
        assert meta.evaluate(LINES) == 1
        assert meta.inner_text().count(" · ") == 1
        assert box(name)["y"] + box(name)["height"] <= box(meta)["y"] + 1
        assert box(line)["height"] <= 66


def test_the_page_keeps_its_place_when_a_scrollbar_comes(signed_in: Page) -> None:
    assert signed_in.evaluate("getComputedStyle(document.documentElement).scrollbarGutter") == "stable"


@contextmanager
def every_row(page: Page, person: Account) -> Iterator[None]:
    """Let the queue have a row of every kind, while the server stands still, and the list a document."""
    choose(page, pdf("a.pdf"), PNG)
    expect(shelf(page)).to_have_count(1)
    with frozen(person.site):
        choose(page, *pdfs(5, size=5_000_000))
        expect_all(page, "UPLOADING", 3)
        page.get_by_role("button", name="Cancel upload of f04.pdf").click()
        yield


def test_targets_are_large_enough(signed_in: Page, person: Account) -> None:
    """40 px, whatever is shown: the sign-in page, a queue with rows of every kind, the documents, a question."""
    with every_row(signed_in, person):
        for width in (1280, 390):
            size(signed_in, width)
            assert too_small(signed_in, 40) == []
        signed_in.get_by_role("button", name="Cancel all").click()
        assert too_small(signed_in, 40) == []
        signed_in.locator("#confirm-yes").click()
    signed_in.get_by_role("button", name="Sign out").click()
    expect(signed_in.locator("#sign-in-view")).to_be_visible()
    assert too_small(signed_in, 40) == []


def test_targets_for_fingers_are_larger(touched: Page, person: Account) -> None:
    """44 px where the pointer is coarse."""
    with every_row(touched, person):
        assert too_small(touched, 44) == []
        touched.get_by_role("button", name="Cancel all").click()
        touched.locator("#confirm-yes").click()


def test_no_folder_is_chosen_on_a_touch_phone(touched: Page) -> None:
    """Its dialog has none; a desk's has."""
    expect(touched.locator("#choose")).to_be_visible()
    expect(touched.locator("#choose-folder")).to_be_hidden()


def test_a_desk_can_choose_a_folder(signed_in: Page) -> None:
    expect(signed_in.locator("#choose-folder")).to_be_visible()

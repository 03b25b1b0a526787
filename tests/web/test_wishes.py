"""web.md §2, row by row: what is said of a drag, how one gets about by the keyboard, and what a reader's own settings
ask for: forced colours, more contrast, less motion."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.steps import UPLOAD, Account, Drag, Watch, choose, expect_status, middle, patience, pdf, shelf, sign_in
from tests.web.test_accessibility import PNG

RECORD = """() => {
    window.said = [];
    const voice = document.getElementById('announcer-status');
    new MutationObserver(() => voice.textContent && said.push(voice.textContent)).observe(voice, { childList: true });
}"""
# Where the focus is: the element's name, its place, and whether one sees it there.
PLACE = """() => {
    const element = document.activeElement;
    const { x, top, bottom, height } = element.getBoundingClientRect();
    const line = Math.round((top + bottom) / 2 + scrollY);
    return { name: element.id || element.ariaLabel || element.textContent.trim(), x, line, seen: height > 0 };
}"""
BORDER = """(element) => { const { borderTopStyle, borderTopWidth, borderTopColor } = getComputedStyle(element);
    return [borderTopStyle, parseFloat(borderTopWidth), borderTopColor]; }"""
RING = """(element) => { const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
    return [outlineStyle, parseFloat(outlineWidth), outlineColor]; }"""
BARE = "rgba(0, 0, 0, 0)"


def test_a_drag_is_announced_once_as_it_comes_and_goes(signed_in: Page, disk: Callable[..., Path]) -> None:
    """However often it moves over the zone's children."""
    patience(signed_in, speakGap=0, dragGone=60_000)
    signed_in.evaluate(RECORD)
    drag = Drag(signed_in, disk("a.pdf"))
    x, y = middle(signed_in.locator("#zone"))
    drag.enter(x, y)
    for step in range(6):
        drag.over(x - 200 + 60 * step, y)
    expect(signed_in.locator("#announcer-status")).to_have_text("Drop zone entered")
    patience(signed_in, dragGone=100)
    drag.over(x, y)
    expect(signed_in.locator("#announcer-status")).to_have_text("Drop zone left")
    assert signed_in.evaluate("said") == ["Drop zone entered", "Drop zone left"]


def test_the_skip_link_comes_first_and_leads_past_the_header(signed_in: Page) -> None:
    """It is out of sight until it has the focus."""
    link = signed_in.get_by_role("link", name="Skip to main content")
    signed_in.evaluate("document.activeElement.blur()")
    signed_in.reload()
    expect(signed_in.locator("#choose")).to_be_visible()
    expect(link).not_to_be_in_viewport()
    signed_in.keyboard.press("Tab")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport(ratio=1)
    signed_in.keyboard.press("Enter")
    expect(signed_in.locator("main")).to_be_focused()
    signed_in.keyboard.press("Tab")
    expect(signed_in.locator("#choose")).to_be_focused()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_tab_key_goes_as_the_eye_does(signed_in: Page, width: int) -> None:
    """Header, files, the queue's head, its rows, the documents: from line to line, and on each from left to right."""
    signed_in.set_viewport_size({"width": width, "height": 2000})
    choose(signed_in, pdf("a.pdf"), PNG)
    expect(shelf(signed_in)).to_have_count(1)
    expect_status(signed_in, "a.pdf", "SUCCESS")
    signed_in.locator("#sign-out").focus()
    places = [signed_in.evaluate(PLACE)]
    while places[-1]["name"] != "Delete a.pdf":
        signed_in.keyboard.press("Tab")
        places.append(signed_in.evaluate(PLACE))
        assert len(places) < 20, places
    assert [place["name"] for place in places if place["name"] != "queue-list"] == [
        "sign-out", "choose", "choose-folder", "clear-finished", "Remove a.pdf", "Remove png-renamed.pdf",
        "refresh", "search", "sort", "select-all", "Select a.pdf", "Download a.pdf", "Delete a.pdf"]  # fmt: skip
    assert all(place["seen"] for place in places)
    stops = [place for place in places if place["name"] != "queue-list"]  # it is as high as all its rows
    for before, after in pairwise(stops):
        is_same_line = abs(after["line"] - before["line"]) <= 14
        assert after["x"] > before["x"] if is_same_line else after["line"] > before["line"]


def test_forced_colours_leave_edges_and_the_ring(signed_in: Page) -> None:
    """What is told by a background alone would be lost: buttons, rows, zone and bar have edges, the focus a ring."""
    signed_in.route(UPLOAD, lambda _route: None)
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "UPLOADING")
    signed_in.emulate_media(forced_colors="active")
    assert signed_in.evaluate("matchMedia('(forced-colors: active)').matches")
    for selector in ("#choose", "#choose-folder", "#cancel-all", "#zone", "#queue-list", "#total-bar", ".row progress"):
        style, width, colour = signed_in.locator(selector).evaluate(BORDER)
        assert style != "none" and width >= 1 and colour != BARE, selector
    signed_in.keyboard.press("Tab")  # from now on the focus is one of the keyboard
    for selector in ("#choose", "#refresh", "#queue-h"):
        signed_in.locator(selector).focus()
        style, width, colour = signed_in.locator(selector).evaluate(RING)
        assert style == "solid" and width == 3 and colour != BARE, selector
    signed_in.unroute(UPLOAD)
    signed_in.get_by_role("button", name="Cancel upload of a.pdf").click()


def side(selector: str) -> str:
    """Return where an element has its edge."""
    return "bottom" if selector == "header" else "top"


def test_more_contrast_is_given(signed_in: Page) -> None:
    """Edges, hairlines and quiet words get the colour of the text."""
    choose(signed_in, pdf("a.pdf"))
    expect(shelf(signed_in)).to_have_count(1)
    ink = signed_in.evaluate("getComputedStyle(document.body).color")
    edged, quiet = ("#zone", "#choose-folder", "#documents-list", "header"), ("#hint", "#documents-list .meta")
    colour = "(element) => getComputedStyle(element).color"
    assert all(signed_in.locator(selector).evaluate(colour) != ink for selector in quiet)
    signed_in.emulate_media(contrast="more")
    for selector in edged:
        expect(signed_in.locator(selector)).to_have_css(f"border-{side(selector)}-color", ink)
    assert all(signed_in.locator(selector).evaluate(colour) == ink for selector in quiet)
    signed_in.keyboard.press("Tab")
    signed_in.locator("#choose").focus()
    assert signed_in.locator("#choose").evaluate(RING)[:2] == ["solid", 3]


def test_a_waiting_bar_rests_where_motion_is_reduced(signed_in: Page) -> None:
    """And so do notices and every change of colour; the stripes stay, so that one sees what the bar means."""
    signed_in.route(UPLOAD, lambda _route: None)
    choose(signed_in, pdf("a.pdf"))
    bar = signed_in.locator(".row progress")
    expect(bar).to_be_visible()
    bar.evaluate("(bar) => bar.removeAttribute('value')")
    motion = "(element) => [getComputedStyle(element).animationName, getComputedStyle(element).transitionProperty]"
    assert bar.evaluate(motion)[0] == "onward"
    signed_in.emulate_media(reduced_motion="reduce")
    assert bar.evaluate(motion)[0] == "none"
    assert "gradient" in bar.evaluate("(bar) => getComputedStyle(bar).backgroundImage")
    assert signed_in.locator("#zone").evaluate(motion) == ["none", "none"]
    signed_in.unroute(UPLOAD)
    signed_in.get_by_role("button", name="Cancel upload of a.pdf").click()


def test_forced_colours_on_the_sign_in_page(page: Page, person: Account, watch: Watch) -> None:
    """The fields have edges, and the ring."""
    page.emulate_media(forced_colors="active")
    page.goto("/")
    expect(page.locator("#email")).to_be_focused()
    for selector in ("#email", "#password", "#sign-in [type=submit]", "#sign-in-card"):
        style, width, colour = page.locator(selector).evaluate(BORDER)
        assert style == "solid" and width >= 1 and colour != BARE
    assert page.locator("#email").evaluate(RING)[:2] == ["solid", 3]
    sign_in(page, person)
    expect(page.locator("#upload-h")).to_be_focused()
    assert page.locator("#upload-h").evaluate(RING)[:2] == ["solid", 3]

"""The page from right to left, as from left to right: nothing sticks out, no button lies on a text (issue 10)."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.leaving import reload, start_slowly
from tests.web.steps import (
    REFUSED,
    UNREACHED,
    UPLOAD,
    Account,
    Watch,
    choose,
    expect_all,
    expire,
    patience,
    pdf,
    pdfs,
    shelf,
    sign_in,
    throttle,
)
from tests.web.test_accessibility import mixed
from tests.web.test_languages import reader

Allow = Callable[..., None]
Disk = Callable[..., Path]
SHOTS = os.environ.get("SHOTS")
LONG = "A rather long name of a report of the northern region, final version.pdf"
# What sticks out of the window, and whose button lies on whose text.
MISPLACED = """() => {
    const found = [];
    const tell = (what, element) => {
        found.push(`${what}: ${element.id || element.className} in ${element.closest('[id]')?.id}`);
    };
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`scrolls: ${scrollWidth} > ${clientWidth}`);
    for (const element of document.body.querySelectorAll('*')) {
        if (!element.checkVisibility() || element.closest('.vh, svg, .stem, .skip')) continue;
        const { left, right, width } = element.getBoundingClientRect();
        if (width && (left < -1 || right > innerWidth + 1)) tell('outside', element);
        if (element.matches('button, dialog, .banner, .notice') && element.scrollWidth > element.clientWidth + 1) {
            tell('overflows', element);
        }
    }
    const boxes = (node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return [...range.getClientRects()];
    };
    const meets = (box) => (text) => text.left < box.right - 1 && box.left < text.right - 1
        && text.top < box.bottom - 1 && box.top < text.bottom - 1;
    const isCut = (text) => getComputedStyle(text).overflowX === 'hidden';
    const extent = (text) => isCut(text) ? [text.getBoundingClientRect()] : boxes(text);
    const visible = (all) => [...all].filter((element) => element.checkVisibility());
    for (const line of visible(document.querySelectorAll('.row'))) {
        const texts = visible(line.querySelectorAll('.meta, .cut'))
            .flatMap((text) => text.matches('.cut') ? [text.getBoundingClientRect()] : boxes(text));
        for (const button of line.querySelectorAll('.actions > :not([hidden])')) {
            if (texts.some(meets(button.getBoundingClientRect()))) tell('overlap', button);
        }
        const [name, state] = [...line.querySelectorAll('.cut, .meta')].map((text) => text.getBoundingClientRect());
        const apart = document.documentElement.dir === 'rtl' ? state.right - name.right : name.left - state.left;
        if (Math.abs(apart) > 1) tell('name apart from its state', line);
    }
    for (const button of visible(document.querySelectorAll('dialog button'))) {
        if (new Set(boxes(button).map((box) => box.top)).size > 1) tell('two lines', button);
    }
    const parts = '.top, .zone, .banner, .head, .total, .folded, .entry, .once, dialog, form';
    for (const part of visible(document.querySelectorAll(parts))) {
        const texts = visible(part.querySelectorAll('p, h1, h2, label, bdi, summary span'))
            .filter((text) => !text.closest('button, .row')).flatMap(extent);
        const controls = visible(part.querySelectorAll('button')).filter((one) => !one.closest('.row'));
        for (const one of controls) {
            const box = one.getBoundingClientRect();
            const others = controls.filter((other) => other !== one).map((other) => other.getBoundingClientRect());
            if ([...texts, ...others].some(meets(box))) tell('overlap', one);
        }
    }
    return found;
}"""


def expect_mirrored(page: Page, state: str) -> None:
    """Look at the page in both directions and at three widths."""
    found = {}
    for direction in ("ltr", "rtl"):
        page.evaluate("(direction) => { document.documentElement.dir = direction; }", direction)
        for width in (1280, 390, 320):
            page.set_viewport_size({"width": width, "height": 900})
            if problems := page.evaluate(MISPLACED):
                found[direction, width] = problems
            if SHOTS:
                page.screenshot(path=f"{SHOTS}/{state}-{direction}-{width}.png", full_page=True)
    assert found == {}


def test_what_is_misplaced_is_found(signed_in: Page) -> None:
    """The looking itself: what sticks out, what does not fit and what lies upon another is told."""
    spoil = """(rule) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(rule);
        document.adoptedStyleSheets = [sheet];
    }"""
    assert signed_in.evaluate(MISPLACED) == []
    for rule, told in (
        ("#refresh { position: relative; inset-inline-start: 60rem }", "outside: refresh in refresh"),
        ("#refresh { width: 1rem; min-width: 0; padding: 0; white-space: nowrap }", "overflows: refresh in refresh"),
        ("#choose { position: relative; inset-block-start: -2rem; inset-inline-start: 12rem }", "overlap: choose"),
    ):
        signed_in.evaluate(spoil, rule)
        assert any(text.startswith(told) for text in signed_in.evaluate(MISPLACED)), rule


def test_the_queue_can_be_mirrored(signed_in: Page, person: Account, allow: Allow, disk: Disk) -> None:
    """Rows in every state, the documents, the total."""
    allow(UNREACHED)
    choose(signed_in, pdf(LONG), pdf("تقرير.pdf"))
    expect_all(signed_in, "SUCCESS", 2)
    signed_in.get_by_role("button", name="Clear finished").click()
    with mixed(signed_in, person, disk):
        expect(signed_in.locator("#total")).to_be_visible()
        expect_mirrored(signed_in, "mixed")


@pytest.fixture(params=["en-GB", "de-DE"])
def read_in(
    browser: Browser, browser_context_args: dict[str, Any], origin: str, request: pytest.FixtureRequest
) -> Iterator[tuple[Page, Watch, str]]:
    """A page in each language, watched."""
    with reader(browser, browser_context_args, origin, request.param) as (page, watch):
        yield page, watch, request.param


def test_signing_in_can_be_mirrored(read_in: tuple[Page, Watch, str], person: Account) -> None:
    """The page with a complaint, the dialog over the app, the banner that is left of it."""
    page, watch, language = read_in
    watch.allowed.append(f"{REFUSED} 401")
    page.goto("/")
    page.locator("#sign-in [type=submit]").click()
    expect(page.locator("#sign-in-error")).not_to_be_empty()
    expect_mirrored(page, f"sign-in-{language}")
    sign_in(page, person)
    expect(page.locator("#documents-empty")).to_be_visible()
    expire(page.context, session=True)
    choose(page, pdf(LONG))
    expect(page.locator("#sign-in-again")).to_be_visible()
    expect_mirrored(page, f"again-{language}")
    page.keyboard.press("Escape")
    expect(page.locator("#banner")).to_be_visible()
    expect_mirrored(page, f"banner-{language}")


def test_what_comes_and_goes_can_be_mirrored(read_in: tuple[Page, Watch, str], person: Account, disk: Disk) -> None:
    """The fold, notices, the question before a delete, the overlay of a drag, the moving total, the offer."""
    page, watch, language = read_in
    watch.allowed.append(UNREACHED)
    page.goto("/")
    sign_in(page, person)
    expect(page.locator("#hint")).not_to_be_empty()
    patience(page, fold=100, tick=100, notice=600_000, dragGone=600_000, retries=[])
    page.mouse.move(0, 0)
    choose(page, pdf(LONG), *pdfs(3))
    expect(page.locator("#folded")).to_be_visible()
    page.route(UPLOAD, lambda route: route.abort("connectionreset"))
    choose(page, pdf("failed.pdf"))
    expect(page.locator("#retry-failed")).to_be_visible()
    page.unroute(UPLOAD)
    page.locator("#folded-more summary").click()
    expect(page.locator("#queue-done > li")).to_have_count(4)
    show = "async (texts) => (await import('/js/ui/notices.js')).notice(texts, { alert: true })"
    page.evaluate(show, f"{LONG} {LONG}")
    page.evaluate(show, "تقرير.pdf")
    expect(page.locator("#notices .notice")).to_have_count(2)
    expect_mirrored(page, f"fold-{language}")
    page.locator("#queue-list .x").click()  # what failed is kept, and would be offered
    shelf(page).last.locator(".delete").click()
    expect(page.locator("#confirm")).to_be_visible()
    expect_mirrored(page, f"delete-{language}")
    page.keyboard.press("Escape")
    page.evaluate("""() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(['x'], 'x', { type: 'image/png' }));
        document.body.dispatchEvent(new DragEvent('dragenter', { bubbles: true, dataTransfer }));
    }""")
    expect(page.locator("#verdict")).to_be_visible()
    expect_mirrored(page, f"drag-{language}")
    reload(page)
    start_slowly(page, disk, 6)
    expect_mirrored(page, f"total-{language}")
    page.locator("#cancel-all").click()
    expect(page.locator("#confirm")).to_be_visible()
    expect_mirrored(page, f"cancel-{language}")
    page.keyboard.press("Escape")
    reload(page)
    throttle(page, 0)
    expect(page.locator("#unfinished")).to_be_visible()
    expect_mirrored(page, f"offer-{language}")

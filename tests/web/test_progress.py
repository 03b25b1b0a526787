"""The progress of the whole queue, and what becomes of its rows: issue 10, build 1."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.steps import (
    REFUSED,
    UNREACHED,
    UPLOAD,
    Account,
    choose,
    expect_all,
    expect_status,
    frozen,
    patience,
    pdf,
    pdfs,
    row,
    rows,
    throttle,
)
from tests.web.test_accessibility import PNG, check

Allow = Callable[..., None]
Disk = Callable[..., Path]

RECORD_BAR = """() => { window.bar = [];
    new MutationObserver(() => bar.push(document.getElementById('total-bar').value))
        .observe(document.getElementById('total-bar'), { attributes: true, attributeFilter: ['value'] }); }"""
AWAY = """(away) => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: away });
    document.dispatchEvent(new Event('visibilitychange')); }"""


def measure(page: Page, notes: list[list[int]], at: int, left: int) -> Any:
    """Return what a Pace says at a moment, after these notes of a moment and its bytes."""
    body = """async ([notes, at, left]) => {
        const { Pace } = await import('/js/pace.js');
        const pace = new Pace();
        for (const [moment, carried] of notes) pace.note(moment, carried);
        return [Math.round(pace.speed(at)), Math.round(pace.timeLeft(at, left))]; }"""
    return page.evaluate(body, [notes, at, left])


@pytest.mark.parametrize(
    ("notes", "at", "told"),
    [
        ([[0, 0], [1000, 5000]], 1900, [0, 0]),  # too soon
        ([[0, 0], [1000, 1000], [3000, 3000]], 3000, [1000, 10_000]),
        ([[0, 0], [3000, 3000]], 9000, [0, 0]),  # stalled
        ([[0, 0], [10_000, 0], [20_000, 20_000]], 20_000, [2000, 5000]),  # the last ten seconds count
        ([[0, 5000], [2000, 7000], [3000, 0], [4000, 2000]], 4000, [1000, 10_000]),  # one given up, or begun again
    ],
)
def test_pace(signed_in: Page, notes: list[list[int]], at: int, told: list[int]) -> None:
    """Speed and time left are those of the last ten seconds; they are not told at first, nor when nothing moves."""
    assert measure(signed_in, notes, at, 10_000) == told


def test_lasting(signed_in: Page) -> None:
    """The time left is told roughly."""
    say = "async (times) => { const { lasting } = await import('/js/format.js'); return times.map(lasting); }"
    told = signed_in.evaluate(say, [400, 19_000, 59_000, 250_000, 7_000_000])
    assert told == ["5 seconds", "20 seconds", "1 minute", "4 minutes", "2 hours"]


def test_total(signed_in: Page, disk: Disk) -> None:
    """Files, bytes, speed and time left of the whole batch; the bar never runs back, whatever is given up."""
    patience(signed_in, tick=100)
    signed_in.evaluate(RECORD_BAR)
    throttle(signed_in, 150_000)
    choose(signed_in, *(disk(f"{number}.pdf", size=300_000) for number in range(6)))
    text, bar = signed_in.locator("#total-text"), signed_in.get_by_role("progressbar", name="All uploads")
    expect(text).to_have_text(re.compile(r"^6 files to go · [\d.]+ of 1\.7 MB$"))
    expect(bar).to_have_accessible_description(re.compile("^. files to go"))
    expect(text).to_have_text(
        re.compile(r"^\d files to go · [\d.]+ of 1\.7 MB · \d+ kB/s · about \d+ seconds left$"), timeout=20_000
    )
    signed_in.get_by_role("button", name="Cancel upload of 0.pdf").click()
    signed_in.get_by_role("button", name="Cancel upload of 5.pdf").click()
    expect(text).to_have_text(re.compile(r"^\d files to go · [\d.]+ of 1\.1 MB"))
    throttle(signed_in, 0)
    expect_all(signed_in, "SUCCESS", 4)
    expect(signed_in.locator("#total")).to_be_hidden()
    shown = signed_in.evaluate("bar")
    assert shown == sorted(shown)
    assert shown[-1] <= 99


def test_cancel_all(signed_in: Page, person: Account) -> None:
    """More than three files are not given up without a question; the focus goes to the heading, or back."""
    with frozen(person.site):
        choose(signed_in, *pdfs(5, size=5_000_000))
        button = signed_in.get_by_role("button", name="Cancel all")
        button.click()
        dialog = signed_in.get_by_role("dialog", name="Stop uploading 5 files?")
        expect(dialog.get_by_role("button", name="Cancel", exact=True)).to_be_focused()
        signed_in.keyboard.press("Escape")
        expect(button).to_be_focused()
        expect_all(signed_in, "CANCELLED", 0)
        button.click()
        dialog.get_by_role("button", name="Stop uploading").click()
        expect_all(signed_in, "CANCELLED", 5)
        expect(signed_in.locator("#queue-h")).to_be_focused()
        expect(signed_in.locator("#total")).to_be_hidden()


def test_focus_when_all_is_done(signed_in: Page, person: Account) -> None:
    """ "Cancel all" goes when there is nothing to cancel, and hands its focus to the heading; so does its question."""
    with frozen(person.site):
        choose(signed_in, pdf("a.pdf"))
        signed_in.get_by_role("button", name="Cancel all").focus()
    expect_status(signed_in, "a.pdf", "SUCCESS")
    expect(signed_in.locator("#queue-h")).to_be_focused()
    with frozen(person.site):
        choose(signed_in, *pdfs(4))
        signed_in.get_by_role("button", name="Cancel all").click()
        expect(signed_in.locator("#confirm")).to_be_visible()
    expect_all(signed_in, "SUCCESS", 5)
    signed_in.keyboard.press("Escape")
    expect(signed_in.locator("#confirm")).to_be_hidden()
    expect(signed_in.locator("#queue-h")).to_be_focused()


def test_total_stays_in_sight(signed_in: Page, person: Account) -> None:
    """The total sticks to the top of the window and covers nothing that has the focus (WCAG 2.4.11)."""
    choose(signed_in, *pdfs(20, prefix="old"))
    expect(signed_in.locator("#documents-list > li")).to_have_count(20)
    with frozen(person.site):
        choose(signed_in, *pdfs(3, size=5_000_000))
        total = signed_in.locator("#total")
        expect(total).to_be_visible()
        signed_in.get_by_role("button", name="Delete", exact=False).last.focus()
        box = total.bounding_box()
        assert box
        assert abs(box["y"]) <= 1
        for _ in range(50):
            signed_in.keyboard.press("Shift+Tab")
            below = "([edge]) => document.activeElement.getBoundingClientRect().top >= edge"
            in_total = signed_in.evaluate("document.getElementById('total').contains(document.activeElement)")
            box = total.bounding_box()
            assert box
            assert in_total or box["y"] > 1 or signed_in.evaluate(below, [box["y"] + box["height"] - 1])
        for name in [f"f{number:02}.pdf" for number in range(3)]:
            signed_in.get_by_role("button", name=f"Cancel upload of {name}").click()


def test_title_in_the_background(signed_in: Page, allow: Allow) -> None:
    """A tab in the background tells how it ended until it is looked at."""
    allow(UNREACHED)
    patience(signed_in, retries=[])
    signed_in.evaluate(AWAY, True)
    choose(signed_in, *pdfs(3))
    expect(signed_in).to_have_title("✓ 3 uploaded – Documents")
    signed_in.evaluate(AWAY, False)
    expect(signed_in).to_have_title("Documents")
    signed_in.evaluate(AWAY, True)
    signed_in.route(UPLOAD, lambda route: route.abort("connectionreset"))
    choose(signed_in, *pdfs(2, prefix="g"))
    expect(signed_in).to_have_title("! 2 failed – Documents")
    signed_in.evaluate(AWAY, False)
    expect(signed_in).to_have_title("Documents")


def test_fold(signed_in: Page, person: Account) -> None:
    """What is uploaded folds into one line after a while; what was refused stays, and the focus is kept."""
    choose(signed_in, *pdfs(3), PNG)
    expect_all(signed_in, "SUCCESS", 3)
    patience(signed_in, fold=50, tick=50)
    signed_in.mouse.move(0, 0)
    choose(signed_in, *pdfs(4, prefix="g"))
    signed_in.get_by_role("button", name="Remove f00.pdf").focus()
    expect(signed_in.locator("#folded-text")).to_have_text("4 uploaded")
    expect(signed_in.locator("#queue-summary")).to_have_text("7 of 7 uploaded · 1 not added")
    expect(signed_in.locator("#queue-list > li")).to_have_count(4)
    expect(row(signed_in, PNG["name"])).to_be_visible()
    expect(signed_in.get_by_role("button", name="Remove f00.pdf")).to_be_focused()
    check(signed_in)
    signed_in.locator("#folded summary").click()
    expect(row(signed_in, "g03.pdf")).to_be_visible()
    check(signed_in)
    signed_in.get_by_role("button", name="Clear uploaded files from the list").click()
    expect(signed_in.locator("#folded")).to_be_hidden()
    expect(rows(signed_in)).to_have_count(4)
    expect(signed_in.locator("#queue-h")).to_be_focused()
    assert len(person.names) == 7


def test_fold_waits(signed_in: Page, person: Account) -> None:
    """A row that has the focus does not fold before it has lost it."""
    patience(signed_in, fold=50, tick=50)
    signed_in.mouse.move(0, 0)
    with frozen(person.site):
        choose(signed_in, *pdfs(2))
        signed_in.get_by_role("button", name="Cancel upload of f00.pdf").focus()
    expect(signed_in.locator("#folded-text")).to_have_text("1 uploaded")
    expect(signed_in.get_by_role("button", name="Remove f00.pdf")).to_be_focused()
    signed_in.locator("#choose").focus()
    expect(signed_in.locator("#folded-text")).to_have_text("2 uploaded")


def test_many_rows(signed_in: Page, person: Account) -> None:
    """Many files take no more of the window than some: the documents stay within reach, the rest by its keys."""
    with frozen(person.site):
        choose(signed_in, *pdfs(100))
        expect(rows(signed_in)).to_have_count(100)
        queue = signed_in.get_by_role("list", name="Uploads")
        box = queue.bounding_box()
        assert box
        assert box["height"] <= 0.6 * (signed_in.viewport_size or {})["height"] + 1
        check(signed_in)
        queue.focus()
        signed_in.keyboard.press("End")
        expect(row(signed_in, "f99.pdf")).to_be_in_viewport()
        signed_in.get_by_role("button", name="Cancel all").click()
        signed_in.get_by_role("button", name="Stop uploading").click()
        expect_all(signed_in, "CANCELLED", 100)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_refused_for_good(signed_in: Page, allow: Allow, status: int) -> None:
    """What the server will refuse again offers no Retry and is finished."""
    allow(REFUSED)
    body = {"ok": False, "error": "too_large" if status == 413 else "made_up", "message": "Told by the server."}

    def refuse(route: Route) -> None:
        route.fulfill(status=status, json=body)

    signed_in.route(UPLOAD, refuse)
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "FAILED")
    expect(row(signed_in, "a.pdf").get_by_role("button")).to_have_accessible_name("Remove a.pdf")
    expect(signed_in.get_by_role("button", name="Retry failed")).to_be_hidden()
    signed_in.get_by_role("button", name="Clear finished").click()
    expect(rows(signed_in)).to_have_count(0)


def test_not_added(signed_in: Page) -> None:
    """Files that never left were not added: they are no failures."""
    choose(signed_in, PNG)
    expect(signed_in.locator("#queue-summary")).to_have_text("1 not added")
    expect(row(signed_in, PNG["name"])).to_contain_text("Not added.")


def test_checking_bar_moves(signed_in: Page, person: Account) -> None:
    """The bar of a file that is checked moves, unless motion is to be reduced."""
    name = "(bar) => getComputedStyle(bar).animationName"
    with frozen(person.site):
        choose(signed_in, pdf("a.pdf"))
        expect(row(signed_in, "a.pdf")).to_contain_text("Checking…")
        bar = row(signed_in, "a.pdf").locator("progress")
        assert bar.evaluate(name) == "onward"
        signed_in.emulate_media(reduced_motion="reduce")
        assert bar.evaluate(name) == "none"


@pytest.mark.parametrize("width", [390, 1280])
def test_cross_keeps_its_place(signed_in: Page, person: Account, allow: Allow, width: int) -> None:
    """The ✕ of every state stands at the same place, and Retry does not touch the text."""
    allow(UNREACHED)
    patience(signed_in, retries=[])
    signed_in.set_viewport_size({"width": width, "height": 900})
    signed_in.route(UPLOAD, lambda route: route.abort("connectionreset"))
    choose(signed_in, pdf("failed.pdf"), PNG)
    expect_status(signed_in, "failed.pdf", "FAILED")
    signed_in.unroute(UPLOAD)
    with frozen(person.site):
        choose(signed_in, pdf("way.pdf"))
        expect(row(signed_in, "way.pdf")).to_contain_text("Checking…")
        places = (
            "(rows) => rows.map((row) => { const own = row.getBoundingClientRect(); const cross = "
            "row.querySelector('.x').getBoundingClientRect(); return [own.right - cross.right, cross.top - own.top]; })"
        )
        offsets = rows(signed_in).evaluate_all(places)
    assert len(offsets) == 3
    if width == 390:
        tops = [top for _, top in offsets]
        assert max(tops) - min(tops) <= 1  # the line between two rows
    assert len({round(side) for side, _ in offsets}) == 1
    text, retry = row(signed_in, "failed.pdf").locator(".meta"), row(signed_in, "failed.pdf").locator(".retry")
    gap = (
        "([text, retry]) => { const a = text.getBoundingClientRect(), b = retry.getBoundingClientRect(); "
        "return Math.max(b.top - a.bottom, b.left - a.right); }"
    )
    assert signed_in.evaluate(gap, [text.element_handle(), retry.element_handle()]) >= 4
    assert signed_in.evaluate("document.documentElement.scrollWidth <= innerWidth")

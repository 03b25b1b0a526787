"""Issue 10, Build 1: however many files, what came of them takes little room, and the documents stay within reach."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.web.steps import (
    REFUSED,
    UNREACHED,
    UPLOAD,
    Account,
    choose,
    expect_all,
    expect_status,
    expire,
    patience,
    pdfs,
    row,
    rows,
)
from tests.web.test_accessibility import PNG

Allow = Callable[..., None]
WAITS = "async () => { const { fold, tick } = (await import('/js/config.js')).TIMING; return [fold, tick]; }"


def top(page: Page, selector: str) -> float:
    """Return how far an element lies below the top of the page."""
    return page.locator(selector).evaluate("(element) => element.getBoundingClientRect().top + scrollY")


def height(page: Page) -> float:
    assert page.viewport_size
    return page.viewport_size["height"]


def test_failures_stay_in_sight_when_successes_fold(signed_in: Page, person: Account, allow: Allow) -> None:
    """What failed on the way and what was refused are no successes, however short the wait."""
    allow(UNREACHED)
    patience(signed_in, fold=50, tick=50, retries=[])
    signed_in.mouse.move(0, 0)
    signed_in.route(UPLOAD, lambda route: route.abort("connectionreset"))
    choose(signed_in, *pdfs(2, prefix="failed"), PNG)
    expect_all(signed_in, "FAILED", 3)
    signed_in.unroute(UPLOAD)
    choose(signed_in, *pdfs(3))
    expect(signed_in.locator("#folded-text")).to_have_text("3 uploaded")
    expect(signed_in.locator("#queue-list > li .full")).to_have_text(["failed00.pdf", "failed01.pdf", PNG["name"]])
    expect(row(signed_in, "failed00.pdf").get_by_role("button", name="Retry failed00.pdf")).to_be_visible()
    expect(signed_in.get_by_role("button", name="Retry failed", exact=True)).to_be_visible()
    expect(signed_in.locator("#queue-summary")).to_have_text("3 of 5 uploaded · 2 failed · 1 not added")
    signed_in.get_by_role("button", name="Retry failed", exact=True).click()
    signed_in.locator("#choose").focus()
    expect(signed_in.locator("#folded-text")).to_have_text("5 uploaded")
    assert len(person.names) == 5


def test_successes_fold_after_ten_seconds(signed_in: Page, person: Account) -> None:
    """Nobody has shortened it: a reader has that long to see each arrive."""
    signed_in.reload()
    expect(signed_in.locator("#hint")).not_to_be_empty()
    assert signed_in.evaluate(WAITS) == [10_000, 1_000]


def test_the_documents_are_within_reach_of_500_files(signed_in: Page, person: Account) -> None:
    """Waiting or arrived, the rows have a scrollbar of their own: the heading is less than two windows down, and a
    reader by the keyboard comes to it past what is seen of the rows' list, which folds."""
    signed_in.route(UPLOAD, lambda _route: None)
    choose(signed_in, *pdfs(500))
    expect(rows(signed_in)).to_have_count(500)
    for width in (1280, 390):
        signed_in.set_viewport_size({"width": width, "height": 800})
        assert top(signed_in, "#documents-h") <= 2 * height(signed_in)
        assert signed_in.locator("#queue-list").evaluate("(list) => list.scrollHeight > 10 * list.clientHeight")
    signed_in.mouse.move(5, 400)
    signed_in.mouse.wheel(0, height(signed_in))
    expect(signed_in.locator("#documents-h")).to_be_in_viewport()
    signed_in.get_by_role("button", name="Cancel all").click()
    signed_in.locator("#confirm-yes").click()
    signed_in.get_by_role("button", name="Clear finished").click()
    expect(signed_in.locator("#queue")).to_be_hidden()


def test_what_is_held_back_is_no_part_of_the_sum(signed_in: Page) -> None:
    """ "0 of 1 uploaded" would be told of a file that nobody sends; beside others it is not counted either."""
    choose(signed_in, *pdfs(1))
    expect_all(signed_in, "SUCCESS", 1)
    signed_in.get_by_role("button", name="Clear finished").click()
    choose(signed_in, *pdfs(1))
    expect(row(signed_in, "f00.pdf")).to_contain_text("Already there since")
    expect(signed_in.locator("#queue-summary")).to_be_empty()
    choose(signed_in, *pdfs(1, prefix="g"))
    expect(signed_in.locator("#queue-summary")).to_have_text("1 of 1 uploaded")


def test_the_bar_tells_of_what_is_put_back(signed_in: Page, allow: Allow) -> None:
    """A file that was sent in vain, for the session had ended, has all of its way before it."""
    allow(f"{REFUSED} 401")
    expire(signed_in.context, session=True)
    choose(signed_in, *pdfs(2, size=20_000))
    expect(signed_in.get_by_role("dialog", name="Sign in again")).to_be_visible()
    for name in ("f00.pdf", "f01.pdf"):
        expect_status(signed_in, name, "PENDING")
    expect(signed_in.locator("#total-text")).to_have_text("2 files to go · 0 of 39 kB")
    expect(signed_in.locator("#total-bar")).to_have_js_property("value", 0)

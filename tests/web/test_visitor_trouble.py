"""The visitors' page in bad luck (issue 11): lost answers, lost connections, a busy server, a full account."""

import signal
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.support.engines import start_live
from tests.web.steps import (
    COUNT_UPLOADS,
    REFUSED,
    UNREACHED,
    UPLOAD,
    Account,
    Watch,
    choose,
    expect_all,
    expect_status,
    hold,
    lose,
    patience,
    pdf,
    pdfs,
    row,
)
from tests.web.test_accessibility import check
from tests.web.visiting import ask, visit

REQUEST = "**/api/request"


def test_a_repeat_is_known_by_its_key_and_its_name(page: Page, person: Account, watch: Watch) -> None:
    """The answer is lost, another name is written, and the row is tried again: one document, under the first name."""
    watch.allowed.append(UNREACHED)
    asked = ask(person, maxFiles=2)
    visit(page, asked)
    patience(page, retries=[])
    page.evaluate(COUNT_UPLOADS)
    page.locator("#sender").fill("Ana")
    page.route(UPLOAD, lose, times=1)
    choose(page, pdf("a.pdf"))
    expect_status(page, "a.pdf", "FAILED")
    expect(row(page, "a.pdf")).to_contain_text("The connection was interrupted.")
    page.locator("#sender").fill("Somebody else")
    row(page, "a.pdf").get_by_role("button", name="Retry a.pdf").click()
    expect_status(page, "a.pdf", "SUCCESS")
    first, second = page.evaluate("() => uploads.keys")
    assert first == second
    assert asked.received == [("a.pdf", "Ana")]
    expect(page.locator("#visit-open")).to_contain_text("· takes 1 more file")


def test_a_connection_lost_in_the_middle(page: Page, person: Account, watch: Watch) -> None:
    """The banner says so, rows wait, and all of them arrive once when it is back."""
    watch.allowed += [UNREACHED, "ERR_INTERNET_DISCONNECTED"]
    asked = ask(person)
    visit(page, asked)
    patience(page, probes=[100], retries=[100, 100, 100])
    held = hold(page, UPLOAD)
    choose(page, *pdfs(4))
    expect_all(page, "UPLOADING", 3)
    page.context.set_offline(True)
    expect(page.locator("#banner-text")).to_contain_text("You're offline.")
    expect(row(page, "f03.pdf")).to_contain_text("Waiting for connection")
    check(page)
    held.clear()
    page.unroute(UPLOAD)
    page.context.set_offline(False)
    expect_all(page, "SUCCESS", 4)
    expect(page.locator("#banner")).to_be_hidden()
    assert len(asked.received) == 4


def test_a_server_that_cannot_be_reached_at_first(page: Page, person: Account, watch: Watch) -> None:
    """The page is there, the service is not: it says so and goes on by itself."""
    watch.allowed.append(UNREACHED)
    asked = ask(person)
    page.route("**/api/*", lambda route: route.abort("connectionrefused"))
    page.goto(asked.link)
    patience(page, probes=[100])
    expect(page.locator("#banner-text")).to_contain_text("The server can't be reached.")
    expect(page.get_by_role("heading", name="This page cannot be shown just now", level=1)).to_be_visible()
    expect(page.locator("#closed-again")).to_be_hidden()
    check(page)
    page.unroute("**/api/*")
    expect(page.get_by_role("heading", name="Tax papers 2026", level=1)).to_be_visible()
    expect(page.locator("#banner")).to_be_hidden()


def test_a_server_that_is_busy_or_broken(page: Page, person: Account, watch: Watch) -> None:
    """429 and 500 at the first question: what is wrong, a button, and another try without it."""
    watch.allowed.append(f"{REFUSED} (429|500)")
    asked = ask(person)
    answers: list[dict[str, Any]] = [
        {"status": 429, "headers": {"Retry-After": "600"}, "json": {"ok": False, "error": "too_many_requests"}},
        {"status": 500, "json": {"ok": False, "error": "internal_error"}},
    ]

    def refuse(route: Route) -> None:
        route.fulfill(**answers.pop(0))

    page.route(REQUEST, refuse, times=2)
    page.goto(asked.link)
    patience(page, startAgain=600_000)
    expect(page.get_by_role("heading", name="This page cannot be shown just now", level=1)).to_be_visible()
    expect(page.locator("#closed-text")).to_have_text("Too many requests. Try again in 10 minutes.")
    check(page)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#closed-text")).to_have_text("The server had a problem. Try again.")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#visit-h")).to_be_focused()
    expect(page.locator("#choose")).to_be_visible()


def test_loading_is_told_after_a_while(page: Page, person: Account, watch: Watch) -> None:
    asked = ask(person)
    held = hold(page, REQUEST)
    page.goto(asked.link)
    expect(page.get_by_role("heading", name="Loading…", level=1)).to_be_visible()
    expect(page.locator("#closed-view")).to_be_hidden()
    check(page)
    held[0].continue_()
    expect(page.locator("#visit-view")).to_be_visible()
    expect(page.locator("#loading")).to_be_hidden()


def test_too_many_uploads_are_waited_for(page: Page, person: Account, watch: Watch) -> None:
    """429 for a row: it counts the seconds that the server asks for, and arrives; or fails as soon as all is over."""
    watch.allowed.append(f"{REFUSED} (429|401)")
    asked = ask(person)
    visit(page, asked)
    body = {"ok": False, "error": "too_many_requests", "message": "Slowly."}
    page.route(UPLOAD, lambda route: route.fulfill(status=429, headers={"Retry-After": "2"}, json=body), times=1)
    choose(page, pdf("a.pdf"))
    expect(row(page, "a.pdf")).to_contain_text("Too many uploads at once. Trying again in")
    expect_status(page, "a.pdf", "SUCCESS")
    page.route(UPLOAD, lambda route: route.fulfill(status=429, headers={"Retry-After": "600"}, json=body), times=1)
    choose(page, pdf("b.pdf"))
    expect(row(page, "b.pdf")).to_contain_text("Too many uploads at once. Trying again in")
    asked.end()
    choose(page, pdf("c.pdf"))
    for name in ("b.pdf", "c.pdf"):
        expect(row(page, name)).to_contain_text("Not uploaded. The request is over and takes no more files.")
    expect(page.locator("#thanks")).to_have_text("1 file arrived. Thank you.")
    assert len(asked.received) == 1


def test_a_full_account_is_no_business_of_a_visitors(page: Page, tmp_path: Path, watch: Watch) -> None:
    """507 `quota_exceeded`: the row says whom to tell, and nothing of "your" storage."""
    watch.allowed += [f"{REFUSED} 507", "off origin"]
    live = start_live(tmp_path, USER_QUOTA_BYTES="2000")
    try:
        asked = ask(Account(live, "admin@localhost"))
        page.goto(f"http://127.0.0.1:{live.port}{asked.link}")
        choose(page, pdf("a.pdf", 3000))
        expect_status(page, "a.pdf", "FAILED")
        expect(row(page, "a.pdf")).to_contain_text("There is no room left for it. Tell whoever sent you the link.")
    finally:
        live.stop(signal.SIGKILL)


def test_leaving_is_asked_about_only_while_something_waits(page: Page, person: Account, watch: Watch) -> None:
    visit(page, ask(person))
    held = hold(page, UPLOAD)
    choose(page, pdf("a.pdf"))
    expect_status(page, "a.pdf", "UPLOADING")
    assert page.evaluate("window.onbeforeunload !== null")
    held.pop().continue_()
    expect_status(page, "a.pdf", "SUCCESS")
    assert page.evaluate("window.onbeforeunload === null")


def test_a_page_that_does_not_load_keeps_the_link(page: Page, person: Account, watch: Watch) -> None:
    """The sentence of unsupported.js, whose link loads the whole address again."""
    watch.allowed.append(UNREACHED)
    asked = ask(person)
    page.route("**/js/visit.js", lambda route: route.abort("connectionreset"))
    page.goto(asked.link)
    again = page.get_by_role("alert").get_by_role("link", name="Load it again")
    expect(again).to_be_visible()
    page.unroute("**/js/visit.js")
    again.click()
    expect(page.get_by_role("heading", name="Tax papers 2026", level=1)).to_be_visible()

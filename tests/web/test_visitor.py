"""The page for visitors of a file request (issue 11, 1): what they see and what comes of it, without an account."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.steps import (
    REFUSED,
    UPLOAD,
    Account,
    Watch,
    choose,
    drop,
    expect_all,
    expect_status,
    hold,
    pdf,
    pdfs,
    row,
    rows,
)
from tests.web.test_accessibility import check
from tests.web.test_languages import SEEN, reader
from tests.web.visiting import NOTE, ask, visit

Disk = Callable[..., Any]


def test_a_visit_from_the_first_look_to_the_thanks(page: Page, person: Account, watch: Watch, disk: Disk) -> None:
    """Empty, running, done, more, and back again: nothing is asked of a visitor but files and, if he likes, a name."""
    asked = ask(person, note=NOTE, maxFiles=10)
    visit(page, asked)
    expect(page.locator("#brand")).to_have_text("Documents")
    expect(page.get_by_role("heading", name="Tax papers 2026", level=1)).to_be_visible()
    expect(page).to_have_title("Tax papers 2026 – Documents")
    assert page.locator("#visit-note").inner_text() == NOTE
    expect(page.locator("#visit-note *")).to_have_count(0)
    expect(page.locator("#visit-open")).to_contain_text("· takes 10 more files")
    expect(page.locator("#sender")).to_have_accessible_name("Your name (optional)")
    expect(page.locator("a:visible:not(.skip), input:visible, button:visible")).to_have_count(3)
    check(page)
    page.locator("#sender").fill("Ana")
    held = hold(page, UPLOAD)
    choose(page, pdf("a.pdf"))
    drop(page, disk("b.pdf"), at=(20, 200))
    expect_all(page, "UPLOADING", 2)
    expect(page).to_have_title("(0/2) Uploading – Tax papers 2026 – Documents")
    expect(page.locator("#total-text")).to_contain_text("2 files to go")
    page.locator("#sender").fill("Ana B.")  # what is on its way keeps the name that it left with
    check(page)
    for route in held:
        route.continue_()
    expect(page.locator("#thanks")).to_have_text("2 files arrived. Thank you.")
    expect(page.locator("#announcer-status")).to_have_text("2 files uploaded")
    expect(page.locator("#visit-open")).to_contain_text("· takes 8 more files")
    expect_all(page, "SUCCESS", 2)
    check(page)
    page.unroute(UPLOAD)
    choose(page, pdf("c.pdf"))
    expect(page.locator("#thanks")).to_have_text("3 files arrived. Thank you.")
    assert sorted(asked.received) == [("a.pdf", "Ana"), ("b.pdf", "Ana"), ("c.pdf", "Ana B.")]
    page.reload()
    expect(page.locator("#visit-open")).to_contain_text("· takes 7 more files")
    expect(page.locator("#sender")).to_have_value("")
    expect(page.locator("#thanks")).to_be_hidden()
    assert page.url.endswith(asked.link)


def test_what_arrived_stays_in_sight(page: Page, person: Account, watch: Watch) -> None:
    """On the owner's page such rows fold after a while; a visitor has no other place to see them."""
    visit(page, ask(person))
    page.evaluate("async () => Object.assign((await import('/js/config.js')).TIMING, { fold: 1, tick: 1 })")
    choose(page, *pdfs(2))
    expect_all(page, "SUCCESS", 2)
    choose(page, pdf("later.pdf"))
    expect_status(page, "later.pdf", "SUCCESS")
    expect(page.locator("#queue-list > li")).to_have_count(3)
    expect(page.locator("#folded")).to_be_hidden()


def test_two_visitors_and_a_session_of_the_same_browser(
    signed_in: Page, person: Account, new_person: Callable[[], Account], watch: Watch
) -> None:
    """Each file becomes the document of whoever asked, though somebody else is signed in; both see what is left."""
    asked = ask(new_person(), maxFiles=5)
    cookies = signed_in.context.cookies()
    first, second = signed_in, signed_in.context.new_page()
    visit(first, asked)
    visit(second, asked)
    for page, name in ((first, "Ana"), (second, "Ben")):
        page.locator("#sender").fill(name)
        choose(page, pdf(f"{name}.pdf"))
        expect_status(page, f"{name}.pdf", "SUCCESS")
    assert sorted(asked.received) == [("Ana.pdf", "Ana"), ("Ben.pdf", "Ben")]
    assert person.documents == []
    expect(second.locator("#visit-open")).to_contain_text("· takes 3 more files")
    assert signed_in.context.cookies() == cookies
    first.goto("/")
    expect(first.locator("#who")).to_have_text(person.email)


def test_a_request_that_is_full_says_so(page: Page, person: Account, watch: Watch) -> None:
    """Five files for three places: three arrive, two rows say why not, and the page is over without losing them."""
    watch.allowed.append(f"{REFUSED} 401")
    asked = ask(person, maxFiles=3)
    visit(page, asked)
    page.locator("#sender").focus()
    choose(page, *pdfs(5))
    expect_all(page, "SUCCESS", 3)
    expect_all(page, "FAILED", 2)
    for failed in rows(page, "FAILED").all():
        expect(failed).to_contain_text("Not uploaded. The request is over and takes no more files.")
        expect(failed.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page.get_by_role("heading", name="This request is over")).to_be_visible()
    expect(page.locator("#end-text")).to_contain_text("The request has all the files it asked for.")
    expect(page.locator("#thanks")).to_have_text("3 files arrived. Thank you.")
    expect(page.locator("#zone")).to_be_hidden()
    assert len(asked.received) == 3
    check(page)
    page.reload()
    expect(page.get_by_role("heading", name="This request is over", level=1)).to_be_visible()
    expect(page.locator("#closed-text")).to_contain_text("ask whoever sent you the link")
    check(page)


def test_a_request_that_ends_while_the_queue_runs(page: Page, person: Account, watch: Watch) -> None:
    """Issue 11, "Bad luck": each row says so, nothing is tried again or kept, and what had arrived stays."""
    watch.allowed.append(f"{REFUSED} 401")
    asked = ask(person)
    visit(page, asked)
    choose(page, pdf("early.pdf"))
    expect_status(page, "early.pdf", "SUCCESS")
    held = hold(page, UPLOAD)
    choose(page, *pdfs(6))
    expect_all(page, "UPLOADING", 3)
    page.locator("#sender").focus()
    asked.end()
    for route in held[:3]:
        route.continue_()
    expect_all(page, "FAILED", 6)
    assert len(held) == 3  # those that waited were not sent at all
    expect(row(page, "f05.pdf")).to_contain_text("The request is over and takes no more files.")
    expect(page.locator("#end-h")).to_be_focused()
    expect(page.locator("#announcer-alert")).to_contain_text("No more files are taken; what has arrived was kept.")
    expect(page.locator("#thanks")).to_have_text("1 file arrived. Thank you.")
    expect(page.locator("#retry-failed")).to_be_hidden()
    assert asked.received == [("early.pdf", None)]
    expect(page).to_have_title("Tax papers 2026 – Documents")


def test_time_that_is_up_is_told(page: Page, person: Account, watch: Watch) -> None:
    """A page that stayed open until after the request's last day, which here is the one that the page was told."""
    watch.allowed.append(f"{REFUSED} 401")
    asked = ask(person)

    def tell_yesterday(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"expiresAt": "2026-01-01T00:00:00Z"})

    page.route("**/api/request", tell_yesterday, times=1)
    visit(page, asked)
    asked.end()
    choose(page, pdf("late.pdf"))
    expect_status(page, "late.pdf", "FAILED")
    expect(page.locator("#end-text")).to_contain_text("The request has run out of time. If you still have files")
    assert asked.received == []


@pytest.mark.parametrize("link", ["wrong", "cut"])
def test_a_link_that_is_none(page: Page, person: Account, watch: Watch, link: str) -> None:
    """One character changed, or the fragment lost: what to do is said, and the right link pasted over it works."""
    watch.allowed.append(f"{REFUSED} 401")
    asked = ask(person)
    last = "0" if asked.link[-1] != "0" else "1"
    page.goto(asked.link[:-1] + last if link == "wrong" else "/request")
    heading = {"wrong": "This link does not work", "cut": "This link is not complete"}[link]
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    expect(page).to_have_title(f"{heading} – Documents")
    expect(page.locator("#closed-text")).to_contain_text("Copy the whole link")
    expect(page.locator("#choose")).to_be_hidden()
    check(page)
    page.evaluate("(fragment) => { location.hash = fragment; }", asked.secret)
    expect(page.get_by_role("heading", name="Tax papers 2026", level=1)).to_be_visible()


def test_in_german(browser: Browser, browser_context_args: dict[str, Any], origin: str, person: Account) -> None:
    """Every text of the page, in each of its states, is German but for names and what the owner wrote."""
    asked = ask(person, title="Belege", maxFiles=1)
    with reader(browser, browser_context_args, origin, "de-AT") as (page, watch):
        watch.allowed.append(f"{REFUSED} 401")
        visit(page, asked)
        expect(page.locator("#visit-open")).to_contain_text("· noch 1 Datei")
        expect(page.locator("#sender")).to_have_accessible_name("Ihr Name (optional)")
        choose(page, pdf("a.pdf"))
        expect(page.locator("#thanks")).to_have_text("1 Datei ist angekommen. Vielen Dank.")
        expect(page.get_by_role("heading", name="Diese Anforderung ist beendet")).to_be_visible()
        seen = " ".join(page.evaluate(SEEN))
        assert not [word for word in (" the ", " files", "file ", "Upload ") if word in seen], seen
        check(page)

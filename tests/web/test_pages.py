"""The pages behind the sign-in (issue 11): how one goes from one to another, and that the queue does not mind."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.steps import UNREACHED, UPLOAD, Account, choose, expect_status, hold, pdf, sign_in
from tests.web.test_accessibility import check

Allow = Callable[..., None]


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()


def test_a_page_has_an_address_a_title_and_the_focus(signed_in: Page) -> None:
    """WCAG 2.4.2 and 2.4.3: the heading has the focus, the link is the current one, back and reload mean the page."""
    go(signed_in, "Account")
    expect(signed_in.get_by_role("heading", name="Account", level=1)).to_be_focused()
    expect(signed_in).to_have_title("Account – Documents")
    expect(signed_in).to_have_url(re.compile("#account$"))
    expect(signed_in.get_by_role("link", name="Account", exact=True)).to_have_attribute("aria-current", "page")
    expect(signed_in.locator("#app-view")).to_be_hidden()
    check(signed_in)
    go(signed_in, "Ask for files")
    expect(signed_in.get_by_role("heading", name="Ask for files", level=1)).to_be_focused()
    expect(signed_in.locator("#account-view")).to_have_count(0)
    signed_in.go_back()
    expect(signed_in.get_by_role("heading", name="Account", level=1)).to_be_focused()
    signed_in.reload()
    expect(signed_in.get_by_role("heading", name="Account", level=1)).to_be_visible()
    go(signed_in, "Files")
    expect(signed_in.get_by_role("heading", name="Add files", level=1)).to_be_focused()
    expect(signed_in).to_have_title("Documents")


def test_the_way_past_the_header_is_no_page(signed_in: Page) -> None:
    go(signed_in, "Account")
    expect(signed_in.locator("#account-view")).to_be_visible()
    signed_in.get_by_role("link", name="Skip to main content").focus()
    signed_in.keyboard.press("Enter")
    expect(signed_in.locator("#main")).to_be_focused()
    expect(signed_in.locator("#account-view")).to_be_visible()
    expect(signed_in).to_have_url(re.compile("#account$"))
    signed_in.reload()
    expect(signed_in.locator("#account-view")).to_be_visible()


@pytest.mark.parametrize("name", ["main", "constructor"])
def test_an_address_of_no_page_changes_nothing(name: str, signed_in: Page) -> None:
    """Whatever stands behind the `#`; and the first step back from the next page leads to where one was."""
    signed_in.evaluate("(name) => { location.hash = name; }", name)
    expect(signed_in).to_have_url(re.compile("/#$"))
    expect(signed_in.locator("#app-view")).to_be_visible()
    go(signed_in, "Account")
    expect(signed_in.locator("#account-view")).to_be_visible()
    signed_in.go_back()
    expect(signed_in.locator("#app-view")).to_be_visible()


def test_a_question_goes_with_its_page(signed_in: Page, person: Account) -> None:
    """Back, while it is asked: the answer is no, and the focus is on the page that is shown."""
    choose(signed_in, pdf("a.pdf"))
    go(signed_in, "Account")
    expect(signed_in.locator("#account-view")).to_be_visible()
    go(signed_in, "Files")
    signed_in.get_by_role("button", name="Delete a.pdf").click()
    expect(signed_in.get_by_role("dialog")).to_be_visible()
    signed_in.go_back()
    expect(signed_in.get_by_role("heading", name="Account", level=1)).to_be_focused()
    expect(signed_in.get_by_role("dialog")).to_have_count(0)
    go(signed_in, "Files")
    expect(signed_in.get_by_role("button", name="Delete a.pdf")).to_be_visible()
    assert person.names == ["a.pdf"]


def test_a_page_that_comes_after_the_sign_out_is_not_shown(signed_in: Page, new_person: Callable[[], Account]) -> None:
    module = "**/js/ui/account-page.js"
    held = hold(signed_in, module)
    with signed_in.expect_request(module):
        go(signed_in, "Account")
    signed_in.get_by_role("banner").get_by_role("button", name="Sign out").click()
    expect(signed_in.get_by_role("heading", name="Sign in", exact=True)).to_be_focused()
    with signed_in.expect_response("**/js/words/account.js"):
        held.pop().continue_()
    other = new_person()
    sign_in(signed_in, other)
    expect(signed_in.locator("#account-view .whose")).to_contain_text(other.email)
    expect(signed_in.locator("#notices")).to_be_empty()


def test_the_queue_goes_on_behind_another_page(signed_in: Page, person: Account) -> None:
    """What is on its way arrives, and the title tells; back at the files the row is there."""
    held = hold(signed_in, UPLOAD)
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "UPLOADING")
    go(signed_in, "Account")
    expect(signed_in).to_have_title(re.compile(r"^\(0/1\).*Account – Documents$"))
    held.pop().continue_()
    expect(signed_in).to_have_title("Account – Documents")
    assert person.names == ["a.pdf"]
    go(signed_in, "Files")
    expect_status(signed_in, "a.pdf", "SUCCESS")


def test_a_page_goes_with_its_account(signed_in: Page, new_person: Callable[[], Account]) -> None:
    """After a sign-out nothing of it is left, and whoever comes next begins with the files."""
    go(signed_in, "Account")
    expect(signed_in.locator("#account-view")).to_be_visible()
    signed_in.get_by_role("banner").get_by_role("button", name="Sign out").click()
    expect(signed_in.get_by_role("heading", name="Sign in", exact=True)).to_be_focused()
    expect(signed_in.locator("#account-view")).to_have_count(0)
    sign_in(signed_in, new_person())
    expect(signed_in.get_by_role("heading", name="Add files", level=1)).to_be_focused()


def test_a_page_that_does_not_load_is_told(signed_in: Page, allow: Allow) -> None:
    """The files stay, the address says so, and the next click tries again."""
    allow(UNREACHED, "Failed to load resource")
    module = "**/js/ui/account-page.js"
    signed_in.route(module, lambda route: route.abort())
    go(signed_in, "Account")
    expect(signed_in.locator("#notices")).to_have_text("This page could not be loaded. Try again.")
    expect(signed_in.locator("#app-view")).to_be_visible()
    expect(signed_in).not_to_have_url(re.compile("account"))

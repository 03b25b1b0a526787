"""Ask for files (issue 11), where something is wrong: with what was typed, with the server, or with what was known."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.asking import REQUESTS, asked, made_elsewhere, make, open_page
from tests.web.steps import REFUSED, UNREACHED, Account, Watch, expire, hold, lose, patience
from tests.web.test_accessibility import check
from tests.web.test_pages import go

Allow = Callable[..., None]


def press_make(page: Page) -> None:
    page.get_by_role("button", name="Make a link").click()


def test_what_is_wrong_is_told_beside_its_field(signed_in: Page, person: Account, allow: Allow) -> None:
    """By the page what needs no server, else by the server's verdict; the focus is there, and what was typed stays."""
    allow(f"{REFUSED} 400", f"{REFUSED} 413")
    open_page(signed_in)
    title, note, files = (signed_in.get_by_label(label) for label in ("Title", "Note", "Files at most"))
    note.fill("Receipts, please.")
    for count in ("", "0", "10001", "1.5"):
        title.fill(" ")
        files.fill(count)
        press_make(signed_in)
        expect(title).to_be_focused()
        expect(title).to_have_accessible_description("Enter a title. It tells people what to send.")
        title.fill("t")
        press_make(signed_in)
        expect(files).to_be_focused()
        expect(files).to_have_accessible_description("Enter a whole number from 1 to 10,000.")
        expect(title).to_have_attribute("aria-invalid", "false")
    check(signed_in)
    files.fill("10000")
    for wrong in ("t" * 201, "\u200e", "t" * 20_000):
        title.fill(wrong)
        press_make(signed_in)
        expect(title).to_be_focused()
        expect(title).to_have_accessible_description("The title needs 1 to 200 characters that can be shown.")
        expect(title).to_have_value(wrong)
    expect(note).to_have_value("Receipts, please.")
    title.fill("t" * 200)
    for length, told in ((2001, "2,001"), (20_000, "20,000")):
        note.fill("n" * length)
        press_make(signed_in)
        expect(note).to_be_focused()
        expect(signed_in.locator("#request-note-error")).to_have_text(
            f"The note may have at most 2,000 characters. It has {told}."
        )
        expect(note).to_have_attribute("aria-invalid", "true")
    check(signed_in)
    note.fill("\U0001f4a9" * 2000)
    press_make(signed_in)
    expect(signed_in.locator(".copy")).to_be_focused()
    expect(asked(signed_in).locator(".meta")).to_contain_text("0 of 10,000 files")
    expect(signed_in.locator(".asking [aria-invalid=true]")).to_have_count(0)


def test_a_hundred_requests_are_the_most(signed_in: Page, person: Account, allow: Allow) -> None:
    """That is told, what was typed stays, and when one has ended there is room for it."""
    allow(f"{REFUSED} 400")
    made_elsewhere(person, *[f"number {number}" for number in range(100)])
    open_page(signed_in)
    expect(asked(signed_in)).to_have_count(100)
    signed_in.get_by_label("Title").fill("one more")
    press_make(signed_in)
    expect(signed_in.locator(".asking .error")).to_contain_text("You have 100 requests already.")
    expect(signed_in.get_by_label("Title")).to_have_value("one more")
    signed_in.get_by_role("button", name="End number 50").click()
    signed_in.locator("#confirm-yes").click()
    expect(signed_in.get_by_role("button", name="End number 51")).to_be_focused()
    press_make(signed_in)
    expect(asked(signed_in).first.locator(".title")).to_have_text("one more")
    expect(signed_in.locator(".asking .error")).to_be_empty()


FAILURES = {
    429: "Too many requests. Try again in 7 seconds.",
    500: "The server had a problem. Try again.",
    0: "The server can't be reached. Check your connection and try again.",
}


def failing(status: int) -> Callable[[Route], None]:
    """Return what answers a request with an error, or, for 0, with nothing."""
    headers = {"Retry-After": "7"}
    if not status:
        return lambda route: route.abort("connectionreset")
    return lambda route: route.fulfill(status=status, json={"ok": False}, headers=headers)


def test_what_fails_on_the_way_is_told_and_can_be_tried_again(signed_in: Page, allow: Allow) -> None:
    """Making, ending and listing; a second click while it is on its way makes no second one."""
    allow(UNREACHED, f"{REFUSED} (429|500)")
    open_page(signed_in)
    alert = signed_in.locator(".asking .error")
    signed_in.get_by_label("Title").fill("Tax papers")
    for status, told in FAILURES.items():
        signed_in.route(REQUESTS, failing(status))
        press_make(signed_in)
        expect(alert).to_have_text(told)
        signed_in.get_by_role("button", name="Refresh").click()
        reason = told if status else "The connection was interrupted."
        expect(signed_in.locator("#requests-why")).to_have_text(f"Your requests couldn't be loaded. {reason}")
        signed_in.unroute(REQUESTS)
    check(signed_in)
    signed_in.get_by_role("button", name="Try again").click()
    expect(signed_in.get_by_role("button", name="Refresh")).to_be_focused()
    expect(signed_in.locator("#requests-error")).to_be_hidden()
    held = hold(signed_in, REQUESTS)
    press_make(signed_in)
    expect(signed_in.get_by_role("button", name="Make a link")).to_have_attribute("aria-busy", "true")
    press_make(signed_in)
    held.pop().continue_()
    expect(signed_in.get_by_role("button", name="Copy link for Tax papers")).to_be_focused()
    assert held == []
    signed_in.unroute(REQUESTS)
    signed_in.route("**/api/requests/*", lambda route: route.abort("connectionreset"))
    signed_in.get_by_role("button", name="End Tax papers").click()
    signed_in.locator("#confirm-yes").click()
    problem = "Not ended. The connection was interrupted."
    expect(asked(signed_in).locator(".problem")).to_have_text(problem)
    expect(signed_in.get_by_role("button", name="End Tax papers")).to_be_focused()


def test_nothing_is_lost_while_there_is_no_connection(signed_in: Page, watch: Watch) -> None:
    """Told at once; when it is back, the list shows what was made though its answer was lost."""
    watch.allowed.extend([UNREACHED, f"{REFUSED} 404"])
    open_page(signed_in)
    signed_in.context.set_offline(True)
    signed_in.get_by_label("Title").fill("Tax papers")
    press_make(signed_in)
    expect(signed_in.locator(".asking .error")).to_have_text(FAILURES[0])
    expect(signed_in.locator("#banner")).to_be_visible()
    expect(signed_in.get_by_label("Title")).to_have_value("Tax papers")
    signed_in.locator("#banner-action").focus()
    signed_in.context.set_offline(False)
    expect(signed_in.locator("#banner")).to_be_hidden()
    expect(signed_in.get_by_role("heading", name="Ask for files")).to_be_focused()
    signed_in.route(REQUESTS, lose, times=1)
    press_make(signed_in)
    expect(signed_in.locator(".asking .error")).to_have_text(FAILURES[0])
    signed_in.evaluate("dispatchEvent(new Event('focus'))")
    expect(asked(signed_in, "Tax papers")).to_be_visible()
    signed_in.route("**/api/requests/*", lose, times=1)
    for _ in range(2):
        signed_in.get_by_role("button", name="End Tax papers").click()
        signed_in.locator("#confirm-yes").click()
        expect(signed_in.locator("#confirm")).to_be_hidden()
    expect(signed_in.get_by_role("heading", name="Your requests")).to_be_focused()
    assert [request for request in watch.requests if request.startswith("DELETE")] == 2 * [watch.requests[-1]]


def test_a_session_that_ends_loses_nothing(signed_in: Page, person: Account, allow: Allow) -> None:
    """The dialog asks for the password over the form; then it is sent at a click."""
    allow(f"{REFUSED} 401")
    open_page(signed_in)
    signed_in.get_by_label("Title").fill("Tax papers")
    expire(signed_in.context, session=True)
    press_make(signed_in)
    expect(signed_in.locator("#sign-in-again")).to_be_visible()
    signed_in.locator("#password").fill(person.password)
    signed_in.keyboard.press("Enter")
    expect(signed_in.locator("#sign-in-again")).to_be_hidden()
    expect(signed_in.get_by_label("Title")).to_have_value("Tax papers")
    press_make(signed_in)
    expect(signed_in.get_by_role("button", name="Copy link for Tax papers")).to_be_focused()


def test_what_happens_elsewhere_is_seen(signed_in: Page, person: Account, watch: Watch) -> None:
    """Another tab, the command line: at the next look when the list is older than a minute, or known to be old."""
    watch.allowed.append(f"{REFUSED} 404")
    open_page(signed_in)
    make(signed_in, "first")
    other = signed_in.context.new_page()
    other.goto("/#requests")
    make(other, "second")
    signed_in.bring_to_front()
    signed_in.evaluate("dispatchEvent(new Event('focus'))")
    expect(asked(signed_in).locator(".title")).to_have_text(["second", "first"])
    reads = watch.requests.count("GET /api/requests")
    made_elsewhere(person, "third")
    signed_in.evaluate("dispatchEvent(new Event('focus'))")
    expect(asked(signed_in)).to_have_count(2)
    assert watch.requests.count("GET /api/requests") == reads
    patience(signed_in, minute=0)
    signed_in.evaluate("dispatchEvent(new Event('focus'))")
    expect(asked(signed_in)).to_have_count(3)
    patience(signed_in, minute=600_000)

    signed_in.get_by_role("button", name="End first").click()
    other.get_by_role("button", name="End first").click()
    other.locator("#confirm-yes").click()
    expect(asked(other, "first")).to_have_count(0)
    signed_in.locator("#confirm-yes").click()  # 404: it is gone, as was wished
    expect(asked(signed_in, "first")).to_have_count(0)
    expect(signed_in.get_by_role("button", name="End second")).to_be_focused()
    signed_in.get_by_role("button", name="End third").click()
    other.get_by_role("button", name="Refresh").click()
    other.get_by_role("button", name="End third").click()
    other.locator("#confirm-yes").click()
    expect(asked(other, "third")).to_have_count(0)
    signed_in.evaluate("dispatchEvent(new Event('focus'))")
    expect(asked(signed_in, "third")).to_have_count(0)
    signed_in.keyboard.press("Escape")
    expect(signed_in.get_by_role("heading", name="Your requests")).to_be_focused()
    identity = asked(signed_in, "second").get_attribute("data-id") or ""
    assert person.site.flask("requests", "end", identity).returncode == 0
    signed_in.get_by_role("button", name="Copy link for second").focus()
    patience(signed_in, minute=0)
    signed_in.evaluate("dispatchEvent(new Event('focus'))")
    expect(asked(signed_in, "second").locator(".meta")).to_contain_text("over: it was ended")
    expect(signed_in.get_by_role("button", name="Remove second from the list")).to_be_focused()


@pytest.mark.parametrize("outcome", ["made", "failed"])
def test_who_leaves_the_page_meanwhile_is_told_all_the_same(signed_in: Page, allow: Allow, outcome: str) -> None:
    allow(UNREACHED)
    open_page(signed_in)
    held = hold(signed_in, REQUESTS)
    signed_in.get_by_label("Title").fill("Tax papers")
    press_make(signed_in)
    expect(signed_in.locator(".asking [aria-busy=true]")).to_be_visible()
    go(signed_in, "Account")
    expect(signed_in.get_by_role("heading", name="Account", level=1)).to_be_focused()
    if outcome == "made":
        held.pop().continue_()
        expect(signed_in.locator("#notices")).to_have_text("The link for Tax papers is ready.")
    else:
        held.pop().abort("connectionreset")
        expect(signed_in.locator("#notices")).to_have_text(FAILURES[0])

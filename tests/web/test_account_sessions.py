"""The account page's sessions (issue 11): which they are, in plain words, and how to end them."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.web.account import FIREFOX, login, open_account, part, status_of
from tests.web.steps import REFUSED, UNREACHED, Account, choose, expect_status, hold, pdf
from tests.web.test_accessibility import check

Allow = Callable[..., None]
MOZILLA = "Mozilla/5.0"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
AGENTS = {
    FIREFOX: "Firefox on Windows",
    f"{MOZILLA} (Android 15; Mobile; rv:152.0) Gecko/152.0 Firefox/152.0": "Firefox on Android",
    f"{MOZILLA} (X11; Linux x86_64) {WEBKIT} Chrome/156.0.0.0 Safari/537.36": "Chrome on Linux",
    f"{MOZILLA} (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/156.0.0.0 Safari/537.36": "Chrome on ChromeOS",
    f"{MOZILLA} (iPhone; CPU iPhone OS 19_1 like Mac OS X) {APPLE} CriOS/156.0 Mobile/15E148 Safari/604.1": (
        "Chrome on iOS"
    ),
    f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0": "Edge on Windows",
    f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/19.1 Safari/605.1.15": "Safari on macOS",
    f"{MOZILLA} (X11; Linux x86_64) {APPLE} Version/19.1 Safari/605.1.15": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML,…"
    ),
    "curl/8.14.1": "curl",
    "python-requests/2.32.5": "python-requests/2.32.5",
    "evil\u202egpj.exe": "evil\ufffdgpj.exe",
    "": "An unknown program",
}


def test_sessions_are_told_in_plain_words_and_ended(signed_in: Page, person: Account, allow: Allow) -> None:
    """This one first; the others one by one, two that are gone already by now, a failure, and all that are left."""
    allow(f"{REFUSED} 404", UNREACHED)
    elsewhere = {name: login(person, agent.encode().decode("latin-1")) for agent, name in AGENTS.items()}
    open_account(signed_in)
    sessions = part(signed_in, "Where you are signed in")
    rows = sessions.get_by_role("listitem")
    expect(rows.first).to_contain_text("Chrome on Linux This one")
    expect(rows.first.get_by_role("button")).to_have_text(["Sign out"])
    expect(rows.locator(".name")).to_have_text(["Chrome on Linux", *reversed(elsewhere)])
    end = sessions.get_by_role("button", name="End Firefox on Windows")
    expect(end).to_have_accessible_description(re.compile(r"^Last used just now · Signed in today, \d\d:\d\d$"))
    check(signed_in)

    end.click()
    expect(rows).to_have_count(len(AGENTS))
    expect(signed_in.locator("#notices")).to_have_text("Ended: Firefox on Windows")
    expect(sessions.get_by_role("button", name="End Firefox on Android")).to_be_focused()
    assert status_of(person, elsewhere["Firefox on Windows"]) == 401
    person.site.request("POST", "/api/auth/logout", headers=elsewhere["curl"])
    sessions.get_by_role("button", name="End curl").click()
    expect(rows).to_have_count(len(AGENTS) - 1)

    signed_in.context.set_offline(True)
    sessions.get_by_role("button", name="End Edge on Windows").click()
    edge = rows.filter(has_text="Edge on Windows")
    expect(edge.get_by_role("alert")).to_have_text("Not ended. The connection was interrupted.")
    expect(edge.get_by_role("button")).to_be_focused()
    signed_in.context.set_offline(False)

    every = sessions.get_by_role("button", name="End all others")
    every.click()
    dialog = signed_in.get_by_role("dialog", name="End all other sessions?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    check(signed_in)
    signed_in.keyboard.press("Escape")
    expect(every).to_be_focused()
    assert status_of(person, elsewhere["Edge on Windows"]) == 200
    every.click()
    dialog.get_by_role("button", name="End all others").click()
    expect(rows).to_have_count(1)
    expect(every).to_be_hidden()
    expect(signed_in.get_by_role("heading", name="Where you are signed in")).to_be_focused()
    assert status_of(person, elsewhere["Edge on Windows"]) == 401
    check(signed_in)


def test_the_focus_is_not_lost_with_the_last_of_the_others(signed_in: Page, person: Account) -> None:
    """WCAG 2.4.3: it goes to the heading, and not to a button that signs out."""
    login(person)
    open_account(signed_in)
    sessions = part(signed_in, "Where you are signed in")
    sessions.get_by_role("button", name="End Firefox on Windows").press("Enter")
    expect(sessions.get_by_role("listitem")).to_have_count(1)
    expect(sessions.get_by_role("heading")).to_be_focused()


def test_to_end_this_session_is_to_sign_out(signed_in: Page, allow: Allow) -> None:
    """With the question that the header's button asks when files still wait."""
    allow(UNREACHED)
    held = hold(signed_in, "**/api/upload")
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "UPLOADING")
    open_account(signed_in)
    leave = part(signed_in, "Where you are signed in").get_by_role("button", name="Sign out")
    leave.click()
    dialog = signed_in.get_by_role("dialog", name="Sign out?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(leave).to_be_focused()
    held.pop().continue_()
    expect(signed_in).to_have_title("Account – Documents")
    leave.click()
    expect(signed_in.get_by_role("heading", name="Sign in", exact=True)).to_be_focused()
    expect(signed_in.locator("#account-view")).to_have_count(0)

"""The account page's password (issue 11): its rules are said first, told where they are broken, and nothing stays."""

import json
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.web.account import login, open_account, part, status_of
from tests.web.steps import REFUSED, UNREACHED, Account, answers
from tests.web.test_accessibility import check
from tests.web.test_pages import go

Allow = Callable[..., None]
NEW = "correct horse battery staple"


def fields(page: Page) -> tuple[Locator, Locator]:
    return page.locator("#current-password"), page.locator("#new-password")


def submit(page: Page, current: str, new: str) -> None:
    for field, text in zip(fields(page), (current, new), strict=True):
        field.fill(text)
    page.get_by_role("button", name="Change password").click()


def test_what_a_new_password_lacks_is_told_at_its_field(signed_in: Page, person: Account, allow: Allow) -> None:
    """The rules are the server's; the focus is on what is wrong, nothing typed is lost, and the session is not over."""
    allow(f"{REFUSED} 40[01]", UNREACHED)
    open_account(signed_in)
    current, new = fields(signed_in)
    expect(new).to_have_accessible_description(
        "8 to 72 characters. Your e-mail address, and passwords that many people use, are refused."
    )
    expect(current).to_have_attribute("autocomplete", "current-password")
    expect(new).to_have_attribute("autocomplete", "new-password")
    expect(signed_in.locator("[name=username]")).to_have_value(person.email)
    sent, refreshed = (answers(signed_in.context, f"/api/auth/{name}") for name in ("password", "refresh"))

    submit(signed_in, "", "")
    expect(current).to_be_focused()
    expect(current).to_have_accessible_description("Enter your current password.")
    check(signed_in)
    for wrong, sentence in (
        ("", "Enter a new password."),
        ("🐴🐴🐴🐴🐴🐴🐴", "Too short: 1 character is missing."),
        ("ä" * 36 + "a", "Too long: 72 letters from A to Z fit"),
    ):
        submit(signed_in, person.password, wrong)
        expect(signed_in.locator("#new-password-error")).to_contain_text(sentence)
        expect(new).to_be_focused()
        expect(current).to_have_attribute("aria-invalid", "false")
    assert sent == []
    for common in ("Password123", person.email.upper()):
        submit(signed_in, person.password, common)
        expect(signed_in.locator("#new-password-error")).to_contain_text("among the first that are guessed")
        expect(new).to_have_attribute("aria-invalid", "true")
        expect(new).to_be_focused()
    submit(signed_in, "not-" + person.password, NEW)
    expect(signed_in.locator("#current-password-error")).to_have_text("This is not your current password.")
    expect(current).to_be_focused()
    assert (sent, refreshed) == ([400, 400, 401], [])  # a wrong password is tried once, and ends no session

    signed_in.context.set_offline(True)
    submit(signed_in, person.password, NEW)
    problem = part(signed_in, "Password").locator(".error")
    expect(problem).to_have_text("The connection was interrupted.")
    signed_in.context.set_offline(False)
    for _ in range(10):
        body = json.dumps({"email": person.email, "password": "a guess"}).encode()
        person.site.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
    allow(f"{REFUSED} 429")
    submit(signed_in, person.password, NEW)
    expect(problem).to_have_text("Too many attempts. Try again in 15 minutes.")
    expect(current).to_have_value(person.password)
    expect(new).to_have_value(NEW)
    check(signed_in)


def test_a_new_password_ends_the_other_sessions(signed_in: Page, person: Account, allow: Allow) -> None:
    """It is said, the list shows it, the fields are empty, and every tab of this browser goes on."""
    elsewhere = login(person)
    tab = signed_in.context.new_page()
    tab.goto("/#account")
    open_account(signed_in)
    sessions = part(signed_in, "Where you are signed in").get_by_role("listitem")
    expect(sessions).to_have_count(2)
    current, new = fields(signed_in)
    new.fill(NEW)
    signed_in.get_by_role("button", name="Show new password").click()
    expect(new).to_have_attribute("type", "text")
    submit(signed_in, person.password, NEW)

    text = "Your password is changed. All your other sessions have ended."
    expect(part(signed_in, "Password").locator(".done")).to_have_text(text)
    expect(signed_in.locator("#announcer-status")).to_have_text(text)
    expect(signed_in.get_by_role("button", name="Change password")).to_be_focused()
    expect(sessions).to_have_count(1)
    expect(sessions).to_contain_text("This one")
    for field in (current, new):
        expect(field).to_have_value("")
        expect(field).to_have_attribute("type", "password")
    check(signed_in)
    assert status_of(person, elsewhere) == 401
    login(person, password=NEW)

    tab.bring_to_front()
    go(tab, "Files")
    tab.get_by_role("button", name="Refresh").click()
    expect(tab.locator("#documents-updated")).to_contain_text("Updated")
    expect(tab.locator("#sign-in-again")).to_be_hidden()
    signed_in.bring_to_front()
    current.fill("half typed")
    expect(part(signed_in, "Password").locator(".done")).to_be_empty()
    kept = current.element_handle()
    assert kept
    go(signed_in, "Files")
    expect(signed_in.locator("#account-view")).to_have_count(0)
    assert kept.evaluate("(field) => field.value") == ""

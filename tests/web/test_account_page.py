"""The account page as a whole (issue 11): storage, what could not be loaded, its looks and its languages."""

from collections.abc import Callable

from flask import Flask
from playwright.sync_api import Page, expect

from tests.web.account import expect_loaded, login, open_account, part
from tests.web.steps import REFUSED, UNREACHED, Account, Watch, choose, expect_status, expire, pdf, sign_in
from tests.web.test_accessibility import check
from tests.web.test_languages import no_english
from tests.web.test_mirrored import expect_mirrored, read_in
from tests.web.test_pages import go
from uploadsvc.extensions import db
from uploadsvc.models import User

Allow = Callable[..., None]
SIZE = 960 * 1024
MEGABYTE = 1024 * 1024

__all__ = ["read_in"]  # a fixture


def limit(accounts: Flask, person: Account, quota: int) -> None:
    """Give the account a quota of so many bytes."""
    with accounts.app_context():
        User.by_email(person.email).quota_bytes = quota  # type: ignore[union-attr]
        db.session.commit()


def test_storage_is_told_in_words_and_as_a_meter(signed_in: Page, person: Account, accounts: Flask) -> None:
    """Without a quota, with one, nearly full and full: never by the meter's colour alone."""
    choose(signed_in, pdf("a.pdf", SIZE))
    expect_status(signed_in, "a.pdf", "SUCCESS")
    open_account(signed_in)
    storage = part(signed_in, "Storage")
    expect(storage.locator(".amount")).to_have_text("960 kB used")
    expect(storage.get_by_role("meter")).to_have_count(0)
    expect(signed_in.locator(".whose")).to_have_text(f"Signed in as {person.email}")
    expect(signed_in.locator(".whose bdi")).to_have_text(person.email)
    for quota, amounts, words in (
        (5 * 1024 * MEGABYTE, "960 kB of 5 GB used, 5 GB left", ""),
        (MEGABYTE, "960 kB of 1 MB used, 64 kB left", "Nearly full. Delete files that you no longer need."),
        (MEGABYTE // 2, "960 kB of 512 kB used, 0 bytes left", "Full. Nothing can be uploaded until you delete files."),
    ):
        limit(accounts, person, quota)
        go(signed_in, "Files")
        open_account(signed_in)
        expect(storage.locator(".amount")).to_have_text(amounts)
        expect(storage.locator(".warning")).to_have_text(words)
        meter = storage.get_by_role("meter", name="Storage")
        expect(meter).to_have_accessible_description(amounts)
        assert meter.evaluate("(meter) => meter.value / meter.max") == min(1, SIZE / quota)
    check(signed_in)


GAP = """() => document.querySelector('#account-view h1').getBoundingClientRect().top
    - document.getElementById('banner').getBoundingClientRect().bottom"""


def test_what_could_not_be_loaded_is_tried_again(signed_in: Page, person: Account, allow: Allow) -> None:
    """At one's wish, after a sign-in in place, and with a token that has expired without anybody noticing."""
    allow(f"{REFUSED} 401", UNREACHED)
    signed_in.route("**/api/auth/sessions", lambda route: route.abort())
    go(signed_in, "Account")
    sessions = part(signed_in, "Where you are signed in")
    failure = sessions.locator(".note.bad")
    expect(failure).to_contain_text("This could not be loaded. The connection was interrupted.")
    check(signed_in)
    signed_in.unroute("**/api/auth/sessions")
    failure.get_by_role("button", name="Try again").click()
    expect(sessions.get_by_role("listitem")).to_have_count(1)
    expect(failure).to_be_hidden()
    expect(signed_in.get_by_role("heading", name="Where you are signed in")).to_be_focused()

    go(signed_in, "Files")
    expire(signed_in.context)
    open_account(signed_in)
    expect(part(signed_in, "Storage").locator(".amount")).to_have_text("0 bytes used")
    go(signed_in, "Files")
    expire(signed_in.context, session=True)
    go(signed_in, "Account")
    dialog = signed_in.get_by_role("dialog", name="Sign in again")
    expect(dialog).to_be_visible()
    for name in ("Storage", "Where you are signed in", "API tokens"):
        expect(part(signed_in, name)).to_contain_text("This could not be loaded. You have to sign in first.")
        expect(part(signed_in, name).locator(".content + .notes")).to_be_visible()  # where the answer would be
    assert signed_in.evaluate(GAP) >= 8
    signed_in.locator("#password").fill(person.password)
    signed_in.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect_loaded(signed_in)
    expect(signed_in.locator(".notes .bad:visible")).to_have_count(0)
    expect(sessions.get_by_role("listitem")).to_contain_text(["This one"])


def test_the_account_page_can_be_mirrored(read_in: tuple[Page, Watch, str], person: Account, accounts: Flask) -> None:
    """Complaints, other sessions, a token just made, in both languages; the German reader meets no English."""
    page, watch, language = read_in
    watch.allowed.append(f"{REFUSED} 401")
    limit(accounts, person, 1000)
    for agent in ("curl/8.14.1", "Rather-Long-Program-Without-A-Space/" + "1.2.3." * 20):
        login(person, agent)
    page.goto("/")
    expect(page.locator("#email")).to_be_focused()
    page.evaluate("() => { location.hash = '#account'; }")  # nobody's yet: it waits for the sign-in
    sign_in(page, person)
    for name in ("storage", "sessions", "tokens"):
        expect(page.locator(f"section.{name} .content")).to_be_visible()
    page.locator("section.password [type=submit]").click()
    page.locator("section.tokens [type=submit]").click()
    expect(page.locator("#token-name-error")).not_to_be_empty()
    expect_mirrored(page, f"account-{language}")
    page.locator("#token-name").fill("laptop" * 16)
    page.locator("section.tokens [type=submit]").click()
    expect(page.locator("#token-text")).to_be_visible()
    expect_mirrored(page, f"account-made-{language}")
    if language == "de-DE":
        no_english(page)

"""Ask for files (issue 11): a link is made, copied, watched and ended by its owner."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.asking import asked, made_elsewhere, make, open_page, send, visit
from tests.web.steps import REFUSED, Account, Watch, cdp, patience, sign_in
from tests.web.test_accessibility import check
from tests.web.test_languages import reader
from tests.web.test_mirrored import expect_mirrored

Allow = Callable[..., None]
KEPT = """async () => [
    location.href, document.cookie, document.title, JSON.stringify(history.state),
    JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }),
    ...(await indexedDB.databases()).map(({ name }) => name), ...(await caches.keys()),
    ...performance.getEntriesByType('resource').map(({ name }) => name),
    document.documentElement.outerHTML,
].join(' ')"""
SELECTED = "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
LONG = "Photographs of the summer party in the garden of the northern region's office"


def in_days(days: int) -> str:
    moment = datetime.now(UTC).astimezone() + timedelta(days=days)
    return f"{moment.day} {moment:%B %Y}"


def test_a_link_is_made_copied_watched_and_ended(
    signed_in: Page, person: Account, new_person: Callable[[], Account], watch: Watch
) -> None:
    """The whole flow; the secret is in the link's field alone, and Alice does not see what Bob asks for."""
    made_elsewhere(new_person(), "Bob's")
    signed_in.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(signed_in)
    patience(signed_in, speakClear=60_000)
    expect(signed_in.locator("#requests-empty")).to_contain_text("People without an account can send you files")
    expect(asked(signed_in)).to_have_count(0)
    check(signed_in)
    signed_in.get_by_label("Note").fill("Receipts as PDF,\nplease.")
    signed_in.get_by_label("Open for").select_option("7 days")
    signed_in.get_by_label("Files at most").fill("3")
    signed_in.get_by_label("Title").fill("Tax papers")
    signed_in.get_by_label("Title").press("Enter")
    copy = signed_in.get_by_role("button", name="Copy link for Tax papers")
    expect(copy).to_be_focused()
    expect(signed_in.locator("#announcer-status")).to_have_text("The link for Tax papers is ready.")
    for label, value in (("Title", ""), ("Note", ""), ("Open for", "30"), ("Files at most", "100")):
        expect(signed_in.get_by_label(label)).to_have_value(value)
    row = asked(signed_in, "Tax papers")
    expect(row.locator(".meta")).to_have_text(f"0 of 3 files · until {in_days(7)}")
    expect(row.locator(".remark")).to_have_text("Receipts as PDF, please.")
    check(signed_in)

    url = signed_in.get_by_label("Link for Tax papers", exact=True).input_value()
    assert visit(person, url)[1]["note"] == "Receipts as PDF,\nplease."
    copy.click()
    expect(copy).to_have_text("Copied")
    expect(signed_in.locator("#announcer-status")).to_have_text("Link copied")
    assert signed_in.evaluate("navigator.clipboard.readText()") == url
    send(person, url)
    signed_in.get_by_role("button", name="Refresh").click()
    expect(row.locator(".meta")).to_have_text(f"1 of 3 files · until {in_days(7)}")
    expect(signed_in.locator("#announcer-status")).to_have_text("Updated just now")
    secret = url.partition(".")[2].rpartition(".")[2]
    assert len(secret) == 32 and secret not in signed_in.evaluate(KEPT)
    assert secret not in " ".join([*watch.requests, *watch.problems, person.site.log.read_text()])

    signed_in.get_by_role("button", name="End Tax papers").click()
    dialog = signed_in.get_by_role("dialog", name="End Tax papers?")
    expect(dialog).to_have_accessible_description(
        "The link stops working at once. What has come stays among your files."
    )
    check(signed_in)
    signed_in.keyboard.press("Escape")
    expect(signed_in.get_by_role("button", name="End Tax papers")).to_be_focused()
    assert visit(person, url)[0] == 200
    signed_in.get_by_role("button", name="End Tax papers").click()
    dialog.get_by_role("button", name="End").click()
    expect(signed_in.get_by_role("heading", name="Your requests")).to_be_focused()
    expect(signed_in.locator("#announcer-status")).to_have_text("Tax papers ended")
    expect(signed_in.locator("#requests-empty")).to_be_visible()
    assert (visit(person, url)[0], person.names) == (401, ["a.pdf"])


def test_asking_by_the_keyboard_alone(signed_in: Page) -> None:
    """Two links, the newest on top; the focus goes on to the row before the one that was ended."""
    open_page(signed_in)
    signed_in.keyboard.press("Tab")
    for title in ("first", "second"):
        expect(signed_in.get_by_label("Title")).to_be_focused()
        signed_in.keyboard.type(title)
        signed_in.keyboard.press("Enter")
        expect(signed_in.get_by_role("button", name=f"Copy link for {title}")).to_be_focused()
        signed_in.get_by_label("Title").focus()
    expect(asked(signed_in).locator(".title")).to_have_text(["second", "first"])
    signed_in.get_by_role("button", name="Copy link for first").focus()
    for _ in range(2):
        signed_in.keyboard.press("Shift+Tab")
    expect(signed_in.get_by_role("button", name="End first")).to_be_focused()
    signed_in.keyboard.press("Enter")
    expect(signed_in.locator("#confirm").get_by_role("button", name="Cancel")).to_be_focused()
    signed_in.keyboard.press("Tab")
    signed_in.keyboard.press("Enter")
    expect(asked(signed_in).locator(".title")).to_have_text(["second"])
    expect(signed_in.get_by_role("button", name="End second")).to_be_focused()


@pytest.mark.parametrize("clipboard", ["missing", "refused"])
def test_a_link_can_be_copied_by_hand(signed_in: Page, clipboard: str, origin: str) -> None:
    """Over plain http there is no clipboard, or it is forbidden: the field is selected, and that is said."""
    if clipboard == "missing":
        signed_in.add_init_script("delete Navigator.prototype.clipboard;")
        signed_in.reload()
    else:
        whose = cdp(signed_in).send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
        denied = {"permission": {"name": "clipboard-write"}, "setting": "denied", "origin": origin}
        cdp(signed_in).send("Browser.setPermission", denied | {"browserContextId": whose})
    open_page(signed_in)
    patience(signed_in, speakClear=60_000, notice=60_000)
    row = make(signed_in, "Tax papers")
    row.get_by_role("button", name="Copy link").click()
    field = row.get_by_label("Link for Tax papers", exact=True)
    expect(field).to_be_focused()
    assert field.evaluate(SELECTED) == field.input_value() != ""
    expect(signed_in.locator("#announcer-alert")).to_contain_text("copy it by hand")
    expect(signed_in.locator("#notices")).to_contain_text("copy it by hand")
    expect(row.locator(".copy")).to_have_text("Copy link")
    check(signed_in)


def test_what_is_over_says_why(signed_in: Page, person: Account) -> None:
    """The time is up, all files have come, the host has ended it: no link is left, and it can go from the list."""
    late, full, ended = made_elsewhere(person, "late", "full", "ended", maxFiles=1)
    send(person, full["url"])
    with closing(sqlite3.connect(person.site.instance / "app.db")) as database, database:
        database.execute("UPDATE file_requests SET expires_at = created_at WHERE public_id = ?", [late["id"]])
    assert person.site.flask("requests", "end", ended["id"]).returncode == 0
    open_page(signed_in)
    for title, told in (
        ("late", "0 of 1 file · over: the time is up"),
        ("full", "1 of 1 file · over: all files have come"),
        ("ended", "0 of 1 file · over: it was ended"),
    ):
        expect(asked(signed_in, title).locator(".meta")).to_have_text(told)
        expect(asked(signed_in, title).locator(".copying")).to_be_hidden()
    check(signed_in)
    signed_in.get_by_role("button", name="Remove full from the list").click()
    expect(signed_in.get_by_role("dialog", name="Remove full from the list?")).to_be_visible()
    signed_in.locator("#confirm-yes").click()
    expect(asked(signed_in).locator(".title")).to_have_text(["ended", "late"])
    expect(signed_in.get_by_role("button", name="Remove ended from the list")).to_be_focused()
    assert person.names == ["a.pdf"]


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
def test_asking_on_a_phone_and_mirrored(
    browser: Browser, browser_context_args: dict[str, Any], origin: str, person: Account, language: str
) -> None:
    """From 320 pixels on nothing sticks out, in both directions; what a finger has to hit is 44 pixels high."""
    ended, full = made_elsewhere(person, "Ended", LONG, maxFiles=1, note="n" * 300)
    made_elsewhere(person, "تقرير", "W" * 60)
    send(person, full["url"])
    assert person.site.flask("requests", "end", ended["id"]).returncode == 0
    with reader(browser, browser_context_args | {"has_touch": True}, origin, language) as (page, watch):
        watch.allowed.append(f"{REFUSED} 400")
        page.goto("/")
        sign_in(page, person)
        page.locator("[data-page=requests]").click()
        expect(asked(page)).to_have_count(4)
        page.mouse.move(0, 0)
        page.locator("#request-note").fill("n" * 2001)
        page.locator("#request-title").fill("t")
        page.locator("#request-title").press("Enter")
        expect(page.locator("#request-note-error")).to_be_visible()
        expect_mirrored(page, f"asking-{language}")
        small = """(controls) => controls.map((one) => [one.id || one.className, one.getBoundingClientRect().height])
            .filter(([, height]) => height < 44)"""
        controls = page.locator("#requests-view :is(button, input, select, textarea):visible")
        assert controls.count() > 12 and controls.evaluate_all(small) == []
        page.locator(".end").last.click()
        expect(page.locator("#confirm")).to_be_visible()
        expect_mirrored(page, f"asking-end-{language}")

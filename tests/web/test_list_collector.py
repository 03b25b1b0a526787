"""Issue 11, 3: a collector sees everyone's files beside his own; to anybody else nothing of it is shown."""

from collections.abc import Callable
from zipfile import ZipFile

from flask import Flask
from playwright.sync_api import Page, expect

from tests.support.people import add_user
from tests.web.listing import delete_selected, names, opened, pick, search, store
from tests.web.steps import REFUSED, Account, Watch, choose, patience, pdf, shelf
from tests.web.test_accessibility import check
from tests.web.test_mirrored import expect_mirrored
from uploadsvc.extensions import db
from uploadsvc.models import User


def collector(person: Account, accounts: Flask, email: str) -> Account:
    """Somebody who sees what others keep, on `person`'s site."""
    add_user(accounts, email, collector=True)
    return Account(person.site, email)


def take_right_away(accounts: Flask, email: str) -> None:
    with accounts.app_context():
        user = db.session.query(User).filter_by(email=email).one()
        user.is_collector = False
        db.session.commit()


def owners(page: Page) -> list[str]:
    return shelf(page).locator(".owner").all_text_contents()


def whose(page: Page, name: str) -> None:
    page.get_by_role("group", name="Whose files").get_by_role("button", name=name, exact=True).click()


def test_a_collector_sees_takes_and_deletes_everyones(
    page: Page, person: Account, new_person: Callable[[], Account], accounts: Flask, watch: Watch
) -> None:
    """Whose each is stands in its row; the switch is the tab's own; an upload of his own comes on top."""
    bob, carol = new_person(), collector(person, accounts, "carol@example.com")
    store(person, alices_1=10)
    store(bob, bobs_1=20)
    store(carol, carols_1=30)
    opened(page, carol, 1)
    patience(page, speakGap=0)
    assert owners(page) == [""]
    whose(page, "Everyone's")
    search(page, "s_1")
    expect(names(page)).to_have_text(["carols_1.txt", "bobs_1.txt", "alices_1.txt"])
    expect(page.get_by_role("heading", name="Everyone's files")).to_be_visible()
    expect(page.locator("#announcer-status")).to_have_text("3 files match")
    assert owners(page) == [carol.email, bob.email, person.email]
    choose(page, pdf("owns_1.pdf"))
    expect(names(page).first).to_have_text("owns_1.pdf")
    expect(shelf(page).first.locator(".owner")).to_have_text(carol.email)
    page.get_by_role("button", name="Clear finished").click()
    pick(page, "bobs_1.txt").click()
    pick(page, "alices_1.txt").click()
    check(page)
    expect_mirrored(page, "everyones")
    page.evaluate("document.documentElement.dir = 'ltr'")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as ZIP").click()
    with ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["bobs_1.txt", "alices_1.txt"]
    pick(page, "alices_1.txt").click()
    delete_selected(page)
    expect(names(page)).to_have_text(["owns_1.pdf", "carols_1.txt", "alices_1.txt"])
    assert (bob.names, person.names) == ([], ["alices_1.txt"])
    choose(page, {"name": "alices_1.txt", "mimeType": "text/plain", "buffer": b"alices_1\n."})
    expect(names(page).first).to_have_text("alices_1.txt")  # what a colleague has is not one's own
    page.reload()
    expect(page.get_by_role("button", name="Everyone's")).to_have_attribute("aria-pressed", "true")
    search(page, "s_1")
    expect(shelf(page)).to_have_count(4)
    whose(page, "Mine")
    expect(shelf(page)).to_have_count(3)
    expect(page.get_by_role("heading", name="Your files")).to_be_visible()


def test_others_are_shown_nothing_of_it(page: Page, person: Account, watch: Watch) -> None:
    """Neither a switch nor an owner; nor does a tab that remembers another's wish ask for more."""
    store(person, mine=10)
    opened(page, person, 1)
    page.evaluate("""() => sessionStorage.setItem('listing', '{"sort":"name","everyones":false}')""")
    page.reload()
    expect(shelf(page)).to_have_count(1)
    expect(page.get_by_role("group", name="Whose files")).to_have_count(0)
    assert owners(page) == [""]
    assert not [request for request in watch.requests if "all=1" in request]


def test_a_right_that_was_taken_away(page: Page, person: Account, accounts: Flask, watch: Watch) -> None:
    """The next look falls back to one's own and says so; nothing of the others is left to see, nor the switch."""
    watch.allowed.append(f"{REFUSED} 403")
    dan = collector(person, accounts, "dan@example.com")
    store(person, alices_3=10)
    store(dan, dans_3=10)
    opened(page, dan, 1)
    whose(page, "Everyone's")
    expect(shelf(page).filter(has_text="alices_3.txt")).to_be_visible()
    take_right_away(accounts, dan.email)
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#notices")).to_have_text("You can no longer see everyone's files. These are yours.")
    expect(names(page)).to_have_text(["dans_3.txt"])
    expect(page.get_by_role("group", name="Whose files")).to_have_count(0)
    search(page, "a")
    expect(page.locator("#documents-total")).to_have_text("1 file matches · 10 bytes")


def test_what_is_out_of_reach_is_not_told_as_deleted(
    page: Page, person: Account, accounts: Flask, watch: Watch
) -> None:
    """A 404 of somebody else's document counts as done only while one may see it."""
    watch.allowed.append(f"{REFUSED} 404")
    eve = collector(person, accounts, "eve@example.com")
    store(person, alices_4=10)
    store(eve, eves=10)
    opened(page, eve, 1)
    whose(page, "Everyone's")
    page.get_by_role("button", name="Delete alices_4.txt").wait_for()
    take_right_away(accounts, eve.email)
    page.get_by_role("button", name="Delete alices_4.txt").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#notices")).to_contain_text("You can no longer see everyone's files. These are yours.")
    expect(page.locator("#notices")).not_to_contain_text("deleted")
    expect(names(page)).to_have_text(["eves.txt"])
    assert person.names == ["alices_4.txt"]

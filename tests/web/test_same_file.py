"""Issue 10, "The same file again": held back while its name and size are there already, and settled by its content."""

import re
import unicodedata
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.bodies import PDF
from tests.support.clock import eventually
from tests.web.leaving import SLOW, expect_kept, kept_as_held, offer, reload
from tests.web.steps import (
    UPLOAD,
    Account,
    Watch,
    choose,
    expect_status,
    lose,
    patience,
    pdf,
    row,
    rows,
    shelf,
    throttle,
)
from tests.web.test_accessibility import check
from tests.web.test_languages import reader

OTHER = {"name": "a.pdf", "mimeType": "application/pdf", "buffer": PDF + b"%b.pdf\n"}  # as long as pdf("a.pdf")
SINCE = """async (days) => {
    const { since } = await import('/js/format.js');
    const present = new Date('2025-03-05T12:00'); // a Wednesday
    return days.map((day) => since(new Date(day), present));
}"""


def stored(page: Page, *files: dict) -> None:
    """Upload files, and clear them off the queue."""
    choose(page, *files)
    for file in files:
        expect_status(page, file["name"], "SUCCESS")
    expect(shelf(page)).to_have_count(len(files))
    page.get_by_role("button", name="Clear finished").click()
    expect(rows(page)).to_have_count(0)


def meta(page: Page, name: str = "a.pdf"):
    return row(page, name).locator(".meta")


def anyway(page: Page, name: str = "a.pdf"):
    return page.get_by_role("button", name=f"Upload anyway: {name}", exact=True)


def test_a_file_that_is_there_is_held_back(signed_in: Page, person: Account, watch: Watch) -> None:
    """It says since when, is said aloud, counts as no upload, and is sent only when asked to."""
    stored(signed_in, pdf("a.pdf"))
    title = signed_in.title()
    patience(signed_in, speakClear=60_000)
    choose(signed_in, pdf("a.pdf"))
    expect(meta(signed_in)).to_have_text("Already there since today")
    expect(anyway(signed_in)).to_have_text("Upload anyway")
    expect(signed_in.locator("#announcer-status")).to_have_text("a.pdf is already among your files")
    expect(signed_in.locator("#total")).to_be_hidden()
    assert signed_in.title() == title
    assert watch.requests.count("POST /api/upload") == 1
    check(signed_in)
    anyway(signed_in).click()
    expect_status(signed_in, "a.pdf", "SUCCESS")
    expect(meta(signed_in)).to_have_text("Uploaded · same content as \u2068a.pdf\u2069 (today)")
    expect(anyway(signed_in)).to_have_count(0)
    expect(shelf(signed_in)).to_have_count(2)
    assert person.names == ["a.pdf", "a.pdf"]
    check(signed_in)


def test_other_content_under_the_same_name(signed_in: Page, person: Account) -> None:
    """Of the same name and size it is held back; the server's SHA-256 then tells that it is another file."""
    assert len(OTHER["buffer"]) == len(pdf("a.pdf")["buffer"])
    stored(signed_in, pdf("a.pdf"))
    choose(signed_in, OTHER)
    anyway(signed_in).click()
    expect(meta(signed_in)).to_have_text(f"Uploaded · {len(OTHER['buffer'])} bytes")
    assert len({document["sha256"] for document in person.documents}) == 2


def test_the_same_content_under_another_name(signed_in: Page) -> None:
    """Nothing holds it back, and the row says afterwards what it is."""
    stored(signed_in, pdf("a.pdf"))
    choose(signed_in, pdf("a.pdf") | {"name": "copy.pdf"})
    expect(meta(signed_in, "copy.pdf")).to_have_text("Uploaded · same content as \u2068a.pdf\u2069 (today)")


def test_another_size_is_another_file(signed_in: Page) -> None:
    stored(signed_in, pdf("a.pdf"))
    choose(signed_in, pdf("a.pdf", size=3000))
    expect(meta(signed_in)).to_have_text("Uploaded · 3 kB")


def test_the_name_is_compared_in_nfc(signed_in: Page) -> None:
    name = "Müll é.pdf"
    stored(signed_in, pdf(name))
    choose(signed_in, pdf(name) | {"name": unicodedata.normalize("NFD", name)})
    expect(meta(signed_in, name)).to_have_text("Already there since today")


def test_it_is_there_no_longer(signed_in: Page, person: Account) -> None:
    """When the document is deleted, the row that it held back no longer says that the file is there."""
    stored(signed_in, pdf("a.pdf"))
    choose(signed_in, pdf("a.pdf"))
    expect(anyway(signed_in)).to_be_visible()
    signed_in.get_by_role("button", name="Delete a.pdf").click()
    signed_in.locator("#confirm-yes").click()
    expect(meta(signed_in)).to_have_text(re.compile("^Cancelled"))
    signed_in.get_by_role("button", name="Retry a.pdf").click()
    expect_status(signed_in, "a.pdf", "SUCCESS")
    assert person.names == ["a.pdf"]


def test_what_is_held_back_outlives_the_page(signed_in: Page, person: Account, watch: Watch) -> None:
    """It waits for a decision: leaving asks, and after a reload it is offered, and resumed held back as before."""
    stored(signed_in, pdf("a.pdf"))
    choose(signed_in, pdf("a.pdf"))
    expect_kept(signed_in, 1)
    with signed_in.expect_event("dialog") as asked:
        reload(signed_in)
    assert asked.value.type == "beforeunload"
    expect(shelf(signed_in)).to_have_count(1)
    signed_in.get_by_role("button", name="Resume 1 file", exact=True).click()
    expect(meta(signed_in)).to_have_text("Already there since today")
    assert watch.requests.count("POST /api/upload") == 1
    anyway(signed_in).click()
    expect_status(signed_in, "a.pdf", "SUCCESS")
    assert person.names == ["a.pdf", "a.pdf"]
    expect_kept(signed_in, 0)


def test_a_decision_outlives_the_page(signed_in: Page, person: Account) -> None:
    """What was to be uploaded anyway when the page went is not held back again."""
    stored(signed_in, pdf("a.pdf", 200_000))
    choose(signed_in, pdf("a.pdf", 200_000))
    expect_kept(signed_in, 1)
    throttle(signed_in, SLOW)
    anyway(signed_in).click()
    assert eventually(lambda: kept_as_held(signed_in) == [False])
    reload(signed_in)
    expect(shelf(signed_in)).to_have_count(1)
    throttle(signed_in, 0)
    signed_in.get_by_role("button", name="Resume 1 file", exact=True).click()
    expect_status(signed_in, "a.pdf", "SUCCESS")
    assert person.names == ["a.pdf", "a.pdf"]


def test_signing_out_gives_up_what_is_held_back(signed_in: Page) -> None:
    """It asks before, and nothing is kept afterwards."""
    stored(signed_in, pdf("a.pdf"))
    choose(signed_in, pdf("a.pdf"))
    expect_kept(signed_in, 1)
    signed_in.get_by_role("button", name="Sign out").click()
    question = signed_in.get_by_role("dialog", name="Sign out?")
    expect(question).to_have_accessible_description("1 file has not been uploaded yet and will be discarded.")
    question.get_by_role("button", name="Sign out").click()
    expect(signed_in.locator("#sign-in-view")).to_be_visible()
    expect_kept(signed_in, 0)
    expect(offer(signed_in)).to_be_hidden()


def test_many_at_once(signed_in: Page, person: Account) -> None:
    """What is new is sent, what is there waits, each for its own decision; "Clear finished" gives it up."""
    stored(signed_in, pdf("a.pdf"), pdf("b.pdf"))
    choose(signed_in, pdf("a.pdf"), pdf("b.pdf"), pdf("c.pdf"))
    expect_status(signed_in, "c.pdf", "SUCCESS")
    for name in ("a.pdf", "b.pdf"):
        expect(meta(signed_in, name)).to_have_text("Already there since today")
    expect(signed_in.get_by_role("button", name="Retry failed")).to_be_hidden()
    signed_in.get_by_role("button", name="Remove a.pdf").click()
    expect(rows(signed_in)).to_have_count(2)
    signed_in.get_by_role("button", name="Clear finished").click()
    expect(rows(signed_in)).to_have_count(0)
    assert sorted(person.names) == ["a.pdf", "b.pdf", "c.pdf"]


def test_a_retry_is_not_held_back(signed_in: Page, person: Account, allow: Callable[..., None]) -> None:
    """Stored, but the answer was lost, and the list shows it by now: the retry goes, and stays one document."""
    allow("ERR_FAILED")
    patience(signed_in, retries=[])

    signed_in.route(UPLOAD, lose)
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "FAILED")
    signed_in.unroute(UPLOAD)
    signed_in.get_by_role("button", name="Refresh").click()
    expect(shelf(signed_in)).to_have_count(1)
    signed_in.get_by_role("button", name="Retry a.pdf").click()
    expect_status(signed_in, "a.pdf", "SUCCESS")
    expect(meta(signed_in)).to_have_text(f"Uploaded · {len(pdf('a.pdf')['buffer'])} bytes")
    assert person.names == ["a.pdf"]


def test_a_cancelled_upload_anyway_is_tried_again(signed_in: Page) -> None:
    """Once somebody has decided, the row is one like all others."""
    stored(signed_in, pdf("a.pdf"))
    signed_in.route(UPLOAD, lambda route: None)
    choose(signed_in, pdf("a.pdf"))
    anyway(signed_in).click()
    signed_in.get_by_role("button", name="Cancel upload of a.pdf").click()
    expect(meta(signed_in)).to_contain_text("Cancelled")
    signed_in.unroute(UPLOAD)
    signed_in.get_by_role("button", name="Retry a.pdf").click()
    expect_status(signed_in, "a.pdf", "SUCCESS")


@pytest.mark.parametrize(
    ("language", "days"),
    [
        ("en-GB", ["today", "yesterday", "Monday", "Thursday", "26 Feb 2025"]),
        ("de-DE", ["heute", "gestern", "Montag", "Donnerstag", "26. Feb. 2025"]),
    ],
)
def test_since_when(browser, browser_context_args, origin: str, language: str, days: list[str]) -> None:
    """Today, yesterday, a day of the last week, or its date, in the reader's language."""
    moments = ["2025-03-05T00:10", "2025-03-04T23:50", "2025-03-03T01:00", "2025-02-27T12:00", "2025-02-26T23:00"]
    with reader(browser, browser_context_args, origin, language) as (page, _):
        page.goto("/")
        assert page.evaluate(SINCE, moments) == days

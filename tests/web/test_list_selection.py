"""Issue 11, 2: several documents are selected, one by one or as a range, and downloaded as one ZIP."""

import re
from pathlib import Path
from zipfile import ZipFile

from playwright.sync_api import Page, expect

from tests.support.clock import eventually
from tests.web.listing import bar, ids, names, opened, pick, store
from tests.web.steps import REFUSED, Account, Watch, expire, middle, patience, shelf
from tests.web.test_accessibility import check

CHOSEN = """() => [...document.querySelectorAll('#documents-list .pick:checked')].map(
    (box) => box.closest('li').querySelector('.full').textContent)"""


def expect_chosen(page: Page, *names: str) -> None:
    """Wait until these rows are chosen, and no other."""
    wanted = [f"{name}.txt" for name in names]
    assert eventually(lambda: page.evaluate(CHOSEN) == wanted), page.evaluate(CHOSEN)


def test_ranges_by_the_mouse_and_by_the_keyboard(page: Page, person: Account, watch: Watch) -> None:
    """Shift takes all from the last one, and lets go likewise; the line says how many and how much, in sight."""
    store(person, **{f"f{number:02}": 1000 for number in range(60)})
    opened(page, person, 50)
    patience(page, speakGap=0)
    text, said, every = (page.locator(name) for name in ("#selection-text", "#announcer-status", "#select-all"))
    expect(text).to_be_empty()
    expect(page.get_by_role("button", name="Delete selected files")).to_have_count(0)
    pick(page, "f58.txt").click()
    expect(text).to_have_text("1 selected · 1,000 bytes")
    expect(every).to_have_js_property("indeterminate", True)
    pick(page, "f55.txt").click(modifiers=["Shift"])
    expect_chosen(page, "f58", "f57", "f56", "f55")
    expect(text).to_have_text("4 selected · 4 kB")
    expect(said).to_have_text("4 selected · 4 kB")
    expect(pick(page, "f55.txt")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == ""
    pick(page, "f56.txt").click()
    expect_chosen(page, "f58", "f57", "f55")
    pick(page, "f52.txt").focus()
    page.keyboard.press("Space")
    pick(page, "f50.txt").focus()
    page.keyboard.press("Shift+Space")
    expect_chosen(page, "f58", "f57", "f55", "f52", "f51", "f50")
    pick(page, "f57.txt").focus()
    page.keyboard.press("Space")
    pick(page, "f51.txt").focus()
    page.keyboard.down("Shift")
    page.keyboard.press("Space")
    page.keyboard.up("Shift")
    expect_chosen(page, "f58", "f50")
    page.evaluate("scrollTo(0, 0)")
    check(page)
    page.mouse.wheel(0, 2000)
    expect(page.locator("#zone")).not_to_be_in_viewport()
    expect(bar(page)).to_be_in_viewport()
    pick(page, "f12.txt").focus()  # what has the focus is not behind the line
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(
        "document.activeElement.getBoundingClientRect().top >= selection.getBoundingClientRect().bottom"
    )
    every.check()
    expect(text).to_have_text("50 selected · 49 kB")
    page.get_by_role("button", name="Show older files").click()
    expect(shelf(page)).to_have_count(60)
    expect(text).to_have_text("50 selected · 49 kB")
    expect(every).to_have_js_property("indeterminate", True)
    page.get_by_role("button", name="Clear selection").click()
    expect(every).to_be_focused()
    expect_chosen(page)
    expect(page.locator("#documents-total")).to_have_text("60 files · 59 kB")


def test_a_range_that_was_not_meant_is_forgotten(page: Page, person: Account, watch: Watch) -> None:
    """The pointer went elsewhere before its button was let go; the next key is for one row alone."""
    store(person, **{name: 10 for name in "abcd"})
    opened(page, person, 4)
    pick(page, "d.txt").click()
    page.keyboard.down("Shift")
    page.mouse.move(*middle(pick(page, "b.txt")))
    page.mouse.down()
    page.mouse.move(0, 0)
    page.mouse.up()
    page.keyboard.up("Shift")
    pick(page, "a.txt").press("Space")
    expect(page.locator("#selection-text")).to_have_text("2 selected · 20 bytes")
    expect_chosen(page, "d", "a")


def test_several_are_one_zip(page: Page, person: Account, watch: Watch, tmp_path: Path) -> None:
    """With their names, equal ones numbered, in a session that is refreshed first; Refresh keeps them chosen."""
    watch.allowed.append(f"{REFUSED} 401")
    store(person, a=2000, b=10)
    store(person, a=3000)
    opened(page, person, 3)
    page.locator("#select-all").check()
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#documents-updated")).to_contain_text("Nothing new")
    expire(page.context)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as ZIP").click()
    assert re.fullmatch(r"documents-\d{4}-\d\d-\d\d\.zip", download.value.suggested_filename)
    with ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert [(file.filename, file.file_size) for file in archive.infolist()] == [
            ("a.txt", 3000),
            ("b.txt", 10),
            ("a (2).txt", 2000),
        ]
    expect(page.locator("#selection-text")).to_have_text("3 selected · 5 kB")
    assert page.evaluate("document.activeElement.id") == "selection-zip"


def test_a_file_that_has_gone_is_told_before_the_zip(page: Page, person: Account, watch: Watch) -> None:
    """A 404 is no download that just fails: it is said, the list is read again, and what is left stays chosen."""
    watch.allowed.append(f"{REFUSED} 404")
    store(person, a=10, b=10, c=10)
    opened(page, person, 3)
    page.locator("#select-all").check()
    headers = person.site.login(person.email)
    assert person.site.request("DELETE", f"/api/documents/{ids(person)['b.txt']}", headers=headers)[0] == 200
    page.get_by_role("link", name="Download as ZIP").click()
    expect(page.locator("#notices")).to_contain_text("One of these files is no longer there.")
    expect(names(page)).to_have_text(["c.txt", "a.txt"])
    expect(page.locator("#selection-text")).to_have_text("2 selected · 20 bytes")
    with page.expect_download():
        page.get_by_role("link", name="Download as ZIP").click()


def test_a_file_far_down_that_has_gone_leaves_the_selection_too(page: Page, person: Account, watch: Watch) -> None:
    """Beyond what Refresh reads at once: else no ZIP of what is chosen would ever come."""
    watch.allowed.append(f"{REFUSED} 404")
    store(person, **{f"f{number:03}": 10 for number in range(250)})
    opened(page, person, 50)
    for count in (100, 150, 200, 250):
        page.locator("#documents-older").click()
        expect(shelf(page)).to_have_count(count)
    pick(page, "f001.txt").click()
    pick(page, "f000.txt").click()
    headers = person.site.login(person.email)
    assert person.site.request("DELETE", f"/api/documents/{ids(person)['f001.txt']}", headers=headers)[0] == 200
    page.get_by_role("link", name="Download as ZIP").click()
    expect(page.locator("#selection-text")).to_have_text("1 selected · 10 bytes")
    expect(shelf(page)).to_have_count(249)
    with page.expect_download():
        page.get_by_role("link", name="Download as ZIP").click()


def test_more_than_a_zip_holds_is_told(page: Page, person: Account, watch: Watch) -> None:
    """The server takes 500 at a time: 501 are not asked for, and one less is one archive."""
    store(person, **{f"f{number:03}": 10 for number in range(501)})
    opened(page, person, 50)
    for count in (*range(100, 501, 50), 501):
        page.locator("#documents-older").click()
        expect(shelf(page)).to_have_count(count)
    page.locator("#select-all").check()
    told = "A ZIP can hold 500 files at most. Select fewer to download them."
    expect(page.locator("#selection-problem")).to_have_text(told)
    page.get_by_role("link", name="Download as ZIP").click()
    expect(page.locator("#announcer-alert")).to_have_text(told)
    assert not [request for request in watch.requests if "/zip" in request]
    shelf(page).first.locator(".pick").uncheck()
    expect(page.locator("#selection-problem")).to_be_empty()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as ZIP").click()
    with ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 500

"""Issue 11, 2: the list is searched, sorted and counted, and what is read again stays where it is."""

import re

from playwright.sync_api import Page, expect

from tests.web.listing import names, opened, search, store
from tests.web.steps import Account, Watch, answers, choose, hold, patience, pdf, shelf, sign_in
from tests.web.test_accessibility import check

LIST = "**/api/documents?*"


def test_one_searches_and_sorts(page: Page, person: Account, watch: Watch) -> None:
    """What was found is counted and said; Escape and the button empty the field; the order is the tab's own."""
    store(person, tax_2025=3000, notes=10, Tax_2026=2000, plan=40_000)
    opened(page, person, 4)
    patience(page, speakGap=0)
    said, total, field = (page.locator(name) for name in ("#announcer-status", "#documents-total", "#search"))
    expect(total).to_have_text("4 files · 44 kB")
    lists = answers(page.context, "/api/documents")
    field.press_sequentially("tax", delay=20)
    expect(names(page)).to_have_text(["Tax_2026.txt", "tax_2025.txt"])
    expect(said).to_have_text("2 files match")
    expect(total).to_have_text("2 files match · 5 kB")
    assert lists == [200]
    check(page)
    field.fill("nowhere")
    expect(page.locator("#documents-nothing")).to_have_text("No files match “nowhere”.")
    expect(said).to_have_text("No files match")
    expect(page.locator("#documents-empty")).to_be_hidden()
    expect(field).to_be_focused()
    check(page)
    field.press("Escape")
    expect(shelf(page)).to_have_count(4)
    expect(field).to_have_value("")
    field.fill("PLAN")
    expect(names(page)).to_have_text(["plan.txt"])
    page.get_by_role("button", name="Clear search").click()
    expect(shelf(page)).to_have_count(4)
    expect(field).to_be_focused()
    expect(page.get_by_role("button", name="Clear search")).to_have_count(0)
    order = page.get_by_role("combobox", name="Sort")
    order.select_option("By name")
    expect(names(page)).to_have_text(["notes.txt", "plan.txt", "tax_2025.txt", "Tax_2026.txt"])
    order.select_option("Largest first")
    expect(names(page)).to_have_text(["plan.txt", "tax_2025.txt", "Tax_2026.txt", "notes.txt"])
    page.reload()
    expect(names(page)).to_have_text(["plan.txt", "tax_2025.txt", "Tax_2026.txt", "notes.txt"])
    expect(order).to_have_value("size")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#email")).to_be_visible()
    sign_in(page, person)
    expect(names(page).first).to_have_text("plan.txt")
    expect(order).to_have_value("newest")


def test_an_older_answer_never_overwrites_a_newer(page: Page, person: Account, watch: Watch) -> None:
    """A slow search is overtaken by the next one, which waits for nothing; what it found in the end is not shown."""
    store(person, apple=10, apricot=10, banana=10)
    opened(page, person, 3)
    held = hold(page, "**/api/documents?limit=50&q=a")
    page.locator("#search").press_sequentially("a")
    expect(page.locator("#documents-updated")).to_have_text("Refreshing…")
    page.locator("#search").press_sequentially("pr")
    page.locator("#search").press("Enter")
    expect(names(page)).to_have_text(["apricot.txt"])
    held.pop().continue_()
    page.evaluate("fetch('/api/limits')")
    expect(page.locator("#documents-updated")).to_have_text("Updated just now")
    expect(names(page)).to_have_text(["apricot.txt"])


def test_a_search_that_fails_is_told_and_tried_again(signed_in: Page, person: Account, watch: Watch) -> None:
    """Nothing typed is lost, and "Try again" asks for what is typed."""
    watch.allowed.append("status of 500")
    store(person, apple=10, banana=10)
    signed_in.get_by_role("button", name="Refresh").click()
    expect(shelf(signed_in)).to_have_count(2)
    signed_in.route(LIST, lambda route: route.fulfill(status=500, json={"ok": False}))
    search(signed_in, "apple")
    expect(signed_in.locator("#announcer-alert")).to_have_text("Your files couldn't be loaded.")
    expect(signed_in.locator("#search")).to_have_value("apple")
    signed_in.unroute(LIST)
    signed_in.get_by_role("button", name="Try again").click()
    expect(names(signed_in)).to_have_text(["apple.txt"])


def test_what_was_loaded_stays_in_every_order(page: Page, person: Account, watch: Watch) -> None:
    """Refresh reads all pages by name; a file from elsewhere comes in its place, and one stays where one was."""
    store(person, **{f"d{number:03}": 10 for number in range(0, 230, 2)})
    opened(page, person, 50)
    page.locator("#sort").select_option("name")
    expect(names(page).first).to_have_text("d000.txt")
    for count in (100, 115):
        page.get_by_role("button", name="Show more files").click()
        expect(shelf(page)).to_have_count(count)
    expect(page.get_by_role("button", name="Show more files")).to_be_hidden()
    link = page.get_by_role("link", name="Download d200.txt")
    link.focus()
    before = link.bounding_box()
    store(person, d101=10)
    with page.expect_response(LIST):
        page.locator("#refresh").evaluate("(button) => button.click()")
    expect(shelf(page)).to_have_count(115)  # as far as it was loaded
    expect(names(page).nth(51)).to_have_text("d101.txt")
    expect(link).to_be_focused()
    after = link.bounding_box()
    assert before and after and abs(before["y"] - after["y"]) < 2
    expect(page.locator("#documents-total")).to_have_text(re.compile("^116 files"))
    expect(page.locator("#documents-updated")).to_have_text("Updated just now · 1 new")
    page.get_by_role("button", name="Show more files").click()
    expect(names(page).last).to_have_text("d228.txt")


def test_an_upload_is_shown_only_where_it_belongs(page: Page, person: Account, watch: Watch) -> None:
    """On top of the newest, if the search finds it; in another order it is counted, and Refresh shows it."""
    store(person, alpha=10, omega=10)
    opened(page, person, 2)
    search(page, "alpha")
    expect(names(page)).to_have_text(["alpha.txt"])
    choose(page, pdf("other.pdf"), pdf("ALPHA two.pdf"))
    expect(names(page)).to_have_text(["ALPHA two.pdf", "alpha.txt"])
    expect(page.locator("#documents-total")).to_have_text(re.compile("^2 files match"))
    page.locator("#search").press("Escape")
    expect(shelf(page)).to_have_count(4)
    page.locator("#sort").select_option("name")
    expect(names(page).first).to_have_text("ALPHA two.pdf")
    choose(page, pdf("beta.pdf"))
    expect(page.locator("#documents-unseen")).to_have_text(
        "1 new file is not shown in this list yet. Refresh to see it."
    )
    expect(page.locator("#documents-total")).to_have_text(re.compile("^5 files"))
    expect(shelf(page)).to_have_count(4)
    page.get_by_role("button", name="Refresh").click()
    expect(names(page).nth(2)).to_have_text("beta.pdf")
    expect(page.locator("#documents-unseen")).to_be_empty()


def test_what_was_not_shown_yet_is_not_told_any_more_once_it_is(page: Page, person: Account, watch: Watch) -> None:
    store(person, **{f"a{number:02}": 10 for number in range(51)})
    opened(page, person, 50)
    page.locator("#sort").select_option("name")
    expect(names(page).first).to_have_text("a00.txt")
    choose(page, pdf("z.pdf"))
    expect(page.locator("#documents-unseen")).to_contain_text("1 new file is not shown")
    page.get_by_role("button", name="Show more files").click()
    expect(names(page).last).to_have_text("z.pdf")
    expect(page.locator("#documents-unseen")).to_be_empty()


def test_a_file_is_known_though_the_list_does_not_show_it(page: Page, person: Account, watch: Watch) -> None:
    """The queue holds back what is there already, whatever is searched."""
    opened(page, person, 0)
    choose(page, pdf("here.pdf"))
    expect(shelf(page)).to_have_count(1)
    search(page, "nowhere")
    expect(page.locator("#documents-nothing")).to_be_visible()
    page.get_by_role("button", name="Clear finished").click()
    choose(page, pdf("here.pdf"))
    expect(page.locator("#queue-list")).to_contain_text("Already there since today")


def test_who_just_uploads_pays_for_nothing(signed_in: Page, person: Account, watch: Watch) -> None:
    """One list at the start, as before, and no tool over an empty one."""
    assert [request for request in watch.requests if "/api/documents" in request] == ["GET /api/documents?limit=50"]
    expect(signed_in.locator("#list-tools")).to_be_hidden()
    expect(signed_in.locator("#selection")).to_be_hidden()
    held = hold(signed_in, LIST)
    choose(signed_in, pdf("a.pdf"))
    expect(shelf(signed_in)).to_have_count(1)
    expect(signed_in.locator("#documents-total")).to_contain_text("1 file ·")
    expect(signed_in.locator("#list-tools")).to_be_visible()
    assert held == []

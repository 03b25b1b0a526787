"""Issue 11, 2: several documents are deleted after one question, and what came of it is said once."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.web.listing import bar, delete_selected, ids, names, opened, pick, store
from tests.web.steps import REFUSED, UNREACHED, Account, Watch, expire, patience, shelf
from tests.web.test_accessibility import check

SAID = """() => {
    window.said = [];
    for (const id of ['announcer-status', 'announcer-alert']) {
        const voice = document.getElementById(id);
        const hear = () => voice.textContent && said.push(voice.textContent);
        new MutationObserver(hear).observe(voice, { childList: true });
    }
}"""


def test_several_are_deleted_and_one_is_not(page: Page, person: Account, watch: Watch) -> None:
    """One question names a few; what has gone counts, what fails stays chosen and says why; then the rest goes."""
    watch.allowed.extend([f"{REFUSED} 404", f"{REFUSED} 500"])
    store(person, a=10, b=10, c=10, d=10, e=10, f=10)
    opened(page, person, 6)
    patience(page, speakGap=0)
    page.evaluate(SAID)
    pick(page, "e.txt").click()
    pick(page, "a.txt").click(modifiers=["Shift"])
    known = ids(person)
    headers = person.site.login(person.email)
    assert person.site.request("DELETE", f"/api/documents/{known['b.txt']}", headers=headers)[0] == 200
    page.route(f"**/api/documents/{known['c.txt']}", lambda route: route.fulfill(status=500, json={"ok": False}))
    button = page.get_by_role("button", name="Delete selected files")
    button.click()
    dialog = page.get_by_role("dialog", name="Delete 5 files?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    expect(dialog).to_have_accessible_description(
        re.compile("^\u2068e.txt\u2069, \u2068d.txt\u2069, \u2068c.txt\u2069 and 2 more will be deleted.")
    )
    check(page)
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(shelf(page)).to_have_count(6)
    page.evaluate("said.length = 0")
    delete_selected(page)
    expect(names(page)).to_have_text(["f.txt", "c.txt"])
    expect(shelf(page).last.locator(".problem")).to_have_text("Not deleted. The server had a problem. Try again.")
    expect(pick(page, "c.txt")).to_be_checked()
    expect(page.locator("#selection-text")).to_have_text("1 selected · 10 bytes")
    expect(page.locator("#announcer-alert")).to_have_text("4 files deleted, 1 not deleted")
    expect(button).to_be_focused()
    assert page.evaluate("said") == ["4 files deleted, 1 not deleted"]
    assert person.names == ["c.txt", "f.txt"]
    page.unroute(f"**/api/documents/{known['c.txt']}")
    button.click()
    expect(page.get_by_role("dialog", name="Delete c.txt?")).to_be_visible()
    page.locator("#confirm-yes").click()
    expect(names(page)).to_have_text(["f.txt"])
    expect(page.locator("#announcer-status")).to_have_text("1 file deleted")
    expect(page.locator("#select-all")).to_be_focused()
    page.locator("#select-all").check()
    delete_selected(page)
    expect(page.locator("#documents-empty")).to_be_visible()
    expect(page.locator("#documents-h")).to_be_focused()
    expect(bar(page)).to_be_hidden()
    assert person.names == []


def test_without_a_connection_the_others_are_not_tried(
    page: Page, person: Account, watch: Watch, allow: Callable[..., None]
) -> None:
    """All of them say why and stay chosen; when the session is over, the dialog tells, and nothing is lost."""
    allow(UNREACHED, f"{REFUSED} 401")
    store(person, **{f"f{number}": 10 for number in range(8)})
    opened(page, person, 8)
    page.locator("#select-all").check()
    tried: list[str] = []

    def refuse(route: Route) -> None:
        tried.append(route.request.url)
        route.abort("connectionreset")

    page.route("**/api/documents/*", refuse)
    delete_selected(page)
    expect(page.locator("#documents-list .problem:visible")).to_have_count(8)
    expect(page.locator("#notices")).to_contain_text("0 files deleted, 8 not deleted")
    assert len(tried) <= 3
    page.unroute("**/api/documents/*")
    expire(page.context, session=True)
    delete_selected(page)
    expect(page.locator("#sign-in-again")).to_be_visible()
    expect(page.locator("#documents-list .pick:checked")).to_have_count(8)
    assert len(person.names) == 8


def test_what_was_not_tried_is_told_as_not_deleted(page: Page, person: Account, watch: Watch) -> None:
    """One fails, then the session is over: the number of what is left is the truth."""
    watch.allowed.extend([f"{REFUSED} 401", f"{REFUSED} 500"])
    store(person, **{f"f{number}": 10 for number in range(8)})
    opened(page, person, 8)
    known = ids(person)
    page.route(f"**/api/documents/{known['f7.txt']}", lambda route: route.fulfill(status=500, json={"ok": False}))
    ended = {"ok": False, "error": "unauthorized"}
    page.route(f"**/api/documents/{known['f6.txt']}", lambda route: route.fulfill(status=401, json=ended))
    page.locator("#select-all").check()
    delete_selected(page)
    expect(page.locator("#sign-in-again")).to_be_visible()
    expect(page.locator("#notices")).to_have_text(re.compile(r"^\d files? deleted, \d not deleted$"))
    deleted, left = map(int, re.findall(r"\d", page.locator("#notices").inner_text()))
    assert deleted + left == 8
    expect(page.locator("#documents-list .pick:checked")).to_have_count(left)


def test_a_row_that_goes_elsewhere_hands_the_focus_on(page: Page, person: Account, watch: Watch) -> None:
    """Its document was deleted by another client: after Refresh the same control of the row above has the focus."""
    store(person, a=10, b=10, c=10)
    opened(page, person, 3)
    headers = person.site.login(person.email)
    assert person.site.request("DELETE", f"/api/documents/{ids(person)['b.txt']}", headers=headers)[0] == 200
    pick(page, "b.txt").click()
    page.locator("#refresh").evaluate("(button) => button.click()")
    expect(names(page)).to_have_text(["c.txt", "a.txt"])
    expect(pick(page, "c.txt")).to_be_focused()
    expect(page.locator("#selection-text")).to_be_empty()

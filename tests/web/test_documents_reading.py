"""How the list of documents is read: one read at a time, and no answer undoes what happened meanwhile."""

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.web.steps import Account, answers, choose, hold, pdf, shelf

LIST = "**/api/documents?*"
SHOW = "dispatchEvent(new Event('focus'))"
ELSEWHERE = "new BroadcastChannel('session').postMessage({ type: 'documents-changed' })"
LATER = """(milliseconds) => {
    window.plainNow ??= Date.now;
    Date.now = () => plainNow() + milliseconds;
}"""


def store(person: Account, *names: str) -> None:
    """Upload files by another client."""
    headers = person.site.login(person.email)
    for name in names:
        assert person.site.request("PUT", f"/api/upload/{name}", name.encode(), headers)[0] == 200


def shown(page: Page) -> list[str]:
    return shelf(page).locator(".full").all_text_contents()


def show_older(page: Page, count: int) -> None:
    page.get_by_role("button", name="Show older files").click()
    expect(shelf(page)).to_have_count(count)


def come_back(page: Page) -> None:
    """Come back to the window after another tab has changed the list: it is asked for again."""
    page.evaluate(ELSEWHERE)
    page.evaluate("new Promise((wake) => setTimeout(wake))")  # the message is a task of its own
    with page.expect_request(LIST):
        page.evaluate(SHOW)


def names(count: int) -> list[str]:
    """Return names of files in the order in which they are stored."""
    return [f"d{number:03}.txt" for number in range(count)]


def test_D1_stale_after_five_minutes(signed_in: Page) -> None:  # noqa: N802 - a test bears the name of its row
    """Shown again within five minutes the list makes no request, after that one."""
    assert signed_in.evaluate("async () => (await import('/js/config.js')).TIMING.listFresh") == 300_000
    lists = answers(signed_in.context, "/api/documents")
    signed_in.evaluate(LATER, 295_000)
    signed_in.evaluate(SHOW)
    signed_in.evaluate("fetch('/api/limits')")
    assert lists == []
    signed_in.evaluate(LATER, 301_000)
    with signed_in.expect_response(LIST):
        signed_in.evaluate(SHOW)
    signed_in.evaluate(SHOW)
    expect(signed_in.locator("#documents-updated")).to_have_text("Updated just now · Nothing new")
    signed_in.evaluate("fetch('/api/limits')")
    assert lists == [200]


def test_loading_is_told_only_when_it_takes_a_while(signed_in: Page, person: Account) -> None:
    """After 300 ms, and until the list is there; that the list is empty is not said before it is known."""
    assert signed_in.evaluate("async () => (await import('/js/config.js')).TIMING.loadingText") == 300
    record = """addEventListener('DOMContentLoaded', () => {
        const text = document.getElementById('documents-loading');
        window.toldAt = 0;
        new MutationObserver(() => { if (!text.hidden) toldAt ||= performance.now(); })
            .observe(text, { attributeFilter: ['hidden'] });
        new MutationObserver(() => { window.seenAt ||= performance.now(); })
            .observe(document.getElementById('app-view'), { attributeFilter: ['hidden'] });
    });"""
    signed_in.add_init_script(record)
    held = hold(signed_in, LIST)
    signed_in.reload()
    expect(signed_in.locator("#documents-loading")).to_have_text("Loading…")
    expect(signed_in.locator("#documents-loading")).to_be_visible()
    expect(signed_in.locator("#documents-empty")).to_be_hidden()
    assert signed_in.evaluate("toldAt - seenAt") >= 290  # the timer may be some milliseconds early
    held.pop().continue_()
    expect(signed_in.locator("#documents-empty")).to_be_visible()
    expect(signed_in.locator("#documents-loading")).to_be_hidden()
    signed_in.unroute(LIST)
    signed_in.reload()
    expect(signed_in.locator("#documents-empty")).to_be_visible()
    assert signed_in.evaluate("toldAt") == 0


def test_show_older_waits_for_the_list_that_is_on_its_way(signed_in: Page, person: Account) -> None:
    """Coming back by a click on "Show older": the list that the window's focus asked for does not undo it."""
    store(person, *names(120))
    signed_in.get_by_role("button", name="Refresh").click()
    expect(shelf(signed_in)).to_have_count(50)
    held: list[Route] = []
    signed_in.route("**/api/documents?limit=50", lambda route: held.append(route))  # noqa: PLW0108
    come_back(signed_in)
    signed_in.get_by_role("button", name="Show older files").click()
    signed_in.evaluate("fetch('/api/limits')")
    expect(shelf(signed_in)).to_have_count(50)
    held.pop().continue_()
    expect(shelf(signed_in)).to_have_count(100)
    expect(shelf(signed_in).nth(50).locator(".name a")).to_be_focused()
    assert shown(signed_in) == names(120)[:19:-1]
    assert held == []


def test_what_is_older_than_the_read_again_stays(signed_in: Page, person: Account) -> None:
    """More than the server gives at once are shown: none goes, new ones come on top, the focus stays, no hole."""
    store(person, *names(260))
    signed_in.get_by_role("button", name="Refresh").click()
    expect(shelf(signed_in)).to_have_count(50)
    for count in (100, 150, 200, 250):
        show_older(signed_in, count)
    last = shelf(signed_in).last.locator(".delete")
    last.focus()
    store(person, "new0.txt", "new1.txt")
    come_back(signed_in)
    expect(shelf(signed_in)).to_have_count(252)
    expect(last).to_be_focused()
    show_older(signed_in, 262)
    assert shown(signed_in) == ["new1.txt", "new0.txt", *names(260)[::-1]]
    expect(signed_in.get_by_role("button", name="Show older files")).to_be_hidden()


def test_a_page_full_of_news_leaves_no_hole(signed_in: Page, person: Account) -> None:
    """So many came elsewhere that others may lie between the new list's end and what was shown: that is read again."""
    store(person, *names(60))
    signed_in.get_by_role("button", name="Refresh").click()
    expect(shelf(signed_in)).to_have_count(50)
    store(person, *[f"new{number:03}.txt" for number in range(55)])
    come_back(signed_in)
    expect(shelf(signed_in).first.locator(".full")).to_have_text("new054.txt")
    expect(shelf(signed_in)).to_have_count(50)
    show_older(signed_in, 100)
    show_older(signed_in, 115)
    assert shown(signed_in) == [*[f"new{number:03}.txt" for number in range(54, -1, -1)], *names(60)[::-1]]


def test_a_deleted_document_does_not_come_back(signed_in: Page, person: Account) -> None:
    """The server answered with it before it was deleted, and the answer comes after."""
    for name in ("a.pdf", "b.pdf"):
        choose(signed_in, pdf(name))
        expect(shelf(signed_in).first).to_contain_text(name)
    held: list[Callable[[], None]] = []

    def answer_later(route: Route) -> None:
        answer = route.fetch()
        held.append(lambda: route.fulfill(response=answer))

    signed_in.route(LIST, answer_later)
    signed_in.get_by_role("button", name="Refresh").click()
    expect(signed_in.locator("#documents-updated")).to_have_text("Refreshing…")
    signed_in.get_by_role("button", name="Delete b.pdf").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(shelf(signed_in)).to_have_count(1)
    held.pop()()
    expect(signed_in.locator("#documents-updated")).to_have_text("Updated just now · Nothing new")
    assert shown(signed_in) == ["a.pdf"]
    assert person.names == ["a.pdf"]


def test_all_that_is_older_came_with_the_list(signed_in: Page, person: Account) -> None:
    """A "Show older" that had to wait and finds nothing older any more says so; the list stays alive."""
    store(person, *names(51))
    signed_in.get_by_role("button", name="Refresh").click()
    expect(shelf(signed_in)).to_have_count(50)
    held = hold(signed_in, "**/api/documents?limit=50")
    come_back(signed_in)
    signed_in.get_by_role("button", name="Show older files").click()
    headers = person.site.login(person.email)
    listed = json.loads(person.site.request("GET", "/api/documents?limit=51", headers=headers)[2])["documents"]
    for document in listed[-2:]:
        assert person.site.request("DELETE", f"/api/documents/{document['id']}", headers=headers)[0] == 200
    held.pop().continue_()
    expect(signed_in.locator("#announcer-status")).to_have_text("There are no older files")
    expect(shelf(signed_in)).to_have_count(49)
    signed_in.unroute("**/api/documents?limit=50")
    come_back(signed_in)
    expect(signed_in.locator("#documents-updated")).to_have_text(re.compile("^Updated just now"))

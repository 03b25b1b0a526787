"""Issue 11: a row says where its file came from: from whom, for which request, or by which token."""

import json

from playwright.sync_api import Browser, Page, expect

from tests.web.listing import ask_for, names, opened, search, send, store
from tests.web.steps import Account, Watch, shelf
from tests.web.test_accessibility import check
from tests.web.test_languages import reader
from tests.web.test_mirrored import expect_mirrored

HOSTILE = '\u202e<img src=x onerror="alert(1)">' + "W" * 150


def origins(page: Page) -> list[str]:
    return shelf(page).locator(".origin").all_text_contents()


def stock(person: Account) -> None:
    """Store a file by a token, and three of a request's visitors, of whom one has a hostile name."""
    headers = person.site.login(person.email)
    body = json.dumps({"name": "backup", "scope": "full"}).encode()
    answer = person.site.request("POST", "/api/tokens", body, headers | {"Content-Type": "application/json"})
    token = {"Authorization": f"Bearer {json.loads(answer[2])['token']}"}
    store(person, mine=10)
    assert person.site.request("PUT", "/api/upload/nightly.txt", b"hello", token)[0] == 200
    secret = ask_for(person, "Tax papers 2026")
    send(person, secret, "hostile.txt", HOSTILE)
    send(person, secret, "nobody.txt")
    send(person, secret, "payslip.txt", "Ana")


def test_where_a_file_came_from(page: Page, person: Account, watch: Watch) -> None:
    """A sender keeps his own direction and is a text, whatever he calls himself; a search finds him."""
    stock(person)
    opened(page, person, 5)
    expect(names(page)).to_have_text(["payslip.txt", "nobody.txt", "hostile.txt", "nightly.txt", "mine.txt"])
    payslip, nobody, hostile, nightly, mine = origins(page)
    assert (payslip, nobody) == ("from Ana, for Tax papers 2026", "for Tax papers 2026")
    assert (nightly, mine) == ("by the token “backup”", "")
    assert hostile.startswith("from ") and "<img src=x" in hostile and "\u202e" not in hostile
    assert shelf(page).first.locator(".origin bdi").all_text_contents() == ["Ana", "Tax papers 2026"]
    expect(page.locator("#documents-list img")).to_have_count(0)
    expect_mirrored(page, "origins")
    page.evaluate("document.documentElement.dir = 'ltr'")
    check(page)
    search(page, "ana")
    expect(names(page)).to_have_text(["payslip.txt"])


def test_in_german(
    browser: Browser,
    browser_context_args: dict,
    origin: str,
    person: Account,
) -> None:
    """The same sentences, and the line of the selection in its narrowest."""
    stock(person)
    with reader(browser, browser_context_args, origin, "de-DE") as (page, _):
        opened(page, person, 5)
        assert origins(page)[0] == "von Ana, für Tax papers 2026"
        assert origins(page)[3] == "über das Token „backup“"
        page.locator("#search").fill("a")
        expect(page.locator("#documents-total")).to_have_text("2 Dateien gefunden · 10 Byte")
        page.locator("#select-all").check()
        expect(page.locator("#selection-text")).to_have_text("2 ausgewählt · 10 Byte")
        expect_mirrored(page, "selection-de")

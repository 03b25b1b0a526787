"""What the tests of the account page share: the page, its parts, and somebody who is signed in elsewhere."""

import json

from playwright.sync_api import Locator, Page, expect

from tests.web.steps import Account
from tests.web.test_pages import go

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:152.0) Gecko/20100101 Firefox/152.0"


def open_account(page: Page) -> None:
    """Go to the account page, and wait until all of it has loaded."""
    go(page, "Account")
    expect_loaded(page)


def expect_loaded(page: Page) -> None:
    for name in ("Storage", "Where you are signed in", "API tokens"):
        expect(part(page, name).locator(".content")).to_be_visible()


def part(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def login(person: Account, user_agent: str = FIREFOX, password: str = "") -> dict[str, str]:
    """Sign in with another program; return the headers of its requests."""
    body = json.dumps({"email": person.email, "password": password or person.password}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": user_agent}
    status, _, answer = person.site.request("POST", "/api/auth/login", body, headers)
    assert status == 200, answer
    return {"Authorization": f"Bearer {json.loads(answer)['accessToken']}"}


def status_of(person: Account, headers: dict[str, str]) -> int:
    """Return what the list of documents answers to these headers."""
    return person.site.request("GET", "/api/documents", headers=headers)[0]

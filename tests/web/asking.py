"""What the tests of "Ask for files" share: the page, its rows, and requests that were made elsewhere."""

import json
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.bodies import PDF
from tests.web.steps import Account
from tests.web.test_pages import go

REQUESTS = "**/api/requests"


def open_page(page: Page) -> None:
    """Go to the page and wait for its list."""
    go(page, "Ask for files")
    expect(page.locator("#requests-updated")).to_have_text("Updated just now")


def asked(page: Page, title: str = "") -> Locator:
    """Return the rows of the requests, or that of one."""
    rows = page.locator("#requests-list > li")
    return rows.filter(has=page.locator(".title").get_by_text(title, exact=True)) if title else rows


def make(page: Page, title: str) -> Locator:
    """Make a request by the form and return its row."""
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Make a link").click()
    expect(asked(page, title)).to_be_visible()
    return asked(page, title)


def made_elsewhere(person: Account, *titles: str, **wanted: Any) -> list[dict[str, Any]]:
    """Make requests in another session."""
    headers = person.site.login(person.email) | {"Content-Type": "application/json"}
    found = []
    for title in titles:
        body = json.dumps({"title": title} | wanted).encode()
        status, _, answer = person.site.request("POST", "/api/requests", body, headers)
        assert status == 200, answer
        found.append(json.loads(answer))
    return found


def visit(person: Account, url: str) -> tuple[int, dict[str, Any]]:
    """Look at a request as whoever was sent its link."""
    bearer = {"Authorization": f"Bearer {url.partition('#')[2]}"}
    status, _, answer = person.site.request("GET", "/api/request", headers=bearer)
    return status, json.loads(answer)


def send(person: Account, url: str, name: str = "a.pdf") -> None:
    """Send a file as whoever was sent a request's link."""
    headers = {"Authorization": f"Bearer {url.partition('#')[2]}", "Content-Type": "application/pdf"}
    status, _, answer = person.site.request("PUT", f"/api/upload/{name}", PDF, headers)
    assert status == 200, answer

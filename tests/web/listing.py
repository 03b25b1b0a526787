"""What the tests of the list share: files stored by another client, for somebody or for a request, and steps on it."""

import json
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.bodies import part
from tests.web.steps import Account, shelf, sign_in

AT_ONCE = 20  # files in one request


def store(person: Account, **sizes: int) -> None:
    """Store text files by another client, in this order: `store(person, a=10, b=20)` makes a.txt and b.txt."""
    headers, names = person.site.login(person.email), list(sizes)
    for start in range(0, len(names), AT_ONCE):
        parts = [
            part("file", f"{name}.txt", f"{name}\n".encode().ljust(sizes[name], b"."), "text/plain")
            for name in names[start : start + AT_ONCE]
        ]
        assert person.site.upload(headers, *parts)[0] == 200


def ask_for(person: Account, title: str) -> str:
    """Make a file request, and return its secret."""
    headers = person.site.login(person.email) | {"Content-Type": "application/json"}
    answer = person.site.request("POST", "/api/requests", json.dumps({"title": title}).encode(), headers)
    assert answer[0] == 200, answer
    return str(json.loads(answer[2])["url"]).partition("#")[2]


def send(person: Account, secret: str, filename: str, sender: str = "") -> None:
    """Send a file as a visitor of a request, who may say who he is."""
    fields = [f'--B\r\nContent-Disposition: form-data; name="from"\r\n\r\n{sender}\r\n'] if sender else []
    disposition = f'Content-Disposition: form-data; name="file"; filename="{filename}"'
    body = "".join([*fields, f"--B\r\n{disposition}\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n"])
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "multipart/form-data; boundary=B"}
    answer = person.site.request("POST", "/api/upload", body.encode(), headers)
    assert answer[0] == 200, answer


def opened(page: Page, person: Account, count: int) -> Page:
    """Sign in, and wait for so many documents."""
    page.goto("/")
    sign_in(page, person)
    expect(shelf(page)).to_have_count(count)
    return page


def names(page: Page) -> Locator:
    return shelf(page).locator(".full")


def pick(page: Page, name: str) -> Locator:
    """Return the checkbox of a row."""
    return page.get_by_role("checkbox", name=f"Select {name}", exact=True)


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox", name="Search names and senders").fill(text)


def bar(page: Page) -> Locator:
    return page.get_by_role("group", name="Selection")


def delete_selected(page: Page) -> None:
    page.get_by_role("button", name="Delete selected files").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()


def ids(person: Account) -> dict[str, Any]:
    """Return the ids of somebody's documents by their names."""
    return {document["filename"]: document["public_id"] for document in person.documents}

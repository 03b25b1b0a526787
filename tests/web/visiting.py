"""What the tests of the visitors' page share: requests for files, and how one visits them."""

import json
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, expect

from tests.web.steps import Account, patience

NOTE = "Dear Ana,\n\nplease send me\n- rent: https://example.org/rent\n- <b>insurance</b>"


@dataclass
class Asked:
    """A request for files that `owner` has made; `link` is the address to visit on the same server."""

    owner: Account
    headers: dict[str, str]
    id: str
    link: str

    @property
    def secret(self) -> str:
        """What stands behind the `#`."""
        return self.link.partition("#")[2]

    @property
    def received(self) -> list[tuple[str, str | None]]:
        """Name and sender of each file that has come, in their order."""
        return [(document["filename"], document["sender"]) for document in self.owner.documents]

    def end(self) -> None:
        status, _, answer = self.owner.site.request("DELETE", f"/api/requests/{self.id}", headers=self.headers)
        assert status == 200, answer


def ask(owner: Account, title: str = "Tax papers 2026", **wanted: Any) -> Asked:
    """Make a request for files."""
    headers = owner.site.login(owner.email, owner.password)
    body = json.dumps({"title": title} | wanted).encode()
    status, _, answer = owner.site.request(
        "POST", "/api/requests", body, headers | {"Content-Type": "application/json"}
    )
    assert status == 200, answer
    made = json.loads(answer)
    fragment = made["url"].partition("/request")[2]
    return Asked(owner, headers, made["id"], f"/request{fragment}")


def visit(page: Page, asked: Asked) -> Page:
    """Open the link and wait until files can be chosen."""
    page.goto("about:blank")  # else an address that differs in its fragment alone is not loaded anew
    page.goto(asked.link)
    expect(page.locator("#choose")).to_be_visible()
    patience(page, speakClear=600_000)
    return page

"""Steps that several of the browser tests take: files to upload, expected states, a server that pauses."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, Response, expect

from tests.support.bodies import PDF
from tests.support.engines import Live
from tests.web.conftest import row, rows

UPLOAD = "**/api/upload"
REFUSED = "Failed to load resource: the server responded with a status of"
UNREACHED = "net::ERR_"


def tell(page: Page, **timing: Any) -> None:
    """Change how patient the client is."""
    page.evaluate("async (timing) => Object.assign((await import('/js/config.js')).TIMING, timing)", timing)


def pdf(name: str, size: int = 0) -> dict[str, Any]:
    """Return a file to choose, padded to `size`."""
    content = PDF + f"%{name}\n".encode()
    return {"name": name, "mimeType": "application/pdf", "buffer": content + b" " * (size - len(content))}


def pdfs(count: int, size: int = 0, prefix: str = "f") -> list[dict[str, Any]]:
    return [pdf(f"{prefix}{number:02}.pdf", size) for number in range(count)]


def expect_status(page: Page, name: str, status: str, timeout: float = 15_000) -> None:
    expect(row(page, name)).to_have_attribute("data-status", status, timeout=timeout)


def expect_all(page: Page, status: str, count: int, timeout: float = 30_000) -> None:
    expect(rows(page, status)).to_have_count(count, timeout=timeout)


def shelf(page: Page) -> Locator:
    """Return the rows of the document list."""
    return page.locator("#documents-list > li")


def expire(context: BrowserContext, *, session: bool = False) -> None:
    """End the access token, and with `session` the refresh token too."""
    context.clear_cookies(name="token")
    if session:
        context.clear_cookies(name="refresh_token")


def csrf_cookie(context: BrowserContext) -> str:
    return next(cookie["value"] for cookie in context.cookies() if cookie["name"] == "csrf_token")


def answers(context: BrowserContext, path: str) -> list[int]:
    """Return a list that grows by the status of every answer from `path`."""
    found: list[int] = []

    def note(response: Response) -> None:
        if response.url.partition("?")[0].endswith(path):
            found.append(response.status)

    context.on("response", note)
    return found


@contextmanager
def halted(live: Live) -> Iterator[None]:
    """Let the server answer nothing meanwhile; the system still takes in what fits its buffers."""
    os.kill(live.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(live.process.pid, signal.SIGCONT)

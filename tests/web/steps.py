"""What the browser tests share: people, pages and their rows, files to upload, states, a server that pauses."""

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from playwright.sync_api import BrowserContext, CDPSession, ConsoleMessage, Locator, Page, Response, Route, expect

from tests.support.bodies import PDF
from tests.support.engines import Live
from tests.support.people import PASSWORD

UPLOAD = "**/api/upload"
REFUSED = "Failed to load resource: the server responded with a status of"
UNREACHED = "net::ERR_"
REPORT_CSP = """addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error(`CSP: ${violatedDirective} ${blockedURI}`));"""

# Uploads in flight, as the page itself sees them: `now`, the `most` at once, the `keys` in the order of their start,
# and for each part its name and type. Playwright tells the end of a request too late to count by.
COUNT_UPLOADS = """() => {
    window.uploads = { now: 0, most: 0, keys: [], parts: [] };
    const { send, setRequestHeader } = XMLHttpRequest.prototype;
    const { append } = FormData.prototype;
    XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
        if (name === 'Idempotency-Key') uploads.keys.push(value);
        return setRequestHeader.call(this, name, value);
    };
    XMLHttpRequest.prototype.send = function (body) {
        this.addEventListener('readystatechange', () => { if (this.readyState === 4) uploads.now -= 1; });
        uploads.now += 1;
        uploads.most = Math.max(uploads.most, uploads.now);
        return send.call(this, body);
    };
    FormData.prototype.append = function (...given) {
        const [, file, name] = given;
        if (file instanceof Blob) uploads.parts.push([name, file.type]);
        return append.apply(this, given);
    };
}"""
SESSIONS: WeakKeyDictionary[Page, CDPSession] = WeakKeyDictionary()


@dataclass
class Account:
    """Somebody's account on `site`, and a look at what the server has stored for it."""

    site: Live
    email: str
    password: str = PASSWORD

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The stored documents, oldest first, read from the database itself."""
        query = "SELECT d.* FROM documents d JOIN users u ON u.id = d.user_id WHERE u.email = ? ORDER BY d.id"
        with closing(sqlite3.connect(self.site.instance / "app.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, (self.email,))]

    @property
    def names(self) -> list[str]:
        return [document["filename"] for document in self.documents]


@dataclass
class Watch:
    """What went wrong in a context's pages, and every request they made; `api` is the service's origin, if another."""

    origin: str
    api: str = ""
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # "POST /api/upload"
    allowed: list[str] = field(default_factory=list)

    def heed(self, context: BrowserContext) -> None:
        context.add_init_script(REPORT_CSP)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.note(f"thrown: {error.error}"))
        context.on("request", lambda request: self._request(request.method, request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.note(f"{message.text} ({message.location['url']})")

    def note(self, problem: str) -> None:
        self.problems.append(problem)

    def _request(self, method: str, url: str) -> None:
        api = self.api or self.origin
        self.requests.append(f"{method} {url.removeprefix(self.origin).removeprefix(api)}")
        if not url.startswith((self.origin + "/", api + "/", "blob:", "data:", "about:", "chrome:")):
            self.note(f"off origin: {url}")

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.problems if not any(re.search(pattern, text) for pattern in self.allowed)]


def sign_in(page: Page, person: Account) -> None:
    """Sign in through the form that is shown."""
    page.locator("#email").fill(person.email)
    page.locator("#password").fill(person.password)
    page.locator("#sign-in [type=submit]").click()


def rows(page: Page, status: str = "") -> Locator:
    """Return the queue's rows, folded ones too, or those of one status."""
    return page.locator("#queue .rows > li" + (f"[data-status={status}]" if status else ""))


def row(page: Page, name: str) -> Locator:
    """Return the queue's row of this whole name."""
    return rows(page).filter(has=page.locator(".full").get_by_text(name, exact=True))


def choose(page: Page, *files: Any) -> None:
    """Choose files, once the button for it is there: paths, or dicts of name, mimeType and buffer."""
    expect(page.locator("#choose")).to_be_visible()
    page.locator("#files").set_input_files(list(files))


def cdp(page: Page) -> CDPSession:
    """Return the page's one CDP session: what one throttles another cannot let go."""
    if page not in SESSIONS:
        SESSIONS[page] = page.context.new_cdp_session(page)
    return SESSIONS[page]


class Drag:
    """A real drag of files from the desktop, step by step."""

    def __init__(self, page: Page, *paths: Path, items: list[dict[str, str]] | None = None) -> None:
        self.session = cdp(page)
        self.data = {"items": items or [], "files": [str(path) for path in paths], "dragOperationsMask": 1}

    def step(self, kind: str, x: float, y: float) -> None:
        self.session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": self.data})

    def enter(self, x: float, y: float) -> None:
        self.step("dragEnter", x, y)

    def over(self, x: float, y: float) -> None:
        self.step("dragOver", x, y)

    def drop(self, x: float, y: float) -> None:
        self.step("drop", x, y)


def middle(element: Locator) -> tuple[float, float]:
    """Return the middle of an element in the window."""
    box = element.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drop(page: Page, *paths: Path, at: tuple[float, float] | None = None) -> None:
    """Drop files and folders from the desktop, on the zone unless told otherwise: a trusted event."""
    drag, (x, y) = Drag(page, *paths), at or middle(page.locator("#zone"))
    drag.enter(x, y)
    drag.over(x, y)
    drag.drop(x, y)


def throttle(page: Page, bytes_per_second: int) -> CDPSession:
    """Slow the page's uploads down; 0 lets them run again. Do not mix with `set_offline`."""
    session = cdp(page)
    session.send("Network.enable")
    rate = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second or -1}
    session.send("Network.emulateNetworkConditions", rate)
    return session


def hold(page: Page, pattern: str) -> list[Route]:
    """Let requests wait, and return the list in which they come; `continue_` lets one go on."""
    held: list[Route] = []

    def wait(route: Route) -> None:
        held.append(route)

    page.route(pattern, wait)
    return held


def patience(page: Page, **milliseconds: Any) -> None:
    """Shorten some of the client's waits: `patience(page, retries=[], settle=100)`."""
    page.evaluate("async (times) => Object.assign((await import('/js/config.js')).TIMING, times)", milliseconds)


def count_at_server(person: Account) -> int:
    """Return how many documents the server has stored for somebody."""
    return len(person.documents)


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in family(int(child)))]


@contextmanager
def frozen(site: Live) -> Iterator[None]:
    """Let the server stand still: what is sent to it arrives in the kernel's buffers, and no answer comes."""
    processes = family(site.process.pid)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


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


def lose(route: Route) -> None:
    """Let a request arrive, and lose its answer: `page.route(UPLOAD, lose)`."""
    route.fetch()
    route.abort()

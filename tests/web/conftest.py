"""Fixtures for the client: a real browser, a real `serve` process, a fresh account for each test.

A test that uses `signed_in` (or `page`) fails when the console shows an error, the CSP is violated, a script throws
or a request leaves the origin; `allow(pattern)` lets through what a test provokes on purpose.
"""

import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, BrowserType, CDPSession, Locator, Page, expect

from tests.support.bodies import PDF
from tests.support.engines import BASE, Live, installed, start_live
from tests.support.people import PASSWORD, add_user
from uploadsvc import create_app
from uploadsvc.extensions import db

QUIET = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
NO_BROWSER = "The tests of the client need Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM."
REPORT_CSP = """addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error(`CSP: ${violatedDirective} ${blockedURI}`));"""
expect.set_options(timeout=10_000)


def find_chromium(own: str) -> str:
    """Return the path of a Chromium: $CHROMIUM, the PATH's, Playwright's `own`, or one just installed; else ''."""
    for candidate in (os.environ.get("CHROMIUM"), "chromium", own):
        if candidate and (found := shutil.which(candidate)):
            return found
    return installed("chromium")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], browser_type: BrowserType) -> dict[str, Any]:
    """Say which browser is started and how; without one, stop everything with one line."""
    path = find_chromium(browser_type.executable_path)
    if not path:
        pytest.exit(NO_BROWSER, returncode=1)
    # Playwright adds --no-sandbox itself unless told not to; Chromium needs that only as root.
    how = {"executable_path": path, "chromium_sandbox": os.geteuid() != 0, "args": list(QUIET)}
    return browser_type_launch_args | how


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One real server for a module's tests (it allows 60 sign-ins in 15 minutes)."""
    running = start_live(tmp_path_factory.mktemp("site"))
    yield running
    running.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def accounts(site: Live) -> Iterator[Flask]:
    """An application on the site's database: adding an account by a command takes a second each."""
    app = create_app(BASE | {"INSTANCE_PATH": str(site.instance)})
    yield app
    with app.app_context():
        db.engine.dispose()


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


@pytest.fixture
def new_person(site: Live, accounts: Flask) -> Callable[[], Account]:
    """Make accounts."""

    def make() -> Account:
        email = f"{uuid4().hex[:12]}@example.com"
        add_user(accounts, email)
        return Account(site, email)

    return make


@pytest.fixture
def person(new_person: Callable[[], Account]) -> Account:
    """Somebody with a fresh account."""
    return new_person()


@pytest.fixture(scope="module")
def origin(site: Live) -> str:
    return f"http://127.0.0.1:{site.port}"


@pytest.fixture(scope="session")
def base_url() -> None:
    """Replace the plugin's: a fixture that is a method, of which pytest 9 warns."""


@pytest.fixture(scope="module")
def browser_context_args(browser_context_args: dict[str, Any], origin: str) -> dict[str, Any]:
    """Let `page.goto("/")` mean the site's page."""
    return browser_context_args | {"base_url": origin}


@dataclass
class Watch:
    """What went wrong in a context's pages, and every request they made."""

    origin: str
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # "POST /api/upload"
    allowed: list[str] = field(default_factory=list)

    def heed(self, context: BrowserContext) -> None:
        context.add_init_script(REPORT_CSP)
        context.on("console", lambda message: message.type == "error" and self.note(message.text))
        context.on("weberror", lambda error: self.note(f"thrown: {error.error}"))
        context.on("request", lambda request: self._request(request.method, request.url))

    def note(self, problem: str) -> None:
        self.problems.append(problem)

    def _request(self, method: str, url: str) -> None:
        self.requests.append(f"{method} {url.removeprefix(self.origin)}")
        if not url.startswith((self.origin + "/", "blob:", "data:", "about:", "chrome:")):
            self.note(f"off origin: {url}")

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.problems if not any(re.search(pattern, text) for pattern in self.allowed)]


@pytest.fixture
def watch(context: BrowserContext, origin: str) -> Iterator[Watch]:
    """Watch all pages of the test's context, and fail the test when anything went wrong that it did not `allow`."""
    watching = Watch(origin)
    watching.heed(context)
    yield watching
    assert watching.unexpected == []


@pytest.fixture
def allow(watch: Watch) -> Callable[..., None]:
    """Let through the problems that match: `allow("status of 413")`."""
    return lambda *patterns: watch.allowed.extend(patterns)


def sign_in(page: Page, person: Account) -> None:
    """Sign in through the form that is shown."""
    page.locator("#email").fill(person.email)
    page.locator("#password").fill(person.password)
    page.locator("#sign-in [type=submit]").click()


@pytest.fixture
def signed_in(page: Page, person: Account, watch: Watch) -> Page:
    """A page on which `person` has signed in through the form; `person`, `watch` and `allow` go with it."""
    page.goto("/")
    sign_in(page, person)
    expect(page.locator("#documents-empty")).to_be_visible()
    expect(page.locator("#hint")).not_to_be_empty()
    return page


@pytest.fixture
def disk(tmp_path: Path) -> Callable[..., Path]:
    """Write files to choose or drop: `disk("a.pdf")`, `disk("b.txt", b"hello")`, `disk("c.pdf", size=100_000)`."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def write(name: str, content: bytes | None = None, size: int | None = None) -> Path:
        content = (b"hello\n" if name.lower().endswith(".txt") else PDF) if content is None else content
        path = folder / name
        path.write_bytes(content if size is None else content[:size].ljust(size, b"\n"))
        return path

    return write


def rows(page: Page, status: str = "") -> Locator:
    """Return the queue's rows, or those of one status."""
    return page.locator("#queue-list > li" + (f"[data-status={status}]" if status else ""))


def row(page: Page, name: str) -> Locator:
    """Return the queue's row of this whole name."""
    return rows(page).filter(has=page.locator(".full").get_by_text(name, exact=True))


def choose(page: Page, *files: Any) -> None:
    """Choose files: paths, or dicts of name, mimeType and buffer."""
    page.locator("#files").set_input_files(list(files))


SESSIONS: WeakKeyDictionary[Page, CDPSession] = WeakKeyDictionary()


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


def count_at_server(person: Account) -> int:
    """Return how many documents the server has stored for somebody."""
    return len(person.documents)


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
    FormData.prototype.append = function (field, file, name) {
        uploads.parts.push([name, file.type]);
        return append.call(this, field, file, name);
    };
}"""


def patience(page: Page, **milliseconds: Any) -> None:
    """Shorten some of the client's waits: `patience(page, retries=[], settle=100)`."""
    page.evaluate("async (times) => Object.assign((await import('/js/config.js')).TIMING, times)", milliseconds)


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

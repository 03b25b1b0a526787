"""Fixtures for the client: a real browser, a real `serve` process, a fresh account for each test.

A test that uses `signed_in` (or `page`) fails when the console shows an error, the CSP is violated, a script throws
or a request leaves the origin; `allow(pattern)` lets through what a test provokes on purpose.
"""

import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, BrowserType, Page, expect

from tests.support.bodies import PDF
from tests.support.engines import BASE, Live, installed, start_live
from tests.support.people import add_user
from tests.web.steps import Account, Watch, patience, sign_in
from uploadsvc import create_app
from uploadsvc.extensions import db

QUIET = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP *.example.org 127.0.0.1",  # two hosts of one site, which names in localhost are not
)
NO_BROWSER = "The tests of the client need Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM."
expect.set_options(timeout=10_000)


def find_chromium(own: str) -> str:
    """Return the path of a Chromium: $CHROMIUM, the one without windows, the PATH's, or Playwright's `own`; else ''.

    The one without windows needs half the processor's time for a page. It is installed first where we may.
    """
    if given := shutil.which(os.environ.get("CHROMIUM", "")):
        return given
    if shell := installed("chromium-headless-shell"):
        return shell
    for candidate in ("chromium", own):
        if found := shutil.which(candidate):
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell in one line why a browser's tests are skipped: pytest folds those that name one place."""
    report = yield
    if report.when == "setup" and report.skipped and isinstance(report.longrepr, tuple):
        path, _line, reason = report.longrepr
        report.longrepr = (path, 1, reason)
    return report


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


@pytest.fixture(scope="module")
def api() -> str:
    """The service's origin, where the page has another."""
    return ""


@pytest.fixture(scope="session")
def base_url() -> None:
    """Replace the plugin's: a fixture that is a method, of which pytest 9 warns."""


@pytest.fixture(scope="module")
def browser_context_args(browser_context_args: dict[str, Any], origin: str) -> dict[str, Any]:
    """Let `page.goto("/")` mean the site's page."""
    return browser_context_args | {"base_url": origin, "locale": "en-GB"}


@pytest.fixture
def watch(context: BrowserContext, origin: str, api: str) -> Iterator[Watch]:
    """Watch all pages of the test's context, and fail the test when anything went wrong that it did not `allow`."""
    watching = Watch(origin, api)
    watching.heed(context)
    yield watching
    assert watching.unexpected == []


@pytest.fixture
def allow(watch: Watch) -> Callable[..., None]:
    """Let through the problems that match: `allow("status of 413")`."""
    return lambda *patterns: watch.allowed.extend(patterns)


@pytest.fixture
def signed_in(page: Page, person: Account, watch: Watch) -> Page:
    """A page on which `person` has signed in through the form; `person`, `watch` and `allow` go with it."""
    page.goto("/")
    sign_in(page, person)
    expect(page.locator("#documents-empty")).to_be_visible()
    expect(page.locator("#hint")).not_to_be_empty()
    patience(page, fold=600_000)  # rows stay where a test looks for them
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

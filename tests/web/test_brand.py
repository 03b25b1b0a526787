"""Issue 10, `INSTANCE_NAME`: the host's own name in the header and in the title, at once on a second visit."""

import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.engines import Live, start_live
from tests.web.steps import Account, hold, sign_in

NAME = "Kanzlei Müller & Söhne <Graz>, Steuern, Erbrecht und Wohnbau"  # 60 letters, the most that it may have
NO_STORAGE = (
    "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('', 'SecurityError'); } });"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that has a name."""
    running = start_live(tmp_path_factory.mktemp("site"), INSTANCE_NAME=NAME)
    yield running
    running.stop(signal.SIGTERM)


def test_in_the_header_and_in_the_title(page: Page, person: Account) -> None:
    """Before and after the sign-in; the letters that HTML reads otherwise are letters."""
    page.goto("/")
    expect(page.locator("#brand")).to_have_text(NAME)
    expect(page).to_have_title(f"Sign in – {NAME}")
    sign_in(page, person)
    expect(page).to_have_title(NAME)


def test_remembered(page: Page) -> None:
    """The next visit shows it before the server has told it."""
    page.goto("/")
    expect(page.locator("#brand")).to_have_text(NAME)
    held = hold(page, "**/api/limits")
    page.reload()
    expect(page.locator("#sign-in-view")).to_be_visible()
    expect(page.locator("#brand")).to_have_text(NAME)
    expect(page).to_have_title(re.compile(re.escape(NAME)))
    assert len(held) == 1
    held[0].continue_()


def test_in_a_browser_that_remembers_nothing(page: Page) -> None:
    """It comes with the limits."""
    page.add_init_script(NO_STORAGE)
    for _visit in range(2):
        page.goto("/")
        expect(page.locator("#brand")).to_have_text(NAME)


def test_fits_the_narrowest_screen(page: Page, person: Account) -> None:
    """At 320 px nothing scrolls sideways; the end of the name is cut, and the way out is where it was."""
    assert len(NAME) == 60
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/")
    expect(page.locator("#brand")).to_have_text(NAME)
    assert page.evaluate("document.scrollingElement.scrollWidth <= 320")
    sign_in(page, person)
    expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.scrollingElement.scrollWidth <= 320")
    brand, account = page.locator("#brand").bounding_box(), page.locator("#signed-in").bounding_box()
    assert brand and account and brand["x"] + brand["width"] <= account["x"]
    assert page.locator("#brand").evaluate("(name) => name.scrollWidth > name.clientWidth")
    assert page.locator("header").evaluate("(header) => header.offsetHeight") <= 58 + 44  # and the line of the pages

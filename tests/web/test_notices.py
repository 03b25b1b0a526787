"""Notices that are seen, what "Try now" and a throttled sign-in tell, and a focus that shows (issue 10)."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.support.bodies import FILES
from tests.web.steps import REFUSED, UNREACHED, Account, Watch, choose, expect_all, patience, pdf, shelf, sign_in
from tests.web.test_accessibility import check

Allow = Callable[..., None]
SHOW = (
    "async (texts) => { const { notice } = await import('/js/ui/notices.js'); for (const text of texts) notice(text); }"
)


def notices(page: Page) -> Locator:
    return page.locator("#notices .notice")


def delete(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"Delete {name}").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()


def test_what_was_only_spoken_also_shows(signed_in: Page, person: Account, allow: Allow) -> None:
    """A file that is in the list already, a deleted document, a sign-out that failed; a click takes them away."""
    allow(REFUSED, UNREACHED)
    signed_in.route("**/api/upload", lambda route: None)
    patience(signed_in, notice=60_000)
    same = FILES / "ascii.txt"
    choose(signed_in, same)
    expect_all(signed_in, "UPLOADING", 1)
    choose(signed_in, same)
    expect(notices(signed_in)).to_have_text("ascii.txt is already in the list")
    signed_in.unroute("**/api/upload")
    choose(signed_in, pdf("gone.pdf"))
    expect(shelf(signed_in)).to_have_count(2)
    delete(signed_in, "gone.pdf")
    expect(notices(signed_in).last).to_have_text("gone.pdf deleted")
    signed_in.route("**/api/auth/logout", lambda route: route.abort("connectionreset"))
    signed_in.get_by_role("button", name="Sign out").click()
    expect(notices(signed_in).last).to_have_text("You are still signed in: signing out failed. Try again.")
    check(signed_in)
    notices(signed_in).last.click()
    expect(notices(signed_in)).to_have_count(2)
    expect(signed_in.locator("#notices")).to_have_attribute("aria-hidden", "true")


def test_a_download_that_does_not_start_shows(signed_in: Page, allow: Allow) -> None:
    allow(UNREACHED)
    choose(signed_in, pdf("a.pdf"))
    signed_in.route("**/content", lambda route: route.abort("connectionreset"))
    signed_in.get_by_role("link", name="Download a.pdf").click()
    expect(notices(signed_in)).to_have_text("The download could not be started.")


def test_notices_go_when_they_were_there_to_read(signed_in: Page) -> None:
    """Three at most, the same one once; none goes while the pointer rests on one, for they would move."""
    assert signed_in.evaluate("async () => (await import('/js/config.js')).TIMING.notice") == 6_000
    signed_in.evaluate(SHOW, ["one", "two", "two", "three", "four"])
    expect(notices(signed_in)).to_have_text(["two", "three", "four"])
    notices(signed_in).get_by_text("three").hover()
    patience(signed_in, notice=100)
    signed_in.evaluate(SHOW, ["five"])
    # five times as long as they would show: that none goes cannot be waited for
    signed_in.evaluate("new Promise((wake) => setTimeout(wake, 500))")
    expect(notices(signed_in)).to_have_text(["three", "four", "five"])
    signed_in.mouse.move(0, 0)
    expect(notices(signed_in)).to_have_count(0)


def test_notices_do_not_cover_the_focus(signed_in: Page) -> None:
    """What has the focus at the end of the page is scrolled out from under them."""
    signed_in.set_viewport_size({"width": 390, "height": 500})
    choose(signed_in, *[pdf(f"f{number}.pdf") for number in range(4)])
    expect(shelf(signed_in)).to_have_count(4)
    patience(signed_in, notice=60_000)
    signed_in.evaluate(SHOW, ["one", "two", "three"])
    for step in range(4):
        last = signed_in.locator(".delete").nth(step)
        last.focus()
        box, over = last.bounding_box(), signed_in.locator("#notices").bounding_box()
        assert box and over and box["y"] + box["height"] <= over["y"] + 1


def test_try_now_tells_that_it_runs_and_what_came_of_it(signed_in: Page, allow: Allow) -> None:
    """The button is busy while the server is asked; then a notice says what came of it."""
    allow(UNREACHED)
    patience(signed_in, probes=[600_000], speakClear=60_000)
    probe, button = "**/api/auth/verify-status", signed_in.locator("#banner-action")
    held: list[Route] = []
    signed_in.route(probe, lambda route: route.abort("connectionreset"))
    signed_in.evaluate("dispatchEvent(new Event('offline'))")
    expect(button).to_have_text("Try now")
    signed_in.unroute(probe)
    signed_in.route(probe, lambda route: held.append(route))  # noqa: PLW0108
    with signed_in.expect_request(probe):
        button.click()
    expect(button).to_have_text("Trying…")
    expect(button).to_have_attribute("aria-busy", "true")
    held.pop().abort("connectionreset")
    expect(notices(signed_in)).to_have_text("Still no connection.")
    expect(signed_in.locator("#announcer-alert")).to_contain_text("Still no connection.")
    expect(button).to_have_text("Try now")
    check(signed_in)
    signed_in.unroute(probe)
    button.click()
    expect(signed_in.locator("#banner")).to_be_hidden()
    expect(notices(signed_in).last).to_have_text("The connection is back.")
    expect(signed_in.locator("#choose")).to_be_focused()


def test_a_throttled_sign_in_tells_how_long(page: Page, person: Account, watch: Watch) -> None:
    """429, with the time of `Retry-After`; and a sentence without a number where none is told."""
    watch.allowed.append(f"{REFUSED} 4")
    page.goto("/")
    wrong = """async (email) => {
        const { request } = await import('/js/http.js');
        const json = { email, password: 'wrong' };
        for (let at = 0; at < 10; at += 1) await request('/api/auth/login', { method: 'POST', json }).catch(() => {});
    }"""
    page.evaluate(wrong, person.email)
    sign_in(page, person)
    expect(page.locator("#sign-in-error")).to_have_text(re.compile(r"^Too many attempts\. Try again in 1\d minutes\.$"))
    body = {"ok": False, "error": "too_many_requests", "message": "Wait."}
    page.route("**/api/auth/login", lambda route: route.fulfill(status=429, json=body))
    sign_in(page, person)
    expect(page.locator("#sign-in-error")).to_have_text("Too many attempts. Try again later.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_focus_shows_wherever_it_is_put(page: Page, person: Account, watch: Watch, scheme: str) -> None:
    """The e-mail field has it at the start, the heading after signing in; both are outlined, as is a section's head."""
    page.emulate_media(color_scheme=scheme)
    outlined = re.compile(r"^(?!none)")
    page.goto("/")
    expect(page.locator("#email")).to_be_focused()
    expect(page.locator("#email")).to_have_css("outline-style", outlined)
    sign_in(page, person)
    expect(page.locator("#upload-h")).to_be_focused()
    expect(page.locator("#upload-h")).to_have_css("outline-style", outlined)
    page.locator("#documents-h").focus()
    expect(page.locator("#documents-h")).to_have_css("outline-style", outlined)
    assert page.locator("#documents-h").evaluate("(head) => getComputedStyle(head).outlineWidth") == "3px"

"""What axe finds in the states that a look at the main ones does not show: questions, waits, warnings and notices."""

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.web.leaving import expect_kept, leave
from tests.web.steps import REFUSED, UNREACHED, UPLOAD, choose, expect_all, patience, pdf, pdfs, row
from tests.web.test_accessibility import check

Allow = Callable[..., None]


def wait(route: Route) -> None:
    """Let a request go unanswered."""


def test_axe_cancel_all_and_sign_out(signed_in: Page) -> None:
    """The two questions that a running queue asks."""
    signed_in.route(UPLOAD, wait)
    choose(signed_in, *pdfs(5))
    expect_all(signed_in, "UPLOADING", 3)
    signed_in.get_by_role("button", name="Cancel all").click()
    expect(signed_in.get_by_role("dialog", name="Stop uploading 5 files?")).to_be_visible()
    check(signed_in)
    signed_in.keyboard.press("Escape")
    signed_in.get_by_role("button", name="Sign out").click()
    expect(signed_in.get_by_role("dialog", name="Sign out?")).to_be_visible()
    check(signed_in)
    signed_in.keyboard.press("Escape")
    signed_in.unroute(UPLOAD)


def test_axe_discard(signed_in: Page) -> None:
    """The offer of an earlier page's files, and the question before it is discarded."""
    signed_in.route(UPLOAD, wait)
    choose(signed_in, *pdfs(4))
    expect_kept(signed_in, 4)
    leave(signed_in, signed_in.reload)
    expect(signed_in.get_by_role("button", name="Resume 4 files")).to_be_visible()
    check(signed_in)
    signed_in.get_by_role("button", name="Discard").click()
    expect(signed_in.get_by_role("dialog", name="Discard 4 files?")).to_be_visible()
    check(signed_in)


def test_axe_unkept(signed_in: Page) -> None:
    """The line that says that this browser keeps nothing."""
    signed_in.evaluate("""() => { IDBObjectStore.prototype.put = () => {
        throw new DOMException('', 'QuotaExceededError'); }; }""")
    signed_in.route(UPLOAD, wait)
    choose(signed_in, pdf("a.pdf"))
    expect(signed_in.locator("#unkept")).to_be_visible()
    check(signed_in)
    signed_in.get_by_role("button", name="Cancel upload of a.pdf").click()


def test_axe_trying_again(signed_in: Page, allow: Allow) -> None:
    """A row that counts the seconds."""
    allow(REFUSED)
    patience(signed_in, retries=[600_000])
    body = {"ok": False, "error": "made_up", "message": "Told by the server."}
    signed_in.route(UPLOAD, lambda route: route.fulfill(status=500, json=body))
    choose(signed_in, pdf("a.pdf"))
    expect(row(signed_in, "a.pdf")).to_contain_text("Trying again in")
    check(signed_in)
    signed_in.get_by_role("button", name="Cancel upload of a.pdf").click()


def test_axe_trying_the_connection(signed_in: Page, allow: Allow) -> None:
    """The banner's button while it asks the server."""
    allow(UNREACHED)
    patience(signed_in, probes=[600_000], probe=600_000)
    probe = "**/api/auth/verify-status"
    signed_in.route(probe, lambda route: route.abort("connectionreset"))
    signed_in.evaluate("dispatchEvent(new Event('offline'))")
    expect(signed_in.locator("#banner-action")).to_have_text("Try now")
    signed_in.unroute(probe)
    signed_in.route(probe, wait)
    signed_in.locator("#banner-action").click()
    expect(signed_in.locator("#banner-action")).to_have_text("Trying…")
    check(signed_in)

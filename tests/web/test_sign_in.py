"""The sign-in form, on its page and in the dialog, and what becomes of the queue at a sign-out."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.leaving import expect_kept, leave, offer, start_slowly
from tests.web.steps import REFUSED, UNREACHED, Account, Watch, choose, expect_all, expire, patience, pdf, rows, sign_in

Allow = Callable[..., None]
LOGOUT = "**/api/auth/logout"


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("dialog", name="Sign out?").get_by_role("button", name="Sign out").click()


def test_a_sign_out_that_fails_loses_nothing(
    signed_in: Page, person: Account, disk: Callable[..., Path], allow: Allow
) -> None:
    """Nobody answers, or the server has a problem: all files stay on their way, and are offered after a reload."""
    allow(UNREACHED, f"{REFUSED} 500")
    start_slowly(signed_in, disk, 6)
    for problem in ("none", "500"):
        signed_in.unroute(LOGOUT)
        if problem == "none":
            signed_in.route(LOGOUT, lambda route: route.abort("connectionreset"))
        else:
            signed_in.route(LOGOUT, lambda route: route.fulfill(status=500, json={"ok": False}))
        sign_out(signed_in)
        expect(signed_in.locator("#notices")).to_have_text("You are still signed in: signing out failed. Try again.")
        expect_all(signed_in, "UPLOADING", 3)
        expect_all(signed_in, "PENDING", 3)
        expect_kept(signed_in, 6)
        signed_in.locator("#notices .notice").click()
    leave(signed_in, signed_in.reload)
    expect(offer(signed_in)).to_contain_text("6 files were not fully uploaded.")
    assert person.names == []


def test_a_sign_out_leaves_nothing(signed_in: Page, person: Account, disk: Callable[..., Path], allow: Allow) -> None:
    """What is on its way is aborted, nothing arrives later, and the browser keeps no file."""
    allow(f"{REFUSED} 401", UNREACHED)
    broken: list[str] = []
    signed_in.on("requestfailed", lambda request: broken.append(request.url.rpartition("/")[2]))
    start_slowly(signed_in, disk, 6)
    sign_out(signed_in)
    expect(signed_in.get_by_role("heading", name="Sign in", exact=True)).to_be_focused()
    expect(rows(signed_in)).to_have_count(0)
    expect_kept(signed_in, 0)
    assert broken == ["upload"] * 3
    sign_in(signed_in, person)
    expect(signed_in.locator("#documents-empty")).to_be_visible()
    expect(offer(signed_in)).to_be_hidden()
    assert person.names == []


def session_over(page: Page) -> None:
    expire(page.context, session=True)
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("dialog", name="Sign in again")).to_be_visible()


def test_nothing_that_was_typed_is_left(signed_in: Page, person: Account, allow: Allow) -> None:
    """ "Not now" and a sign-out: no password, no name and no old complaint on the sign-in page, nor in the dialog."""
    allow(f"{REFUSED} 401")
    session_over(signed_in)
    sign_in(signed_in, Account(person.site, person.email, "half a secret"))
    expect(signed_in.locator("#sign-in-error")).to_have_text("Wrong e-mail or password.")
    signed_in.get_by_role("button", name="Show password").click()
    signed_in.get_by_role("button", name="Not now").click()
    expect(signed_in.locator("#sign-in-again")).to_be_hidden()
    signed_in.get_by_role("button", name="Refresh").click()
    expect(signed_in.locator("#email")).to_have_value(person.email)
    expect_untouched(signed_in)
    signed_in.locator("#password").fill("another secret")
    signed_in.keyboard.press("Escape")
    signed_in.get_by_role("button", name="Sign out").click()
    expect(signed_in.locator("#sign-in-view")).to_be_visible()
    expect(signed_in.locator("#email")).to_have_value("")
    expect_untouched(signed_in)


def expect_untouched(page: Page) -> None:
    expect(page.locator("#password")).to_have_value("")
    expect(page.locator("#password")).to_have_attribute("type", "password")
    expect(page.locator("#password")).to_have_attribute("aria-invalid", "false")
    expect(page.locator("#show-password")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#sign-in-error")).to_be_empty()


def test_what_was_typed_on_the_page_is_not_in_the_dialog(page: Page, person: Account, watch: Watch) -> None:
    """A password half typed, a sign-in in another tab, and a session that ends: the dialog begins anew."""
    watch.allowed.append(f"{REFUSED} 401")
    page.goto("/")
    page.locator("#email").fill("somebody@example.com")
    page.locator("#password").fill("half a sec")
    other = page.context.new_page()
    other.goto("/")
    sign_in(other, person)
    expect(page.locator("#documents-empty")).to_be_visible()
    session_over(page)
    expect(page.locator("#email")).to_have_value(person.email)
    expect_untouched(page)


def test_what_is_typed_outlives_a_lost_connection(signed_in: Page, allow: Allow) -> None:
    """In the dialog and on the page: the network comes and goes, and the form stays as it is."""
    allow(REFUSED, UNREACHED)
    patience(signed_in, probes=[100])
    session_over(signed_in)
    for place in ("dialog", "page"):
        signed_in.locator("#email").fill("somebody@example.com")
        signed_in.locator("#password").fill("typed")
        for offline in (True, False):
            with signed_in.expect_event("requestfinished" if not offline else "requestfailed"):
                signed_in.context.set_offline(offline)
        expect(signed_in.locator("#email")).to_have_value("somebody@example.com")
        expect(signed_in.locator("#password")).to_have_value("typed")
        if place == "dialog":
            expect(signed_in.locator("#banner-text")).to_contain_text("Your session has ended.")
            signed_in.get_by_role("button", name="Not now").click()
            signed_in.get_by_role("button", name="Sign out").click()
            expect(signed_in.locator("#sign-in-view")).to_be_visible()


def test_not_now_keeps_the_files_waiting(signed_in: Page, person: Account, allow: Allow) -> None:
    """The dialog goes, the banner says what is missing and leads back to it; then the file arrives."""
    allow(f"{REFUSED} 401")
    expire(signed_in.context, session=True)
    choose(signed_in, pdf("a.pdf"))
    signed_in.get_by_role("button", name="Not now").click()
    expect(signed_in.locator("#sign-in-again")).to_be_hidden()
    expect_all(signed_in, "PENDING", 1)
    banner = signed_in.locator("#banner")
    expect(banner).to_contain_text("Your session has ended. Sign in to continue. 1 file is waiting.")
    banner.get_by_role("button", name="Sign in").click()
    expect(signed_in.locator("#password")).to_be_focused()
    sign_in(signed_in, person)
    expect_all(signed_in, "SUCCESS", 1)
    expect(banner).to_be_hidden()
    assert person.names == ["a.pdf"]


def test_an_empty_form_asks_nobody(page: Page, person: Account, watch: Watch) -> None:
    """One sentence, the empty fields are marked, the first of them has the focus, and no request is made."""
    page.goto("/")
    email, password = page.locator("#email"), page.locator("#password")
    button = page.locator("#sign-in [type=submit]")
    button.click()
    expect(page.get_by_role("alert").filter(has_text="Enter your e-mail and your password.")).to_be_visible()
    expect(email).to_be_focused()
    for field in (email, password):
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description("Enter your e-mail and your password.")
    email.fill(person.email)
    button.click()
    expect(password).to_be_focused()
    expect(email).to_have_attribute("aria-invalid", "false")
    expect(password).to_have_attribute("aria-invalid", "true")
    assert "POST /api/auth/login" not in watch.requests


def test_the_password_can_be_shown(page: Page, person: Account, watch: Watch) -> None:
    """A button that says whether it is pressed; after signing in the password is hidden again."""
    page.goto("/")
    show, password = page.get_by_role("button", name="Show password"), page.locator("#password")
    password.fill("secret")
    for pressed, kind in (("false", "password"), ("true", "text"), ("false", "password")):
        expect(show).to_have_attribute("aria-pressed", pressed)
        expect(password).to_have_attribute("type", kind)
        show.click()
        expect(password).to_have_value("secret")
    expect(password).to_have_attribute("type", "text")
    sign_in(page, person)
    expect(page.locator("#documents-empty")).to_be_visible()
    expect(show).to_have_count(0)
    expect(page.locator("#password")).to_have_attribute("type", "password")
    expect(page.locator("#show-password")).to_have_attribute("aria-pressed", "false")


def test_a_long_wait_is_told_in_minutes(page: Page, person: Account, watch: Watch) -> None:
    """From two minutes on; before that the seconds count."""
    watch.allowed.append(f"{REFUSED} 429")
    body = {"ok": False, "error": "too_many_requests", "message": "Wait."}
    page.goto("/")
    for seconds, text in (("1", "1 second"), ("119", "119 seconds"), ("120", "2 minutes"), ("841", "15 minutes")):
        page.unroute("**/api/auth/login")
        page.route("**/api/auth/login", _throttled(body, seconds))
        sign_in(page, person)
        expect(page.locator("#sign-in-error")).to_have_text(f"Too many attempts. Try again in {text}.")


def _throttled(body: dict, seconds: str) -> Callable[..., None]:
    return lambda route: route.fulfill(status=429, json=body, headers={"Retry-After": seconds})

"""Rows C1-C8 of the client's specification: sessions that end, two tabs, another user, a server that dies."""
# ruff: noqa: N802 - a test bears the name of its row

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.support.engines import start_live
from tests.web.steps import (
    REFUSED,
    UNREACHED,
    UPLOAD,
    Account,
    Watch,
    answers,
    choose,
    csrf_cookie,
    expect_all,
    expect_status,
    expire,
    frozen,
    patience,
    pdf,
    pdfs,
    row,
    rows,
    shelf,
    sign_in,
    throttle,
)

Allow = Callable[..., None]
Disk = Callable[..., Path]
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });"


def test_C1_single_flight(signed_in: Page, person: Account, allow: Allow) -> None:
    """Three uploads get 401: one refresh, the same three are sent again once. A second 401 asks to sign in."""
    allow(f"{REFUSED} 401")
    uploads, refreshes = answers(signed_in.context, "/api/upload"), answers(signed_in.context, "/api/auth/refresh")
    expire(signed_in.context)
    with frozen(person.site):
        choose(signed_in, *pdfs(3))
        expect_all(signed_in, "UPLOADING", 3)
    expect_all(signed_in, "SUCCESS", 3)
    assert sorted(uploads) == [200, 200, 200, 401, 401, 401]
    assert refreshes == [200]
    assert sorted(person.names) == ["f00.pdf", "f01.pdf", "f02.pdf"]
    signed_in.route(UPLOAD, lambda route: route.fulfill(status=401, json={"ok": False, "error": "x", "message": "x"}))
    choose(signed_in, pdf("late.pdf"))
    expect(signed_in.locator("#sign-in-again")).to_be_visible()
    expect(row(signed_in, "late.pdf")).to_contain_text("Waiting for sign-in")
    assert uploads[6:] == [401, 401]


def two_tabs(first: Page, person: Account) -> None:
    second = first.context.new_page()
    second.goto("/")
    expect(second.locator("#hint")).not_to_be_empty()
    expect(second.locator("#documents-empty")).to_be_visible()
    expire(first.context)
    with frozen(person.site):
        for page, prefix in ((first, "a"), (second, "b")):
            choose(page, *pdfs(9, prefix=prefix))
            expect_all(page, "UPLOADING", 3)
    for page in (first, second):
        expect_all(page, "SUCCESS", 9)
    assert len(person.names) == len(set(person.names)) == 18


def test_C2_two_tabs(signed_in: Page, person: Account, allow: Allow) -> None:
    """Two tabs of nine files each and an expired token: six 401, one refresh, all 18 stored once."""
    allow(f"{REFUSED} 401")
    uploads, refreshes = answers(signed_in.context, "/api/upload"), answers(signed_in.context, "/api/auth/refresh")
    two_tabs(signed_in, person)
    assert uploads.count(401) == 6
    assert refreshes == [200]


def test_C3_plain_http(page: Page, person: Account, watch: Watch) -> None:
    """The same without Web Locks, as on plain http in a local network: all 18 are stored once."""
    watch.allowed.append(f"{REFUSED} 401")
    page.context.add_init_script(NO_LOCKS)
    page.goto("/")
    assert page.evaluate("navigator.locks === undefined")
    sign_in(page, person)
    expect(page.locator("#hint")).not_to_be_empty()
    two_tabs(page, person)


def session_over(page: Page, count: int) -> None:
    page.evaluate("window.stayed = true")
    expire(page.context, session=True)
    choose(page, *pdfs(count))
    expect(page.locator("#sign-in-again")).to_be_visible()
    expect(page.locator("#again-text")).to_have_text(
        f"Your session has ended. Sign in to continue. {count} files are waiting."
    )
    expect_all(page, "PENDING", count)
    expect(rows(page, "PENDING").first).to_contain_text("Waiting for sign-in")


def test_C4_session_over(signed_in: Page, person: Account, allow: Allow) -> None:
    """The refresh is refused: sign in within the page; every row waits and goes on afterwards."""
    allow(f"{REFUSED} 401")
    session_over(signed_in, 7)
    expect(signed_in.locator("#email")).to_have_value(person.email)
    expect(signed_in.locator("#password")).to_be_focused()
    sign_in(signed_in, person)
    expect(signed_in.locator("#sign-in-again")).to_be_hidden()
    expect_all(signed_in, "SUCCESS", 7)
    assert signed_in.evaluate("window.stayed")
    assert sorted(person.names) == [f"f{number:02}.pdf" for number in range(7)]


def test_C5_other_user(signed_in: Page, person: Account, new_person: Callable[[], Account], allow: Allow) -> None:
    """Somebody else signs in at that point: queue and list are empty before anything is sent."""
    allow(f"{REFUSED} 401")
    choose(signed_in, pdf("mine.pdf"))
    expect(shelf(signed_in)).to_have_count(1)
    session_over(signed_in, 3)
    stranger, uploads = new_person(), answers(signed_in.context, "/api/upload")
    sign_in(signed_in, stranger)
    expect(signed_in.locator("#who")).to_have_text(stranger.email)
    expect(rows(signed_in)).to_have_count(0)
    expect(shelf(signed_in)).to_have_count(0)
    expect(signed_in.locator("#documents-empty")).to_be_visible()
    choose(signed_in, pdf("theirs.pdf"))
    expect_status(signed_in, "theirs.pdf", "SUCCESS")
    assert (uploads, stranger.names, person.names) == ([200], ["theirs.pdf"], ["mine.pdf"])


def test_C6_csrf(signed_in: Page) -> None:
    """A rotated CSRF cookie is used by the very next request."""
    context, before = signed_in.context, csrf_cookie(signed_in.context)
    answer = context.request.post("/api/auth/refresh", headers={"X-CSRF-Token": before})
    assert answer.ok
    after = csrf_cookie(context)
    assert after != before
    with signed_in.expect_request(UPLOAD) as upload:
        choose(signed_in, pdf("a.pdf"))
    assert upload.value.headers["x-csrf-token"] == after
    expect_status(signed_in, "a.pdf", "SUCCESS")


def test_C7_sign_out(signed_in: Page, person: Account, allow: Allow, disk: Disk) -> None:
    """Signing out asks first while files are on their way, aborts them, and shows in every tab within a second."""
    allow(f"{REFUSED} 401")
    choose(signed_in, pdf("kept.pdf"))
    expect(shelf(signed_in)).to_have_count(1)
    other = signed_in.context.new_page()
    other.goto("/")
    expect(shelf(other)).to_have_count(1)
    throttle(signed_in, 20_000)
    choose(signed_in, *[disk(f"f{number:02}.pdf", size=500_000) for number in range(4)])
    expect_all(signed_in, "UPLOADING", 3)
    signed_in.get_by_role("button", name="Sign out").click()
    question = signed_in.get_by_role("dialog", name="Sign out?")
    expect(question).to_contain_text("4 files have not been uploaded yet and will be discarded.")
    question.get_by_role("button", name="Cancel").click()
    expect_all(signed_in, "UPLOADING", 3)
    signed_in.get_by_role("button", name="Sign out").click()
    question.get_by_role("button", name="Sign out").click()
    clicked = time.monotonic()
    expect(signed_in.get_by_role("heading", name="Sign in", exact=True)).to_be_focused()
    took = time.monotonic() - clicked
    expect(other.locator("#sign-in-view")).to_be_visible(timeout=1_000 * max(1, took))
    for page in (signed_in, other):
        expect(rows(page)).to_have_count(0)
        expect(shelf(page)).to_have_count(0)
    assert person.names == ["kept.pdf"]


def test_C7_back(signed_in: Page, person: Account, allow: Allow) -> None:
    """A page that comes back from the history after a sign-out shows no documents."""
    allow(f"{REFUSED} 401")
    choose(signed_in, pdf("kept.pdf"))
    expect(shelf(signed_in)).to_have_count(1)
    context = signed_in.context
    assert context.request.post("/api/auth/logout", headers={"X-CSRF-Token": csrf_cookie(context)}).ok
    signed_in.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(signed_in.locator("#sign-in-view")).to_be_visible()
    expect(shelf(signed_in)).to_have_count(0)
    signed_in.goto("about:blank")
    signed_in.go_back()
    expect(signed_in.locator("#sign-in-view")).to_be_visible()


def test_C8_offline(signed_in: Page, person: Account, allow: Allow) -> None:
    """Offline, running rows wait for the connection and a banner says so; back online all finish without a click."""
    allow(UNREACHED)
    context = signed_in.context
    patience(signed_in, probe=500, probes=[200])
    with frozen(person.site):
        choose(signed_in, *pdfs(5, 100_000))
        expect_all(signed_in, "UPLOADING", 3)
        context.set_offline(True)
        expect(signed_in.locator("#banner-text")).to_have_text(re.compile("^You're offline\\."))
        expect(rows(signed_in).filter(has_text="Waiting for connection")).to_have_count(5)
    context.set_offline(False)
    expect_all(signed_in, "SUCCESS", 5)
    expect(signed_in.locator("#banner")).to_be_hidden()
    assert len(person.names) == len(set(person.names)) == 5


def test_server_killed_and_restarted(
    context: BrowserContext, tmp_path: Path, watch: Watch, new_person: Callable[[], Account], disk: Disk
) -> None:
    """`kill -9` while 12 files upload and a new start: all 12 arrive, each once."""
    watch.allowed += [UNREACHED, "off origin", f"{REFUSED} 50"]
    live = start_live(tmp_path)
    page, again = context.new_page(), None
    try:
        page.goto(f"http://127.0.0.1:{live.port}/")
        admin = Account(live, "admin@localhost")
        sign_in(page, admin)
        expect(page.locator("#hint")).not_to_be_empty()
        patience(page, probes=[200], retries=[200, 400, 800])
        slow = throttle(page, 1_000_000)
        choose(page, *[disk(f"f{number:02}.pdf", size=400_000) for number in range(12)])
        expect(rows(page, "SUCCESS").nth(2)).to_be_visible()
        expect_all(page, "UPLOADING", 3)
        live.stop(signal.SIGKILL)
        expect(page.locator("#banner-text")).to_contain_text("Uploads will continue when the connection is back.")
        again = start_live(tmp_path, PORT=str(live.port))
        throttle(page, 0)
        expect_all(page, "SUCCESS", 12)
        slow.detach()
        assert sorted(admin.names) == [f"f{number:02}.pdf" for number in range(12)]
        files = [path for path in (live.instance / "uploads").rglob("*.pdf") if path.is_file()]
        assert len(files) == 12
    finally:
        live.stop(signal.SIGKILL)
        if again:
            again.stop(signal.SIGKILL)

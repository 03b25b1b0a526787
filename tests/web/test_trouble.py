"""Rows B8-B13 of the client's specification: what goes wrong on the way, and what is said of it."""
# ruff: noqa: N802 - a test bears the name of its row

import re
import signal
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Dialog, Page, Route, expect

from tests.support.engines import start_live
from tests.web.steps import (
    REFUSED,
    UNREACHED,
    UPLOAD,
    Account,
    Watch,
    answers,
    choose,
    expect_all,
    expect_status,
    expire,
    frozen,
    patience,
    pdf,
    pdfs,
    row,
    rows,
    sign_in,
    throttle,
)

Allow = Callable[..., None]
Disk = Callable[..., Path]


def refuse(page: Page, status: int, times: int = 99, error: str = "made_up", **headers: str) -> list[str]:
    """Answer the next uploads with `status`; return the list of the keys they bore."""
    keys: list[str] = []

    def answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > times:
            route.continue_()
        else:
            body = {"ok": False, "error": error, "message": "Told by the server."}
            route.fulfill(status=status, json=body, headers={name.replace("_", "-"): v for name, v in headers.items()})

    page.route(UPLOAD, answer)
    return keys


def test_B8_auto_retry(signed_in: Page, person: Account, allow: Allow) -> None:
    """A 5xx is tried again three times under the same key, then it is the row's failure; a 507 and a 4xx are not."""
    allow(REFUSED)
    timing = signed_in.evaluate("async () => (await import('/js/config.js')).TIMING")
    assert (timing["retries"], timing["jitter"]) == ([1_000, 2_000, 4_000], 0.2)
    patience(signed_in, retries=[50, 100, 200])
    keys = refuse(signed_in, 500)
    choose(signed_in, pdf("five.pdf"))
    expect(row(signed_in, "five.pdf")).to_contain_text("Not uploaded. The server had a problem. Try again.")
    assert (len(keys), len(set(keys))) == (4, 1)
    for status, error, text in (
        (507, "made_up", "Told by the server."),
        (415, "made_up", "Told by the server."),
        (413, "too_large", "The server's limit is 10 MB."),
    ):
        signed_in.unroute(UPLOAD)
        keys = refuse(signed_in, status, error=error)
        choose(signed_in, pdf(f"{status}.pdf"))
        expect(row(signed_in, f"{status}.pdf")).to_contain_text(f"Not uploaded. {text}")
        assert len(keys) == 1
    assert person.names == []


def test_B8_retry_after(signed_in: Page, person: Account, allow: Allow) -> None:
    """`Retry-After` is obeyed, and the wait is told; then the file arrives."""
    allow(f"{REFUSED} 429")
    patience(signed_in, retries=[10, 10, 10], tick=100)
    keys = refuse(signed_in, 429, times=1, Retry_After="2")
    choose(signed_in, pdf("a.pdf"))
    expect(row(signed_in, "a.pdf")).to_contain_text("Too many uploads at once. Trying again in 2 seconds.")
    expect(row(signed_in, "a.pdf")).to_contain_text("Trying again in 1 second.")
    assert len(keys) == 1
    expect_status(signed_in, "a.pdf", "SUCCESS")
    assert person.names == ["a.pdf"]


def test_the_banner_tells_offline_from_unreachable(signed_in: Page, allow: Allow) -> None:
    """The network comes back, the server does not: "You're offline" does not stay, and the news is said aloud."""
    allow(UNREACHED)
    patience(signed_in, probes=[600_000], speakGap=0)
    text, said = signed_in.locator("#banner-text"), signed_in.locator("#announcer-alert")
    signed_in.context.set_offline(True)
    expect(text).to_have_text(re.compile(r"^You're offline\."))
    signed_in.route("**/api/**", lambda route: route.abort("connectionrefused"))
    signed_in.context.set_offline(False)
    expect(text).to_have_text(re.compile(r"^The server can't be reached\."))
    expect(said).to_contain_text("The server can't be reached.")
    signed_in.context.set_offline(True)
    expect(text).to_have_text(re.compile(r"^You're offline\."))
    signed_in.unroute("**/api/**")
    signed_in.context.set_offline(False)
    expect(signed_in.locator("#banner")).to_be_hidden()


def test_the_first_failure_of_a_burst_is_the_news(signed_in: Page, allow: Allow) -> None:
    """web.md §2: one alert for failures close together, and another one when it has been quiet for a while."""
    allow(REFUSED)
    assert signed_in.evaluate("async () => (await import('/js/config.js')).TIMING.burst") == 5_000
    signed_in.evaluate("""() => {
        window.alerts = [];
        const voice = document.getElementById('announcer-alert');
        new MutationObserver(() => voice.textContent && alerts.push(voice.textContent))
            .observe(voice, { childList: true });
    }""")
    patience(signed_in, retries=[], speakGap=0, burst=60_000)
    refuse(signed_in, 415)
    choose(signed_in, *pdfs(5))
    expect_all(signed_in, "FAILED", 5)
    expect(signed_in.locator("#announcer-status")).to_have_text("0 files uploaded, 5 failed")
    [told] = signed_in.evaluate("alerts")
    assert re.fullmatch(r"1 file failed: f0\d\.pdf\. Told by the server\.", told)
    patience(signed_in, burst=0)
    choose(signed_in, pdf("later.pdf"))
    expect(signed_in.locator("#announcer-alert")).to_have_text("1 file failed: later.pdf. Told by the server.")
    assert len(signed_in.evaluate("alerts")) == 2


def test_B9_stall(signed_in: Page, person: Account, allow: Allow, disk: Disk) -> None:
    """Without progress the upload is given up and tried again; a server that answers nothing counts as lost."""
    allow(UNREACHED)
    timing = signed_in.evaluate("async () => (await import('/js/config.js')).TIMING")
    assert (timing["stall"], timing["finish"]) == (30_000, 120_000)
    patience(signed_in, stall=400, finish=800, watch=50, retries=[3_000], tick=100)
    signed_in.route(UPLOAD, lambda route: None)
    choose(signed_in, pdf("still.pdf"))
    expect(row(signed_in, "still.pdf")).to_contain_text("The upload stopped moving. Trying again in")
    signed_in.unroute(UPLOAD)
    expect_status(signed_in, "still.pdf", "SUCCESS")
    patience(signed_in, probe=400, probes=[200], retries=[10, 10, 10])
    with frozen(person.site):
        choose(signed_in, disk("small.pdf"), disk("large.pdf", size=9_000_000))
        expect(row(signed_in, "small.pdf")).to_contain_text("Waiting for connection")
        expect(row(signed_in, "large.pdf")).to_contain_text("Waiting for connection")
        patience(signed_in, probe=8_000, stall=30_000, finish=120_000)
    expect_all(signed_in, "SUCCESS", 3)
    assert sorted(person.names) == ["large.pdf", "small.pdf", "still.pdf"]


def test_B10_changed_on_disk(signed_in: Page, person: Account, disk: Disk, allow: Allow) -> None:
    """A file that was edited or deleted after it was added fails, says so, and offers no retry."""
    allow(UNREACHED)
    kept = [disk(f"kept{number}.pdf") for number in range(3)]
    edited, deleted = disk("edited.pdf"), disk("deleted.pdf")
    with frozen(person.site):
        choose(signed_in, *kept, edited, deleted)
        expect_all(signed_in, "UPLOADING", 3)
        expect_all(signed_in, "PENDING", 2)
        disk("edited.pdf", size=5_000)
        deleted.unlink()
    for name in ("edited.pdf", "deleted.pdf"):
        expect(row(signed_in, name)).to_contain_text(
            "Not uploaded. The file was moved or changed after you added it. Choose it again."
        )
        expect(row(signed_in, name).locator(".retry")).to_be_hidden()
    expect_all(signed_in, "SUCCESS", 3)
    assert sorted(person.names) == ["kept0.pdf", "kept1.pdf", "kept2.pdf"]


def test_B11_early_401(signed_in: Page, person: Account, allow: Allow, disk: Disk) -> None:
    """A 401 that comes before the body is read leads to a refresh, not to a broken connection."""
    allow(f"{REFUSED} 401", UNREACHED)
    uploads = answers(signed_in.context, "/api/upload")
    expire(signed_in.context)
    choose(signed_in, *[disk(f"{number}.pdf", size=9_000_000) for number in range(3)])
    expect_all(signed_in, "SUCCESS", 3)
    assert uploads.count(200) == 3
    assert len(person.names) == 3


def test_B11_early_413(context: BrowserContext, tmp_path: Path, watch: Watch, disk: Disk) -> None:
    """A server whose limit has shrunk meanwhile answers 413 before it reads the body; the row says so."""
    watch.allowed += [f"{REFUSED} 413", UNREACHED, "off origin"]
    live = start_live(tmp_path)
    page, again = context.new_page(), None
    try:
        page.goto(f"http://127.0.0.1:{live.port}/")
        sign_in(page, Account(live, "admin@localhost"))
        expect(page.locator("#documents-empty")).to_be_visible()
        expect(page.locator("#hint")).to_contain_text("10 MB")
        live.stop(signal.SIGKILL)
        again = start_live(tmp_path, PORT=str(live.port), MAX_FILE_BYTES="1048576")
        choose(page, disk("large.pdf", size=9_000_000))
        expect(row(page, "large.pdf")).to_contain_text("Not uploaded. The server's limit is 1 MB.")
    finally:
        live.stop(signal.SIGKILL)
        if again:
            again.stop(signal.SIGKILL)


def test_B12_leave_page(signed_in: Page) -> None:
    """The browser asks before the page is left, but only while a row waits or is on its way."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    signed_in.on("dialog", stay)
    signed_in.get_by_role("heading", level=1).click()
    assert signed_in.evaluate("window.onbeforeunload") is None
    slow = throttle(signed_in, 20_000)
    choose(signed_in, pdf("a.pdf", 200_000))
    expect_status(signed_in, "a.pdf", "UPLOADING")
    with signed_in.expect_event("dialog"):
        signed_in.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    row(signed_in, "a.pdf").get_by_role("button", name="Cancel upload of a.pdf").click()
    slow.detach()
    with signed_in.expect_event("close"):
        signed_in.close(run_before_unload=True)
    assert asked == ["beforeunload"]


def test_B13_title(page: Page, person: Account, watch: Watch) -> None:
    """The title counts, in a hidden tab too, where no animation frame comes."""
    page.add_init_script("window.requestAnimationFrame = () => 0;")
    page.goto("/")
    expect(page).to_have_title("Sign in – Documents")
    sign_in(page, person)
    expect(page).to_have_title("Documents")
    with frozen(person.site):
        choose(page, *pdfs(12))
        expect(page).to_have_title("(0/12) Uploading – Documents")
    expect(page).to_have_title(re.compile(r"^Documents$"))
    expect(rows(page, "SUCCESS")).to_have_count(12)

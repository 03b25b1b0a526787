"""Issue 10, Build 5: after a reload or a crash of the tab the queue is still there, and gets through once."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Error, Page, expect

from tests.web.leaving import SLOW, Disk, expect_kept, ids, kept, leave, offer, reload, start_slowly
from tests.web.steps import (
    COUNT_UPLOADS,
    REFUSED,
    UNREACHED,
    UPLOAD,
    Account,
    Watch,
    cdp,
    choose,
    count_at_server,
    expect_all,
    expect_status,
    frozen,
    lose,
    patience,
    pdf,
    pdfs,
    sign_in,
    throttle,
)
from tests.web.test_accessibility import check

Allow = Callable[..., None]


def test_reload_in_the_middle(signed_in: Page, person: Account, disk: Disk) -> None:
    """After a reload the files are offered; resumed, they go in their old order under their old keys, stored once."""
    before = start_slowly(signed_in, disk, 6)
    reload(signed_in)
    expect(offer(signed_in)).to_contain_text("6 files were not fully uploaded.")
    expect(offer(signed_in)).to_contain_text("f00.pdf, f01.pdf, f02.pdf and 3 more")
    signed_in.evaluate(COUNT_UPLOADS)
    throttle(signed_in, 0)
    signed_in.get_by_role("button", name="Resume 6 files").click()
    expect_all(signed_in, "SUCCESS", 6)
    expect(offer(signed_in)).to_be_hidden()
    expect(signed_in.locator("#queue-h")).to_be_focused()
    assert signed_in.evaluate("uploads.keys") == ids(signed_in) == before
    assert sorted(person.names) == [f"f{number:02}.pdf" for number in range(6)]
    expect_kept(signed_in, 0)


def test_reload_while_nobody_answers(signed_in: Page, person: Account, allow: Allow) -> None:
    """A page that goes before the answer comes: whatever the server made of the files, each is stored once."""
    allow(UNREACHED)
    with frozen(person.site):
        choose(signed_in, *pdfs(5))
        expect_all(signed_in, "UPLOADING", 3)
        expect_kept(signed_in, 5)
        leave(signed_in, lambda: signed_in.goto("about:blank"))
    signed_in.goto("/")
    signed_in.get_by_role("button", name="Resume 5 files").click()
    expect_all(signed_in, "SUCCESS", 5)
    assert sorted(person.names) == [f"f{number:02}.pdf" for number in range(5)]


def test_crash_of_the_tab(signed_in: Page, person: Account, disk: Disk) -> None:
    """A new page of the same browser has the files of one that crashed, byte for byte."""
    start_slowly(signed_in, disk, 4)
    with signed_in.expect_event("crash"), suppress(Error):
        signed_in.goto("chrome://crash")
    page = signed_in.context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Resume 4 files").click()
    expect_all(page, "SUCCESS", 4)
    expected = hashlib.sha256(disk("same.pdf", size=200_000).read_bytes()).hexdigest()
    assert [document["sha256"] for document in person.documents] == [expected] * 4
    expect_kept(page, 0)


def test_answer_that_was_lost(signed_in: Page, person: Account, allow: Allow) -> None:
    """A row that failed for want of an answer is kept; the server had stored it, and stores no second one."""
    allow("ERR_FAILED")
    patience(signed_in, retries=[])

    signed_in.route(UPLOAD, lose)
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "FAILED")
    expect_kept(signed_in, 1)
    signed_in.unroute(UPLOAD)
    reload(signed_in)
    signed_in.get_by_role("button", name="Resume 1 file", exact=True).click()
    expect_status(signed_in, "a.pdf", "SUCCESS")
    assert count_at_server(person) == 1
    expect_kept(signed_in, 0)


def test_what_is_done_is_not_kept(signed_in: Page, allow: Allow) -> None:
    """What was stored, cancelled, removed or refused for good is not kept, and nothing is offered."""
    allow(f"{REFUSED} 415", "ERR_FAILED")
    patience(signed_in, retries=[])
    choose(signed_in, pdf("stored.pdf"), {"name": "png.pdf", "mimeType": "", "buffer": b"\x89PNG\r\n\x1a\n"})
    expect_status(signed_in, "stored.pdf", "SUCCESS")
    signed_in.route(UPLOAD, lambda route: route.fulfill(status=415, json={"ok": False, "error": "x", "message": "x"}))
    choose(signed_in, pdf("refused.pdf"))
    expect_status(signed_in, "refused.pdf", "FAILED")
    signed_in.unroute(UPLOAD)
    signed_in.route(UPLOAD, lambda route: route.abort())
    choose(signed_in, pdf("removed.pdf"))
    expect_status(signed_in, "removed.pdf", "FAILED")
    expect_kept(signed_in, 1)
    signed_in.get_by_role("button", name="Remove removed.pdf").click()
    expect_kept(signed_in, 0)
    signed_in.unroute(UPLOAD)
    throttle(signed_in, SLOW)
    choose(signed_in, pdf("cancelled.pdf", 200_000))
    expect_kept(signed_in, 1)
    signed_in.get_by_role("button", name="Cancel upload of cancelled.pdf").click()
    expect_kept(signed_in, 0)


def test_cancelled_after_resume_can_be_retried(signed_in: Page, person: Account, disk: Disk) -> None:
    """A resumed file that is cancelled, and so let go, is still whole when it is tried again."""
    start_slowly(signed_in, disk, 1)
    reload(signed_in)
    signed_in.get_by_role("button", name="Resume 1 file", exact=True).click()
    expect_all(signed_in, "UPLOADING", 1)
    signed_in.get_by_role("button", name="Cancel upload of f00.pdf").click()
    expect_kept(signed_in, 0)
    throttle(signed_in, 0)
    signed_in.get_by_role("button", name="Retry f00.pdf").click()
    expect_status(signed_in, "f00.pdf", "SUCCESS")
    assert [document["size"] for document in person.documents] == [200_000]


def test_chosen_again_instead(signed_in: Page, person: Account, disk: Disk, tmp_path: Path) -> None:
    """Who chooses files again that are on offer resumes them; the offer is of the others, and each is stored once."""
    before = start_slowly(signed_in, disk, 5)
    reload(signed_in)
    expect(offer(signed_in)).to_contain_text("5 files were not fully uploaded.")
    throttle(signed_in, 0)
    choose(signed_in, *[tmp_path / "disk" / f"f{number:02}.pdf" for number in range(3)])
    expect_all(signed_in, "SUCCESS", 3)
    assert ids(signed_in) == before[:3]
    expect(offer(signed_in)).to_contain_text("2 files were not fully uploaded.")
    signed_in.get_by_role("button", name="Resume 2 files").click()
    expect_all(signed_in, "SUCCESS", 5)
    assert len(person.names) == 5
    expect_kept(signed_in, 0)


# Nothing can be read of any file before `goOn()`.
BUSY_DISK = """() => {
    const disk = new Promise((resolve) => { window.goOn = resolve; });
    const { arrayBuffer } = Blob.prototype;
    Blob.prototype.arrayBuffer = function () { return disk.then(() => arrayBuffer.call(this)); };
}"""


def test_resumed_on_a_busy_disk(signed_in: Page, disk: Disk) -> None:
    """What is resumed is on offer no longer, though its rows come later; then they have the focus."""
    start_slowly(signed_in, disk, 2)
    reload(signed_in)
    throttle(signed_in, 0)
    signed_in.evaluate(BUSY_DISK)
    signed_in.get_by_role("button", name="Resume 2 files").click()
    expect(offer(signed_in)).to_be_hidden()
    expect(signed_in.locator("#choose")).to_be_focused()
    expect(signed_in.locator("#queue")).to_be_hidden()
    signed_in.evaluate("goOn()")
    expect_all(signed_in, "SUCCESS", 2)
    expect(signed_in.locator("#queue-h")).to_be_focused()


def test_discard(signed_in: Page, person: Account, disk: Disk) -> None:
    """Discard asks first; then nothing is kept, offered or sent."""
    start_slowly(signed_in, disk, 2)
    reload(signed_in)
    throttle(signed_in, 0)
    signed_in.get_by_role("button", name="Discard").click()
    question = signed_in.get_by_role("dialog", name="Discard 2 files?")
    question.get_by_role("button", name="Cancel").click()
    expect(signed_in.get_by_role("button", name="Discard", exact=True)).to_be_focused()
    assert len(kept(signed_in)) == 2
    signed_in.get_by_role("button", name="Discard").click()
    question.get_by_role("button", name="Discard").click()
    expect(offer(signed_in)).to_be_hidden()
    expect(signed_in.locator("#choose")).to_be_focused()
    assert kept(signed_in) == []
    reload(signed_in)
    expect(offer(signed_in)).to_be_hidden()
    assert person.names == []


def works_without(page: Page, person: Account) -> None:
    """Six files get through; once, and until then, it is said that none is kept, and leaving asks as ever."""
    page.evaluate("""() => { window.said = [];
        const voice = document.getElementById('announcer-alert');
        new MutationObserver(() => voice.textContent && said.push(voice.textContent))
            .observe(voice, { childList: true }); }""")
    throttle(page, SLOW)
    choose(page, *pdfs(6, 100_000))
    expect_all(page, "UPLOADING", 3)
    expect(page.locator("#unkept")).to_be_visible()
    page.locator("#upload-h").click()
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    throttle(page, 0)
    expect_all(page, "SUCCESS", 6)
    expect(page.locator("#unkept")).to_be_hidden()
    assert page.evaluate("said").count(page.locator("#unkept").text_content()) == 1
    assert len(person.names) == 6


def test_browser_without_a_database(page: Page, person: Account, watch: Watch) -> None:
    """A browser that refuses IndexedDB works as before: it says once that nothing outlives the page."""
    page.context.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined });")
    page.goto("/")
    sign_in(page, person)
    expect(page.locator("#hint")).not_to_be_empty()
    works_without(page, person)


def test_full_disk(signed_in: Page, person: Account, origin: str) -> None:
    """So does one whose disk is full; what is added when there is room again is kept, and nothing is said of it."""
    cdp(signed_in).send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 50_000})
    works_without(signed_in, person)
    cdp(signed_in).send("Storage.overrideQuotaForOrigin", {"origin": origin})
    throttle(signed_in, SLOW)
    choose(signed_in, pdf("more.pdf", 200_000))
    expect_kept(signed_in, 1)
    expect(signed_in.locator("#unkept")).to_be_hidden()


def test_writing_waits_for_the_first_upload(signed_in: Page, person: Account) -> None:
    """Files are on their way before any is written; what is through before its turn comes is never written."""
    signed_in.evaluate("""() => { window.deeds = [];
        const note = (prototype, name) => { const deed = prototype[name];
            prototype[name] = function (...given) { deeds.push(name); return deed.apply(this, given); }; };
        note(XMLHttpRequest.prototype, 'send');
        note(IDBObjectStore.prototype, 'put'); }""")
    with frozen(person.site):
        choose(signed_in, *pdfs(30))
        expect_kept(signed_in, 30)
    expect_all(signed_in, "SUCCESS", 30)
    deeds = signed_in.evaluate("deeds")
    assert deeds[:3] == ["send"] * 3
    assert deeds.count("put") == 30
    expect_kept(signed_in, 0)


def test_axe_offer(signed_in: Page, disk: Disk) -> None:
    """The offer is said aloud, takes no focus by itself, and axe finds nothing in it."""
    start_slowly(signed_in, disk, 5)
    reload(signed_in)
    patience(signed_in, speakClear=60_000)
    expect(signed_in.locator("#announcer-status")).to_have_text("5 files were not fully uploaded.")
    expect(signed_in.get_by_role("group", name="5 files were not fully uploaded.")).to_be_visible()
    assert not signed_in.evaluate("document.getElementById('unfinished').contains(document.activeElement)")
    check(signed_in)

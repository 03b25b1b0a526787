"""Files on a disk that takes its time, or never answers: they hold nothing up, and are not forgotten meanwhile."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.steps import REFUSED, Account, choose, drop, expect_status, patience, pdf, row, rows, sign_in
from tests.web.test_folders import READ

# Of files with these names nothing can be read before `goOn()`.
SLOW_FILES = """(names) => {
    const disk = new Promise((resolve) => { window.goOn = resolve; });
    const { slice } = Blob.prototype;
    Blob.prototype.slice = function (...range) {
        const part = slice.apply(this, range);
        const { arrayBuffer } = part;
        if (names.includes(this.name)) part.arrayBuffer = () => disk.then(() => arrayBuffer.call(part));
        return part;
    };
}"""
# Folders have one file, which is never handed over.
DEAD_ENTRIES = """() => {
    const { webkitGetAsEntry } = DataTransferItem.prototype;
    const readers = () => {
        const entries = [{ name: 'dead.pdf', file: () => {} }];
        return { readEntries: (resolve) => resolve(entries.splice(0)) };
    };
    DataTransferItem.prototype.webkitGetAsEntry = function () {
        const entry = webkitGetAsEntry.call(this);
        if (entry.isDirectory) entry.createReader = readers;
        return entry;
    };
}"""
GONE = "Not added. The file was moved or changed after you added it. Choose it again."
NO_FOLDER = "Not added. The folder can't be read. Open it and choose the files in it."


def test_dead_file_holds_up_no_other(signed_in: Page, person: Account) -> None:
    """A file of which nothing can be read is refused after a while; what was added behind it goes its way."""
    patience(signed_in, reading=1_000)
    signed_in.evaluate(SLOW_FILES, ["dead.pdf"])
    choose(signed_in, pdf("dead.pdf"))
    choose(signed_in, pdf("a.pdf"))
    expect_status(signed_in, "a.pdf", "SUCCESS")
    expect(row(signed_in, "dead.pdf").locator(".meta")).to_have_text(GONE)
    assert person.names == ["a.pdf"]


def test_dead_folder_holds_up_no_other(signed_in: Page, disk: Callable[..., Path], tmp_path: Path) -> None:
    """So is a folder whose entries never come, or one of its files."""
    patience(signed_in, reading=1_000)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    signed_in.evaluate(DEAD_ENTRIES)
    drop(signed_in, first, disk("a.pdf"))
    expect_status(signed_in, "a.pdf", "SUCCESS")
    expect(row(signed_in, "first").locator(".meta")).to_have_text(NO_FOLDER)
    signed_in.evaluate(READ, "")
    drop(signed_in, second)
    expect(row(signed_in, "second").locator(".meta")).to_have_text(NO_FOLDER)


def test_files_that_are_looked_into_wait(signed_in: Page, person: Account) -> None:
    """Leaving and signing out ask because of them, and what was given up then never comes."""
    patience(signed_in, reading=600_000)
    signed_in.evaluate(SLOW_FILES, ["a.pdf", "b.pdf"])
    choose(signed_in, pdf("a.pdf"), pdf("b.pdf"))
    signed_in.locator("#upload-h").click()
    with signed_in.expect_event("dialog") as asked:
        signed_in.close(run_before_unload=True)
    asked.value.dismiss()
    signed_in.get_by_role("button", name="Sign out").click()
    question = signed_in.get_by_role("dialog", name="Sign out?")
    expect(question).to_have_accessible_description("2 files have not been uploaded yet and will be discarded.")
    question.get_by_role("button", name="Sign out").click()
    expect(signed_in.locator("#sign-in-view")).to_be_visible()
    sign_in(signed_in, person)
    expect(signed_in.locator("#documents-empty")).to_be_visible()
    signed_in.evaluate("goOn()")
    choose(signed_in, pdf("c.pdf"))
    expect_status(signed_in, "c.pdf", "SUCCESS")
    expect(rows(signed_in)).to_have_count(1)
    assert signed_in.evaluate("onbeforeunload") is None
    assert person.names == ["c.pdf"]


def test_files_that_are_looked_into_wait_for_their_owner(
    signed_in: Page, person: Account, allow: Callable[..., None]
) -> None:
    """A sign-out in another tab does not forget them: they go on their way once their owner is back."""
    allow(f"{REFUSED} 401")
    other = signed_in.context.new_page()
    other.goto("/")
    expect(other.locator("#documents-empty")).to_be_visible()
    patience(signed_in, reading=600_000)
    signed_in.evaluate(SLOW_FILES, ["a.pdf"])
    choose(signed_in, pdf("a.pdf"))
    other.get_by_role("button", name="Sign out").click()
    expect(signed_in.locator("#sign-in-again")).to_be_visible()
    sign_in(signed_in, person)
    expect(signed_in.locator("#sign-in-again")).to_be_hidden()
    signed_in.evaluate("goOn()")
    expect_status(signed_in, "a.pdf", "SUCCESS")
    assert person.names == ["a.pdf"]

"""Folders, dropped and chosen, and what comes in where a browser hands over no files (issue 10)."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.bodies import PDF
from tests.web.steps import Account, Drag, Watch, choose, drop, middle, patience, pdfs, row, rows, shelf, throttle
from tests.web.test_accessibility import check

GTK = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
UNREADABLE = "This browser can't take dropped files. Use “Choose files”."
DRAG = """([type, data]) => {
    const dataTransfer = new DataTransfer();
    for (const [mime, text] of Object.entries(data)) dataTransfer.setData(mime, text);
    const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer });
    document.getElementById('choose').dispatchEvent(event);
    return event.defaultPrevented;
}"""

# A disk that hands over no entries before `goOn()`, and has one file that cannot be read.
READ = """(unreadable) => {
    const disk = new Promise((resolve) => { window.goOn = resolve; });
    const fail = (resolve, reject) => reject(new DOMException('', 'NotReadableError'));
    const spoil = (entries) => {
        for (const entry of entries) if (entry.name === unreadable) entry.file = fail;
        return entries;
    };
    const { webkitGetAsEntry } = DataTransferItem.prototype;
    DataTransferItem.prototype.webkitGetAsEntry = function () {
        const entry = webkitGetAsEntry.call(this);
        const reader = entry.createReader();
        const readEntries = (resolve, reject) =>
            disk.then(() => reader.readEntries((entries) => resolve(spoil(entries)), reject));
        entry.createReader = () => ({ readEntries });
        return entry;
    };
}"""


@pytest.fixture
def taxes(tmp_path: Path) -> Path:
    """A folder of 3 good files, 3 that are refused and some that are hidden, in two levels."""
    folder = tmp_path / "Taxes"
    (folder / "2025" / ".git").mkdir(parents=True)
    for name in ("a.pdf", "2025/b.pdf", "2025/c.pdf", "2025/.git/d.pdf", ".hidden.pdf"):
        (folder / name).write_bytes(PDF + name.encode())
    for name in ("e.png", "2025/f.pdf", ".DS_Store", "Thumbs.db", "2025/desktop.ini", "~$a.docx"):
        (folder / name).write_bytes(b"\x89PNG")
    (folder / "empty.txt").touch()
    return folder


def expect_taxes(page: Page, person: Account, others: list[str]) -> None:
    """See the good files of the folder stored under their bare names, and its refused ones counted in one row."""
    expect(rows(page, "SUCCESS")).to_have_count(3 + len(others))
    expect(rows(page, "FAILED")).to_have_count(1)
    expect(row(page, "Taxes").locator(".meta")).to_have_text(
        "Not added: 3 files that are empty, too large, unreadable or not a valid PDF, DOCX or TXT."
    )
    assert sorted(person.names) == sorted(["a.pdf", "b.pdf", "c.pdf", *others])


def test_dropped_folder(signed_in: Page, disk: Callable[..., Path], taxes: Path, person: Account, watch: Watch) -> None:
    """Build 3: its files are added, folders within it too, hidden ones left out, those refused counted in one row."""
    throttle(signed_in, 100)  # so that the end of it is not the next news already
    drop(signed_in, disk("x.pdf", size=1_000_000), taxes, disk("y.txt"))
    expect(signed_in.locator("#announcer-status")).to_contain_text("5 files added, 3 not added")
    throttle(signed_in, 0)
    expect_taxes(signed_in, person, ["x.pdf", "y.txt"])
    assert watch.requests.count("POST /api/upload") == 5
    expect(signed_in.get_by_role("button", name="Retry Taxes")).to_have_count(0)
    check(signed_in)
    signed_in.get_by_role("button", name="Remove Taxes", exact=True).click()
    expect(rows(signed_in, "FAILED")).to_have_count(0)


def test_unreadable_file_in_a_folder(signed_in: Page, taxes: Path, person: Account) -> None:
    """Build 3: one file that cannot be read is refused with the others, and holds nothing up."""
    signed_in.evaluate(READ, "e.png")
    signed_in.evaluate("goOn()")
    drop(signed_in, taxes)
    expect_taxes(signed_in, person, [])


def test_slow_folder(signed_in: Page, taxes: Path) -> None:
    """Build 3: while nothing is in the queue yet, a notice says what the page is doing."""
    patience(signed_in, looking=0, notice=60_000)
    signed_in.evaluate(READ, "")
    drop(signed_in, taxes)
    expect(signed_in.locator("#notices")).to_contain_text("Looking into the files…")
    check(signed_in)
    signed_in.evaluate("goOn()")
    expect(rows(signed_in, "SUCCESS")).to_have_count(3)


def test_chosen_folder(signed_in: Page, taxes: Path, person: Account) -> None:
    """Build 3: "Choose a folder" opens a dialog for folders, gives what a drop gives, and has the focus afterwards."""
    button = signed_in.get_by_role("button", name="Choose a folder")
    with signed_in.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files(taxes)
    expect_taxes(signed_in, person, [])
    expect(button).to_be_focused()


def test_files_of_one_name_in_a_folder(signed_in: Page, tmp_path: Path, person: Account) -> None:
    """Build 3: two files of one name, size and time are two; the same folder once more adds neither."""
    clients = tmp_path / "clients"
    for name in ("anna", "bert"):
        (clients / name).mkdir(parents=True)
        (clients / name / "invoice.txt").write_text(f"amount for {name}\n" + " " * 100_000)
        os.utime(clients / name / "invoice.txt", (1_700_000_000, 1_700_000_000))
    throttle(signed_in, 1_000)
    drop(signed_in, clients)
    expect(rows(signed_in, "UPLOADING")).to_have_count(2)
    drop(signed_in, clients)
    expect(signed_in.locator("#notices")).to_contain_text("2 files are already in the list")
    expect(rows(signed_in)).to_have_count(2)
    throttle(signed_in, 0)
    expect(rows(signed_in, "SUCCESS")).to_have_count(2)
    assert person.names == ["invoice.txt"] * 2
    assert len({document["sha256"] for document in person.documents}) == 2


def test_many_in_a_folder(signed_in: Page, tmp_path: Path) -> None:
    """Build 3: a folder is read to its end, though the browser hands over a hundred entries at a time."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(230):
        (folder / f"{number:03}.txt").write_text("hello")
    signed_in.evaluate("import('/js/config.js').then(({ FOLDER }) => { FOLDER.count = 230 })")
    drop(signed_in, folder)
    expect(rows(signed_in)).to_have_count(230)


def test_folder_without_files_or_with_too_many(signed_in: Page, tmp_path: Path, taxes: Path, watch: Watch) -> None:
    """Build 3: a folder that gives nothing says so in its row; one that holds too much is refused as a whole."""
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / ".DS_Store").touch()
    drop(signed_in, empty)
    expect(row(signed_in, "empty").locator(".meta")).to_have_text("Not added. There are no files in the folder.")
    signed_in.evaluate("import('/js/config.js').then(({ FOLDER }) => { FOLDER.count = 5 })")
    drop(signed_in, taxes)
    expect(row(signed_in, "Taxes").locator(".meta")).to_have_text(
        "Not added. A folder may hold at most 5 files, in 32 levels of folders."
    )
    assert watch.requests.count("POST /api/upload") == 0


def test_folder_button_only_where_it_works(signed_in: Page) -> None:
    """Build 3: no button for folders under a finger, where phones cannot choose one, nor in a browser without."""
    button = signed_in.locator("#choose-folder")
    expect(button).to_be_visible()
    signed_in.context.add_init_script("delete HTMLInputElement.prototype.webkitdirectory")
    signed_in.reload()
    expect(signed_in.locator("#choose")).to_be_visible()
    expect(button).to_be_hidden()


def test_scrolled_down_the_window_shows_where_to_drop(signed_in: Page, disk: Callable[..., Path]) -> None:
    """Mend: with the zone out of sight, a frame around the window and a sentence in it say that one can drop here."""
    choose(signed_in, *pdfs(30))
    expect(rows(signed_in, "SUCCESS")).to_have_count(30)
    patience(signed_in, dragGone=60_000)
    shelf(signed_in).last.scroll_into_view_if_needed()
    expect(signed_in.locator("#zone")).not_to_be_in_viewport()
    overlay, verdict = signed_in.locator(".overlay"), signed_in.locator("#verdict")
    expect(overlay).to_be_hidden()
    drag = Drag(signed_in, disk("a.pdf"))
    drag.enter(200, 300)
    expect(verdict).to_be_in_viewport(ratio=1)
    expect(verdict).to_have_text("Drop to add 1 file")
    box, window = overlay.bounding_box(), signed_in.viewport_size
    assert box
    assert window
    assert box["height"] > 0.9 * window["height"]
    check(signed_in)
    drag.drop(*middle(verdict))
    expect(rows(signed_in, "SUCCESS")).to_have_count(31)
    expect(overlay).to_be_hidden()


@pytest.mark.browser_context_args(user_agent=GTK)
def test_files_that_come_as_addresses(signed_in: Page, origin: str) -> None:
    """Mend: WebKitGTK's file drop does not navigate away, and the page says what to do instead."""
    patience(signed_in, notice=60_000)
    files = {"text/uri-list": "file:///home/maria/a.pdf"}
    assert [signed_in.evaluate(DRAG, [step, files]) for step in ("dragenter", "dragover", "drop")] == [True] * 3
    expect(signed_in.locator("#announcer-alert")).to_have_text(UNREADABLE)
    expect(signed_in.locator("#zone")).to_have_attribute("data-drag", "")
    expect(signed_in.locator("#notices")).to_have_text(UNREADABLE)
    check(signed_in)
    assert signed_in.url == f"{origin}/"


@pytest.mark.browser_context_args(user_agent=GTK)
def test_links_are_left_alone_where_files_come_as_addresses(signed_in: Page) -> None:
    """Row A9 in WebKitGTK: neither a link of another window nor one of this page is taken for a file."""
    link = {"text/uri-list": "http://127.0.0.1/", "text/html": "<a>words</a>"}
    own = {"text/uri-list": "http://127.0.0.1/"}
    assert not any(signed_in.evaluate(DRAG, [step, link]) for step in ("dragenter", "dragover", "drop"))
    assert not any(signed_in.evaluate(DRAG, [step, own]) for step in ("dragstart", "dragover", "drop", "dragend"))
    assert signed_in.evaluate(DRAG, ["dragover", own])

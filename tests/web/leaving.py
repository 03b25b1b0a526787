"""What the tests of a queue that outlives its page share: leaving it, and what the browser keeps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Dialog, Locator, Page, expect

from tests.support.clock import eventually
from tests.web.steps import choose, expect_all, rows, throttle

Disk = Callable[..., Path]
SLOW = 20_000  # bytes a second: what is on its way stays so

# What the browser keeps, of whomever: the ids of the files, in the order in which they were added.
KEPT = """async () => {
    const databases = await indexedDB.databases();
    if (!databases.some(({ name }) => name === 'unfinished-uploads')) return [];
    const result = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error); });
    const database = await result(indexedDB.open('unfinished-uploads'));
    const found = await result(database.transaction('files').objectStore('files').getAll());
    database.close();
    return found.sort((a, b) => a.added - b.added || a.turn - b.turn).map(({ id }) => id);
}"""


def kept(page: Page) -> list[str]:
    found: list[str] = page.evaluate(KEPT)
    return found


def kept_as_held(page: Page) -> list[bool]:
    """Return of each file that is kept whether it is held back."""
    found: list[bool] = page.evaluate(KEPT.replace("({ id }) => id", "({ held }) => held"))
    return found


def expect_kept(page: Page, count: int) -> None:
    """Wait until the browser keeps so many files."""
    assert eventually(lambda: len(kept(page)) == count), kept(page)


def offer(page: Page) -> Locator:
    return page.locator("#unfinished")


def ids(page: Page) -> list[str]:
    found: list[str] = rows(page).evaluate_all("(rows) => rows.map((row) => row.dataset.id)")
    return found


# Wait as long as a tab that has asked the others waits for their answers.
WAIT = """async () => {
    const [{ pause }, { TIMING }] = await Promise.all(['clock', 'config'].map((name) => import(`/js/${name}.js`)));
    await pause(TIMING.rollCall + 500);
}"""


def wait_for_answers(page: Page) -> None:
    page.evaluate(WAIT)


def look(page: Page) -> None:
    """Come back to a tab, and wait until it has looked for files that nobody sends: none found shows nothing."""
    page.evaluate("dispatchEvent(new Event('focus'))")
    wait_for_answers(page)


def leave(page: Page, act: Callable[[], Any]) -> None:
    """Leave the page in the middle of an upload: the browser asks, and gets a yes."""

    def agree(dialog: Dialog) -> None:
        dialog.accept()

    page.on("dialog", agree)
    act()
    page.remove_listener("dialog", agree)


def start_slowly(page: Page, disk: Disk, count: int) -> list[str]:
    """Choose files of 200 kB on a slow line; return their ids once all of them are kept."""
    throttle(page, SLOW)
    choose(page, *[disk(f"f{number:02}.pdf", size=200_000) for number in range(count)])
    expect_all(page, "UPLOADING", min(3, count))
    expect_kept(page, count)
    return ids(page)


def reload(page: Page) -> None:
    leave(page, page.reload)
    expect(page.locator("#hint")).not_to_be_empty()

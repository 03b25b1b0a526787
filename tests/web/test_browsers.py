"""Issue 10: the flows in Firefox and in WebKitGTK, through the real `serve` process; Chromium has all other tests."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.bodies import FILES
from tests.support.browsers import CONTROL, ENTER, ESCAPE, SHIFT, TAB, Browser, firefox, webkit
from tests.support.clock import eventually
from tests.support.engines import start_live
from tests.support.people import PASSWORD
from tests.web.steps import COUNT_UPLOADS, Account, frozen
from tests.web.visiting import ask

Disk = Callable[..., Path]
KINDS = {"firefox": firefox, "webkit": webkit}

# Firefox runs it before the page's own scripts; WebKitGTK, for whom WebDriver has no such command, after the load.
HEED = """() => {
    if (window.problems) return;
    window.problems = [];
    addEventListener('error', ({ message }) => problems.push(message));
    addEventListener('unhandledrejection', ({ reason }) => problems.push(`${reason}`));
    addEventListener('securitypolicyviolation', ({ violatedDirective }) => problems.push(violatedDirective));
}"""
HURRY = "async (times) => { Object.assign((await import('/js/config.js')).TIMING, times); }"
FOCUSED = "() => document.activeElement.id"
SELECTION = """() => {
    const { value, selectionStart, selectionEnd } = document.activeElement;
    return value?.slice(selectionStart, selectionEnd) ?? '';
}"""
TEXT = "(selector) => document.querySelector(selector).textContent"
QUEUE = """() => Object.fromEntries(Array.from(document.querySelectorAll('#queue .rows > li'),
    (row) => [row.querySelector('.full').textContent, row.dataset.status]))"""
SHELF = "() => document.querySelectorAll('#documents-list > li').length"
ROW = """(name) => [...document.querySelectorAll('#queue .rows > li')].find(
    (row) => row.querySelector('.full').textContent === name)"""
MARK = f"(name) => {{ ({ROW})(name).id = 'marked'; }}"
SENT = f"""(name) => {{
    const row = ({ROW})(name);
    return row?.dataset.status === 'UPLOADING' && !row.querySelector('progress').hasAttribute('value');
}}"""
LOOKS = """() => performance.getEntriesByType('resource').filter(
    ({ name }) => name.startsWith(`${location.origin}/api/documents?`)).length"""
IDLE = "() => document.querySelector('#refresh').ariaBusy !== 'true'"
REFRESHES = "() => performance.getEntriesByName(`${location.origin}/api/auth/refresh`).length"


@pytest.fixture(scope="module", params=KINDS)
def window(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One window for the module's tests of a browser."""
    with KINDS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        opened.prepare(HEED)
        yield opened


@pytest.fixture
def tab(window: Browser, origin: str) -> Iterator[Browser]:
    """The page as somebody finds it who was never there; nothing may go wrong on it unseen."""
    visit(window, origin)
    yield window
    assert window.evaluate("() => window.problems") == []
    assert [url for url in window.requested() if not url.startswith(("http://127.0.0.1:", "blob:"))] == []


@pytest.fixture
def inside(tab: Browser, person: Account) -> Browser:
    """The page after `person` has signed in."""
    sign_in(tab, person)
    return tab


def visit(tab: Browser, origin: str) -> None:
    """Open the page without a trace of what was done on it before."""
    tab.goto(origin)
    tab.forget_cookies()
    tab.goto(origin)
    tab.evaluate(HEED)
    tab.evaluate(HURRY, {"fold": 600_000})  # rows stay where a test looks for them
    tab.evaluate(COUNT_UPLOADS)
    tab.wait_for("#sign-in", 60)


def sign_in(tab: Browser, person: Account) -> None:
    for selector, text in (("#email", person.email), ("#password", person.password)):
        tab.click(selector)
        tab.type(text)
    tab.press(ENTER)
    tab.wait_for("#choose")


def tab_to(tab: Browser, name: str) -> None:
    """Go on from control to control until this one has the focus."""
    for _ in range(10):
        if tab.evaluate(FOCUSED) == name:
            return
        tab.press(TAB)
    raise AssertionError(f"{name} is not reached by the keyboard")


def cross(tab: Browser, name: str) -> None:
    """Press the one button of a row that is on its way: Cancel."""
    tab.evaluate(MARK, name)
    tab.click("#marked button:not([hidden])")


def queue(tab: Browser) -> dict[str, str]:
    """The status of each row, by the file's name."""
    return tab.evaluate(QUEUE)


def becomes(tab: Browser, expected: dict[str, str], seconds: float = 30) -> None:
    assert eventually(lambda: queue(tab) == expected, seconds), queue(tab)


def shelf_holds(tab: Browser, count: int) -> None:
    """Wait until so many documents are listed."""
    assert eventually(lambda: tab.evaluate(SHELF) == count, 20), tab.evaluate(SHELF)


def downloads(person: Account) -> list[dict[str, Any]]:
    """What the server's log tells of downloads by somebody."""
    stored = {document["public_id"] for document in person.documents}
    return [
        line for line in person.site.lines if line["message"] == "downloaded" and stored.issuperset(line["documents"])
    ]


def test_the_page_starts_every_time(tab: Browser, origin: str) -> None:
    """WebKitGTK spun for ever now and then, while a module that awaited another was a script of its own too."""
    for _visit in range(10):
        visit(tab, origin)


def test_one_signs_in_by_the_keyboard(tab: Browser, person: Account) -> None:
    """A wrong password is told, the e-mail is kept, and the right one opens the page."""
    tab_to(tab, "email")
    tab.type(person.email)
    tab_to(tab, "password")
    tab.type("not-" + PASSWORD)
    tab.press(ENTER)
    assert eventually(lambda: tab.evaluate(TEXT, "#sign-in-error") != "")
    assert tab.evaluate("() => document.querySelector('#email').value") == person.email
    tab_to(tab, "password")
    tab.press(CONTROL, "a")
    tab.type(person.password)
    tab.press(ENTER)
    tab.wait_for("#choose")
    assert tab.evaluate(TEXT, "#who") == person.email
    assert not tab.shows("#sign-in")


def test_a_mixed_batch_is_sorted(inside: Browser, person: Account, disk: Disk) -> None:
    """What is good arrives, nine megabytes too; what is not says so and is never sent."""
    good = [disk("a.pdf"), disk("b.docx", (FILES / "python-docx-small.docx").read_bytes()), disk("c.txt")]
    large = disk("large.pdf", size=9_000_000)
    refused = [disk("d.exe", b"MZ"), disk("e.pdf", b"\x89PNG\r\n\x1a\n"), disk("f.pdf", b"")]
    inside.choose("#files", *good, *refused, large)
    arrived = {path.name: "SUCCESS" for path in (*good, large)}
    becomes(inside, arrived | {path.name: "FAILED" for path in refused})
    shelf_holds(inside, len(arrived))
    assert sorted(person.names) == sorted(arrived)
    assert len(inside.evaluate("() => uploads.keys")) == len(arrived)


def test_a_cancelled_upload_makes_room_for_the_next(inside: Browser, person: Account, disk: Disk) -> None:
    """The row is cancelled at once, the next one starts, and nothing of it is stored."""
    files = [disk(f"{number}.pdf", size=9_000_000) for number in range(4)]
    with frozen(person.site):
        inside.choose("#files", *files)
        becomes(inside, {"0.pdf": "UPLOADING", "1.pdf": "UPLOADING", "2.pdf": "UPLOADING", "3.pdf": "PENDING"})
        cross(inside, "1.pdf")
        becomes(inside, {"0.pdf": "UPLOADING", "1.pdf": "CANCELLED", "2.pdf": "UPLOADING", "3.pdf": "UPLOADING"})
    becomes(inside, {"0.pdf": "SUCCESS", "1.pdf": "CANCELLED", "2.pdf": "SUCCESS", "3.pdf": "SUCCESS"})
    shelf_holds(inside, 3)
    assert sorted(person.names) == ["0.pdf", "2.pdf", "3.pdf"]


def test_documents_are_searched_and_taken_as_one(inside: Browser, person: Account, disk: Disk) -> None:
    """A search by the keyboard, a range by Shift and Space, and one ZIP of it; Escape brings the others back."""
    inside.choose("#files", *[disk(f"{name}.pdf") for name in ("plan", "tax1", "tax2", "tax3")])
    shelf_holds(inside, 4)
    inside.click("#search")
    inside.type("TAX")
    shelf_holds(inside, 3)
    inside.click("#documents-list > li:first-child .pick")
    inside.evaluate("() => document.querySelector('#documents-list > li:last-child .pick').focus()")
    inside.press(SHIFT, " ")
    assert eventually(lambda: inside.evaluate(TEXT, "#selection-text").startswith("3 selected"))
    inside.click("#selection-zip")
    assert eventually(lambda: [len(line["documents"]) for line in downloads(person)] == [3])
    inside.click("#search")
    inside.press(ESCAPE)
    shelf_holds(inside, 4)
    assert inside.evaluate(TEXT, "#selection-text").startswith("3 selected")


def test_an_expired_session_is_refreshed_once(inside: Browser, person: Account, disk: Disk) -> None:
    """Without its access token the page uploads and lists after exactly one refresh."""
    inside.forget_cookies("token")
    inside.choose("#files", *[disk(f"{number}.pdf") for number in range(5)])
    becomes(inside, {f"{number}.pdf": "SUCCESS" for number in range(5)})
    inside.click("#refresh")
    shelf_holds(inside, 5)
    assert eventually(lambda: inside.evaluate(IDLE))  # a list that is still being read is not read again
    assert inside.evaluate(REFRESHES) == 1
    inside.forget_cookies("token")
    inside.click("#refresh")
    assert eventually(lambda: inside.evaluate(REFRESHES) == 2)
    shelf_holds(inside, 5)
    assert len(person.names) == 5


def test_a_link_is_made_copied_by_hand_and_ended(inside: Browser) -> None:
    """Issue 11: without a clipboard the field is selected."""
    inside.evaluate("() => { Object.defineProperty(navigator, 'clipboard', { value: undefined }); }")
    inside.click("#pages [data-page=requests]")
    inside.wait_for("#requests-empty")
    inside.click("#request-title")
    inside.type("Tax papers")
    inside.press(ENTER)
    inside.wait_for("#requests-list .copy")
    assert eventually(lambda: inside.evaluate("() => document.activeElement.matches('.copy')"))
    inside.click("#requests-list .copy")
    link = r"^http://[^#]+/request#[0-9a-f]{32}[.][0-9a-f]{32}$"
    assert eventually(lambda: re.search(link, inside.evaluate(SELECTION)))
    inside.click("#requests-list .end")
    inside.wait_for("#confirm")
    inside.click("#confirm-yes")
    inside.wait_for("#requests-empty")
    assert inside.evaluate(FOCUSED) == "requests-h"


def test_a_sent_file_waits_for_its_answer(inside: Browser, person: Account, disk: Disk) -> None:
    """Once the last byte has left, the row says so and is not sent again while the server takes its time."""
    inside.evaluate(HURRY, {"stall": 1_000, "finish": 60_000, "watch": 50, "retries": [10, 10, 10]})
    with frozen(person.site):
        inside.choose("#files", disk("a.pdf"))
        assert eventually(lambda: inside.evaluate(SENT, "a.pdf"))
        # longer than `stall`: that nothing is sent again cannot be waited for
        inside.evaluate("() => new Promise((wake) => { setTimeout(wake, 2_000); })")
        assert inside.evaluate(SENT, "a.pdf")
    becomes(inside, {"a.pdf": "SUCCESS"})
    assert len(inside.evaluate("() => uploads.keys")) == 1
    assert person.names == ["a.pdf"]


def test_what_is_cancelled_after_it_was_sent_is_looked_up(inside: Browser, person: Account, disk: Disk) -> None:
    """Its outcome is unknown, and so the list is loaded again and shows what there is."""
    inside.evaluate(HURRY, {"settle": 100})
    with frozen(person.site):
        inside.choose("#files", disk("a.pdf"))
        assert eventually(lambda: inside.evaluate(SENT, "a.pdf"))
        before = inside.evaluate(LOOKS)
        cross(inside, "a.pdf")
        becomes(inside, {"a.pdf": "CANCELLED"})
    assert eventually(lambda: inside.evaluate(LOOKS) == before + 1)
    shelf_holds(inside, len(person.names))
    assert queue(inside) == {"a.pdf": "CANCELLED"}


def test_a_visitor_sends_files_by_a_link(tab: Browser, person: Account, disk: Disk, origin: str) -> None:
    """Issue 11: no account, a name if one likes, what arrived stays in sight, and in the end the request is over."""
    asked = ask(person, maxFiles=3)
    tab.goto(origin + asked.link)
    tab.evaluate(HEED)
    tab.wait_for("#choose", 60)
    assert tab.evaluate(TEXT, "#visit-h") == "Tax papers 2026"
    tab.click("#sender")
    tab.type("Ana")
    tab.choose("#files", disk("a.pdf"), disk("b.pdf", size=3_000_000), disk("c.exe", b"MZ"))
    becomes(tab, {"a.pdf": "SUCCESS", "b.pdf": "SUCCESS", "c.exe": "FAILED"})
    tab.wait_for("#thanks")
    assert tab.evaluate(TEXT, "#thanks-text") == "2 files arrived. Thank you."
    tab.choose("#files", disk("d.txt"))
    tab.wait_for("#end")
    assert not tab.shows("#zone")
    assert sorted(asked.received) == [("a.pdf", "Ana"), ("b.pdf", "Ana"), ("d.txt", "Ana")]
    assert tab.evaluate("() => [location.hash, document.cookie]") == [f"#{asked.secret}", ""]


def test_a_killed_server_is_waited_for(tab: Browser, tmp_path: Path, disk: Disk) -> None:
    """What was on its way or had still to go waits, and is stored exactly once by the server that comes back."""
    runs = [start_live(tmp_path)]
    person = Account(runs[0], "admin@localhost")
    try:
        visit(tab, f"http://127.0.0.1:{person.site.port}")
        sign_in(tab, person)
        tab.choose("#files", disk("early.pdf"))
        becomes(tab, {"early.pdf": "SUCCESS"})
        person.site.process.send_signal(signal.SIGSTOP)
        names = [f"{number}.pdf" for number in range(5)]
        tab.choose("#files", disk(names[0]), *[disk(name, size=9_000_000) for name in names[1:]])
        assert eventually(lambda: list(queue(tab).values()).count("UPLOADING") == 3)
        person.site.stop(signal.SIGKILL)
        becomes(tab, {"early.pdf": "SUCCESS"} | dict.fromkeys(names, "PENDING"))
        tab.wait_for("#banner")
        runs.append(start_live(tmp_path, PORT=str(person.site.port)))
        becomes(tab, dict.fromkeys(["early.pdf", *names], "SUCCESS"))
        assert not tab.shows("#banner")
        shelf_holds(tab, 6)
        assert sorted(person.names) == sorted(["early.pdf", *names])
    finally:
        for live in runs:
            live.stop(signal.SIGKILL)

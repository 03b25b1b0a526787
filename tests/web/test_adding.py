"""How files come in, but for drops: rows A1 to A16 of the behaviour table."""
# ruff: noqa: N802 - tests are named for their rows

import re
import unicodedata

import pytest
from playwright.sync_api import Page, expect

from tests.support.bodies import FILES
from tests.support.clock import allowance
from tests.support.engines import ROOT
from tests.web.steps import (
    COUNT_UPLOADS,
    UPLOAD,
    Account,
    Watch,
    choose,
    drop,
    patience,
    row,
    rows,
    throttle,
)

LIMIT = 10 * 1024 * 1024
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# How long the page stood still from the moment it has the files: reading 1,000 paths is the browser's own work.
WATCH_TASKS = """() => {
    [window.tasks, window.appended] = [[], []];
    let since = Infinity;
    const length = ({ startTime, duration }) => startTime + duration - Math.max(startTime, since);
    document.getElementById('files').addEventListener('change', () => { since = performance.now(); }, true);
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(length))).observe({ type: 'longtask' });
    new MutationObserver((records) => appended.push(...records.map(({ addedNodes }) => addedNodes.length)))
        .observe(document.getElementById('queue-list'), { childList: true });
}"""
PASTE = """([selector, files]) => {
    const clipboardData = new DataTransfer();
    for (const name of files) clipboardData.items.add(new File(['hello'], name));
    if (!files.length) clipboardData.setData('text/plain', 'words');
    const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
    document.querySelector(selector).dispatchEvent(event);
    return event.defaultPrevented;
}"""


def sent(watch: Watch) -> int:
    """Return how many uploads were requested."""
    return watch.requests.count("POST /api/upload")


def test_A1_chooser(signed_in: Page, disk):
    """A plain button opens a chooser for many files by Enter and by Space, and has the focus afterwards."""
    signed_in.on("filechooser", lambda _: None)  # a listener that comes with the key press can come too late
    button = signed_in.get_by_role("button", name="Choose files")
    assert button.get_attribute("type") == "button"
    for number, key in enumerate(["Enter", "Space"], 1):
        button.focus()
        with signed_in.expect_file_chooser(timeout=5000) as chooser:
            signed_in.keyboard.press(key)
        assert chooser.value.is_multiple()
        chooser.value.set_files([disk(f"{key}.pdf")])
        expect(rows(signed_in, "SUCCESS")).to_have_count(number)
        expect(button).to_be_focused()


def test_A2_accept(signed_in: Page):
    """The chooser is told extensions and MIME types, as the server's limits name them."""
    accept = signed_in.locator("#files").get_attribute("accept") or ""
    assert sorted(accept.split(",")) == sorted([".pdf", ".docx", ".txt", "application/pdf", DOCX, "text/plain"])


def test_A3_type(signed_in: Page, person: Account, watch: Watch):
    """The last extension decides, whatever its case and the browser's MIME type; the part carries ours."""
    signed_in.evaluate(COUNT_UPLOADS)
    docx = (FILES / "python-docx-small.docx").read_bytes()
    good = [("F.PDF", "", b"%PDF-1.7\n%%EOF\n"), ("b.docx", "", docx), ("c.txt", "application/x-odd", b"hello")]
    bad = [("a.pdf.exe", "application/pdf", b"%PDF-1.7"), ("NOEXT", "text/plain", b"hello"), ("d.docm", DOCX, docx)]
    choose(signed_in, *({"name": name, "mimeType": mime, "buffer": body} for name, mime, body in good + bad))
    expect(rows(signed_in, "SUCCESS")).to_have_count(3)
    expect(rows(signed_in, "FAILED")).to_have_count(3)
    for name, _, _ in bad:
        expect(row(signed_in, name).locator(".meta")).to_have_text("Not added. The file must be a PDF, DOCX or TXT.")
    parts = [["F.PDF", "application/pdf"], ["b.docx", DOCX], ["c.txt", "text/plain"]]
    assert sorted(signed_in.evaluate("uploads.parts")) == sorted(parts)
    assert sorted(person.names) == ["F.PDF", "b.docx", "c.txt"]
    assert sent(watch) == 3


def test_A4_size(signed_in: Page, disk, person: Account, watch: Watch, site):
    """A file of the limit passes, one byte more and an empty one do not; the limit is the server's."""
    assert f'"maxFileBytes":{LIMIT}' in site.request("GET", "/api/limits")[2].decode().replace(" ", "")
    expect(signed_in.locator("#hint")).to_have_text("PDF, DOCX or TXT · up to 10 MB each")
    choose(signed_in, disk("less.pdf", size=LIMIT - 1), disk("exact.pdf", size=LIMIT))
    choose(signed_in, disk("more.pdf", size=LIMIT + 1), disk("empty.txt", b""))
    expect(row(signed_in, "more.pdf").locator(".meta")).to_have_text(
        "Not added. The file must be 10 MB or smaller. This one is slightly larger."
    )
    expect(row(signed_in, "empty.txt").locator(".meta")).to_have_text("Not added. The file is empty.")
    expect(rows(signed_in, "SUCCESS")).to_have_count(2)
    assert sorted(document["size"] for document in person.documents) == [LIMIT - 1, LIMIT]
    assert sent(watch) == 2


def test_A5_sniff(signed_in: Page, disk, watch: Watch):
    """A file whose first bytes belie its name is refused without a request."""
    png = FILES / "refused" / "png-renamed.pdf"
    choose(signed_in, png, disk("nul.txt", b"a\0b"), disk("pdf.docx", b"%PDF-1.7\n"))
    expect(rows(signed_in, "FAILED")).to_have_count(3)
    for meta in rows(signed_in).locator(".meta").all():
        expect(meta).to_have_text("Not added. The file's content doesn't match its name.")
    assert sent(watch) == 0


def test_A5_not_stricter_than_the_server(signed_in: Page, person: Account):
    """Every odd but good file of the collection passes the look at its first bytes, and the server's."""
    files = sorted(path for path in FILES.iterdir() if path.suffix in {".pdf", ".docx", ".txt"})
    choose(signed_in, *files)
    expect(rows(signed_in, "SUCCESS")).to_have_count(len(files))
    assert len(person.names) == len(files)


def test_A6_same_file_again(signed_in: Page, disk):
    """Choosing the same path twice gives two `change` events, and two rows once the first has arrived:
    the second is held back until it is wanted."""
    signed_in.evaluate(
        "() => { window.changes = 0; document.getElementById('files').addEventListener('change', () => changes++) }"
    )
    signed_in.on("filechooser", lambda _: None)  # see A1
    path = disk("same.pdf")
    for number in (1, 2):
        with signed_in.expect_file_chooser(timeout=5000) as chooser:
            signed_in.locator("#choose").click()
        chooser.value.set_files([path])
        expect(rows(signed_in)).to_have_count(number)
        expect(rows(signed_in, "SUCCESS")).to_have_count(1)
        expect(signed_in.locator("#documents-list > li")).to_have_count(1)
    assert signed_in.evaluate("changes") == 2
    signed_in.get_by_role("button", name="Upload anyway: same.pdf").click()
    expect(rows(signed_in, "SUCCESS")).to_have_count(2)


def test_A7_duplicate(signed_in: Page, disk, person: Account):
    """A file that waits or is on its way is not added again, and that is said; afterwards it may be."""
    path = disk("x.pdf", size=1_000_000)
    throttle(signed_in, 5_000)
    choose(signed_in, path)
    expect(rows(signed_in, "UPLOADING")).to_have_count(1)
    choose(signed_in, path)
    expect(signed_in.locator("#announcer-status")).to_contain_text("x.pdf is already in the list")
    expect(rows(signed_in)).to_have_count(1)
    signed_in.get_by_role("button", name="Cancel upload of x.pdf").click()
    throttle(signed_in, 0)
    choose(signed_in, path)
    expect(rows(signed_in)).to_have_count(2)
    expect(rows(signed_in, "SUCCESS")).to_have_count(1)
    assert person.names == ["x.pdf"]


def test_A7_again_after_a_failure(signed_in: Page, disk, person: Account, allow):
    """A file whose upload failed may be added again."""
    allow("ERR_FAILED")
    patience(signed_in, retries=[])
    path = disk("x.pdf")
    signed_in.route(UPLOAD, lambda route: route.abort())
    choose(signed_in, path)
    expect(rows(signed_in, "FAILED")).to_have_count(1)
    signed_in.unroute(UPLOAD)
    choose(signed_in, path)
    expect(rows(signed_in, "SUCCESS")).to_have_count(1)
    expect(rows(signed_in)).to_have_count(2)
    assert person.names == ["x.pdf"]


def test_A12_paste(signed_in: Page, person: Account):
    """Pasted files are added, but not into a field or under a dialog; pasted text is left alone."""
    assert signed_in.evaluate(PASTE, ["body", ["a.txt", "b.txt"]])
    expect(rows(signed_in, "SUCCESS")).to_have_count(2)
    assert not signed_in.evaluate(PASTE, ["body", []])
    signed_in.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    assert not signed_in.evaluate(PASTE, ["textarea", ["c.txt"]])
    signed_in.evaluate("document.getElementById('confirm').showModal()")
    assert not signed_in.evaluate(PASTE, ["#confirm", ["d.txt"]])
    signed_in.evaluate("document.getElementById('confirm').close()")
    signed_in.evaluate(PASTE, ["body", ["e.txt"]])
    expect(rows(signed_in, "SUCCESS")).to_have_count(3)
    assert sorted(person.names) == ["a.txt", "b.txt", "e.txt"]


def test_A13_order_and_cap(signed_in: Page, disk, person: Account):
    """Rows and starts keep the order of the drops; never more than three uploads are in flight."""
    signed_in.evaluate(COUNT_UPLOADS)
    throttle(signed_in, 400_000)
    first = [disk(f"{number:02}.pdf", size=20_000) for number in range(12)]
    second = [disk(f"{number:02}.pdf", size=20_000) for number in range(12, 15)]
    drop(signed_in, *first)
    expect(rows(signed_in, "UPLOADING")).to_have_count(3)
    drop(signed_in, *second)
    expect(rows(signed_in, "SUCCESS")).to_have_count(15)
    assert rows(signed_in).locator(".full").all_text_contents() == [path.name for path in first + second]
    ids = rows(signed_in).evaluate_all("(rows) => rows.map((row) => row.dataset.id)")
    assert signed_in.evaluate("uploads") == signed_in.evaluate("uploads") | {"now": 0, "most": 3, "keys": ids}
    assert sorted(person.names) == [path.name for path in first + second]


def test_A14_many_files(signed_in: Page, disk):
    """A thousand files come in at one stroke, and the page never stands still for 200 ms."""
    paths = [disk(f"{number:04}.txt") for number in range(1000)]
    throttle(signed_in, 100)
    for _ in range(3):  # other work on the machine can make a task long, but not three times
        signed_in.evaluate(WATCH_TASKS)
        choose(signed_in, *paths)
        expect(rows(signed_in)).to_have_count(1000)
        expect(rows(signed_in, "UPLOADING")).to_have_count(3)
        expect(signed_in.locator("#queue-summary")).to_have_text("0 of 1,000 uploaded")
        assert signed_in.evaluate("appended") == [1000]
        assert rows(signed_in).last.evaluate("(row) => getComputedStyle(row).contentVisibility") == "auto"
        if max(longest := signed_in.evaluate("tasks"), default=0) <= 1000 * allowance(0.2):
            return
        signed_in.evaluate("onbeforeunload = null")
        signed_in.reload()
        expect(signed_in.locator("#hint")).not_to_be_empty()
    pytest.fail(f"long tasks: {longest}")


def test_A15_names(signed_in: Page, disk, person: Account):
    """Names are sent in NFC, isolated from the text around them, and cut in the middle with their end in sight."""
    signed_in.evaluate(COUNT_UPLOADS)
    nfd = unicodedata.normalize("NFD", "Müllabfuhr é.txt")
    rtl, long = "דוח שנתי 2024.pdf", "Quarterly report of the northern region " * 5 + "final.docx"
    choose(signed_in, disk(nfd), disk(rtl), disk(long, (FILES / "python-docx-small.docx").read_bytes()))
    expect(rows(signed_in, "SUCCESS")).to_have_count(3)
    names = [unicodedata.normalize("NFC", nfd), rtl, long]
    assert sorted(name for name, _ in signed_in.evaluate("uploads.parts")) == sorted(names)
    assert sorted(person.names) == sorted(names)
    for name in names:
        whole = row(signed_in, name)
        expect(whole.locator("bdi.full")).to_have_text(name)
        expect(whole.locator(".name")).to_have_attribute("title", name)
    cut, tail = row(signed_in, long).locator(".stem"), row(signed_in, long).locator(".tail")
    expect(tail).to_have_text(re.compile(r"\.docx$"))
    assert cut.evaluate("(stem) => stem.scrollWidth > stem.clientWidth")
    assert tail.evaluate("(tail) => tail.getBoundingClientRect().right <= tail.closest('li').clientWidth + "
                         "tail.closest('li').getBoundingClientRect().left")  # fmt: skip


def test_A16_hostile_name(signed_in: Page, disk, person: Account, allow):
    """A name that is markup is shown as text, and the browser refuses `innerHTML` altogether."""
    hostile = "<img src=x onerror=document.title='gotcha'>.txt"
    choose(signed_in, disk(hostile))
    expect(rows(signed_in, "SUCCESS")).to_have_count(1)
    expect(row(signed_in, hostile)).to_have_count(1)
    expect(signed_in.locator("#documents-list .full")).to_have_text(hostile)
    assert signed_in.locator("img").count() == 0
    assert signed_in.title() != "gotcha"
    assert person.names == [hostile]
    allow("TrustedHTML", "CSP: require-trusted-types-for", "Trusted Type")
    attempt = "() => { try { document.body.innerHTML = 'x' } catch ({ name }) { return name } }"
    assert signed_in.evaluate(attempt) == "TypeError"


@pytest.mark.parametrize("sink", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("])
def test_A16_no_sink(sink: str):
    """Nothing in web/ turns text into markup or code."""
    sources = [path for path in (ROOT / "web").rglob("*") if path.suffix in {".js", ".html"}]
    assert len(sources) > 10
    assert [path for path in sources if sink in path.read_text()] == []

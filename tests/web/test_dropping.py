"""What is dragged over the page and dropped on it: rows A8 to A11 of the behaviour table."""
# ruff: noqa: N802 - tests are named for their rows

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.steps import Account, Drag, Watch, drop, middle, patience, row, rows

UNREADABLE_FOLDERS = """() => {
    const { webkitGetAsEntry } = DataTransferItem.prototype;
    const readEntries = (_, refuse) => refuse(new DOMException('', 'NotReadableError'));
    DataTransferItem.prototype.webkitGetAsEntry = function () {
        const entry = webkitGetAsEntry.call(this);
        if (entry.isDirectory) Object.defineProperty(entry, 'createReader', { value: () => ({ readEntries }) });
        return entry;
    };
}"""


def sent(watch: Watch) -> int:
    """Return how many uploads were requested."""
    return watch.requests.count("POST /api/upload")


def test_A8_folder(signed_in: Page, disk, tmp_path: Path, watch: Watch, person: Account):
    """A folder that cannot be read becomes one failed row and no request; the files dropped with it still upload."""
    folder = tmp_path / "holiday.pdf"
    folder.mkdir()
    (folder / "inside.pdf").write_bytes(b"%PDF-1.7\n")
    signed_in.evaluate(UNREADABLE_FOLDERS)
    drop(signed_in, disk("a.pdf"), folder, disk("b.txt"))
    expect(rows(signed_in, "SUCCESS")).to_have_count(2)
    expect(rows(signed_in, "FAILED")).to_have_count(1)
    expect(row(signed_in, "holiday.pdf").locator(".meta")).to_have_text(
        "Not added. The folder can't be read. Open it and choose the files in it."
    )
    assert sent(watch) == 2
    assert sorted(person.names) == ["a.pdf", "b.txt"]


def test_A9_drop_anywhere(signed_in: Page, disk, origin: str):
    """A drop anywhere on the page adds the files and goes nowhere."""
    bottom = signed_in.viewport_size["height"] - 3
    for number, spot in enumerate([(3, 3), (3, bottom), middle(signed_in.locator("#documents-h"))], 1):
        drop(signed_in, disk(f"{number}.pdf"), at=spot)
        expect(rows(signed_in, "SUCCESS")).to_have_count(number)
    assert signed_in.url == f"{origin}/"


def test_A9_text_is_left_alone(signed_in: Page):
    """Dragging text or a link neither lights the zone up nor is swallowed."""
    signed_in.evaluate("""() => { window.swallowed = [];
        for (const type of ['dragenter', 'dragover', 'drop'])
            addEventListener(type, (event) => swallowed.push([type, event.defaultPrevented])); }""")
    for mime in ("text/plain", "text/uri-list"):
        drag = Drag(signed_in, items=[{"mimeType": mime, "data": "http://127.0.0.1/words"}])
        del drag.data["files"]
        drag.enter(*middle(signed_in.locator("#zone")))
        drag.over(*middle(signed_in.locator("#zone")))
        expect(signed_in.locator("#zone")).to_have_attribute("data-drag", "")
    seen = signed_in.evaluate("swallowed")
    assert ["dragenter", False] in seen
    assert not any(prevented for _, prevented in seen)


def test_A10_no_flicker(signed_in: Page, disk):
    """A drag across the zone's children changes one attribute once, leaving changes it once more."""
    zone = signed_in.locator("#zone")
    zone.evaluate("""(zone) => { window.changed = [];
        const note = (records) => changed.push(...records.map(({ attributeName }) => attributeName));
        new MutationObserver(note).observe(zone, { attributes: true, subtree: true }); }""")
    box, drag = zone.bounding_box(), Drag(signed_in, disk("a.pdf"))
    points = [(box["x"] + box["width"] * (i + 0.5) / 6, box["y"] + box["height"] * (j + 0.5) / 4)
              for j in range(4) for i in range(6)]  # fmt: skip
    drag.enter(*points[0])
    for point in points:
        drag.over(*point)
    expect(zone).to_have_attribute("data-drag", "ok")
    assert signed_in.evaluate("changed") == ["data-drag"]
    zone.dispatch_event("dragleave")  # over the CDP a drag that is given up tells the page nothing
    expect(zone).to_have_attribute("data-drag", "")
    assert signed_in.evaluate("changed") == ["data-drag"] * 2


def test_A10_no_drag_is_stuck(signed_in: Page, disk):
    """The look of a drag ends with the drop, and when no `dragover` comes any more."""
    zone = signed_in.locator("#zone")
    patience(signed_in, dragGone=300)
    Drag(signed_in, disk("a.pdf")).enter(*middle(zone))
    expect(zone).to_have_attribute("data-drag", "ok")
    expect(zone).to_have_attribute("data-drag", "")
    patience(signed_in, dragGone=60_000)
    drop(signed_in, disk("b.pdf"))
    expect(zone).to_have_attribute("data-drag", "")


def test_A11_drag_verdict(signed_in: Page, disk, tmp_path: Path):
    """The look is "bad" only when every file is known to be refused; mixed, unknown and folders look good."""
    zone, verdict = signed_in.locator("#zone"), signed_in.locator("#verdict")
    folder = tmp_path / "folder"
    folder.mkdir()
    png, pdf, odd = disk("a.png"), disk("b.pdf"), disk("NOEXT")
    cases = [([png], "bad"), ([png, pdf], "ok"), ([odd], "ok"), ([png, odd], "ok"), ([folder], "ok")]
    for files, look in cases:
        Drag(signed_in, *files).enter(*middle(zone))
        expect(zone).to_have_attribute("data-drag", look)
        number = f"{len(files)} file{'s' if len(files) > 1 else ''}"
        bad = "These files can't be added. PDF, DOCX or TXT only."
        expect(verdict).to_have_text(bad if look == "bad" else f"Drop to add {number}")
        zone.dispatch_event("dragover")  # leaves the "just entered" state
        zone.dispatch_event("dragleave")
        expect(zone).to_have_attribute("data-drag", "")

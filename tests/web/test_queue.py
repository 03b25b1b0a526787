"""The rows of the queue and what can be done with them: rows B1 to B7 of the behaviour table."""
# ruff: noqa: N802 - tests are named for their rows

import re

from playwright.sync_api import Page, expect

from tests.support.bodies import FILES
from tests.web.steps import (
    COUNT_UPLOADS,
    Account,
    Watch,
    choose,
    count_at_server,
    frozen,
    lose,
    patience,
    row,
    rows,
    throttle,
)

# Every status and every value of the bar that the list's rows show, in their order.
RECORD = """() => { window.shown = [];
    new MutationObserver((records) => { for (const { target, attributeName } of records)
        shown.push([attributeName, target.getAttribute(attributeName)]); })
        .observe(document.getElementById('queue-list'),
                 { subtree: true, attributes: true, attributeFilter: ['data-status', 'value'] }); }"""


def statuses(page: Page) -> list[str]:
    """Return the statuses shown since RECORD, without repetitions."""
    seen = [value for name, value in page.evaluate("shown") if name == "data-status"]
    return [value for at, value in enumerate(seen) if at == 0 or value != seen[at - 1]]


def values(page: Page) -> list[float]:
    """Return the values the bar has shown since RECORD."""
    return [float(value) for name, value in page.evaluate("shown") if name == "value" and value is not None]


def test_B1_states(signed_in: Page, disk, allow):
    """A row says where it is: waiting, uploading, uploaded, failed, cancelled; what was refused is finished."""
    allow("status of 415")
    refused = FILES / "refused" / "docm-renamed.docx"
    throttle(signed_in, 20_000)
    choose(signed_in, disk("a.pdf", size=200_000), disk("b.pdf", size=200_000), refused, disk("d.pdf"))
    expect(rows(signed_in, "UPLOADING")).to_have_count(3)
    expect(row(signed_in, "d.pdf")).to_have_attribute("data-status", "PENDING")
    signed_in.get_by_role("button", name="Cancel upload of a.pdf").click()
    expect(row(signed_in, "a.pdf")).to_have_attribute("data-status", "CANCELLED")
    throttle(signed_in, 0)
    for name in ("b.pdf", "d.pdf"):
        expect(row(signed_in, name)).to_have_attribute("data-status", "SUCCESS")
    failed = row(signed_in, refused.name)
    expect(failed).to_have_attribute("data-status", "FAILED")
    expect(failed.locator(".meta")).to_contain_text("Not uploaded. ")
    expect(failed.get_by_role("button")).to_have_accessible_name(f"Remove {refused.name}")  # and no Retry
    expect(signed_in.get_by_role("button", name="Retry failed")).to_be_hidden()
    signed_in.evaluate(RECORD)
    signed_in.get_by_role("button", name="Retry a.pdf").click()
    expect(row(signed_in, "a.pdf")).to_have_attribute("data-status", "SUCCESS")
    assert set(statuses(signed_in)) <= {"PENDING", "UPLOADING", "SUCCESS"}
    assert statuses(signed_in)[-1] == "SUCCESS"
    expect(signed_in.locator("#queue-summary")).to_have_text("3 of 4 uploaded · 1 failed")
    signed_in.get_by_role("button", name="Clear finished").click()
    expect(rows(signed_in)).to_have_count(0)


# Of every two states whether one may follow the other.
ADVANCE = """async (states) => {
    const { advance } = await import('/js/item.js');
    const may = (from, to) => {
        const item = { status: from };
        try { advance(item, to); } catch { return item.status !== from; }
        return item.status === to;
    };
    return Object.fromEntries(states.map((from) => [from, states.filter((to) => may(from, to))]));
}"""


def test_B1_no_other_transition(signed_in: Page):
    """What may not follow a state throws, and leaves the row in it."""
    allowed = {
        "PENDING": ["UPLOADING", "FAILED", "CANCELLED"],  # a visitor's request has ended meanwhile
        "UPLOADING": ["PENDING", "SUCCESS", "FAILED", "CANCELLED"],
        "SUCCESS": [],
        "FAILED": ["PENDING"],
        "CANCELLED": ["PENDING"],
    }
    assert signed_in.evaluate(ADVANCE, list(allowed)) == allowed


def test_B2_no_false_100(signed_in: Page, disk, site, person: Account):
    """A file that was sent but not answered is "Checking…" with a bar that promises nothing."""
    signed_in.evaluate(RECORD)
    with frozen(site):
        choose(signed_in, disk("a.pdf", size=30_000))
        here = row(signed_in, "a.pdf")
        expect(here.locator(".meta")).to_have_text("Checking…")
        expect(here).to_have_attribute("data-status", "UPLOADING")
        expect(here.locator("progress")).to_be_visible()
        assert here.locator("progress").get_attribute("value") is None
        assert count_at_server(person) == 0
    expect(here).to_have_attribute("data-status", "SUCCESS")
    assert max(values(signed_in), default=0) <= 99
    assert count_at_server(person) == 1


def test_B3_no_events(signed_in: Page, disk, person: Account):
    """A row reaches SUCCESS although no event of its upload was ever seen."""
    signed_in.route("**/api/upload", lambda route: route.fulfill(response=route.fetch()))
    signed_in.evaluate("Object.defineProperty(XMLHttpRequestUpload.prototype, 'onprogress', { set() {} })")
    signed_in.evaluate("Object.defineProperty(XMLHttpRequestUpload.prototype, 'onload', { set() {} })")
    choose(signed_in, disk("a.txt"))
    expect(rows(signed_in, "SUCCESS")).to_have_count(1)
    assert person.names == ["a.txt"]


def test_B4_monotonic(signed_in: Page, disk):
    """The bar only grows within one try, never past 99, and a retry starts again at 0."""
    signed_in.evaluate(RECORD)
    throttle(signed_in, 150_000)
    choose(signed_in, disk("a.pdf", size=250_000))
    progress = signed_in.get_by_role("progressbar", name="Uploading a.pdf")
    expect(progress).to_have_attribute("value", re.compile("^[2-9][0-9]"))
    signed_in.get_by_role("button", name="Cancel upload of a.pdf").click()
    expect(progress).to_be_hidden()
    first = values(signed_in)
    assert first == sorted(first)
    assert first[0] < 20 <= first[-1] <= 99
    signed_in.evaluate("() => { shown.length = 0 }")
    throttle(signed_in, 1_000_000)
    signed_in.get_by_role("button", name="Retry a.pdf").click()
    expect(rows(signed_in, "SUCCESS")).to_have_count(1)
    again = values(signed_in)
    assert again == sorted(again)
    assert again[0] < first[-1]
    assert again[-1] <= 99


def test_B5_cancel(signed_in: Page, disk, person: Account):
    """A waiting row is never sent; one on its way is aborted and the next starts at once; others are untouched."""
    signed_in.evaluate(COUNT_UPLOADS)
    throttle(signed_in, 30_000)
    choose(signed_in, *(disk(f"{number}.pdf", size=60_000) for number in range(5)))
    expect(rows(signed_in, "UPLOADING")).to_have_count(3)
    ids = rows(signed_in).evaluate_all("(rows) => rows.map((row) => row.dataset.id)")
    signed_in.get_by_role("button", name="Cancel upload of 3.pdf").click()
    expect(row(signed_in, "3.pdf")).to_have_attribute("data-status", "CANCELLED")
    signed_in.get_by_role("button", name="Cancel upload of 1.pdf").click()
    expect(row(signed_in, "1.pdf")).to_have_attribute("data-status", "CANCELLED")
    expect(row(signed_in, "4.pdf")).to_have_attribute("data-status", "UPLOADING")
    expect(rows(signed_in, "UPLOADING")).to_have_count(3)
    throttle(signed_in, 0)
    expect(rows(signed_in, "SUCCESS")).to_have_count(3)
    expect(rows(signed_in, "CANCELLED")).to_have_count(2)
    assert signed_in.evaluate("uploads.keys") == [ids[0], ids[1], ids[2], ids[4]]
    assert signed_in.evaluate("uploads.most") == 3
    assert sorted(person.names) == ["0.pdf", "2.pdf", "4.pdf"]


def test_B6_cancel_late(signed_in: Page, disk, site, watch: Watch, person: Account):
    """A cancel after the last byte leaves the outcome open: the list is read again and shows what did arrive."""
    patience(signed_in, settle=500)
    before = sum(request.startswith("GET /api/documents") for request in watch.requests)
    with frozen(site):
        choose(signed_in, disk("late.pdf"))
        expect(row(signed_in, "late.pdf").locator(".meta")).to_contain_text("Checking…")
        with signed_in.expect_request("**/api/documents?*") as asked:
            signed_in.get_by_role("button", name="Cancel upload of late.pdf").click()
            expect(row(signed_in, "late.pdf")).to_have_attribute("data-status", "CANCELLED")
    answer = asked.value.response()
    assert answer
    assert answer.ok
    expect(row(signed_in, "late.pdf")).to_have_attribute("data-status", "CANCELLED")
    expect(signed_in.locator("#documents-list > li")).to_have_count(len(answer.json()["documents"]))
    assert sum(request.startswith("GET /api/documents") for request in watch.requests) == before + 1


def test_B7_retry(signed_in: Page, disk, person: Account, allow):
    """Stored, but the answer was lost: the retry goes under the same key, and there is one document."""
    allow("ERR_FAILED")
    signed_in.evaluate(COUNT_UPLOADS)
    patience(signed_in, retries=[])

    signed_in.route("**/api/upload", lose)
    choose(signed_in, disk("a.txt"))
    expect(row(signed_in, "a.txt").locator(".meta")).to_have_text("Not uploaded. The connection was interrupted.")
    assert count_at_server(person) == 1
    signed_in.unroute("**/api/upload")
    signed_in.get_by_role("button", name="Retry a.txt").click()
    expect(rows(signed_in, "SUCCESS")).to_have_count(1)
    keys = signed_in.evaluate("uploads.keys")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert count_at_server(person) == 1


def test_B7_retry_failed(signed_in: Page, disk, person: Account, allow):
    """ "Retry failed" sends what failed again, behind what already waits, and nothing else."""
    allow("ERR_FAILED")
    patience(signed_in, retries=[])
    signed_in.route("**/api/upload", lambda route: route.abort())
    choose(signed_in, disk("a.txt"), disk("b.txt"), disk("empty.txt", b""))
    expect(rows(signed_in, "FAILED")).to_have_count(3)
    signed_in.unroute("**/api/upload")
    signed_in.evaluate(COUNT_UPLOADS)
    throttle(signed_in, 40_000)
    choose(signed_in, *(disk(f"{number}.pdf", size=30_000) for number in range(4)))
    expect(rows(signed_in, "UPLOADING")).to_have_count(3)
    ids = rows(signed_in).evaluate_all("(rows) => rows.map((row) => row.dataset.id)")
    signed_in.get_by_role("button", name="Retry failed").click()
    expect(row(signed_in, "a.txt")).to_have_attribute("data-status", "PENDING")
    throttle(signed_in, 0)
    expect(rows(signed_in, "SUCCESS")).to_have_count(6)
    expect(rows(signed_in, "FAILED")).to_have_count(1)
    assert signed_in.evaluate("uploads.keys") == [*ids[3:], *ids[:2]]
    assert count_at_server(person) == 6


ADD_TWICE = """async () => {
    const { UploadQueue } = await import('/js/queue.js');
    const limits = { maxFileBytes: 100, types: [{ extension: '.txt', mimetype: 'text/plain' }] };
    const session = Object.assign(new EventTarget(), { active: false, user: { id: 1 } });
    const network = Object.assign(new EventTarget(), { up: true });
    const queue = new UploadQueue({ session, network, limits });
    const added = [];
    queue.addEventListener('add', ({ detail: { items } }) => added.push(items.length));
    const file = (name) => ({ id: 'a', file: new File(['hello'], name) });
    await queue.add([file('a.txt')]);
    await queue.add([file('b.txt')]);
    return [added, queue.all().map(({ name }) => name)];
}"""


def test_a_row_is_there_once(signed_in: Page):
    """What comes in under the id of a row makes no second one, which would be a ghost when the first is removed."""
    assert signed_in.evaluate(ADD_TWICE) == [[1, 0], ["a.txt"]]

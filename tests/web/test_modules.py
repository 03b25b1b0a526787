"""The client's modules one by one, by `import()` in the page: no bundler, no second run-time."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.web.steps import Watch

LIMITS = """const limits = { maxFileBytes: 100, types: [
    { extension: '.pdf', mimetype: 'application/pdf' },
    { extension: '.docx', mimetype: 'application/x-docx' }, { extension: '.txt', mimetype: 'text/plain' }] };"""


@pytest.fixture(scope="module")
def blank(browser: Browser, browser_context_args: dict[str, Any], origin: str) -> Iterator[Page]:
    """A page of the site where modules can be imported; one for all, as what they export keeps nothing by itself."""
    watch, context = Watch(origin), browser.new_context(**browser_context_args)
    watch.heed(context)
    page = context.new_page()
    page.goto("/")
    yield page
    context.close()
    assert watch.unexpected == []


def run(page: Page, module: str, names: str, body: str) -> Any:
    """Import `names` from a module and return what `body` returns."""
    return page.evaluate(f"async () => {{ const {{ {names} }} = await import('/js/{module}.js'); {LIMITS} {body} }}")


def test_format_bytes(blank: Page):
    sizes = [0, 1, 812, 1024, 217_088, 8_493_466, 10 * 1024 * 1024]
    said = run(blank, "format", "bytes", f"return {sizes}.map((size) => bytes(size))")
    assert said == ["0 bytes", "1 byte", "812 bytes", "1 kB", "212 kB", "8.1 MB", "10 MB"]


def test_format_names(blank: Page):
    """A long name is cut before its end, whole letters at a time; marks that turn the text are made visible."""
    cut = run(blank, "format", "splitName", "return splitName('Quarterly report of the northern region.pdf')")
    assert "".join(cut) == "Quarterly report of the northern region.pdf"
    assert cut[1].endswith(".pdf")
    assert run(blank, "format", "splitName", "return splitName('a.pdf')") == ["a.pdf", ""]
    assert run(blank, "format", "shown", r"return shown('a\u202efdp.exe')") == "a\ufffdfdp.exe"
    assert run(blank, "format", "badge", "return ['a.PDF', 'b.docx', 'c'].map(badge)") == ["PDF", "DOC", "–"]


def test_format_when(blank: Page):
    days = "['2025-03-05T10:04', '2025-03-04T18:20', '2025-02-01T09:00']"
    body = f"return {days}.map((day) => when(new Date(day), new Date('2025-03-05T12:00')))"
    assert run(blank, "format", "when", body) == ["today, 10:04", "yesterday, 18:20", "1 Feb 2025, 09:00"]
    assert run(blank, "format", "ago", "return [5e3, 12e4, 72e5].map(ago)") == [
        "just now", "2 minutes ago", "2 hours ago"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.pdf", "'%PDF-1.7'", ""),
        ("a.PDF", "'junk %PDF-1.7'", ""),
        ("a.pdf", "'hello'", "content"),
        ("a.docx", r"'PK\x03\x04'", ""),
        ("a.txt", r"'a\0b'", "content"),
        ("a.txt", r"new Uint8Array([255, 254, 65, 0])", ""),
        ("a.txt", "''", "empty"),
        ("a.txt", "'x'.repeat(100)", ""),
        ("a.txt", "'x'.repeat(101)", "size"),
        ("a.pdf.exe", "'%PDF-'", "type"),
        (".pdf", "'%PDF-'", "type"),
    ],
)
def test_validate(blank: Page, name: str, content: str, code: str):
    assert run(blank, "validate", "validate", f"return validate(new File([{content}], '{name}'), limits)") == code


def test_http_judge(blank: Page):
    """Good answers yield their body; refusals, strange pages and waits are told apart."""
    body = """const tell = (...answer) => {
        try { return judge(...answer); } catch (e) { return [e.constructor.name, e.status, e.code, e.retryAfter]; } };
      return [tell(200, { ok: true, a: 1 }), tell(200, null), tell(415, { error: 'type', message: 'No.' }),
              tell(429, null, '8'), tell(503, null, 'x')];"""
    assert run(blank, "http", "judge", body) == [
        {"ok": True, "a": 1},
        ["NetworkTrouble", None, "network", None],
        ["ApiError", 415, "type", 0],
        ["ApiError", 429, "", 8],
        ["ApiError", 503, "", 0],
    ]


QUEUE = """const { isActive } = await import('/js/item.js');
    const authorised = (send) => send();
    const session = Object.assign(new EventTarget(), { active: true, user: { id: 1 }, authorised });
    const network = Object.assign(new EventTarget(), { up: true, check: async () => 200 });
    const timing = { retries: [5, 10, 20], jitter: 0 };
    const log = [], states = [];
    const make = (send) => {
        const queue = new UploadQueue({ send, session, network, limits, timing });
        queue.addEventListener('change', ({ detail: { item } }) => {
            if (states.at(-1) !== item.status) states.push(item.status); });
        return queue;
    };
    const file = (name) => ({ file: new File(['hello'], name) });
    const settled = async (queue, active) => {
        while (queue.all(active).length) await new Promise((wake) => setTimeout(wake, 2)); };"""


def test_queue_tries_again(blank: Page):
    """What passes is tried at most three times more; a refusal is not."""
    body = """const { ApiError } = await import('/js/http.js');
      const queue = make(async ({ name, id }) => { log.push(name);
          throw new ApiError(name === 'a.txt' ? 500 : 415, null); });
      await queue.add([file('a.txt'), file('b.txt')]);
      await settled(queue, isActive);
      return [log.sort().join(' '), queue.all().map(({ status }) => status)];"""
    assert run(blank, "queue", "UploadQueue", QUEUE + body) == [
        "a.txt a.txt a.txt a.txt b.txt",
        ["FAILED", "FAILED"],
    ]


def test_queue_states(blank: Page):
    """Lost connections put a row back; what is done stays done, and cancelled work can be tried again."""
    body = """let answer;
      const queue = make((item, { signal }) => new Promise((resolve, reject) => {
          answer = resolve; signal.addEventListener('abort', () => reject(signal.reason)); }));
      const turn = () => new Promise((wake) => setTimeout(wake, 2));
      const change = (up) => { network.up = up; network.dispatchEvent(new Event('change')); };
      await queue.add([file('a.txt')]);
      const [item] = queue.all();
      await turn(); change(false); await turn(); change(true); await turn();
      queue.cancel(item); queue.retry(item); await turn(); answer({}); await settled(queue, isActive);
      queue.retry(item); queue.cancel(item); await turn();
      return states;"""
    assert run(blank, "queue", "UploadQueue", QUEUE + body) == [
        "UPLOADING", "PENDING", "UPLOADING", "CANCELLED", "PENDING", "UPLOADING", "SUCCESS"]  # fmt: skip


KEPT_FILES = """const kept = new KeptFiles();
    const row = (id, user, turn, facts) => {
        const file = new File([id], `${id}.txt`);
        return { id, user, turn, added: Date.now(), file, ...facts }; };
    const ids = async (user) => (await kept.load(user)).map(({ id }) => id);"""


def test_kept_files(blank: Page):
    """Each user's rows in their order; one that cannot be kept costs no other; a week is enough."""
    body = """const added = Date.now();
      const first = await kept.keep([row('a', 1, 2, { added }), row('b', 1, 1, { added }), row('c', 2, 1)]);
      const spoilt = row('d', 1, 3, { file: () => {} });
      const second = await kept.keep([spoilt, row('e', 1, 4), row('old', 2, 1, { added: added - 8 * 24 * 3_600_000 })]);
      const { file } = (await kept.load(1))[0];
      const before = [first, second, await ids(1), await ids(2), file.name, await file.text()];
      await kept.drop(['b', 'nobody']);
      await kept.empty(2);
      return [...before, await ids(1), await ids(2)];"""
    assert run(blank, "kept-files", "KeptFiles", KEPT_FILES + body) == [
        ["a", "b", "c"], ["e", "old"], ["b", "a", "e"], ["c"], "b.txt", "b", ["a", "e"], []]  # fmt: skip


def test_kept_files_outlive_their_database(blank: Page):
    """Data that somebody deletes meanwhile is just gone; what comes next is kept again."""
    body = """await kept.keep([row('a', 1, 1)]);
      await new Promise((resolve) => { indexedDB.deleteDatabase('unfinished-uploads').onsuccess = resolve; });
      return [await ids(1), await kept.keep([row('b', 1, 1)]), await ids(1)];"""
    assert run(blank, "kept-files", "KeptFiles", KEPT_FILES + body) == [[], ["b"], ["b"]]


def test_a_hint_asks_anew_where_a_question_is_on_its_way(blank: Page):
    """That was asked while the connection was away: its answer is no news of the one that is back (web.md §5)."""
    asked = run(
        blank,
        "network",
        "Network",
        """
        const page = Object.assign(new EventTarget(), { document });
        const questions = [];
        const probe = () => new Promise((answer) => questions.push(answer));
        const network = new Network({ probe, timing: { probes: [600_000] } });
        network.heed(page);
        network.note(0);
        network.check();
        page.dispatchEvent(new Event('online'));
        const before = questions.length;
        questions[0](0);
        await new Promise((done) => setTimeout(done));
        const after = questions.length;
        questions.at(-1)(200);
        await new Promise((done) => setTimeout(done));
        return [before, after, network.up, questions.length];""",
    )
    assert asked == [1, 2, True, 2]

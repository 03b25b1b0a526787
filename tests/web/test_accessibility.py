"""What axe finds in nine states, two schemes and two widths, and what it does not look for: names, news, focus."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.steps import (
    REFUSED,
    UNREACHED,
    UPLOAD,
    Account,
    Watch,
    choose,
    expect_all,
    expect_status,
    expire,
    frozen,
    hold,
    patience,
    pdf,
    row,
    rows,
    shelf,
    sign_in,
)

AXE = (Path(__file__).parent / "axe.min.js").read_text()
RUN = """async () => {
  const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const { violations, incomplete } = await axe.run(document, { runOnly });
  const short = ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`;
  return [...violations, ...incomplete].map(short);
}"""
PNG = {"name": "png-renamed.pdf", "mimeType": "application/pdf", "buffer": b"\x89PNG\r\n\x1a\n"}
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)]


def check(page: Page) -> None:
    """Let axe look at the page in both schemes and at both widths."""
    page.evaluate(AXE)
    found = {}
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        if problems := page.evaluate(RUN):
            found[scheme, width] = problems
    assert found == {}


def test_axe_sign_in(page: Page, person: Account, watch: Watch) -> None:
    """The sign-in page, before and after a wrong password."""
    watch.allowed.append(f"{REFUSED} 401")
    page.goto("/")
    expect(page.locator("#sign-in-view")).to_be_visible()
    check(page)
    sign_in(page, Account(person.site, person.email, "not the password"))
    expect(page.locator("#sign-in-error")).not_to_be_empty()
    expect(page.locator("#password")).to_be_focused()
    expect(page.locator("#password")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#email")).to_have_value(person.email)
    check(page)


def test_axe_empty(signed_in: Page) -> None:
    """The page without documents."""
    check(signed_in)


@contextmanager
def mixed(page: Page, person: Account, disk: Callable[..., Path]) -> Iterator[None]:
    """A queue with a row in every state."""
    patience(page, retries=[])
    choose(page, pdf("done.pdf"))
    expect_status(page, "done.pdf", "SUCCESS")
    page.route("**/api/upload", lambda route: route.abort("connectionreset"))
    choose(page, pdf("failed.pdf"), PNG)
    expect_all(page, "FAILED", 2)
    page.unroute("**/api/upload")
    with frozen(person.site):
        choose(page, *[disk(f"way{number}.pdf", size=9_000_000 if number else 1000) for number in range(5)])
        expect(row(page, "way0.pdf")).to_contain_text("Checking…")
        row(page, "way4.pdf").get_by_role("button", name="Cancel upload of way4.pdf").click()
        expect_status(page, "way4.pdf", "CANCELLED")
        yield
    expect_all(page, "SUCCESS", 5)


def test_axe_mixed_queue(
    signed_in: Page, person: Account, allow: Callable[..., None], disk: Callable[..., Path]
) -> None:
    """Rows in every state; bars and buttons have names that tell the file."""
    allow(UNREACHED)
    with mixed(signed_in, person, disk):
        check(signed_in)
        for name in ("way0.pdf", "way1.pdf"):
            bar = signed_in.get_by_role("progressbar", name=f"Uploading {name}", exact=True)
            expect(bar).to_be_visible()
            expect(bar).to_have_accessible_description(row(signed_in, name).locator(".meta").inner_text())
        for name in ("Cancel upload of way3.pdf", "Retry failed.pdf", "Retry way4.pdf", "Remove done.pdf"):
            expect(signed_in.get_by_role("button", name=name, exact=True)).to_be_visible()
        expect(signed_in.get_by_role("button", name="Retry way4.pdf")).to_be_focused()
        expect(signed_in.get_by_role("button", name="Retry png-renamed.pdf")).to_have_count(0)


@pytest.mark.parametrize(("mimetype", "verdict"), [("application/pdf", "ok"), ("image/png", "bad")])
def test_axe_dragging(signed_in: Page, mimetype: str, verdict: str) -> None:
    """The zone under a drag that is welcome, and under one that is not."""
    patience(signed_in, dragGone=60_000)
    enter = """(type) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(['x'], 'x', { type }));
      document.getElementById('zone').dispatchEvent(new DragEvent('dragenter', { bubbles: true, dataTransfer }));
    }"""
    signed_in.evaluate(enter, mimetype)
    expect(signed_in.locator("#zone")).to_have_attribute("data-drag", verdict)
    check(signed_in)


def test_axe_offline(signed_in: Page, allow: Callable[..., None]) -> None:
    """The banner; it is also said aloud, as an alert."""
    allow(UNREACHED)
    patience(signed_in, speakClear=60_000)
    signed_in.context.set_offline(True)
    expect(signed_in.locator("#banner")).to_be_visible()
    expect(signed_in.locator("#announcer-alert")).to_contain_text("You're offline.")
    check(signed_in)


def test_axe_delete_dialog(signed_in: Page) -> None:
    """The question before a document is deleted: Cancel has the focus, and gives it back."""
    choose(signed_in, pdf("a.pdf"))
    button = signed_in.get_by_role("button", name="Delete a.pdf")
    button.click()
    dialog = signed_in.get_by_role("dialog", name="Delete a.pdf?")
    expect(dialog).to_have_accessible_description("This cannot be undone.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    check(signed_in)
    signed_in.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(shelf(signed_in)).to_have_count(1)


def test_axe_sign_in_again(signed_in: Page, allow: Callable[..., None]) -> None:
    """The dialog when a session has ended; it is also said aloud."""
    allow(f"{REFUSED} 401")
    patience(signed_in, speakClear=60_000)
    expire(signed_in.context, session=True)
    choose(signed_in, pdf("a.pdf"))
    dialog = signed_in.get_by_role("dialog", name="Sign in again")
    expect(dialog).to_have_accessible_description("Your session has ended. Sign in to continue. 1 file is waiting.")
    expect(signed_in.locator("#password")).to_be_focused()
    expect(signed_in.locator("#announcer-alert")).to_contain_text("Your session has ended.")
    check(signed_in)


def test_news_of_a_batch(signed_in: Page) -> None:
    """Additions and the end are said politely, never file by file; the voices are empty at first."""
    for name in ("status", "alert"):
        expect(signed_in.locator(f"#announcer-{name}")).to_be_empty()
        expect(signed_in.locator(f"#announcer-{name}")).to_have_attribute("role", name)
    signed_in.evaluate("""() => {
      window.said = [];
      const voice = document.getElementById('announcer-status');
      new MutationObserver(() => voice.textContent && said.push(voice.textContent)).observe(voice, { childList: true });
    }""")
    patience(signed_in, speakGap=0)
    held, status = hold(signed_in, UPLOAD), signed_in.locator("#announcer-status")
    choose(signed_in, *[pdf(f"n{number}.pdf") for number in range(4)], PNG)
    news = ["4 files added, 1 not added", *(f"{percent}% uploaded" for percent in (25, 50, 75))]
    for text in news:
        expect(status).to_have_text(text)
        held.pop(0).continue_()
    expect(status).to_have_text("4 files uploaded")
    assert signed_in.evaluate("said") == [*news, "4 files uploaded"]


def test_focus_after_removal(signed_in: Page) -> None:
    """A removed row hands the focus to the one above it, the last to the zone's button or the heading."""
    choose(signed_in, pdf("a.pdf"), pdf("b.pdf"))
    expect_all(signed_in, "SUCCESS", 2)
    signed_in.get_by_role("button", name="Remove b.pdf").click()
    expect(signed_in.get_by_role("button", name="Remove a.pdf")).to_be_focused()
    signed_in.keyboard.press("Enter")
    expect(rows(signed_in)).to_have_count(0)
    expect(signed_in.locator("#choose")).to_be_focused()

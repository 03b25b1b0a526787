"""Take the README's pictures: a real server, a real Chromium, every main state at the width of a desk, of a tablet and
of a phone, the first and the last in both schemes.

Run `.venv/bin/python -m docs.screenshots`; the PNGs go to docs/screenshots/. `CHROMIUM` names another browser.
"""

import base64
import json
import os
import shutil
import signal
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.support.bodies import FILES
from tests.support.engines import Live, start_live
from tests.support.people import PASSWORD
from tests.web.leaving import expect_kept, leave
from tests.web.listing import ask_for, pick, search, send, store
from tests.web.steps import Account, Drag, middle
from tests.web.visiting import ask

OUT = Path(__file__).resolve().parent / "screenshots"
TABLET = 768  # narrower screens are phones'
HEIGHTS = {1280: 860, TABLET: 1024, 390: 844}
LOOKS = [(1280, "light"), (1280, "dark"), (TABLET, "light"), (390, "light"), (390, "dark")]
EMAIL, COLLEAGUE = "maria@example.org", "ben@example.org"
PDF, DOCX, TXT = (FILES / name for name in ("cairo.pdf", "libreoffice.docx", "ascii.txt"))
PATIENCE = 60_000
NOTE = "Dear Ana,\nplease send me what you have for 2026: letters of the bank, insurance, rent.\nThank you, Maria"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:152.0) Gecko/20100101 Firefox/152.0"
QUOTA = 100 * 1024 * 1024  # bytes
LONG = "Quarterly report of the northern region, with all appendices, final.pdf"


COUNT_COLOURS = """async (png) => {
  const blob = new Blob([Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0))]);
  const image = await createImageBitmap(blob);
  const [canvas, seen, index] = [new OffscreenCanvas(image.width, image.height), new Map(), new Map()];
  const brush = canvas.getContext('2d');
  brush.drawImage(image, 0, 0);
  const pixels = new Uint32Array(brush.getImageData(0, 0, image.width, image.height).data.buffer);
  for (const pixel of pixels) seen.set(pixel, (seen.get(pixel) ?? 0) + 1);
  const part = (pixel, shift) => (pixel >> shift) & 255;
  const tint = (pixel) => Math.abs(part(pixel, 0) - part(pixel, 8)) + Math.abs(part(pixel, 8) - part(pixel, 16));
  const weight = ([pixel, times]) => times * (8 + tint(pixel));
  const palette = [...seen].sort((a, b) => weight(b) - weight(a)).slice(0, 256).map(([pixel]) => pixel);
  const far = (a, b) => [0, 8, 16].reduce((sum, shift) => sum + (part(a, shift) - part(b, shift)) ** 2, 0);
  const closer = (pixel) => (best, one, at) => (far(one, pixel) < far(palette[best], pixel) ? at : best);
  const nearest = (pixel) => palette.reduce(closer(pixel), 0);
  for (const pixel of seen.keys()) index.set(pixel, nearest(pixel));
  const letters = Array.from(pixels, (pixel) => String.fromCharCode(index.get(pixel))).join('');
  return [image.width, palette.flatMap((pixel) => [0, 8, 16].map((shift) => part(pixel, shift))), btoa(letters)];
}"""


def small(page: Page, png: bytes) -> bytes:
    """Return the picture in its 256 commonest colours, a third of the size; the browser does the counting."""
    width, palette, letters = page.evaluate(COUNT_COLOURS, base64.b64encode(png).decode())
    pixels = base64.b64decode(letters)
    rows = [b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width)]
    header = struct.pack(">2I5B", width, len(rows), 8, 3, 0, 0, 0)
    chunks = {b"IHDR": header, b"PLTE": bytes(palette), b"IDAT": zlib.compress(b"".join(rows), 9), b"IEND": b""}
    marked = ((kind + content, len(content)) for kind, content in chunks.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", size) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk, size in marked
    )


def named(folder: Path, name: str, source: Path, size: int = 0) -> Path:
    """Return a file of that name with `source`'s content, padded to `size`."""
    path = folder / name
    content = source.read_bytes()
    path.write_bytes(content + b" " * (size - len(content)))
    return path


def tell(page: Page, **timing: int) -> None:
    """Change how patient the client is."""
    page.evaluate("async (timing) => Object.assign((await import('/js/config.js')).TIMING, timing)", timing)


@contextmanager
def halted(live: Live) -> Iterator[None]:
    """Let the server answer nothing meanwhile; the system still takes in what fits its buffers."""
    live.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        live.process.send_signal(signal.SIGCONT)


def sign_in(page: Page, live: Live) -> None:
    page.goto(f"http://127.0.0.1:{live.port}/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#app-view")).to_be_visible()
    tell(page, fold=600_000)  # rows stay where the pictures want them


def row(page: Page, name: str) -> Locator:
    return page.locator("#queue-list .row").filter(has=page.locator(".full").filter(has_text=name))


class Album:
    """The pictures of one width and one scheme."""

    def __init__(self, live: Live, context: BrowserContext, width: int, scheme: str) -> None:
        self.live, self.context, self.suffix = live, context, f"{width}-{scheme}"
        self.page, self.blank = context.new_page(), context.new_page()
        self.page.bring_to_front()

    def take(self, state: str, *, still: bool = False) -> None:
        if not still:
            self.page.mouse.move(0, 0)
        shot = self.page.screenshot(animations="disabled", caret="hide", scale="css")
        (OUT / f"{state}-{self.suffix}.png").write_bytes(small(self.blank, shot))

    def sign_in(self) -> None:
        self.page.goto(f"http://127.0.0.1:{self.live.port}/")
        expect(self.page.locator("#sign-in-view")).to_be_visible()
        self.take("sign-in")
        sign_in(self.page, self.live)

    def empty(self) -> None:
        expect(self.page.get_by_text("No files yet.")).to_be_visible()
        self.page.evaluate("document.activeElement.blur()")
        self.take("empty")

    def documents(self, folder: Path) -> None:
        files = [("Minutes of 12 May.txt", TXT), ("Contract Ødegård & Søn.docx", DOCX), ("Invoice 2041.pdf", PDF)]
        self.page.locator("#files").set_input_files([named(folder, *one) for one in files])
        expect(self.page.get_by_text("3 of 3 uploaded")).to_be_visible(timeout=PATIENCE)
        self.page.get_by_role("button", name="Clear finished").click()
        expect(self.page.locator("#documents-list .row")).to_have_count(3)
        self.page.evaluate("document.activeElement.blur()")
        self.take("documents")
        self.page.get_by_role("button", name="Delete Minutes of 12 May.txt").click()
        expect(self.page.locator("#confirm")).to_be_visible()
        self.take("delete")
        self.page.get_by_role("button", name="Cancel", exact=True).click()

    def mixed(self, folder: Path) -> None:
        page, choose = self.page, self.page.locator("#files").set_input_files
        tell(page, retries=[], probe=PATIENCE)
        choose(named(folder, "Minutes of 13 May.txt", TXT))
        expect(row(page, "Minutes of 13")).to_have_attribute("data-status", "SUCCESS", timeout=PATIENCE)
        page.route("**/api/upload", lambda route: route.abort("connectionreset"))
        choose(named(folder, "scan.pdf", PDF))
        expect(row(page, "scan.pdf")).to_have_attribute("data-status", "FAILED")
        page.unroute("**/api/upload")
        choose([FILES / "refused" / "png-renamed.pdf"])
        with halted(self.live):
            sizes = [(LONG, PDF, 9_000_000), ("Drawings.pdf", PDF, 9_900_000), ("notes.txt", TXT)]
            choose([named(folder, *one) for one in sizes])
            expect(row(page, "notes.txt")).to_contain_text("Checking")
            choose([named(folder, "plan.docx", DOCX)])
            expect(row(page, "plan.docx")).to_contain_text("Waiting")
            expect(row(page, LONG)).not_to_contain_text("Uploading · 0%")
            page.evaluate("document.activeElement.blur()")
            self.take("queue")
        expect(page.get_by_text("5 of 6 uploaded")).to_be_visible(timeout=PATIENCE)

    def offline(self, folder: Path) -> None:
        page = self.page
        page.get_by_role("button", name="Clear finished").click()
        with halted(self.live):
            page.locator("#files").set_input_files([named(folder, name, PDF) for name in ("Plan A.pdf", "Plan B.pdf")])
            tell(page, probe=500)
            self.context.set_offline(True)
            expect(page.locator("#banner")).to_contain_text("You're offline.")
            expect(row(page, "Plan B.pdf")).to_contain_text("Waiting for connection")
            page.evaluate("document.activeElement.blur()")
            self.take("offline")
        self.context.set_offline(False)
        expect(row(page, "Plan B.pdf")).to_have_attribute("data-status", "SUCCESS", timeout=PATIENCE)

    def already_there(self, folder: Path) -> None:
        page = self.page
        page.get_by_role("button", name="Clear finished").click()
        page.get_by_role("button", name="Remove scan.pdf").click()
        expect_kept(page, 0)
        page.locator("#files").set_input_files([named(folder, "Invoice 2041.pdf", PDF)])
        expect(row(page, "Invoice 2041")).to_contain_text("Already there since")
        page.evaluate("document.activeElement.blur()")
        self.take("already-there")
        page.get_by_role("button", name="Remove Invoice 2041.pdf").click()

    def notice(self, _folder: Path) -> None:
        page = self.page
        tell(page, notice=PATIENCE)
        page.get_by_role("button", name="Delete plan.docx").click()
        page.locator("#confirm-yes").click()
        expect(page.locator(".notice")).to_have_text("plan.docx deleted")
        page.evaluate("document.activeElement.blur()")
        self.take("notice")
        page.locator(".notice").click()

    def drag(self, folder: Path) -> None:
        page, where = self.page, middle(self.page.locator("#documents-h"))
        page.mouse.move(0, 0)
        tell(page, dragGone=PATIENCE)
        drag = Drag(page, *[named(folder, f"Plan {letter}.pdf", PDF) for letter in "CDE"])
        drag.enter(*where)
        drag.over(*where)
        expect(page.locator("#verdict")).to_have_text("Drop to add 3 files")
        self.take("drag", still=True)
        drag.step("dragCancel", *where)
        expect_kept(page, 0)
        page.reload()
        expect(page.locator("#documents-list .row").first).to_be_visible()

    def folded(self, folder: Path) -> None:
        page = self.page
        tell(page, fold=50, tick=50)
        page.locator("#files").set_input_files([named(folder, f"Drawing {n:02}.pdf", PDF) for n in range(1, 13)])
        expect(page.get_by_text("12 uploaded", exact=True)).to_be_visible(timeout=PATIENCE)
        page.evaluate("document.activeElement.blur()")
        self.take("folded")
        tell(page, fold=600_000)
        page.get_by_role("button", name="Clear uploaded files from the list").click()

    def unfinished(self, folder: Path) -> None:
        page = self.page
        page.route("**/api/upload", lambda _route: None)
        page.locator("#files").set_input_files([named(folder, f"Photo report {n}.pdf", PDF) for n in range(1, 8)])
        expect_kept(page, 7)
        leave(page, page.reload)
        expect(page.get_by_role("button", name="Resume 7 files")).to_be_visible()
        expect(page.locator("#documents-list .row").first).to_be_visible()
        page.evaluate("document.activeElement.blur()")
        self.take("unfinished")
        page.unroute("**/api/upload")
        page.get_by_role("button", name="Discard").click()
        page.locator("#confirm-yes").click()
        expect(page.locator("#unfinished")).to_be_hidden()
        page.locator(".notice").click()

    def ask(self, title: str, note: str = "", files: int = 100) -> str:
        """Make a request by the form and return its link."""
        page, form = self.page, self.page.locator("#requests-view form")
        form.get_by_label("Note").fill(note)
        form.get_by_label("Files at most").fill(str(files))
        form.get_by_label("Title").fill(title)
        form.get_by_label("Title").press("Enter")
        expect(page.get_by_role("button", name=f"Copy link for {title}")).to_be_focused()
        return page.get_by_label(f"Link for {title}", exact=True).input_value()

    def asking(self, _folder: Path) -> None:
        page = self.page
        page.get_by_role("link", name="Ask for files", exact=True).click()
        expect(page.locator("#requests-empty")).to_be_visible()
        page.evaluate("document.activeElement.blur()")
        self.take("asking-empty")
        for title, most, sent in (("Signed contract", 1, 1), ("Reports of the northern region", 12, 3)):
            headers = {"Authorization": f"Bearer {self.ask(title, files=most).partition('#')[2]}"}
            for number in range(sent):
                self.live.request(
                    "PUT", f"/api/upload/{title} {number + 1}.pdf".replace(" ", "%20"), PDF.read_bytes(), headers
                )
        page.get_by_role("button", name="Refresh").click()
        expect(page.locator("#requests-list")).to_contain_text("3 of 12 files")
        self.ask("Tax papers 2026", "All receipts as PDF, please, and the letter of the bank.")
        page.locator("#requests-h").evaluate("(heading) => heading.scrollIntoView()")
        self.take("asking")
        page.get_by_role("link", name="Files", exact=True).click()
        expect(page.locator("#app-view")).to_be_visible()

    def account(self, _folder: Path) -> None:
        page = self.page
        for agent in (FIREFOX, "curl/8.14.1"):
            body = json.dumps({"email": EMAIL, "password": PASSWORD}).encode()
            headers = {"Content-Type": "application/json", "User-Agent": agent}
            self.live.request("POST", "/api/auth/login", body, headers)
        page.get_by_role("link", name="Account", exact=True).click()
        expect(page.locator(".sessions .entry")).to_have_count(3)
        expect(page.locator(".storage meter")).to_be_visible()
        page.evaluate("document.activeElement.blur()")
        self.take("account")

    def token(self, _folder: Path) -> None:
        page = self.page
        for name in ("scanner", "laptop"):
            page.locator("#token-name").fill(name)
            page.get_by_role("button", name="Make token").click()
            expect(page.locator(".tokens .entry").first).to_contain_text(name)
            if name == "scanner":
                page.get_by_role("button", name="Done").click()
        page.evaluate("document.activeElement.blur()")
        page.locator("#tokens-h").evaluate("(heading) => heading.scrollIntoView()")
        self.take("token")
        page.get_by_role("link", name="Files", exact=True).click()
        expect(page.locator("#app-view")).to_be_visible()

    def listed(self, _folder: Path) -> None:
        page, maria = self.page, Account(self.live, EMAIL)
        secret = ask_for(maria, "Tax papers 2026")
        for name, sender in (("Tax certificate.txt", "Ana"), ("Payslip for the tax office.txt", "Jonas Vogel")):
            send(maria, secret, name, sender)
        store(maria, **{"Tax return 2025": 48_000, "Tax return 2026": 61_000})
        self.find("tax", 4)
        pick(page, "Tax return 2026.txt").click()
        pick(page, "Payslip for the tax office.txt").click(modifiers=["Shift"])
        self.take_list("list")
        page.locator("#search").press("Escape")

    def everyones(self, _folder: Path) -> None:
        page = self.page
        self.live.flask("users", "add", COLLEAGUE, "--password-stdin", stdin=f"{PASSWORD}\n")
        self.live.flask("users", "collector", EMAIL, "on")
        store(Account(self.live, COLLEAGUE), **{"Tax audit of May": 30_000, "Budget": 12_000})
        page.reload()
        page.get_by_role("button", name="Everyone's").click()
        self.find("t", 6)
        pick(page, "Budget.txt").click()
        self.take_list("everyones")
        page.locator("#search").press("Escape")
        page.get_by_role("button", name="Mine").click()

    def find(self, text: str, least: int) -> None:
        search(self.page, text)
        expect(self.page.locator("#documents-total")).to_contain_text("match")
        expect(self.page.locator("#documents-list .row").nth(least - 1)).to_be_visible()

    def take_list(self, state: str) -> None:
        """Take a picture that begins with the list's head."""
        expect(self.page.locator("#selection-text")).to_contain_text("selected")
        self.page.evaluate("document.activeElement.blur()")
        self.page.locator("#documents").evaluate("(section) => section.scrollIntoView()")
        self.take(state)

    def sign_in_again(self, folder: Path) -> None:
        self.context.clear_cookies(name="token")
        self.context.clear_cookies(name="refresh_token")
        self.page.locator("#files").set_input_files([named(folder, f"Part {n}.txt", TXT) for n in range(1, 4)])
        expect(self.page.get_by_role("dialog")).to_contain_text("3 files are waiting")
        self.take("sign-in-again")

    def visit(self, folder: Path) -> None:
        """What somebody without an account sees of a file request: empty, running, done, over."""
        page, choose = self.page, self.page.locator("#files").set_input_files
        asked = ask(Account(self.live, EMAIL), title="Tax papers 2026", note=NOTE, maxFiles=6)
        page.goto(f"http://127.0.0.1:{self.live.port}{asked.link}")
        expect(page.locator("#choose")).to_be_visible()
        self.take("request-empty")
        page.get_by_label("Your name").fill("Ana Costa")
        choose([named(folder, "Bank letter.txt", TXT), named(folder, "Insurance 2026.pdf", PDF)])
        expect(page.get_by_text("2 files arrived.")).to_be_visible(timeout=PATIENCE)
        with halted(self.live):
            choose([named(folder, f"{month}.pdf", PDF, 9_500_000) for month in ("Rent, January", "Rent, February")])
            expect(row(page, "February")).not_to_contain_text("Uploading · 0%")
            page.evaluate("document.activeElement.blur()")
            self.take("request-running")
        expect(page.get_by_text("4 files arrived.")).to_be_visible(timeout=PATIENCE)
        page.evaluate("document.activeElement.blur()")
        self.take("request-done")
        asked.end()
        choose([named(folder, "Donations.pdf", PDF)])
        expect(page.locator("#end")).to_be_visible()
        page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
        self.take("request-over")


def take_all(browser: Browser) -> None:
    for width, scheme in LOOKS:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            live = start_live(place, ADMIN_EMAIL=EMAIL, USER_QUOTA_BYTES=str(QUOTA))
            try:
                context = browser.new_context(
                    viewport={"width": width, "height": HEIGHTS[width]},
                    color_scheme=scheme,
                    reduced_motion="reduce",
                    locale="en-GB",
                    is_mobile=width < TABLET,
                )
                fill(Album(live, context, width, scheme), place)
                if width != TABLET:
                    Album(live, context, width, scheme).visit(place)
                context.close()
            finally:
                live.stop(signal.SIGKILL)


def fill(album: Album, place: Path) -> None:
    """Take the pictures in an order in which each leaves the page as the next one wants it."""
    album.sign_in()
    album.empty()
    first = (album.documents, album.mixed, album.offline)
    new = (album.already_there, album.notice, album.drag, album.folded, album.unfinished)
    pages = (album.asking, album.account, album.token, album.listed, album.everyones)
    for state in (*first, *new, *pages, album.sign_in_again):
        state(place)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    binary = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as tools:
        arguments = ["--disable-lcd-text", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = tools.chromium.launch(executable_path=binary, args=arguments)
        take_all(browser)
        browser.close()
    sizes = [path.stat().st_size for path in OUT.glob("*.png")]
    sys.stdout.write(f"{len(sizes)} pictures, {sum(sizes) // 1000} kB\n")


if __name__ == "__main__":
    main()

"""Languages: the same sentences in each, chosen by the browser's wishes, and a page that can be mirrored (issue 10)."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.bodies import FILES
from tests.support.engines import ROOT
from tests.web.steps import (
    REFUSED,
    UNREACHED,
    Account,
    Watch,
    choose,
    expect_all,
    expect_status,
    pdf,
    row,
    shelf,
    sign_in,
)
from tests.web.test_accessibility import check, mixed

SHOTS = os.environ.get("SHOTS")
WEB = ROOT / "web"
MODULES = [path for path in sorted((WEB / "js").rglob("*.js")) if path.parent.name != "words"]
# Keys that are put together or looked up: who says them, and which they are.
DYNAMIC = {
    "session_": {"session_ended", "session_left", "session_other"},
    "refused_": {
        "refused_empty",
        "refused_content",
        "refused_folder",
        "refused_folder_empty",
        "refused_changed",
    },
}
WORDS = """async (language) => {
    const { default: words } = await import(`/js/words/${language}.js`);
    return [words, new Intl.PluralRules(language).resolvedOptions().pluralCategories];
}"""
SEEN = """() => {
    const texts = [document.title];
    for (const element of document.body.querySelectorAll('*')) {
        if (!element.checkVisibility()) continue;
        texts.push(element.ariaLabel, element.placeholder, element.title);
        for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
    }
    return texts.map((text) => (text ?? '').trim()).filter(Boolean);
}"""
# What sticks out of the window, and whose button lies on whose text.
MISPLACED = """() => {
    const found = [];
    const tell = (what, element) => {
        found.push(`${what}: ${element.id || element.className} in ${element.closest('[id]')?.id}`);
    };
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`scrolls: ${scrollWidth} > ${clientWidth}`);
    for (const element of document.body.querySelectorAll('*')) {
        if (!element.checkVisibility() || element.closest('.vh, svg, .stem, .skip')) continue;
        const { left, right, width } = element.getBoundingClientRect();
        if (width && (left < -1 || right > innerWidth + 1)) tell('outside', element);
    }
    const boxes = (node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return [...range.getClientRects()];
    };
    for (const line of document.querySelectorAll('.row')) {
        const texts = [...line.querySelectorAll('.meta, .cut')].filter((text) => text.checkVisibility())
            .flatMap((text) => text.matches('.cut') ? [text.getBoundingClientRect()] : boxes(text));
        for (const button of line.querySelectorAll('.actions > :not([hidden])')) {
            const box = button.getBoundingClientRect();
            const meets = (text) => text.left < box.right - 1 && box.left < text.right - 1
                && text.top < box.bottom - 1 && box.top < text.bottom - 1;
            if (texts.some(meets)) tell('overlap', button);
        }
        const [name, state] = [...line.querySelectorAll('.cut, .meta')].map((text) => text.getBoundingClientRect());
        const apart = document.documentElement.dir === 'rtl' ? state.right - name.right : name.left - state.left;
        if (Math.abs(apart) > 1) tell('name apart from its state', line);
    }
    return found;
}"""
PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right|top|bottom)[\w-]*"
    r"|left|right|top|bottom|(?:(?:min|max)-)?(?:width|height)|border-(?:top|bottom)-(?:left|right)-radius)\s*:"
    r"|(?:text-align|float|clear|caption-side)\s*:\s*(?:left|right)"
)


@contextmanager
def reader(browser: Browser, given: dict[str, Any], origin: str, *languages: str) -> Iterator[tuple[Page, Watch]]:
    """A page of a browser that asks for these languages, watched."""
    watch, context = Watch(origin), browser.new_context(**given | {"locale": languages[0]})
    wishes = "[" + ", ".join(f"'{tag}'" for tag in languages) + "]"
    context.add_init_script(f"Object.defineProperty(Navigator.prototype, 'languages', {{ get: () => {wishes} }});")
    watch.heed(context)
    yield context.new_page(), watch
    context.close()
    assert watch.unexpected == []


def words_of(page: Page, language: str) -> tuple[dict[str, Any], list[str]]:
    words, categories = page.evaluate(WORDS, language)
    return words, categories


def placeholders(entry: Any) -> set[str]:
    """Return what a sentence is filled with, in all its forms."""
    forms = entry.values() if isinstance(entry, dict) else [entry]
    return {name for form in forms for name in re.findall(r"\{(\w+)\}", form)}


def test_the_languages_say_the_same(page: Page, watch: Watch) -> None:
    """The same keys with the same placeholders, and the plural forms that each language has: no more, no fewer."""
    page.goto("/")
    (english, _), (german, _) = words_of(page, "en"), words_of(page, "de")
    assert list(english) == list(german)
    assert {key: placeholders(entry) for key, entry in english.items()} == {
        key: placeholders(entry) for key, entry in german.items()
    }
    for language in ("en", "de"):
        words, categories = words_of(page, language)
        plural = {key: set(entry) for key, entry in words.items() if isinstance(entry, dict)}
        assert {key: forms for key, forms in plural.items() if forms != set(categories)} == {}
        assert all("count" in placeholders(words[key]) or key == "discard_warning" for key in plural)


def code(path: Any) -> str:
    """Return a module without its comments."""
    return re.sub(r"/\*.*?\*/|(?<![:'\"`])//[^\n]*", "", path.read_text(), flags=re.DOTALL)


def test_every_sentence_is_there_and_is_said(page: Page, watch: Watch) -> None:
    """What modules and HTML name exists in the words, and no word is there that nobody says."""
    page.goto("/")
    known = set(words_of(page, "en")[0]) - {"direction"}
    source, html = "\n".join(code(path) for path in MODULES), (WEB / "index.html").read_text()
    asked = {key for call in re.findall(r"\b(?:say|phrase)\(([^,)]*(?:\([^)]*\)[^,)]*)?)", source)
             for key in re.findall(r"'([a-z_]+)'", call)}  # fmt: skip
    asked |= set(re.findall(r'data-say(?:-label)?="([^"]*)"', html))
    made = {prefix for prefix in re.findall(r"say\(`(\w+_)\$\{", source)}
    assert made == set(DYNAMIC)
    asked |= set().union(*DYNAMIC.values())
    assert sorted(asked - known) == []
    looked_up = set(re.findall(r"'([a-z_]+)'", source))
    assert sorted(known - asked - looked_up) == []


def test_no_sentence_stands_elsewhere() -> None:
    """Neither in a module nor in the HTML, but for what is read before or without the words."""
    sentence = re.compile(r"""(['"`])([A-Z][^'"`\n]*\s[^'"`\n]*)\1""")
    found = [
        f"{path.name}: {line.strip()}"
        for path in MODULES
        for line in code(path).splitlines()
        if sentence.search(line) and "new Error(" not in line and "super(" not in line
    ]
    assert found == []
    html = re.sub(r"<!--.*?-->|<head>.*?</head>|<noscript>.*?</noscript>|<span id=\"brand\">[^<]*", "",
                  (WEB / "index.html").read_text(), flags=re.DOTALL)  # fmt: skip
    html = re.sub(r'( *)<div[^>]*id="unsupported".*?\n\1</div>|<a[^>]*data-say="skip">[^<]*', "", html, flags=re.DOTALL)
    assert [text.strip() for text in re.findall(r">([^<>]*\w[^<>]*)<", html) if text.strip()] == []


@pytest.mark.parametrize(
    "wish",
    [
        (["de-AT"], "de-AT", "Anmelden"),
        (["fr-FR", "de"], "de", "Anmelden"),
        (["fr-FR", "en-US", "de"], "en-US", "Sign in"),
        (["fr"], "en-GB", "Sign in"),
    ],
)
def test_the_reader_chooses_the_language(
    browser: Browser, browser_context_args: dict[str, Any], origin: str, wish: tuple[list[str], str, str]
) -> None:
    """The first language that the page speaks, with its region; English where there is none."""
    languages, spoken, heading = wish
    with reader(browser, browser_context_args, origin, *languages) as (page, _):
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        expect(page.locator("html")).to_have_attribute("lang", spoken)


def no_english(page: Page) -> None:
    """Find nothing on the page that only the English words hold."""

    def pieces(words: dict[str, Any]) -> set[str]:
        forms = [form for entry in words.values() for form in (entry.values() if isinstance(entry, dict) else [entry])]
        return {part.strip(" .·:,–%") for form in forms for part in re.split(r"\{\w+\}", form)}

    english, german = pieces(words_of(page, "en")[0]), pieces(words_of(page, "de")[0])
    foreign = {piece for piece in english - german if len(piece) > 3}
    seen = page.evaluate(SEEN)
    assert [text for text in seen for piece in foreign if re.search(rf"\b{re.escape(piece)}\b", text)] == []


def test_a_german_reader_meets_no_english(
    browser: Browser, browser_context_args: dict[str, Any], origin: str, person: Account
) -> None:
    """Signing in, uploading, files that are refused here and by the server, deleting; numbers and dates too."""
    with reader(browser, browser_context_args, origin, "de-AT", "en") as (page, watch):
        watch.allowed += [f"{REFUSED} 401", f"{REFUSED} 415"]
        page.goto("/")
        sign_in(page, Account(person.site, person.email, "falsch"))
        expect(page.locator("#sign-in-error")).to_have_text("E-Mail-Adresse oder Passwort ist falsch.")
        no_english(page)
        sign_in(page, person)
        expect(page.locator("#hint")).to_have_text("PDF, DOCX oder TXT · je bis zu 10 MB")
        no_english(page)
        choose(page, pdf("gross.pdf", 8_493_466), {"name": "bild.png", "mimeType": "image/png", "buffer": b"x"})
        expect(row(page, "bild.png")).to_contain_text(
            "Nicht hinzugefügt. Die Datei muss vom Typ PDF, DOCX oder TXT sein."
        )
        expect_status(page, "gross.pdf", "SUCCESS")
        expect(row(page, "gross.pdf")).to_contain_text("Hochgeladen · 8,1 MB")
        expect(shelf(page).locator(".meta")).to_have_text(re.compile(r"^8,1 MB · heute, \d\d:\d\d$"))
        choose(page, FILES / "refused/docm-renamed.docx")
        expect(row(page, "docm-renamed.docx").locator(".meta")).to_have_text(
            "Nicht hochgeladen. Dokumente mit Makros werden nicht angenommen."
        )
        no_english(page)
        check(page)
        page.get_by_role("button", name="gross.pdf löschen").click()
        expect(page.get_by_role("heading", name="gross.pdf löschen?")).to_be_visible()
        no_english(page)
        page.get_by_role("dialog").get_by_role("button", name="Löschen", exact=True).click()
        expect(page.locator("#notices")).to_have_text("gross.pdf gelöscht")
        no_english(page)
        when = "(await import('/js/format.js')).when(new Date('2025-03-04T18:20'), new Date('2025-03-09T12:00'))"
        assert page.evaluate(f"async () => {when}") == "4. März 2025, 18:20"


def test_the_style_sheets_know_no_left_and_right() -> None:
    """Logical properties throughout; only media queries speak of the window's width."""
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted((WEB / "css").glob("*.css"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if not line.lstrip().startswith("@media") and PHYSICAL.search(line)
    ]
    assert found == []


def test_the_page_can_be_mirrored(
    signed_in: Page, person: Account, allow: Callable[..., None], disk: Callable[..., Any]
) -> None:
    """From right to left nothing sticks out of the window, and no button lies on a text, as from left to right."""
    allow(UNREACHED)
    choose(signed_in, pdf("A rather long name of a report of the northern region, final version.pdf"), pdf("تقرير.pdf"))
    expect_all(signed_in, "SUCCESS", 2)
    signed_in.get_by_role("button", name="Clear finished").click()
    found = {}
    with mixed(signed_in, person, disk):
        for direction in ("ltr", "rtl"):
            signed_in.evaluate("(direction) => { document.documentElement.dir = direction; }", direction)
            for width in (1280, 390, 320):
                signed_in.set_viewport_size({"width": width, "height": 900})
                if problems := signed_in.evaluate(MISPLACED):
                    found[direction, width] = problems
                if SHOTS:
                    signed_in.screenshot(path=f"{SHOTS}/{direction}-{width}.png", full_page=True)
    assert found == {}

"""Languages: chosen by the browser's wishes, and a reader of one meets none of another (issue 10)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.bodies import FILES
from tests.support.engines import ROOT
from tests.web.steps import (
    REFUSED,
    Account,
    Watch,
    choose,
    expect_status,
    pdf,
    row,
    shelf,
    sign_in,
)
from tests.web.test_accessibility import check

PARTS = sorted(path.stem for path in (ROOT / "web" / "js" / "words").glob("*.js") if path.stem not in ("de", "en"))
WORDS = """async ([language, parts]) => {
    const words = { ...(await import(`/js/words/${language}.js`)).default };
    for (const part of parts) {
        const { default: sentences } = await import(`/js/words/${part}.js`);
        for (const key in sentences[language]) if (key in words) throw new Error(`twice: ${key}`);
        Object.assign(words, sentences[language]);
    }
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
    words, categories = page.evaluate(WORDS, [language, PARTS])
    return words, categories


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

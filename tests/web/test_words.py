"""The words: the same in each language, nowhere else in the client, each of them said, and written alike (issue 10)."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.support.engines import ROOT
from tests.web.steps import Watch
from tests.web.test_languages import words_of

WEB = ROOT / "web"
HTML = sorted(WEB.glob("*.html"))
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
LITERAL = re.compile(r"""'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`""")
# What could be a sentence or a part of one: two words, a word with a capital, an exclamation.
LIKE_WORDS = re.compile(r"[^\W\d_][,.!?…:;]?\s+[^\W\d_]|^[A-Z][a-z]|[…?!]")
# Where a text goes that people see or hear, and which is not got from the words.
SHOWN = re.compile(
    r"(?:textContent|innerText|ariaLabel|ariaDescription|title|placeholder|alt|label)\s*=\s*['\"`](?!['\"`])"
    r"|(?:announce|notice|complain|replaceChildren|createTextNode)\(\s*['\"`](?!['\"`])"
)
NO_WORDS = {
    *("Content-Type", "Retry-After", "Idempotency-Key", "Bearer ", "Files", "body, main", "li button"),
    *("input, textarea, [contenteditable]", "/api/documents?", "/api/documents/zip?", "Enter", "Escape"),
    "curl -gsS -H 'Authorization: Bearer ' -H 'Accept: text/plain' -T report.pdf \"\" | sha256sum -c --strict",
    *("request's title", "request's note", "request takes", "requests already"),  # the server's
    *("found malware in it", "it contains macros", "it is encrypted", "the archive is damaged"),  # the server's
}
PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right|top|bottom)[\w-]*"
    r"|left|right|top|bottom|(?:(?:min|max)-)?(?:width|height)|border-(?:top|bottom)-(?:left|right)-radius)\s*:"
    r"|(?:text-align|float|clear|caption-side)\s*:\s*(?:left|right)"
)


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


def test_the_plural_is_the_languages_own(page: Page, watch: Watch) -> None:
    """A language with more forms than English: Polish has `few` and `many`, and 22 is few again."""

    def add_polish(route: Route) -> None:
        body = route.fetch().text()
        polish = body.replace("{ de, en }", "{ de, en, pl: en }")
        assert polish != body
        route.fulfill(body=polish, content_type="text/javascript")

    page.route("**/js/words.js", add_polish)
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'languages', { get: () => ['pl'] });")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "pl")
    said = """async () => {
        const { learn, say } = await import('/js/words.js');
        const fake = { one: '{count} plik', few: '{count} pliki', many: '{count} plików', other: '{count} pliku' };
        learn({ pl: { fake } });
        return [0, 1, 3, 5, 12, 22, 1.5].map((count) => say('fake', { count }));
    }"""
    expected = ["0 plików", "1 plik", "3 pliki", "5 plików", "12 plików", "22 pliki", "1,5 pliku"]
    assert page.evaluate(said) == expected


def test_the_words_are_set_alike(page: Page, watch: Watch) -> None:
    """German has a space before an ellipsis and a percent sign, English none; one word for one thing in German."""
    page.goto("/")
    english, german = (sentences(words_of(page, language)[0]) for language in ("en", "de"))
    assert [text for text in english if re.search(r"\s[…%]", text)] == []
    assert [text for text in german if re.search(r"[^\s][…%]", text)] == []
    assert [text for text in german if re.search(r"noch einmal|\b[Zz]eigen\b", text)] == []
    assert [text for text in english + german if re.search(r"\.\.\.|\"|\s$|^\s|\s\s", text)] == []
    assert len([text for text in german if "…" in text]) == len([text for text in english if "…" in text]) > 5


def sentences(words: dict[str, Any]) -> list[str]:
    return [form for entry in words.values() for form in (entry.values() if isinstance(entry, dict) else [entry])]


def code(path: Any) -> str:
    """Return a module without its comments."""
    return re.sub(r"/\*.*?\*/|(?<![:'\"`])//[^\n]*", "", path.read_text(), flags=re.DOTALL)


def test_every_sentence_is_there_and_is_said(page: Page, watch: Watch) -> None:
    """What modules and HTML name exists in the words, and no word is there that nobody says."""
    page.goto("/")
    known = set(words_of(page, "en")[0]) - {"direction"}
    source, html = "\n".join(code(path) for path in MODULES), "".join(path.read_text() for path in HTML)
    asked = {key for call in re.findall(r"\b(?:say|phrase)\(([^,)]*(?:\([^)]*\)[^,)]*)?)", source)
             for key in re.findall(r"'([a-z_]+)'", call)}  # fmt: skip
    asked |= set(re.findall(r'data-say(?:-label)?="([^"]*)"', html))
    made = {prefix for prefix in re.findall(r"say\(`(\w+_)\$\{", source)}
    assert made == set(DYNAMIC)
    asked |= set().union(*DYNAMIC.values())
    assert sorted(asked - known) == []
    looked_up = set(re.findall(r"'([a-z_]+)'", source))
    assert sorted(known - asked - looked_up) == []


def literals(path: Path) -> list[str]:
    """Return the texts that stand in a module, without what is put into them; an Error's is for a log."""
    lines = [line for line in code(path).splitlines() if "new Error(" not in line and "super(" not in line]
    found = ["".join(match) for match in LITERAL.findall("\n".join(lines))]
    return [re.sub(r"\$\{[^}]*\}", "", text) for text in found]


def test_no_sentence_stands_elsewhere() -> None:
    """Neither in a module, not a word of it, nor in the HTML, but for what is read before or without the words."""
    suspects = {text for path in MODULES for text in literals(path) if LIKE_WORDS.search(text)}
    assert sorted(suspects - NO_WORDS) == []
    assert [path.name for path in MODULES if SHOWN.search(code(path))] == []
    for path in HTML:
        html = re.sub(r"<!--.*?-->|<head>.*?</head>|<noscript>.*?</noscript>|<span id=\"brand\">[^<]*", "",
                      path.read_text(), flags=re.DOTALL)  # fmt: skip
        html = re.sub(r'( *)<div[^>]*id="unsupported".*?\n\1</div>|<a[^>]*data-say="skip">[^<]*', "", html, flags=re.S)
        assert [text.strip() for text in re.findall(r">([^<>]*\w[^<>]*)<", html) if text.strip()] == []


def test_the_style_sheets_know_no_left_and_right() -> None:
    """Logical properties throughout; only media queries speak of the window's width."""
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted((WEB / "css").glob("*.css"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if not line.lstrip().startswith("@media") and PHYSICAL.search(line)
    ]
    assert found == []

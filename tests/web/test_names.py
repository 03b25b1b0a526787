"""Issue 10: how names stand in the queue and in the list: whole where they fit, else cut in the middle, on one line."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.steps import choose, expect_all, pdf, rows, shelf

ARABIC = "تقرير الربع الأول للمنطقة الشمالية مع جميع الملاحق.pdf"
HEBREW = "דוח רבעוני של האזור הצפוני עם כל הנספחים המלאים.pdf"
CJK = "北部地区第一季度报告及其所有附件的完整最终版本文件.pdf"
EMOJI = "👩‍👩‍👧‍👦🏳️‍🌈👍🏽" * 12 + ".pdf"
LONG = "Quarterly report of the northern region " * 4 + "final.pdf"
SCRIPTS = [ARABIC, HEBREW, CJK, EMOJI, LONG]
# What one sees of a name: its one piece, or its two ends. The ends lie above the cut's edge while the name fits.
SEEN = """(cut) => {
    const edge = cut.getBoundingClientRect();
    const ends = cut.querySelector('.ends').getBoundingClientRect();
    const name = cut.querySelector('.full').getBoundingClientRect();
    return { ends: Math.abs(ends.top - edge.top) < 1, hidden: ends.bottom <= edge.top + 1,
             lines: Math.round(edge.height / parseFloat(getComputedStyle(cut).lineHeight)), left: name.left - edge.left,
             inside: ends.right <= edge.right + 1 && name.left >= edge.left - 1 };
}"""
SPLIT = "async (name) => (await import('/js/format.js')).splitName(name)"


def seen(line: Locator) -> dict:
    return line.locator(".cut").evaluate(SEEN)


def lists(page: Page) -> list[Locator]:
    """Return the rows of the queue and of the list."""
    return [*rows(page).all(), *shelf(page).all()]


def test_a_long_name_takes_one_line_with_its_end_in_sight(signed_in: Page) -> None:
    """In both lists, in every script, and at the width of a phone; nothing scrolls sideways."""
    signed_in.set_viewport_size({"width": 390, "height": 900})
    choose(signed_in, *map(pdf, SCRIPTS))
    expect_all(signed_in, "SUCCESS", len(SCRIPTS))
    expect(shelf(signed_in)).to_have_count(len(SCRIPTS))
    for line in lists(signed_in):
        line.scroll_into_view_if_needed()
        assert seen(line) | {"left": 0} == {"ends": True, "hidden": False, "lines": 1, "left": 0, "inside": True}
        assert (line.locator(".tail").text_content() or "").endswith(".pdf")
        stem, tail = line.locator(".stem"), line.locator(".tail")
        assert stem.evaluate("(stem) => stem.scrollWidth > stem.clientWidth")
        assert tail.evaluate("(tail) => tail.scrollWidth <= tail.clientWidth")
    assert signed_in.evaluate("document.scrollingElement.scrollWidth <= 390")


def test_a_name_that_fits_is_one_piece(signed_in: Page) -> None:
    """Nothing cuts it, and a window that changes its width changes that."""
    name = "Quarterly report of the northern region.pdf"
    signed_in.set_viewport_size({"width": 1280, "height": 900})
    choose(signed_in, pdf(name))
    expect_all(signed_in, "SUCCESS", 1)
    expect(shelf(signed_in)).to_have_count(1)
    for width, cut in [(1280, False), (320, True), (1280, False)]:
        signed_in.set_viewport_size({"width": width, "height": 900})
        for line in lists(signed_in):
            here = seen(line)
            assert (here["ends"], here["hidden"], here["lines"]) == (cut, not cut, 1)


def test_rtl_names_sit_alike(signed_in: Page) -> None:
    """A name that is read from the right begins where all names do, in the queue and in the list."""
    choose(signed_in, pdf("דוח.pdf"), pdf("تقرير.pdf"), pdf("report.pdf"))
    expect_all(signed_in, "SUCCESS", 3)
    expect(shelf(signed_in)).to_have_count(3)
    assert [round(seen(line)["left"]) for line in lists(signed_in)] == [0] * 6


def test_those_who_listen_hear_the_name_once(signed_in: Page) -> None:
    choose(signed_in, pdf(LONG))
    expect(shelf(signed_in).get_by_role("link", name=f"Download {LONG}", exact=True)).to_be_visible()
    expect(rows(signed_in).locator(".ends")).to_have_attribute("aria-hidden", "true")
    expect(rows(signed_in).locator(".full")).to_have_text(LONG)


@pytest.mark.parametrize(
    ("name", "tail"),
    [
        (ARABIC, "لملاحق.pdf"),  # after the article's alef
        ("كتابدفترشهادةوثيقةملفات.pdf", "ملفات.pdf"),  # after a teh marbuta
        ("ججججججججججججج ججج.pdf", "ججج.pdf"),  # after the space between two words
    ],
)
def test_a_cut_spares_joined_letters(signed_in: Page, name: str, tail: str) -> None:
    """A letter that never joins the next one is a place to cut, as is a space; the pieces are the name."""
    stem, end = signed_in.evaluate(SPLIT, name)
    assert (stem + end, end) == (name, tail)


def test_a_cut_in_a_joined_word_keeps_the_shapes(signed_in: Page) -> None:
    """Where no gap is near both sides of the cut get a joiner."""
    name = "ج" * 30 + ".pdf"
    stem, end = signed_in.evaluate(SPLIT, name)
    assert (stem[-1], end[0]) == ("\u200d", "\u200d")
    assert stem[:-1] + end[1:] == name


def test_a_cut_spares_what_is_one_letter(signed_in: Page) -> None:
    """Families, flags and skin tones stay whole."""
    stem, end = signed_in.evaluate(SPLIT, EMOJI)
    assert stem + end == EMOJI
    assert end.startswith(("👩", "🏳", "👍"))

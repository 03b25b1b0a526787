"""The list searched: as people write names, beyond ASCII too, and never among somebody else's."""

import unicodedata

import pytest

from tests.support.lists import SORTS, keep, listed, names, pages, refused
from tests.support.people import Person

# --- search ---------------------------------------------------------------------------------------------------------

KEPT = ["Straße 1.txt", "ÄRGER.txt", "100% sure.txt", "100 sure.txt", "a_b.txt", "aXb.txt", r"a\b.txt", "ΣΊΣΥΦΟΣ.txt"]
KEPT += ["Ⅷ.txt", "日本語 メモ.txt", "İstanbul.txt", 'it\'s "quoted".txt', "[a-z]*.txt", "zwei  Worte.txt"]
SEARCHES = {
    "strasse": ["Straße 1.txt"],
    "STRASSE 1": ["Straße 1.txt"],
    "ärger": ["ÄRGER.txt"],
    unicodedata.normalize("NFD", "ärger"): ["ÄRGER.txt"],
    "arger": [],
    "%": ["100% sure.txt"],
    "100%": ["100% sure.txt"],
    "a_b": ["a_b.txt"],
    "_": ["a_b.txt"],
    "\\": [r"a\b.txt"],
    "a\\b": [r"a\b.txt"],
    "/": [],
    "σίσυφος": ["ΣΊΣΥΦΟΣ.txt"],
    "σίσυφοσ": ["ΣΊΣΥΦΟΣ.txt"],
    "ⅷ": ["Ⅷ.txt"],
    "メモ": ["日本語 メモ.txt"],
    "i̇stanbul": ["İstanbul.txt"],
    "'s \"q": ['it\'s "quoted".txt'],
    "[a-z]*": ["[a-z]*.txt"],
    "*": ["[a-z]*.txt"],
    "  ": ["zwei  Worte.txt"],
    "\u202e\x00zwei\n": ["zwei  Worte.txt"],  # cleaned as names are
    "' or 1=1 --": [],
    "x" * 255: [],
}


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: ascii(search)[:30])
def test_a_search_finds_part_of_a_name_in_any_case(search: str, alice: Person) -> None:
    """Issue 11, 2: as people write it, beyond ASCII too; signs of a pattern are characters."""
    keep(alice, *KEPT)
    expected = SEARCHES[search]
    for sort in SORTS:
        page = listed(alice, q=search, sort=sort)
        assert [document["filename"] for document in page["documents"]] == expected
        assert (page["total"], page["totalBytes"], page["next"]) == (len(expected), len(expected), None)


def test_an_empty_search_finds_everything(alice: Person) -> None:
    keep(alice, "a.txt", "b.txt")
    assert names(alice, q="") == names(alice, q="\u200e") == ["b.txt", "a.txt"]


def test_a_search_with_many_finds_is_paged_too(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are looked for: both ways find the same."""
    ids = keep(alice, *[f"{'odd' if n % 2 else 'even'} {n}.txt" for n in range(30)])
    for few in (2000, 3):
        monkeypatch.setattr("uploadsvc.documents.listing._FEW", few)
        assert [id_ for page in pages(alice, 4, q="ODD") for id_ in page] == ids[1::2][::-1]
        assert [id_ for page in pages(alice, 4, q="ODD", sort="size") for id_ in page] == ids[1::2][::-1]


def test_a_search_finds_nothing_of_others(alice: Person, bob: Person) -> None:
    """A25: nor do the totals tell of it."""
    keep(alice, "report.txt", "plan.txt", sizes=(10, 20))
    keep(bob, "report.txt", sizes=(5,))
    for sort in SORTS:
        page = listed(bob, q="report", sort=sort)
        assert ([len(page["documents"]), page["total"], page["totalBytes"]]) == [1, 1, 5]
        assert listed(bob, q="plan", sort=sort)["total"] == 0


BAD = ["sort=", "sort=Name", "sort=date", "sort=name,size", "all=0", "all=true", "all=11", f"q={'x' * 256}"]


@pytest.mark.parametrize("query", BAD, ids=lambda query: query[:12])
def test_what_no_list_can_be_is_400(query: str, alice: Person) -> None:
    assert refused(alice, query)

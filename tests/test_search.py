"""The list searched: as people write names, beyond ASCII too, and never among somebody else's."""

import unicodedata

import pytest

from tests.support.bodies import part
from tests.support.lists import SORTS, keep, listed, names, pages, refused
from tests.support.people import Person
from tests.support.visitors import visitor_of

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


FILE = part(filename="scan.txt", content=b"abc")


def test_a_search_finds_senders_too(alice: Person, bob: Person, carol: Person) -> None:
    """Issue 11, 2: "in names and senders", of what one may see, and not across the two."""
    ana = visitor_of(alice)
    for sender in ("Ana Straße", "Ben", None):
        ana.send(FILE, name=sender)
    visitor_of(bob).send(FILE, name="ANA")
    keep(carol, "ana.txt")
    found = {"ana": (1, 1, 1, 3), "STRASSE": (1, 0, 0, 1), "scan": (3, 1, 0, 4), "txta": (0,) * 4, ".txt": (3, 1, 1, 5)}
    asking = ((alice, {}), (bob, {}), (carol, {}), (carol, {"all": 1}))
    for search, numbers in found.items():
        for sort in SORTS:
            lists = [listed(person, q=search, sort=sort, **query) for person, query in asking]
            assert tuple(page["total"] for page in lists) == numbers, (search, sort)
            assert tuple(len(page["documents"]) for page in lists) == numbers, (search, sort)


def test_equal_names_of_several_senders_are_paged(alice: Person, carol: Person) -> None:
    """Issue 11, 2: by name, then by sender; a cursor loses and repeats none, though its document goes meanwhile."""
    ana = visitor_of(alice)
    for sender in ("Cleo", None, "ben", "Ana", "Ana"):
        ana.send(FILE, name=sender)
    keep(alice, "scan.txt.txt", "scan 2.txt")
    documents = listed(alice, sort="name")["documents"]
    assert [document["sender"] for document in documents] == [None, None, "Ana", "Ana", "ben", "Cleo", None]
    ids = [document["id"] for document in documents]
    for person, query in ((alice, {}), (carol, {"all": 1})):
        assert [id_ for page in pages(person, 2, sort="name", **query) for id_ in page] == ids
    following = listed(alice, sort="name", limit=4)["next"]
    alice.delete(f"/api/documents/{ids[3]}")
    rest = listed(alice, sort="name", before=following)["documents"]
    assert [document["id"] for document in rest] == ids[4:]


BAD = ["sort=", "sort=Name", "sort=date", "sort=name,size", "all=0", "all=true", "all=11", f"q={'x' * 256}"]


@pytest.mark.parametrize("query", BAD, ids=lambda query: query[:12])
def test_what_no_list_can_be_is_400(query: str, alice: Person) -> None:
    assert refused(alice, query)

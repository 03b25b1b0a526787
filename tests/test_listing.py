"""The list: sorted, counted and paged; each list has its own cursors."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from tests.support.bodies import part
from tests.support.engines import Live
from tests.support.lists import ROW, SORTS, keep, listed, names, pages, refused
from tests.support.people import Person
from tests.support.stack import change
from uploadsvc.extensions import db

# --- orders ---------------------------------------------------------------------------------------------------------


def test_names_are_sorted_without_their_case(alice: Person) -> None:
    """Issue 11, 2: by the code points of the folded name, on every engine alike; equal ones by their upload."""
    keep(alice, "b.txt", "Ärger.txt", "a.txt", "_.txt", "B.txt", "10.txt", "A.txt", "zebra.txt", "漢.txt")
    expected = ["10.txt", "_.txt", "a.txt", "A.txt", "b.txt", "B.txt", "zebra.txt", "Ärger.txt", "漢.txt"]
    assert names(alice, sort="name") == expected


def test_the_largest_comes_first(alice: Person) -> None:
    """Issue 11, 2: of equal ones the newest."""
    keep(alice, "a.txt", "b.txt", "c.txt", "d.txt", "e.txt", sizes=(5, 1000, 70, 5, 1001))
    assert names(alice, sort="size") == ["e.txt", "b.txt", "c.txt", "d.txt", "a.txt"]


def test_newest_is_the_order_unless_another_is_asked_for(alice: Person) -> None:
    keep(alice, "c.txt", "a.txt", "b.txt")
    assert names(alice) == names(alice, sort="newest") == ["b.txt", "a.txt", "c.txt"]


@pytest.mark.parametrize("sort", SORTS)
def test_equal_documents_are_neither_lost_nor_repeated(sort: str, alice: Person) -> None:
    """Issue 11, 2: 45 of one name and one size, in pages of seven, of one, and in one."""
    ids = keep(alice, *["scan.txt"] * 45)
    expected = ids if sort == "name" else ids[::-1]
    for limit in (7, 1, 45, 200):
        found = list(pages(alice, limit, sort=sort))
        assert [id_ for page in found for id_ in page] == expected
        assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize("sort", SORTS)
def test_what_comes_and_goes_between_pages_shifts_nothing(sort: str, alice: Person) -> None:
    """D26: a cursor stays good when its document is deleted, and everything around it."""
    ids = keep(alice, *[f"{n:02}.txt" for n in range(12)], sizes=tuple(range(100, 112)))
    expected = ids if sort == "name" else ids[::-1]
    first = listed(alice, sort=sort, limit=4)
    for gone in (expected[2], expected[3], expected[4]):
        assert alice.delete(f"/api/documents/{gone}").status_code == 200
    keep(alice, "00.txt", sizes=(999,))
    rest = listed(alice, sort=sort, before=first["next"])
    assert [document["id"] for document in rest["documents"]][: len(expected[5:])] == expected[5:]
    assert rest["total"] == 10


@pytest.mark.parametrize("sort", SORTS)
def test_a_documents_id_is_a_place_in_every_order(sort: str, alice: Person, bob: Person) -> None:
    """One's own: somebody else's is not found."""
    keep(alice, *[f"{n}.txt" for n in range(5)], sizes=(9, 8, 7, 6, 5))
    ids = [document["id"] for document in listed(alice, sort=sort)["documents"]]
    assert [document["id"] for document in listed(alice, sort=sort, before=ids[1])["documents"]] == ids[2:]
    assert refused(bob, f"sort={sort}&before={ids[1]}", 404)


# --- cursors --------------------------------------------------------------------------------------------------------

LISTS = ["", "sort=name", "sort=size", "q=t", "q=tx", "sort=name&q=t", "sort=size&q=t"]


@pytest.mark.parametrize("of", LISTS)
def test_a_cursor_is_good_for_its_list_alone(of: str, alice: Person, bob: Person) -> None:
    """Issue 11, 2: that of another order, of another search, or of somebody else is 400, never a wrong page."""
    for person in (alice, bob):
        keep(person, *[f"{n}.txt" for n in range(3)])
    cursor = alice.get(f"/api/documents?limit=1&{of}").get_json()["next"]
    for other in LISTS:
        assert refused(alice, f"{other}&before={cursor}") == (other != of)
    assert refused(bob, f"{of}&before={cursor}")


def test_the_case_of_a_search_is_no_other_search(alice: Person) -> None:
    keep(alice, "Ä1.txt", "Ä2.txt")
    cursor = listed(alice, q="Ä", limit=1)["next"]
    assert names(alice, q="ä", before=cursor) == ["Ä1.txt"]


@pytest.mark.parametrize("sort", SORTS)
def test_a_cursor_tells_neither_name_nor_number(sort: str, alice: Person) -> None:
    """D26: it stands in addresses, which proxies log; every one of them is another."""
    keep(alice, *["telltale.txt"] * 30)
    cursors = [listed(alice, sort=sort, limit=n)["next"] for n in range(1, 30)]
    assert len(set(cursors)) == 29 and len({len(cursor) for cursor in cursors}) == 1
    assert all(re.fullmatch(r"c-(?:[0-9a-f]{2}){16,}", cursor) for cursor in cursors)
    assert not [cursor for cursor in cursors if b"telltale".hex() in cursor]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("at", [2, 17, 18, -1])
def test_a_cursor_with_another_digit_is_refused(sort: str, at: int, alice: Person) -> None:
    keep(alice, "a.txt", "b.txt")
    cursor = listed(alice, sort=sort, limit=1)["next"]
    other = "0" if cursor[at] != "0" else "1"
    garbled = cursor[:at] + other + (cursor[at + 1 :] if at != -1 else "")
    for before in (garbled, cursor[:-2], cursor + "00", cursor[:18]):
        assert refused(alice, f"sort={sort}&before={before}")


# --- totals ---------------------------------------------------------------------------------------------------------


def test_the_totals_are_those_of_all_pages(alice: Person, bob: Person) -> None:
    keep(bob, "b.txt", sizes=(7,))
    ids = keep(alice, *[f"{n}.txt" for n in range(6)], sizes=(1, 2, 4, 8, 16, 32))
    for sort in SORTS:
        page = listed(alice, sort=sort, limit=2)
        assert (page["total"], page["totalBytes"]) == (6, 63)
        page = listed(alice, sort=sort, limit=2, before=page["next"])
        assert (page["total"], page["totalBytes"]) == (6, 63)
    alice.delete(f"/api/documents/{ids[4]}")
    assert [listed(alice)[name] for name in ("total", "totalBytes")] == [5, 47]
    assert [listed(bob)[name] for name in ("total", "totalBytes")] == [1, 7]


def test_the_totals_are_exact_whoever_comes_and_goes_at_once(start: Callable[..., Live]) -> None:
    """Issue 11, 2: eight uploads and deletes at a time, and what is counted is what is there."""
    live = start()
    headers = live.login()

    def come_and_go(n: int) -> None:
        answer = live.upload(headers, *(part(filename=f"{n}-{at}.txt", content=b"x" * (n + at + 1)) for at in range(3)))
        gone = json.loads(answer[2])["files"][n % 3]["id"]
        assert live.request("DELETE", f"/api/documents/{gone}", headers=headers)[0] == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, range(40)))
    page = json.loads(live.request("GET", "/api/documents?limit=200", headers=headers)[2])
    sizes = [document["size"] for document in page["documents"]]
    assert (page["total"], page["totalBytes"]) == (len(sizes), sum(sizes)) == (80, sum(sizes))
    assert live.flask("verify").returncode == 0


def test_verify_tells_where_the_number_of_documents_is_wrong(alice: Person) -> None:
    """H10: as it does with bytes."""
    keep(alice, "a.txt", "b.txt")
    with alice.app.app_context():
        db.session.execute(text("UPDATE users SET document_count = 7"))
        db.session.commit()
    done = alice.app.test_cli_runner().invoke(args=["verify"])
    assert done.exit_code == 1
    assert "Account 1: 7 documents are counted as used, but there are 2" in done.stderr


def test_a_row_that_is_no_document_yet_is_not_listed(alice: Person) -> None:
    """H2: in no order, and in no total."""
    keep(alice, "a.txt")
    change(alice.app, ROW.format(id=7, name="a.txt", size=5, status="pending"))
    change(alice.app, "UPDATE documents SET search_key = 'a.txt'")
    for query in ({"sort": sort} | search for sort in SORTS for search in ({}, {"q": "a"})):
        page = listed(alice, **query)
        assert (len(page["documents"]), page["total"], page["totalBytes"]) == (1, 1, 1)

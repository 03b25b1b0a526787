"""Collectors: who sees, downloads and deletes what others uploaded, and who does not; every look leaves a line."""

import zipfile
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from werkzeug.test import TestResponse

from tests.support.lists import SORTS, keep, listed, pages
from tests.support.people import Person, add_user
from tests.support.stack import change
from tests.support.traces import state
from tests.test_audit import of, script_of, trail
from uploadsvc.extensions import db

UNKNOWN = "0" * 32


def run(app: Flask, *arguments: str, stdin: str = "") -> Any:
    return app.test_cli_runner().invoke(args=list(arguments), input=stdin)


@pytest.fixture
def dismissed(app: Flask) -> Person:
    """One who was a collector when he signed in."""
    add_user(app, "dan@example.com", collector=True)
    person = Person(app, "dan@example.com").login()
    assert run(app, "users", "collector", person.email, "off").exit_code == 0
    return person


@pytest.fixture
def disabled(app: Flask) -> Person:
    """A collector whose account was disabled since he signed in."""
    add_user(app, "eve@example.com", collector=True)
    person = Person(app, "eve@example.com").login()
    assert run(app, "users", "disable", person.email).exit_code == 0
    return person


@pytest.fixture
def script(carol: Person) -> Person:
    """A script with a token of the collector's, of the widest scope."""
    return script_of(carol, "full")[0]


@pytest.fixture
def people(request: pytest.FixtureRequest) -> dict[str, Person]:
    """Whoever could ask for what is Alice's."""
    return {name: request.getfixturevalue(name) for name in REACHED}


def owner(person: Person) -> dict[str, Any]:
    return {"id": person.tokens["user"]["id"], "email": person.email}


def ask(person: Person, method: str, path: str, **headers: str) -> TestResponse:
    with person.request(method, path, headers={n.replace("_", "-"): v for n, v in headers.items()}) as answer:
        answer.get_data()
    return answer


REACHED = {"alice": 200, "carol": 200, "bob": 404, "dismissed": 404, "script": 404, "disabled": 401}
ROUTES = [
    ("GET", "/api/documents/{id}"),
    ("HEAD", "/api/documents/{id}"),
    ("GET", "/api/documents/{id}/content"),
    ("HEAD", "/api/documents/{id}/content"),
    ("GET", "/api/documents/zip?id={id}"),
    ("HEAD", "/api/documents/zip?id={id}"),
    ("DELETE", "/api/documents/{id}"),
]


@pytest.mark.parametrize("name", REACHED)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_whose_document_is_reached_by_whom(method: str, path: str, name: str, people: dict[str, Person]) -> None:
    """Issue 11, 3: its owner and a collector; for everybody else it is as one that never was (A25)."""
    [id_] = keep(people["alice"], "hers.txt")
    before = state(people["alice"].app)
    answer = ask(people[name], method, path.format(id=id_))
    nobodys = ask(people[name], method, path.format(id=UNKNOWN))
    redirected = answer.status_code == 302 and method == "GET" and path.endswith("content")  # to the bucket
    assert answer.status_code == REACHED[name] or (redirected and REACHED[name] == 200)
    if REACHED[name] != 200:
        assert (answer.status_code, answer.data) == (nobodys.status_code, nobodys.data)
    gone = method == "DELETE" and REACHED[name] == 200
    assert (state(people["alice"].app) == before) == (not gone)


LISTS = {"alice": 403, "bob": 403, "dismissed": 403, "script": 403, "disabled": 401, "carol": 200}


@pytest.mark.parametrize("name", LISTS)
def test_who_may_list_everybodys(name: str, people: dict[str, Person]) -> None:
    """Issue 11, 3: an account that is no collector's is told so, and a token of a collector's is not enough."""
    keep(people["alice"], "hers.txt")
    code = {"script": "insufficient_scope", "disabled": "session_ended"}.get(name, "forbidden")
    for query in ("all=1", "all=1&q=hers", "all=1&sort=name", "all=1&limit=1"):
        answer = people[name].get(f"/api/documents?{query}")
        assert answer.status_code == LISTS[name]
        assert answer.status_code == 200 or answer.get_json()["error"] == code
        assert (b"hers.txt" in answer.data) == (name == "carol")


@pytest.mark.parametrize("name", ["alice", "bob", "carol", "dismissed", "script"])
def test_without_asking_for_all_one_sees_ones_own(name: str, people: dict[str, Person]) -> None:
    for uploader in ("alice", "bob", "carol"):
        keep(people[uploader], f"{uploader}.txt", f"{uploader}2.txt")
    mine = {"script": "carol", "dismissed": "nobody"}.get(name, name)
    for query in ({"sort": sort} | search for sort in SORTS for search in ({}, {"q": "."})):
        page = listed(people[name], **query)
        found = {document["filename"] for document in page["documents"]}
        assert found == ({f"{mine}.txt", f"{mine}2.txt"} if mine != "nobody" else set())
        assert page["total"] == len(found)
        assert {"owner" in document for document in page["documents"]} <= {name == "carol"}


def test_a_collector_sees_everybodys_and_whose_each_is(alice: Person, bob: Person, carol: Person) -> None:
    """Issue 11, 3: one's own among them; totals are everybody's."""
    keep(alice, "a.txt", sizes=(10,))
    keep(bob, "B.txt", sizes=(200,))
    keep(carol, "c.txt", sizes=(3,))
    page = listed(carol, all=1)
    told = [(document["filename"], document["owner"]) for document in page["documents"]]
    assert told == [("c.txt", owner(carol)), ("B.txt", owner(bob)), ("a.txt", owner(alice))]
    assert (page["total"], page["totalBytes"], page["next"]) == (3, 213, None)
    shown = carol.get(f"/api/documents/{page['documents'][2]['id']}").get_json()["document"]
    assert shown == page["documents"][2]
    assert "owner" not in alice.get(f"/api/documents/{shown['id']}").get_json()["document"]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("search", [{}, {"q": "SCAN"}], ids=["all", "search"])
def test_everybodys_list_is_sorted_searched_and_paged(
    sort: str, search: dict[str, str], alice: Person, bob: Person, carol: Person
) -> None:
    """Issue 11, 2 and 3: equal names and sizes of several people are neither lost nor repeated."""
    ids = [id_ for person in (alice, bob, carol) * 3 for id_ in keep(person, "scan.txt", "Scan.txt")]
    expected = ids if sort == "name" else ids[::-1]
    found = list(pages(carol, 5, all=1, sort=sort, **search))
    assert [id_ for page in found for id_ in page] == expected
    assert listed(carol, all=1, sort=sort, **search)["total"] == 18
    after = listed(carol, all=1, sort=sort, before=expected[3], **search)["documents"]
    assert [document["id"] for document in after] == expected[4:]


def test_the_cursors_of_mine_and_everyones_are_two_lists(alice: Person, carol: Person) -> None:
    for person in (alice, carol):
        keep(person, "1.txt", "2.txt")
    everyones, mine = (listed(carol, limit=1, **query)["next"] for query in ({"all": 1}, {}))
    assert carol.get(f"/api/documents?before={everyones}").status_code == 400
    assert carol.get(f"/api/documents?all=1&before={mine}").status_code == 400


def test_a_collector_downloads_several_peoples_as_one(alice: Person, bob: Person, carol: Person) -> None:
    ids = [keep(person, "scan.txt", sizes=(size,))[0] for size, person in enumerate((alice, bob, carol), start=1)]
    address = "/api/documents/zip?" + "&".join(f"id={id_}" for id_ in ids)
    found = zipfile.ZipFile(BytesIO(carol.get(address).data))
    assert [len(found.read(name)) for name in ("scan.txt", "scan (2).txt", "scan (3).txt")] == [1, 2, 3]
    assert alice.get(address).status_code == 404


def test_a_delete_gives_the_owner_back_what_was_kept(alice: Person, carol: Person) -> None:
    """Issue 11, 3: and nobody else."""
    [id_, _] = keep(alice, "a.txt", "b.txt", sizes=(30, 4))
    keep(carol, "c.txt", sizes=(5,))
    assert carol.delete(f"/api/documents/{id_}").status_code == 200
    assert [listed(person)["totalBytes"] for person in (alice, carol)] == [4, 5]
    assert [person.get("/api/limits").get_json()["usedBytes"] for person in (alice, carol)] == [4, 5]
    assert run(alice.app, "verify").exit_code == 0


def test_the_database_has_the_last_word(alice: Person, carol: Person) -> None:
    """House rule 7: who is no collector any more, since a moment ago, finds nothing: it stands in the WHERE clause."""
    [hers, own] = [keep(person, "a.txt")[0] for person in (alice, carol)]
    with carol.app.app_context():
        engine = db.engine

    def dismiss(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM documents" in statement:
            change(carol.app, "UPDATE users SET is_collector = false")

    event.listen(engine, "before_cursor_execute", dismiss)
    for path in (f"/{hers}", f"/{hers}/content", f"/zip?id={own}&id={hers}", "?all=1"):
        change(carol.app, "UPDATE users SET is_collector = true WHERE email = :email", email=carol.email)
        answer = ask(carol, "GET", f"/api/documents{path}")
        if path == "?all=1":
            assert [document["id"] for document in answer.get_json()["documents"]] == [own]
        else:
            assert answer.status_code == 404
    event.remove(engine, "before_cursor_execute", dismiss)


# --- the trail ------------------------------------------------------------------------------------------------------


def test_every_look_at_somebody_elses_is_a_line(
    alice: Person, bob: Person, carol: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 11, 3: who, at which, and whose each is; what a condition or a HEAD tells is a look too."""
    [hers], [his], [own] = keep(alice, "a.txt"), keep(bob, "b.txt"), keep(carol, "c.txt")
    ids = [person.tokens["user"]["id"] for person in (alice, bob)]
    tag = alice.get(f"/api/documents/{hers}").get_json()["document"]["sha256"]
    caplog.clear()
    looked = of(carol, "viewed", documents=[hers], owners=ids[:1])
    for method, path, headers in (
        ("GET", f"/api/documents/{hers}", {}),
        ("HEAD", f"/api/documents/{hers}", {}),
        ("HEAD", f"/api/documents/{hers}/content", {}),
        ("GET", f"/api/documents/{hers}/content", {"If_None_Match": f'"{tag}"'}),
        ("GET", f"/api/documents/{hers}/content", {"If_Match": '"x"'}),
        ("HEAD", f"/api/documents/zip?id={own}&id={hers}", {}),
    ):
        ask(carol, method, path, **headers)
        assert trail(caplog) == [looked], (method, path)
        caplog.clear()
    listed(carol, all=1)
    assert trail(caplog) == [of(carol, "viewed", documents=[his, hers], owners=ids[::-1])]


def test_every_download_and_delete_of_somebody_elses_tells_whose_it_was(
    alice: Person, bob: Person, carol: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 11, 3: one line each, and one for an archive."""
    [hers], [his], [own] = keep(alice, "a.txt"), keep(bob, "b.txt"), keep(carol, "c.txt")
    owners = [person.tokens["user"]["id"] for person in (alice, bob, carol)]
    caplog.clear()
    ask(carol, "GET", f"/api/documents/{hers}/content")
    ask(carol, "GET", f"/api/documents/zip?id={hers}&id={his}&id={own}")
    ask(carol, "DELETE", f"/api/documents/{hers}")
    assert trail(caplog) == [
        of(carol, "downloaded", documents=[hers], owners=owners[:1], bytes=1),
        of(carol, "downloaded", documents=[hers, his, own], owners=owners, bytes=3),
        of(carol, "deleted", documents=[hers], owners=owners[:1]),
    ]


def test_looking_at_ones_own_is_no_line(alice: Person, carol: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a collector's nor anybody's; nor is a look at what is not found."""
    [hers], [own] = keep(alice, "a.txt"), keep(carol, "c.txt")
    caplog.clear()
    for person, id_ in ((alice, hers), (carol, own)):
        listed(person)
        ask(person, "GET", f"/api/documents/{id_}")
        ask(person, "HEAD", f"/api/documents/{id_}/content")
    ask(alice, "GET", f"/api/documents/{own}")
    ask(carol, "GET", f"/api/documents/{UNKNOWN}")
    assert trail(caplog) == []

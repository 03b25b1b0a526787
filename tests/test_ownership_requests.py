"""Alice asks and owns, Bob is a stranger, Carol collects, visitors have links: who gets what (issue 11, "Tests")."""

import zipfile
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, multipart, part
from tests.support.lists import keep, listed, names
from tests.support.people import Person
from tests.support.stack import rows
from tests.support.traces import state
from tests.support.visitors import OVER, Visitor, asked, bearer_of, error, visitor_of
from tests.test_audit import of, script_of, trail

UNKNOWN = "0" * 32
TITLE, NAME, FILE, TEXT = "Alice's papers", "Ana", "scan.txt", b"what Ana wrote"


class Nobody(Visitor):
    """Who bears nothing."""

    @property
    def headers(self) -> dict[str, str]:
        return {}


@pytest.fixture
def made(alice: Person) -> dict[str, Any]:
    """A file request of Alice's."""
    return asked(alice, title=TITLE)


@pytest.fixture
def ana(alice: Person, made: dict[str, Any]) -> Visitor:
    """A visitor of Alice's."""
    return Visitor(alice.app, bearer_of(made))


@pytest.fixture
def sent(ana: Visitor) -> str:
    """What Ana has sent to Alice."""
    answer = ana.send(part(filename=FILE, content=TEXT), name=NAME)
    return str(answer.get_json()["files"][0]["id"])


@pytest.fixture
def people(alice: Person, bob: Person, carol: Person, ana: Visitor) -> dict[str, Person | Visitor]:
    """Whoever could ask; `script` is one of the collector's, `guest` her visitor, `late` one whose request is over."""
    guest, late = visitor_of(carol, title="Carol's"), asked(alice, title="Over")
    alice.delete(f"/api/requests/{late['id']}")
    asking = (alice, bob, carol, script_of(carol, "full")[0], ana, guest, Visitor(alice.app, bearer_of(late)))
    return dict(zip(WHO, (*asking, Nobody(alice.app, "")), strict=True))


WHO = ("alice", "bob", "carol", "script", "ana", "guest", "late", "nobody")
OWN = {"alice"}
COLLECTED = {"alice", "carol"}
# What each gets, and who of them is told something of what Ana sent, or of the request that she sent it by.
TABLE: dict[str, tuple[tuple[int, ...], set[str]]] = {
    "GET /api/documents": ((200, 200, 200, 200, 403, 403, 401, 401), OWN),
    "GET /api/documents?q=ANA": ((200, 200, 200, 200, 403, 403, 401, 401), OWN),
    "GET /api/documents?all=1": ((403, 403, 200, 403, 403, 403, 401, 401), {"carol"}),
    "GET /api/documents?all=1&q=ana&sort=name": ((403, 403, 200, 403, 403, 403, 401, 401), {"carol"}),
    "GET /api/documents?before={document}": ((200, 404, 200, 404, 403, 403, 401, 401), set()),
    "GET /api/documents/{document}": ((200, 404, 200, 404, 403, 403, 401, 401), COLLECTED),
    "HEAD /api/documents/{document}": ((200, 404, 200, 404, 403, 403, 401, 401), set()),
    "GET /api/documents/{document}/content": ((200, 404, 200, 404, 403, 403, 401, 401), COLLECTED),
    "HEAD /api/documents/{document}/content": ((200, 404, 200, 404, 403, 403, 401, 401), set()),
    "GET /api/documents/zip?id={document}": ((200, 404, 200, 404, 403, 403, 401, 401), COLLECTED),
    "HEAD /api/documents/zip?id={document}": ((200, 404, 200, 404, 403, 403, 401, 401), set()),
    "DELETE /api/documents/{document}": ((200, 404, 200, 404, 403, 403, 401, 401), set()),
    "GET /api/requests": ((200, 200, 200, 403, 403, 403, 401, 401), OWN),
    "POST /api/requests": ((200, 200, 200, 403, 403, 403, 401, 401), set()),
    "DELETE /api/requests/{request}": ((200, 404, 404, 403, 403, 403, 401, 401), set()),
    "GET /api/request": ((403, 403, 403, 403, 200, 200, 401, 401), {"ana"}),
    "GET /api/limits": ((200, 200, 200, 200, 200, 200, 200, 200), set()),
    "POST /api/upload": ((200, 200, 200, 200, 200, 200, 401, 401), set()),
    "PUT /api/upload/x.txt": ((200, 200, 200, 200, 200, 200, 401, 401), set()),
}
CHANGES = {route for route in TABLE if route.split()[0] in {"POST", "PUT", "DELETE"}}


def ask(person: Person | Visitor, route: str, **ids: str) -> TestResponse:
    method, path = route.format(**ids).split()
    options: dict[str, Any] = {}
    if path == "/api/requests":
        options = {"json": {"title": "Another"}}
    elif path.startswith("/api/upload"):
        body = multipart(part(filename="x.txt", content=b"x")) if method == "POST" else b"x"
        options = {"data": body, "content_type": CONTENT_TYPE if method == "POST" else "text/plain"}
    with person.request(method, path, **options) as answer:
        answer.get_data()
    return answer


def tells(answer: TestResponse) -> bool:
    """Whether something of what Ana sent, or of what she was asked for, is in the answer."""
    told = answer.data + answer.headers.get("Location", "").encode()
    return answer.status_code < 400 and any(word in told for word in (TEXT, FILE.encode(), TITLE.encode()))


def kept(alice: Person) -> tuple[Any, ...]:
    """What everybody has, and what Alice sees of it."""
    requests = rows(alice.app, "SELECT public_id, ended_at, files_received FROM file_requests ORDER BY id")
    return state(alice.app), listed(alice), requests


# Whoever only reads leaves everything as it is for the next; a change wants people of its own.
CASES = [(route, WHO) for route in TABLE if route not in CHANGES]
CASES += [(route, (who,)) for route in TABLE if route in CHANGES for who in WHO]


@pytest.mark.parametrize(("route", "asking"), CASES, ids=[f"{route}-{asking[0]}" for route, asking in CASES])
def test_who_gets_what(
    route: str, asking: tuple[str, ...], sent: str, made: dict[str, Any], people: dict[str, Person | Visitor]
) -> None:
    """Issue 11, 1 and 3: a document that a visitor sent is its owner's, and a visitor has none, not even his own."""
    statuses, told = TABLE[route]
    before = kept(people["alice"])
    for who in asking:
        expected = statuses[WHO.index(who)]
        answer = ask(people[who], route, document=sent, request=made["id"])
        allowed = {200, 302} if expected == 200 and route.endswith("/content") else {expected}
        assert answer.status_code in allowed, who
        assert tells(answer) == (who in told), who
        if expected == 404:
            nobodys = ask(people[who], route, document=UNKNOWN, request=UNKNOWN)
            assert (nobodys.status_code, nobodys.data) == (answer.status_code, answer.data), who
        assert (kept(people["alice"]) == before) == (route not in CHANGES or expected != 200), who


def test_a_visitors_document_tells_whose_it_is_and_who_sent_it(
    sent: str, alice: Person, carol: Person, ana: Visitor
) -> None:
    """Issue 11, 1 and 3: "from Ana, for Tax papers 2026", with whose it is where a collector asks."""
    [hers], [seen] = listed(alice)["documents"], listed(carol, all=1)["documents"]
    assert (hers["id"], hers["via"], hers["sender"]) == (sent, {"request": TITLE}, NAME)
    assert seen == hers | {"owner": {"id": alice.tokens["user"]["id"], "email": alice.email}}
    assert carol.get(f"/api/documents/{sent}").get_json()["document"] == seen
    assert ana.look().get_json().keys() == {"ok", "title", "note", "expiresAt", "filesLeft"}


def test_what_a_collector_deletes_goes_back_to_the_owner_and_makes_no_room(
    alice: Person, carol: Person, ana: Visitor, sent: str, made: dict[str, Any]
) -> None:
    """Contract §9: what came has come; the account that the request is of is charged no longer, nobody else's is."""
    keep(carol, "c.txt", sizes=(5,))
    left = ana.look().get_json()["filesLeft"]
    assert carol.delete(f"/api/documents/{sent}").status_code == 200
    assert ana.look().get_json()["filesLeft"] == left == made["maxFiles"] - 1
    assert [(page["total"], page["totalBytes"]) for page in map(listed, (alice, carol))] == [(0, 0), (1, 5)]
    assert [person.get("/api/limits").get_json()["usedBytes"] for person in (alice, carol)] == [0, 5]
    assert alice.app.test_cli_runner().invoke(args=["verify"]).exit_code == 0


def test_a_collectors_own_request_is_as_anybodys(alice: Person, carol: Person) -> None:
    """Issue 11, 3: what her visitors send is hers, and she looks at it without a line."""
    guest = visitor_of(carol, title="Carol's")
    assert guest.send(name="Gil").status_code == 200
    [document] = listed(carol)["documents"]
    assert (document["sender"], document["owner"]["email"]) == ("Gil", carol.email)
    assert listed(alice)["total"] == 0 and alice.get(f"/api/documents/{document['id']}").status_code == 404


def test_an_archive_mixes_what_people_and_visitors_sent(
    alice: Person, bob: Person, carol: Person, sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 11, 2 and 3: one line tells whose each was; no visitor's name stands in the archive."""
    [his] = keep(bob, FILE)
    caplog.clear()
    address = f"/api/documents/zip?id={sent}&id={his}"
    assert [person.get(address).status_code for person in (alice, bob)] == [404, 404]
    archive = zipfile.ZipFile(BytesIO(carol.get(address).data))
    assert [archive.read(name) for name in ("scan.txt", "scan (2).txt")] == [TEXT, b"x"]
    owners = [person.tokens["user"]["id"] for person in (alice, bob)]
    assert trail(caplog) == [of(carol, "downloaded", documents=[sent, his], owners=owners, bytes=len(TEXT) + 1)]


def test_a_disabled_owners_request_is_over_and_a_collector_still_has_what_came(
    alice: Person, carol: Person, ana: Visitor, sent: str
) -> None:
    assert alice.app.test_cli_runner().invoke(args=["users", "disable", alice.email]).exit_code == 0
    assert error(ana.look()) == OVER and error(ana.send()) == OVER
    assert names(carol, all=1, q="ana") == [FILE]
    assert carol.get(f"/api/documents/{sent}").status_code == 200

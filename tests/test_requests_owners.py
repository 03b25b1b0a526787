"""Who may do what with file requests: Alice owns, Bob is a stranger, and both have visitors (issue 11, contract §9)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.bodies import PDF, multipart, part
from tests.support.people import Person
from tests.support.stack import rows
from tests.support.visitors import OVER, Visitor, asked, bearer_of, error, visitor_of

MAY = {("GET", "/api/request"), ("GET", "/api/limits"), ("POST", "/api/upload"), ("PUT", "/api/upload/x.pdf")}
OPEN = {("GET", "/api/openapi.json"), ("POST", "/api/auth/logout")}  # to everybody, whatever he bears
BY_OTHER_MEANS = {"/api/auth/login": 400, "/api/auth/refresh": 401, "/api/auth/verify-status": 401}


def api_routes(app: Flask) -> list[tuple[str, str]]:
    """Every method and path of the API, with an id that there may be."""
    return sorted(
        (method, re.sub("<rest:.*?>", "x.pdf", rule.rule).replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


def test_a_visitor_uploads_and_looks_and_that_is_all(alice: Person) -> None:
    """Contract §9, at every route there is; also with the ids of what is his owner's, and of what he sent himself."""
    made = asked(alice)
    visitor = Visitor(alice.app, bearer_of(made))
    sent = visitor.send().get_json()["files"][0]["id"]
    ids = [made["id"], sent, alice.upload().get_json()["files"][0]["id"], "1", "0" * 32]
    before = alice.get("/api/documents").get_json(), alice.get("/api/requests").get_json()
    for method, path in api_routes(alice.app):
        if (method, path) in MAY | OPEN:
            continue
        for name in ids:
            answer = visitor.request(method, re.sub("{.*?}", name, path), json={"title": "mine", "name": "mine"})
            expected = BY_OTHER_MEANS.get(path, 403)
            assert answer.status_code == expected, (method, path, answer.text)
            if expected == 403:
                assert error(answer) == (403, "insufficient_scope")
    assert (alice.get("/api/documents").get_json(), alice.get("/api/requests").get_json()) == before
    for method, path in MAY:
        options = {"data": PDF} if method == "PUT" else {}
        answer = visitor.send() if method == "POST" else visitor.request(method, path, **options)
        assert answer.status_code == 200, (method, path)


def test_an_owner_sees_and_ends_his_own_requests_alone(alice: Person, bob: Person) -> None:
    hers, his = asked(alice, title="hers"), asked(bob, title="his")
    for person, own, other in ((alice, hers, his), (bob, his, hers)):
        assert [request["id"] for request in person.get("/api/requests").get_json()["requests"]] == [own["id"]]
        assert error(person.delete(f"/api/requests/{other['id']}")) == (404, "not_found")
    assert Visitor(alice.app, bearer_of(hers)).look().status_code == 200
    assert alice.delete(f"/api/requests/{hers['id']}").status_code == 200
    assert error(Visitor(alice.app, bearer_of(hers)).look()) == OVER
    assert Visitor(alice.app, bearer_of(his)).look().get_json()["title"] == "his"


def test_each_visitor_sends_to_whom_he_was_asked_by(alice: Person, bob: Person) -> None:
    """Also one after the other on the same server, which remembers what it has proven."""
    visitors = {"hers": visitor_of(alice, title="hers"), "his": visitor_of(bob, title="his")}
    visitors["her other"] = visitor_of(alice, title="her other")
    for _ in range(2):
        for title, visitor in visitors.items():
            assert visitor.look().get_json()["title"] == title
            assert visitor.send(part(filename=f"{title}.pdf")).status_code == 200
    for person, titles in ((alice, ["hers", "her other"]), (bob, ["his"])):
        documents = person.get("/api/documents").get_json()["documents"]
        assert sorted(document["filename"] for document in documents) == sorted(f"{title}.pdf" for title in titles * 2)
        assert all(f"{document['via']['request']}.pdf" == document["filename"] for document in documents)
    counted = {
        request["title"]: request["filesReceived"] for request in alice.get("/api/requests").get_json()["requests"]
    }
    assert counted == {"hers": 2, "her other": 2}


@pytest.mark.parametrize("scope", ["upload", "full"])
def test_no_api_token_makes_or_visits_requests(scope: str, alice: Person) -> None:
    """Contract §9: requests are a person's own business, and the link is a visitor's."""
    made = asked(alice)
    token = alice.post("/api/tokens", json={"name": "cron", "scope": scope}).get_json()["token"]
    script = Visitor(alice.app, token)
    routes = [("GET", "/api/requests"), ("POST", "/api/requests"), ("DELETE", f"/api/requests/{made['id']}")]
    for method, path in [*routes, ("GET", "/api/request")]:
        answer = script.request(method, path, json={"title": "mine"})
        assert error(answer) == (403, "insufficient_scope"), (method, path)
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="insufficient_scope", scope="')
    assert len(alice.get("/api/requests").get_json()["requests"]) == 1


def test_a_session_is_no_visitor_and_nobody_is_neither(alice: Person) -> None:
    asked(alice)
    assert error(alice.get("/api/request")) == (403, "insufficient_scope")
    for method, path in (("GET", "/api/request"), ("GET", "/api/requests"), ("POST", "/api/requests")):
        assert error(alice.client.open(path, method=method)) == (401, "unauthorized")


def test_a_visitor_learns_nothing_of_the_account(alice: Person, unchanged: Callable[[], Any]) -> None:
    """Neither what it keeps nor what it may keep, from the limits or from the refusal of an upload."""
    visitor = visitor_of(alice)
    alice.upload()
    alice.app.test_cli_runner().invoke(args=["users", "quota", alice.email, "12345"])
    limits = visitor.request("GET", "/api/limits")
    assert limits.get_json() == alice.client.get("/api/limits").get_json()
    with unchanged():
        for content in (PDF.ljust(12345), PDF.ljust(2_000_000)):
            answer = visitor.send(part(content=content))
            assert error(answer) == (507, "quota_exceeded")
            assert not re.search(r"\d", answer.get_json()["message"])
    assert error(alice.send(multipart(part(content=PDF.ljust(12345))))) == (507, "quota_exceeded")
    assert visitor.look().get_json()["filesLeft"] == 100


def test_what_visitors_send_is_kept_in_the_owners_quota(alice: Person) -> None:
    visitor = visitor_of(alice)
    alice.app.test_cli_runner().invoke(args=["users", "quota", alice.email, str(3 * len(PDF))])
    assert [visitor.send().status_code for _ in range(2)] == [200, 200]
    assert [alice.upload().status_code, visitor.send().status_code] == [200, 507]
    assert rows(alice.app, "SELECT files_received FROM file_requests") == [(2,)]


# --- keys


def test_two_visitors_with_one_key_neither_meet_nor_learn_of_each_other(alice: Person, bob: Person) -> None:
    """C17: of one request, of two requests of one owner, of two owners; nor do they meet the owner's own keys."""
    first, other, his = (visitor_of(person, title=title) for person, title in ((alice, "1"), (alice, "2"), (bob, "3")))
    hers = alice.upload(Idempotency_Key="k")
    answers = [
        first.send(name="Ana", key="k"),
        first.send(name="Ben", key="k"),
        first.send(part(filename="b.pdf"), name="Ana", key="k"),
        first.send(part(content=PDF + b"more"), name="Ana", key="k"),
        first.send(key="k"),
        other.send(name="Ana", key="k"),
        his.send(name="Ana", key="k"),
    ]
    assert [answer.status_code for answer in answers] == [200] * 7
    ids = {file["id"] for answer in [hers, *answers] for file in answer.get_json()["files"]}
    assert len(ids) == 8
    assert [answer.get_json()["fields"].get("from") for answer in answers[:2]] == ["Ana", "Ben"]
    assert error(alice.upload("other.pdf", Idempotency_Key="k")) == (422, "idempotency_mismatch")


def test_a_repeat_gets_the_first_answer_and_does_not_count_twice(alice: Person) -> None:
    """Also when the first one was the last that fitted; not when the request was ended meanwhile."""
    made = asked(alice, maxFiles=2)
    visitor = Visitor(alice.app, bearer_of(made))
    first = visitor.send(part(), part(filename="b.pdf"), name="Ana", key="k")
    for _ in range(2):
        repeat = visitor.send(part(), part(filename="b.pdf"), name="Ana", key="k")
        assert (repeat.status_code, repeat.data) == (200, first.data)
    assert error(visitor.send(key="other")) == OVER
    assert rows(alice.app, "SELECT files_received FROM file_requests") == [(2,)]
    alice.delete(f"/api/requests/{made['id']}")
    assert error(visitor.send(part(), part(filename="b.pdf"), name="Ana", key="k")) == OVER


def test_an_upload_of_more_files_than_are_left_is_refused_whole(alice: Person, unchanged: Callable[[], Any]) -> None:
    visitor = visitor_of(alice, maxFiles=3)
    visitor.send(part(), part())
    with unchanged():
        answer = visitor.send(part(), part())
        assert error(answer) == (413, "too_large") and "only 1 " in answer.get_json()["message"]
    assert visitor.send().status_code == 200
    with unchanged():
        assert error(visitor.send()) == OVER
    document = alice.get("/api/documents").get_json()["documents"][0]["id"]
    assert alice.delete(f"/api/documents/{document}").status_code == 200
    assert error(visitor.send()) == OVER  # what came has come

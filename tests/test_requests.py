"""File requests: made, listed and deleted by their owner, visited by whoever has the link (issue 11, contract §9)."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.people import Person
from tests.support.stack import change, everything
from tests.support.visitors import OVER, Visitor, asked, bearer_of, error, visitor_of
from uploadsvc import client as web

FULL = {"id", "title", "note", "url", "maxFiles", "filesReceived", "createdAt", "expiresAt", "over"}
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


def listed(person: Person) -> list[dict[str, Any]]:
    return list(person.get("/api/requests").get_json()["requests"])


# --- made and listed


def test_a_request_is_made_with_its_link_and_listed_again_with_the_same(alice: Person) -> None:
    made = asked(alice, note="PDF, please.\nThank you!", expiresInDays=14, maxFiles=20)
    assert made.keys() - {"ok"} == FULL and listed(alice) == [{name: made[name] for name in made if name != "ok"}]
    assert re.fullmatch(rf"http://127\.0\.0\.1:4000/request#{made['id']}\.[0-9a-f]{{32}}", made["url"])
    told = (made["title"], made["note"], made["maxFiles"], made["filesReceived"], made["over"])
    assert told == ("Tax papers 2026", "PDF, please.\nThank you!", 20, 0, None)
    made_at, end = (datetime.fromisoformat(made[name]) for name in ("createdAt", "expiresAt"))
    assert end - made_at == timedelta(days=14)


def test_the_link_begins_with_the_public_address(make_app: Callable[..., Flask], alice: Person) -> None:
    elsewhere = Person(make_app(PUBLIC_URL="https://files.example.org"), alice.email).login()
    assert asked(elsewhere)["url"].startswith("https://files.example.org/request#")


def test_the_secret_stands_nowhere_in_the_database(alice: Person) -> None:
    """Contract §9: it is derived, so a copy of the database holds none."""
    made = asked(alice)
    assert visitor_of(alice).send(name="Ana", key="k").status_code == 200
    rows = everything(alice.app)
    assert made["id"].encode() in rows and bearer_of(made).partition(".")[2].encode() not in rows


def test_ids_do_not_tell_how_many_there_are(alice: Person, bob: Person) -> None:
    ids = [asked(person)["id"] for person in (alice, bob, alice)]
    assert len(set(ids)) == 3 and all(re.fullmatch("[0-9a-f]{32}", made) for made in ids)


def test_without_wishes_it_takes_100_files_in_30_days(alice: Person) -> None:
    for wanted in ({}, {"note": None, "expiresInDays": None, "maxFiles": None}):
        made = asked(alice, **wanted)
        days = datetime.fromisoformat(made["expiresAt"]) - datetime.fromisoformat(made["createdAt"])
        assert (made["note"], made["maxFiles"], days) == ("", 100, timedelta(days=30))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"title": "  Fotos \u202egnp.exe\x07?"}, {"title": "Fotos gnp.exe?"}),
        ({"title": f"u\u0308ber {FAMILY}"}, {"title": f"\xfcber {FAMILY}"}),
        ({"title": "x" * 200}, {"title": "x" * 200}),
        ({"title": "\U0001fae9"}, {"title": "\U0001fae9"}),  # younger than Python 3.11's tables
        ({"note": "a\r\nb\u2028c\x1b[2J\u202e\n\n"}, {"note": "a\nb\nc[2J"}),
        ({"note": "n" * 2000}, {"note": "n" * 2000}),
        ({"expiresInDays": 1, "maxFiles": 1}, {"maxFiles": 1}),
        ({"expiresInDays": 365, "maxFiles": 10_000}, {"maxFiles": 10_000}),
    ],
    ids=str,
)
def test_texts_are_cleaned_and_limits_taken(given: dict[str, Any], kept: dict[str, Any], alice: Person) -> None:
    """As names of files are: no control or bidi characters, NFC; a note keeps its lines."""
    made = asked(alice, **given)
    assert {name: made[name] for name in kept} == kept


@pytest.mark.parametrize(
    "wanted",
    [
        {"title": ""},
        {"title": " \t\u202e\u2066 "},
        {"title": "\u200b \u200d"},
        {"title": "x" * 201},
        {"title": 7},
        {"title": None},
        {"title": ["a"]},
        {"note": "n" * 2001},
        {"note": 7},
        {"note": ["a"]},
        *({name: value} for name in ("expiresInDays", "maxFiles") for value in (0, -1, 1.5, True, "7", [7], 10**400)),
        {"expiresInDays": 366},
        {"maxFiles": 10_001},
    ],
    ids=lambda wanted: str(wanted)[:40],
)
def test_what_no_request_can_be_is_refused(wanted: dict[str, Any], alice: Person) -> None:
    answer = alice.post("/api/requests", json={"title": "Tax papers"} | wanted)
    assert error(answer) == (400, "bad_request") and listed(alice) == []


@pytest.mark.parametrize("body", [[], "title", {}, {"note": "x"}, 7], ids=str)
def test_a_body_without_a_title_is_refused(body: object, alice: Person) -> None:
    assert error(alice.post("/api/requests", json=body)) == (400, "bad_request")


def test_an_account_has_a_hundred_at_most(alice: Person, bob: Person) -> None:
    made = [asked(alice, title=f"{number}") for number in range(100)]
    assert [request["title"] for request in listed(alice)] == [f"{number}" for number in reversed(range(100))]
    assert error(alice.post("/api/requests", json={"title": "one more"})) == (400, "bad_request")
    alice.delete(f"/api/requests/{made[0]['id']}")
    assert asked(alice) and asked(bob)


# --- ended


def test_a_deleted_request_is_over_and_listed_no_longer(alice: Person) -> None:
    made = asked(alice)
    visitor = Visitor(alice.app, bearer_of(made))
    assert visitor.look().status_code == 200 == visitor.send(name="Ana").status_code
    path = f"/api/requests/{made['id']}"
    assert [alice.delete(path).status_code for _ in range(2)] == [200, 404] and listed(alice) == []
    assert error(visitor.look()) == OVER == error(visitor.send())
    [document] = alice.get("/api/documents").get_json()["documents"]
    assert (document["via"], document["sender"]) == ({"request": "Tax papers 2026"}, "Ana")


def test_a_request_whose_time_is_over_takes_nothing(alice: Person) -> None:
    """It is listed until it is deleted, and can be."""
    made = asked(alice)
    visitor = Visitor(alice.app, bearer_of(made))
    change(alice.app, "UPDATE file_requests SET expires_at = created_at")
    assert error(visitor.look()) == OVER == error(visitor.send())
    assert [(request["over"], request["filesReceived"]) for request in listed(alice)] == [("time", 0)]
    assert alice.delete(f"/api/requests/{made['id']}").status_code == 200 and listed(alice) == []


def test_an_end_that_the_list_tells_first_is_kept(alice: Person) -> None:
    """Nobody's slower clock opens it again."""
    visitor = visitor_of(alice)
    change(alice.app, "UPDATE file_requests SET expires_at = created_at")
    assert listed(alice)[0]["over"] == "time"
    change(alice.app, "UPDATE file_requests SET expires_at = '2999-01-01 00:00:00.000000'")
    assert error(visitor.look()) == OVER == error(visitor.send())


def test_a_disabled_owners_requests_are_over_until_he_is_enabled(alice: Person) -> None:
    visitor, run = visitor_of(alice), alice.app.test_cli_runner().invoke
    run(args=["users", "disable", alice.email])
    assert error(visitor.look()) == OVER == error(visitor.send())
    run(args=["users", "enable", alice.email])
    assert visitor.look().status_code == 200 == visitor.send().status_code


@pytest.mark.parametrize("request_id", ["0", "x", "0" * 32, "0" * 31, "A" * 32, "１" * 32, "%00" * 32])
def test_a_request_that_is_not_there_is_404(request_id: str, alice: Person) -> None:
    asked(alice)
    assert error(alice.delete(f"/api/requests/{request_id}")) == (404, "not_found") and len(listed(alice)) == 1


# --- visited


def test_a_visitor_sees_what_is_asked_for_and_how_much_is_left(alice: Person) -> None:
    made = asked(alice, note="Please", maxFiles=3)
    visitor = Visitor(alice.app, bearer_of(made))
    seen = {"ok": True, "title": made["title"], "note": "Please", "expiresAt": made["expiresAt"], "filesLeft": 3}
    assert visitor.look().get_json() == seen
    visitor.send(part(), part())
    assert visitor.look().get_json() == seen | {"filesLeft": 1}
    assert [(request["filesReceived"], request["over"]) for request in listed(alice)] == [(2, None)]
    visitor.send()
    assert error(visitor.look()) == OVER
    assert [(request["filesReceived"], request["over"]) for request in listed(alice)] == [(3, "files")]


def test_what_a_visitor_sends_is_the_owners_and_says_where_it_came_from(alice: Person, bob: Person) -> None:
    visitor = visitor_of(alice)
    put = visitor.request("PUT", "/api/upload/b.pdf", data=PDF)
    post = visitor.send(name="Ana")
    assert put.status_code == 200 == post.status_code
    alice.upload("c.pdf")
    documents = alice.get("/api/documents").get_json()["documents"]
    via = {"request": "Tax papers 2026"}
    assert [(document["filename"], document["via"], document["sender"]) for document in documents] == [
        ("c.pdf", None, None),
        ("a.pdf", via, "Ana"),
        ("b.pdf", via, None),
    ]
    file = post.get_json()["files"][0]["id"]
    assert alice.get(f"/api/documents/{file}").get_json()["document"]["sender"] == "Ana"
    assert bob.get(f"/api/documents/{file}").status_code == 404


def test_only_a_visitor_has_a_sender(alice: Person) -> None:
    """The text field `from` of an account's own upload is a field like any other."""
    answer = alice.send(multipart(part("from", None, b"Ana"), part()))
    assert answer.get_json()["fields"] == {"from": "Ana"}
    assert [document["sender"] for document in alice.get("/api/documents").get_json()["documents"]] == [None]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Ana", "Ana"),
        (" Ana  Müller\t\r\n", "Ana  Müller"),
        ("\u202eanA\u2066\x1b[2J\x00", "anA[2J"),
        ("u\u0308", "ü"),
        ("\u202e\x07" * 100, None),
        ("", None),
        ("   ", None),
        ("\u200b\u200d", None),
        ("漢" * 300, "漢" * 200),
        ("x" * 199 + " y", "x" * 199),
        ("\ufeff" * 5000 + "Ana", "Ana"),
    ],
    ids=lambda text: repr(text)[:24],
)
def test_what_a_visitor_calls_himself_is_cleaned_as_names_are(sent: str, kept: str | None, alice: Person) -> None:
    """Issue 11, bad input: control and bidi characters, NFC, at most 200 characters."""
    assert visitor_of(alice).send(name=sent).status_code == 200
    assert [document["sender"] for document in alice.get("/api/documents").get_json()["documents"]] == [kept]


def test_a_visitors_upload_keeps_every_rule(alice: Person, unchanged: Callable[[], Any]) -> None:
    """Contract §5: what is refused leaves nothing and counts nothing."""
    visitor = visitor_of(alice, maxFiles=2)
    bad = {
        415: part(filename="x.exe"),
        400: part(content=b""),
        413: part(content=PDF.ljust(10 * 1024 * 1024 + 1)),
    }
    with unchanged():
        for status, file in bad.items():
            assert visitor.send(part(), file).status_code == status
        no_text = multipart(part("from", None, b"\xff"), part())
        answer = visitor.request("POST", "/api/upload", data=no_text, content_type=CONTENT_TYPE)
        assert answer.status_code == 400
    assert visitor.look().get_json()["filesLeft"] == 2


# --- the page


def test_the_links_address_is_the_page_as_soon_as_there_is_one(tmp_path: Path) -> None:
    for page in (None, "<!doctype html>"):
        app = Flask(__name__)
        if page:
            (tmp_path / "request.html").write_text(page)
        web.init_app(app, tmp_path)
        with app.test_client().get("/request") as answer:
            assert (answer.status_code, answer.text if page else None) == ((200, page) if page else (404, None))

"""The list on each engine: its indexes, the longest names, and what an instance from before had."""

import re
from collections.abc import Callable

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import text

from tests.support.bodies import part
from tests.support.lists import ROW, keep, listed, names, pages
from tests.support.people import Person, add_user
from tests.support.plans import plans
from tests.support.stack import rows
from tests.support.visitors import visitor_of
from uploadsvc.extensions import db

# --- engines --------------------------------------------------------------------------------------------------------


def plan_of(person: Person, path: str, explain: str = "EXPLAIN QUERY PLAN") -> str:
    """How the engine finds the documents that a request for `path` is answered with."""
    asked = plans(person.app, lambda: person.get(path), explain)
    [plan] = [plan for statement, plan in asked if "documents.public_id" in statement]
    return plan


ORDERS = [("newest", "id"), ("name", "search_key_id"), ("size", "size_id")]
MANY = (
    "INSERT INTO documents (public_id, user_id, filename, search_key, path, content_type, size, sha256, status,"
    " created_at, part, fieldname) SELECT 'x' || n, n % 4 + 1, 'x', 'x' || n % 50, 'x', 'text/plain', n % 100, 'x',"
    " 'success', '2026-01-01', 0, 'file' FROM {numbers}"
)


@pytest.mark.parametrize(("sort", "index"), ORDERS)
def test_every_order_is_read_from_its_index(sort: str, index: str, alice: Person) -> None:
    """Issue 11, 2: the first page and a later one, without reading over or sorting what is not on it."""
    keep(alice, *[f"{n}.txt" for n in range(5)])
    following = listed(alice, sort=sort, limit=1)["next"]
    for query in ("", f"&before={following}"):
        plan = plan_of(alice, f"/api/documents?limit=2&sort={sort}{query}")
        first, _, _ = plan.partition("\n")
        assert f"SEARCH documents USING INDEX ix_documents_user_id_{index} (user_id=?" in first
        assert ("AND" in first) == bool(query) and "TEMP" not in plan


@pytest.mark.parametrize(("sort", "index"), [("name", "search_key_id"), ("size", "size_id")])
def test_everybodys_orders_are_read_from_their_indexes(sort: str, index: str, alice: Person, carol: Person) -> None:
    """Issue 12, 3: a page of a collector's list, the first one and a later one, is not sorted out of everything."""
    keep(alice, *[f"{n}.txt" for n in range(5)])
    following = listed(carol, sort=sort, all=1, limit=1)["next"]
    for query, step in (("", "SCAN"), (f"&before={following}", "SEARCH")):
        plan = plan_of(carol, f"/api/documents?limit=2&all=1&sort={sort}{query}")
        assert f"{step} documents USING INDEX ix_documents_{index}" in plan and "TEMP" not in plan


def test_everybodys_newest_are_read_in_their_order(alice: Person, carol: Person) -> None:
    """Issue 11, 3: nor is that of the newest."""
    keep(alice, *[f"{n}.txt" for n in range(5)])
    plan = plan_of(carol, "/api/documents?limit=2&all=1")
    assert "SCAN documents" in plan.splitlines() and "TEMP" not in plan


@pytest.mark.parametrize(("sort", "index"), ORDERS)
def test_postgresql_reads_every_order_from_its_index(
    sort: str, index: str, database_url: str, make_app: Callable[..., Flask]
) -> None:
    """Issue 11, 2: of twenty thousand documents a quarter is Alice's."""
    app = make_app(DATABASE_URL=database_url)
    people = [f"{name}@example.com" for name in ("alice", "bob", "carol", "dave")]
    for email in people:
        add_user(app, email)
    with app.app_context():
        db.session.execute(text(MANY.format(numbers="generate_series(1, 20000) AS n")))
        db.session.commit()
        db.session.execute(text("ANALYZE"))
        db.session.commit()
    alice = Person(app, people[0]).login()
    following = listed(alice, sort=sort, limit=1)["next"]
    for query in ("", f"&before={following}"):
        plan = plan_of(alice, f"/api/documents?limit=2&sort={sort}{query}", "EXPLAIN")
        known = (
            f"ix_documents_user_id_{index}" if sort != "newest" else f"(?:ix_documents_user_id_{index}|pk_documents)"
        )
        assert re.search(rf"Index Scan (?:Backward )?using {known} on documents", plan), plan
        assert "Sort" not in plan and "Seq Scan on documents" not in plan


@pytest.mark.parametrize("letter", ["ᾷ", "😀", "ŉ", "a"])
def test_postgresql_keeps_the_longest_names(letter: str, database_url: str, make_app: Callable[..., Flask]) -> None:
    """E1: what a name and its sender's become without their case fits an index, and a cursor an address."""
    app = make_app(DATABASE_URL=database_url)
    add_user(app, "alice@example.com")
    alice = Person(app, "alice@example.com").login()
    ids = keep(alice, *[f"{letter * 251}.txt"] * 3)
    sent = (
        visitor_of(alice)
        .send(*[part(filename=f"{letter * 251}.txt", content=b"x")] * 2, name=letter * 200)
        .get_json()["files"]
    )
    ids += [file["id"] for file in sent]
    assert [id_ for page in pages(alice, 1, sort="name") for id_ in page] == ids
    assert listed(alice, q=letter.upper() * 80)["total"] == 5


# --- an instance from before ----------------------------------------------------------------------------------------


REQUEST = (
    "INSERT INTO file_requests (public_id, user_id, title, note, max_files, created_at, expires_at)"
    " VALUES ('x', 1, 'Tax papers', '', 9, '2026-01-01', '2026-01-31')"
)


def filled_before(app: Flask) -> Person:
    """Alice, with documents of a version that knew neither searches nor counts."""

    add_user(app, "alice@example.com")
    with app.app_context():
        flask_migrate.downgrade(revision="0003")
        for at, (name, status) in enumerate((("ß.txt", "success"), ("Ä.txt", "success"), ("x.txt", "pending"))):
            db.session.execute(text(ROW.format(id=at, name=name, size=at + 1, status=status)))
        db.session.execute(text("UPDATE users SET used_bytes = 3"))
        db.session.commit()
        flask_migrate.upgrade()
        db.engine.dispose()
    return Person(app, "alice@example.com").login()


def has_what_it_had(alice: Person) -> None:
    assert names(alice, sort="name") == ["ß.txt", "Ä.txt"] and names(alice, q="SS") == ["ß.txt"]
    page = listed(alice)
    assert (page["total"], page["totalBytes"]) == (2, 3)
    assert rows(alice.app, "SELECT search_key FROM documents ORDER BY id") == [("ss.txt",), ("ä.txt",), ("x.txt",)]


def sent_before(app: Flask) -> Person:
    """Alice, with a document of a version whose visitors nobody could search for."""
    add_user(app, "alice@example.com")
    with app.app_context():
        flask_migrate.downgrade(revision="0004")
        db.session.execute(text(REQUEST))
        for id_, sender in enumerate((None, "ZOË")):
            db.session.execute(text(ROW.format(id=id_, name="Tax.txt", size=1, status="success")))
            values = {"path": f"1/{id_}-x", "sender": sender}
            db.session.execute(text("UPDATE documents SET request_id = 1, sender = :sender WHERE path = :path"), values)
        db.session.commit()
        flask_migrate.upgrade()
        db.engine.dispose()
    return Person(app, "alice@example.com").login()


def test_visitors_from_before_are_found(app: Flask) -> None:
    """H8: the upgrade folds their names as well, as an upload does."""
    alice = sent_before(app)
    assert names(alice, q="tax") == ["Tax.txt"] * 2 and listed(alice, q="zoë")["total"] == 1
    visitor_of(alice).send(part(filename="Tax.txt", content=b"x"), name="ZOË")
    kept = rows(app, "SELECT search_key FROM documents ORDER BY id")
    assert kept == [("tax.txt",), ("tax.txt\nzoë",), ("tax.txt\nzoë",)]


def test_visitors_from_before_are_found_in_postgresql(database_url: str, make_app: Callable[..., Flask]) -> None:
    test_visitors_from_before_are_found(make_app(DATABASE_URL=database_url))


def test_documents_from_before_are_found_and_counted(app: Flask) -> None:
    """H8: the upgrade folds their names, and counts those that are documents."""
    has_what_it_had(filled_before(app))


def test_documents_from_before_are_found_and_counted_in_postgresql(
    database_url: str, make_app: Callable[..., Flask]
) -> None:
    has_what_it_had(filled_before(make_app(DATABASE_URL=database_url)))

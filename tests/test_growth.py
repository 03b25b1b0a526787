"""What is asked again and again reads no more for each document that is kept: by a scrape, by the sweep.

That the list is read from its indexes is told in test_list_engines.py; bench/growth.py measures both.
"""

from collections.abc import Callable

from flask import Flask
from sqlalchemy import text

from tests.support.people import Person, add_user
from tests.support.plans import plans
from uploadsvc.extensions import db

MANY = (
    "INSERT INTO documents (public_id, user_id, filename, path, content_type, size, sha256, status, created_at, part,"
    " fieldname) SELECT 'x' || n, 1, 'x', '1/' || n || '-x', 'text/plain', 1, 'x', 'success', '2026-01-01', 0, 'file'"
    " FROM generate_series(1, 20000) AS n"
)


def sweep(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["sweep", "--older-than", "0"])
    assert done.exit_code == 0, done.output


def of_documents(asked: list[tuple[str, str]]) -> list[str]:
    """The plans of what is asked of the documents, each of which there must be."""
    found = [plan for statement, plan in asked if "FROM documents" in statement]
    assert found
    return found


def test_a_scrape_reads_no_documents_but_the_latest(alice: Person) -> None:
    """Issue 12, 3: how many there are the accounts are counted to have."""
    alice.upload()
    for plan in of_documents(plans(alice.app, lambda: alice.client.get("/metrics"))):
        assert "SEARCH documents USING INDEX ix_documents_created_at (created_at>?)" in plan
        assert "SCAN documents" not in plan


def test_the_sweep_finds_what_was_announced_without_all_else(alice: Person) -> None:
    """Issue 12, 3: and an account's paths in the order in which they lie in the table."""
    alice.upload()
    announced, paths = of_documents(plans(alice.app, lambda: sweep(alice.app)))
    assert announced == "SEARCH documents USING INDEX ix_documents_pending (created_at<?)"
    assert paths == "SEARCH documents USING INDEX ix_documents_user_id_id (user_id=?)"


def test_postgresql_finds_what_was_announced_without_all_else(
    database_url: str, make_app: Callable[..., Flask]
) -> None:
    """Issue 12, 3: of twenty thousand documents, on which the sweep's look for others is not asked."""
    app = make_app(DATABASE_URL=database_url)
    add_user(app, "alice@example.com")
    with app.app_context():
        db.session.execute(text(MANY))
        db.session.commit()
        db.session.execute(text("ANALYZE"))
        db.session.commit()
    [announced] = of_documents(plans(app, lambda: sweep(app), "EXPLAIN"))
    assert "Index Scan using ix_documents_pending on documents" in announced

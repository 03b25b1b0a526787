"""PostgreSQL in the place of SQLite: what is different with it (issue 9)."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.people import Person


@pytest.fixture
def app(make_app: Callable[..., Flask], database_url: str) -> Flask:
    return make_app(DATABASE_URL=database_url)


def test_an_upload_comes_back(alice: Person) -> None:
    [file] = alice.upload().get_json()["files"]
    assert alice.get(f"/api/documents/{file['id']}/content").status_code == 200

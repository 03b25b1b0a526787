"""The list of documents, as somebody reads it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.support.bodies import multipart, part
from tests.support.people import Person

SORTS = ("newest", "name", "size")


def keep(person: Person, *names: str, sizes: tuple[int, ...] = ()) -> list[str]:
    """Upload files with these names, of these sizes or one byte; return their ids in that order."""
    ids = []
    for at in range(0, len(names), 20):
        some = zip(names[at : at + 20], (sizes or (1,) * len(names))[at : at + 20], strict=True)
        answer = person.send(multipart(*(part(filename=name, content=b"x" * size) for name, size in some)))
        ids += [file["id"] for file in answer.get_json()["files"]]
    return ids


def listed(person: Person, **query: Any) -> dict[str, Any]:
    asked = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    answer = person.get(f"/api/documents?{asked}")
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def names(person: Person, **query: Any) -> list[str]:
    return [document["filename"] for document in listed(person, **query)["documents"]]


def pages(person: Person, limit: int, **query: Any) -> Iterator[list[str]]:
    """The ids of page after page."""
    page = listed(person, limit=limit, **query)
    while True:
        yield [document["id"] for document in page["documents"]]
        if page["next"] is None:
            return
        page = listed(person, limit=limit, before=page["next"], **query)


def refused(person: Person, query: str, status: int = 400) -> bool:
    answer = person.get(f"/api/documents?{query}")
    return answer.status_code == status and answer.get_json()["ok"] is False


# A row of the first account, as every version knew it.
ROW = (
    "INSERT INTO documents (public_id, user_id, filename, path, content_type, size, sha256, status, created_at, part,"
    " fieldname) VALUES ('{id:032}', 1, '{name}', '1/{id}-x', 'text/plain', {size}, 'x', '{status}', '2026-01-01', 0,"
    " 'file')"
)

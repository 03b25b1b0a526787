"""Who has no account: visitors of a file request, with the link that its owner has sent them."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, multipart, part
from tests.support.people import Person


@dataclass
class Visitor:
    """Someone with a link. Requests bear its secret."""

    app: Flask
    bearer: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.bearer}"}

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        client = self.app.test_client(use_cookies=False)
        return client.open(path, method=method, headers=self.headers | (headers or {}), **options)

    def look(self) -> TestResponse:
        return self.request("GET", "/api/request")

    def send(self, *parts: bytes, name: str | None = None, key: str | None = None) -> TestResponse:
        """POST files, one if none are given; `name` is what the visitor calls himself."""
        sender = [] if name is None else [part("from", None, name.encode())]
        body = multipart(*sender, *(parts or (part(),)))
        headers = {"Idempotency-Key": key} if key else {}
        return self.request("POST", "/api/upload", headers, data=body, content_type=CONTENT_TYPE)


def asked(person: Person, title: str = "Tax papers 2026", **wanted: Any) -> dict[str, Any]:
    """A file request that `person` makes."""
    answer = person.post("/api/requests", json={"title": title} | wanted)
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def bearer_of(made: dict[str, Any]) -> str:
    """What stands behind the # of a request's link."""
    return str(made["url"]).partition("#")[2]


def visitor_of(person: Person, **wanted: Any) -> Visitor:
    """A visitor of a new request of that person's."""
    return Visitor(person.app, bearer_of(asked(person, **wanted)))


def error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


OVER = (401, "request_over")

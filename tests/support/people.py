"""Who sends it: accounts, their sessions, and the headers they bear."""

from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from uploadsvc.extensions import db
from uploadsvc.models import User

PASSWORD = "a-fine-passphrase"


@dataclass
class Person:
    """Someone with an account and, after `login`, a session. Requests bear the access token unless `cookies`."""

    app: Flask
    email: str
    client: FlaskClient = field(init=False)
    tokens: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.app.test_client(use_cookies=False)

    def login(self, password: str = PASSWORD) -> "Person":
        answer = self.client.post("/api/auth/login", json={"email": self.email, "password": password})
        assert answer.status_code == 200, answer.text
        self.tokens = answer.get_json()
        return self

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['accessToken']}"}

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        return self.client.open(path, method=method, headers=self.headers | (headers or {}), **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.request("DELETE", path, **options)

    def send(
        self, body: bytes, content_type: str = CONTENT_TYPE, headers: dict[str, str] | None = None
    ) -> TestResponse:
        """POST a raw multipart body."""
        return self.post("/api/upload", data=body, content_type=content_type, headers=headers)

    def upload(
        self, filename: str = "a.pdf", content: bytes = PDF, mimetype: str | None = None, **headers: str
    ) -> TestResponse:
        """POST one file."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(multipart(part(filename=filename, content=content, mimetype=mimetype)), headers=given)


def add_user(app: Flask, email: str, collector: bool = False) -> None:
    with app.app_context():
        User.create(email, PASSWORD, 4).is_collector = collector
        db.session.commit()


def signed_in(app: Flask) -> FlaskClient:
    """A browser in which Alice has signed in: a session of its own, in cookies."""
    client = app.test_client()
    answer = client.post("/api/auth/login", json={"email": "alice@example.com", "password": PASSWORD})
    assert answer.status_code == 200
    return client


def csrf(visitor: FlaskClient) -> dict[str, str]:
    """The header that a browser's cookies need on everything but GET."""
    cookie = visitor.get_cookie("csrf_token")
    assert cookie is not None
    return {"X-CSRF-Token": cookie.value}

"""Sentry: a fault arrives over the SDK's own transport, and nothing that a user sent arrives with it."""

import gzip
import http.server
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from flask import Flask

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.people import PASSWORD, Person, add_user
from tests.support.stack import content
from uploadsvc import config
from uploadsvc.uploads import publication

TELLTALE = "telltale"
CSRF, AGENT, NOTE = "csrf-of-alice", "agent-of-alice", "a field of Alice's"
KEPT = {"event_id", "timestamp", "platform", "level", "logger", "message", "exception", "tags", "environment", "sdk"}


class Receiver(http.server.BaseHTTPRequestHandler):
    """Five lines of a Sentry."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(gzip.decompress(body).decode())  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def received() -> Iterator[tuple[str, list[str]]]:
    """The DSN of a Sentry on a local socket, and the envelopes that it has received."""
    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.received = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://key@127.0.0.1:{server.server_port}/1", server.received  # type: ignore[attr-defined]
        sentry_sdk.get_client().close()
        server.shutdown()
        thread.join()


def events(envelopes: list[str]) -> list[dict[str, Any]]:
    sentry_sdk.flush()
    return [json.loads(envelope.splitlines()[2]) for envelope in envelopes]


def alice_of(app: Flask) -> Person:
    add_user(app, "alice@example.com")
    return Person(app, "alice@example.com").login()


def test_a_fault_arrives_without_anything_that_a_user_sent(
    received: tuple[str, list[str]], make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it happened, and the id by which the log has the rest; and the next upload arrives byte for byte."""
    dsn, envelopes = received

    def fail(filename: str) -> str:
        quoted = f"nobody foresaw {filename}"
        raise RuntimeError(quoted) from OSError(2, "No such file", filename)

    alice = alice_of(make_app(SENTRY_DSN=dsn))
    body = multipart(part("note", None, NOTE.encode()), part(filename=f"{TELLTALE}.pdf", content=PDF))
    sent = {"Cookie": f"token={TELLTALE}", "X-CSRF-Token": CSRF, "User-Agent": AGENT}
    sent |= {"traceparent": f"00-{'4' * 32}-{'5' * 16}-01"}
    with monkeypatch.context() as patched:
        patched.setattr(publication, "safe_name", fail)
        answer = alice.post(f"/api/upload?{TELLTALE}", data=body, content_type=CONTENT_TYPE, headers=sent)
    assert answer.status_code == 500
    [event] = events(envelopes)
    assert [value["type"] for value in event["exception"]["values"]] == ["FileNotFoundError", "RuntimeError"]
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert (event["message"], event["level"], event["logger"]) == ("unforeseen", "error", "uploadsvc.request")
    assert event["tags"] == {
        "request_id": answer.headers["X-Request-ID"],
        "trace_id": "4" * 32,
        "method": "POST",
        "route": "/api/upload",
    }
    assert event.keys() <= KEPT
    token = alice.tokens["accessToken"]
    secrets = (TELLTALE, token, token.rpartition(".")[2], PASSWORD, CSRF, AGENT, NOTE, "alice@", "%PDF", "127.0.0.1")
    assert not [secret for secret in secrets if secret in envelopes[0]]
    assert '"vars"' not in envelopes[0] and '"request"' not in envelopes[0]
    [file] = alice.upload(content=PDF + b"x" * 100_000).get_json()["files"]
    with alice.get(f"/api/documents/{file['id']}/content") as download:
        assert download.data == PDF + b"x" * 100_000
    assert len(events(envelopes)) == 1


def test_an_error_told_before_the_body_is_read_leaves_the_body_alone(
    received: tuple[str, list[str]], make_app: Callable[..., Flask]
) -> None:
    """As set up by default the SDK reads what is left of a body whenever an error is logged."""
    dsn, envelopes = received
    app = make_app(SENTRY_DSN=dsn)
    app.before_request(lambda: logging.getLogger("uploadsvc.server").error("out_of_descriptors"))
    app.before_request(lambda: logging.getLogger("uploadsvc.server").warning("no error"))
    alice = alice_of(app)
    [file] = alice.upload(content=PDF + b"x" * 100_000).get_json()["files"]
    assert content(app, file["savedTo"]) == PDF + b"x" * 100_000
    assert [event["message"] for event in events(envelopes)] == ["out_of_descriptors"] * 2


def test_a_librarys_message_is_not_sent_for_it_may_quote_a_path(
    received: tuple[str, list[str]], make_app: Callable[..., Flask]
) -> None:
    dsn, envelopes = received
    make_app(SENTRY_DSN=dsn)
    logging.getLogger("waitress").error(f"Exception while serving /api/upload/{TELLTALE}.pdf")
    [event] = events(envelopes)
    assert event["logger"] == "waitress" and TELLTALE not in envelopes[0]


def test_without_a_dsn_nothing_is_sent_and_nobody_listens(make_app: Callable[..., Flask]) -> None:
    make_app()
    assert [type(handler).__module__ for handler in logging.getLogger().handlers if "sentry" in repr(handler)] == []


def test_a_dsn_without_the_package_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, make_app: Callable[..., Flask]
) -> None:
    """One line, and it says what to install."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(config.ConfigError) as stopped:
        make_app(SENTRY_DSN="https://key@sentry.example.org/1")
    assert re.fullmatch(r"SENTRY_DSN needs the extra `sentry`: .*pip install .*\.", str(stopped.value))

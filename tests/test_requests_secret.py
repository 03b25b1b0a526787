"""The secret of a file request: what is none is refused and told, guessing is throttled, and no line has it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.engines import Live
from tests.support.people import Person
from tests.support.stack import change, rows
from tests.support.valkey import Valkey
from tests.support.visitors import OVER, Visitor, asked, bearer_of, error, visitor_of
from uploadsvc.credentials import request_bearer
from uploadsvc.errors import TooManyRequests
from uploadsvc.throttle import Store, VisitorThrottle

REFUSED = (401, "unauthorized")
THROTTLED = (429, "too_many_requests")


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == name]


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [event["fault"] for event in events(caplog, "request_secret_refused")]


# --- what is none


def test_a_secret_with_one_character_changed_is_refused_and_told(
    alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 11, bad input: wherever it is, in the id, in the secret, or the dot between them."""
    bearer = visitor_of(alice).bearer
    places = range(0, len(bearer), 2)
    for at in places:
        other = bearer[:at] + ("0" if bearer[at] != "0" else "1") + bearer[at + 1 :]
        assert error(Visitor(alice.app, other).look()) == REFUSED
    assert faults(caplog) == ["wrong"] * len(places)
    assert {event["levelname"] for event in events(caplog, "request_secret_refused")} == {"WARNING"}


def no_secrets(alice: Person) -> dict[str, str]:
    one, other = (bearer_of(asked(alice)) for _ in range(2))
    (first, secret), (second, _) = one.split("."), other.split(".")
    return {
        "another request's": f"{second}.{secret}",
        "another instance's": request_bearer("another-secret-of-more-than-32-bytes!", first),
        "cut short": one[:-1],
        "one more": f"{one}0",
        "in capitals": one.upper(),
        "without an end": f"{first}.",
        "without an id": f".{secret}",
        "of blanks": f"{first}.{' ' * 32}",
        "beyond ASCII": f"{first}.{'é' * 32}".encode().decode("latin-1"),
        "very long": f"{first}.{'0' * 9000}",
    }


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_is_no_secret_of_the_request_is_refused_and_told(
    method: str, alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    path = {"GET": "/api/request", "POST": "/api/upload", "PUT": "/api/upload/a.pdf"}[method]
    wrong = no_secrets(alice)
    caplog.clear()
    for name, bearer in wrong.items():
        answer = Visitor(alice.app, bearer).request(method, path, data=multipart(part()), content_type=CONTENT_TYPE)
        assert error(answer) == REFUSED, name
        assert answer.headers["WWW-Authenticate"] == "Bearer" and bearer not in answer.text
    assert faults(caplog) == ["wrong"] * len(wrong)


def test_a_right_secret_without_its_request_is_over(alice: Person) -> None:
    """As after a restored backup; nobody learns whether there ever was one."""
    forged = request_bearer(alice.app.config["JWT_SECRET"], "0" * 32)
    assert error(Visitor(alice.app, forged).look()) == OVER == error(Visitor(alice.app, forged).send())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/request"),
        ("GET", "/api/limits"),
        ("GET", "/api/documents"),
        ("POST", "/api/upload"),
        ("PUT", "/api/upload/a.pdf"),
    ],
)
def test_a_secret_in_a_cookie_or_in_the_query_is_refused_and_told(
    method: str, path: str, alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 11, bad input: browsers send the one by themselves, every log on the way has the other."""
    bearer = visitor_of(alice).bearer
    request = {"method": method, "data": multipart(part()), "content_type": CONTENT_TYPE}
    caplog.clear()
    for name in ("token", "request", "csrf_token"):
        answer = alice.client.open(path, headers={"Cookie": f"a=b; {name}={bearer}; c=d"}, **request)
        assert error(answer) == REFUSED
    for query in (f"token={bearer}", bearer, f"a=b&secret={bearer.replace('.', '%2E')}&c=d"):
        answer = alice.client.open(f"{path}?{query}", **request)
        assert error(answer) == REFUSED and bearer not in answer.text
    assert faults(caplog) == ["cookie"] * 3 + ["query"] * 3


@pytest.mark.parametrize("given", ["Basic", "Token", "bearer", "BEARER"])
def test_it_is_borne_as_bearer_alone(given: str, alice: Person) -> None:
    """RFC 9110 §11.1: the scheme's name has no case."""
    answer = alice.client.get("/api/request", headers={"Authorization": f"{given} {visitor_of(alice).bearer}"})
    assert answer.status_code == (200 if given.lower() == "bearer" else 401)


def test_a_visitor_needs_no_csrf_header_even_beside_cookies(alice: Person) -> None:
    """B2: what no page can send by itself needs no second proof; the cookies beside it do not count."""
    answer = visitor_of(alice).request(
        "POST", "/api/upload", {"Cookie": "token=x; csrf_token=y"}, data=multipart(part()), content_type=CONTENT_TYPE
    )
    assert answer.status_code == 200


def test_a_page_on_another_host_may_visit(make_app: Callable[..., Flask], alice: Person) -> None:
    """B7: where FRONTEND_URL names it, and it reads refusals too; any other page reads nothing and sends nothing."""
    app, bearer = make_app(FRONTEND_URL="https://app.example.org"), visitor_of(alice).bearer
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    for origin, granted in (("https://app.example.org", "https://app.example.org"), ("https://evil.test", None)):
        preflight = app.test_client().options("/api/request", headers=asks | {"Origin": origin})
        answers = [preflight]
        answers += [Visitor(app, given).request("GET", "/api/request", {"Origin": origin}) for given in (bearer, "0.0")]
        assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == [granted] * 3
        sent = Visitor(app, bearer).request(
            "POST", "/api/upload", {"Origin": origin}, data=multipart(part()), content_type=CONTENT_TYPE
        )
        assert sent.status_code == (200 if granted else 403)


# --- throttles


def look_from(app: Flask, bearer: str, address: str) -> Any:
    environ = {"REMOTE_ADDR": address}
    headers = {"Authorization": f"Bearer {bearer}"}
    return app.test_client().get("/api/request", headers=headers, environ_overrides=environ)


def test_wrong_secrets_count_against_the_address_as_wrong_passwords_do(
    alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Sixty in 15 minutes; whom a request knows at that address still comes in, and all of them anywhere else."""
    known, new = visitor_of(alice).bearer, visitor_of(alice).bearer
    here, elsewhere = "2001:db8::1", "2001:db8:0:1::1"
    assert look_from(alice.app, known, here).status_code == 200
    wrong = [look_from(alice.app, f"{known}0", f"2001:db8::{n:x}") for n in range(61)]
    assert [error(answer) for answer in wrong] == [REFUSED] * 60 + [THROTTLED]
    assert int(wrong[-1].headers["Retry-After"]) > 0
    assert error(look_from(alice.app, new, here)) == THROTTLED
    assert [look_from(alice.app, new, elsewhere).status_code, look_from(alice.app, known, here).status_code] == [
        200,
        200,
    ]
    assert len(faults(caplog)) == 61 and len(events(caplog, "throttled")) == 2


def test_visits_are_throttled_by_address(alice: Person) -> None:
    first, second = visitor_of(alice).bearer, visitor_of(alice).bearer
    assert {look_from(alice.app, first, "192.0.2.1").status_code for _ in range(600)} == {200}
    assert error(look_from(alice.app, second, "192.0.2.1")) == THROTTLED
    assert look_from(alice.app, first, "192.0.2.2").status_code == 200
    assert alice.upload().status_code == 200


def test_visits_are_throttled_by_request() -> None:
    throttle = VisitorThrottle()
    for n in range(1800):
        throttle.visit(f"192.0.2.{n % 4}", "one")
    with pytest.raises(TooManyRequests) as refused:
        throttle.visit("192.0.2.9", "one")
    assert (refused.value.reason, 0 < int(refused.value.headers["Retry-After"]) <= 60) == ("request", True)
    throttle.visit("192.0.2.9", "other")


def test_all_processes_count_together(valkey: Valkey) -> None:
    url = valkey.url()
    throttles = [VisitorThrottle(Store(url)) for _ in range(2)]
    throttles[0].visit("192.0.2.1", "known")
    for n in range(60):
        throttles[n % 2].wrong("192.0.2.1")
    for throttle in throttles:
        throttle.visit("192.0.2.1", "known")
        with pytest.raises(TooManyRequests):
            throttle.wrong("192.0.2.1")
        with pytest.raises(TooManyRequests):
            throttle.visit("192.0.2.1", "unknown")


# --- what is told


def test_the_trail_tells_who_asked_and_who_sent(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """By the request's id; the sender is what a visitor tells of himself."""
    caplog.clear()
    made = asked(alice)
    visitor = Visitor(alice.app, bearer_of(made))
    sent = visitor.send(name="Ana\u202e").get_json()["files"][0]["id"]
    visitor.send(part(filename="x.exe"))
    alice.delete(f"/api/requests/{made['id']}")
    [asks], [ends] = events(caplog, "request_made"), events(caplog, "request_ended")
    assert (asks["user_id"], asks["target_request"], ends["user_id"], ends["target_request"]) == (1, made["id"]) * 2
    [uploaded], [refused] = events(caplog, "uploaded"), events(caplog, "file_refused")
    told = {name: uploaded[name] for name in ("user_id", "token_id", "file_request", "sender", "documents")}
    assert told == {
        "user_id": 1,
        "token_id": None,
        "file_request": made["id"],
        "sender": "Ana",
        "documents": [sent],
    }
    assert refused["file_request"] == made["id"] and "sender" not in refused
    by = {line.get("file_request") for line in events(caplog, "request") if line["route"] == "/api/upload"}
    assert by == {made["id"]}


def test_a_link_pasted_into_the_name_is_kept_nowhere(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Nor in any other text field: neither the database, nor the trail, nor who sees the document gets the secret."""
    made = asked(alice)
    visitor = Visitor(alice.app, bearer_of(made))
    answer = visitor.send(
        part("note", None, visitor.bearer.encode()), part("for", None, b"2026"), part(), name=made["url"]
    )
    assert (answer.status_code, answer.get_json()["fields"]) == (200, {"for": "2026"})
    [document] = alice.get("/api/documents").get_json()["documents"]
    assert document["sender"] is None and events(caplog, "uploaded")[0]["sender"] is None
    assert visitor.bearer not in str(rows(alice.app, "SELECT * FROM documents")) + caplog.text


def test_the_figures_tell_results_and_no_request(alice: Person) -> None:
    made = asked(alice, title="telltale", maxFiles=1)
    visitor = Visitor(alice.app, bearer_of(made))
    answers = [visitor.send(name="telltale"), visitor.send(), Visitor(alice.app, f"{visitor.bearer}0").send()]
    assert [answer.status_code for answer in answers] == [200, 401, 401]
    figures = alice.client.get("/metrics").text
    for result in ("ok", "request_over", "unauthorized"):
        assert f'uploads_total{{result="{result}"}}' in figures
    assert 'token_rejections_total{reason="over"}' in figures and 'scope="secret"' in figures
    assert made["id"] not in figures and "telltale" not in figures


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_line_no_answer_and_no_figure_has_the_secret(log_format: str, start: Callable[..., Live]) -> None:
    """Issue 11: every log line is read, at DEBUG, after everything that can be done with it, rightly and wrongly."""
    live = start(LOG_FORMAT=log_format, LOG_LEVEL="DEBUG")
    owner = live.login() | {"Content-Type": "application/json"}
    status, _, body = live.request("POST", "/api/requests", b'{"title": "t", "maxFiles": 3}', owner)
    assert status == 200
    made = json.loads(body)
    bearer = bearer_of(made)
    secret = bearer.partition(".")[2]
    right, wrong = ({"Authorization": f"Bearer {given}"} for given in (bearer, f"{bearer}0"))
    answers = [
        live.request("GET", "/api/request", headers=right),
        live.request("GET", "/api/documents", headers=right),
        live.upload(right),
        live.upload(right, part(filename="x.exe")),
        live.request("PUT", "/api/upload/a.pdf", PDF, right),
        live.request("GET", "/api/request", headers=wrong),
        live.upload(wrong),
        live.request("PUT", "/api/upload/a.pdf", PDF, wrong),
        live.request("GET", f"/api/request?secret={bearer}"),
        live.request("PUT", f"/api/upload/a.pdf?secret={bearer}", PDF),
        live.request("GET", f"/nowhere?{bearer}"),
        live.request("GET", "/api/request", headers={"Cookie": f"token={bearer}"}),
        live.request("BREW", "/api/request", headers=right),
        live.request("GET", "/api/request", headers=right | {"X-Bad": "a\x00b"}),
    ]
    change(live, "ALTER TABLE file_requests RENAME TO elsewhere")
    answers += [live.request("GET", "/api/request", headers=right), live.upload(right)]
    change(live, "ALTER TABLE elsewhere RENAME TO file_requests")
    answers.append(live.request("DELETE", f"/api/requests/{made['id']}", headers=owner))
    answers += [live.upload(right), live.request("GET", "/metrics")]
    statuses = [answer[0] for answer in answers]
    assert statuses == [200, 403, 200, 415, 200, 401, 401, 401, 401, 401, 404, 401, 405, 400, 500, 500, 200, 401, 200]
    assert not [answer for answer in answers if secret in str(answer)]
    assert secret not in live.flask("requests", "list").stdout
    live.stop()
    lines = live.log.read_text().splitlines()
    assert len(lines) > len(answers) and not [line for line in lines if secret in line]
    assert sum("request_secret_refused" in line for line in lines) == 6
    assert sum(made["id"] in line for line in lines) > 3

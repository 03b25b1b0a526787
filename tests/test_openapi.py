"""The description at /api/openapi.json is true: it is compared with the code, and tried against a real server."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from http.cookies import SimpleCookie
from typing import Any

import jwt
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient

from tests.support.engines import BASE, ROOT, Live
from tests.support.people import Person, csrf, signed_in
from uploadsvc import errors
from uploadsvc.credentials import request_bearer
from uploadsvc.extensions import db
from uploadsvc.models import ApiToken, FileRequest, User
from uploadsvc.openapi import document

DEMO = "Password123!"  # the demo account's; it stands in the description's examples
SUPPORT = ROOT / "tests" / "support"
DESCRIPTION = json.loads(json.dumps(document()))
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
}


def described(rule: str) -> str:
    """The path of one of Flask's rules, as the description writes it."""
    return re.sub(r"<(?:\w+:)?(?:\w+_)?(\w+)>", r"{\1}", rule)


def test_it_is_valid_openapi() -> None:
    schemathesis.openapi.from_dict(DESCRIPTION).validate()


def test_anybody_may_read_it(client: FlaskClient) -> None:
    answer = client.get("/api/openapi.json")
    assert (answer.status_code, answer.mimetype, answer.get_json()) == (200, "application/json", DESCRIPTION)
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_has_every_route_and_no_other(app: Flask) -> None:
    routes = {
        (method, described(rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("web")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in OPERATIONS.values()} == routes


def test_it_has_every_stable_code_with_its_status() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ApiError)]
    ours = {(kind.status, kind.code) for kind in kinds if kind.status != 499}  # nobody receives a 499
    responses = DESCRIPTION["components"]["responses"]
    for name in ("Error", "UploadError"):
        told = {
            (int(key.removeprefix(name)), code)
            for key, response in responses.items()
            if key.startswith(name)
            for code in response["content"]["application/json"]["schema"]["properties"]["error"]["enum"]
        }
        assert told == ours | {(412, "precondition_failed"), (416, "requested_range_not_satisfiable")}


def new_token(app: Flask, scope: str) -> str:
    """An API token of the first account."""
    with app.app_context():
        return ApiToken.create(1, "script", scope, None, app.config["JWT_SECRET"])[1]


def as_basic(token: str) -> str:
    return f"Basic {base64.b64encode(f'me:{token}'.encode()).decode()}"


def new_link(app: Flask) -> str:
    """What visitors of a new file request of the first account bear."""
    with app.app_context():
        made = FileRequest.create(1, "Tax papers 2026", "", 30, 10_000)
        return request_bearer(app.config["JWT_SECRET"], made.public_id)


def credentials(app: Flask, person: Person) -> Iterator[tuple[dict[str, set[str]], FlaskClient, dict[str, str]]]:
    """Everybody who may come: what security schemes, with which scopes, a client and its headers satisfy."""
    nobody = app.test_client(use_cookies=False)
    yield {}, nobody, {}
    yield {"session": set()}, nobody, person.login().headers
    browser = signed_in(app)
    yield {"cookie": set()}, browser, {}
    browser = signed_in(app)
    yield {"cookie": set(), "csrf": set()}, browser, csrf(browser)
    for scope, scopes in (("upload", {"upload"}), ("full", {"upload", "full"})):
        token = new_token(app, scope)
        yield {"apiToken": scopes}, nobody, {"Authorization": f"Bearer {token}"}
        yield {"basic": scopes}, nobody, {"Authorization": as_basic(token)}
    yield {"request": set()}, nobody, {"Authorization": f"Bearer {new_link(app)}"}


# Whoever refreshes or signs out proves it otherwise: test_sessions.py.
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"refresh", "logout"}))
def test_it_tells_who_may_do_what(app: Flask, alice: Person, name: str) -> None:
    method, path, operation = OPERATIONS[name]
    wanted = operation["security"] or [{}]
    for satisfied, client, headers in credentials(app, alice):
        enough = any(
            all(scheme in satisfied and set(scopes) <= satisfied[scheme] for scheme, scopes in each.items())
            for each in wanted
        )
        answer = client.open(path.format(id="1", filename="a.pdf"), method=method, headers=headers, json={})
        assert (answer.status_code not in (401, 403)) == enough, (satisfied, answer.text)


def closed(node: Any) -> Any:
    """The description with answers that hold nothing but what it names: for a test a member too many is a leak."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    extra = {"additionalProperties": False} if "properties" in node else {}
    return {key: value if key == "requestBody" else closed(value) for key, value in node.items()} | extra


@pytest.fixture
def server(app: Flask, start: Callable[..., Live]) -> Live:
    """A real server on the instance of `app`, with accounts whose password stands in the description's examples."""
    with app.app_context():
        for name in ("user", "changing", "leaving"):
            User.create(f"{name}@example.com", DEMO, 4)
        db.session.commit()
    return start(JWT_SECRET=BASE["JWT_SECRET"])


def bearer(live: Live, name: str = "user") -> str:
    return live.login(f"{name}@example.com", DEMO)["Authorization"]


def in_a_browser(live: Live, name: str) -> dict[str, str]:
    """The refresh cookie and the CSRF token of a session."""
    connection = live.http()
    body = json.dumps({"email": f"{name}@example.com", "password": DEMO})
    connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    cookies = SimpleCookie(" ".join(value for header, value in answer.getheaders() if header == "Set-Cookie"))
    connection.close()
    return {"REFRESH": f"refresh_token={cookies['refresh_token'].value}", "CSRF": cookies["csrf_token"].value}


def tried(live: Live, app: Flask, description: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    """Run schemathesis with a description over a server."""
    given = in_a_browser(live, "leaving")
    given |= {
        "VISITING": f"Bearer {new_link(app)}",
        "SCHEMATHESIS_HOOKS": str(SUPPORT / "plain_text.py"),
        "LEAVING": bearer(live, "leaving"),
        "ENDING": bearer(live, "leaving"),
        "CHANGING": bearer(live, "changing"),
    }
    ended = bearer(live, "leaving").removeprefix("Bearer ")
    given["ENDED"] = jwt.decode(ended, options={"verify_signature": False})["sid"]
    given["STORED"] = json.loads(live.upload({"Authorization": bearer(live)})[2])["files"][0]["id"]
    file = live.instance / "openapi.json"
    file.write_text(json.dumps(closed(description)))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SUPPORT / "schemathesis.toml")]
    command += ["run", str(file), "--url", f"http://127.0.0.1:{live.port}", "--no-color", *options]
    return subprocess.run(
        command,
        cwd=live.instance,
        env={"PATH": os.environ["PATH"]} | given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def answered_well(live: Live) -> set[tuple[str, str]]:
    """The operations that were answered 200 at least once, as the server has logged them."""
    requests = [line for line in live.lines if line["message"] == "request" and line["status"] == 200]
    return {(line["method"], described(line["route"])) for line in requests}


def test_the_server_does_what_it_says_to_a_session(app: Flask, server: Live) -> None:
    run = tried(server, app, DESCRIPTION, "-H", f"Authorization: {bearer(server)}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert answered_well(server) >= {(method, path) for method, path, _ in OPERATIONS.values()}


def test_the_server_does_what_it_says_to_a_script_that_wants_text(app: Flask, server: Live) -> None:
    basic = as_basic(new_token(app, "full"))
    run = tried(server, app, DESCRIPTION, "-H", f"Authorization: {basic}", "-H", "Accept: text/plain")
    assert run.returncode == 0, run.stdout + run.stderr
    open_to_it = [key for key in OPERATIONS.values() if {"basic": ["full"]} in key[2]["security"]]
    assert answered_well(server) >= {(method, path) for method, path, _ in open_to_it}


def test_what_it_says_wrongly_is_found(app: Flask, server: Live) -> None:
    """The two tests above can fail: one lie an operation, and what schemathesis calls it."""
    lies = deepcopy(DESCRIPTION)
    operations = {operation["operationId"]: operation for path in lies["paths"].values() for operation in path.values()}
    good = {name: operation["responses"].get("200") for name, operation in operations.items()}
    schemas = {name: good[name]["content"]["application/json"]["schema"] for name in ("limits", "listDocuments")}
    del operations["showDocument"]["responses"]["404"]
    good["readyz"]["content"] = {"text/plain": {}}
    good["healthz"]["headers"]["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    schemas["limits"]["properties"]["maxFiles"] = {"type": "string"}
    schemas["listDocuments"]["required"].remove("next")
    del schemas["listDocuments"]["properties"]["next"]
    good["uploadAs"]["content"]["text/plain"]["schema"] = {"pattern": "^[A-Z]"}
    operations["openapi"]["security"] = [{"session": []}]
    found = {
        "GET /api/documents/{id}": "ST103 Undocumented status code",
        "GET /readyz": "ST105 Undocumented Content-Type",
        "GET /healthz": "ST107 Missing required response headers",
        "GET /api/limits": "ST108 Response violates schema",
        "GET /api/documents": "ST108 Response violates schema",
        "PUT /api/upload/{filename}": "ST108 Response violates schema",
        "GET /api/openapi.json": "ST401 API accepts requests without authentication",
    }
    only = [option for name in found for option in ("--include-name", name)]
    headers = ["-H", f"Authorization: {bearer(server)}", "-H", "Accept: text/plain"]
    run = tried(server, app, lies, *headers, "--phases", "coverage", *only)
    sections = re.split(r"^_+ (.+) _+$", run.stdout, flags=re.MULTILINE)
    told = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert run.returncode == 1, run.stdout + run.stderr
    assert {name: title for name, title in found.items() if title in told.get(name, "")} == found

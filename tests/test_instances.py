"""Two instances of one service, whatever they keep their state in: what one has done the other knows at once (P9)."""

import base64
import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from tests.support.bodies import PDF
from tests.support.engines import Live
from tests.support.people import PASSWORD
from tests.support.proxies import BEHIND, Fronted, nginx
from tests.support.valkey import Valkey

ADMIN = "admin@localhost"
NUMBER = 20

Pair = list[Live]
Answer = tuple[int, Any]


@pytest.fixture
def settings(valkey: Valkey) -> dict[str, str]:
    """What both instances are told: room for twenty requests at once, and a quota of ten files."""
    return {"REDIS_URL": valkey.url(), "THREADS": "24", "USER_QUOTA_BYTES": str(10 * len(PDF))}


@pytest.fixture
def pair(start: Callable[..., Live], settings: dict[str, str]) -> Pair:
    """Two instances, which are reached each by itself."""
    return [start(**settings) for _ in range(2)]


class Someone:
    """A sign-in as a script keeps it."""

    def __init__(self, live: Live, password: str = PASSWORD) -> None:
        connection, body = live.http(), json.dumps({"email": ADMIN, "password": password})
        try:
            connection.request(
                "POST", "/api/auth/login", body, {"Content-Type": "application/json", "Host": "localhost"}
            )
            answer = connection.getresponse()
            tokens = json.loads(answer.read())
        finally:
            connection.close()
        assert answer.status == 200, tokens
        cookies = SimpleCookie("; ".join(line.split(";")[0] for line in answer.headers.get_all("Set-Cookie") or []))
        self.refresh_token = cookies["refresh_token"].value
        self.headers = bearer(tokens["accessToken"])

    def ask(self, live: Live, method: str, path: str, body: object = None) -> Answer:
        return asked(live, method, path, body, self.headers)

    def may_read(self, live: Live) -> int:
        return self.ask(live, "GET", "/api/documents")[0]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def asked(live: Live, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    """Status and JSON of one request."""
    given = {"Content-Type": "application/json"} | (headers or {})
    status, _, answer = live.request(method, path, None if body is None else json.dumps(body).encode(), given)
    return status, json.loads(answer)


def refreshed(live: Live, token: str) -> Answer:
    return asked(live, "POST", "/api/auth/refresh", {"refresh": token})


def put(live: Live, headers: dict[str, str], name: str = "a.pdf") -> Answer:
    """An upload."""
    status, _, answer = live.request("PUT", f"/api/upload/{name}", PDF, headers)
    return status, json.loads(answer)


def at_once(pair: Pair, send: Callable[[Live, int], Answer]) -> list[Answer]:
    """What twenty requests get that begin at the same moment, in turn at each of the instances."""
    gate = threading.Barrier(NUMBER)

    def begin(n: int) -> Answer:
        gate.wait(20)
        return send(pair[n % len(pair)], n)

    with ThreadPoolExecutor(NUMBER) as pool:
        return list(pool.map(begin, range(NUMBER)))


def jti(token: str) -> str:
    """Which of a session's refresh tokens it is; it may be written down anew each time."""
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])


# --- sessions


def test_twenty_refreshes_of_one_token_at_both_have_one_child(pair: Pair) -> None:
    """A20, P9: all are answered 200 with the same child, which is good at either."""
    token = Someone(pair[0]).refresh_token
    answers = at_once(pair, lambda live, _: refreshed(live, token))
    assert [status for status, _ in answers] == [200] * NUMBER
    assert len({jti(body["refresh"]) for _, body in answers}) == 1
    assert len({body["csrfToken"] for _, body in answers}) == 1
    assert [refreshed(live, answers[0][1]["refresh"])[0] for live in pair] == [200, 200]


def test_a_token_used_at_one_is_used_at_the_other(pair: Pair) -> None:
    """A18, P9: once its child was used, the parent is reuse wherever it comes, and ends the family everywhere."""
    token = Someone(pair[0]).refresh_token
    _, child = refreshed(pair[1], token)
    _, grandchild = refreshed(pair[0], child["refresh"])
    assert refreshed(pair[1], token)[0] == 401
    assert [refreshed(live, grandchild["refresh"])[0] for live in pair] == [401, 401]


def test_a_sign_out_at_one_ends_the_session_at_the_other(pair: Pair) -> None:
    """A16, P9: for its access token, which the other has just accepted, and for its refresh token."""
    someone, neighbour = Someone(pair[0]), Someone(pair[1])
    assert [someone.may_read(live) for live in pair] == [200, 200]
    assert someone.ask(pair[0], "POST", "/api/auth/logout")[0] == 200
    assert [someone.may_read(live) for live in pair] == [401, 401]
    assert put(pair[1], someone.headers)[0] == 401
    assert [refreshed(live, someone.refresh_token)[0] for live in pair] == [401, 401]
    assert [neighbour.may_read(live) for live in pair] == [200, 200]


def test_a_new_password_at_one_ends_the_other_sessions_at_the_other(pair: Pair) -> None:
    """P9: the old one is wrong there, and the new one right."""
    someone, neighbour = Someone(pair[0]), Someone(pair[1])
    changed = someone.ask(pair[0], "POST", "/api/auth/password", {"current": PASSWORD, "new": "another-passphrase"})
    assert changed[0] == 200
    assert (someone.may_read(pair[1]), neighbour.may_read(pair[1])) == (200, 401)
    old = {"email": ADMIN, "password": PASSWORD}
    assert asked(pair[1], "POST", "/api/auth/login", old)[0] == 401
    assert Someone(pair[1], "another-passphrase").may_read(pair[0]) == 200


def test_a_disabled_account_is_refused_by_both(pair: Pair) -> None:
    """P9: at once, for reads and uploads, though both knew it a moment before."""
    someone = Someone(pair[0])
    assert [someone.may_read(live) for live in pair] == [200, 200]
    assert pair[0].flask("users", "disable", ADMIN).returncode == 0
    assert [someone.may_read(live) for live in pair] == [401, 401]
    assert [put(live, someone.headers)[0] for live in pair] == [401, 401]


def test_an_api_token_revoked_at_one_is_refused_by_the_other(pair: Pair) -> None:
    """P9: at once, though the other has just taken an upload with it."""
    someone = Someone(pair[0])
    _, made = someone.ask(pair[0], "POST", "/api/tokens", {"name": "laptop", "scope": "upload"})
    headers = bearer(made["token"])
    assert [put(live, headers)[0] for live in pair] == [200, 200]
    [known] = someone.ask(pair[1], "GET", "/api/tokens")[1]["tokens"]
    assert someone.ask(pair[0], "DELETE", f"/api/tokens/{known['id']}")[0] == 200
    assert [put(live, headers)[0] for live in pair] == [401, 401]


# --- documents


def test_what_was_uploaded_at_one_is_found_at_the_other(pair: Pair) -> None:
    """P9: with its bytes; and what was deleted there is gone here."""
    someone = Someone(pair[0])
    status, stored = put(pair[0], someone.headers)
    path = f"/api/documents/{stored['files'][0]['id']}"
    assert status == 200
    assert pair[1].request("GET", f"{path}/content", headers=someone.headers)[::2] == (200, PDF)
    assert someone.ask(pair[1], "DELETE", path)[0] == 200
    assert [someone.ask(live, "GET", path)[0] for live in pair] == [404, 404]
    assert someone.ask(pair[0], "GET", "/api/documents")[1]["documents"] == []


def test_twenty_at_once_at_both_fill_the_quota_to_the_byte(pair: Pair) -> None:
    """E7, P9: ten fit, as at one, and both tell the same of it."""
    someone = Someone(pair[0])
    answers = at_once(pair, lambda live, n: put(live, someone.headers, f"{n}.pdf"))
    assert Counter(status for status, _ in answers) == {200: 10, 507: 10}
    assert [someone.ask(live, "GET", "/api/limits")[1]["usedBytes"] for live in pair] == [10 * len(PDF)] * 2
    assert [len(someone.ask(live, "GET", "/api/documents")[1]["documents"]) for live in pair] == [10, 10]


def test_repeats_at_both_are_stored_once(pair: Pair) -> None:
    """C17, P9: twenty uploads with one Idempotency-Key get one answer, that of the one that was stored."""
    someone = Someone(pair[0])
    key = someone.headers | {"Idempotency-Key": "one"}
    answers = at_once(pair, lambda live, _: put(live, key))
    assert [status for status, _ in answers] == [200] * NUMBER
    assert len({json.dumps(body) for _, body in answers}) == 1
    assert len(someone.ask(pair[1], "GET", "/api/documents")[1]["documents"]) == 1


# --- behind one proxy


def test_behind_a_proxy_nobody_notices_that_there_are_two(
    start: Callable[..., Live], settings: dict[str, str], tmp_path: Path
) -> None:
    """P9: nginx sends each request to the next; reads, refreshes, uploads and wrong passwords do not care."""
    services = [start(**settings, **BEHIND) for _ in range(2)]
    (tmp_path / "nginx").mkdir()
    with nginx(tmp_path / "nginx", *services) as front:
        someone = Someone(front)
        assert [someone.may_read(front) for _ in range(NUMBER)] == [200] * NUMBER
        stored = at_once([front], lambda live, n: put(live, someone.headers, f"{n}.pdf"))
        assert Counter(status for status, _ in stored) == {200: 10, 507: 10}
        children = at_once([front], lambda live, _: refreshed(live, someone.refresh_token))
        assert len({jti(body["refresh"]) for _, body in children}) == 1
        assert Counter(guessed_from(front, n) for n in range(11)) == {401: 10, 429: 1}
    assert all(reached(service) for service in services)


def guessed_from(front: Fronted, n: int) -> int:
    """One wrong password from an address of its own network, which nobody has signed in from."""
    wrong = {"email": ADMIN, "password": f"something-wrong-{n}"}
    return asked(front.seen_from("127.0.0.9"), "POST", "/api/auth/login", wrong)[0]


def reached(service: Live) -> bool:
    return any(line.get("status") == 200 for line in service.lines)

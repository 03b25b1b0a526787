"""`/metrics`: who gets it, what it counts, and that the dashboard and the alerts ask for what is there."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import BASE, ROOT, Live, needed, start_live, tuned
from tests.support.people import PASSWORD, Person, add_user
from tests.support.wire import UPLOAD, Wire, authorization, head, upload_head
from uploadsvc.config import ConfigError
from uploadsvc.extensions import db
from uploadsvc.models import now
from uploadsvc.uploads import ROUTES

TOKEN = "a-token-for-the-scraper"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8"))
ALERTS = (ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8")
# The design's table (operations.md §5), and what the original's "Metrics to Track" asks for beside it.
NAMES = {
    "http_request_duration_seconds_bucket",
    "http_requests_in_progress",
    "upload_bytes_total",
    "uploads_total",
    "upload_size_bytes_bucket",
    "upload_receive_seconds_bucket",
    "upload_store_seconds_bucket",
    "upload_speed_bytes_per_second_bucket",
    "logins_total",
    "token_rejections_total",
    "suspicious_files_total",
    "rate_limited_total",
    "storage_used_bytes",
    "storage_free_bytes",
    "waitress_queue_depth",
    "waitress_open_connections",
    "documents",
    "active_users",
    "database_query_seconds_bucket",
    "process_start_time_seconds",
}


def figures(exposition: str) -> dict[str, float]:
    """Every series' value, by its name and labels as they are written."""
    lines = [line.rpartition(" ") for line in exposition.splitlines() if line and not line.startswith("#")]
    return {series: float(value) for series, _, value in lines}


def scraped(source: FlaskClient | Live) -> dict[str, float]:
    if isinstance(source, Live):
        status, _, body = source.request("GET", "/metrics")
        assert status == 200
        return figures(body.decode())
    answer = source.get("/metrics")
    assert answer.status_code == 200
    return figures(answer.text)


def changes(source: FlaskClient | Live, action: Callable[[], object]) -> dict[str, float]:
    """By how much each series has changed after `action`; without those that have not."""
    before = scraped(source)
    action()
    after = scraped(source)
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


def someone(app: Flask) -> Person:
    add_user(app, "alice@example.com")
    return Person(app, "alice@example.com").login()


# --- What an upload adds


@pytest.mark.parametrize("files", [[PDF], [PDF, PDF + bytes(70_000)]], ids=["one file", "two files"])
def test_a_stored_upload_is_counted_once_with_the_bytes_of_its_files(alice: Person, files: list[bytes]) -> None:
    """One request is one upload, however many files it has; multipart's own bytes are no content."""
    body = multipart(*(part(content=content) for content in files))
    changed = changes(alice.client, lambda: alice.send(body))
    assert changed['uploads_total{result="ok"}'] == 1
    assert changed['upload_bytes_total{result="ok"}'] == changed["upload_size_bytes_sum"] == len(b"".join(files))
    assert changed["upload_size_bytes_count"] == changed["upload_receive_seconds_count"] == 1
    backend = alice.app.extensions["storage"].backend
    assert changed[f'upload_store_seconds_count{{backend="{backend}"}}'] == 1
    assert changed['http_request_duration_seconds_count{method="POST",route="/api/upload",status="200"}'] == 1


def is_counted(changed: dict[str, float], result: str, status: int, refusal: str = "") -> bool:
    """Is the upload counted with this result alone, with its status, and where it has one the series of its reason?"""
    results = {name: change for name, change in changed.items() if name.startswith("uploads_total")}
    assert results == {f'uploads_total{{result="{result}"}}': 1}
    assert changed[f'http_request_duration_seconds_count{{method="POST",route="/api/upload",status="{status}"}}'] == 1
    refusals = ("suspicious_files", "token_rejections", "rate_limited")
    told = {name: change for name, change in changed.items() if name.startswith(refusals)}
    return told == ({refusal: 1} if refusal else {})


def suspicious(reason: str) -> tuple[str, int, str]:
    return "suspicious", 415, f'suspicious_files_total{{reason="{reason}"}}'


@pytest.mark.parametrize(
    ("settings", "body", "counted"),
    [
        ({"MAX_FILE_BYTES": 10}, multipart(part()), ("too_large", 413)),
        ({"USER_QUOTA_BYTES": 10}, multipart(part()), ("quota", 507)),
        ({"MIN_FREE_BYTES": 2**60}, multipart(part()), ("insufficient_storage", 507)),
        ({}, multipart(part())[:-20], ("truncated", 400)),
        ({}, multipart(part(content=b"")), ("malformed", 400)),
        ({}, multipart(part(filename="a.exe")), suspicious("name")),
        ({}, multipart(part(mimetype="text/html")), suspicious("declared_type")),
        ({}, multipart(part(content=b"hello")), suspicious("content")),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_refused_upload_is_counted_by_its_reason(
    make_app: Callable[..., Flask], settings: dict[str, Any], body: bytes, counted: tuple[Any, ...]
) -> None:
    """Failures by reason; what is suspicious of a file is told too."""
    alice = someone(make_app(**settings))
    changed = changes(alice.client, lambda: alice.send(body))
    assert is_counted(changed, *counted)
    assert "upload_size_bytes_count" not in changed


def test_a_disk_that_refuses_is_counted(alice: Person, tmp_path: Path) -> None:
    (alice.app.config["UPLOADS_DIR"] / "1").symlink_to(tmp_path)
    assert is_counted(changes(alice.client, alice.upload), "storage_error", 500)


def test_an_upload_without_a_place_is_throttled(make_app: Callable[..., Flask]) -> None:
    alice = someone(make_app(USER_UPLOADS=1))
    with alice.app.extensions["open_uploads"].place(1):
        assert is_counted(changes(alice.client, alice.upload), "throttled", 429, 'rate_limited_total{scope="uploads"}')


def test_a_form_that_is_no_upload_is_not_suspicious(alice: Person) -> None:
    changed = changes(alice.client, lambda: alice.send(b"a=b", "application/x-www-form-urlencoded"))
    assert is_counted(changed, "unsupported_type", 415)


# --- How long it took to come


@pytest.fixture(scope="module")
def alices(live: Live) -> str:
    return authorization(live)


@pytest.mark.parametrize("pause", [0, 0.3], ids=["at once", "in pieces"])
def test_only_of_an_upload_in_pieces_the_speed_is_told(live: Live, alices: str, pause: float) -> None:
    """From its first byte to its last by the streaming server; what came at once tells nothing of the line."""
    body = multipart(part())
    pieces = [body[:60], body[60:]] if pause else [body]

    def send() -> None:
        with Wire(live).send(upload_head(len(body), alices) + pieces[0]) as wire:
            time.sleep(pause)
            wire.send(*pieces[1:])
            assert wire.answer().status == 200

    changed = changes(live, send)
    assert changed["upload_receive_seconds_count"] == 1
    assert changed.get("upload_receive_seconds_sum", 0) >= pause / 2
    if pause:
        assert 0 < changed["upload_speed_bytes_per_second_sum"] <= len(pieces[1]) / pause * 2
    assert changed.get("upload_speed_bytes_per_second_count", 0) == (1 if pause else 0)


def test_a_server_that_reads_the_body_in_the_view_is_timed_too(alice: Person) -> None:
    """Feeder 1: behind any WSGI server, a body of more than one read."""
    changed = changes(alice.client, lambda: alice.upload(content=PDF + bytes(200_000)))
    assert changed["upload_receive_seconds_count"] == changed["upload_speed_bytes_per_second_count"] == 1


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that soon gives a slow upload up."""
    with tuned(tmp_path_factory.mktemp("hasty"), GRACE=1) as live:
        yield live


@pytest.mark.parametrize(("status", "result"), [(499, "client_closed"), (408, "timeout")])
@pytest.mark.parametrize(
    ("start", "route"),
    [(UPLOAD, "/api/upload"), ("PUT /api/upload/of-alice.pdf HTTP/1.1", "/api/upload/<rest:filename>")],
    ids=["POST", "PUT"],
)
def test_an_upload_that_breaks_off_is_counted_by_its_route(
    hasty: Live, start: str, route: str, status: int, result: str
) -> None:
    """499 and 408, with the bytes that came; the name in the address of a PUT becomes no label."""
    lines = [authorization(hasty), "Content-Length: 100000"]
    lines += [f"Content-Type: {CONTENT_TYPE}"] * start.startswith("POST")
    before, method = scraped(hasty), start.split(maxsplit=1)[0]
    series = f'http_request_duration_seconds_count{{method="{method}",route="{route}",status="{status}"}}'
    with Wire(hasty).send(head(start, *lines) + PDF) as wire:
        if status == 408:
            assert wire.ended()
    assert eventually(lambda: scraped(hasty).get(series) == 1)
    after = scraped(hasty)
    assert after[f'uploads_total{{result="{result}"}}'] - before[f'uploads_total{{result="{result}"}}'] == 1
    came = f'upload_bytes_total{{result="{result}"}}'
    assert after[came] - before.get(came, 0) == len(PDF)
    assert not any("of-alice" in name for name in after)


def test_the_routes_that_the_server_names_are_the_applications(app: Flask) -> None:
    """For a request that breaks off is never routed."""
    assert set(ROUTES.values()) <= {rule.rule for rule in app.url_map.iter_rules()}


# --- Who came in, and who did not


def test_sign_ins_are_counted_by_how_they_ended(alice: Person) -> None:
    """Eleven tries: one good, ten wrong ones, of which the last finds its window full."""

    def sign_in(password: str) -> int:
        return alice.client.post("/api/auth/login", json={"email": alice.email, "password": password}).status_code

    changed = changes(alice.client, lambda: [sign_in(PASSWORD), *(sign_in("wrong-password") for _ in range(11))])
    logins = {name: change for name, change in changed.items() if name.startswith("logins")}
    assert logins == {
        'logins_total{result="ok"}': 1,
        'logins_total{result="failed"}': 10,
        'logins_total{result="throttled"}': 1,
    }
    assert changed['rate_limited_total{scope="pair"}'] == 1


def expired(alice: Person) -> dict[str, str]:
    claims = jwt.decode(alice.tokens["accessToken"], options={"verify_signature": False}) | {"exp": 1}
    return {"Authorization": f"Bearer {jwt.encode(claims, str(BASE['JWT_SECRET']))}"}


def of_ended_session(alice: Person) -> dict[str, str]:
    assert alice.post("/api/auth/logout").status_code == 200
    return alice.headers


def revoked(alice: Person) -> dict[str, str]:
    made = alice.post("/api/tokens", json={"name": "a script", "scope": "full"}).get_json()
    given = json.dumps(made)
    token = re.search(r"ups_[\w-]+", given)
    [identifier] = re.findall(r'"id": ?("?)(\w+)\1', given)
    assert token and alice.delete(f"/api/tokens/{identifier[1]}").status_code == 200
    return {"Authorization": f"Bearer {token[0]}"}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (lambda _: {"Authorization": "Bearer a.b.c"}, "invalid"),
        (lambda _: {"Authorization": "Bearer ups_nonsense"}, "invalid"),
        (expired, "expired"),
        (of_ended_session, "revoked"),
        (revoked, "revoked"),
    ],
    ids=["garbage", "no token of ours", "expired", "ended session", "revoked API token"],
)
def test_a_rejected_token_is_counted_by_its_reason(
    alice: Person, headers: Callable[[Person], dict[str, str]], reason: str
) -> None:
    given = headers(alice)
    changed = changes(alice.client, lambda: alice.client.get("/api/documents", headers=given))
    told = {name: change for name, change in changed.items() if name.startswith("token_rejections")}
    assert told == {f'token_rejections_total{{reason="{reason}"}}': 1}


def test_a_cookie_without_its_csrf_token_is_counted(visitor: FlaskClient) -> None:
    changed = changes(visitor, lambda: visitor.post("/api/upload", data=multipart(part()), content_type=CONTENT_TYPE))
    assert is_counted(changed, "unauthorized", 401, 'token_rejections_total{reason="csrf"}')


def test_no_token_is_no_rejected_token(client: FlaskClient) -> None:
    """A page that asks who is signed in is no attack."""
    changed = changes(client, lambda: client.get("/api/documents"))
    assert changed['http_request_duration_seconds_count{method="GET",route="/api/documents",status="401"}'] == 1
    assert not any(name.startswith("token_rejections") for name in changed)


# --- Labels, requests, the database


def test_labels_are_bounded_and_tell_nothing_of_anybody(live: Live, app: Flask) -> None:
    """The route is the rule or `unmatched`, an unknown method OTHER; no user, name, address or path."""
    headers = live.login()
    document = json.loads(live.upload(headers, part(filename="of-alice.pdf"))[2])["files"][0]["id"]
    live.request("GET", f"/api/documents/{document}", headers=headers)
    live.request("GET", "/what/ever/she/asks", headers=headers)
    live.request("BREW", "/api/documents", headers=headers)
    exposition = live.request("GET", "/metrics")[2].decode()
    routes = set(re.findall(r'route="([^"]*)"', exposition))
    assert routes <= {rule.rule for rule in app.url_map.iter_rules()} | {"unmatched"}
    assert {"unmatched", "/api/documents/<document_id>"} <= routes
    assert 'method="OTHER",route="unmatched",status="405"' in exposition
    for secret in ("admin", "alice", document, "127.0.0.1", "/what/", "BREW"):
        assert secret not in exposition


def test_requests_that_are_over_are_in_progress_no_more(alice: Person) -> None:
    """Refused ones, failed ones and answered ones: what is left is the scrape."""
    alice.upload()
    alice.upload("a.exe")
    alice.get("/nowhere")
    with alice.app.app_context():
        db.session.execute(text("ALTER TABLE api_tokens RENAME TO gone"))
        db.session.commit()
    assert alice.get("/api/tokens").status_code == 500
    assert scraped(alice.client)["http_requests_in_progress"] == 1


def test_database_time_is_told_by_operation_commits_included(alice: Person) -> None:
    """SQLite syncs at the commit, so that is where the time goes."""
    changed = changes(alice.client, alice.upload)
    for operation in ("select", "insert", "update", "commit"):
        assert changed[f'database_query_seconds_count{{operation="{operation}"}}'] >= 1
    assert changed['database_query_seconds_count{operation="commit"}'] == 1


def test_open_connections_are_counted(live: Live) -> None:
    wires = [Wire(live) for _ in range(5)]
    assert eventually(lambda: scraped(live)["waitress_open_connections"] >= 5)
    for wire in wires:
        wire.close()
    assert eventually(lambda: scraped(live)["waitress_open_connections"] < 5)


# --- What the database and the disk know


def test_facts_are_asked_at_the_scrape_and_kept_for_half_a_minute(make_app: Callable[..., Flask]) -> None:
    """Documents, their bytes, the room left, who was active; a scrape a second costs the database nothing."""
    alice = someone(make_app())
    alice.upload(content=PDF + b"one")
    known = scraped(alice.client)
    disk = os.statvfs(alice.app.config["UPLOADS_DIR"])
    assert (known["documents"], known["storage_used_bytes"]) == (1, len(PDF) + 3)
    assert known["storage_free_bytes"] == pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.2)
    assert (known['active_users{window="15m"}'], known['active_users{window="24h"}']) == (1, 1)
    alice.upload(content=PDF + b"two")
    assert scraped(alice.client)["documents"] == 1
    assert scraped(make_app().test_client())["documents"] == 2


@pytest.mark.parametrize(
    ("minutes", "active"), [(10, (1, 1)), (20, (0, 1)), (25 * 60, (0, 0))], ids=["now", "today", "long ago"]
)
@pytest.mark.parametrize(
    "trace", ["sessions.created_at", "sessions.rotated_at", "documents.created_at", "api_tokens.last_used_at"]
)
def test_whoever_left_a_trace_is_active(
    make_app: Callable[..., Flask], trace: str, minutes: int, active: tuple[int, int]
) -> None:
    """Signed in, renewed, uploaded, or used a token: an account counts once."""
    alice = someone(make_app())
    alice.upload()
    assert alice.post("/api/tokens", json={"name": "a script"}).status_code == 200
    table, _, column = trace.partition(".")
    with alice.app.app_context():
        for other, times in (("sessions", "created_at"), ("documents", "created_at")):
            db.session.execute(text(f"UPDATE {other} SET {times} = '2000-01-01 00:00:00'"))
        moment = (now() - timedelta(minutes=minutes)).isoformat(" ")
        db.session.execute(text(f"UPDATE {table} SET {column} = '{moment}'"))
        db.session.commit()
    known = scraped(make_app().test_client())
    assert (known['active_users{window="15m"}'], known['active_users{window="24h"}']) == active


def test_without_its_facts_the_rest_is_told(alice: Person, log: Any) -> None:
    """A database that does not answer is when the figures are needed most."""
    with alice.app.app_context():
        db.session.execute(text("ALTER TABLE api_tokens RENAME TO gone"))
        db.session.commit()
    known = scraped(alice.client)
    assert "documents" not in known
    assert known["http_requests_in_progress"] == 1
    assert '"message": "facts_unknown"' in log.getvalue()


# --- Who gets it


def status_of(client: FlaskClient, address: str = "127.0.0.1", host: str = "localhost", **environ: str) -> int:
    given = {"REMOTE_ADDR": address, "HTTP_HOST": host} | environ
    answer = client.get("/metrics", environ_overrides=given)
    assert answer.status_code == 200 or answer.get_json()["ok"] is False
    return answer.status_code


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:4000", "127.0.0.1:4000", "[::1]:4000"])
def test_without_a_token_this_machine_gets_it(client: FlaskClient, address: str, host: str) -> None:
    assert status_of(client, address, host) == 200


@pytest.mark.parametrize(
    "request_",
    [
        {"address": "192.0.2.1"},
        {"address": "::2"},
        {"address": "nonsense"},
        {"host": "files.example.org"},
        {"host": "localhost.example.org"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
        {"SERVER_PROTOCOL": "HTTP/1.0"},
    ],
    ids=str,
)
def test_without_a_token_nobody_else_learns_that_it_is_there(client: FlaskClient, request_: dict[str, str]) -> None:
    """A proxy on this machine that nobody declared makes all the world look like it."""
    assert status_of(client, **request_) == 404


@pytest.mark.parametrize(
    "line", ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1", "Via: 1.1 proxy"]
)
def test_the_server_tells_a_proxy_by_what_it_adds(live: Live, line: str) -> None:
    """Though waitress takes such headers away before the application could see them."""
    with Wire(live).send(head("GET /metrics HTTP/1.1", line)) as wire:
        assert wire.answer().status == 404
    with Wire(live).send(head("GET /metrics HTTP/1.1")) as wire:
        assert wire.answer().status == 200


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer wrong", 401),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer tökén", 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.1"])
def test_with_a_token_whoever_shows_it_gets_it(
    make_app: Callable[..., Flask], shown: str | None, status: int, address: str
) -> None:
    """From everywhere, also through a proxy; and nobody else, this machine included."""
    client = make_app(METRICS_TOKEN=TOKEN).test_client()
    given = {} if shown is None else {"HTTP_AUTHORIZATION": shown.encode().decode("latin-1")}
    assert status_of(client, address, "files.example.org", HTTP_VIA="1.1 proxy", **given) == status


@pytest.mark.parametrize("token", ["short", "with a blank in between", "ümläüte-in-a-token"])
def test_a_token_that_cannot_be_one_stops_the_start(make_app: Callable[..., Flask], token: str) -> None:
    with pytest.raises(ConfigError, match=r"^METRICS_TOKEN must be at least 16 visible ASCII characters\.$"):
        make_app(METRICS_TOKEN=token)


# --- Several workers


def test_workers_tell_the_figures_of_all(tmp_path: Path, start: Callable[..., Live]) -> None:
    """WORKERS=2: whoever answers; a dead worker's counts are kept, its gauges are not, and a new one goes on."""
    folder = tmp_path / "instance" / "metrics"
    folder.mkdir(parents=True)
    (folder / "counter_1.db").write_bytes(b"of another life")
    live = start(WORKERS="2")
    headers = live.login()
    for _ in range(20):
        assert live.upload(headers)[0] == 200
    stored = 'uploads_total{result="ok"}'
    assert eventually(lambda: all(scraped(live)[stored] == 20 for _ in range(10)))
    assert eventually(lambda: len(list(folder.glob("counter_*.db"))) == 2, 30)  # the second may still be starting
    victim = min(int(file.stem.rpartition("_")[2]) for file in folder.glob("counter_*.db"))
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: not list(folder.glob(f"gauge_live*_{victim}.db")))
    assert live.upload(headers)[0] == 200
    assert eventually(lambda: len(list(folder.glob("gauge_live*.db"))) == 2, 30)
    assert eventually(lambda: all(scraped(live)[stored] == 21 for _ in range(5)))
    assert eventually(lambda: scraped(live)["http_requests_in_progress"] == 1)
    known = scraped(live)
    assert known["documents"] >= 20
    assert known["process_start_time_seconds"] <= time.time()
    assert live.stop() == 0  # not killed with its supervisor: a worker that is just starting would outlive it


# --- The dashboard and the alerts


@pytest.fixture(scope="module")
def exposition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What a service tells that has seen a little of everything."""
    live = start_live(tmp_path_factory.mktemp("watched"))
    try:
        alice = authorization(live)
        body = multipart(part())
        with Wire(live).send(upload_head(len(body), alice), body[:60]) as wire:
            time.sleep(0.1)
            assert wire.send(body[60:]).answer().status == 200
        yield live.request("GET", "/metrics")[2].decode()
    finally:
        live.stop(signal.SIGKILL)


def asked() -> dict[str, str]:
    """Every PromQL expression of the two files, by what it is for."""
    panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
    }
    rules = re.findall(r"- alert: (\w+)\n(?:.*\n)*?\s+expr: (?:\|\n((?:\s{10,}.*\n)+)|(.*)\n)", ALERTS)
    return panels | {name: several or one for name, several, one in rules}


def metrics_in(promql: str) -> set[str]:
    """The names of the metrics in an expression: what is no function, no keyword and no label."""
    bare = re.sub(r'"[^"]*"', "", promql)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(by|without)\s*\([^)]*\)", " ", bare)
    return set(re.findall(r"\b[a-z_]\w*\b(?!\s*\()", bare)) - {"or", "and", "unless"}


def test_every_figure_of_the_design_is_there(exposition: str) -> None:
    there = {series.partition("{")[0] for series in figures(exposition)}
    assert there >= NAMES


def test_what_the_dashboard_and_the_alerts_ask_for_is_there(exposition: str) -> None:
    """Each metric, and each word of ours that they pick by a label: an alert on a misspelt one is silent for ever."""
    series = figures(exposition)
    there = {name.partition("{")[0] for name in series} | {"up"}  # which is Prometheus's own
    assert len(asked()) > 40
    for title, promql in asked().items():
        assert metrics_in(promql) and metrics_in(promql) <= there, title
    for metric, selector in re.findall(r"(\w+)\{([^}]*)\}", "\n".join(asked().values())):
        for label, words in re.findall(r'(result|reason|scope)=~?"([^"]*)"', selector):
            for word in words.split("|"):
                assert any(name.startswith(metric) and f'{label}="{word}"' in name for name in series), (metric, word)


def test_the_dashboard_asks_for_the_job_and_instance_that_were_chosen() -> None:
    """And no two panels lie on one another."""
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    for panel in panels:
        for target in panel["targets"]:
            chosen = re.findall(r'\{job="\$job", instance=~"\$instance"', target["expr"])
            assert len(chosen) == target["expr"].count("{") > 0
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(places) == len(set(places)) and max(x for x, _ in places) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_alert_says_what_to_do() -> None:
    alerts = re.split(r"(?m)^\s+- alert: ", ALERTS)[1:]
    assert len(alerts) > 10
    for alert in alerts:
        assert re.search(r"severity: (critical|warning)", alert)
        summary = re.search(r'summary: "(.*)"', alert)
        assert summary and len(summary[1]) > 60, alert


def promtool(*arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    tool = needed("promtool", "prometheus")
    return subprocess.run([tool, *arguments], input=given, capture_output=True, text=True, timeout=60, check=False)


def test_promtool_accepts_the_exposition(exposition: str) -> None:
    """And has nothing to say of a name, a unit or a missing help."""
    checked = promtool("check", "metrics", given=exposition)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_promtool_accepts_the_alerts_and_what_the_panels_ask(tmp_path: Path) -> None:
    """The panels as recording rules, with Grafana's variables filled in."""
    filled = {"$__rate_interval": "1m", "$__range": "6h", "$job": "uploadsvc", "$instance": ".*"}
    pattern = re.compile("|".join(map(re.escape, filled)))
    rules = [
        {"record": f"panel:{number}", "expr": pattern.sub(lambda found: filled[found[0]], promql)}
        for number, promql in enumerate(asked().values())
    ]
    panels = tmp_path / "panels.yml"
    panels.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    for file in (ROOT / "deploy" / "alerts.yml", panels):
        checked = promtool("check", "rules", file)
        assert checked.returncode == 0, checked.stdout + checked.stderr

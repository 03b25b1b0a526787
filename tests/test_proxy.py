"""Behind a proxy: the samples in deploy/, run as they stand, in front of the real `serve`."""

import json
import re
import signal
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support import stack
from tests.support.bodies import FILES, PDF, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live, needed, start_live
from tests.support.people import PASSWORD
from tests.support.proxies import BEHIND, NAME, Fronted, caddy, nginx
from tests.support.traces import left, open_files, requests_logged
from tests.support.wire import CHUNKED, EXPECT, UPLOAD, Answer, Wire, chunk, head, upload_head
from tests.test_archive import address
from uploadsvc.config import SETTINGS
from uploadsvc.intake import Limits

DEFAULTS = {setting.name: setting.cast(setting.default) for setting in SETTINGS if setting.name.startswith("MAX_")}
LIMIT = DEFAULTS["MAX_FILE_BYTES"]
MOST = Limits(file_bytes=LIMIT, files=DEFAULTS["MAX_FILES"]).request_bytes
SMALL = 64 * 1024  # of everything else, for the proxy
LOGIN = "/api/auth/login"
APP = "https://app.example.org"  # a client on another host
JSON = {"Content-Type": "application/json"}
NETWORKS = count(10)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """What all the proxies of this module stand in front of."""
    running = start_live(tmp_path_factory.mktemp("service"), **BEHIND)
    yield running
    running.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def by_nginx(service: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    with nginx(tmp_path_factory.mktemp("nginx"), service, allowed=APP) as front:
        yield front


@pytest.fixture(scope="module")
def by_caddy(service: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    with caddy(tmp_path_factory.mktemp("caddy"), service, allowed=APP) as front:
        yield front


@pytest.fixture(params=["by_nginx", "by_caddy"])
def front(request: pytest.FixtureRequest) -> Fronted:
    """The service through either proxy."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def network() -> str:
    """The first three numbers of addresses that no other test has come from, as all count at the one service."""
    return f"127.0.{next(NETWORKS)}"


@pytest.fixture(scope="module")
def token(by_nginx: Fronted) -> dict[str, str]:
    """The headers of a session, good through either proxy."""
    return by_nginx.login()


def line_of(headers: dict[str, str]) -> str:
    return f"Authorization: {headers['Authorization']}"


def asked(front: Live, *arguments: Any) -> Answer:
    """The answer to one request."""
    return Answer(*front.request(*arguments))


def sent(front: Fronted, *pieces: bytes) -> Answer:
    """The answer to raw bytes."""
    with Wire(front).send(*pieces) as wire:
        return wire.answer()


def refusal(answer: Answer, status: int) -> str:
    """The code of a proxy's own refusal, which looks like the service's."""
    assert answer.status == status, answer
    assert answer.json["ok"] is False and answer.json["message"]
    headers = answer.headers
    assert (headers["content-type"], headers["x-content-type-options"]) == ("application/json", "nosniff")
    assert "no-store" in headers["cache-control"] and len(headers["x-request-id"]) in {32, 36}
    return str(answer.json["error"])


def accesses(by_nginx: Fronted) -> str:
    return (by_nginx.folder / "access.log").read_text()


def logged(front: Live, request_id: str) -> dict[str, Any]:
    """The service's line about a request."""

    def found() -> list[dict[str, Any]]:
        return [line for line in front.lines if line["request_id"] == request_id and line["message"] == "request"]

    assert eventually(found)
    [line] = found()
    return line


def sign_in(front: Live, email: str, password: str, headers: dict[str, str] | None = None) -> Answer:
    body = json.dumps({"email": email, "password": password}).encode()
    return asked(front, "POST", LOGIN, body, JSON | (headers or {}))


def curl(front: Fronted, headers: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run curl; the last argument is a path at the front."""
    command = [needed("curl"), "-sS", "-H", line_of(headers), "--cacert", str(front.folder / "fullchain.pem")]
    command += ["--resolve", f"{NAME}:{front.port}:127.0.0.1", *arguments[:-1]]
    url = f"https://{NAME}:{front.port}{arguments[-1]}"
    return subprocess.run([*command, url], capture_output=True, timeout=60, check=False)


# --- Sizes


def test_a_file_of_exactly_the_limit_passes_and_a_byte_more_does_not(front: Fronted, token: dict[str, str]) -> None:
    """P7: the service, which knows the file's name, says so."""
    assert front.upload(token, part(content=PDF.ljust(LIMIT)))[0] == 200
    answer = Answer(*front.upload(token, part(content=PDF.ljust(LIMIT + 1))))
    assert (answer.status, answer.json["error"]) == (413, "too_large")
    assert "a.pdf" in answer.json["message"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_upload_that_is_too_large_is_refused_before_it_is_sent(front: Fronted, method: str, tmp_path: Path) -> None:
    """P7, B10: in JSON, by the proxy; a request of exactly the most that may be is the service's to judge."""
    path, most = "/api/upload/a.pdf"[: 17 if method == "PUT" else 11], tmp_path / "most"
    request = head(f"{method} {path} HTTP/1.1", f"Content-Length: {MOST + 1}", EXPECT)
    assert refusal(sent(front, request), 413) == "too_large"
    with most.open("wb") as file:
        file.truncate(MOST)
    told = curl(front, {"Authorization": "Bearer none"}, "-T", str(most), "-X", method, "-w", "%{http_code}", path)
    assert told.stdout.endswith(b"401"), told


def test_everything_else_is_small(front: Fronted) -> None:
    """P7: refused by the proxy before it is sent, and what the proxy lets through by the service."""
    start, kind = f"POST {LOGIN} HTTP/1.1", "Content-Type: application/json"
    assert refusal(sent(front, head(start, f"Content-Length: {SMALL + 1}", EXPECT)), 413) == "too_large"
    answer = sent(front, head(start, kind, f"Content-Length: {SMALL}"), b"x" * SMALL)
    assert answer.status == 413 and "than the server takes" not in answer.json["message"]


def test_a_body_of_unknown_size_is_counted(by_nginx: Fronted) -> None:
    """P7: chunked, so that nothing is declared."""
    request = head(f"POST {LOGIN} HTTP/1.1", CHUNKED)
    assert refusal(sent(by_nginx, request, chunk(b"x" * (SMALL + 1)), chunk(b"")), 413) == "too_large"


# --- Uploads on their way


def staged(front: Fronted) -> int:
    return sum(path.stat().st_size for path in (front.instance / "uploads/.staging").iterdir())


@pytest.mark.parametrize("coding", ["Content-Length", "chunked"])
def test_bytes_reach_the_service_before_the_upload_ends(front: Fronted, token: dict[str, str], coding: str) -> None:
    """The proxy holds nothing of it back, neither in memory nor in a file."""
    body = multipart(part(content=PDF.ljust(2_000_000)))
    request, first, last = upload_head(len(body), line_of(token)), body[:-1], body[-1:]
    if coding == "chunked":
        request = request.replace(b"Content-Length: %d" % len(body), CHUNKED.encode())
        first, last = chunk(first), chunk(last) + chunk(b"")
    with Wire(front).send(request, first) as wire:
        assert eventually(lambda: staged(front) > 1_000_000)
        assert front.kept == []
        assert wire.send(last).answer().status == 200


REFUSED = {
    "a token that is none": ({"Authorization": "Bearer none"}, "a.pdf", 401),
    "a type outside the list": ({}, "a.exe", 415),
    "too large": ({}, "a.pdf", 413),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_read_though_the_body_is_still_being_sent(
    front: Fronted, token: dict[str, str], name: str, tmp_path: Path
) -> None:
    """P7: as it is, and not as 502 or a reset, though neither the service nor the proxy wants the rest.

    Of Caddy's answer curl may lose the body, for the stream's end comes with an error's code (RFC 9113 §8.1).
    """
    headers, filename, status = REFUSED[name]
    before, file = left(front), tmp_path / filename
    file.write_bytes(PDF.ljust(2 * LIMIT))
    for _ in range(5):
        told = curl(front, token | headers, "--http2", "-F", f"file=@{file}", "-w", "%{http_code}", "/api/upload")
        assert told.stdout.endswith(b"%d" % status), told
        assert json.loads(told.stdout[:-3] or "{}").get("ok", True) is bool(told.returncode), told
        assert told.returncode == 0 or not front.plain_port
    assert left(front)["files"] == before["files"] and left(front)["rows"] == before["rows"]


def test_a_refusal_over_http_1_is_read_too(by_nginx: Fronted, token: dict[str, str]) -> None:
    """P7: by a client that sends all before it reads. (Caddy waits half a second, then resets: Go's server does.)"""
    for filename, status in (("a.exe", 415), ("a.pdf", 413)):
        answer = Answer(*by_nginx.upload(token, part(filename=filename, content=PDF.ljust(2 * LIMIT))))
        assert (answer.status, answer.json["ok"]) == (status, False)


def test_who_goes_away_in_mid_upload_is_499_under_his_own_address(
    front: Fronted, token: dict[str, str], network: str
) -> None:
    """P8, P1: the proxy breaks its own connection off, and the service tells whose upload it was."""
    before, source = left(front)["files"], f"{network}.1"
    with Wire(front.seen_from(source)) as wire:
        wire.send(upload_head(200_000, line_of(token)), multipart(part(content=PDF.ljust(100_000)))[:100_000])
        assert eventually(lambda: staged(front) > 0)
    assert eventually(lambda: [x for x in front.lines if (x.get("status"), x.get("remote_addr")) == (499, source)])
    assert left(front)["files"] == before and staged(front) == 0


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
@pytest.mark.parametrize("way", ["-F", "-T"])
def test_curl_uploads_and_downloads(
    front: Fronted, token: dict[str, str], tmp_path: Path, way: str, version: str
) -> None:
    """By a form and by PUT, with a name that is not ASCII; whole and a piece of it."""
    original, copy = tmp_path / "Übersicht №1.pdf", tmp_path / "copy.pdf"
    original.write_bytes((FILES / "reportlab.pdf").read_bytes())
    what = [f"file=@{original}", "/api/upload"] if way == "-F" else [str(original), "/api/upload/"]
    [file] = json.loads(curl(front, token, version, "--fail-with-body", way, *what).stdout)["files"]
    assert file["filename"] == original.name
    path = f"/api/documents/{file['id']}/content"
    for more in ([], ["-r", "0-99"]):
        assert curl(front, token, version, *more, "-o", str(copy), path).returncode == 0
        assert copy.read_bytes() == original.read_bytes()[: 100 if more else None]
    named = asked(front, "HEAD", path, None, token).headers["content-disposition"]
    assert "filename*=UTF-8''%C3%9Cbersicht" in named


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_an_archive_of_five_hundred_passes(
    front: Fronted, service: Live, token: dict[str, str], tmp_path: Path, version: str
) -> None:
    """Issue 11, 2: its address is the longest there is; whoever gets the archive in part is told so."""
    files = [file for _ in range(25) for file in json.loads(front.upload(token, *[part(content=PDF)] * 20)[2])["files"]]
    path, copy = address([file["id"] for file in files]), tmp_path / "documents.zip"
    assert curl(front, token, version, "--fail-with-body", "-o", str(copy), path).returncode == 0
    with zipfile.ZipFile(copy) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 500
    stack.storage_of(service).delete(files[400]["savedTo"].removeprefix("/uploads/"))
    told = curl(front, token, version, "--fail-with-body", "-o", str(copy), path).returncode
    assert told in {18, 92} or not front.plain_port  # Debian's Caddy ends it in good order, to either version
    assert not zipfile.is_zipfile(copy)


# --- Who it is

FORGED = {
    "X_Forwarded_For": "6.6.6.6",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Host": "evil.test",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;proto=gopher;host=evil.test",
    "X-Request-ID": "forged-by-the-client",
}


@pytest.mark.parametrize("claim", ["6.6.6.6, 1.2.3.4", '"', "127.0.0.1"])
def test_a_client_is_who_the_proxy_sees(front: Fronted, network: str, claim: str) -> None:
    """P1, P2: whatever it says of itself; the answer's id is the proxy's, and that of the service's line."""
    claims = FORGED | {"X-Forwarded-For": claim}
    answer = asked(front.seen_from(f"{network}.1"), "GET", "/api/limits", None, claims)
    assert (answer.status, len(answer.headers["x-request-id"])) == (200, 32 if front.plain_port else 36)
    assert logged(front, answer.headers["x-request-id"])["remote_addr"] == f"{network}.1"


def test_nginx_logs_a_request_under_the_id_that_the_service_logs(by_nginx: Fronted) -> None:
    """P2: and no paths, which hold the names of files."""
    answer = asked(by_nginx, "PUT", "/api/upload/secret.pdf", b"x")
    line = rf"127.0.0.1 \[.*\] PUT 401 \d+ \d+ [\d.]+ {answer.headers['x-request-id']}"
    assert eventually(lambda: re.search(line, accesses(by_nginx)))
    assert "secret" not in accesses(by_nginx)


def test_the_scheme_is_the_one_that_the_client_used(front: Fronted, network: str) -> None:
    """P2, P4: a page of the own host is known by it, and one of the same host over http is not; nor by a forgery."""
    statuses = []
    for scheme in ("https", "http"):
        headers = {"Host": "localhost", "Origin": f"{scheme}://localhost", "X-Forwarded-Proto": "http"}
        statuses.append(sign_in(front.seen_from(f"{network}.1"), "nobody@example.com", "wrong", headers).status)
    assert statuses == [401, 403]


def test_cookies_are_secure_and_belong_to_the_host_alone(front: Fronted, network: str) -> None:
    """P2, P6: by PUBLIC_URL; nothing is built from the Host."""
    with_cookies = front.seen_from(f"{network}.1").http()
    body = json.dumps({"email": "admin@localhost", "password": PASSWORD})
    with_cookies.request("POST", LOGIN, body, JSON | {"Host": NAME})
    answer = with_cookies.getresponse()
    cookies = answer.headers.get_all("Set-Cookie")
    assert answer.status == 200 and len(cookies) == 3
    assert all("Secure" in cookie and "Domain" not in cookie for cookie in cookies)
    assert answer.headers["Strict-Transport-Security"]
    with_cookies.close()


def test_a_foreign_host_is_refused(by_nginx: Fronted) -> None:
    """P6: the proxy passes the name on, and the service knows its own."""
    answer = asked(by_nginx, "GET", "/", None, {"Host": "evil.test"})
    assert (answer.status, answer.json["ok"]) == (400, False)


# --- Throttles


def test_a_hundred_clients_are_not_throttled_as_one_and_one_is_whatever_it_claims(front: Fronted, network: str) -> None:
    """P2: each real address counts for itself, and only it; 429 is JSON and says when to come back."""
    crowd = [front.seen_from(f"{network}.{number}") for number in range(1, 101)]
    assert {sign_in(one, f"{one.source}@example.com", "wrong").status for one in crowd} == {401}
    forger = front.seen_from(f"{network}.200")
    claims = [{"X-Forwarded-For": f"6.6.6.{number}", "X-Real-IP": f"6.6.6.{number}"} for number in range(40)]
    answers = [sign_in(forger, "a@example.com", "wrong", claim) for claim in claims]
    assert [answer.status for answer in answers] == [401] * 10 + [429] * 30
    assert all(refusal(answer, 429) == "too_many_requests" for answer in answers[10:])
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers[10:])


def test_nginx_keeps_a_flood_of_sign_ins_off_the_service(by_nginx: Fronted, network: str) -> None:
    """P2: the service sees but some of it, and is not there for a moment longer than it takes to say so."""
    before = len(requests_logged(by_nginx))
    flood = by_nginx.seen_from(f"{network}.1")
    answers = [sign_in(flood, f"{number}@example.com", "wrong") for number in range(40)]
    assert len(requests_logged(by_nginx)) - before < 40
    assert refusal(answers[-1], 429) == "too_many_requests" and answers[-1].headers["retry-after"] == "2"


def test_one_address_has_its_share_of_the_requests_under_way(by_nginx: Fronted, network: str) -> None:
    """P2: the proxy's connections are not counted by the service, so nginx counts its clients'."""
    greedy, waiting = by_nginx.seen_from(f"{network}.1"), head("POST /api/auth/logout HTTP/1.1", "Content-Length: 9")
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(Wire(greedy).send(waiting))
        assert eventually(lambda: asked(greedy, "GET", "/healthz").status == 429)
        answer = asked(greedy, "GET", "/healthz")
        assert refusal(answer, 429) == "too_many_requests" and answer.headers["retry-after"] == "2"
        assert asked(by_nginx, "GET", "/healthz").status == 200
    assert eventually(lambda: asked(greedy, "GET", "/healthz").status == 200)


# --- What the proxy refuses

HIDDEN = ["/metrics", "/metrics?a=b", "//metrics", "/./metrics", "/%6detrics", "/metrics/"]


@pytest.mark.parametrize("path", HIDDEN)
def test_the_metrics_are_not_public(front: Fronted, path: str) -> None:
    """However they are spelled: refused by the proxy, or unknown to the service."""
    answer = asked(front, "GET", path)
    assert answer.status in {403, 404} and answer.json["ok"] is False
    assert path != "/metrics" or refusal(answer, 403) == "forbidden"


STRANGE = {
    "no HTTP": (b"GARBAGE\r\n\r\n", 400, "bad_request"),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"),
    "two lengths": (head(UPLOAD, "Content-Length: 5", CHUNKED), 400, "bad_request"),
    "another version": (b"GET / HTTP/3.0\r\n\r\n", 505, "bad_request"),
    "another coding": (head(UPLOAD, "Transfer-Encoding: gzip"), 501, "not_implemented"),
    "TRACE": (head("TRACE / HTTP/1.1"), 405, "method_not_allowed"),
    "a long target": (head(f"GET /{'a' * 20_000} HTTP/1.1"), 414, "request_uri_too_large"),
    "long headers": (head("GET / HTTP/1.1", f"X-A: {'a' * 20_000}"), 431, "request_header_fields_too_large"),
    "nginx's own page": (head("GET /.refused HTTP/1.1"), 404, "not_found"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_nginx_refuses_itself_is_json(by_nginx: Fronted, name: str) -> None:
    """B10, P7: in the form of every error, with an id that stands in its log."""
    request, status, code = STRANGE[name]
    answer = sent(by_nginx, request)
    assert refusal(answer, status) == code
    assert eventually(lambda: re.search(rf" {status} .* {answer.headers['x-request-id']}\n", accesses(by_nginx)))


@pytest.mark.parametrize(
    ("origin", "granted"), [(APP, APP), ("https://evil.test", None), ("https://app.example.org.evil.test", None)]
)
def test_a_page_on_another_host_reads_why_the_proxy_refuses(front: Fronted, origin: str, granted: str | None) -> None:
    """B7: where its origin is an allowed one; any other gets the same answer and may not read it."""
    large = head(UPLOAD, f"Content-Length: {MOST + 1}", f"Origin: {origin}", EXPECT)
    for request, status in ((large, 413), (head("GET /metrics HTTP/1.1", f"Origin: {origin}"), 403)):
        answer = sent(front, request)
        refusal(answer, status)
        assert answer.headers.get("access-control-allow-origin") == granted
        assert answer.headers.get("access-control-allow-credentials") == (granted and "true")
        assert ("access-control-expose-headers" in answer.headers) is bool(granted)
        assert answer.headers["vary"] == "origin"


def test_plain_http_is_led_to_https(by_nginx: Fronted) -> None:
    """P6: to the site's own name, whatever the Host; and what is spoken to the wrong port is refused in JSON."""
    plain = replace(by_nginx, port=by_nginx.plain_port, tls=None)
    answer = Answer(*plain.request("POST", "/api/upload?a=b", b"x", {"Host": "evil.test"}))
    assert (answer.status, answer.headers["location"]) == (308, f"https://{NAME}/api/upload?a=b")
    assert refusal(asked(replace(by_nginx, tls=None), "GET", "/"), 400) == "bad_request"


# --- Other proxies


@pytest.mark.parametrize("path", ["/api/limits", "/api/upload", LOGIN])
@pytest.mark.parametrize(
    ("header", "value"),
    [("Proto", "https, http"), ("Proto", "gopher"), ("For", '"'), ("For", '1.2.3.4, "5.6'), ("For", 'a"b')],
)
def test_what_a_proxy_garbles_is_400(service: Live, header: str, value: str, path: str) -> None:
    """P5, B10: in JSON, with an id that stands in a line of the log; nobody is taken for somebody else."""
    headers = {f"X-Forwarded-{header}": value, "Host": NAME}
    answer = Answer(*service.request("GET" if "limits" in path else "POST", path, b"{}", headers))
    assert refusal(answer, 400) == "bad_request"
    assert logged(service, answer.headers["x-request-id"])["status"] == 400


@pytest.mark.parametrize("value", ["unknown", ":80", "[::1]:5", "_hidden", "1.2.3.4:55", "9.9.9.9, ,", "", "\xfc"])
def test_an_address_that_is_none_crashes_nothing(service: Live, value: str) -> None:
    """P5: it counts for sign-ins as the unknown, and the scheme may be written in capitals."""
    headers = {"X-Forwarded-For": value, "X-Forwarded-Proto": "HTTPS", "Host": NAME}
    assert sign_in(service, "nobody@example.com", f"wrong {value}", headers).status in {401, 429}


# --- The service comes and goes


def upload_with(front: Fronted, token: dict[str, str], key: str) -> Answer:
    return Answer(*front.upload(token | {"Idempotency-Key": key}))


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_a_restart_is_a_502_or_a_success_and_never_a_duplicate(
    proxy: Callable[..., Any], start: Callable[..., Live], tmp_path: Path
) -> None:
    """P8, C17: an upload outlives a stop; one that a crash cuts off is told so, and is not sent again unasked."""
    service = start(**BEHIND)
    (tmp_path / "proxy").mkdir()
    with proxy(tmp_path / "proxy", service) as front:
        token, body = front.login(), multipart(part(content=PDF.ljust(100_000)))
        request = upload_head(len(body), line_of(token), "Idempotency-Key: the-one")
        with Wire(front).send(request, body[:50_000]) as wire:
            assert eventually(lambda: staged(front) > 0)
            service.process.kill()
            assert refusal(wire.send(body[50_000:]).answer(), 502) == "unavailable"
        assert asked(front, "GET", "/healthz").headers["retry-after"] == "5"
        service.stop()
        service = start(**BEHIND, PORT=str(service.port))
        answers = [upload_with(front, token, "the-one") for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        assert answers[0].json["files"] == answers[1].json["files"] and left(front)["rows"] == 1
        with Wire(front).send(request.replace(b"the-one", b"another"), body[:50_000]) as wire:
            assert eventually(lambda: len(open_files(service.process.pid)) == 1)
            service.process.terminate()
            assert wire.send(body[50_000:]).answer().status == 200
        assert service.process.wait(20) == 0
        assert refusal(asked(front, "GET", "/api/limits"), 502) == "unavailable"
        assert len(stack.stored(service)) == 2


def test_two_processes_behind_one_proxy_share_sessions_and_uploads(tmp_path: Path) -> None:
    """P9: a session of either is one of both and ends in both; a key that one has seen is known to the other.

    When one is stopped nobody notices.
    """
    services: list[Live] = []
    (tmp_path / "nginx").mkdir()
    try:
        for _ in range(2):
            services.append(start_live(tmp_path, **BEHIND))
        with nginx(tmp_path / "nginx", *services) as front:
            token = front.login()
            uploads = [upload_with(front, token, "the-one") for _ in range(4)]
            assert len({json.dumps(answer.json["files"]) for answer in uploads}) == 1
            assert asked(front, "POST", "/api/auth/logout", None, token).status == 200
            assert [asked(front, "GET", "/api/documents", None, token).status for _ in range(4)] == [401] * 4
            services[0].stop()
            assert [asked(front, "GET", "/healthz").status for _ in range(4)] == [200] * 4
            assert front.upload(front.login())[0] == 200
        for service in services:
            seen = [line["status"] for line in service.lines if line["message"] == "request"]
            assert {200, 401} <= set(seen)
    finally:
        for service in services:
            service.stop(signal.SIGKILL)

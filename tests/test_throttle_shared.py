"""Throttles of several processes, in a real Valkey: they count together, and go on alone while it is not there."""

import json
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask

from tests.support.bodies import PDF, multipart, part
from tests.support.clock import allowance, eventually
from tests.support.engines import ROOT, Live
from tests.support.people import PASSWORD, Person
from tests.support.valkey import Valkey, client, tls_in_front, valkey_server
from tests.support.wire import Wire, authorization, is_refusal, upload_head
from uploadsvc import config
from uploadsvc.throttle import LoginThrottle, Store

ADMIN = "admin@localhost"
SECRET = "s3cret:of@the/store"
Start = Callable[..., Live]


def tried(live: Live, password: str = "something-wrong", email: str = ADMIN, address: str = "") -> int:
    """The status of one try to sign in, from `address` where the service believes a proxy."""
    headers = {"Content-Type": "application/json"} | ({"X-Forwarded-For": address} if address else {})
    body = json.dumps({"email": email, "password": password}).encode()
    return live.request("POST", "/api/auth/login", body, headers)[0]


def told(live: Live, message: str) -> int:
    """How often the log tells it."""
    return [line["message"] for line in live.lines].count(message)


def figures(live: Live) -> str:
    return live.request("GET", "/metrics")[2].decode()


def exchanges(url: str) -> int:
    """How many scripts the store has run."""
    with client(url) as connection:
        stats = connection.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


def wait_for_exchanges(url: str) -> None:
    """Wait until every process has told and heard what is open."""
    before = exchanges(url)
    assert eventually(lambda: exchanges(url) >= before + 8)


def keys(url: str, pattern: str = "*") -> list[str]:
    with client(url) as connection:
        return sorted(connection.scan_iter(pattern))


# --- together


@pytest.mark.parametrize(
    ("instances", "settings"), [(1, {}), (2, {}), (1, {"WORKERS": "2"})], ids=["one", "two instances", "two workers"]
)
def test_twenty_wrong_passwords_at_once_are_counted_as_by_one_process(
    start: Start, valkey: Valkey, instances: int, settings: dict[str, str]
) -> None:
    """A6, P9: ten are looked at and ten refused, wherever they arrive; each process has a place for every check."""
    url = valkey.url()
    lives = [start(REDIS_URL=url, THREADS="24", **settings) for _ in range(instances)]
    with ThreadPoolExecutor(20) as pool:
        tries = list(pool.map(lambda n: tried(lives[n % instances]), range(20)))
    assert Counter(tries) == {401: 10, 429: 10}


def test_windows_outlive_a_restart(start: Start, valkey: Valkey) -> None:
    """P9: and every instance that comes later knows them."""
    url = valkey.url()
    live = start(REDIS_URL=url)
    assert [tried(live) for _ in range(10)] == [401] * 10
    assert live.stop() == 0
    assert tried(start(REDIS_URL=url), PASSWORD) == 429


def test_an_address_that_signed_in_at_one_instance_is_known_at_the_other(start: Start, valkey: Valkey) -> None:
    """K10, P9: strangers behind the same router fill the address's window; the owner still gets in."""
    url = valkey.url()
    one, other = start(REDIS_URL=url), start(REDIS_URL=url)
    assert tried(one, PASSWORD) == 200
    strangers = [tried(live, email=f"user{n}@example.com") for n in range(30) for live in (one, other)]
    assert strangers == [401] * 59 + [429]
    assert (tried(other, PASSWORD), tried(other, PASSWORD, "bob@example.com")) == (200, 429)


def test_a_right_password_at_one_instance_forgives_the_wrong_ones_at_the_other(start: Start, valkey: Valkey) -> None:
    """A6, P9: nine wrong, one right elsewhere, and nine more may be wrong."""
    url = valkey.url()
    one, other = start(REDIS_URL=url), start(REDIS_URL=url)
    for _ in range(2):
        assert [tried(one) for _ in range(9)] == [401] * 9
        assert tried(other, PASSWORD) == 200


def test_what_the_store_holds_ends_by_itself_and_names_nobody(start: Start, valkey: Valkey) -> None:
    """Every key is of our prefix and has its end; no e-mail address and no password stand in a key or a value."""
    url = valkey.url()
    live = start(REDIS_URL=url)
    line, body = authorization(live), multipart(part())
    tried(live)
    tried(live, email="bob@example.com")
    with Wire(live).send(upload_head(len(body), line), body[:-9]):
        assert eventually(lambda: keys(url, "uploadsvc:open/*"))
        with client(url) as connection:
            found = {key: connection.ttl(key) for key in keys(url)}
            text = repr([shown(connection, key) for key in keys(url)])
    assert all(key.startswith("uploadsvc:") for key in found)
    assert all(0 < seconds <= 30 * 24 * 3600 for seconds in found.values())
    assert {key.partition(":")[2].partition("/")[0] for key in found} == {
        "address",
        "pair",
        "account",
        "known",
        "open",
        "processes",
    }
    assert not any(word in text for word in ("admin", "bob", "example.com", "localhost", PASSWORD, "something-wrong"))


def shown(connection: object, key: str) -> object:
    """A key with what it holds, whatever kind it is of."""
    readers = {"string": "get", "list": "lrange", "hash": "hgetall", "zset": "zrange"}
    kind = connection.type(key)
    return key, getattr(connection, readers[kind])(key, *([0, -1] if kind in ("list", "zset") else []))


def test_a_try_costs_the_same_with_20_000_keys(valkey: Valkey) -> None:
    """K15: in processor time of the service."""

    def cost(throttle: LoginThrottle) -> float:
        begun = time.process_time()
        try_all(throttle, range(20))
        return (time.process_time() - begun) / 20

    few, many = (LoginThrottle(4, Store(valkey.url())) for _ in range(2))
    try_all(few, range(7))
    try_all(many, range(7_000))  # an address, an account and a pair each
    assert cost(many) < 5 * cost(few) + allowance(0.001)


def try_all(throttle: LoginThrottle, numbers: range) -> None:
    for n in numbers:
        with throttle.attempt(f"2001:db8:{n:x}::1", f"user{n}@example.com"):
            pass


# --- alone, while the store is not there


def test_without_the_store_each_instance_goes_on_alone(start: Start, valkey: Valkey) -> None:
    """P9: it is killed and comes back empty. One line tells it, one its return; nothing is restarted, nobody fails."""
    url = valkey.url()
    live = start(REDIS_URL=url)
    assert live.upload(live.login())[0] == 200
    assert "throttle_store_up 1" in figures(live)
    with valkey.gone():
        assert live.upload(live.login())[0] == 200
        assert [tried(live) for _ in range(11)] == [401] * 10 + [429]
        assert eventually(lambda: told(live, "throttle_store_lost"))
        assert "throttle_store_up 0" in figures(live)
    assert eventually(lambda: told(live, "throttle_store_back"))
    assert [tried(live) for _ in range(11)] == [401] * 10 + [429]
    assert keys(url, "uploadsvc:pair*")
    assert (told(live, "throttle_store_lost"), told(live, "throttle_store_back")) == (1, 1)
    assert [line for line in live.lines if line["level"] == "ERROR"] == []


def test_a_store_that_hangs_is_waited_for_once(start: Start, valkey: Valkey) -> None:
    """P9: it accepts connections and says nothing. Others are answered meanwhile, and later tries wait for nothing."""
    live = start(REDIS_URL=valkey.url())
    alice = live.login()
    with valkey.paused(), ThreadPoolExecutor(2) as pool:
        held, answered = [pool.submit(tried, live, PASSWORD) for _ in range(2)], 0
        while not any(one.done() for one in held):
            assert live.request("GET", "/healthz")[0] == 200
            answered += 1
        assert answered > 3
        assert [one.result() for one in held] == [200, 200]
        begun = time.monotonic()
        assert [tried(live, PASSWORD) for _ in range(20)] == [200] * 20
        assert time.monotonic() - begun < 20 * 0.5  # each of them would have waited as long
        assert live.upload(alice)[0] == 200
    assert eventually(lambda: told(live, "throttle_store_back"))
    assert told(live, "throttle_store_lost") == 1
    assert [tried(live) for _ in range(11)] == [401] * 10 + [429]


def test_who_signs_in_while_the_store_is_away_is_not_locked_out_when_it_is_back(start: Start, valkey: Valkey) -> None:
    """A6: it has kept nine wrong tries; the right one that it missed forgives them, and makes the address known."""
    url = valkey.url()
    one, other = (start(REDIS_URL=url, TRUSTED_PROXY="127.0.0.1") for _ in range(2))
    assert [tried(one, address="192.0.2.1") for _ in range(9)] == [401] * 9
    with valkey.paused():
        assert tried(one, PASSWORD, address="192.0.2.1") == 200
    assert eventually(lambda: told(one, "throttle_store_back"))
    assert [tried(other, address="192.0.2.1") for _ in range(9)] == [401] * 9
    strangers = [tried(other, email=f"user{n}@example.com", address="192.0.2.1") for n in range(61)]
    assert strangers[-1] == 429
    assert tried(other, PASSWORD, address="192.0.2.1") == 200


def test_an_owner_stays_known_while_the_store_is_away(start: Start, valkey: Valkey) -> None:
    """K10: strangers fill the windows of his address meanwhile, and he gets in."""
    live = start(REDIS_URL=valkey.url())
    live.login()
    with valkey.gone():
        assert [tried(live, email=f"user{n}@example.com") for n in range(61)] == [401] * 60 + [429]
        live.login()


def test_a_start_without_the_store_works(start: Start, valkey: Valkey) -> None:
    """It is told at once, not at the first sign-in, and the store is taken up when it comes."""
    url = valkey.url()
    with valkey.gone():
        live = start(REDIS_URL=url)
        assert eventually(lambda: told(live, "throttle_store_lost") == 1)
        assert live.upload(live.login())[0] == 200
        assert [tried(live) for _ in range(11)] == [401] * 10 + [429]
    assert eventually(lambda: told(live, "throttle_store_back") == 1)
    assert live.login()
    assert keys(url, "uploadsvc:known*")


def test_a_service_stops_while_the_store_hangs(start: Start, valkey: Valkey) -> None:
    """No thread of the throttle's keeps the process."""
    live = start(REDIS_URL=valkey.url())
    live.login()
    with valkey.paused():
        assert live.stop() == 0
    assert [line for line in live.lines if line["level"] == "ERROR"] == []


def test_a_full_store_is_lost_once(start: Start) -> None:
    """It answers reads and refuses writes: that is no return, so the log does not fill with its comings and goings."""
    with valkey_server("--maxmemory", "1mb", "--maxmemory-policy", "noeviction") as full:
        url = full.url()
        live = start(REDIS_URL=url)
        assert live.login()
        before = exchanges(url)
        assert eventually(lambda: exchanges(url) >= before + 3)
        assert (told(live, "throttle_store_lost"), told(live, "throttle_store_back")) == (1, 0)


# --- what is no store of ours


@contextmanager
def parrot() -> Iterator[int]:
    """A server that knows no command and repeats what it got; its port."""

    class Parrot(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(b"-ERR unknown command '%s'\r\n" % line.strip())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Parrot) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def reason(live: Live) -> str:
    """What the log gives as the reason, having told the loss once."""
    assert eventually(lambda: told(live, "throttle_store_lost"))
    assert live.login()
    [line] = [line for line in live.lines if line["message"] == "throttle_store_lost"]
    assert not any(secret in live.log.read_text() for secret in (SECRET, quote(SECRET, safe="")))
    return str(line["reason"])


def test_tls_is_spoken_where_it_is_asked_for(start: Start, valkey: Valkey, tmp_path: Path) -> None:
    """rediss: with the authority that is named; a certificate of nobody's is refused, and the log says so."""
    with tls_in_front(valkey, tmp_path) as port:
        url = valkey.url()
        address = f"rediss://127.0.0.1:{port}/{url.rpartition('/')[2]}"
        assert "CERTIFICATE_VERIFY_FAILED" in reason(start(REDIS_URL=address))
        assert keys(url) == []
        assert start(REDIS_URL=f"{address}?ssl_ca_certs={tmp_path}/fullchain.pem").login()
        assert keys(url, "uploadsvc:known*")


def test_a_wrong_password_is_told_and_a_right_one_is_not(start: Start) -> None:
    """It stands in no line of the log, and signing in works either way."""
    with valkey_server("--requirepass", SECRET) as locked:
        address = f"127.0.0.1:{locked.port}/0"
        wrong = start(REDIS_URL=f"redis://:{quote(SECRET[:-1], safe='')}@{address}")
        assert "invalid username-password pair" in reason(wrong)
        missing = start(REDIS_URL=f"redis://{address}")
        assert "Authentication required" in reason(missing)
        right = start(REDIS_URL=f"redis://:{quote(SECRET, safe='')}@{address}")
        assert right.login()
        assert told(right, "throttle_store_lost") == 0
        assert SECRET not in right.log.read_text()


def test_a_server_that_repeats_the_password_does_not_bring_it_into_the_log(start: Start) -> None:
    """What knows no AUTH may quote it in its refusal."""
    with parrot() as port:
        assert reason(start(REDIS_URL=f"redis://:{quote(SECRET, safe='')}@127.0.0.1:{port}/0"))


def test_a_web_server_is_no_store(start: Start) -> None:
    """Whatever answers, or does not: the service says so and counts for itself."""
    assert "Error" in reason(start(REDIS_URL=f"redis://127.0.0.1:{start().port}"))


# --- open uploads


BODY = multipart(part(content=PDF.ljust(20_000)))


def test_an_account_has_its_share_of_open_uploads_over_all_instances(start: Start, valkey: Valkey) -> None:
    """K8, P9: of four places three are taken here, so one is left there; one that ends here is free there."""
    url = valkey.url()
    one, other = (start(REDIS_URL=url, USER_UPLOADS="4") for _ in range(2))
    line = authorization(one)
    with ExitStack() as stack:
        held = [stack.enter_context(opened(one, line)) for _ in range(3)]
        wait_for_exchanges(url)
        stack.enter_context(opened(other, line))
        assert is_refused(other, line)
        wait_for_exchanges(url)
        assert is_refused(one, line)
        assert held[0].send(BODY[-30:]).answer().status == 200
        wait_for_exchanges(url)
        assert whole(other, line) == 200


def test_places_of_an_instance_that_was_killed_are_free_again(start: Start, valkey: Valkey) -> None:
    """K8: after some seconds; those of one that stops, at once."""
    url = valkey.url()
    one, other = (start(REDIS_URL=url, USER_UPLOADS="2") for _ in range(2))
    line = authorization(one)
    with ExitStack() as stack:
        take_both_places(stack, url, one, other, line)
        of_the_dead = set(keys(url, "uploadsvc:open/*"))  # may outlive its lease by a moment
        one.process.kill()
        assert eventually(lambda: whole(other, line) == 200, 20)
        stack.enter_context(opened(other, line))
        assert eventually(lambda: set(keys(url, "uploadsvc:open/*")) - of_the_dead)
    assert other.stop() == 0
    assert set(keys(url, "uploadsvc:open/*")) <= of_the_dead


def test_while_the_store_is_away_each_instance_counts_its_own_uploads(start: Start, valkey: Valkey) -> None:
    """K8: nobody is refused for what another had open when it was last heard of."""
    url = valkey.url()
    one, other = (start(REDIS_URL=url, USER_UPLOADS="2") for _ in range(2))
    line = authorization(one)
    with ExitStack() as stack:
        take_both_places(stack, url, one, other, line)
        with valkey.gone():
            assert eventually(lambda: told(other, "throttle_store_lost"))
            assert eventually(lambda: whole(other, line) == 200) and whole(one, line) == 429
        assert eventually(lambda: whole(other, line) == 429)


def take_both_places(stack: ExitStack, url: str, one: Live, other: Live, line: str) -> None:
    """Open at one instance all that the account may have, so that the other one refuses it."""
    for _ in range(2):
        stack.enter_context(opened(one, line))
    wait_for_exchanges(url)
    assert eventually(lambda: whole(other, line) == 429)


def opened(live: Live, line: str) -> Wire:
    """An upload that lacks its end."""
    return Wire(live).send(upload_head(len(BODY), line), BODY[:-30])


def is_refused(live: Live, line: str) -> bool:
    with opened(live, line) as wire:
        return is_refusal(wire.answer(), 429)


def whole(live: Live, line: str) -> int:
    with Wire(live).send(upload_head(len(BODY), line), BODY) as wire:
        return wire.answer().status


# --- the setting, and what is not there without it


GOOD = [
    "",
    "redis://localhost",
    "redis://10.0.0.7:6380/3",
    "redis://[::1]:6379/0",
    "redis://:p%40ss@redis.example.org",
    "rediss://user:pass@redis.example.org:6380/0",
    "rediss://redis?ssl_ca_certs=/etc/ssl/redis.pem",
    "unix:///run/redis/redis.sock",
    "redis+unix://:pass@/run/valkey/valkey.sock?db=2",
]
BAD = [
    f"http://:{quote(SECRET, safe='')}@localhost",
    "localhost:6379",
    "redis://",
    "redis://:hidden-word@local host",
    "redis://:hidden-word@localhost:99999",
    "redis://:hidden-word@localhost:0",
    "redis://:hidden/word@localhost",
    "redis://:hidden-word@[:::]:1",
    "redis://:hidden-word@localhost?socket_timeout=60",
    "redis://localhost/first",
    "unix://run/redis.sock",
]


@pytest.mark.parametrize("url", GOOD)
def test_an_address_of_a_store_is_taken(make_app: Callable[..., Flask], url: str) -> None:
    """Nothing is contacted, and no thread is begun."""
    before = threading.active_count()
    assert make_app(REDIS_URL=url).config["REDIS_URL"] == url
    assert threading.active_count() == before


@pytest.mark.parametrize("scheme", ["unix", "redis+unix"])
def test_a_unix_socket_is_reached(make_app: Callable[..., Flask], valkey: Valkey, alice: Person, scheme: str) -> None:
    """Under either name, in the database that is named."""
    url = valkey.socket_url()
    assert Person(make_app(REDIS_URL=url.replace("unix", scheme, 1)), alice.email).login()
    assert keys(url, "uploadsvc:known*")


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_address_of_a_store_stops_the_start(make_app: Callable[..., Flask], url: str) -> None:
    """One line names the variable and does not repeat the password."""
    with pytest.raises(config.ConfigError, match=r"\AREDIS_URL must be redis://[^\n]*\.\Z") as stopped:
        make_app(REDIS_URL=url)
    assert not any(word in str(stopped.value) for word in ("hidden", "word@", SECRET, quote(SECRET, safe="")))


def test_a_store_without_its_extra_stops_the_start(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line names the variable and the extra."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(config.ConfigError, match=r"\AREDIS_URL needs the extra `redis`: .*pip install .*\.\Z"):
        make_app(REDIS_URL="redis://localhost")


@pytest.mark.parametrize(("shared", "warnings"), [(False, 1), (True, 0)])
def test_workers_that_count_apart_are_told_of_once(start: Start, valkey: Valkey, shared: bool, warnings: int) -> None:
    """Not by each of them, and not where they share a store."""
    live = start(WORKERS="2", REDIS_URL=valkey.url() if shared else "")
    live.login()
    assert sum("REDIS_URL" in line["message"] for line in live.lines) == warnings


def test_an_instance_beside_others_is_told_of_it(start: Start, database_url: str) -> None:
    """On PostgreSQL there may be several, so each says once that it counts for itself."""
    live = start(DATABASE_URL=database_url, REDIS_URL="")
    live.login()
    assert [line["level"] for line in live.lines if "REDIS_URL" in line["message"]] == ["WARNING"]


def test_one_process_needs_no_store(start: Start) -> None:
    """It warns of nothing, and the library that it would need is not loaded."""
    live = start()
    live.login()
    assert [line for line in live.lines if line["level"] != "INFO"] == []
    look = "import sys, uploadsvc; uploadsvc.create_app(); sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], cwd=ROOT, env=live.environ, check=False).returncode == 0


def test_an_application_that_nobody_serves_keeps_no_thread(
    make_app: Callable[..., Flask], valkey: Valkey, alice: Person
) -> None:
    """It shares windows; its open uploads are its own; a thread is there only while the store is lost."""
    url, before = valkey.url(), threading.active_count()
    app = make_app(REDIS_URL=url)
    assert Person(app, alice.email).login().upload().status_code == 200
    assert keys(url, "uploadsvc:known*")
    assert threading.active_count() == before
    with valkey.gone():
        assert Person(app, alice.email).login().upload().status_code == 200
        assert threading.active_count() == before + 1
    assert eventually(lambda: threading.active_count() == before)

"""How one becomes a collector, and ceases to be one: by the operator alone, at once."""

from collections.abc import Callable

import pytest

from tests.support.engines import Live
from tests.support.people import PASSWORD, Person
from tests.support.stack import rows
from tests.test_audit import trail
from tests.test_collectors import run


def test_an_account_is_made_a_collectors(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Issue 11, 3: `users add --collector`; without it nobody is one."""
    caplog.clear()
    for name, option in (("carol", ["--collector"]), ("dave", [])):
        command = ["users", "add", f"{name}@example.com", "--password-stdin", *option]
        assert run(alice.app, *command, stdin=f"{PASSWORD}\n").exit_code == 0
    assert [(line["event"], line["user_id"], line.get("collector")) for line in trail(caplog)] == [
        ("account_added", 2, None),
        ("collector_changed", 2, True),
        ("account_added", 3, None),
    ]
    told = [line.split("\t") for line in run(alice.app, "users", "list").stdout.splitlines()]
    assert [line[1:] for line in told] == [
        ["alice@example.com", "active", "0", "0"],
        ["carol@example.com", "active", "0", "0", "collector"],
        ["dave@example.com", "active", "0", "0"],
    ]


def test_the_role_is_given_and_taken_back(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Issue 11, 3: each time with a line in the trail, and in words."""
    caplog.clear()
    for state, said in (("on", "sees"), ("off", "does not see")):
        done = run(alice.app, "users", "collector", "Alice@Example.com", state)
        assert (done.exit_code, done.stdout) == (0, f"Alice@Example.com {said} what others uploaded.\n")
        assert rows(alice.app, "SELECT is_collector FROM users") == [(state == "on",)]
    assert [(line["event"], line["user_id"], line["collector"]) for line in trail(caplog)] == [
        ("collector_changed", 1, True),
        ("collector_changed", 1, False),
    ]


@pytest.mark.parametrize(
    "arguments", [["nobody@example.com", "on"], ["alice@example.com", "yes"], ["alice@example.com"]], ids=len
)
def test_what_makes_no_sense_changes_nothing(arguments: list[str], alice: Person) -> None:
    done = run(alice.app, "users", "collector", *arguments)
    assert done.exit_code and "Traceback" not in done.output
    assert rows(alice.app, "SELECT is_collector FROM users") == [(False,)]


def test_a_sign_in_tells_it(alice: Person, carol: Person) -> None:
    """Issue 11, 3: so that the page can show the switch; verify-status tells what holds now."""
    for person, collects in ((alice, False), (carol, True)):
        assert person.tokens["user"]["collector"] is collects
        assert person.post("/api/auth/verify-status").get_json()["collector"] is collects
    run(carol.app, "users", "collector", carol.email, "off")
    assert carol.post("/api/auth/verify-status").get_json()["collector"] is False


def test_it_holds_at_once_in_a_running_server(start: Callable[..., Live]) -> None:
    """Issue 11, 3: for the session that is open, in either direction."""
    live = start()
    headers, everybodys = live.login(), "/api/documents?all=1"
    assert live.request("GET", everybodys, headers=headers)[0] == 403
    for state, status in (("on", 200), ("off", 403)):
        assert live.flask("users", "collector", "admin@localhost", state).returncode == 0
        assert live.request("GET", everybodys, headers=headers)[0] == status

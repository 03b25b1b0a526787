"""The ids that lead from line to line, and what a line of the log looks like."""

import io
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.clock import eventually
from tests.support.engines import Live
from tests.support.people import Person

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = [
    f"00-{TRACE}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-00",
    f"cc-{TRACE}-{PARENT}-01",
    f"cc-{TRACE}-{PARENT}-01-what",
]
INVALID = [
    "",
    TRACE,
    f"ff-{TRACE}-{PARENT}-01",
    f"0-{TRACE}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{PARENT}-01",
    f"00-{TRACE[:-1]}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-1",
    f"00-{TRACE}-{PARENT}-01-what",
    f"00-{TRACE}-{PARENT}-01.",
    f"cc-{TRACE}-{PARENT}-01.what",
    f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-é1",
]


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize("given", VALID)
def test_a_valid_traceparent_gives_its_id_to_every_line_of_the_request(
    given: str, alice: Person, log: io.StringIO
) -> None:
    """W3C Trace Context §3.2: of a later version than ours the fields that we know count."""
    alice.upload(traceparent=given)
    assert [(line["message"], line["trace_id"]) for line in lines(log)] == [("uploaded", TRACE), ("request", TRACE)]
    alice.upload()
    assert not [line for line in lines(log)[2:] if "trace_id" in line]


@pytest.mark.parametrize("given", INVALID)
def test_an_invalid_traceparent_gives_nothing(given: str, alice: Person, log: io.StringIO) -> None:
    assert alice.upload(traceparent=given.encode().decode("latin-1")).status_code == 200
    assert [set(line) & {"trace_id"} for line in lines(log)] == [set(), set()]


def test_an_upload_that_its_client_broke_off_bears_its_trace_too(start: Callable[..., Live]) -> None:
    """499 is logged by the server, which no request has reached yet."""
    live = start()
    token = live.login()["Authorization"]
    head = f"POST /api/upload HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\nTraceparent: {VALID[0]}\r\n"
    with live.connect() as connection:
        connection.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9\r\n\r\n".encode())
    assert eventually(lambda: any(line.get("status") == 499 for line in live.lines))
    assert [line["trace_id"] for line in live.lines if line.get("status") == 499] == [TRACE]


def test_after_a_request_its_thread_writes_without_its_ids(app: Flask, log: io.StringIO) -> None:
    """Threads are used again, and sweep or watch between two requests."""
    app.test_client().get("/healthz", headers={"traceparent": VALID[0]})
    logging.getLogger("uploadsvc.server").error("out_of_descriptors")
    request, other = lines(log)
    assert request["trace_id"] == TRACE and re.fullmatch("[0-9a-f]{32}", request["request_id"])
    assert other["request_id"] == "-" and "trace_id" not in other


def test_a_json_line_holds_whatever_a_record_holds(app: Flask, log: io.StringIO) -> None:
    """Values that JSON does not know are told as text, and what a record says of itself is not overwritten."""
    extra = {"path": app.config["UPLOADS_DIR"], "level": "forged", "size": 3, "nothing": None, "odd": "\udce9"}
    logging.getLogger("any.library").warning("a %s of %d", "line", 2, extra=extra, stack_info=True)
    [line] = lines(log)
    assert {name: line[name] for name in ("level", "logger", "message", "request_id")} == {
        "level": "WARNING",
        "logger": "any.library",
        "message": "a line of 2",
        "request_id": "-",
    }
    assert (line["path"], line["size"], line["nothing"]) == (str(app.config["UPLOADS_DIR"]), 3, None)
    assert "test_logs.py" in line["stack_info"] and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])

"""Idempotency keys: an answer that was lost on the way can be asked for again, and nothing is stored twice."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests.support.bodies import CONTENT_TYPE, PDF, multipart, part
from tests.support.engines import Live
from tests.support.people import Person
from tests.support.stack import staged, stored
from tests.support.traces import state

KEY = {"Idempotency-Key": "one-upload.1"}
BODY = multipart(part("note", None, b"first"), part(filename="a.pdf"), part("more", "b.txt", b"hello"))


def folder(person: Person) -> list[str]:
    """The paths of the person's stored files."""
    return [path for path in stored(person.app) if path.startswith(f"{person.tokens['user']['id']}/")]


def documents(person: Person) -> list[str]:
    return [document["id"] for document in person.get("/api/documents").get_json()["documents"]]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(multipart(part()), id="one file"),
        pytest.param(BODY, id="several files and a field"),
        pytest.param(multipart(*(part(filename=f"{n}.txt", content=b"x") for n in range(20))), id="twenty files"),
        pytest.param(multipart(part(), part(), part()), id="three equal files"),
    ],
)
def test_a_repeat_gets_the_first_answer_and_stores_nothing(body: bytes, alice: Person) -> None:
    """C17: the same key answers with the same ids, names, fields and order; no second file or row."""
    first = alice.send(body, headers=KEY)
    assert first.status_code == 200
    before = state(alice.app)
    for _ in range(3):
        repeat = alice.send(body, headers=KEY)
        assert (repeat.status_code, repeat.data) == (200, first.data)
    assert state(alice.app) == before


OTHER_FILES = {
    "another name": [part(filename="A.pdf"), part("more", "b.txt", b"hello")],
    "another content": [part(filename="a.pdf"), part("more", "b.txt", b"hullo")],
    "another size": [part(filename="a.pdf"), part("more", "b.txt", b"hello!")],
    "another order": [part("more", "b.txt", b"hello"), part(filename="a.pdf")],
    "one less": [part(filename="a.pdf")],
    "one more": [part(filename="a.pdf"), part("more", "b.txt", b"hello"), part(filename="c.pdf")],
    "the same twice": [part(filename="a.pdf"), part("more", "b.txt", b"hello")] * 2,
    "a broken document": [part(filename="a.pdf"), part("more", "b.docx", b"PK\x03\x04")],
}


@pytest.mark.parametrize("parts", OTHER_FILES.values(), ids=OTHER_FILES)
def test_the_same_key_with_other_files_is_422_and_stores_nothing(parts: list[bytes], alice: Person) -> None:
    """K11: the new files are not dropped in silence, and the first result stands."""
    first = alice.send(BODY, headers=KEY)
    before = state(alice.app)
    repeat = alice.send(multipart(*parts), headers=KEY)
    assert (repeat.status_code, repeat.get_json()["error"]) == (422, "idempotency_mismatch")
    assert state(alice.app) == before
    assert alice.send(BODY, headers=KEY).data == first.data


@pytest.mark.parametrize(
    "fields", [[], [part("note", None, b"second")], [part("note", None, b"first"), part("at", None, b"12:00")]]
)
def test_text_fields_are_not_compared(fields: list[bytes], alice: Person) -> None:
    """K11: a script's clock may stand in them; the answer tells the first ones."""
    first = alice.send(BODY, headers=KEY)
    files = (part(filename="a.pdf"), part("other", "b.txt", b"hello"))
    assert alice.send(multipart(*files, *fields), headers=KEY).data == first.data
    assert len(folder(alice)) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(multipart(part(filename="x.exe")), 415, id="a refused file"),
        pytest.param(b"", 400, id="nothing"),
        pytest.param(BODY[:-20], 400, id="a cut body"),
    ],
)
def test_a_repeat_that_is_no_upload_is_refused_as_any_other(body: bytes, status: int, alice: Person) -> None:
    """K11: a repeat is read to its end before it is compared, and the first result stands."""
    first = alice.send(BODY, headers=KEY)
    before = state(alice.app)
    assert alice.send(body, headers=KEY).status_code == status
    assert state(alice.app) == before
    assert alice.send(BODY, headers=KEY).data == first.data


def test_a_repeat_that_waits_for_100_continue_is_read_and_compared(start: Callable[..., Live]) -> None:
    """K11: a client with Expect is told to go on, and then gets the first answer or the mismatch."""
    live = start()
    headers = live.login() | KEY
    first = live.upload(headers)[2]
    answers = []
    for body in (multipart(part()), multipart(part(filename="b.pdf"))):
        with live.connect() as connection:
            lines = headers | {"Host": "a", "Content-Type": CONTENT_TYPE, "Content-Length": str(len(body))}
            lines |= {"Expect": "100-continue", "Connection": "close"}
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            connection.sendall(f"POST /api/upload HTTP/1.1\r\n{head}\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
            connection.sendall(body)
            answers.append(b"".join(iter(lambda: connection.recv(65536), b"")))
    assert answers[0].startswith(b"HTTP/1.1 200 ") and answers[0].endswith(first)
    assert answers[1].startswith(b"HTTP/1.1 422 ") and b'"idempotency_mismatch"' in answers[1]


def test_a_repeat_survives_a_restart(make_app: Callable[..., Flask], alice: Person) -> None:
    """C17: the first result is in the database, not in the process."""
    first = alice.send(BODY, headers=KEY)
    again = Person(make_app(), alice.email).login().send(BODY, headers=KEY)
    assert again.data == first.data and len(folder(alice)) == 2


def test_another_key_is_another_upload(alice: Person) -> None:
    """C17: each key stores once; keys differ by case; without a key every upload stores."""
    keys: list[dict[str, str]] = [KEY, {"Idempotency-Key": "One-Upload.1"}, {"Idempotency-Key": "2"}, {}, {}]
    answers = [alice.send(BODY, headers=key) for key in keys]
    ids = {file["id"] for answer in answers for file in answer.get_json()["files"]}
    assert len(ids) == 10 == len(folder(alice))


def test_another_users_key_is_their_own(alice: Person, bob: Person) -> None:
    """C17: Bob repeats Alice's key and gets an upload of his own, and nothing of hers."""
    first = alice.send(BODY, headers=KEY)
    his = bob.send(multipart(part(filename="bobs.pdf")), headers=KEY)
    assert [file["filename"] for file in his.get_json()["files"]] == ["bobs.pdf"]
    assert his.get_json()["fields"] == {}
    assert alice.send(BODY, headers=KEY).data == first.data
    assert (len(folder(alice)), len(folder(bob))) == (2, 1)


@pytest.mark.parametrize("key", ["", " ", "a b", "a/b", "a:b", "ä", "x" * 65, "a,b", "a;b", '"a"', "a\tb", "%41"])
def test_a_bad_key_is_refused_and_nothing_is_stored(key: str, alice: Person, unchanged: Callable[[], Any]) -> None:
    """C17: 1 to 64 of A-Za-z0-9._- ; anything else is 400."""
    with unchanged():
        answer = alice.send(BODY, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.get_json()["error"]) == (400, "bad_request")


@pytest.mark.parametrize("key", ["0", "-", "._-", "x" * 64, "AZaz09._-", "3f2b8c1e-7c55-4b6e-9a64-0d9f3f6f2d11"])
def test_a_good_key_is_taken(key: str, alice: Person) -> None:
    """C17: every allowed character and both lengths at the limit."""
    answers = [alice.send(BODY, headers={"Idempotency-Key": key}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200] and answers[0].data == answers[1].data


def test_a_refused_upload_does_not_use_its_key_up(alice: Person) -> None:
    """C17: only a 200 is a result; after a 4xx the same key stores the corrected upload."""
    for bad in (multipart(part(filename="x.exe")), BODY[:-20], multipart(part(), part(content=b"no pdf"))):
        assert alice.send(bad, headers=KEY).status_code in {400, 415}
    assert len(alice.send(BODY, headers=KEY).get_json()["files"]) == 2


def test_a_repeat_after_deleting_everything_is_a_new_upload(alice: Person) -> None:
    """C17: with its documents the first result is gone; the repeat stores once, and is repeatable again."""
    first = alice.send(BODY, headers=KEY).get_json()["files"]
    for file in first:
        assert alice.delete(f"/api/documents/{file['id']}").status_code == 200
    second, third = (alice.send(BODY, headers=KEY) for _ in range(2))
    assert second.status_code == 200 and second.data == third.data
    assert not {file["id"] for file in first} & {file["id"] for file in second.get_json()["files"]}
    assert len(folder(alice)) == 2


@pytest.mark.parametrize("deleted", [0, 1])
def test_a_repeat_after_deleting_one_of_two_names_what_is_left(deleted: int, alice: Person) -> None:
    """C17: nothing is stored, a deleted document does not come back, and the fields are still the first ones."""
    first = alice.send(BODY, headers=KEY).get_json()
    assert alice.delete(f"/api/documents/{first['files'][deleted]['id']}").status_code == 200
    repeat = alice.send(BODY, headers=KEY).get_json()
    assert repeat["files"] == [first["files"][1 - deleted]] and len(folder(alice)) == 1
    assert repeat["fields"] == first["fields"]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_after_deletes_a_repeat_is_still_compared_with_all_the_first_brought(kept: int, alice: Person) -> None:
    """K11, K14: also with what was deleted; the fields are told with the last document that is left."""
    parts = [part(filename=f"{n}.pdf") for n in range(3)]
    note = part("note", None, b"first")
    files = alice.send(multipart(*parts, note), headers=KEY).get_json()["files"]
    for number in {0, 1, 2} - {kept}:
        assert alice.delete(f"/api/documents/{files[number]['id']}").status_code == 200
    repeat = alice.send(multipart(*parts), headers=KEY).get_json()
    assert (repeat["files"], repeat["fields"]) == ([files[kept]], {"note": "first"})
    for other in ([parts[kept]], [*parts, part(filename="3.pdf")], [*parts[:2], part(filename="x.pdf")]):
        assert alice.send(multipart(*other), headers=KEY).status_code == 422
    assert len(folder(alice)) == 1


def test_a_repeat_needs_a_session(alice: Person) -> None:
    """C17: a known key opens nothing."""
    alice.send(BODY, headers=KEY)
    answer = alice.client.post("/api/upload", data=BODY, content_type=CONTENT_TYPE, headers=KEY)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "parts", [[part()], [part("note", None, b"n"), part(), part(filename="b.pdf"), part(filename="c.pdf")]]
)
def test_twenty_at_once_with_one_key_store_one_set(parts: list[bytes], start: Callable[..., Live]) -> None:
    """C17: 20 parallel uploads with one key: 20 identical answers, one set of files and rows, nothing staged."""
    live = start(THREADS="20")
    headers = live.login() | KEY
    gate = threading.Barrier(20)

    def send(_: int) -> tuple[int, bytes]:
        gate.wait(20)
        status, _headers, body = live.upload(headers, *parts)
        return status, body

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(send, range(20)))
    assert len(answers) == 1, answers
    status, body = answers.pop()
    files = json.loads(body)["files"]
    assert (status, len(files)) == (200, sum(b"filename" in p for p in parts))
    assert {f"/uploads/{path}" for path in stored(live)} == {file["savedTo"] for file in files}
    assert staged(live) == []
    listed = json.loads(live.request("GET", "/api/documents", headers=headers)[2])["documents"]
    assert {document["id"] for document in listed} == {file["id"] for file in files}


def test_uploads_of_other_files_at_once_with_one_key_store_one_of_them(start: Callable[..., Live]) -> None:
    """K11: of five uploads, each sent four times at once, one is the first: its repeats get its answer, others 422."""
    live = start(THREADS="8")
    headers = live.login() | KEY

    def send(n: int) -> tuple[int, bytes]:
        status, _, body = live.upload(headers, *(part(content=PDF + bytes([n % 5, m])) for m in range(1 + n % 5 % 2)))
        return status, body

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    told = {body for status, body in answers if status == 200}
    assert len(told) == 1 and [status for status, _ in answers].count(422) == 20 - 4
    assert {json.loads(body)["error"] for status, body in answers if status == 422} == {"idempotency_mismatch"}
    files = {file["savedTo"] for file in json.loads(told.pop())["files"]}
    assert {f"/uploads/{path}" for path in stored(live)} == files
    assert staged(live) == []


def test_many_keys_at_once_do_not_mix(start: Callable[..., Live]) -> None:
    """C17: five keys, each sent four times at once with contents of its own: five sets."""
    live = start(THREADS="8")
    headers = live.login()

    def send(n: int) -> tuple[int, bytes]:
        key = {"Idempotency-Key": f"key-{n % 5}"}
        status, _, body = live.upload(headers | key, part(content=PDF + bytes([n % 5])))
        assert status == 200
        return n % 5, body

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(send, range(20)))
    assert len(answers) == 5
    hashes = {json.loads(body)["files"][0]["sha256"] for _, body in answers}
    assert len(hashes) == 5 == len(stored(live))

"""The scanner for malware: by a program, by clamd's protocol, and by clamd itself; whatever is unclear refuses."""

import http.client
import json
import logging
import os
import shlex
import shutil
import socket
import struct
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.bodies import FILES, multipart, part
from tests.support.clock import eventually
from tests.support.engines import Live, needed
from tests.support.people import Person, add_user
from tests.support.stack import files
from tests.support.traces import state
from tests.test_feeders import FEEDERS, Caller
from tests.test_filetypes import docx
from uploadsvc.config import ConfigError
from uploadsvc.errors import ScanFailed, UnsupportedType
from uploadsvc.scanner import Clamd, Command, Engine, Scanner, UnderWay
from uploadsvc.storage import LocalStorage, Staged

# The test file of the European Institute for Computer Antivirus Research, in two halves lest this one be taken for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Übersicht für Jürgen.txt"
CONTENT = bytes(range(256)) * 1000  # more than one piece
FINDS_EICAR = 'if grep -q EICAR-STANDARD "$1"; then exit 1; fi'
SOON = 0.5  # seconds until a scan is given up


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], list[str]]:
    """Write a shell script; its path, which has blanks and letters beyond ASCII, is the command."""

    def write(script: str) -> list[str]:
        path = tmp_path / "ein Prüfer.sh"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return [str(path)]

    return write


@pytest.fixture
def staged(tmp_path: Path) -> Iterator[Callable[..., Staged]]:
    """Stage files in a folder whose path has blanks and letters beyond ASCII; scanning them leaves nothing behind."""
    storage = LocalStorage(tmp_path / "abgelegte Dateien für alle", 0)

    def stage(content: bytes = CONTENT) -> Staged:
        file = storage.stage()
        file.write(content)
        file.close()
        return file

    before = held()
    yield stage
    assert eventually(lambda: held() == before), (before, held())


def held() -> tuple[int, set[str]]:
    """How many descriptors there are, and which children, the dead ones too."""
    stats = [path.parent.name for path in Path("/proc").glob("[0-9]*/stat") if parent_of(path) == os.getpid()]
    return len(list(Path("/proc/self/fd").iterdir())), set(stats)


def parent_of(stat: Path) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return int(stat.read_text().rpartition(")")[2].split()[1])
    return 0


def scan(engine: Engine, file: Staged) -> None:
    Scanner(engine, 1).inspect(NAME, file)


def failure(engine: Engine, file: Staged, caplog: pytest.LogCaptureFixture) -> Any:
    """Scan in vain; why, as the one line of the log tells it."""
    with pytest.raises(ScanFailed) as refusal, caplog.at_level(logging.INFO):
        scan(engine, file)
    assert (refusal.value.status, refusal.value.code) == (503, "scan_failed")
    assert int(refusal.value.headers["Retry-After"]) > 0
    [line] = caplog.records
    assert line.getMessage() == "scan_failed"
    return vars(line)["reason"]


# --- a program


def test_a_program_that_ends_with_0_lets_the_file_pass(
    program: Callable[[str], list[str]], staged: Callable[..., Staged]
) -> None:
    """F9: it gets the file's path as its last argument, and the file is what was sent."""
    file = staged()
    scan(Command([*program('cp "$2" "$2.seen"; [ "$1" = --quick ]'), "--quick"]), file)
    assert Path(f"{file.path}.seen").read_bytes() == CONTENT


def test_a_program_that_ends_with_1_refuses_it_by_the_name_that_its_sender_knows(
    program: Callable[[str], list[str]], staged: Callable[..., Staged]
) -> None:
    """F9: neither where it is staged nor what was found is told to the sender."""
    file = staged(EICAR)
    with pytest.raises(UnsupportedType) as refusal:
        scan(Command(program(FINDS_EICAR)), file)
    assert (refusal.value.status, refusal.value.code) == (415, "unsupported_type")
    assert NAME in refusal.value.message
    assert file.path.name not in refusal.value.message
    scan(Command(program(FINDS_EICAR)), staged())


FAILURES = {
    "exit 2": "exit status 2",
    "exit 127": "exit status 127",
    "kill -9 $$": "killed by signal 9",
    "exec sleep 1000": "timeout",
    "sleep 1000": "timeout",
    "exec >/dev/null 2>&1; sleep 1000": "timeout",
    "trap '' TERM INT HUP; while :; do sleep 1; done": "timeout",
    "setsid sleep 5 & exit 0": "timeout",  # nobody knows what it is still about to say
}


@pytest.mark.parametrize("script", FAILURES)
def test_a_program_that_says_neither_refuses_the_file(
    program: Callable[[str], list[str]], staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture, script: str
) -> None:
    """F9: any other status, a signal and a timeout are failures, and a failure is closed."""
    seconds = SOON if FAILURES[script] == "timeout" else 30
    assert failure(Command(program(script), seconds), staged(), caplog) == FAILURES[script]


UNSTARTABLE = {
    "no permission": (0o644, "#!/bin/sh\n", "Permission denied"),
    "no interpreter": (0o755, "#!/no/such/interpreter\n", "No such file or directory"),
    "no program": (0o755, "\x7fnonsense", "Exec format error"),
}


@pytest.mark.parametrize("case", UNSTARTABLE)
def test_a_program_that_cannot_be_started_refuses_the_file(
    staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture, tmp_path: Path, case: str
) -> None:
    """F9: the log says why."""
    mode, start, reason = UNSTARTABLE[case]
    path = tmp_path / "program"
    path.write_text(start)
    path.chmod(mode)
    assert failure(Command([str(path)]), staged(), caplog) == reason


def test_a_program_that_is_not_there_refuses_the_file(
    staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture
) -> None:
    """F9: fails closed, whatever it was that removed it."""
    assert failure(Command(["no-such-scanner"]), staged(), caplog) == "No such file or directory"


def test_a_program_that_is_given_up_takes_along_all_that_it_started(
    program: Callable[[str], list[str]], staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """F9: the whole group is killed, and the program reaped."""
    pids = tmp_path / "pids"
    command = program(f'sleep 1000 & echo $$ $! > "{pids}"; wait')
    assert failure(Command(command, SOON), staged(), caplog) == "timeout"
    assert eventually(lambda: not any(is_running(pid) for pid in pids.read_text().split()))


def is_running(pid: str) -> bool:
    """A zombie of somebody else's has ended too."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_program_gets_no_secret_no_input_and_no_descriptor(
    program: Callable[[str], list[str]],
    staged: Callable[..., Staged],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """F9: its environment is the scanner's own, its input ends at once, and nothing else is open."""
    monkeypatch.setenv("JWT_SECRET", "nobody-may-know-this")
    inherited = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    seen, file = tmp_path / "seen", staged()
    with waiting_input():
        scan(Command(program(f'cat; env > "{seen}"; ls -l /proc/$$/fd >> "{seen}"')), file)
    os.close(inherited)
    assert "PATH=/usr" in seen.read_text()
    assert "nobody-may-know-this" not in seen.read_text()
    assert f"-> {tmp_path}\n" not in seen.read_text()


@contextmanager
def waiting_input() -> Iterator[None]:
    """Standard input, on which nothing comes and which does not end."""
    former, (reader, writer) = os.dup(0), os.pipe()
    os.dup2(reader, 0)
    try:
        yield
    finally:
        os.dup2(former, 0)
        for descriptor in (former, reader, writer):
            os.close(descriptor)


def test_of_a_program_s_output_only_the_beginning_is_logged_and_only_at_debug(
    program: Callable[[str], list[str]], staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture
) -> None:
    """F9: a file's content may speak through it, so what does not print is escaped; megabytes stop nobody."""
    command, file = Command(program(r"printf 'a\n\033[31m\377b'; head -c 20000000 /dev/zero; exit 2")), staged()
    tracemalloc.start()
    with pytest.raises(ScanFailed), caplog.at_level(logging.DEBUG, "uploadsvc.scanner"):
        scan(command, file)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    output, _ = caplog.records
    assert (output.levelname, output.getMessage()) == ("DEBUG", "scan_output")
    shown = vars(output)["output"]
    assert shown.startswith("a\\n\\x1b[31m�b\\x00")
    assert shown.isprintable()
    assert len(shown) < 2000
    caplog.clear()
    assert failure(command, staged(), caplog) == "exit status 2"


# --- clamd's protocol


class Daemon:
    """Speaks zINSTREAM: reads each stream to its end, keeps it, and says `answer`."""

    def __init__(self, listener: socket.socket, answer: bytes) -> None:
        self._listener, self._answer = listener, answer
        self.streams: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self.connections += 1
                with connection, connection.makefile("rb") as stream, suppress(OSError, struct.error):
                    self.speak(connection, stream)

    def speak(self, connection: socket.socket, stream: Any) -> None:
        assert stream.read(10) == b"zINSTREAM\0"
        pieces = iter(lambda: stream.read(struct.unpack("!I", stream.read(4))[0]), b"")
        self.streams.append(b"".join(pieces))
        connection.sendall(self._answer)


class Early(Daemon):
    """Answers after the first bytes and hangs up, as clamd does where a stream is too long."""

    def speak(self, connection: socket.socket, stream: Any) -> None:
        stream.read(20)
        connection.sendall(self._answer)


class Silent(Daemon):
    """Reads and never answers."""

    def speak(self, connection: socket.socket, stream: Any) -> None:
        while connection.recv(10_000_000):
            continue


class Slow(Daemon):
    """Takes a little now and then."""

    def speak(self, connection: socket.socket, stream: Any) -> None:
        while connection.recv(20_000) and not self.over.wait(0.2):
            continue


class Trickling(Daemon):
    """Answers a byte at a time, for ever."""

    def speak(self, connection: socket.socket, stream: Any) -> None:
        threading.Thread(target=stream.read).start()
        while connection.send(self._answer) and not self.over.wait(0.05):
            continue


class Deaf(Daemon):
    """Takes nothing of what it is sent."""

    def speak(self, connection: socket.socket, stream: Any) -> None:
        self._listener.accept()


@contextmanager
def daemon(
    kind: type[Daemon] = Daemon, answer: bytes = b"stream: OK\0", path: Path | None = None
) -> Iterator[tuple[Any, Daemon]]:
    """A daemon at work, on a Unix socket if it has a path: its address, and itself."""
    with socket.socket(socket.AF_UNIX) if path else socket.create_server(("127.0.0.1", 0)) as listener:
        if path:
            listener.bind(str(path))
            listener.listen()
        running = kind(listener, answer)
        thread = threading.Thread(target=running.serve)
        thread.start()
        try:
            yield listener.getsockname(), running
        finally:
            running.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize("unix", [False, True])
@pytest.mark.parametrize("content", [b"x", CONTENT, b"x" * 65536])
def test_clamd_gets_every_byte_over_tcp_or_a_unix_socket(
    staged: Callable[..., Staged], tmp_path: Path, unix: bool, content: bytes
) -> None:
    """F9: by INSTREAM, for a staged file is closed to other users."""
    with daemon(path=tmp_path / "clamd.sock" if unix else None) as (address, clamd):
        scan(Clamd(address), staged(content))
        scan(Clamd(address), staged(content))
    assert clamd.streams == [content, content]


def test_what_clamd_finds_refuses_the_file_and_its_name_is_for_the_log(
    staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture
) -> None:
    """F9: `stream: <signature> FOUND`, escaped where it does not print."""
    answer = b"stream: Win.Test.EICAR_HDB-1 \x1b[31m FOUND\0"
    with daemon(answer=answer) as (address, _), pytest.raises(UnsupportedType) as refusal:
        scan(Clamd(address), staged())
    [line] = caplog.records
    assert (line.getMessage(), vars(line)["signature"]) == ("malware_found", r"Win.Test.EICAR_HDB-1 \x1b[31m")
    assert NAME in refusal.value.message
    assert "EICAR" not in refusal.value.message


UNCLEAR: list[tuple[type[Daemon], bytes, str]] = [
    (Daemon, b"stream: Can't allocate memory ERROR\0", "stream: Can't allocate memory ERROR"),
    (Daemon, b"", "no answer"),
    (Daemon, b"\0", "no answer"),
    (Daemon, b"stream: OKAY\0", "stream: OKAY"),
    (Daemon, b"stream: OK\nstream: Eicar FOUND\0", r"stream: OK\nstream: Eicar FOUND"),
    (Daemon, b"\xff" * 3000, "�" * 300),
    (Early, b"INSTREAM size limit exceeded. ERROR\0", "INSTREAM size limit exceeded. ERROR"),
    (Early, b"stream: OK\0", "stream: OK"),
    (Early, b"", "Connection reset by peer|Broken pipe|no answer"),
    (Silent, b"", "timeout"),
    (Slow, b"", "timeout"),
    (Trickling, b"s", "timeout"),
    (Deaf, b"", "timeout"),
]


@pytest.mark.parametrize(("kind", "answer", "reason"), UNCLEAR)
def test_a_daemon_that_says_neither_refuses_the_file(
    staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture, kind: type[Daemon], answer: bytes, reason: str
) -> None:
    """F9: an error, nonsense, no answer, an answer before it has seen everything, or none in time: closed."""
    file = staged(CONTENT * 40)
    with daemon(kind, answer) as (address, _):
        seconds, begun = SOON if reason == "timeout" else 30, time.monotonic()
        assert failure(Clamd(address, seconds), file, caplog) in (reason, *reason.split("|"))
        assert time.monotonic() - begun < 20


def test_a_daemon_that_is_not_there_refuses_the_file(
    staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """F9: the log tells a closed port, a missing socket and an unknown host apart."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    assert failure(Clamd(address), staged(), caplog) == "Connection refused"
    caplog.clear()
    assert failure(Clamd(str(tmp_path / "clamd.sock")), staged(), caplog) == "No such file or directory"
    caplog.clear()
    assert failure(Clamd(("clamd.invalid", 3310)), staged(), caplog)


# --- how many at a time, and the end


class Held:
    """An engine that keeps every file until it is released, or broken off."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.released = threading.Event()

    def scan(self, _file: Any, under_way: UnderWay) -> None:
        with under_way.until_broken_off(self.released.set):
            self.entered.release()
            assert self.released.wait(20)


def test_of_several_uploads_only_so_many_are_scanned_at_once(staged: Callable[..., Staged]) -> None:
    """F9: one more is asked to come again, soon; when one has left there is room."""
    engine, file = Held(), staged()
    scanner = Scanner(engine, 2)

    def upload() -> None:
        with scanner.place():
            scanner.inspect(NAME, file)

    uploads = [threading.Thread(target=upload) for _ in range(2)]
    for thread in uploads:
        thread.start()
        assert engine.entered.acquire(timeout=20)
    with pytest.raises(ScanFailed) as refusal:
        upload()
    assert int(refusal.value.headers["Retry-After"]) <= 5
    engine.released.set()
    for thread in uploads:
        thread.join()
    upload()


@pytest.mark.parametrize("engine", ["a program", "clamd"])
def test_a_stop_breaks_off_what_is_being_scanned_and_what_comes(
    program: Callable[[str], list[str]], staged: Callable[..., Staged], tmp_path: Path, engine: str
) -> None:
    """F9: a scanner that hangs keeps nobody, and what was not scanned is refused."""
    begun, file = tmp_path / "begun", staged()
    refused = threading.Semaphore(0)

    def upload() -> None:
        with pytest.raises(ScanFailed):
            scanner.inspect(NAME, file)
        refused.release()

    with daemon(Silent, b"") as (address, clamd):
        command = Command(program(f'touch "{begun}"; sleep 1000'))
        scanner = Scanner(command if engine == "a program" else Clamd(address), 1)
        uploads = [threading.Thread(target=upload) for _ in range(2)]
        uploads[0].start()
        assert eventually(lambda: begun.exists() or clamd.connections)
        scanner.stop()
        assert refused.acquire(timeout=20)
        uploads[1].start()
        assert refused.acquire(timeout=20)
        for thread in uploads:
            thread.join()


# --- clamd itself


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real clamd on a Unix socket, whose path is returned. It knows one signature, ours: EICAR's anywhere."""
    folder = tmp_path_factory.mktemp("clamd")
    (folder / "signatures").mkdir()
    (folder / "signatures" / "own.ndb").write_text(f"Own.EICAR:0:*:{EICAR.hex()}\n")
    address, configuration = folder / "clamd.sock", folder / "clamd.conf"
    settings = [f"LocalSocket {address}", f"DatabaseDirectory {folder / 'signatures'}", f"TemporaryDirectory {folder}"]
    limits = ["StreamMaxLength 2M", "MaxFileSize 1M", "AlertExceedsMax yes"]
    configuration.write_text("\n".join(["Foreground yes", *settings, *limits, ""]))
    with (folder / "log").open("wb") as log:
        command = [needed("clamd", "clamav-daemon"), f"--config-file={configuration}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        assert eventually(address.exists, 30), (folder / "log").read_text()
        yield str(address)
    finally:
        process.terminate()
        process.wait(20)


FOUND = {
    "EICAR.txt": (EICAR, "Own.EICAR.UNOFFICIAL"),
    "in a text": (b"Dear all,\n" * 9999 + EICAR, "Own.EICAR.UNOFFICIAL"),
    "in a DOCX": (docx(("word/embeddings/note.txt", EICAR)), "Own.EICAR.UNOFFICIAL"),
    "in a DOCX in a DOCX": (
        docx(("word/embeddings/a.docx", docx(("word/embeddings/note.txt", EICAR)))),
        "Own.EICAR.UNOFFICIAL",
    ),
    "larger than MaxFileSize": (b"x" * (1024 * 1024 + 1), "Heuristics.Limits.Exceeded.MaxFileSize"),
}


@pytest.mark.parametrize("case", FOUND)
def test_clamd_finds_what_it_knows_packed_or_not(
    clamd: str, staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture, case: str
) -> None:
    """F9: what is over its limits only with `AlertExceedsMax yes`."""
    content, signature = FOUND[case]
    with pytest.raises(UnsupportedType):
        scan(Clamd(clamd), staged(content))
    assert [vars(line).get("signature") for line in caplog.records] == [signature]


@pytest.mark.parametrize("name", ["cairo.pdf", "libreoffice.docx", "npm-docx.docx", "utf8-scripts.txt"])
def test_clamd_lets_a_clean_file_pass(clamd: str, staged: Callable[..., Staged], name: str) -> None:
    """F9: files as programs make them."""
    scan(Clamd(clamd), staged((FILES / name).read_bytes()))


def test_a_file_longer_than_clamd_s_stream_is_refused(
    clamd: str, staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture
) -> None:
    """F9: it answers early and hangs up; the log tells which limit to raise."""
    assert failure(Clamd(clamd), staged(b"x" * 9_000_000), caplog) == "INSTREAM size limit exceeded. ERROR"


# --- through the service


@pytest.fixture
def guarded(make_app: Callable[..., Flask]) -> Callable[..., Person]:
    """Alice, on a service that has a scanner."""

    def begin(**settings: str) -> Person:
        app = make_app(**settings)
        add_user(app, "alice@example.com")
        return Person(app, "alice@example.com").login()

    return begin


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What the service has logged since the last look, its requests left out."""
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line for line in lines if line["message"] != "request"]


def test_an_upload_with_malware_is_415_and_leaves_nothing(
    guarded: Callable[..., Person], program: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """F9: all files of the request or none; the security event says why, and no line names the file."""
    alice = guarded(SCAN_COMMAND=shlex.join(program(FINDS_EICAR)))
    before = state(alice.app)
    logged(capsys)
    answer = alice.send(multipart(part(), part(filename=NAME, content=EICAR), part(filename="b.pdf")))
    assert (answer.status_code, answer.get_json()["error"]) == (415, "unsupported_type")
    assert NAME in answer.get_json()["message"]
    assert state(alice.app) == before
    found, refused = logged(capsys)
    assert (found["message"], found["signature"]) == ("malware_found", "not named")
    assert (refused["message"], refused["reason"]) == ("file_refused", "malware")
    assert refused["user_id"] == alice.tokens["user"]["id"]
    assert found["request_id"] == refused["request_id"] == answer.headers["X-Request-ID"]
    assert NAME not in f"{found}{refused}"
    assert alice.upload().status_code == 200


def test_an_upload_that_could_not_be_scanned_is_503_and_leaves_nothing(
    guarded: Callable[..., Person],
    program: Callable[[str], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F9: closed, with one line that says why; once the scanner works again, so do uploads."""
    [script] = program('[ -e "$0.works" ] || exit 2')
    alice = guarded(SCAN_COMMAND=shlex.quote(script))
    before = state(alice.app)
    logged(capsys)
    answer = alice.send(multipart(part(), part(filename="b.pdf")))
    assert (answer.status_code, answer.get_json()["error"]) == (503, "scan_failed")
    assert int(answer.headers["Retry-After"]) > 0
    assert state(alice.app) == before
    assert [(line["message"], line["reason"]) for line in logged(capsys)] == [("scan_failed", "exit status 2")]
    Path(f"{script}.works").touch()
    assert alice.upload().status_code == 200


def test_clamd_is_asked_where_its_address_is_set(guarded: Callable[..., Person], clamd: str) -> None:
    """F9: EICAR.txt and EICAR packed into a DOCX are 415, by the real daemon."""
    alice = guarded(CLAMD_ADDRESS=clamd)
    before = state(alice.app)
    assert alice.upload("EICAR.txt", EICAR).status_code == 415
    assert alice.upload("letter.docx", FOUND["in a DOCX"][0]).status_code == 415
    assert alice.upload("long.txt", b"x" * 2_100_000).status_code == 503
    assert state(alice.app) == before
    assert alice.upload("letter.docx", docx()).status_code == 200


def test_a_file_is_scanned_once_before_it_has_its_final_name(
    guarded: Callable[..., Person], program: Callable[[str], list[str]]
) -> None:
    """F9, F10: and only when all else is fine: nothing that is refused anyway, and no repeat of an Idempotency-Key."""
    [script] = program('ls -RA "${1%/.staging/*}" >> "$0.seen"')
    alice, seen = guarded(SCAN_COMMAND=shlex.quote(script)), Path(f"{script}.seen")
    assert alice.send(multipart(part(), part(filename="b.docx", content=docx()[:-9]))).status_code == 415
    assert not seen.exists()
    body = multipart(part(), part(filename="b.pdf"))
    for _ in range(2):
        assert alice.send(body, headers={"Idempotency-Key": "one"}).status_code == 200
    assert seen.read_text().count(".part") == 4  # two scans, and two staged files at each
    assert "pdf" not in seen.read_text()


@pytest.mark.parametrize("feeder", ["streaming", "chunked", "wsgiref"])
def test_every_feeder_s_files_are_scanned(
    program: Callable[[str], list[str]], tmp_path: Path, schema: Path, feeder: str
) -> None:
    """F9: the streaming server's, and any other WSGI server's."""
    shutil.copy(schema, tmp_path / "app.db")
    command = shlex.join(program(FINDS_EICAR + '; if grep -q broken "$1"; then exit 3; fi'))
    with FEEDERS[feeder](tmp_path, SCAN_COMMAND=command) as service:
        alice = Caller(service)
        assert alice.upload("EICAR.txt", EICAR).status_code == 415
        assert alice.upload("a.txt", b"broken").status_code == 503
        assert "malware" in alice.request("PUT", "/api/upload/a.txt", data=EICAR).text
        assert not [path for path in (service.instance / "uploads").rglob("*") if path.is_file()]
        assert alice.upload("a.txt", b"fine").status_code == 200


# --- on a real server

WAITS = 'touch "$0.$$"; while [ ! -e "$0.go" ]; do sleep 0.05; done'


def api_token(live: Live) -> dict[str, str]:
    """The headers of a new API token."""
    json_sent = live.login() | {"Content-Type": "application/json"}
    status, _, body = live.request("POST", "/api/tokens", b'{"name": "nightly"}', json_sent)
    assert status == 200, body
    return {"Authorization": f"Bearer {json.loads(body)['token']}"}


def scans_of(script: str) -> list[str]:
    """The process ids of the scans begun so far by WAITS."""
    return [path.suffix[1:] for path in Path(script).parent.glob(f"{Path(script).name}.[0-9]*")]


def test_whoever_uploads_nothing_waits_for_no_scan(
    start: Callable[..., Live], program: Callable[[str], list[str]]
) -> None:
    """F9: with every place taken others read, and write to the database; one upload more is asked to come again."""
    [script] = program(WAITS)
    live = start(SCAN_COMMAND=shlex.quote(script), THREADS="3")
    alice, answers = api_token(live), []
    uploads = [threading.Thread(target=lambda: answers.append(live.upload(alice)[0])) for _ in range(2)]
    for upload in uploads:
        upload.start()
    assert eventually(lambda: len(scans_of(script)) == 2)
    assert [live.request("GET", "/healthz")[0] for _ in range(20)] == [200] * 20
    assert live.request("GET", "/api/documents", headers=live.login())[0] == 200
    status, headers, _ = live.upload(alice)
    assert (status, int(headers["retry-after"]) > 0) == (503, True)
    assert not answers
    Path(f"{script}.go").touch()
    for upload in uploads:
        upload.join()
    assert answers == [200, 200]
    assert live.upload(alice)[0] == 200


def test_a_stop_waits_for_no_scan_longer_than_it_may(
    start: Callable[..., Live], program: Callable[[str], list[str]]
) -> None:
    """F9: when DRAIN_SECONDS are over the scan is given up, its program killed, and nothing is left."""
    [script] = program(WAITS)
    live = start(SCAN_COMMAND=shlex.quote(script), DRAIN_SECONDS="1")
    alice = live.login()

    def upload() -> None:
        with suppress(OSError, http.client.HTTPException):  # there may be no time left to answer
            live.upload(alice)

    sender = threading.Thread(target=upload)
    sender.start()
    assert eventually(lambda: scans_of(script))
    assert live.stop() == 0
    sender.join()
    assert not any(is_running(pid) for pid in scans_of(script))
    assert not files(live)


# --- settings

BAD = {
    "CLAMD_ADDRESS": ["clamd", "3310", ":3310", "host:0", "host:65536", "host:port", "a..b:3310", "::1:3310", "a b:1"],
    "SCAN_COMMAND": ["clamscan 'x", "clamscan \\"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_setting_that_cannot_be_meant_stops_the_start(make_app: Callable[..., Flask], name: str, value: str) -> None:
    """F9: with one line that names it."""
    with pytest.raises(ConfigError, match=f"^{name} must be .+") as stop:
        make_app(**{name: value})
    assert "\n" not in str(stop.value)


def test_two_scanners_at_once_stop_the_start(make_app: Callable[..., Flask]) -> None:
    """F9: nobody can tell which one was meant."""
    with pytest.raises(ConfigError, match=r"^SCAN_COMMAND and CLAMD_ADDRESS are both set: .+\.$"):
        make_app(SCAN_COMMAND="clamscan", CLAMD_ADDRESS="127.0.0.1:3310")


def test_there_is_no_scanner_unless_one_is_set(app: Flask) -> None:
    """F9: off by default; the service does not depend on any."""
    assert app.extensions["scanner"] is None


ADDRESSES = {
    "127.0.0.1:3310": ("127.0.0.1", 3310),
    "[::1]:3310": ("::1", 3310),
    "clamd_1.internal:65535": ("clamd_1.internal", 65535),
    "/run/clamav/clamd.ctl": "/run/clamav/clamd.ctl",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_clamd_s_address_is_a_path_or_host_and_port(make_app: Callable[..., Flask], address: str) -> None:
    """F9: IPv6 in brackets, as in a URL."""
    assert make_app(CLAMD_ADDRESS=address).config["CLAMD_ADDRESS"] == ADDRESSES[address]

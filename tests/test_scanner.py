"""The scanner for malware: by a program, by clamd's protocol, and by clamd itself; whatever is unclear refuses."""

import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import eventually
from uploadsvc.errors import MalwareFound, ScanFailed
from uploadsvc.scanner import Clamd, Command, Engine, Scanner
from uploadsvc.storage import LocalStorage, Staged

# The test file of the European Institute for Computer Antivirus Research, in two halves lest this one be taken for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Übersicht für Jürgen.txt"
CONTENT = bytes(range(256)) * 1000  # more than one piece
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

    before = descriptors()
    yield stage
    assert eventually(lambda: descriptors() == before), (before, descriptors())
    with pytest.raises(ChildProcessError):  # there is no child, not even a dead one
        os.waitpid(-1, os.WNOHANG)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


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
    with pytest.raises(MalwareFound) as refusal:
        scan(Command(program('! grep -q EICAR-STANDARD "$1"')), file)
    assert (refusal.value.status, refusal.value.code) == (415, "unsupported_type")
    assert NAME in refusal.value.message
    assert file.path.name not in refusal.value.message
    scan(Command(program('! grep -q EICAR-STANDARD "$1"')), staged())


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
    seen = tmp_path / "seen"
    scan(Command(program(f'cat; env > "{seen}"; ls -l /proc/$$/fd >> "{seen}"')), staged())
    os.close(inherited)
    assert "PATH=/usr" in seen.read_text()
    assert "nobody-may-know-this" not in seen.read_text()
    assert f"-> {tmp_path}\n" not in seen.read_text()


def test_of_a_program_s_output_only_the_beginning_is_logged_and_only_at_debug(
    program: Callable[[str], list[str]], staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture
) -> None:
    """F9: a file's content may speak through it, so what does not print is escaped, and a megabyte stops nobody."""
    command = Command(program(r"printf 'a\n\033[31m\377b'; head -c 1000000 /dev/zero; exit 2"))
    with pytest.raises(ScanFailed), caplog.at_level(logging.DEBUG, "uploadsvc.scanner"):
        scan(command, staged())
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

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
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
    """Reads and never answers; or answers a byte at a time, for ever."""

    def speak(self, connection: socket.socket, stream: Any) -> None:
        while stream.read1(100_000) or self._answer:
            threading.Event().wait(0.1)
            connection.sendall(self._answer)


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


def test_what_clamd_finds_refuses_the_file_and_its_name_is_for_the_log(staged: Callable[..., Staged]) -> None:
    """F9: `stream: <signature> FOUND`, escaped where it does not print."""
    answer = b"stream: Win.Test.EICAR_HDB-1 \x1b[31m FOUND\0"
    with daemon(answer=answer) as (address, _), pytest.raises(MalwareFound) as refusal:
        scan(Clamd(address), staged())
    assert refusal.value.signature == r"Win.Test.EICAR_HDB-1 \x1b[31m"
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
    (Silent, b"s", "timeout"),
    (Deaf, b"", "timeout"),
]


@pytest.mark.parametrize(("kind", "answer", "reason"), UNCLEAR)
def test_a_daemon_that_says_neither_refuses_the_file(
    staged: Callable[..., Staged], caplog: pytest.LogCaptureFixture, kind: type[Daemon], answer: bytes, reason: str
) -> None:
    """F9: an error, nonsense, no answer, an answer before it has seen everything, or none in time: closed."""
    file = staged(CONTENT * 40)
    with daemon(kind, answer) as (address, _):
        seconds = SOON if reason == "timeout" else 30
        assert failure(Clamd(address, seconds), file, caplog) in (reason, *reason.split("|"))


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

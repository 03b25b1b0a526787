"""The recipes of docs/scripts.md and of README, each run as it stands there, against a real server.

Nothing in them is replaced but the address that the page itself sets: `URL` is the tests' server.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import stack
from tests.support.bodies import FILES, PDF
from tests.support.engines import ROOT, Live, needed
from tests.support.s3 import Store
from tests.support.traces import requests_logged
from tests.support.wire import Answer, Wire, head

PAGE = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPES = {name: text for _, name, text in re.findall(r"^```(\w+) (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)}
ADDRESS = "http://127.0.0.1:4000"
CHECKOUT = ("wsgi.py", "uploadsvc", "migrations", "web")

NAMES = [
    "report.pdf",
    "two  spaces.pdf",
    " around .pdf",
    "-rf.pdf",
    "報告 📄.pdf",
    "a\u0308 decomposed.pdf",
    "[1] {a,b} *?.pdf",
    "100% #1; x=y, z&.pdf",
    "%41%22.pdf",
    "$HOME `id` 'single' \"double\".pdf",
    "back\\slash.pdf",
    "line\nfeed.pdf",
]


def stored_name(name: str) -> str:
    """What a person sees of a name that a script sent."""
    return name.strip().replace(" .pdf", ".pdf").replace("\n", "").replace("a\u0308", "ä")


@dataclass
class Desk:
    """A folder with a token, and a service: where somebody tries the recipes."""

    folder: Path
    live: Live
    url: str = ""
    mark: int = 0  # the newest document that was there before
    pdf: bytes = b""  # as no other test has it: a name and content that was sent before is not stored again

    def __post_init__(self) -> None:
        needed("curl")
        self.pdf = PDF + os.urandom(16).hex().encode()
        self.url = self.url or f"http://127.0.0.1:{self.live.port}"
        (self.folder / "home").mkdir(parents=True, exist_ok=True)
        self.mark = max((number for number, *_ in self._documents()), default=0)

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a recipe: Python's as a script, the shell's after the one that tells where the service is."""
        if f"```python {name}\n" in PAGE:
            self.write("send.py", RECIPES[name])
            return self.command(sys.executable, "send.py", *arguments, URL=self.url)
        return self.command("sh", "-ec", self.there(RECIPES["url"]) + RECIPES[name])

    def command(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        environ = self.live.environ | {"HOME": str(self.folder / "home")} | environ
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    def there(self, text: str) -> str:
        """The text with the tests' service in the place of the page's, which it names once."""
        assert text.count(ADDRESS) == 1
        return text.replace(ADDRESS, self.url)

    def write(self, name: str, content: bytes | str = b"") -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content or self.pdf)
        return path

    def save(self, name: str, folder: str = ".") -> None:
        """Save a script, as the page says."""
        self.write(f"{folder}/{name}", RECIPES[name])

    def checkout(self) -> None:
        """Make the folder look like the one that the service runs in."""
        for name in CHECKOUT:
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / ".venv").symlink_to(sys.prefix)

    def stored(self) -> Counter[tuple[str, str]]:
        """Name and SHA-256 of every document since the test began; the bytes on the disk are those."""
        found: Counter[tuple[str, str]] = Counter()
        for number, path, name, sha256 in self._documents():
            if number > self.mark:
                assert hashlib.sha256(stack.content(self.live, path)).hexdigest() == sha256
                found[name, sha256] += 1
        return found

    def _documents(self) -> list[tuple[int, str, str, str]]:
        return stack.rows(self.live, "SELECT id, path, filename, sha256 FROM documents")


def of(*files: tuple[str, bytes]) -> Counter[tuple[str, str]]:
    return Counter((name, hashlib.sha256(content).hexdigest()) for name, content in files)


def ok(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done


@pytest.fixture(scope="module")
def token(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the page's first recipe makes."""
    desk = Desk(tmp_path_factory.mktemp("checkout"), live)
    desk.checkout()
    ok(desk.run("token"))
    return desk.folder / "token.txt"


@pytest.fixture
def desk(live: Live, token: Path, tmp_path: Path) -> Desk:
    shutil.copy(token, tmp_path / "token.txt")
    return Desk(tmp_path, live)


# --- The page itself


def test_every_block_of_the_page_has_a_name_of_its_own_and_a_test_that_runs_it() -> None:
    """Issue 8: no recipe is only written."""
    fences, names = PAGE.count("\n```"), re.findall(r"^```\w+ (\S+)$", PAGE, re.MULTILINE)
    assert fences == 2 * len(names) and len(names) == len(set(names))
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    written_here = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert set(names) <= written_here, set(names) - written_here


# --- Tokens


def test_a_token_uploads_until_it_is_revoked(start: Callable[..., Live], tmp_path: Path) -> None:
    """Contract §9: made, kept from other eyes, used, revoked by its number, and refused with a sentence."""
    desk = Desk(tmp_path / "desk", start())
    desk.checkout()
    desk.write("token.txt", "an older one").chmod(0o644)
    ok(desk.run("token"))
    kept = desk.folder / "token.txt"
    assert re.fullmatch(r"Authorization: Bearer ups_\w+\n", kept.read_text())
    assert kept.stat().st_mode & 0o777 == 0o600
    desk.write("report.pdf")
    assert ok(desk.run("one")).stdout == "report.pdf: OK\n"
    assert "\tlaptop\tupload\t" in ok(desk.run("revoke")).stdout
    done = desk.run("why")
    assert done.returncode == 1 and "error: The API token has been revoked.\n" in done.stderr
    assert desk.stored() == of(("report.pdf", desk.pdf))


def test_a_token_that_could_not_be_made_leaves_the_old_file(desk: Desk) -> None:
    """As for an account that does not exist: nothing is written over."""
    desk.checkout()
    before = (desk.folder / "token.txt").read_text()
    script = RECIPES["token"].replace("admin@localhost", "nobody@localhost")
    done = desk.command("sh", "-c", script)
    assert done.returncode != 0 and "nobody@localhost" in done.stderr
    assert (desk.folder / "token.txt").read_text() == before


def test_a_full_token_fetches_and_an_upload_token_does_not(desk: Desk, token: Path) -> None:
    """Contract §9: scopes."""
    desk.checkout()
    desk.write("report.pdf")
    ok(desk.run("one"))
    ok(desk.run("full"))
    assert (desk.folder / "full.txt").stat().st_mode & 0o777 == 0o600
    ok(desk.run("fetch"))
    assert (desk.folder / "newest").read_bytes() == desk.pdf
    shutil.copy(token, desk.folder / "full.txt")
    done = desk.run("fetch")
    assert done.returncode == 22 and "403" in done.stderr


def test_a_download_is_fetched_from_the_store_where_the_bytes_lie(
    store: Store, start: Callable[..., Live], tmp_path: Path
) -> None:
    """With AWS_BUCKET: `-L` goes where the service sends it, without the token, which a store would take amiss."""
    bucket = store.bucket()
    there = Desk(tmp_path / "there", start(**store.environ(bucket)))
    there.checkout()
    headers = there.live.login()
    [file] = json.loads(there.live.upload(headers)[2])["files"]
    ok(there.run("full"))
    ok(there.run("fetch"))
    assert (there.folder / "newest").read_bytes() == PDF
    block = README.partition("## From a script\n```sh\n")[2].partition("```\n")[0]
    for name in ("report.pdf", "notes.txt"):
        there.write(name, PDF if name == "report.pdf" else b"hello")
    ok(there.command("sh", "-ec", there.there(block), ID=file["id"]))
    assert (there.folder / "copy.pdf").read_bytes() == PDF
    with store.client() as client:
        client.delete_object(Bucket=bucket, Key=stack.stored(there.live)[-1])
    done = there.run("fetch")
    assert done.returncode == 22 and "404" in done.stderr
    there.live.stop()
    store.discard(bucket)


# --- One file


@pytest.mark.parametrize("recipe", ["one", "why", "netrc", "login"])
@pytest.mark.parametrize("source", ["cairo.pdf", "qpdf-linearized.pdf"])
def test_one_file_is_stored_and_proven(desk: Desk, recipe: str, source: str) -> None:
    """Issue 8: exit code 0, and sha256sum's OK."""
    content = (FILES / source).read_bytes()
    desk.write("report.pdf", content)
    assert ok(desk.run(recipe)).stdout == "report.pdf: OK\n"
    assert desk.stored() == of(("report.pdf", content))


def test_a_password_file_that_is_there_already_is_kept(desk: Desk) -> None:
    """`.netrc` may know other services; whoever makes it first makes it for himself alone."""
    desk.write("report.pdf")
    ok(desk.run("netrc"))
    netrc = desk.folder / "home" / ".netrc"
    assert netrc.stat().st_mode & 0o777 == 0o600
    netrc.write_text("machine example.com login me password secret\n")
    ok(desk.run("netrc"))
    assert netrc.read_text().startswith("machine example.com ") and netrc.read_text().count("machine") == 2


def wrong_token(desk: Desk) -> None:
    desk.write("token.txt", f"Authorization: Bearer ups_{'0' * 64}\n")


def no_token(desk: Desk) -> None:
    desk.write("token.txt", "X-Nothing: at all\n")


def over_large(desk: Desk) -> None:
    desk.write("report.pdf", desk.pdf.ljust(10_485_761))


def other_content(desk: Desk) -> None:
    desk.write("report.pdf", b"no document\n" * 200)


def empty(desk: Desk) -> None:
    (desk.folder / "report.pdf").write_bytes(b"")


REFUSALS = {
    wrong_token: "error: The API token is not valid.",
    no_token: "error: Sign in first.",
    over_large: "error: The file is over the limit of 10485760 bytes a file.",
    other_content: "error: The content of “report.pdf” is not a PDF document. ",
    empty: "error: “report.pdf” is empty.",
}


@pytest.mark.parametrize(("spoil", "sentence"), REFUSALS.items(), ids=[spoil.__name__ for spoil in REFUSALS])
def test_a_refusal_is_an_exit_code_and_a_sentence(desk: Desk, spoil: Callable[[Desk], None], sentence: str) -> None:
    """Issue 8: with curl alone, by send.sh and from Python; nothing is stored."""
    desk.save("send.sh")
    desk.write("report.pdf")
    spoil(desk)
    assert desk.run("one").returncode == 1
    done = desk.run("why")
    assert (done.returncode, done.stdout) == (1, "") and sentence in done.stderr
    done = desk.command("sh", "send.sh", "report.pdf", URL=desk.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("./report.pdf: not proven to be stored. ") and sentence in done.stderr
    if spoil is not no_token:  # requests refuses to send what is no header's value
        for recipe in ("requests", "httpx"):
            done = desk.run(recipe, "report.pdf")
            assert done.returncode == 1 and sentence.removeprefix("error: ") in done.stderr
    assert not desk.stored()


def test_a_full_quota_is_told(start: Callable[..., Live], tmp_path: Path) -> None:
    """Issue 8: 507, which nobody tries again."""
    desk = Desk(tmp_path / "desk", start(USER_QUOTA_BYTES="30"))
    desk.checkout()
    ok(desk.run("token"))
    desk.save("send.sh")
    for name in ("a.pdf", "b.pdf"):
        desk.write(f"outbox/{name}", PDF)
    done = desk.run("folder")
    assert done.returncode == 1 and "outbox/b.pdf: not proven" in done.stderr
    assert "error: Of your 30 bytes 9 are left, and this upload has 21. Nothing was stored." in done.stderr
    assert desk.stored() == of(("a.pdf", PDF))
    assert [line["status"] for line in requests_logged(desk.live)] == [200, 507]


@pytest.mark.parametrize("recipe", ["one", "form", "pipe", "folder", "folders", "login"])
def test_a_service_that_is_not_there_is_no_success(desk: Desk, recipe: str) -> None:
    """An empty answer proves nothing."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        desk.url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        desk.write("send.sh", RECIPES["send.sh"].replace("--retry 5", "--retry 0"))
        desk.write("report.pdf")
        desk.write("outbox/a.pdf")
        done = desk.run(recipe)
    assert done.returncode != 0 and "curl: (" in done.stderr


# --- Several


def test_a_form_sends_several_files_each_under_the_name_that_was_told(desk: Desk) -> None:
    """Issue 8: `-F`, quoted names, and a name with its folder."""
    word, text = (FILES / "libreoffice.docx").read_bytes(), (FILES / "utf8-scripts.txt").read_bytes()
    desk.write("report.pdf")
    desk.write("minutes, May.docx", word)
    desk.write("archive/notes.txt", text)
    assert ok(desk.run("form")).stdout == "report.pdf: OK\nminutes, May.docx: OK\narchive/notes.txt: OK\n"
    assert desk.stored() == of(("report.pdf", desk.pdf), ("minutes, May.docx", word), ("notes.txt", text))


def test_a_form_with_a_refused_file_stores_none(desk: Desk) -> None:
    """Contract §5: all or nothing."""
    desk.write("report.pdf")
    desk.write("minutes, May.docx", b"no document")
    desk.write("archive/notes.txt", b"hello")
    assert desk.run("form").returncode == 1
    assert not desk.stored()


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_sha256sum_takes_the_line_of_a_form_s_file_whatever_its_name(desk: Desk, name: str) -> None:
    """Issue 8: coreutils' rule for backslashes and line ends; curl writes quotes as `%22`, so a literal one is lost."""
    path = desk.write(name)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    form = ["-F", f'file=@"{quoted}"', f"{desk.url}/api/upload"]
    sent = desk.command("curl", "-gsS", "-H", "@token.txt", "-H", "Accept: text/plain", *form)
    checked = subprocess.run(
        ["sha256sum", "-c", "--strict"],
        cwd=path.parent,
        input=ok(sent).stdout,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (checked.returncode == 0) is ("%22" not in name), (sent.stdout, checked.stderr)


def test_what_comes_from_a_pipe_is_stored_and_proven(desk: Desk) -> None:
    """Issue 8: `-T -`, chunked."""
    assert ok(desk.run("pipe")).stdout == "disk.txt: OK\n"
    assert desk.stored() == of(("disk.txt", (desk.folder / "disk.txt").read_bytes()))


@pytest.mark.parametrize("recipe", ["folder", "folders"])
def test_a_folder_is_sent_whatever_the_names_in_it(desk: Desk, recipe: str) -> None:
    """Issue 8: spaces, Unicode in either form, signs of shells, of curl's globs and of addresses, line ends."""
    desk.save("send.sh")
    for name in NAMES:
        desk.write(f"outbox/{name}")
    done = ok(desk.run(recipe))
    assert (done.stdout, done.stderr) == ("", "")
    assert desk.stored() == of(*((stored_name(name), desk.pdf) for name in NAMES))


def test_a_file_that_is_refused_is_named_and_the_others_are_stored(desk: Desk) -> None:
    """Issue 8: the exit code of many is right when one fails, wherever it stands."""
    desk.save("send.sh")
    desk.write("outbox/below/ä 1.pdf", b"no document\n" * 200)
    desk.write("outbox/a.pdf")
    desk.write("outbox/z.txt", b"hello")
    done = desk.run("folders")
    assert done.returncode == 1
    assert re.findall(r"^(\S.*?): not proven to be stored\. error: ", done.stderr, re.MULTILINE) == [
        "outbox/below/ä 1.pdf"
    ]
    assert desk.stored() == of(("a.pdf", desk.pdf), ("z.txt", b"hello"))


def test_an_empty_folder_is_said_to_be_one(desk: Desk) -> None:
    """A shell leaves `*` as it is: no success."""
    desk.save("send.sh")
    (desk.folder / "outbox").mkdir()
    done = desk.run("folder")
    assert done.returncode == 1 and "outbox/*: not proven" in done.stderr


# --- Trouble on the way


class Trouble(socketserver.BaseRequestHandler):
    """A connection with the service that goes as its server's list of troubles says, and well after that."""

    def handle(self) -> None:
        trouble = self.server.troubles.pop(0) if self.server.troubles else ""
        if trouble.startswith("HTTP"):
            self.request.sendall(f"{trouble}\r\nContent-Length: 11\r\nConnection: close\r\n\r\nerror: no.\n".encode())
            self.request.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                while self.request.recv(65536):
                    pass
            return
        with socket.create_connection(("127.0.0.1", self.server.behind)) as service:
            spoil = (b"hello", b"jello") if trouble == "spoilt" else (b"", b"")
            sending = threading.Thread(target=pass_on, args=(self.request, service, *spoil))
            sending.start()
            if trouble == "lost":
                while (answer := service.recv(65536)).startswith(b"HTTP/1.1 100 "):  # curl waits for it
                    self.request.sendall(answer)
            else:
                pass_on(service, self.request)
            with suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)
            sending.join()


def pass_on(source: socket.socket, sink: socket.socket, old: bytes = b"", new: bytes = b"") -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data.replace(old, new) if old else data)
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def troubled(desk: Desk, *troubles: str) -> Iterator[list[str]]:
    """The desk's way to its service is troubled: so many connections, one after another."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trouble) as way:
        way.behind, way.troubles, straight = desk.live.port, list(troubles), desk.url
        desk.url = f"http://127.0.0.1:{way.server_address[1]}"
        thread = threading.Thread(target=way.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield way.troubles
        finally:
            desk.url = straight
            way.shutdown()
            thread.join()


def test_sha256sum_notices_a_byte_that_changed_on_the_way(desk: Desk) -> None:
    """Issue 8: the service stored what it got, and the proof fails; requests and httpx tell it too."""
    desk.write("report.pdf")
    desk.save("send.sh")
    with troubled(desk, *["spoilt"] * 4):
        done = desk.run("one")
        assert done.returncode == 1 and "report.pdf: FAILED" in done.stdout
        done = desk.command("sh", "send.sh", "report.pdf", URL=desk.url)
        assert done.returncode == 1 and "not proven" in done.stderr
        for recipe in ("requests", "httpx"):
            done = desk.run(recipe, "report.pdf")
            assert done.returncode == 1
            assert "holds other bytes" in done.stderr or "This Idempotency-Key belongs" in done.stderr
    assert desk.stored().keys() == of(("report.pdf", desk.pdf.replace(b"hello", b"jello"))).keys()


TROUBLES = {
    "a lost answer": ["lost"],
    "busy": ["HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1"],
    "throttled": ["HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1"],
    "a proxy's": ["HTTP/1.1 502 Bad Gateway"],
    "one after another": ["lost", "HTTP/1.1 503 Service Unavailable"],
}


@pytest.mark.parametrize("troubles", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("sender", ["send.sh", "requests"])
def test_what_may_succeed_is_tried_again_and_stored_once(desk: Desk, sender: str, troubles: list[str]) -> None:
    """C17: with its Idempotency-Key, and the answers of failed tries are not taken for the last one's."""
    name = "hello ä.pdf"
    desk.write(name)
    with troubled(desk, *troubles) as left:
        if sender == "requests":
            ok(desk.run("requests", name))
        else:
            desk.save("send.sh")
            ok(desk.command("sh", "send.sh", name, URL=desk.url))
        assert not left
    assert desk.stored() == of((name, desk.pdf))


def test_a_refusal_is_not_tried_again(desk: Desk) -> None:
    """400, 413, 415, 422 and 507 would be the same again."""
    desk.save("send.sh")
    desk.write("a.exe")
    before = len(requests_logged(desk.live))
    assert desk.command("sh", "send.sh", "a.exe", URL=desk.url).returncode == 1
    assert desk.run("requests", "a.exe").returncode == 1
    assert [line["status"] for line in requests_logged(desk.live)[before:]] == [415, 415]


def test_a_file_is_stored_once_however_often_it_is_sent_by_either(desk: Desk) -> None:
    """C17: the key is made of name and content."""
    desk.save("send.sh")
    desk.write("a.pdf")
    for _ in range(2):
        ok(desk.command("sh", "send.sh", "a.pdf", URL=desk.url))
    assert desk.stored() == of(("a.pdf", desk.pdf))
    desk.write("a.pdf", desk.pdf + b"more")
    ok(desk.command("sh", "send.sh", "a.pdf", URL=desk.url))
    desk.write("b.pdf")
    ok(desk.command("sh", "send.sh", "b.pdf", URL=desk.url))
    assert desk.stored() == of(("a.pdf", desk.pdf), ("a.pdf", desk.pdf + b"more"), ("b.pdf", desk.pdf))


def test_the_answer_about_the_file_before_proves_nothing(desk: Desk) -> None:
    """A file that cannot be read, after one that could."""
    desk.save("send.sh")
    desk.write("a.pdf")
    done = desk.command("sh", "send.sh", "a.pdf", "gone.pdf", URL=desk.url)
    assert done.returncode == 1 and "gone.pdf: not proven to be stored. \n" in done.stderr
    assert desk.stored() == of(("a.pdf", desk.pdf))


# --- The watched folder


@pytest.fixture
def home(desk: Desk, token: Path) -> Path:
    """A home folder as the page's crontab wants it."""
    folder = desk.folder / "home"
    shutil.copy(token, folder / "token.txt")
    for script in ("send.sh", "watch.sh"):
        desk.write(f"home/bin/{script}", RECIPES[script])
    (folder / "outbox").mkdir()
    return folder


def turn(desk: Desk) -> subprocess.CompletedProcess[str]:
    """What cron runs: the line without its five fields, with cron's small environment, in the home folder."""
    line = desk.there(RECIPES["cron"]).split(maxsplit=5)
    assert line[:5] == ["*/5", "*", "*", "*", "*"]
    home = desk.folder / "home"
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "me"}
    return subprocess.run(
        ["/bin/sh", "-c", line[5]], cwd=home, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def ripe(path: Path) -> None:
    """Make a file look as if nobody had written to it for an hour."""
    os.utime(path, (time.time() - 3600,) * 2)


def test_a_watched_folder_is_emptied_of_what_is_proven_and_says_nothing(desk: Desk, home: Path) -> None:
    """Issue 8: cron mails only what is written; a second turn has nothing to do."""
    for name in NAMES:
        ripe(desk.write(f"home/outbox/{name}"))
    for _ in range(2):
        done = ok(turn(desk))
        assert (done.stdout, done.stderr) == ("", "")
    assert sorted(path.name for path in (home / "outbox" / "sent").iterdir()) == sorted(NAMES)
    assert {path.name for path in (home / "outbox").iterdir()} == {".lock", "sent"}
    assert desk.stored() == of(*((stored_name(name), desk.pdf) for name in NAMES))


def test_a_watched_folder_keeps_what_is_refused_and_what_is_still_being_written(desk: Desk, home: Path) -> None:
    """Issue 8: reported at every turn; folders are left alone."""
    ripe(desk.write("home/outbox/bad ä.pdf", b"no document\n" * 200))
    ripe(desk.write("home/outbox/good.pdf"))
    desk.write("home/outbox/new.pdf")
    (home / "outbox" / "folder.pdf").mkdir()
    ripe(home / "outbox" / "folder.pdf")
    for _ in range(2):
        done = turn(desk)
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith("./bad ä.pdf: not proven to be stored. error: The content of “bad ä.pdf” is not")
        assert done.stderr.count("\n") == 1
    left = {".lock", "sent", "bad ä.pdf", "new.pdf", "folder.pdf"}
    assert {path.name for path in (home / "outbox").iterdir()} == left
    assert desk.stored() == of(("good.pdf", desk.pdf))


def test_a_watched_folder_sends_again_what_was_not_proven_and_stores_it_once(desk: Desk, home: Path) -> None:
    """C17: the answer is lost at one turn, more often than curl tries; the next turn gets it."""
    ripe(desk.write("home/outbox/a.pdf"))
    script = home / "bin" / "send.sh"
    script.write_text(script.read_text().replace("--retry 5", "--retry 0"))
    with troubled(desk, "lost"):
        done = turn(desk)
        assert done.returncode == 1 and "a.pdf: not proven" in done.stderr
        assert (home / "outbox" / "a.pdf").exists()
        ok(turn(desk))
    assert (home / "outbox" / "sent" / "a.pdf").exists()
    assert desk.stored() == of(("a.pdf", desk.pdf))


def test_a_watched_folder_is_sent_by_one_turn_at_a_time(desk: Desk, home: Path) -> None:
    """Issue 8: flock; the other leaves at once and is no failure."""
    ripe(desk.write("home/outbox/a.pdf"))
    with subprocess.Popen(
        ["flock", str(home / "outbox" / ".lock"), "sh", "-c", "echo; read end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        other.stdout.readline()
        ok(turn(desk))
        assert not desk.stored()
        other.communicate(b"\n")
    ok(turn(desk))
    assert desk.stored() == of(("a.pdf", desk.pdf))


def test_a_name_that_was_sent_before_is_kept_beside_the_first(desk: Desk, home: Path) -> None:
    """Nothing in sent/ is written over."""
    for content in (desk.pdf, desk.pdf + b"more"):
        ripe(desk.write("home/outbox/a.pdf", content))
        ok(turn(desk))
    kept = {path.name: path.read_bytes() for path in (home / "outbox" / "sent").iterdir()}
    assert kept == {"a.pdf": desk.pdf + b"more", "a.pdf.~1~": desk.pdf}
    assert desk.stored() == of(("a.pdf", desk.pdf), ("a.pdf", desk.pdf + b"more"))


# --- Visitors


def test_a_visitor_sends_by_the_link_of_a_request(desk: Desk) -> None:
    """Contract §9: what is asked for, a proven file with a name, many by send.sh; once it is over, a sentence."""
    wanted = json.dumps({"title": "Tax papers 2026", "maxFiles": 2}).encode()
    headers = desk.live.login() | {"Content-Type": "application/json"}
    status, _, answer = desk.live.request("POST", "/api/requests", wanted, headers)
    assert status == 200
    desk.write("link.txt", f"{desk.url}/request#{json.loads(answer)['url'].partition('#')[2]}\n")
    (desk.folder / "token.txt").unlink()
    desk.write("report.pdf")
    done = ok(desk.run("visitor"))
    assert '"filesLeft":2' in done.stdout.replace(" ", "") and done.stdout.endswith("report.pdf: OK\n")
    assert (desk.folder / "visitor.txt").stat().st_mode & 0o777 == 0o600
    desk.write("second.pdf", desk.pdf + b"second")
    desk.save("send.sh")
    there = {"URL": desk.url, "TOKEN_FILE": "visitor.txt"}
    ok(desk.command("sh", "send.sh", "second.pdf", **there))
    senders = "SELECT sender FROM documents ORDER BY id DESC LIMIT 2"
    assert stack.rows(desk.live, senders) == [(None,), ("Ana Costa",)]
    desk.write("third.pdf", desk.pdf + b"third")
    done = desk.command("sh", "send.sh", "third.pdf", **there)
    assert done.returncode == 1 and "error: This request is over" in done.stderr
    assert desk.stored() == of(("report.pdf", desk.pdf), ("second.pdf", desk.pdf + b"second"))


# --- Python, and PowerShell


@pytest.mark.parametrize("recipe", ["requests", "httpx"])
def test_pythons_clients_send_any_name(desk: Desk, recipe: str) -> None:
    """Issue 8: streamed from the open file, and the answer's SHA-256 compared."""
    for name in NAMES:
        desk.write(name, desk.pdf.ljust(200_000))
        ok(desk.run(recipe, name))
    assert desk.stored() == of(*((stored_name(name), desk.pdf.ljust(200_000)) for name in NAMES))


def test_pythons_requests_sends_several(desk: Desk) -> None:
    """One connection; the first refusal ends it."""
    for name in ("a.pdf", "c.pdf"):
        desk.write(name)
    desk.write("b.exe")
    assert desk.run("requests", "a.pdf", "b.exe", "c.pdf").returncode == 1
    assert desk.stored() == of(("a.pdf", desk.pdf))


def replayed(desk: Desk, *expected: str, request: bytes) -> Answer:
    """The answer to what PowerShell sends; it is not on every machine, so these are its bytes, for this very recipe."""
    recipe, *lines = expected
    for line in lines:
        assert line in RECIPES[recipe], line
    with Wire(desk.live).send(request) as wire:
        return wire.answer()


FORM_HEAD = (
    b"--7d2c3f4e\r\n"
    b"Content-Type: application/octet-stream\r\n"
    b"Content-Disposition: form-data; name=file; filename=report.pdf; filename*=utf-8''report.pdf\r\n\r\n"
)


def bearer(desk: Desk) -> str:
    """What `-replace` leaves of token.txt, as the header that PowerShell makes of it."""
    line = (desk.folder / "token.txt").read_text().strip()
    return f"Authorization: {re.sub('^Authorization: ', '', line)}"


def hash_is_the_answer_s(desk: Desk, answer: Answer, name: str) -> bool:
    """`$answer.files[0].sha256 -ne (Get-FileHash …).Hash`: `-ne` ignores case, Get-FileHash writes capitals."""
    assert answer.headers["content-type"] == "application/json"  # else it is not read as an object
    mine = hashlib.sha256((desk.folder / name).read_bytes()).hexdigest().upper()
    return json.loads(answer.body)["files"][0]["sha256"].upper() == mine


def test_powershells_form_is_stored(desk: Desk) -> None:
    """D23, issue 8: HttpClient's multipart with its unquoted names and `filename*`."""
    desk.write("report.pdf")
    lines = ['"$env:URL/api/upload" -Method Post -Headers $headers -Form @{ file = $file }', "report.pdf"]
    form = FORM_HEAD + desk.pdf + b"\r\n--7d2c3f4e--\r\n"
    start = head(
        "POST /api/upload HTTP/1.1",
        bearer(desk),
        "User-Agent: Mozilla/5.0 (Linux; Debian GNU/Linux 12 (bookworm)) PowerShell/7.4.2",
        'Content-Type: multipart/form-data; boundary="7d2c3f4e"',
        f"Content-Length: {len(form)}",
    )
    answer = replayed(desk, "Form", *lines, request=start + form)
    assert answer.status == 200 and hash_is_the_answer_s(desk, answer, "report.pdf")
    assert desk.stored() == of(("report.pdf", desk.pdf))


def test_powershells_infile_sends_any_name(desk: Desk) -> None:
    """Issue 8: EscapeDataString leaves what RFC 3986 §2.3 calls unreserved, and writes the rest as UTF-8."""
    desk.write("Prüfung 1.pdf")
    lines = ["[uri]::EscapeDataString($file.Name)", "-Method Put -Headers $headers -InFile $file", "Prüfung 1.pdf"]
    start = head(
        "PUT /api/upload/Pr%C3%BCfung%201.pdf HTTP/1.1",
        bearer(desk),
        "User-Agent: Mozilla/5.0 (Linux; Debian GNU/Linux 12 (bookworm)) PowerShell/7.4.2",
        "Content-Type: application/octet-stream",
        f"Content-Length: {len(desk.pdf)}",
    )
    answer = replayed(desk, "InFile", *lines, request=start + desk.pdf)
    assert answer.status == 200 and hash_is_the_answer_s(desk, answer, "Prüfung 1.pdf")
    assert desk.stored() == of(("Prüfung 1.pdf", desk.pdf))


# --- README


def test_the_readme_s_lines_run_as_they_stand(desk: Desk) -> None:
    """Issue 8: upload, list, download, delete; `ID` is that of a document of one's own."""
    desk.write("report.pdf")
    desk.write("notes.txt", b"hello")
    headers = desk.live.login()
    files = json.loads(desk.live.upload(headers)[2])["files"]
    desk.checkout()
    desk.mark += 1
    block = README.partition("## From a script\n```sh\n")[2].partition("```\n")[0]
    done = ok(desk.command("sh", "-ec", desk.there(block), ID=files[0]["id"]))
    assert done.stdout.startswith("report.pdf: OK\n") and files[0]["id"] in done.stdout
    assert (desk.folder / "copy.pdf").read_bytes() == PDF
    assert desk.live.request("GET", f"/api/documents/{files[0]['id']}", headers=headers)[0] == 404
    assert desk.stored() == of(("report.pdf", desk.pdf), ("report.pdf", desk.pdf), ("notes.txt", b"hello"))

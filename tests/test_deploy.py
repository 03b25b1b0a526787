"""What stands in deploy/ and docs/hosting.md beside the proxies: the unit, the image, the operator's command."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.support.bodies import PDF
from tests.support.clock import eventually
from tests.support.engines import ROOT, Live, answers, free_port, needed
from tests.support.people import PASSWORD
from tests.support.proxies import BEHIND, NAME, with_replaced
from uploadsvc.config import SETTINGS

UNIT = (ROOT / "deploy/uploadsvc.service").read_text()
COMPOSE = (ROOT / "deploy/compose.yaml").read_text()
HOSTING = (ROOT / "docs/hosting.md").read_text()
NAMES = {setting.name for setting in SETTINGS}


# --- systemd


def analyzed(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [needed("systemd-analyze", "systemd"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_unit_gives_the_service_no_more_than_it_needs() -> None:
    """operations.md §7: systemd's own rating of its exposure is at most 1.2."""
    told = analyzed("security", "--offline=true", str(ROOT / "deploy/uploadsvc.service")).stdout
    assert float(re.search(r"Overall exposure level for uploadsvc.service: ([\d.]+)", told)[1]) <= 1.2


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Every section and setting, and that what it starts is there: no word of complaint."""
    unit = tmp_path / "uploadsvc.service"
    unit.write_text(with_replaced(UNIT, {"/opt/uploadsvc/.venv/bin": str(Path(sys.executable).parent)}))
    told = analyzed("verify", "--man=no", str(unit))
    assert (told.returncode, told.stderr) == (0, "")


def allowed_calls() -> set[str]:
    """The system calls that the unit's filter lets through."""
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT, re.MULTILINE):
        calls = {call for group in line.lstrip("~").split() for call in expanded(group)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed | expanded("@default")


def expanded(group: str) -> set[str]:
    lines = [line.strip() for line in analyzed("syscall-filter", group).stdout.splitlines()[1:]]
    names = {line for line in lines if line and not line.startswith("#")}
    return {call for name in names for call in (expanded(name) if name.startswith("@") else {name})}


def journey(live: Live, host: dict[str, str]) -> None:
    """What a day brings: a sign-in, uploads in every way, a refusal, the list, a download, a delete."""
    body = json.dumps({"email": "admin@localhost", "password": PASSWORD}).encode()
    status, _, told = live.request("POST", "/api/auth/login", body, host | {"Content-Type": "application/json"})
    assert status == 200, told
    headers = host | {"Authorization": f"Bearer {json.loads(told)['accessToken']}"}
    assert live.upload(headers)[0] == 200
    assert live.request("PUT", "/api/upload/b.pdf", PDF.ljust(5_000_000), headers)[0] == 200
    assert live.request("PUT", "/api/upload/b.exe", PDF, headers)[0] == 415
    documents = json.loads(live.request("GET", "/api/documents", None, headers)[2])["documents"]
    path = f"/api/documents/{documents[0]['id']}"
    assert live.request("GET", f"{path}/content", None, headers)[0] == 200
    assert live.request("DELETE", path, None, headers)[0] == 200
    assert live.request("GET", "/readyz", None, host)[0] == 200


def test_the_service_lives_within_the_unit(tmp_path: Path) -> None:
    """From its start to its stop: no system call that is forbidden, no memory to write and run, no other sockets."""
    trace, log, port = tmp_path / "trace", tmp_path / "log", free_port()
    environ = {"PATH": os.environ["PATH"], "PORT": str(port), "INSTANCE_PATH": str(tmp_path / "instance")}
    environ |= {"ADMIN_PASSWORD": PASSWORD, "BCRYPT_ROUNDS": "4", "MIN_FREE_BYTES": "0", "WORKERS": "2"}
    strace = [needed("strace"), "-f", "-qq", "-o", str(trace), "-e", "signal=none"]
    command = [*strace, sys.executable, "-m", "flask", "--app", "wsgi", "serve"]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=sink, stderr=sink)
    live = Live(process, port, tmp_path / "instance", log, environ)
    try:
        assert eventually(lambda: answers(live), 60), log.read_text()
        journey(live, {})
        [serve] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(serve), signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    calls = trace.read_text(errors="replace")
    made = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", calls, re.MULTILINE))
    forbidden = made - allowed_calls()
    if os.geteuid() == 0:
        forbidden -= {"fchown"}  # SQLite gives its files to the database's owner, and only root can
    assert len(made) > 50 and forbidden == set()
    assert not re.search(r" mmap\([^)\n]*PROT_WRITE\|PROT_EXEC| mprotect\([^)\n]*PROT_EXEC", calls)
    [families] = re.findall(r"^RestrictAddressFamilies=(.*)$", UNIT, re.MULTILINE)
    assert set(re.findall(r" socket\((AF_\w+)", calls)) <= set(families.split())


def test_the_operators_command_speaks_to_the_service_that_the_unit_runs(live: Live, tmp_path: Path) -> None:
    """Its settings, its folder, its user: what the page says to write is what both read."""
    [settings] = re.findall(r"```sh\n(INSTANCE_PATH=.*?)```", HOSTING, re.DOTALL)
    names = set(re.findall(r"^([A-Z_]+)=", settings, re.MULTILINE))
    assert names <= NAMES and set(BEHIND) <= names
    paths = set(re.findall(r"/(?:opt|etc|var/lib)/uploadsvc[.\w]*", (ROOT / "deploy/uploadsvc").read_text()))
    assert paths == {"/opt/uploadsvc", "/etc/uploadsvc.env"} and all(path in UNIT for path in paths)
    assert "INSTANCE_PATH=/var/lib/uploadsvc\n" in settings and "\nStateDirectory=uploadsvc\n" in UNIT
    (tmp_path / "env").write_text(settings.replace("/var/lib/uploadsvc", str(live.instance)))
    changes = {"/etc/uploadsvc.env": str(tmp_path / "env"), "runuser -u uploadsvc -- .venv/bin/": ""}
    changes |= {"/opt/uploadsvc": str(ROOT), "exec ": f"exec {Path(sys.executable).parent}/"}
    script = with_replaced((ROOT / "deploy/uploadsvc").read_text(), changes)
    told = subprocess.run(
        ["sh", "-c", script, "uploadsvc", "users", "list"], capture_output=True, text=True, timeout=60, check=False
    )
    assert "admin@localhost" in told.stdout, told


# --- Docker


class Image:
    """What the Dockerfile's steps leave, with every path of the image below `folder`, and ourselves as its user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {}
        self.arguments: dict[str, str] = {}  # of the build, as they are where nobody gives them
        self.last: dict[str, str] = {}  # what followed the last instruction of each kind
        for instruction, rest in steps():
            self.last[instruction] = self._here(rest)
            if instruction == "COPY" and "--from" not in rest:
                *sources, target = self._here(rest).split()
                copy(sources, Path(target))
            elif instruction == "RUN":
                script = re.sub(r"^python ", f"{sys.executable} ", self._here(rest))
                given = os.environ | self.arguments
                subprocess.run(["sh", "-ec", script], env=given, check=True, capture_output=True, timeout=300)
            elif instruction == "ARG":
                self.arguments |= dict([rest.split("=", 1)])
            elif instruction == "ENV":
                self.environ |= dict(pair.split("=", 1) for pair in self._here(rest).split())
        subprocess.run(["chmod", "-R", "a-w", folder / "venv", folder / "app"], check=True)

    def _here(self, text: str) -> str:
        text = text.replace("-o 10001 -g 10001", f"-o {os.geteuid()} -g {os.getegid()}")
        return re.sub(r"(?<![\w./])/(venv|app|data)\b", rf"{self.folder}/\1", text)

    def begin(self, instruction: str, **environ: str) -> subprocess.Popen[bytes]:
        """Begin the command of CMD or HEALTHCHECK as the container would: without capabilities, in its environment."""
        command = json.loads(self.last[instruction].rpartition("CMD ")[2])
        if os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-all", "--securebits=+noroot", "--no-new-privs", *command]
        given = {"PATH": os.environ["PATH"]} | self.environ | environ
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.last["WORKDIR"], env=given, stdout=log, stderr=log)

    def is_healthy(self, **environ: str) -> bool:
        return self.begin("HEALTHCHECK", **environ).wait(30) == 0


def steps() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with what follows it."""
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    return [(line.split()[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def copy(sources: list[str], target: Path) -> None:
    """COPY of what .dockerignore leaves of the repository."""
    kept = (ROOT / ".dockerignore").read_text().split()
    assert kept[0] == "*"
    for source in sources:
        assert f"!{source}" in kept, source
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(exist_ok=True)
            shutil.copy(ROOT / source, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("image"))


@pytest.fixture
def container(image: Image) -> Iterator[Live]:
    """A container of it, whose only writable folder is the volume."""
    port = free_port()
    given = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WORKERS": "2",
        "ADMIN_PASSWORD": PASSWORD,
        "BCRYPT_ROUNDS": "4",
    } | BEHIND
    process = image.begin("CMD", **given)
    live = Live(process, port, image.folder / "data", image.folder / "log", given)
    try:
        assert eventually(lambda: takes_connections(live), 30), live.log.read_text()
        yield live
    finally:
        live.stop(signal.SIGKILL)


def takes_connections(live: Live) -> bool:
    with suppress(OSError):
        live.connect(1).close()
        return True
    return False


def test_the_image_serves_from_a_read_only_root_and_stops_when_asked(image: Image, container: Live) -> None:
    """Installed by the lock's hashes alone, as an ordinary user; it writes to its volume and nowhere else."""
    before = [*(image.folder / "app").rglob("*")]
    assert all(
        path.is_relative_to(image.folder / "data") for path in (container.instance, Path(image.environ["TMPDIR"]))
    )
    journey(container, {"Host": NAME})
    assert "CapEff:\t0000000000000000" in Path(f"/proc/{container.process.pid}/status").read_text()
    assert [*(image.folder / "app").rglob("*")] == before
    assert container.stop(getattr(signal, image.last["STOPSIGNAL"])) == 0
    assert "Traceback" not in container.log.read_text()


def test_the_image_is_not_roots_and_its_data_outlives_it(image: Image) -> None:
    """The user is a number, so that Kubernetes can tell; the folder it writes to is its own, and a volume."""
    assert image.last["USER"] == "10001:10001" and ("RUN", "install -d -o 10001 -g 10001 -m 0700 /data") in steps()
    assert image.last["VOLUME"] == image.environ["INSTANCE_PATH"] == f"{image.folder}/data"
    assert set(image.environ) - {"TMPDIR", "HOME"} <= NAMES
    assert oct((image.folder / "data").stat().st_mode & 0o777) == "0o700"


def test_the_image_can_be_built_for_the_engines_too() -> None:
    """By a build argument: its default is the lock without extras, and the other lock brings what the engines need."""
    assert ("ARG", "LOCK=requirements.lock") in steps()
    locked = (ROOT / "requirements-scaled.lock").read_text()
    assert all(re.search(rf"^{name}(\[\w+\])?==", locked, re.MULTILINE) for name in ("psycopg", "boto3", "redis"))


def test_the_health_check_tells_whether_the_service_answers(image: Image, container: Live) -> None:
    """Under a name that TRUSTED_HOSTS lets through, and whatever proxy the environment names."""
    given = {"PORT": str(container.port), "TRUSTED_HOSTS": BEHIND["TRUSTED_HOSTS"], "http_proxy": "http://127.0.0.1:1"}
    assert image.is_healthy(**given)
    assert not image.is_healthy(**given | {"TRUSTED_HOSTS": "evil.test"})
    container.stop()
    assert not image.is_healthy(**given)


def test_the_compose_file_sets_what_the_service_knows(image: Image) -> None:
    """The proxy that is trusted is the one at the address, and it stops no service before its time."""
    [trusted] = re.findall(r"TRUSTED_PROXY: (\S+)", COMPOSE)
    assert f"ipv4_address: {trusted} " in COMPOSE
    networks = [ip_network(found) for found in re.findall(r"(?:subnet|ip_range): (\S+)", COMPOSE)]
    assert [ip_address(trusted) in network for network in networks] == [True, False]
    [environment] = re.findall(r"environment:\n((?: {6}[A-Z_]+: .*\n)+)", COMPOSE)[:1]
    assert set(re.findall(r"([A-Z_]+): ", environment)) <= NAMES
    [service, _] = COMPOSE.split("  caddy:\n")[0:2]
    for hardened in (
        "read_only: true",
        "cap_drop: [ALL]",
        '["no-new-privileges:true"]',
        "- data:/data",
        "stop_grace_period",
    ):
        assert hardened in service, hardened
    assert f"UPSTREAM: uploadsvc:{image.environ['PORT']}" in COMPOSE

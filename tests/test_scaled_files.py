"""What deploy/scaled/ says: the commands of its README.md are run, its compose.yaml is held against what there is."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import yaml

from tests.support.clock import eventually
from tests.support.engines import ROOT, Live, free_port, needed
from tests.support.instances import commands
from tests.support.people import PASSWORD
from tests.support.proxies import BEHIND, NAME, with_replaced
from tests.support.s3 import Store
from tests.support.valkey import Valkey
from uploadsvc.config import SETTINGS

SCALED = ROOT / "deploy/scaled"
COMPOSE = yaml.safe_load((SCALED / "compose.yaml").read_text())
NAMES = {setting.name for setting in SETTINGS}


def settings() -> dict[str, str]:
    """What all instances share, by README.md."""
    return dict(line.split("=", 1) for line in commands("As plain commands", "TRUSTED_PROXY=").split())


def test_both_ways_set_the_same_and_the_service_knows_it() -> None:
    """Plain commands and containers alike."""
    for name in ("one", "two"):
        assert set(COMPOSE["services"][name]["environment"]) == set(settings()) <= NAMES
    assert set(BEHIND) | {"JWT_SECRET"} <= set(settings())


def test_the_instances_start_by_the_plain_commands(
    tmp_path: Path, database_url: str, store: Store, valkey: Valkey
) -> None:
    """As README.md has them: the one when the other is ready, each in a folder of its own, on the same engines."""
    given = settings() | {"DATABASE_URL": database_url, "REDIS_URL": valkey.url(), **store.environ(store.bucket())}
    assert set(given) == set(settings())
    given |= {"BCRYPT_ROUNDS": "4", "MIN_FREE_BYTES": "0", "ADMIN_PASSWORD": PASSWORD}
    (tmp_path / "env").write_text("".join(f"{name}='{value}'\n" for name, value in given.items()))
    tens = next(port // 10 for port in iter(free_port, None) if port % 10 == 0)
    changes = {"/etc/uploadsvc.env": str(tmp_path / "env"), "400$n": f"{tens}$n", "/var/lib": str(tmp_path)}
    changes |= {".venv/bin/flask": f"{sys.executable} -m flask"}
    script = with_replaced(commands("As plain commands", "for n in 1 2"), changes)
    with (tmp_path / "log").open("wb") as log:
        own: dict[str, Any] = {"cwd": ROOT, "env": {"PATH": os.environ["PATH"]}, "start_new_session": True}
        shell = subprocess.Popen(["sh", "-ec", f"{script}wait"], stdout=log, stderr=log, **own)
    folders = {tens * 10 + number: tmp_path / f"uploadsvc-{number}" for number in (1, 2)}
    lives = [Live(shell, port, folder, tmp_path / "log", {}) for port, folder in folders.items()]
    try:
        assert eventually(lambda: answers_as(lives[1]) or shell.poll() is not None, 60)
        assert all(answers_as(live) and live.instance.is_dir() for live in lives), (tmp_path / "log").read_text()
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def answers_as(live: Live) -> bool:
    """Does it take requests for the site's name?"""
    try:
        return live.request("GET", "/readyz", headers={"Host": NAME})[0] == 200
    except OSError:
        return False


def test_systemd_understands_the_unit_for_many(tmp_path: Path) -> None:
    """What README.md makes of the unit for one: a port and a folder for each, which is tried for ever."""
    unit = tmp_path / "uploadsvc@.service"
    script = commands("As plain commands", "uploadsvc@.service").partition("systemctl")[0]
    script = with_replaced(script, {"/etc/systemd/system/": f"{tmp_path}/"})
    subprocess.run(["sh", "-ec", script], cwd=ROOT, check=True)
    text = with_replaced(unit.read_text(), {"/opt/uploadsvc/.venv/bin": str(Path(sys.executable).parent)})
    unit.write_text(text)
    assert "StateDirectory=uploadsvc-%i\n" in text and "PORT=400%i INSTANCE_PATH=/var/lib/uploadsvc-%i\n" in text
    assert re.findall(r"^StartLimitInterval.*", text, re.MULTILINE) == ["StartLimitIntervalSec=0"]
    assert "\nRestart=on-failure\n" in text
    command = [needed("systemd-analyze", "systemd"), "verify", "--man=no", str(tmp_path / "uploadsvc@1.service")]
    (tmp_path / "uploadsvc@1.service").symlink_to(unit)
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_the_containers_are_given_all_that_they_ask_for(tmp_path: Path) -> None:
    """Every variable by `.env`, every file by the checkout or by the command that makes it."""
    (tmp_path / "deploy").mkdir()
    for name in ("scaled", "site.nginx.conf"):
        subprocess.run(["cp", "-r", ROOT / "deploy" / name, tmp_path / "deploy"], check=True)
    script = commands("As containers", "openssl rand").partition("docker compose")[0]
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True)
    scaled = tmp_path / "deploy/scaled"
    given = dict(line.split("=", 1) for line in (scaled / ".env").read_text().split())
    assert set(re.findall(r"\$\{(\w+)", (scaled / "compose.yaml").read_text())) == set(given)
    assert (scaled / ".env").stat().st_mode & 0o077 == 0 and len(given["JWT_SECRET"]) == 64
    nginx_files = [volume.split(":")[0] for volume in COMPOSE["services"]["nginx"]["volumes"]]
    assert all((scaled / name).is_file() for name in nginx_files if name.startswith("./"))
    build = COMPOSE["services"]["one"]["build"]
    assert (SCALED / build["context"] / build["dockerfile"]).is_file()
    assert (ROOT / build["args"]["LOCK"]).is_file()


def test_the_first_accounts_password_is_found_in_what_a_first_start_says(start: Callable[..., Live]) -> None:
    """By the command of README.md, which is given what `serve` writes instead of what the containers wrote."""
    live = start(ADMIN_PASSWORD="")
    assert eventually(lambda: "Serving on" in live.log.read_text())
    [command] = re.findall(r"^docker compose logs one two \| (.*)$", commands("As containers", "grep"), re.MULTILINE)
    log = live.log.read_text()
    found = subprocess.run(["sh", "-c", command], input=log, capture_output=True, text=True, check=True)
    first, second = found.stdout.splitlines()
    assert live.login(password=first.removeprefix("First account: admin@localhost with "))
    assert second.startswith("To set another: ")


def test_the_containers_are_where_the_others_look_for_them() -> None:
    """The proxy that is trusted is nginx, which knows each instance's address; each engine has the name it goes by."""
    services = COMPOSE["services"]
    at = {name: services[name]["networks"]["default"]["ipv4_address"] for name in ("nginx", "one", "two")}
    told = re.findall(r"server (\S+):4000 max_fails=1 fail_timeout=3s;", COMPOSE["configs"]["instances"]["content"])
    assert told == [at["one"], at["two"]]
    [config] = COMPOSE["networks"]["default"]["ipam"]["config"]
    assert all(ip_address(one) in ip_network(config["subnet"]) for one in at.values())
    assert not any(ip_address(one) in ip_network(config["ip_range"]) for one in at.values())
    for name in ("one", "two"):
        environment = services[name]["environment"]
        assert environment["TRUSTED_PROXY"] == at["nginx"]
        urls = [environment[key] for key in ("DATABASE_URL", "AWS_ENDPOINT_URL", "REDIS_URL")]
        assert {re.search(r"(?:@|//)(\w+)[:/]\w+(?:/\w+)?$", url)[1] for url in urls} == {"postgres", "store", "redis"}
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]
        assert services[name]["volumes"] == [f"{name}:/data"]
    assert services["store"]["environment"]["AWS_SECRET_ACCESS_KEY"] == "${AWS_SECRET_ACCESS_KEY}"
    assert f"-bucket={services['one']['environment']['AWS_BUCKET']} " in services["store"]["command"]
    assert set(COMPOSE["volumes"]) == {"one", "two", "postgres", "store"}


def test_nginx_finds_its_files_where_the_command_puts_them() -> None:
    """Three of them side by side; each includes the next by its name alone."""
    copied = re.findall(r"(deploy/\S+)", commands("As plain commands", "nginx -t"))
    assert all((ROOT / path).is_file() for path in copied)
    included = re.findall(r"^\s*include (\S+);", (SCALED / "nginx.conf").read_text(), re.MULTILINE)
    assert sorted(["nginx.conf", *included]) == sorted(Path(path).name for path in copied)


GROWING = (ROOT / "docs/growing.md").read_text()


def test_the_figures_to_look_at_are_the_services_own(live: Live) -> None:
    """docs/growing.md names metrics that `/metrics` tells, by their names."""
    told = live.request("GET", "/metrics")[2].decode()
    named = set(re.findall(r"\b(?:[a-z]+_){2,}(?:total|seconds|bytes|depth)(?:_total)?\b", GROWING)) - {"drain_seconds"}
    assert len(named) > 5
    assert [name for name in named if f"# TYPE {name} " not in told and f"\n{name} " not in told] == []


def test_any_host_of_files_can_serve_the_page(tmp_path: Path) -> None:
    """The one command of docs/growing.md changes the one line of each page that says where the API is."""
    [script] = re.findall(r"```sh\n(cp -r web site .*?)```", GROWING, re.DOTALL)
    (tmp_path / "web").symlink_to(ROOT / "web")
    subprocess.run(["sh", "-ec", script.replace("cp -r web ", "cp -rL web ")], cwd=tmp_path, check=True)
    for page in ("index.html", "request.html"):
        before, after = ((tmp_path / name / page).read_text().splitlines() for name in ("web", "site"))
        [(old, new)] = [lines for lines in zip(before, after, strict=True) if lines[0] != lines[1]]
        assert (old, new) == (
            '<meta name="api" content="">',
            '<meta name="api" content="https://files.example.org">',
        )

"""Reverse proxies: the samples in deploy/, run in front of a real `serve`; only addresses, ports and paths differ."""

import http.client
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.clock import eventually
from tests.support.engines import ROOT, Live, free_port, needed

NAME, APP = "files.example.org", "app.example.org"  # the service, and the client where it has a host of its own
BEHIND = {  # what the samples ask the service to be told; `localhost` is what raw requests are sent to
    "PUBLIC_URL": f"https://{NAME}",
    "TRUSTED_PROXY": "127.0.0.1",
    "TRUSTED_HOSTS": f"{NAME},localhost",
}


@dataclass
class Fronted(Live):
    """A real `serve`, reached through a proxy, which is `process` at `port`; from the client's address `source`."""

    tls: ssl.SSLContext | None = None
    plain_port: int = 0
    source: str = "127.0.0.1"
    folder: Path = Path()

    def seen_from(self, source: str) -> "Fronted":
        return replace(self, source=source)

    def connect(self, timeout: float = 20, receive_buffer: int = 0) -> socket.socket:
        assert not receive_buffer, "only for a service without a proxy"
        connection = socket.create_connection(("127.0.0.1", self.port), timeout, (self.source, 0))
        return self.tls.wrap_socket(connection, server_hostname=NAME) if self.tls else connection

    def http(self) -> http.client.HTTPConnection:
        at = {"host": "127.0.0.1", "port": self.port, "timeout": 20, "source_address": (self.source, 0)}
        return http.client.HTTPSConnection(**at, context=self.tls) if self.tls else http.client.HTTPConnection(**at)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        return super().request(method, path, body, {"Host": NAME} | (headers or {}))

    @property
    def kept(self) -> list[Path]:
        """The files in which the proxy holds what it passes on."""
        return [path for path in (self.folder / "held").rglob("*") if path.is_file()]


def with_replaced(text: str, changes: dict[str, str]) -> str:
    """`text` with every key replaced; each must be there, lest a sample and its test drift apart."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def nginx(folder: Path, *services: Live, allowed: str = "") -> Iterator[Fronted]:
    """deploy/nginx.conf in front of a service, or deploy/scaled/nginx.conf of several, with TLS.

    `allowed` is the origin of a client on another host.
    """
    tls, port, plain, deploy = certificate(folder), free_port(), free_port(), ROOT / "deploy"
    site = {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen [::]:80;": "",
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "listen [::]:443 ssl http2;": "",
        "/etc/letsencrypt/live/files.example.org/": f"{folder}/",
    }
    if allowed:
        site |= {"# https://app.example.org $http_origin;": f"{allowed} $http_origin;"}
    write_replaced(folder, deploy / "site.nginx.conf", site)
    if len(services) > 1:
        ports = dict(zip((":4001 ", ":4002 "), (f":{service.port} " for service in services), strict=True))
        write_replaced(folder, deploy / "scaled/instances.conf", ports)
        config = write_replaced(folder, deploy / "scaled/nginx.conf", _own_nginx(folder))
    else:
        address = {"server 127.0.0.1:4000;": f"server 127.0.0.1:{services[0].port};"}
        config = write_replaced(folder, deploy / "nginx.conf", _own_nginx(folder) | address)
    command = [needed("nginx"), "-c", str(config), "-p", str(folder), "-g", "daemon off;"]
    front = Fronted(**_of(services[0]), port=port, plain_port=plain, tls=tls, folder=folder)
    with _running(command, folder, {}, front):
        yield front


def _own_nginx(folder: Path) -> dict[str, str]:
    """What in every nginx.conf is the machine's: its user, its process and its files."""
    held = folder / "held"
    held.mkdir()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return {
        "user www-data;": "user root;",
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "/var/log/nginx/": f"{folder}/",
        "http {": "http {" + "".join(f"{kind}_temp_path {held}/{kind};" for kind in kinds),
    }


def write_replaced(folder: Path, sample: Path, changes: dict[str, str]) -> Path:
    """Write a sample into `folder` under its own name, with every key of `changes` replaced."""
    written = folder / sample.name
    written.write_text(with_replaced(sample.read_text(), changes))
    return written


@contextmanager
def cdn(folder: Path, port: int, api: str) -> Iterator[None]:
    """deploy/cdn.nginx.conf at `port`, with TLS if `api`, the service's origin, has it."""
    changes = {
        "https://files.example.org;": f"{api};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "listen [::]:443 ssl http2;": "",
        "/etc/letsencrypt/live/app.example.org/": f"{folder}/",
        "/opt/uploadsvc/web;": f"{ROOT}/web;",
    }
    tls = certificate(folder)
    site = write_replaced(folder, ROOT / "deploy/cdn.nginx.conf", changes)
    if api.startswith("http:"):
        tls = None
        site.write_text(site.read_text().replace(" ssl http2;", ";"))
    own = _own_nginx(folder)
    around = f"user www-data;pid /run/nginx.pid;error_log /var/log/nginx/error.log;events {{}}http {{include {site};}}"
    config = folder / "nginx.conf"
    config.write_text(with_replaced(around, own))
    command = [needed("nginx"), "-c", str(config), "-p", str(folder), "-g", "daemon off;"]
    nobody = Live(None, port, folder, folder / "proxy.log", {})
    front = Fronted(**_of(nobody), port=port, tls=tls, folder=folder)
    with _running(command, folder, {}, front):
        yield


@contextmanager
def caddy(folder: Path, service: Live, allowed: str = "none") -> Iterator[Fronted]:
    """deploy/Caddyfile in front of `service`, with a certificate of the tests' own, so that nobody is asked for one.

    `allowed` is the origin of a client on another host.
    """
    tls, port = certificate(folder), free_port()
    own = f"bind 127.0.0.1\n\ttls {folder}/fullchain.pem {folder}/privkey.pem"
    changes = {  # left alone Caddy would make an authority of its own, and have this machine trust it
        "{\n\tservers {": "{\n\tadmin off\n\tauto_https off\n\tskip_install_trust\n\tservers {",
        "{$SITE:files.example.org} {": f"{{$SITE}} {{\n\t{own}",
    }
    config = folder / "Caddyfile"
    config.write_text(with_replaced((ROOT / "deploy/Caddyfile").read_text(), changes))
    environ = {"SITE": f"https://:{port}", "UPSTREAM": f"127.0.0.1:{service.port}", "HOME": str(folder)}
    environ |= {"FRONTEND": allowed}
    command = [needed("caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]
    front = Fronted(**_of(service), port=port, tls=tls, folder=folder)
    with _running(command, folder, environ, front):
        yield front


def _of(service: Live) -> dict[str, object]:
    """What a proxy shares with the service behind it; its process comes later."""
    return {"process": None, "instance": service.instance, "log": service.log, "environ": service.environ}


@contextmanager
def _running(command: list[str], folder: Path, environ: dict[str, str], front: Fronted) -> Iterator[None]:
    log = folder / "proxy.log"
    with log.open("wb") as sink:
        front.process = subprocess.Popen(command, cwd=folder, env=os.environ | environ, stdout=sink, stderr=sink)
    try:
        assert eventually(lambda: _listens(front) or front.process.poll() is not None, 20)
        assert front.process.poll() is None, log.read_text()
        yield
    finally:
        front.stop()


def _listens(front: Fronted) -> bool:
    with suppress(OSError):
        front.connect().close()
        return True
    return False


def certificate(folder: Path) -> ssl.SSLContext:
    """Make one for the samples' name, which signs itself; the context is that of a client who trusts it."""
    names = f"subjectAltName=DNS:{NAME},DNS:{APP},DNS:localhost,IP:127.0.0.1"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(folder / "privkey.pem")]
    command = [needed("openssl"), "req", "-x509", *key, "-out", str(folder / "fullchain.pem"), "-days", "1"]
    subprocess.run([*command, "-subj", f"/CN={NAME}", "-addext", names], check=True, capture_output=True)
    return ssl.create_default_context(cafile=folder / "fullchain.pem")

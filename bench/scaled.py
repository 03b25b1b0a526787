"""What the scaled set-up can do on this machine: `make bench-scaled`, with the servers that the tests use.

Everything shares the machine's cores: the load, nginx, the instances, PostgreSQL, SeaweedFS and Valkey. So the figures
tell what each step costs; what several instances bring is only seen where each has cores of its own.
"""

import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

from load import SIZES, body, wrk
from servers import ROOT, Service

sys.path.insert(0, str(ROOT))

from tests.support.engines import Live
from tests.support.postgres import start_postgres
from tests.support.proxies import BEHIND, nginx
from tests.support.s3 import Store
from tests.support.valkey import valkey_server

_BEHIND_NGINX = BEHIND | {"TRUSTED_HOSTS": ""}  # the load calls it localhost, the start of an instance 127.0.0.1
SECONDS = 5
SECRET = {"JWT_SECRET": "only-for-measuring-of-more-than-32-bytes"}


class Engines:
    """The servers, and settings that use them; each call of a setting is a new database or bucket."""

    def __init__(self, held, folder):
        self._postgres = start_postgres()
        held.callback(self._postgres.close)
        self._store = Store(folder / "s3").start()
        held.callback(self._store.stop)
        self._valkey = held.enter_context(valkey_server())

    def database(self):
        return {"DATABASE_URL": self._postgres.create()}

    def bucket(self):
        return self._store.environ(self._store.bucket())

    def throttles(self):
        return {"REDIS_URL": self._valkey.url()}

    def all(self):
        return self.database() | self.bucket() | self.throttles()


class Front:
    """nginx in front of instances, to be loaded like one of them."""

    def __init__(self, instances, port):
        self.url, self.path = f"https://localhost:{port}", instances[0].path
        self.folder, self.authorization = instances[0].folder, instances[0].authorization


@contextmanager
def instances(folder, number, settings):
    """Run instances that share all but their folders."""
    running = [Service(folder / str(n), **SECRET, **settings) for n in range(number)]
    try:
        yield running
    finally:
        for instance in running:
            instance.stop()


@contextmanager
def behind_nginx(folder, running):
    """Lend what nginx is in front of them."""
    lives = [Live(instance.process, instance.port, instance.folder, folder / "log", {}) for instance in running]
    with nginx(folder, *lives) as front:
        yield Front(running, front.port)


def measure(what, number, settings, proxied):
    """Print a row a size."""
    for name, (size, connections) in SIZES.items():
        with ExitStack() as held:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir="/dev/shm")))
            given = settings() | (_BEHIND_NGINX if proxied else {})
            running = held.enter_context(instances(folder, number, given))
            target = held.enter_context(behind_nginx(folder, running)) if proxied else running[0]
            run = wrk(target, body(size), connections, SECONDS)
            if run["refused"]:
                raise SystemExit(f"{what}, {name}: {run['refused']} uploads were refused")
            peak = sum(instance.memory("VmHWM") for instance in running)
            print(f"| {what} | {name} | {run['uploads_s']:.0f} | {run['p99_ms']:.0f} | {peak:.0f} |", flush=True)


def main():
    with ExitStack() as held:
        engines = Engines(held, Path(held.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir="/dev/shm"))))
        print("| set-up | size | uploads/s | p99 ms | peak MiB of all instances |\n|---|---|---|---|---|")
        measure("SQLite and a folder", 1, dict, proxied=False)
        measure("PostgreSQL and a folder", 1, engines.database, proxied=False)
        measure("SQLite and a bucket", 1, engines.bucket, proxied=False)
        measure("PostgreSQL, a bucket, Valkey", 1, engines.all, proxied=False)
        measure("the same behind nginx with TLS", 1, engines.all, proxied=True)
        measure("the same with two instances", 2, engines.all, proxied=True)


if __name__ == "__main__":
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed (Debian: apt-get install wrk)")
    main()

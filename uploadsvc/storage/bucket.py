"""A bucket of an S3-compatible store: the calls that are made of it, and what its refusals are called."""

import base64
import errno
import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import ApiError
from .clients import client_of
from .kinds import BucketSettings
from .places import Places
from .refusals import Taken, store_errors
from .remote import RemoteFile
from .staged import Staged

log = logging.getLogger("uploadsvc.storage")

_WHOLE = 16 << 20  # bytes: a file of more is sent in parts
_PART = 8 << 20  # bytes: times 10 000 parts is 80 GB


class Listed(NamedTuple):
    """An object, or a multipart upload under way: `since` is its time in unix seconds."""

    key: str
    since: float
    upload_id: str = ""


class Bucket:
    """One bucket. The client is made at its first use, one a process, and serves all threads."""

    def __init__(self, settings: BucketSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._places = Places(settings.places)

    def put_new(self, key: str, staged: Staged, disposition: str) -> bool:
        """Store a staged file, compared with what was streamed; return False, and nothing else, where a file lies."""
        try:
            with store_errors():
                self._put(key, staged, disposition, IfNoneMatch="*")
        except Taken:
            return False
        return True

    def put(self, key: str, staged: Staged, disposition: str) -> None:
        """Store a staged file, compared with what was streamed, whatever lies there."""
        with store_errors():
            self._put(key, staged, disposition)

    def get(self, key: str) -> RemoteFile:
        """Open the object."""
        with store_errors():
            found = self._call("get_object", Key=key)
        return RemoteFile(_Stream(found["Body"]), found["ContentLength"])

    def send(self, key: str, part: range | None) -> RemoteFile:
        """Open the object, or a part of its bytes, and hold one of the places until the file is closed."""
        with ExitStack() as held:
            held.enter_context(self.place_to_send())
            stream, size = self._fetched(key, part)
            return RemoteFile(stream, size, held.pop_all().close)

    def place_to_send(self) -> AbstractContextManager[None]:
        """Hold one of the places of those who send; raise Unavailable."""
        return self._places.one_to_send()

    def send_from_place(self, key: str) -> RemoteFile:
        """Open the object for whoever holds a place already."""
        return RemoteFile(*self._fetched(key))

    def head(self, key: str) -> dict[str, Any] | None:
        """Return what the store knows of an object, or None where none lies."""
        try:
            with store_errors():
                return self._call("head_object", Key=key, ChecksumMode="ENABLED")
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        with store_errors():
            self._call("delete_object", Key=key)

    def folders(self) -> Iterator[str]:
        """Yield what stands before the first slash of keys."""
        for page in self._pages("list_objects_v2", Delimiter="/"):
            yield from (found["Prefix"].removesuffix("/") for found in page.get("CommonPrefixes", ()))

    def objects(self, folder: str) -> Iterator[Listed]:
        """Yield the objects of a folder, by the thousand."""
        for page in self._pages("list_objects_v2", Prefix=f"{folder}/"):
            for found in page.get("Contents", ()):
                yield Listed(found["Key"], found["LastModified"].timestamp())

    def multiparts(self) -> Iterator[Listed]:
        """Yield the uploads in parts that are neither complete nor aborted."""
        for page in self._pages("list_multipart_uploads"):
            for found in page.get("Uploads", ()):
                begun: datetime = found["Initiated"]
                yield Listed(found["Key"], begun.timestamp(), found["UploadId"])

    def abort(self, multipart: Listed) -> None:
        """Give up an upload in parts, and free what it holds; one that has ended is as good as given up."""
        with store_errors(missing_is_fine=True):
            self._call("abort_multipart_upload", Key=multipart.key, UploadId=multipart.upload_id)

    def address(self, key: str, seconds: int, disposition: str, content_type: str) -> str:
        """Return a URL of the object, signed for so long, with the headers that its answer is to bear."""
        given = {"ResponseContentDisposition": disposition, "ResponseContentType": content_type}
        given |= {"Bucket": self._settings.name, "Key": key}
        with store_errors():
            url: str = self._ask().generate_presigned_url("get_object", Params=given, ExpiresIn=seconds)
        return url

    def check(self) -> None:
        """Raise unless the bucket is there for us, within a few seconds."""
        with store_errors():
            self._ask("probe").head_bucket(Bucket=self._settings.name)

    def _put(self, key: str, staged: Staged, disposition: str, **condition: str) -> None:
        about = {"ContentType": "application/octet-stream", "ContentDisposition": disposition}
        if staged.size > _WHOLE:
            self._put_parts(key, staged, about, condition)
            return
        checksum = _base64(bytes.fromhex(staged.sha256))
        with staged.open() as file:
            self._call("put_object", Key=key, Body=file, ChecksumSHA256=checksum, **about, **condition)

    def _put_parts(self, key: str, staged: Staged, about: dict[str, str], condition: dict[str, str]) -> None:
        """Store a large file in parts, of which one at a time is in memory; abort unless all are the bytes streamed."""
        metadata = {"sha256": staged.sha256}  # the store itself knows but the parts' checksums
        begun = self._call("create_multipart_upload", Key=key, ChecksumAlgorithm="SHA256", Metadata=metadata, **about)
        where = {"Key": key, "UploadId": begun["UploadId"]}
        try:
            parts = list(self._sent_parts(staged, where))
            self._call("complete_multipart_upload", MultipartUpload={"Parts": parts}, **where, **condition)
            if self._call("head_object", Key=key)["ContentLength"] != staged.size:
                raise OSError(errno.EIO, "the store has another number of bytes than it was sent")
        except BaseException:
            self._abort_quietly(where)
            raise

    def _sent_parts(self, staged: Staged, where: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Send part after part, each compared by the store, and yield what completes them; raise OSError."""
        digest = hashlib.sha256()
        with staged.open() as file:
            for number in range(1, 2 + (staged.size - 1) // _PART):
                data = file.read(_PART)
                digest.update(data)
                given = {"PartNumber": number, "ChecksumSHA256": _base64(hashlib.sha256(data).digest())}
                sent = self._call("upload_part", Body=data, **given, **where)
                yield given | {"ETag": sent["ETag"]}
        if digest.hexdigest() != staged.sha256:
            raise OSError(errno.EIO, "the bytes have changed since they were staged")

    def _abort_quietly(self, where: dict[str, str]) -> None:
        """Give up an upload in parts; where that fails too, the sweep does it."""
        try:
            self._call("abort_multipart_upload", **where)
        except (ClientError, BotoCoreError, ApiError):
            log.warning("multipart_left")

    def _fetched(self, key: str, part: range | None = None) -> tuple["_Stream", int]:
        """Ask for the object, or a part of its bytes; return them as they come, and how many there will be."""
        ranged = {"Range": f"bytes={part.start}-{part.stop - 1}"} if part else {}
        with store_errors():
            found = self._ask().get_object(Bucket=self._settings.name, Key=key, **ranged)
        return _Stream(found["Body"]), found["ContentLength"]

    def _call(self, name: str, **given: Any) -> dict[str, Any]:
        """Make one request of the bucket, and wait for its answer in one of the places."""
        client = self._ask()
        with self._places.one():
            answer: dict[str, Any] = getattr(client, name)(Bucket=self._settings.name, **given)
        return answer

    def _pages(self, call: str, **given: str) -> Iterator[dict[str, Any]]:
        """Yield the pages of a listing."""
        pages = iter(self._ask().get_paginator(call).paginate(Bucket=self._settings.name, **given))
        while True:
            with store_errors():
                page = next(pages, None)
            if page is None:
                return
            yield page

    def _ask(self, name: str = "store") -> Any:
        """Return the client: of the `store`, or the `probe`, which waits for nobody."""
        with self._lock:
            if name not in self._clients:
                self._clients[name] = client_of(self._settings, name)
            return self._clients[name]


def checksum_of(found: dict[str, Any]) -> str:
    """Return the SHA-256 in hex that `Bucket.head` tells, or '' where the store keeps none."""
    known: str = found.get("ChecksumSHA256", "")
    written: str = found.get("Metadata", {}).get("sha256", "")
    return written or ("" if "-" in known else base64.b64decode(known).hex())


class _Stream:
    """The bytes of an object as they come."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int | None = None) -> bytes:
        """Return the next bytes; raise OSError where they are not what was stored, else as every call of a bucket."""
        with store_errors():
            data: bytes = self._body.read(size)
        return data

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        self._body.close()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()

"""The files of `web/`, compressed for whoever takes that: on a slow line the page's wait is the sum of its bytes."""

import gzip
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, request, send_file


class Content(NamedTuple):
    """What is sent of a file and the entity tag of just these bytes (RFC 9110 §8.8.3.3), alike on every instance."""

    body: bytes
    etag: str


def init_app(app: Flask, folder: Path) -> None:
    """Serve exactly the files that lie in `folder` now: a catch-all route would answer 405 where 404 is true."""

    def send(name: str) -> Response:
        return _answer(folder / name)

    # Not strict: an absolute target may lack its path (RFC 9112 §3.2.2), and a redirect would name the client's Host.
    app.add_url_rule("/", "web", send, defaults={"name": "index.html"}, strict_slashes=False)
    for file in folder.rglob("*"):
        if file.is_file():
            name = file.relative_to(folder).as_posix()
            app.add_url_rule(f"/{name}", f"web:{name}", send, defaults={"name": name})
        if file == folder / "request.html":  # what the link of a file request names
            app.add_url_rule("/request", "web:request", send, defaults={"name": "request.html"})


def _answer(path: Path) -> Response:
    packed = request.accept_encodings["gzip"] > 0
    content = _read(path, path.stat().st_mtime_ns, packed)
    response = send_file(BytesIO(content.body), download_name=path.name, etag=content.etag, max_age=None)
    response.vary.add("Accept-Encoding")
    if packed:
        response.content_encoding = "gzip"
    return response


@lru_cache(maxsize=256)
def _read(path: Path, _changed: int, packed: bool) -> Content:  # a new version of the file is another key
    plain = path.read_bytes()
    body = gzip.compress(plain, mtime=0) if packed else plain
    return Content(body, sha256(body).hexdigest())

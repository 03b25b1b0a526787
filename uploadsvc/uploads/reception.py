"""What becomes of an upload before it is stored: judged by its headers, then read, by either of two feeders."""

import re
import time
from contextlib import ExitStack
from functools import lru_cache, partial

from flask import Config, Flask, Request

from ..errors import BadRequest, Malformed, TooLarge, UnsupportedType
from ..filetypes import Candidate, accept
from ..intake import Intake, Limits, RawIntake, Received, ReceivedFile
from ..principal import Credential, prove
from ..storage import Staged

UPLOAD_PATH = "/api/upload"
NO_NAME = f"Put the file's name at the end of the address: {UPLOAD_PATH}/report.pdf"
ROUTES = {"POST": UPLOAD_PATH, "PUT": f"{UPLOAD_PATH}/<rest:filename>"}  # by method: an address holds a file's name
_CHUNK = 64 * 1024  # bytes read at a time
_Intake = Intake[Staged, Candidate] | RawIntake[Staged, Candidate]
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Reception:
    """An upload whose headers have been judged: what they prove and an intake for the body, or an error.

    This is feeder 1, which reads the body in the view, behind any WSGI server. A server that streams makes its own
    kind at the end of the headers, feeds the intake as bytes arrive, and hands it to the view in the WSGI environment
    (feeder 2). Judging takes no SQL, and no context of Flask's for a token that was proven before, so it may happen in
    an I/O loop.
    """

    def __init__(self, app: Flask, request: Request) -> None:
        self.seconds = 0.0  # from the first piece of the body to the latest
        self._began = 0.0
        self._later_bytes = 0  # of those after the first piece
        self.credential: Credential | None = None
        self.error: Exception | None = None
        self._request = request
        self._limits = upload_limits(app.config)
        self._held = ExitStack()  # what is given back at the end: a place, room on the disk, staged files
        self._intake: _Intake | None = None
        try:
            self.credential = prove(app, request)
            _judge(request, self._limits)
            self._held.enter_context(app.extensions["open_uploads"].place(self.credential.owner))
            self._intake = self._open_intake(app)
        except Exception as error:  # whatever it is, check() raises it where it can be answered
            self.error = error
            self.close()

    def check(self) -> Credential:
        """Return what the headers prove; raise the error there is instead."""
        if self.error or self.credential is None:
            raise self.error or RuntimeError("an upload has a credential or an error")
        return self.credential

    def finish(self) -> Received[Staged, Candidate]:
        """Feed the rest of the body and return what it held; raise the intake's refusal."""
        intake = self._opened()
        self._request.max_content_length = self._limits.request_bytes
        while chunk := self._request.stream.read(_CHUNK):
            self._time(len(chunk))
            intake.feed(chunk)
        return intake.finish()

    @property
    def speed(self) -> float:
        """Return how fast the body came, in bytes a second; 0 where it came all at once."""
        return self._later_bytes / self.seconds if self.seconds else 0.0

    def close(self) -> None:
        """Leave nothing behind but what was published. Idempotent."""
        self._held.close()

    def _time(self, size: int) -> None:
        """Note that a piece of the body has come."""
        moment = time.monotonic()
        if self._began:
            self._later_bytes += size
            self.seconds = moment - self._began
        else:
            self._began = moment

    def _opened(self) -> _Intake:
        if self.error or self._intake is None:
            raise self.error or RuntimeError("an upload has an intake or an error")
        return self._intake

    def _open_intake(self, app: Flask) -> _Intake:
        request, storage = self._request, app.extensions["storage"]
        room = storage.reserve(request.content_length or 0)
        self._held.callback(room.release)
        stage = partial(storage.stage, room)
        intake: _Intake
        if request.method == "PUT":
            name = _name_in_path(request)
            file = ReceivedFile("file", name, accept(name, request.mimetype), stage())
            intake = RawIntake(file, request.content_length, self._limits.file_bytes)
        else:
            intake = Intake(request.headers.get("Content-Type", ""), stage, accept, self._limits)
        self._held.callback(intake.abort)
        return intake


class StreamedReception(Reception):
    """Feeder 2: an upload that a streaming server has judged at its headers, and feeds as its bytes arrive."""

    _size = 0

    def feed(self, data: bytes) -> None:
        """Feed the next bytes; raise their refusal, or TooLarge when a chunked body outgrows every upload."""
        if data:  # the headers may have come alone
            self._time(len(data))
        self._size += len(data)
        if self._size > self._limits.request_bytes:
            raise TooLarge(f"The upload is larger than {self._limits.request_bytes} bytes.")
        self._opened().feed(data)

    def finish(self) -> Received[Staged, Candidate]:
        """Return what the body held; all of it has been fed."""
        return self._opened().finish()


def upload_limits(config: Config) -> Limits:
    """Return the intake's limits as configured."""
    return _limits(config["MAX_FILE_BYTES"], config["MAX_FILES"])


@lru_cache
def _limits(file_bytes: int, files: int) -> Limits:
    return Limits(file_bytes=file_bytes, files=files)


def is_upload(method: str, path: str) -> bool:
    """Tell whether a request is an upload, by its method and its decoded path."""
    if path == UPLOAD_PATH:
        return method in ("POST", "PUT")  # the second lacks a name, and is told so whatever its size
    return method == "PUT" and path.startswith(f"{UPLOAD_PATH}/")


def _name_in_path(request: Request) -> str:
    """Return the file's name as the address of a PUT gives it, after WSGI has undone the percent signs (PEP 3333)."""
    path: str = request.environ["PATH_INFO"]
    try:
        name = path.encode("latin-1").decode().removeprefix(UPLOAD_PATH).removeprefix("/")
    except UnicodeDecodeError as error:
        raise Malformed("The file's name in the address is not UTF-8.") from error
    if not name:
        raise BadRequest(NO_NAME)
    return name


def _judge(request: Request, limits: Limits) -> None:
    """Refuse what the headers alone make hopeless."""
    if not _KEY.fullmatch(request.headers.get("Idempotency-Key", "none")):
        raise BadRequest("An Idempotency-Key is 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedType("Send the upload without a Content-Encoding.")
    if "Content-Range" in request.headers:  # RFC 9110 §14.5: a piece would be stored as if it were the whole
        raise BadRequest("Send the whole file, without a Content-Range: an upload is not resumed.")
    size = request.content_length or 0
    if request.method == "PUT" and size > limits.file_bytes:
        raise TooLarge(f"The file is over the limit of {limits.file_bytes} bytes a file.")
    if size > limits.request_bytes:
        raise TooLarge(f"One upload holds at most {limits.files} files of {limits.file_bytes} bytes.")

"""Storing: staged files become published ones, and rows that name them; all of an upload's, or none."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import compress
from types import TracebackType

from flask import current_app, g, request
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ..credentials import new_id
from ..crew import together
from ..errors import ApiError, ClientClosedRequest, OutcomeUnknown, QuotaExceeded, RequestOver, TooLarge
from ..filetypes import Candidate, safe_name
from ..intake import Received, ReceivedFile
from ..models import Row, now, registration, search_key
from ..storage import Staged, Storage
from . import visitors

log = logging.getLogger("uploadsvc.uploads")

_SYNCING = 8  # uploads at a time, on a slow disk


class Publication:
    """The files of one upload on their way from the staging folder to documents.

    Where files are published at once, their rows are inserted when all are there, and those of other uploads that end
    at the same time with them. A storage that takes its time announces each path first: the row is there before the
    bytes, `pending`, unseen and uncharged, and all of them are confirmed at the end. Either way one commit makes the
    upload count.
    """

    def __init__(self, received: Received[Staged, Candidate], key: str | None, digest: str | None) -> None:
        self._files = received.files
        self._storage: Storage = current_app.extensions["storage"]
        self._still_wanted = wanted_check()
        self._announced: list[str] = []  # public ids
        self._published: list[str] = []  # paths
        self._error: Exception | None = OutcomeUnknown()  # until that is known
        self._trace: TracebackType | None = None  # the error's own: each who raises one of several's would lengthen it
        visitor = visitors.about(received.fields)
        about = {"idempotency_key": key, "upload_digest": digest, "created_at": now()} | visitor
        self.rows = [_row(file, part, visitor["sender"]) | about for part, file in enumerate(self._files)]
        self.rows[0]["fields"] = visitors.kept(received.fields) or None

    def run(self) -> None:
        """Publish the files and commit their `rows`; after any failure neither is left, or the sweep's to remove."""
        try:
            if self._storage.gathers:
                together(partial(_store, self._storage, current_app.config["USER_QUOTA_BYTES"]), self)
            else:
                self._publish()
                registration.confirm(self.rows, current_app.config["USER_QUOTA_BYTES"])
                self._error = None
            if self._error:
                raise self._error.with_traceback(self._trace)
        except BaseException as error:
            self._undo(error)
            raise

    def try_to_publish(self) -> bool:
        """Publish the files of an upload that is stored with others; tell whether that was possible."""
        try:
            self._publish()
        except Exception as error:
            self.end(error)
            return False
        return True

    def end(self, error: Exception | None) -> None:
        """Note what became of an upload that was stored with others."""
        self._error = error
        self._trace = error.__traceback__ if error else None

    def _publish(self) -> None:
        for file, row in zip(self._files, self.rows, strict=True):
            row["sha256"] = file.staged.sha256  # not before: that of the last piece may be under way
            name, announce = safe_name(row["filename"]), partial(self._announce, row)
            row["path"] = self._storage.publish(file.staged, row["user_id"], name, announce)
            self._published.append(row["path"])
            self._still_wanted()

    def _announce(self, row: Row, path: str) -> None:
        """Insert the row of a file that is about to lie at `path`, in place of one whose path another upload has."""
        if row["public_id"] in self._announced:
            registration.withdraw([row["public_id"]])
            self._announced.remove(row["public_id"])
        row |= {"path": path, "public_id": new_id()}
        registration.announce(row)
        self._announced.append(row["public_id"])

    def _undo(self, error: BaseException) -> None:
        """Leave nothing; but a row's bytes stay where nobody can tell whether it was committed: the sweep will."""
        known = not isinstance(error, OutcomeUnknown)
        try:
            gone = registration.withdraw(self._announced) if self._announced else known
            for path in self._published if gone else ():
                self._storage.delete(path)
        except (ApiError, OSError, SQLAlchemyError) as fault:
            log.warning("leftovers", extra={"files": len(self._files), "reason": type(fault).__name__})


def _store(storage: Storage, quota: int, uploads: list[Publication]) -> None:
    """Publish the files of several uploads and commit their rows; each is told what became of it."""
    if len(uploads) > 1 and storage.is_slow():
        with ThreadPoolExecutor(_SYNCING) as pool:  # what waits at the same time for the disk shares its journal
            published = list(pool.map(Publication.try_to_publish, uploads))
    else:
        published = [upload.try_to_publish() for upload in uploads]
    _commit(storage, quota, list(compress(uploads, published)))


def _commit(storage: Storage, quota: int, uploads: list[Publication]) -> None:
    """Commit the rows of all `uploads` at once, or of each, where one of them stands in the others' way."""
    error: Exception | None = None
    if not uploads:
        return
    try:
        storage.sync({upload.rows[0]["user_id"] for upload in uploads})
        registration.store([upload.rows for upload in uploads], quota)
    except (IntegrityError, QuotaExceeded, RequestOver, TooLarge) as of_one:
        if len(uploads) > 1:
            for upload in uploads:
                _commit(storage, quota, [upload])
            return
        error = of_one
    except Exception as of_all:
        error = of_all
    for upload in uploads:
        upload.end(error)


def wanted_check() -> Callable[[], None]:
    """Return what raises when the server knows that this request's client has gone, in whatever context it is called.

    What nobody was told is not kept.
    """
    client_has_gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", bool)

    def still_wanted() -> None:
        if client_has_gone():
            raise ClientClosedRequest("The client has gone.")

    return still_wanted


def _row(file: ReceivedFile[Staged, Candidate], part: int, sender: str | None) -> Row:
    return {
        "public_id": new_id(),
        "user_id": g.principal.user_id,
        "token_id": g.principal.token_id,
        "filename": file.recogniser.filename,
        "search_key": search_key(file.recogniser.filename, sender),
        "content_type": file.recogniser.mimetype,
        "size": file.staged.size,
        "status": "success",
        "part": part,
        "fieldname": file.fieldname,
        "fields": None,
    }

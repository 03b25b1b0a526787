"""Storing: staged files become published ones, and rows that name them; all of an upload's, or none."""

import logging
from functools import partial

from flask import current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from ..credentials import new_id
from ..errors import ApiError, ClientClosedRequest, OutcomeUnknown
from ..filetypes import Candidate, safe_name
from ..intake import Received, ReceivedFile
from ..models import Row, now, registration, search_key
from ..storage import Staged, Storage
from . import visitors

log = logging.getLogger("uploadsvc.uploads")


class Publication:
    """The files of one upload on their way from the staging folder to documents.

    Where files are published at once, their rows are inserted when all are there. A storage that takes its time
    announces each path first: the row is there before the bytes, `pending`, unseen and uncharged, and all of them are
    confirmed at the end. Either way one commit makes the upload count.
    """

    def __init__(self, received: Received[Staged, Candidate], key: str | None, digest: str | None) -> None:
        self._files = received.files
        self._storage: Storage = current_app.extensions["storage"]
        self._announced: list[str] = []  # public ids
        self._published: list[str] = []  # paths
        visitor = visitors.about(received.fields)
        about = {"idempotency_key": key, "upload_digest": digest, "created_at": now()} | visitor
        self.rows = [_row(file, part, visitor["sender"]) | about for part, file in enumerate(self._files)]
        self.rows[0]["fields"] = visitors.kept(received.fields) or None

    def run(self) -> None:
        """Publish the files and commit their `rows`; after any failure neither is left, or the sweep's to remove."""
        try:
            for file, row in zip(self._files, self.rows, strict=True):
                self._publish(file, row)
                still_wanted()
            self._commit()
        except BaseException as error:
            self._undo(error)
            raise

    def _publish(self, file: ReceivedFile[Staged, Candidate], row: Row) -> None:
        name, announce = safe_name(row["filename"]), partial(self._announce, row)
        row["path"] = self._storage.publish(file.staged, row["user_id"], name, announce)
        self._published.append(row["path"])

    def _announce(self, row: Row, path: str) -> None:
        """Insert the row of a file that is about to lie at `path`, in place of one whose path another upload has."""
        if row["public_id"] in self._announced:
            registration.withdraw([row["public_id"]])
            self._announced.remove(row["public_id"])
        row |= {"path": path, "public_id": new_id()}
        registration.announce(row)
        self._announced.append(row["public_id"])

    def _commit(self) -> None:
        moment, quota = now(), current_app.config["USER_QUOTA_BYTES"]
        for row in self.rows:
            row["uploaded_at"] = moment
        if self._announced:
            registration.confirm(self.rows, quota)
        else:
            registration.store(self.rows, quota)

    def _undo(self, error: BaseException) -> None:
        """Leave nothing; but a row's bytes stay where nobody can tell whether it was committed: the sweep will."""
        known = not isinstance(error, OutcomeUnknown)
        try:
            gone = registration.withdraw(self._announced) if self._announced else known
            for path in self._published if gone else ():
                self._storage.delete(path)
        except (ApiError, OSError, SQLAlchemyError) as fault:
            log.warning("leftovers", extra={"files": len(self._files), "reason": type(fault).__name__})


def still_wanted() -> None:
    """Raise when the server knows that the client has gone: what nobody was told is not kept."""
    if request.environ.get("waitress.client_disconnected", bool)():
        raise ClientClosedRequest("The client has gone.")


def _row(file: ReceivedFile[Staged, Candidate], part: int, sender: str | None) -> Row:
    return {
        "public_id": new_id(),
        "user_id": g.principal.user_id,
        "token_id": g.principal.token_id,
        "filename": file.recogniser.filename,
        "search_key": search_key(file.recogniser.filename, sender),
        "content_type": file.recogniser.mimetype,
        "size": file.staged.size,
        "sha256": file.staged.sha256,
        "status": "success",
        "part": part,
        "fieldname": file.fieldname,
        "fields": None,
    }

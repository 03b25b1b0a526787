"""Which documents are there for whoever asks: one's own, and for a collector everybody's."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import g

from ..credentials import is_id
from ..errors import NotFound
from ..extensions import db
from ..models import Document, lists

NO_DOCUMENT = "There is no such document."


def in_reach() -> Any:
    """Return the query of what there is for the asker; whose it is stands in its WHERE clause."""
    me = g.principal.user_id
    return lists.everyones(me) if g.principal.collects else Document.owned(me)


def document_or_404(public_id: str) -> Document:
    """Return a document that is in reach; any other is not found."""
    return documents_or_404([public_id])[0]


def documents_or_404(public_ids: Sequence[str]) -> list[Document]:
    """Return the documents with these ids, in their order; raise NotFound unless all of them are in reach."""
    if not all(map(is_id, public_ids)):
        raise NotFound(NO_DOCUMENT)
    query = in_reach().where(Document.public_id.in_(public_ids))
    found = {document.public_id: document for document in db.session.scalars(query)}
    if len(found) < len(public_ids):
        raise NotFound(NO_DOCUMENT)
    return [found[public_id] for public_id in public_ids]


def told(documents: Iterable[Document]) -> dict[str, list[Any]]:
    """Return what the audit trail tells of documents: their ids, and whose each is where some are not the asker's."""
    documents = list(documents)
    owners = [document.user_id for document in documents]
    of_others = any(owner != g.principal.user_id for owner in owners)
    return {"documents": [document.public_id for document in documents]} | ({"owners": owners} if of_others else {})


def of_others(documents: Iterable[Document]) -> list[Document]:
    """Return those that are not the asker's own."""
    return [document for document in documents if document.user_id != g.principal.user_id]

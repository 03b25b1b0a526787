"""Lists of documents: whose, which match a search, how many; in orders that indexes have, page after page."""

from typing import Any

from sqlalchemy import exists, func, literal, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, aliased, joinedload

from ..extensions import db
from .accounts import User
from .documents import KEPT, Document

Place = tuple[Any, ...]
_ROW = aliased(Document)  # made once: that takes longer than a search of a thousand names


class Order:
    """An order by one column and then by `Document.id`, for values may be equal, or by that alone.

    A place in it is a document's values of these, so that it is there whether its document still is or not.
    """

    def __init__(self, *columns: InstrumentedAttribute[Any], falling: bool = False) -> None:
        self._columns = (*columns, Document.id)
        self._falling = falling

    def sort(self, query: Any) -> Any:
        """Return `query` in this order."""
        return query.order_by(*(column.desc() if self._falling else column for column in self._columns))

    def after(self, query: Any, place: Place) -> Any:
        """Return `query` without what comes before `place`, and what stands there."""
        here = tuple_(*self._columns)
        there = tuple_(*(literal(value, column.type) for value, column in zip(place, self._columns, strict=True)))
        return query.where(here < there if self._falling else here > there)

    def place_of(self, document: Document) -> Place:
        """Return where the document stands."""
        return tuple(getattr(document, column.key) for column in self._columns)

    def write(self, place: Place) -> bytes:
        """Return `place` as bytes, of which the last eight are the id."""
        *values, number = place
        return "".join(map(str, values)).encode() + int(number).to_bytes(8)

    def read(self, written: bytes) -> Place:
        """Return the place that `write` wrote."""
        values = (column.type.python_type(written[:-8].decode()) for column in self._columns[:-1])
        return (*values, int.from_bytes(written[-8:]))


ORDERS = {
    "newest": Order(falling=True),
    "name": Order(Document.search_key),
    "size": Order(Document.size, falling=True),
}


def everyones(collector_id: int) -> Any:
    """Return the query of everybody's documents, with their owners; of one who is no collector, of one's own."""
    in_reach = or_(Document.user_id == collector_id, _collects(collector_id))
    return select(Document).where(in_reach, KEPT).options(joinedload(Document.owner))


def matching(search: str, user_id: int | None, few: bool) -> Any:
    """Return the condition that folded text is part of what is searched, of one account's documents or of all.

    Where `few` match, an index is read over for them first, else the list, whose page is full soon.
    """
    if not few:
        return Document.search_key.contains(search, autoescape=True)
    theirs = (_ROW.user_id == user_id,) if user_id is not None else ()
    return Document.id.in_(select(_ROW.id).where(_ROW.search_key.contains(search, autoescape=True), *theirs))


def totals(query: Any) -> tuple[int, int]:
    """Return how many documents a query of them finds, and how many bytes they have."""
    return _numbers(query.with_only_columns(func.count(), func.sum(Document.size)))


def everyones_totals(collector_id: int) -> tuple[int, int]:
    """Return the totals of `everyones`, which accounts are counted to keep."""
    in_reach = or_(User.id == collector_id, _collects(collector_id))
    return _numbers(select(func.sum(User.document_count), func.sum(User.used_bytes)).where(in_reach))


def _collects(user_id: int) -> Any:
    """Return the condition that an account may see what others keep."""
    return exists().where(User.id == user_id, User.is_collector, User.is_active)


def _numbers(query: Any) -> tuple[int, int]:
    count, size = db.session.execute(query).one()
    return int(count or 0), int(size or 0)  # some databases sum to a Decimal, and nothing to NULL

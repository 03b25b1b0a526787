"""The orders of a list of documents, each of which an index has, and the way from one page to the next."""

from typing import Any

from sqlalchemy import literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from .documents import Document

Place = tuple[Any, ...]


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

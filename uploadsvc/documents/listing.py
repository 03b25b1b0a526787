"""A page of the list: whose documents, which of them, in which order, and where the next page begins."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import current_app, g

from ..credentials import digest, seal, unseal
from ..errors import BadRequest, Forbidden, InsufficientScope
from ..extensions import db
from ..models import ORDERS, Document, Order, Place, fold, lists
from ..principal import Scope
from .reach import document_or_404

_PAGE = 50
_MAX_PAGE = 200
_FEW = 2000  # documents: finding as many takes as long as reading on until a page of them is full
_MAX_SEARCH = 255  # characters, as many as a name has
_CURSOR = "c-"  # tells a cursor from a document's id


class Page(NamedTuple):
    """Some documents, the cursor of those after them, if there are any, and what all pages have together."""

    documents: list[Document]
    following: str | None
    total: int
    total_bytes: int


class Wanted(NamedTuple):
    """The list that is asked for; `search` is folded, and empty for everything."""

    sort: str
    search: str
    everyones: bool

    @property
    def order(self) -> Order:
        """Return the order that its pages have."""
        return ORDERS[self.sort]

    def all(self, few: bool = True) -> Any:
        """Return the query of everything in it; `few` tells that a search finds no more than some pages."""
        me = g.principal.user_id
        query = lists.everyones(me) if self.everyones else Document.owned(me)
        if not self.search:
            return query
        return query.where(lists.matching(self.search, None if self.everyones else me, few))

    def totals(self) -> tuple[int, int]:
        """Return the number of its documents and of their bytes; without a search accounts are counted to have them."""
        if self.search:
            return lists.totals(self.all())
        if self.everyones:
            return lists.everyones_totals(g.principal.user_id)
        return g.principal.account.document_count, g.principal.account.used_bytes

    def cursor(self, document: Document) -> str:
        """Return the document's place in this list. It is sealed, for it tells a name, or how many there are in all."""
        place = self.order.write(self.order.place_of(document))
        return _CURSOR + seal(current_app.config["JWT_SECRET"], self._purpose(), place)

    def place(self, before: str) -> Place:
        """Return the place that a cursor of this list names, whether its document is still there, or a document's."""
        if not before.startswith(_CURSOR):
            return self.order.place_of(document_or_404(before))
        sealed = before.removeprefix(_CURSOR)
        place = unseal(current_app.config["JWT_SECRET"], self._purpose(), sealed)
        if place is None:
            raise BadRequest("before is the next of an earlier page of the same list.")
        return self.order.read(place)

    def _purpose(self) -> str:
        """Return what a cursor is good for: this list, and nobody else's."""
        return f"cursor {g.principal.user_id} {self.sort} {self.everyones:d} {digest(self.search)}"


def page(arguments: Mapping[str, str]) -> Page:
    """Return the page that a request's query asks for; raise BadRequest, NotFound, Forbidden, InsufficientScope."""
    limit, wanted = _limit(arguments.get("limit", str(_PAGE))), _wanted(arguments)
    total, total_bytes = wanted.totals()
    query = wanted.order.sort(wanted.all(few=total < _FEW)).limit(limit + 1)
    if before := arguments.get("before"):
        query = wanted.order.after(query, wanted.place(before))
    found = list(db.session.scalars(query))
    following = wanted.cursor(found[limit - 1]) if len(found) > limit else None
    return Page(found[:limit], following, total, total_bytes)


def _limit(given: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,2}", given) or int(given) > _MAX_PAGE:
        raise BadRequest(f"limit is a number from 1 to {_MAX_PAGE}.")
    return int(given)


def _wanted(arguments: Mapping[str, str]) -> Wanted:
    sort, search = arguments.get("sort", "newest"), arguments.get("q", "")
    if sort not in ORDERS:
        raise BadRequest(f"sort is one of: {', '.join(ORDERS)}.")
    if len(search) > _MAX_SEARCH:
        raise BadRequest(f"q has at most {_MAX_SEARCH} characters.")
    return Wanted(sort, fold(search), _is_for_everyones(arguments.get("all", "")))


def _is_for_everyones(given: str) -> bool:
    """Tell whether the list of everybody's documents is asked for, by one who may have it."""
    if given not in ("", "1"):
        raise BadRequest("all is 1, or left out.")
    if not given or g.principal.collects:
        return bool(given)
    if g.principal.scope < Scope.SESSION:
        raise InsufficientScope(Scope.SESSION.name.lower())
    raise Forbidden("Only a collector's account lists everybody's documents.")

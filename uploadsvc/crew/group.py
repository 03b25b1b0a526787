"""Group commit: calls of one thread that come to the same point pass it together, and what is done there is done once.

Two syncs and a commit cost as much for one upload as for ten. A thread for each upload that waits would cost more than
that saves, so each runs in a greenlet: a call that can be left at any depth and taken up again, in the same thread.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

Item = TypeVar("Item")


class Group:
    """The calls of one thread that wait for each other."""

    def __init__(self) -> None:
        self._waiting: list[tuple[_Call, Any]] = []

    def run(self, call: Callable[[], None]) -> None:
        """Do `call`, which raises nothing, until it ends or waits within `together`."""
        _Call(call, self).switch()

    def settle(self) -> Iterator[None]:
        """Do what they wait for, and let each go on to its end; yield after each."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            items = [item for _, item in waiting]
            for call, _ in waiting:
                call.switch(items)
                items = []
                yield

    def wait(self, call: "_Call", item: Any) -> list[Any]:
        """Leave `call` until the others have come as far; return what it is to do for all of them, if anything."""
        self._waiting.append((call, item))
        items: list[Any] = call.parent.switch()
        return items


class _Call(greenlet):
    def __init__(self, call: Callable[[], None], group: Group) -> None:
        super().__init__(call)
        self.group = group


def together(work: Callable[[list[Item]], None], item: Item) -> None:
    """Have `work` done for the items of all calls that wait for it; outside of a group for this one, at once.

    One of the calls does it, in its own context, and may fail: what became of an item, its `work` notes there.
    """
    call = getcurrent()
    items = call.group.wait(call, item) if isinstance(call, _Call) else [item]
    if items:
        work(items)

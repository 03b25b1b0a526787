"""Which sockets the loop waits for, by epoll(7).

waitress asks every connection at every turn whether it wants to read or to write, so that a thousand that are idle cost
each upload a fifth of its time. Here one is asked when something may have changed: it is new, something arrived or
left, a thread is at work for it; and every second, for then its time may be over.
"""

import select
from typing import Any

from waitress.wasyncore import readwrite

_READ = select.EPOLLIN | select.EPOLLPRI
_WRITE = select.EPOLLOUT


class Watch(dict[int, Any]):
    """waitress's map of what it waits for, by descriptor. Only the thread that turns the loop calls its methods."""

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll()
        self._events: dict[int, int] = {}  # that are waited for, by descriptor
        self._stirred: set[int] = set()  # descriptors whose events may have changed

    def __setitem__(self, descriptor: int, watched: Any) -> None:
        super().__setitem__(descriptor, watched)
        self._stirred.add(descriptor)

    def __delitem__(self, descriptor: int) -> None:
        super().__delitem__(descriptor)
        self._stirred.discard(descriptor)
        self._wait_for(descriptor, 0)

    def stir(self, descriptor: int | None) -> None:
        """Have the one with this descriptor asked; one that was closed has None."""
        if descriptor is not None:
            self._stirred.add(descriptor)

    def stir_all(self) -> None:
        """Have all of them asked."""
        self._stirred.update(self)

    def turn(self, seconds: float) -> None:
        """Wait so long at the most, and have those read or write that can."""
        while self._stirred:  # the server, when it is asked, looks at the clock and may stir all
            descriptor = self._stirred.pop()
            watched = self.get(descriptor)
            if watched is not None:
                self._wait_for(descriptor, _wanted(watched))
        for descriptor, events in self._epoll.poll(seconds):
            watched = self.get(descriptor)
            if watched is not None:
                self._stirred.add(descriptor)
                readwrite(watched, events)

    def close(self) -> None:
        """Wait for nothing any more. Idempotent."""
        self._epoll.close()

    def _wait_for(self, descriptor: int, events: int) -> None:
        before = self._events.get(descriptor, 0)
        if events == before or self._epoll.closed:
            return
        if not events:
            self._epoll.unregister(descriptor)
            del self._events[descriptor]
        elif before:
            self._epoll.modify(descriptor, events)
            self._events[descriptor] = events
        else:
            self._epoll.register(descriptor, events)
            self._events[descriptor] = events


def _wanted(watched: Any) -> int:
    """Return the events that a server, a trigger or a connection waits for."""
    reads = _READ if watched.readable() else 0
    return reads | (_WRITE if watched.writable() and not watched.accepting else 0)

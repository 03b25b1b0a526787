"""The threads of the server: one leads, the others stand by.

The leader turns the I/O loop and answers what has arrived itself, so that a small request is read, answered and sent
by one thread: handing it to another costs more than answering it, for two threads in turn pull every object through the
caches of two cores. Nobody waits for a slow answer: a task that is known to be long, and every task while the storage
is slow, as a bucket always is, begins with passing the lead on; and when one takes longer than PATIENCE a thread that
stands by takes the loop over.

Uploads that have arrived together are stored together (group.py), after everything else that has arrived with them. One
thread at a time does so: what arrives meanwhile is its next group, so the slower the disk is, the larger they get.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from .group import Group, together

__all__ = ["Crew", "Task", "together"]

log = logging.getLogger("uploadsvc.server")

PATIENCE = 0.005  # seconds: some changes of thread
_STORING = 0.02  # seconds more for what a group does once: two threads in each other's way take longer than that
_DOZE = 0.1  # seconds without a task after which nobody watches the leader
_ASIDE = 2  # long tasks at a time that are worth a thread of their own: more only compete for the interpreter
_NAP = 1.0  # seconds: the main thread wakes for a signal that the system gave to another


class Task(Protocol):
    """What waitress and the channels queue."""

    is_long: bool
    gathers: bool  # it may wait for others of its kind, and nothing else that it does takes long

    def service(self) -> None:
        """Do it."""

    def cancel(self) -> None:
        """Give it up: the server stops."""


class Crew:
    """Takes the place of waitress's dispatcher. `turn(seconds)` turns the loop once, `wake()` ends its wait.

    `storage_is_slow()` tells whether a task takes longer than to change threads.
    """

    def __init__(
        self,
        turn: Callable[[float], None],
        wake: Callable[[], None],
        storage_is_slow: Callable[[], bool] = bool,
    ) -> None:
        self.queue: deque[Task] = deque()
        self._gathering: deque[Task] = deque()  # those that gather
        self._turn = turn
        self._wake = wake
        self._storage_is_slow = storage_is_slow
        self._lock = threading.Lock()  # for the four fields below
        self._leader: threading.Thread | None = None
        self._standing_by = 0
        self._busy_since: float | None = None  # the leader's task
        self._aside = 0
        self._dismissed = threading.Event()
        self._storing = threading.Lock()  # held by the one that stores a group
        self.failure: BaseException | None = None  # what the loop raised, if it did
        self._watch = threading.Lock()  # held by the one that watches the leader
        self._bell = threading.Event()
        self._last_task = 0.0

    def start(self, count: int) -> None:
        """Start `count` threads to answer, and the one that turns the loop meanwhile."""
        self._threads = [threading.Thread(target=self._work, name=f"crew-{n}", daemon=True) for n in range(count + 1)]
        for thread in self._threads:
            thread.start()

    def add_task(self, task: Task) -> None:
        """Queue a task; only the leader takes it up, and one that queues it itself is awake."""
        (self._gathering if task.gathers else self.queue).append(task)
        if self._leader is not threading.current_thread():
            self._wake()

    @property
    def waiting(self) -> int:
        """Return how many tasks wait to be taken up."""
        return len(self.queue) + len(self._gathering)

    def wait(self) -> None:
        """Return when the crew is dismissed. The caller is none of it: who can end what a thread waits for is free."""
        while not self._dismissed.wait(_NAP):
            continue

    def _work(self) -> None:
        """Stand by, lead, and stand by again, until the crew is dismissed."""
        me = threading.current_thread()
        try:
            while not self._dismissed.is_set():
                self._stand_by(me)
                while self._leader is me and not self._dismissed.is_set():
                    self._lead(me)
        except BaseException as error:
            self.failure = error  # the process ends, and whoever watches it starts another
            self.dismiss()

    def dismiss(self) -> None:
        """Have every thread end when its task is done, and `wait` return."""
        self._dismissed.set()
        self._bell.set()

    def shutdown(self, seconds: float) -> None:
        """Wait for the threads, and cancel what is still queued."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))
        for queue in (self.queue, self._gathering):
            while queue:
                queue.popleft().cancel()

    def _stand_by(self, me: threading.Thread) -> None:
        with self._lock:
            self._standing_by += 1
        if self.waiting:
            self._wake()  # the leader may have had nobody to pass the lead to
        with self._watch:
            while not self._takes_over(me):
                dozing = self._busy_since is None and time.monotonic() - self._last_task > _DOZE
                self._bell.wait(_NAP if dozing else PATIENCE)
                self._bell.clear()

    def _takes_over(self, me: threading.Thread) -> bool:
        with self._lock:
            since = self._busy_since
            late = since is not None and time.monotonic() - since > PATIENCE
            if not (late or self._leader is None or self._dismissed.is_set()):
                return False
            self._standing_by -= 1
            self._leader, self._busy_since = me, None
            return True

    def _lead(self, me: threading.Thread) -> None:
        """Turn the loop once, and do what is queued then, as long as somebody could take the loop over."""
        self._turn(self._may_wait())
        for _ in range(len(self.queue)):
            if not self._can_leave(me):
                return
            self._do(self.queue.popleft(), me)
        if self._gathering and self._can_leave(me) and self._storing.acquire(blocking=False):
            try:
                self._store(me)
            finally:
                self._storing.release()
                self._wake()  # the leader may have had to leave the next group to us

    def _may_wait(self) -> float:
        """Return the seconds that the loop may wait for something to happen."""
        if not self._standing_by:
            return 1
        if self.queue:
            return 0
        if self._gathering:
            return PATIENCE if self._storing.locked() else 0
        return 1

    def _can_leave(self, me: threading.Thread) -> bool:
        """Tell whether the leader may turn to a task: it leads, and somebody stands by."""
        return self._leader is me and self._standing_by > 0

    def _do(self, task: Task, me: threading.Thread) -> None:
        """Do a task; pass the lead on first when it will take long, or wait for a slow storage."""
        aside = self._storage_is_slow() or (task.is_long and self._aside < _ASIDE)
        with self._busy(me, aside):
            _attempt(task)

    def _store(self, me: threading.Thread) -> None:
        """Do what gathers, together; pass the lead on first when the storage is slow."""
        group = Group()
        with self._busy(me, self._storage_is_slow()):
            for _ in range(len(self._gathering)):
                group.run(partial(_attempt, self._gathering.popleft()))
                self._go_on(me)
            self._go_on(me, _STORING)
            for _ in group.settle():
                self._go_on(me)

    def _go_on(self, me: threading.Thread, longer: float = 0.0) -> None:
        """Have the leader watched as if it began now, or later: several short tasks are not one that takes long."""
        with self._lock:
            if self._leader is me:
                self._busy_since = time.monotonic() + longer

    @contextmanager
    def _busy(self, me: threading.Thread, aside: bool = False) -> Iterator[None]:
        """Have the leader watched while it does something else than turn the loop, or the lead passed on before."""
        with self._lock:
            dozing = time.monotonic() - self._last_task > _DOZE
            self._busy_since = self._last_task = time.monotonic()
            if aside:
                self._aside += 1
                self._leader = None
        if aside or dozing:
            self._bell.set()
        try:
            yield
        finally:
            with self._lock:
                self._aside -= aside
                if self._leader is me:
                    self._busy_since = None


def _attempt(task: Task) -> None:
    try:
        task.service()
    except BaseException:
        log.exception("task_failed")

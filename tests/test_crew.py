"""The crew of threads, with a loop and tasks of a few lines: nobody waits for a slow task, and nothing turns idly."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest

from tests.support.clock import eventually
from uploadsvc.crew import Crew, together

pytestmark = pytest.mark.alone


class Loop:
    """Stands in for the server's: waits to be woken, and counts its turns and who turned it."""

    def __init__(self) -> None:
        self.turns, self.leaders = 0, set[threading.Thread]()
        self.woken = threading.Event()

    def turn(self, seconds: float) -> None:
        self.turns += 1
        self.leaders.add(threading.current_thread())
        self.woken.wait(seconds)
        self.woken.clear()


class Job:
    """A task that does what it is given."""

    def __init__(self, act: Callable[[], object], is_long: bool = False, gathers: bool = False) -> None:
        self.is_long, self.gathers, self._act = is_long, gathers, act
        self.ended, self.cancelled = threading.Event(), False

    def service(self) -> None:
        try:
            self._act()
        finally:
            self.ended.set()

    def cancel(self) -> None:
        self.cancelled = True


def nothing() -> None:
    """A task's work, when all that counts is that it was done."""


@contextmanager
def working(beside: int = 3, storage_is_slow: bool = False, queued: Sequence[Job] = ()) -> Iterator[tuple[Crew, Loop]]:
    """A crew at work on what is queued: a thread to turn the loop, and so many beside it; all have ended afterwards."""
    loop = Loop()
    crew = Crew(loop.turn, loop.woken.set, lambda: storage_is_slow)
    for job in queued:
        crew.add_task(job)
    before = threading.active_count()
    crew.start(beside)
    try:
        yield crew, loop
    finally:
        crew.dismiss()
        loop.woken.set()
        crew.shutdown(5)
    assert eventually(lambda: threading.active_count() == before)


def is_served(crew: Crew, seconds: float = 5) -> bool:
    job = Job(nothing)
    crew.add_task(job)
    return job.ended.wait(seconds)


def test_a_task_that_blocks_does_not_stop_the_loop() -> None:
    """Another thread takes the loop over; as many tasks can block as there are threads but one."""
    release = threading.Event()
    with working() as (crew, loop):
        jobs = [Job(release.wait) for _ in range(2)]
        for job in jobs:
            crew.add_task(job)
            assert is_served(crew)
        assert [job.ended.is_set() for job in jobs] == [False, False]
        assert len(loop.leaders) > 1
        release.set()
        assert all(job.ended.wait(5) for job in jobs)
        assert is_served(crew)


def test_a_long_task_is_done_beside_the_loop() -> None:
    """The lead is passed on before it begins, so that a short one waits for nothing."""
    release = threading.Event()
    with working() as (crew, _):
        long = Job(release.wait, is_long=True)
        crew.add_task(long)
        short = [is_served(crew) for _ in range(20)]
        assert (all(short), long.ended.is_set()) == (True, False)
        release.set()
        assert long.ended.wait(5)


def test_while_the_storage_is_slow_every_task_is_done_beside_the_loop() -> None:
    """As many wait at once as there are threads to spare, and none of them first for its patience to end."""
    together = threading.Barrier(4)
    with working(storage_is_slow=True) as (crew, loop):
        jobs = [Job(lambda: together.wait(20)) for _ in range(3)]
        for job in jobs:
            crew.add_task(job)
        together.wait(20)
        assert all(job.ended.wait(20) for job in jobs)
        assert loop.turns


def test_what_gathers_is_stored_together_after_what_came_with_it() -> None:
    """Issue 12: three that gather, and between them one that does not; it waits for none of them."""
    order: list[object] = []

    def store(number: int) -> None:
        together(order.append, number)
        order.append("answered")

    jobs = [Job(partial(store, number), gathers=True) for number in range(3)]
    other = Job(lambda: order.append("other"))
    with working(queued=[jobs[0], other, *jobs[1:]]):
        assert all(job.ended.wait(5) for job in (*jobs, other))
    assert order == ["other", [0, 1, 2], "answered", "answered", "answered"]


@pytest.mark.parametrize("storage_is_slow", [False, True])
def test_while_a_group_is_being_stored_the_next_one_gathers(storage_is_slow: bool) -> None:
    """Issue 12: what arrives during a slow sync shares the next one; the loop turns, and others are served."""
    begun, release, stored = threading.Event(), threading.Event(), list[list[int]]()

    def work(numbers: list[int]) -> None:
        stored.append(numbers)
        begun.set()
        release.wait(5)

    with working(storage_is_slow=storage_is_slow) as (crew, _):
        jobs = [Job(partial(together, work, number), gathers=True) for number in range(5)]
        crew.add_task(jobs[0])
        assert begun.wait(5)
        for job in jobs[1:]:
            crew.add_task(job)
            assert is_served(crew)
        assert stored == [[0]]
        release.set()
        assert all(job.ended.wait(5) for job in jobs)
    assert [len(numbers) for numbers in stored] == [1, 4]


def test_the_last_thread_keeps_the_loop() -> None:
    """When all others are busy it turns the loop and takes no task; what is queued waits for one of them."""
    release = threading.Event()
    with working(beside=2) as (crew, loop):
        busy = [Job(release.wait) for _ in range(2)]
        for job in busy:
            crew.add_task(job)
        assert eventually(lambda: not crew.queue)
        late = Job(nothing)
        crew.add_task(late)
        assert not late.ended.wait(0.5)
        turns = loop.turns
        loop.woken.set()
        assert eventually(lambda: loop.turns > turns)
        release.set()
        assert late.ended.wait(5)
        assert all(job.ended.wait(5) for job in busy)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_exception_in_a_task_is_logged_and_the_crew_goes_on(
    caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    """No thread is lost, however often, and whatever was raised."""

    def fail() -> None:
        raise error

    with working() as (crew, _):
        with caplog.at_level(logging.ERROR, "uploadsvc.server"):
            for _ in range(10):
                crew.add_task(Job(fail))
                crew.add_task(Job(fail, is_long=True))
            assert eventually(lambda: [record.message for record in caplog.records] == ["task_failed"] * 20)
        assert is_served(crew)


def test_thousands_of_tasks_from_many_threads_are_done_once_each() -> None:
    """No task is lost or done twice, with short and long and slow ones among them."""
    done: list[int] = []

    def task(number: int) -> Job:
        return Job(lambda: (time.sleep(0.01 * (number % 100 == 0)), done.append(number)), is_long=number % 7 == 0)

    with working() as (crew, _):
        adders = [
            threading.Thread(target=lambda first=first: [crew.add_task(task(n)) for n in range(first, 4000, 4)])
            for first in range(4)
        ]
        for adder in adders:
            adder.start()
        assert eventually(lambda: len(done) == 4000, 30)
    assert sorted(done) == list(range(4000))


def test_dismissal_ends_every_thread_and_cancels_what_is_queued() -> None:
    """Also those that stand by, and the one whose task ends only then."""
    release = threading.Event()
    with working(beside=1) as (crew, loop):
        busy, queued = Job(release.wait), Job(nothing)
        crew.add_task(busy)
        assert eventually(lambda: not crew.queue)
        crew.add_task(queued)
        crew.dismiss()
        loop.woken.set()
        release.set()
    assert (busy.ended.is_set(), queued.cancelled) == (True, not queued.ended.is_set())


def test_who_waits_for_the_crew_is_free_when_every_thread_is_stuck() -> None:
    """Else a stop could not close the connection that a thread waits for: it may be the one that would close it."""
    release, begun = threading.Event(), threading.Semaphore(0)

    def block() -> None:
        begun.release()
        release.wait()

    with working(beside=3) as (crew, loop):
        for _ in range(3):
            crew.add_task(Job(block))
            assert begun.acquire(timeout=5)
        crew.dismiss()
        loop.woken.set()
        waiting = threading.Thread(target=crew.wait)
        waiting.start()
        waiting.join(5)
        assert not waiting.is_alive()
        release.set()


def test_a_loop_that_fails_ends_the_crew() -> None:
    """The supervisor starts it anew; a service that does not turn would only look alive."""

    def fail(_seconds: float) -> None:
        raise OSError

    crew = Crew(fail, nothing)
    crew.start(3)
    crew.wait()
    crew.shutdown(5)
    assert isinstance(crew.failure, OSError)


def test_an_idle_crew_takes_no_processor_time() -> None:
    """Nor does one that has just been busy, or one whose task waits: next to nothing, over a second."""
    release = threading.Event()
    with working() as (crew, loop):
        assert is_served(crew)
        time.sleep(0.5)
        before, turns = time.process_time(), loop.turns
        time.sleep(1)
        assert time.process_time() - before < 0.1
        assert loop.turns - turns < 10
        crew.add_task(Job(release.wait))
        time.sleep(0.5)
        before, turns = time.process_time(), loop.turns
        time.sleep(1)
        assert time.process_time() - before < 0.1
        assert loop.turns - turns < 10
        release.set()

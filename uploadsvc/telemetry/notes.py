"""What is to be counted, until it is.

A request only notes it. Among all its other work, which pushes everything else out of the processor's cache, counting
takes several times as long as for many notes in a row. So they are counted once a second, at a scrape, or a thousand
at once.
"""

from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram

_MANY = 1000  # notes: half a millisecond's work
_notes: deque[tuple[Callable[[float], None], float]] = deque()


@cache
def into(metric: Histogram | Counter, *labels: Any) -> Callable[[float], None]:
    """Return what enters a value into the series with these labels: `observe` of a histogram, `inc` of a counter."""
    series: Any = metric.labels(*labels) if labels else metric
    enter: Callable[[float], None] = series.observe if isinstance(metric, Histogram) else series.inc
    return enter


def note(enter: Callable[[float], None], value: float) -> None:
    """Have `value` entered soon."""
    _notes.append((enter, value))
    if len(_notes) > _MANY:
        count_notes()


def count_notes() -> None:
    """Enter all that is noted; several threads may do so at once."""
    while _notes:
        try:
            enter, value = _notes.popleft()
        except IndexError:  # another thread was faster
            return
        enter(value)

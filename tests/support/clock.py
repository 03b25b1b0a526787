"""Time: waiting for what is to happen, what it costs the processor, and what it may cost on this machine."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

YARDSTICK = 0.010  # processor seconds of `measured_work` on the machine that the tests' limits were measured on


def eventually(condition: Callable[[], Any], seconds: float = 10) -> bool:
    """Does it become true in time?"""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(found)


def cpu_seconds(pid: int | str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu(action: Callable[[], Any]) -> float:
    """The least CPU seconds of three runs: the others tell about the machine."""
    seconds = []
    for _ in range(3):
        before = time.process_time()
        action()
        seconds.append(time.process_time() - before)
    return min(seconds)


def allowance(seconds: float) -> float:
    """So many processor seconds of the machine that a limit was measured on, in seconds of this one at this moment."""
    return seconds * max(1, cpu(measured_work) / YARDSTICK)


def measured_work() -> int:
    """What an interpreter does all day: numbers, text, bytes and a table of them."""
    table = {str(number): b"%d" % number for number in range(40_000)}
    return sum(len(text) for text in table.values())

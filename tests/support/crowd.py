"""Many at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def at_once(send: Callable[[int], Any], number: int = 20) -> list[Any]:
    """What `send` returns for 0, 1, 2 …, all begun at the same moment."""
    gate = threading.Barrier(number)

    def begin(n: int) -> Any:
        gate.wait(20)
        return send(n)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))

"""Windows and counters of this process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Any

from limits.storage import MovingWindowSupport, Storage

_MAX_KEYS = 50_000  # some 20 MB; a stranger with that many networks is not stopped by counting them


class BoundedMemory(Storage, MovingWindowSupport):
    """Keeps windows and counters in this process; beyond `keys` the one that was left alone longest is forgotten.

    The library's MemoryStorage goes through every key after each try: 40 ms of everybody's time at 20 000 keys.
    This one looks at two, so a try costs the same however many keys there are.
    """

    STORAGE_SCHEME = None

    def __init__(self, keys: int = _MAX_KEYS, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._keys = keys
        self._clock = clock  # seconds since the epoch
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, tuple[float, list[float]]] = OrderedDict()  # key: its end, its tries
        self._counters: OrderedDict[str, tuple[float, int]] = OrderedDict()  # key: its end, its count

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what the library may wrap; nothing here fails."""
        return ValueError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` tries; tell whether no more than `limit` lie within the last `expiry` seconds."""
        moment = self._clock()
        with self._lock:
            _, former = self._windows.pop(key, (0.0, []))
            tries = [then for then in former if then > moment - expiry]
            fits = len(tries) + amount <= limit
            if fits:
                tries += [moment] * amount
            self._windows[key] = (moment + expiry, tries)
            self._forget(self._windows, moment)
        return fits

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the time of the window's first try and the number of its tries."""
        moment = self._clock()
        with self._lock:
            _, former = self._windows.get(key, (0.0, []))
        tries = [then for then in former if then > moment - expiry]
        return (tries[0], len(tries)) if tries else (moment, 0)

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a counter that ends `expiry` seconds after it began; return it."""
        moment = self._clock()
        with self._lock:
            end, count = self._counters.pop(key, (0.0, 0))
            end, count = (end, count) if end > moment else (moment + expiry, 0)
            self._counters[key] = (end, count + amount)
            self._forget(self._counters, moment)
        return count + amount

    def get(self, key: str) -> int:
        """Return a counter; one that has ended is 0."""
        with self._lock:
            end, count = self._counters.get(key, (0.0, 0))
        return count if end > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """Return when a counter ends, as seconds since the epoch."""
        with self._lock:
            return self._counters.get(key, (self._clock(), 0))[0]

    def clear(self, key: str) -> None:
        """Forget a window or a counter."""
        with self._lock:
            self._windows.pop(key, None)
            self._counters.pop(key, None)

    def check(self) -> bool:
        """Tell that memory answers."""
        return True

    def reset(self) -> int:
        """Forget everything; return how many keys there were."""
        with self._lock:
            keys = len(self._windows) + len(self._counters)
            self._windows.clear()
            self._counters.clear()
        return keys

    def _forget(self, entries: OrderedDict[str, tuple[float, Any]], moment: float) -> None:
        """Drop what is over, or one too many, of the two entries left alone longest: each try adds but one."""
        for key in list(islice(entries, 2)):
            if entries[key][0] <= moment or len(entries) > self._keys:
                del entries[key]

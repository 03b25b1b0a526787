"""Windows and counters of all processes."""

from limits.storage import MovingWindowSupport, Storage

from .memory import BoundedMemory
from .store import Store


class SharedMemory(Storage, MovingWindowSupport):
    """Keeps windows and counters in the store; while that is lost, windows of this process alone take their place.

    What a sign-in settles (its wrong tries forgotten, its address known) is remembered in both, and the store gets it
    later if need be: so an owner stays known while it is lost, and is not locked out when it is back.
    """

    STORAGE_SCHEME = None

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._there = store.windows
        self._here = BoundedMemory()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what the library may wrap; nothing here fails."""
        return ValueError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` tries; tell whether no more than `limit` lie within the last `expiry` seconds."""
        given = (key, limit, expiry, amount)
        return self._store.ask(lambda: self._there.acquire_entry(*given), lambda: self._here.acquire_entry(*given))

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the time of the window's first try and the number of its tries."""
        given = (key, limit, expiry)
        return self._store.ask(
            lambda: self._there.get_moving_window(*given), lambda: self._here.get_moving_window(*given)
        )

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter that ends `expiry` seconds after it began; return it."""
        count = self._here.incr(key, expiry, amount)
        return self._store.ask(lambda: self._there.incr(key, expiry, amount), lambda: count, owed=True)

    def get(self, key: str) -> int:
        """Return a counter; one that has ended is 0."""
        return self._store.ask(lambda: self._there.get(key), lambda: self._here.get(key))

    def get_expiry(self, key: str) -> float:
        """Return when a counter ends, as seconds since the epoch."""
        return self._store.ask(lambda: self._there.get_expiry(key), lambda: self._here.get_expiry(key))

    def clear(self, key: str) -> None:
        """Forget a window or a counter."""
        self._here.clear(key)
        self._store.ask(lambda: self._there.clear(key), lambda: None, owed=True)

    def check(self) -> bool:
        """Tell that somebody counts."""
        return True

    def reset(self) -> int | None:
        """Forget everything; return how many keys there were."""
        here = self._here.reset()
        return self._store.ask(self._there.reset, lambda: here)

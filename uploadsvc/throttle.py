"""How often one may try to sign in, counted before bcrypt runs; and how many uploads an account may have open."""

import hashlib
import ipaddress
import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

from .errors import TooManyRequests

_PER_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="address")
_PER_PAIR = RateLimitItemPerMinute(10, 15, namespace="pair")
_PER_ACCOUNT = RateLimitItemPerHour(100, namespace="account")
_KNOWN_FOR = 30 * 24 * 3600  # seconds an address stays known after its last sign-in
_MAX_KEYS = 50_000  # some 20 MB; a stranger with that many networks is not stopped by counting them
_LAST_PLACE_WAIT = 2.0  # seconds, ten checks at the default cost


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


class LoginThrottle:
    """Moving windows per address, per account from one address, and per account from all unknown addresses.

    A pair of account and address that has signed in before is known: it is counted in windows of its own alone, and
    of the threads that may check passwords at once one is kept for it. So strangers, however many, neither lock the
    owner out nor crowd him out (NIST SP 800-63B §3.2.2).
    """

    def __init__(self, threads: int) -> None:
        self._storage = BoundedMemory()
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._places = threading.BoundedSemaphore(max(1, threads - 1))
        self._strangers = threading.BoundedSemaphore(max(1, threads - 2))
        # Of two threads one may check, so no place can be kept: there a known pair waits for the strangers' one.
        self._wait = _LAST_PLACE_WAIT if threads == 2 else 0.0  # noqa: PLR2004

    @contextmanager
    def attempt(self, remote_addr: str, email: str) -> Iterator[None]:
        """Count one try, then hold a place for its password check; raise TooManyRequests.

        What finds no place has been counted all the same, so a flood soon runs into its window.
        """
        address, account = network_of(remote_addr), _account(email)
        known = bool(self._storage.get(_known(account, address)))
        self._count(address, account, known)
        with ExitStack() as held:
            if not known:
                held.enter_context(_held(self._strangers, 0))
            held.enter_context(_held(self._places, self._wait if known else 0))
            yield

    def succeeded(self, remote_addr: str, email: str) -> None:
        """Forget the pair's wrong tries and remember that the address is the account's."""
        address, account = network_of(remote_addr), _account(email)
        self._limiter.clear(_PER_PAIR, account + address)
        self._storage.clear(_known(account, address))  # a counter's end is set when it begins
        self._storage.incr(_known(account, address), _KNOWN_FOR)

    def _count(self, address: str, account: str, known: bool) -> None:
        """Count one try; raise TooManyRequests, with the seconds to wait, when a window is full."""
        pair = account + address
        windows: list[tuple[RateLimitItem, str]] = [(_PER_ADDRESS, address), (_PER_PAIR, pair), (_PER_ACCOUNT, account)]
        if known:
            windows = [(_PER_ADDRESS, pair), (_PER_PAIR, pair)]
        for window, key in windows:
            if not self._limiter.hit(window, key):
                reset = self._limiter.get_window_stats(window, key).reset_time
                wait, scope = max(1, math.ceil(reset - time.time())), window.namespace
                raise TooManyRequests("Too many attempts to sign in. Wait a while and try again.", wait, scope)


@contextmanager
def _held(places: threading.BoundedSemaphore, wait: float) -> Iterator[None]:
    """Hold one of `places`, for which `wait` seconds are waited; raise TooManyRequests when there is none."""
    if not places.acquire(timeout=wait):
        raise TooManyRequests("Many people are signing in right now. Try again in a second.", 1, "checks")
    try:
        yield
    finally:
        places.release()


class OpenUploads:
    """Counts the uploads that each account has open in this process: staged files, descriptors, room on the disk."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[int] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, user: int) -> Iterator[None]:
        """Hold one of the user's places; raise TooManyRequests when all are taken."""
        with self._lock:
            if self._open[user] >= self._most:
                message = "You have too many uploads open at once. Wait until some have ended."
                raise TooManyRequests(message, 1, "uploads")
            self._open[user] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[user] -= 1
                if not self._open[user]:
                    del self._open[user]


def network_of(remote_addr: str) -> str:
    """Return the address, or the /64 network of an IPv6 one: a household has 2^64 of them.

    An IPv4 address in IPv6's clothes (RFC 4291 §2.5.5.2) is the IPv4 address.
    """
    try:
        address = ipaddress.ip_address(remote_addr)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address), 64), strict=False))


def _account(email: str) -> str:
    """Return a key of bounded length that holds no name."""
    return hashlib.sha256(email.encode()).hexdigest()[:32]


def _known(account: str, address: str) -> str:
    return f"known/{account}/{address}"

"""How often one may try to sign in, and how many passwords are checked at once."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter

from ..errors import TooManyRequests
from .memory import BoundedMemory
from .network import network_of
from .shared import SharedMemory
from .store import Store
from .windows import full

_PER_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="address")
_PER_PAIR = RateLimitItemPerMinute(10, 15, namespace="pair")
_PER_ACCOUNT = RateLimitItemPerHour(100, namespace="account")
_KNOWN_FOR = 30 * 24 * 3600  # seconds an address stays known after its last sign-in
_LAST_PLACE_WAIT = 2.0  # seconds, ten checks at the default cost


class LoginThrottle:
    """Moving windows per address, per account from one address, and per account from all unknown addresses.

    A pair of account and address that has signed in before is known: it is counted in windows of its own alone, and
    of the threads that may check passwords at once one is kept for it. So strangers, however many, neither lock the
    owner out nor crowd him out (NIST SP 800-63B §3.2.2). With a `store` all processes count together; the places for
    checks are each process's own.
    """

    def __init__(self, threads: int, store: Store | None = None) -> None:
        self._storage = SharedMemory(store) if store else BoundedMemory()
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
                raise full(self._limiter, window, key, "Too many attempts to sign in. Wait a while and try again.")


@contextmanager
def _held(places: threading.BoundedSemaphore, wait: float) -> Iterator[None]:
    """Hold one of `places`, for which `wait` seconds are waited; raise TooManyRequests when there is none."""
    if not places.acquire(timeout=wait):
        raise TooManyRequests("Many people are signing in right now. Try again in a second.", 1, "checks")
    try:
        yield
    finally:
        places.release()


def _account(email: str) -> str:
    """Return a key of bounded length that holds no name."""
    return hashlib.sha256(email.encode()).hexdigest()[:32]


def _known(account: str, address: str) -> str:
    return f"known/{account}/{address}"

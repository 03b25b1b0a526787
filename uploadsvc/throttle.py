"""How often one may try to sign in: counted before the password is checked, so a flood costs no bcrypt."""

import hashlib
import ipaddress
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from .errors import TooManyRequests

_PER_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="address")
_PER_PAIR = RateLimitItemPerMinute(10, 15, namespace="pair")
_PER_ACCOUNT = RateLimitItemPerHour(100, namespace="account")
_KNOWN_FOR = 30 * 24 * 3600  # seconds an address that signed in stays known


class LoginThrottle:
    """Three moving windows: an address, an account from one address, an account from everywhere unknown.

    A stranger can fill the last one; the owner, whose address has signed in before, is not counted there, so
    nobody can be locked out for ever (NIST SP 800-63B §3.2.2).
    """

    def __init__(self, threads: int) -> None:
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._checks = threading.BoundedSemaphore(max(1, threads - 1))

    def count(self, remote_addr: str, email: str) -> None:
        """Count one try; raise TooManyRequests, with the seconds to wait, when a window is full."""
        address, account = _address(remote_addr), _account(email)
        windows: list[tuple[RateLimitItem, str]] = [(_PER_ADDRESS, address), (_PER_PAIR, account + address)]
        if not self._storage.get(_known(account, address)):
            windows.append((_PER_ACCOUNT, account))
        for window, key in windows:
            if not self._limiter.hit(window, key):
                reset = self._limiter.get_window_stats(window, key).reset_time
                raise TooManyRequests(
                    "Too many attempts to sign in. Wait a while and try again.", max(1, math.ceil(reset - time.time()))
                )

    def succeeded(self, remote_addr: str, email: str) -> None:
        """Forget the pair's tries and remember that the address is the account's."""
        address, account = _address(remote_addr), _account(email)
        self._limiter.clear(_PER_PAIR, account + address)
        self._storage.incr(_known(account, address), _KNOWN_FOR)

    @contextmanager
    def password_check(self) -> Iterator[None]:
        """Hold one of the places for password checks; raise TooManyRequests when only one thread is left free."""
        if not self._checks.acquire(blocking=False):
            raise TooManyRequests("Many people are signing in right now. Try again in a second.", 1)
        try:
            yield
        finally:
            self._checks.release()


def _address(remote_addr: str) -> str:
    """Return the address, or the /64 network of an IPv6 one: a household has 2^64 of them."""
    try:
        address = ipaddress.ip_address(remote_addr)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if address.version == 6 else str(address)  # noqa: PLR2004


def _account(email: str) -> str:
    """Return a key of bounded length that holds no name."""
    return hashlib.sha256(email.encode()).hexdigest()[:32]


def _known(account: str, address: str) -> str:
    return f"known/{account}/{address}"

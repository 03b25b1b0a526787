"""How often one may come with a file request's secret, and be wrong about it."""

from limits import RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter

from .memory import BoundedMemory
from .network import network_of
from .shared import SharedMemory
from .store import Store
from .windows import full

_PER_REQUEST = RateLimitItemPerMinute(1800, namespace="request")  # thirty a second: a class that hands in at once
_PER_ADDRESS = RateLimitItemPerMinute(600, namespace="visitor")  # ten a second: a folder of small files
_WRONG = RateLimitItemPerMinute(60, 15, namespace="secret")  # as many as wrong passwords
_KNOWN_FOR = 30 * 24 * 3600  # seconds an address stays known to a request after it was first let in
_TOO_OFTEN = "Too many uploads came in a short time. Wait a while and try again."
_TOO_WRONG = "Too many links that are not valid came from here. Wait a while and try again."


class VisitorThrottle:
    """Moving windows per file request, per address, and for wrong secrets from an address.

    When the last one is full, nobody at the address is let in but by a request that has let it in before: so whoever
    guesses in the same house keeps nobody from sending. With a `store` all processes count together.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._storage = SharedMemory(store) if store else BoundedMemory()
        self._limiter = MovingWindowRateLimiter(self._storage)

    def visit(self, remote_addr: str, request_id: str) -> None:
        """Count one visit with the right secret; raise TooManyRequests."""
        address = network_of(remote_addr)
        known = f"visited/{request_id}/{address}"
        is_known = bool(self._storage.get(known))
        if not is_known and not self._limiter.test(_WRONG, address):
            raise full(self._limiter, _WRONG, address, _TOO_WRONG)
        for window, key in ((_PER_REQUEST, request_id), (_PER_ADDRESS, address)):
            if not self._limiter.hit(window, key):
                raise full(self._limiter, window, key, _TOO_OFTEN)
        if not is_known:
            self._storage.incr(known, _KNOWN_FOR)

    def wrong(self, remote_addr: str) -> None:
        """Count one wrong secret; raise TooManyRequests when there were too many."""
        address = network_of(remote_addr)
        if not self._limiter.hit(_WRONG, address):
            raise full(self._limiter, _WRONG, address, _TOO_WRONG)

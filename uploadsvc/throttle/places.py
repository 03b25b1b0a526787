"""The uploads that an account, or the visitors of a file request, have open."""

import secrets
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from ..errors import TooManyRequests
from .store import PREFIX, Store

_EVERY = 0.5  # seconds between two exchanges of the counts
_LEASE = 5  # seconds for which what a process told counts: one that was killed holds nobody's places for longer
_LAST_WAIT = 2.0  # seconds for the last exchange, which frees the places of this process at once
_MOST_TOLD = 2000  # owners, more than a process has connections
_MOST_READ = 20_000  # counts of other processes
_EXCHANGE = """
-- Keeps the caller's counts, and returns those of all other processes: owner, count, owner, count...
-- KEYS: the processes, each with its end; the caller's counts. ARGV: the caller's name, seconds for which its counts
-- are good, after how many no further process is read, the prefix of every process's counts; owner, count...
local name, lease, most, prefix = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local now = tonumber(redis.call('time')[1])
redis.call('del', KEYS[2])
redis.call('zrem', KEYS[1], name)
redis.call('zremrangebyscore', KEYS[1], '-inf', now)
if #ARGV > 4 then
    redis.call('hset', KEYS[2], unpack(ARGV, 5))
    redis.call('expire', KEYS[2], lease)
    redis.call('zadd', KEYS[1], now + lease, name)
    redis.call('expire', KEYS[1], 2 * lease)
end
local counts, length = {}, 0
for _, other in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
    if other ~= name and length < most then
        for _, value in ipairs(redis.call('hgetall', prefix .. other)) do
            length = length + 1
            counts[length] = value
        end
    end
end
return counts
"""


class OpenUploads:
    """Counts the uploads that each owner has open: staged files, descriptors, room on the disk.

    An owner is an account's id, or a file request's: its visitors take no places of the account's own.

    A place is taken in an I/O loop, so nothing is asked then: the process counts its own, and what others told last is
    added. They tell every half second within `shared`, so over several processes the limit may be overrun for about a
    second. Without a store, or while it is lost, each process counts for itself.
    """

    def __init__(self, most: int, store: Store | None = None) -> None:
        self._most = most
        self._store = store
        self._open: Counter[str] = Counter()
        self._elsewhere: Mapping[str, int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def place(self, owner: int | str) -> Iterator[None]:
        """Hold one of the owner's places; raise TooManyRequests when all are taken."""
        name = str(owner)
        with self._lock:
            if self._open[name] + self._elsewhere.get(name, 0) >= self._most:
                message = "You have too many uploads open at once. Wait until some have ended."
                raise TooManyRequests(message, 1, "uploads")
            self._open[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[name] -= 1
                if not self._open[name]:
                    del self._open[name]

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Tell the other processes what is open here, and hear of theirs, until the block ends."""
        if self._store is None:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._share, args=(self._store, ended), daemon=True, name="open-uploads")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(_LAST_WAIT)

    def _share(self, store: Store, ended: threading.Event) -> None:
        exchange = _Exchange(store)
        while not ended.is_set():
            with self._lock:
                counts = dict(islice(self._open.items(), _MOST_TOLD))
            self._elsewhere = store.ask(partial(exchange.tell, counts), dict)
            ended.wait(_EVERY)
        store.ask(partial(exchange.tell, {}), dict)


class _Exchange:
    """One process among those that tell each other what is open."""

    def __init__(self, store: Store) -> None:
        self._name = secrets.token_hex(8)
        self._script: Any = store.windows.get_connection().register_script(_EXCHANGE.encode())  # sends nothing yet

    def tell(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Tell how many uploads each owner has open here; return how many they have in all other processes."""
        prefix = f"{PREFIX}:open/owners/"  # of versions before, which read numbers alone: open/
        told = [part for pair in counts.items() for part in pair]
        keys = [f"{PREFIX}:processes", prefix + self._name]
        heard = self._script(keys, [self._name, _LEASE, _MOST_READ, prefix, *told])
        others: Counter[str] = Counter()
        for owner, count in zip(heard[::2], heard[1::2], strict=True):
            others[owner.decode()] += int(count)
        return others

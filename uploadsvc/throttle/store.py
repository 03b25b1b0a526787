"""The Redis or Valkey that several processes count in, and what is done while it cannot be reached."""

import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from limits.storage import RedisStorage

if TYPE_CHECKING:  # an extra: whoever shares nothing has not installed it
    from redis import ConnectionPool

log = logging.getLogger("uploadsvc.throttle")

Answer = TypeVar("Answer")
PREFIX = "uploadsvc"  # of every key of ours, so that others may use the same database
_PATIENCE = 0.5  # seconds for a connection, and of silence before an answer that takes a ten-thousandth of that
_PAUSE = 1.0  # seconds between looks whether it is back
_MOST_OWED = 10_000  # commands, of three thousand sign-ins, that it gets when it is back
_MOST_REASON = 200  # characters: what is no Redis may answer anything


class Store:
    """Counts for all processes. While it is lost each counts for itself, and only a thread waits for its return.

    `windows` is the library's storage. Building it contacts nobody, so a start does not need the server.
    """

    def __init__(self, url: str) -> None:
        url = url.removeprefix("redis+")
        self.windows = RedisStorage(url, connection_pool=_connections(url), key_prefix=PREFIX)
        self.lost = False
        self._secret = urlsplit(url).password or ""
        self._lock = threading.Lock()  # for `lost` and what is owed
        self._owed: deque[Callable[[], Any]] = deque(maxlen=_MOST_OWED)

    def ask(self, question: Callable[[], Answer], otherwise: Callable[[], Answer], owed: bool = False) -> Answer:
        """Return what the store answers to `question`, or what `otherwise` does while it is lost.

        A question that is `owed` is put when the store is back: what it changes would be missed for long.
        """
        if not self.lost:
            try:
                return question()
            except Exception as error:  # whatever a store does, or what is none: nobody's sign-in fails for it
                self._lose(error)
        with self._lock:
            if owed and self.lost:
                self._owed.append(question)
        return otherwise()

    def is_back(self) -> bool:
        """Tell whether it takes what it is owed, and anything at all; then it is asked again."""
        try:
            self.windows.incr("probe", 60)  # a write by a script, as all are: a full or a read-only one answers pings
            while self._owed:
                self._owed.popleft()()  # one that fails is forgotten, lest it stand in the way for ever
        except Exception:  # for the reasons above
            return False
        with self._lock:
            self.lost = bool(self._owed)
        if not self.lost:
            log.info("throttle_store_back")
        return not self.lost

    def _lose(self, error: Exception) -> None:
        """Have everybody do without, tell it once, and have one thread look for its return."""
        with self._lock:
            if self.lost:
                return
            self.lost = True
        log.warning("throttle_store_lost", extra={"reason": self._plainly(error)})
        threading.Thread(target=_look_for, args=(weakref.ref(self),), daemon=True, name="throttle-store").start()

    def _plainly(self, error: Exception) -> str:
        """Return what happened, without the password, which a server may repeat that does not know the command."""
        reason = f"{type(error).__name__}: {error}"
        for secret in filter(None, (self._secret, unquote(self._secret))):
            reason = reason.replace(secret, "***")
        return reason[:_MOST_REASON]


def store_for(url: str) -> Store | None:
    """Return the store at `url`; None where nothing is shared."""
    return Store(url) if url else None


def _connections(url: str) -> "ConnectionPool":
    """Return connections to `url` that neither wait long nor try again: there is another way to count."""
    from redis import ConnectionPool  # noqa: PLC0415 - an extra
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    options: dict[str, Any] = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    return ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), **options)


def _look_for(reference: "weakref.ref[Store]") -> None:
    """Look once a second whether the store is back, as long as anybody would use it."""
    store: Store | None
    while store := reference():
        del store
        time.sleep(_PAUSE)
        store = reference()
        if store is None or store.is_back():
            return

"""What is said of a window that is full."""

import math
import time

from limits import RateLimitItem
from limits.strategies import MovingWindowRateLimiter

from ..errors import TooManyRequests


def full(limiter: MovingWindowRateLimiter, window: RateLimitItem, key: str, sentence: str) -> TooManyRequests:
    """Return the refusal by a window that is full, which names it and the seconds to wait."""
    reset = limiter.get_window_stats(window, key).reset_time
    return TooManyRequests(sentence, max(1, math.ceil(reset - time.time())), window.namespace)

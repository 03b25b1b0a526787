"""How often one may try to sign in, counted before bcrypt runs, or visit; how many uploads one may have open."""

from .logins import LoginThrottle
from .memory import BoundedMemory
from .network import network_of
from .places import OpenUploads
from .shared import SharedMemory
from .store import Store, store_for
from .visitors import VisitorThrottle

__all__ = [
    "BoundedMemory",
    "LoginThrottle",
    "OpenUploads",
    "SharedMemory",
    "Store",
    "VisitorThrottle",
    "network_of",
    "store_for",
]

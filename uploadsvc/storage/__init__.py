"""Where bytes lie, behind the same few methods whatever keeps them."""

from .faults import disk_errors
from .local import LocalStorage, unix_ms
from .room import Reservation
from .staged import Staged, sync_directory

__all__ = ["LocalStorage", "Reservation", "Staged", "disk_errors", "sync_directory", "unix_ms"]

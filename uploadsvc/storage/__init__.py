"""Where bytes lie, behind the same few methods whatever keeps them."""

from .faults import disk_errors
from .kinds import BucketSettings, Storage, storage_for
from .local import LocalStorage
from .names import unix_ms
from .remote import RemoteFile
from .room import Reservation
from .staged import Staged, sync_directory

__all__ = [
    "BucketSettings",
    "LocalStorage",
    "RemoteFile",
    "Reservation",
    "Staged",
    "Storage",
    "disk_errors",
    "storage_for",
    "sync_directory",
    "unix_ms",
]

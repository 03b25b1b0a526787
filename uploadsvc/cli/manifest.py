"""What lies in a backup, and how to tell whether it is whole and whose.

`backup.json` names the database, and is replaced when everything else is on the disk: what it names is whole at every
moment, also while a repeat adds to the folder and after one was killed. A folder without it is no finished backup.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from ..storage import copies

IDENTITY = "instance_id"  # whose backup it is: written first
SECRET = "jwt_secret"  # noqa: S105 - a name
UPLOADS = "uploads"  # as in UPLOADS_DIR
_MANIFEST = "backup.json"
_DATABASE = re.compile(r"app-[0-9a-f]{32}\.db")


@dataclass(frozen=True)
class Manifest:
    """A finished backup: its database, and what that holds."""

    database: str
    size: int  # of the database, bytes
    sha256: str
    documents: int
    finished_at: str | None  # RFC 3339

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """Return what the folder's manifest says; None where there is none that can be believed."""
        try:
            manifest = cls(**json.loads((folder / _MANIFEST).read_bytes()))
            return manifest if _DATABASE.fullmatch(manifest.database) else None
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Make this the folder's backup, in the place of what was."""
        copies.replace(folder / _MANIFEST, json.dumps(asdict(self), indent=2).encode())


def remove_other_databases(folder: Path) -> None:
    """Remove the databases that the manifest does not name: those of earlier backups, and of killed ones."""
    manifest = Manifest.read(folder)
    for file in folder.iterdir():
        if _DATABASE.fullmatch(file.name) and not (manifest and file.name == manifest.database):
            file.unlink(missing_ok=True)

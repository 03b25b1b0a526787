"""What goes over the wire, as JSON Schema (2020-12)."""

from collections.abc import Mapping
from typing import Any

from ..filetypes import TYPES
from ..models import MAX_FILES, SCOPES

Schema = dict[str, Any]

MIMETYPES = [kind.mimetype for kind in TYPES]


def record(members: Mapping[str, Schema], optional: tuple[str, ...] = (), description: str = "") -> Schema:
    """Return the schema of an object with `members`, of which the `optional` ones may be missing."""
    required = [name for name in members if name not in optional]
    schema = {"type": "object", "required": required, "properties": dict(members)}
    return schema | ({"description": description} if description else {})


def several(item: Schema, **bounds: int) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item} | bounds


def or_null(schema: Schema) -> Schema:
    """Return the schema that allows null as well."""
    return schema | {"type": [schema["type"], "null"]}


def ref(name: str) -> Schema:
    """Return the reference to one of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


OK: Schema = {"const": True}
NOT_OK: Schema = {"const": False}
TEXT: Schema = {"type": "string"}
WORD: Schema = {"type": "string", "minLength": 1}
YES_OR_NO: Schema = {"type": "boolean"}
SIZE: Schema = {"type": "integer", "format": "int64", "minimum": 0}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
BINARY: Schema = {"type": "string", "format": "binary"}

SIGNED_IN: dict[str, Schema] = {"accessToken": TEXT, "expiresIn": SECONDS, "csrfToken": TEXT}
TOKEN: dict[str, Schema] = {
    "id": NUMBER,
    "name": TEXT,
    "scope": {"enum": list(SCOPES)},
    "createdAt": TIME,
    "lastUsedAt": or_null(TIME),
    "expiresAt": or_null(TIME),
}
REQUEST: dict[str, Schema] = {
    "id": ID,
    "title": TEXT,
    "note": TEXT,
    "url": {"type": "string", "description": "The link to send; its fragment, which reaches no server, is a secret."},
    "maxFiles": {"type": "integer", "minimum": 1, "maximum": MAX_FILES},
    "filesReceived": {"type": "integer", "minimum": 0, "maximum": MAX_FILES},
    "createdAt": TIME,
    "expiresAt": TIME,
    "over": {"enum": [None, "time", "files", "ended"], "description": "Why nothing more is taken; null: it is open."},
}
_STORED: dict[str, Schema] = {
    "id": ID,
    "filename": TEXT,
    "mimetype": {"enum": MIMETYPES},
    "size": SIZE,
    "sha256": SHA256,
}

SCHEMAS: dict[str, Schema] = {
    "File": record(
        _STORED | {"fieldname": TEXT, "savedTo": TEXT},
        description="A file that this upload has stored; `savedTo` is a name, not an address.",
    ),
    "Document": record(
        _STORED
        | {
            "status": {"const": "success"},
            "createdAt": TIME,
            "uploadedAt": or_null(TIME),
            "via": or_null(
                record(
                    {"token": TEXT, "request": TEXT},
                    ("token", "request"),
                    "The API token's name or the file request's title; null for a session.",
                )
            ),
            "sender": or_null(TEXT | {"description": "What a file request's visitor called himself."}),
            "owner": record({"id": NUMBER, "email": TEXT}, description="Whose it is; only a collector is told."),
        },
        ("owner",),
        description="What was uploaded.",
    ),
    "Session": record(
        {
            "id": ID,
            "current": YES_OR_NO,
            "userAgent": TEXT,
            "createdAt": TIME,
            "lastUsedAt": TIME,
            "expiresAt": TIME,
        },
        description="A sign-in; `current` is the one that asks.",
    ),
    "FileRequest": record(REQUEST, description="What people without an account are asked for."),
    "Token": record(TOKEN, description="An API token, without its text."),
}

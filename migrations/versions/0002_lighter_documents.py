"""lighter documents: fewer indexes, text fields once an upload, and a digest of what each key brought

Revision: 0002, after 0001
"""

import hashlib
import json
from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UPLOAD = ["user_id", "idempotency_key", "part"]
_HAS_KEY = sa.text("idempotency_key IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("documents") as batch_op:
        if op.get_bind().dialect.name == "sqlite":  # the copy loses AUTOINCREMENT, with which the key had no name
            batch_op.create_primary_key("pk_documents", ["id"])
        batch_op.add_column(sa.Column("upload_digest", sa.String(length=64), nullable=True))
        batch_op.drop_constraint("uq_documents_path", type_="unique")
        batch_op.drop_constraint("uq_documents_user_id_idempotency_key_part", type_="unique")
    op.create_index(
        op.f("ix_documents_user_id_idempotency_key_part"),
        "documents",
        _UPLOAD,
        unique=True,
        sqlite_where=_HAS_KEY,
        postgresql_where=_HAS_KEY,
    )
    _add_digests()
    op.execute("UPDATE documents SET fields = NULL WHERE part > 0 AND idempotency_key IS NULL")


def _add_digests() -> None:
    """Tell what each key brought, as far as it is still there, and keep the fields on its first row."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT id, user_id, idempotency_key, filename, size, sha256 FROM documents"
            " WHERE idempotency_key IS NOT NULL ORDER BY user_id, idempotency_key, part"
        )
    )
    for _, upload in groupby(rows.all(), key=lambda row: (row.user_id, row.idempotency_key)):
        files = list(upload)
        digest = hashlib.sha256(json.dumps([(f.filename, f.size, f.sha256) for f in files]).encode()).hexdigest()
        for number, file in enumerate(files):
            fields = "" if number == 0 else ", fields = NULL"
            statement = sa.text(f"UPDATE documents SET upload_digest = :digest{fields} WHERE id = :id")  # noqa: S608
            connection.execute(statement, {"digest": digest, "id": file.id})


def downgrade() -> None:
    op.drop_index(op.f("ix_documents_user_id_idempotency_key_part"), table_name="documents")
    with op.batch_alter_table("documents", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.create_unique_constraint("uq_documents_user_id_idempotency_key_part", _UPLOAD)
        batch_op.create_unique_constraint("uq_documents_path", ["path"])
        batch_op.drop_column("upload_digest")

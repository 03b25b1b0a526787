"""lists and collectors: what documents are searched by, an index for each order, their number, and who sees them all

Revision: 0005, after 0004
"""

import unicodedata
from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ORDERS = (["user_id", "id"], ["user_id", "search_key", "id"], ["user_id", "size", "id"])
_PAGE = 1000  # rows


def _altered(table: str) -> AbstractContextManager[BatchOperations]:
    """Copy the table on SQLite, so that a column added now is written as one of the first; elsewhere alter it."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    return op.batch_alter_table(table, recreate="always" if sqlite else "never")


def upgrade() -> None:
    with _altered("users") as batch_op:
        batch_op.add_column(sa.Column("document_count", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("is_collector", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(
        "UPDATE users SET document_count ="
        " (SELECT COUNT(*) FROM documents WHERE documents.user_id = users.id AND documents.status = 'success')"
    )
    with _altered("documents") as batch_op:
        batch_op.add_column(sa.Column("search_key", _BY_CODE_POINT, server_default="", nullable=False))
        batch_op.drop_index("ix_documents_user_id")
    _add_search_keys()
    for columns in _ORDERS:
        op.create_index(op.f(f"ix_documents_{'_'.join(columns)}"), "documents", columns, unique=False)


def _add_search_keys() -> None:
    """Fold every name, and who sent it, as uploads do from now on; no database does it alike."""
    connection, last = op.get_bind(), 0
    page = sa.text(f"SELECT id, filename, sender FROM documents WHERE id > :last ORDER BY id LIMIT {_PAGE}")  # noqa: S608
    change = sa.text("UPDATE documents SET search_key = :key WHERE id = :id")
    while rows := connection.execute(page, {"last": last}).all():
        connection.execute(change, [{"id": row.id, "key": _key(row.filename, row.sender)} for row in rows])
        last = rows[-1].id


def _key(name: str, sender: str | None) -> str:
    return "\n".join(_folded(text) for text in (name, sender) if text)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def downgrade() -> None:
    for columns in _ORDERS:
        op.drop_index(op.f(f"ix_documents_{'_'.join(columns)}"), table_name="documents")
    with op.batch_alter_table("documents") as batch_op:
        batch_op.drop_column("search_key")
        batch_op.create_index("ix_documents_user_id", ["user_id"], unique=False)
    with op.batch_alter_table("users") as batch_op:
        batch_op.drop_column("is_collector")
        batch_op.drop_column("document_count")

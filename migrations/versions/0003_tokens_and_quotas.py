"""tokens and quotas: a token's scope, the token that a document came by, and how much an account may and does keep

Revision: 0003, after 0002
"""

from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _altered(table: str) -> AbstractContextManager[BatchOperations]:
    """Copy the table on SQLite, so that a column added now is written as one of the first; elsewhere alter it."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    return op.batch_alter_table(table, recreate="always" if sqlite else "never")


def upgrade() -> None:
    with _altered("users") as batch_op:
        batch_op.add_column(sa.Column("quota_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("used_bytes", sa.BigInteger(), server_default="0", nullable=False))
    with _altered("api_tokens") as batch_op:
        batch_op.add_column(sa.Column("scope", sa.String(length=16), server_default="upload", nullable=False))
    with _altered("documents") as batch_op:
        batch_op.add_column(sa.Column("token_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_documents_token_id_api_tokens"), "api_tokens", ["token_id"], ["id"])
    op.execute(
        "UPDATE users SET used_bytes ="
        " (SELECT COALESCE(SUM(size), 0) FROM documents WHERE documents.user_id = users.id)"
    )


def downgrade() -> None:
    with op.batch_alter_table("documents") as batch_op:
        batch_op.drop_constraint(op.f("fk_documents_token_id_api_tokens"), type_="foreignkey")
        batch_op.drop_column("token_id")
    with op.batch_alter_table("api_tokens") as batch_op:
        batch_op.drop_column("scope")
    with op.batch_alter_table("users") as batch_op:
        batch_op.drop_column("used_bytes")
        batch_op.drop_column("quota_bytes")

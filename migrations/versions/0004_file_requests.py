"""file requests: what people without an account are asked for files with, and what came by which, from whom

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("max_files", sa.Integer(), nullable=False),
        sa.Column("files_received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_file_requests_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_requests")),
        sa.UniqueConstraint("public_id", name=op.f("uq_file_requests_public_id")),
    )
    op.create_index(op.f("ix_file_requests_user_id"), "file_requests", ["user_id"], unique=False)
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("documents", recreate="always" if sqlite else "never") as batch_op:
        batch_op.add_column(sa.Column("request_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("sender", sa.String(length=200), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_documents_request_id_file_requests"), "file_requests", ["request_id"], ["id"]
        )


def downgrade() -> None:
    """Keep the documents that visitors sent; by which request they came is lost."""
    with op.batch_alter_table("documents") as batch_op:
        batch_op.drop_constraint(op.f("fk_documents_request_id_file_requests"), type_="foreignkey")
        batch_op.drop_column("sender")
        batch_op.drop_column("request_id")
    op.drop_index(op.f("ix_file_requests_user_id"), table_name="file_requests")
    op.drop_table("file_requests")

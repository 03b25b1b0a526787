"""everybody's orders: an index for each that a collector's list has

Revision: 0007, after 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ORDERS = (["search_key", "id"], ["size", "id"])


def upgrade() -> None:
    for columns in _ORDERS:
        op.create_index(op.f(f"ix_documents_{'_'.join(columns)}"), "documents", columns, unique=False)


def downgrade() -> None:
    for columns in _ORDERS:
        op.drop_index(op.f(f"ix_documents_{'_'.join(columns)}"), table_name="documents")

"""Alembic's environment: every room's tables, and the job queue's beside them."""

from alembic import context

from overread.kit import audit, principals  # noqa: F401
from overread.kit.db import Base
from overread.models import load

load()
_OWNED = ("kit_", "pacs_", "bridge_", "billing_", "cases_")


def _ours(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    """Leave procrastinate's tables to its own schema."""
    return kind != "table" or (name or "").startswith(_OWNED)


def run() -> None:
    """Apply the migrations in one transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        include_object=_ours,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()

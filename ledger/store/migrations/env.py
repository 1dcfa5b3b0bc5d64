"""Alembic's environment: it runs in the connection, and the transaction, that ``run`` gives it."""

from __future__ import annotations

from alembic import context

from ledger.store.base import Base
from ledger.store.database import import_models
from ledger.store.migrations.run import include_name

import_models()
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_name=include_name,
    compare_type=True,
    user_module_prefix="base.",
)
with context.begin_transaction():
    context.run_migrations()

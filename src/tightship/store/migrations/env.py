"""What Alembic runs to migrate: the caller brings the connection, and with it the transaction and the lock."""

from __future__ import annotations

from alembic import context

from tightship.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()

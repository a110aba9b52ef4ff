"""Run the migrations on the connection that `Store.migrate` brings."""

from alembic import context

from notify.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()

"""Alembic's entry point. The connection and its transaction belong to `db.session.Database`."""

from alembic import context

from db.models import Base

# Batch mode: SQLite cannot alter a table, Alembic rebuilds it.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()

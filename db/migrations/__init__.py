"""Alembic migrations; `db.upgrade` runs them."""

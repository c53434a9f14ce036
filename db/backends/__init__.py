"""The two databases behind one interface: SQLite in a file, or a PostgreSQL server."""

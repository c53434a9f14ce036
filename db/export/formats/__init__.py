"""One file an export format: how the tables are written to a folder."""

from db.export.formats.csv import Export, write_csv

__all__ = ["Export", "write_csv"]

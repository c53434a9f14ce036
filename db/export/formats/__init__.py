"""One file an export format: how the tables are written to a folder."""

from db.export.formats.csv import Beside, Export, write_csv

__all__ = ["Beside", "Export", "write_csv"]

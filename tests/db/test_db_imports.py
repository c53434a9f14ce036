"""What the storage package may load."""

import subprocess
import sys
from pathlib import Path

import pytest

import db


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh process after `statement`."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(db.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import db", {"sqlalchemy", "alembic", "pandas"}),
        ("import db.session, db.repository", {"pandas", "numpy"}),
        ("from db.session import Database; Database('study.db')", {"psycopg"}),
        ("import db.export", {"engine", "study_app", "torch", "streamlit"}),
    ],
)
def test_storage_loads_neither_engine_nor_screen(statement, absent):
    assert loaded_by(statement).isdisjoint(absent | {"engine", "study_app", "torch", "streamlit"})

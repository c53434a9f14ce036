"""The database of a test, on SQLite and on PostgreSQL: fixtures, known to every test.

One PostgreSQL server for the whole run, started by the first test that needs it, whichever worker
runs it. Each worker has one database there, emptied for each test: making one takes longer than
most tests do.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from db.models import Base
from db.session import Database

ROOT = Path(__file__).parents[2]
TEMPLATE = "template_plausibly"

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Server:
    """The run's PostgreSQL server; its socket lies in `folder`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._made = 0

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://plausibly@/{name}?host={self.folder}"

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, outside a transaction; its rows."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            done = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in done] if done.returns_rows else []
        engine.dispose()
        return rows

    def new(self, template: str = TEMPLATE) -> str:
        """Make a database, of the newest revision unless another template is named; its URL."""
        self._made += 1
        name = f"made_{os.getpid()}_{self._made}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The server; it ends with the run, whatever ends that."""
    base = tmp_path_factory.getbasetemp()
    worker = "PYTEST_XDIST_WORKER" in os.environ
    note = (base.parent if worker else base) / "postgres-folder"
    with note.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            run = os.getppid() if worker else os.getpid()
            done = subprocess.run(
                [ROOT / "tools/start-postgres", str(run)], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            server = Server(done.stdout.strip())
            server.run(f"CREATE DATABASE {TEMPLATE}")
            template = Database(server.url(TEMPLATE))
            template.upgrade()
            template.close()
            note.write_text(server.folder)
    return Server(note.read_text())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the newest revision, made once: copying it is faster than migrating."""
    opened = Database(tmp_path_factory.mktemp("empty") / "study.db")
    opened.upgrade()
    opened.close()
    assert opened.path is not None
    return opened.path


@pytest.fixture(scope="session")
def emptied(postgres: Server) -> Iterator[Callable[[], str]]:
    """Empties this worker's database on the server and returns its URL."""
    url = postgres.new()
    engine = create_engine(url)

    def empty() -> str:
        with engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
        return url

    yield empty
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database of the newest revision is: a path or a URL."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        return str(shutil.copy(template, tmp_path / "study.db"))
    url: str = request.getfixturevalue("emptied")()
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database, empty and of the newest revision."""
    opened = Database(database_url)
    yield opened
    opened.close()

"""Group commit: one thread writes, and many waiting writes share one durable commit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from db.backends.base import Backend
from db.errors import DatabaseBusyError, DatabaseError

T = TypeVar("T")

MAX_WAITING = 4096  # writes that may wait; more means the disk cannot keep up
MAX_BATCH = 256  # writes per commit; bounds how long the first of a batch waits
MAX_TRIES = 5  # of a write that met another's lock; each ends that meeting for somebody


@dataclass(frozen=True)
class _Job:
    function: Callable[[Session], Any]
    future: Future[Any]
    tries: int = 1


@dataclass(frozen=True)
class _Between:
    """Work outside of any transaction, while this process holds none."""

    function: Callable[[], Any]
    future: Future[Any]


class GroupCommitWriter:
    """Runs functions that write, each in a SAVEPOINT, many to a transaction.

    A function that raises undoes only itself. Futures resolve after the commit, never before: a
    result means that the write is on the disk. If the commit fails, every future of its batch gets
    the error. Functions run again, one by one, if the database undoes a transaction by itself, as
    SQLite does when the disk is full, and after a deadlock; so they should do nothing but use their
    session.
    """

    def __init__(self, engine: Engine, backend: Backend) -> None:
        """Take nothing in yet: the first write starts the thread.

        Args:
            engine: begins its transactions with the write lock.
            backend: reads the errors.
        """
        self._engine = engine
        self._backend = backend
        self._jobs: queue.Queue[_Job | _Between | None] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, function: Callable[[Session], T]) -> Future[T]:
        """Queue `function`; it may be given up to MAX_BATCH neighbours in its transaction.

        Raises:
            DatabaseBusyError: too much is waiting.
            DatabaseError: it was closed.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("a write cannot start another write; call the function directly")
        job = _Job(function, Future())
        self._take(job)
        return job.future

    def between(self, function: Callable[[], T]) -> Future[T]:
        """Queue `function` for the writer thread, to be run while it has no transaction open.

        Raises:
            As `submit`.
        """
        job = _Between(function, Future())
        self._take(job)
        return job.future

    def _take(self, job: _Job | _Between) -> None:
        with self._lock:
            if self._closed:
                raise DatabaseError(f"The database {self._backend.where} is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="db-writer", daemon=True)
                self._thread.start()
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                raise DatabaseBusyError(
                    f"The database {self._backend.where} cannot keep up with the writes; try again."
                ) from None

    def close(self) -> None:
        """Finish what was taken in, then stop. May be called twice."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()

    def _run(self) -> None:
        open_for_work = True
        while open_for_work:
            batch: list[_Job | _Between] = []
            item = self._jobs.get()
            while item is not None:
                batch.append(item)
                if len(batch) == MAX_BATCH:
                    break
                try:
                    item = self._jobs.get_nowait()
                except queue.Empty:
                    break
            else:
                open_for_work = False
            batch = [job for job in batch if job.future.set_running_or_notify_cancel()]
            writes = [job for job in batch if isinstance(job, _Job)]
            if writes:
                self._commit(writes)
            for job in batch:
                if isinstance(job, _Between):
                    self._run_between(job)

    def _run_between(self, job: _Between) -> None:
        try:
            job.future.set_result(job.function())
        except BaseException as error:  # as in a commit: the thread must live on
            job.future.set_exception(self._translated(error))

    def _commit(self, batch: list[_Job]) -> None:
        outcomes: list[tuple[Any, BaseException | None]] = []
        undone = False
        try:
            with self._engine.connect() as connection:
                with connection.begin():
                    for job in batch:
                        outcomes.append(self._in_savepoint(connection, job))
                        if connection.invalidated:  # the server is gone: the others need not try
                            raise outcomes[-1][1] or self._lost()
                        if not self._backend.in_transaction(connection):
                            # The driver would take the coming COMMIT for nothing to do, and say
                            # yes.
                            undone = True
                            raise outcomes[-1][1] or self._lost()
                    self._backend.require_in_place(connection)
                # Again: what was committed into a file that nobody finds any more is not stored.
                self._backend.require_in_place(connection)
        except BaseException as error:  # the thread must live on, and every caller must hear
            if undone and len(batch) > 1:
                for job in batch:
                    self._commit([job])
                return
            failure = self._translated(error)
            for job in batch:
                job.future.set_exception(failure)
            return
        again: list[_Job] = []
        for job, (result, problem) in zip(batch, outcomes, strict=True):
            if problem is None:
                job.future.set_result(result)
            elif job.tries < MAX_TRIES and self._backend.passes(problem):
                again.append(replace(job, tries=job.tries + 1))
            else:
                job.future.set_exception(self._translated(problem))
        for job in again:
            self._commit([job])

    def _in_savepoint(self, connection: Connection, job: _Job) -> tuple[Any, BaseException | None]:
        session = Session(connection, join_transaction_mode="create_savepoint")
        try:
            with session, session.begin():
                return job.function(session), None
        except BaseException as error:
            return None, error

    def _lost(self) -> DatabaseError:
        return DatabaseError(
            f"The database {self._backend.where} undid the transaction; nothing was stored."
        )

    def _translated(self, error: BaseException) -> BaseException:
        translated = self._backend.as_database_error(error)
        if translated is None:
            return error
        if translated is not error:
            translated.__cause__ = error
        return translated

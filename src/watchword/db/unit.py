"""A unit of work: one transaction, one ``now``, and what is to be told once it holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchword.errors import DatabaseUnavailable, ServiceUnavailable
from watchword.world import World


@dataclass(frozen=True, slots=True)
class ReadUnit:
    """Some reads at one ``now``. Each statement sees what has been committed when it runs: a
    snapshot for them all would cost two more round trips, and what matters is read again under a
    lock before anything is changed.
    """

    connection: AsyncConnection
    now: datetime
    world: World

    async def execute(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Run one statement. ``values`` fill the parameters of one that was built beforehand: what
        runs on every request is not put together on every request.
        """
        return await self.connection.execute(statement, values)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, where one writer at a time holds the whole database."""
        return self.connection.dialect.name == "sqlite"


@dataclass(frozen=True, slots=True)
class Unit(ReadUnit):
    """A transaction that may write. Commits when its block ends, rolls back when it raises."""

    announced: list[object] = field(default_factory=list)

    def announce(self, news: object) -> None:
        """Tell the process of ``news`` after the commit, and only if there is one."""
        self.announced.append(news)

    def insert_unless_taken(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that leaves alone what a unique index refuses: the index decides a race."""
        if self.is_sqlite:
            return sqlite.insert(table).on_conflict_do_nothing()
        return postgresql.insert(table).on_conflict_do_nothing()


class Database:
    """The engine, and the only two ways to a transaction: ``read()`` and ``write()``.

    ``deliver`` is called with each announced thing after the commit that it belongs to.
    """

    def __init__(
        self, engine: AsyncEngine, world: World, deliver: Callable[[object], None]
    ) -> None:
        self.engine = engine
        self.world = world
        self._deliver = deliver
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._reader = engine.execution_options(
            **({"watchword_writes": False} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"})
        )
        # SQLite lets one writer in at a time. Waiting here is first come, first served; SQLite's
        # own busy handler sleeps and guesses, and the unlucky wait for seconds.
        self._one_writer = asyncio.Lock() if self.is_sqlite else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadUnit]:
        """Read. Raises DatabaseUnavailable when the database is not there."""
        with unavailable():
            async with self._reader.connect() as connection:
                yield ReadUnit(connection, self.world.now(), self.world)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Unit]:
        """A transaction that writes: committed at the end of the block, undone if it raises."""
        if self._one_writer is None:
            async with self._write() as unit:
                yield unit
        else:
            async with self._one_writer, self._write() as unit:
                yield unit
        for news in unit.announced:
            self._deliver(news)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Unit]:
        with unavailable():
            async with self.engine.begin() as connection:
                yield Unit(connection, self.world.now(), self.world)

    async def ask(self) -> None:
        """Really ask the database something. Raises DatabaseUnavailable."""
        async with self.read() as unit:
            await unit.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Let go of all connections."""
        await self.engine.dispose()


class unavailable:  # noqa: N801 - reads as a statement: ``with unavailable():``
    """Turn the driver's ways of saying "not there" into DatabaseUnavailable (503)."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError) and _clashed(error):
            raise ServiceUnavailable(
                "Another request changed the same at this moment. Try again.",
                retry_after=1,
                detail=f"{type(error).__name__}: {error.orig}",
            ) from error
        if isinstance(error, DBAPIError) and (
            isinstance(error, OperationalError | InterfaceError)
            or error.connection_invalidated
            or _sqlstate(error).startswith(_NOT_THERE)
        ):
            raise DatabaseUnavailable(detail=str(error.orig)) from error
        if isinstance(error, PoolTimeoutError | OSError):
            raise DatabaseUnavailable(detail=f"{type(error).__name__}: {error}") from error


# Deadlock, serialization failure, lock not available, or what a new row hangs on was deleted a
# moment ago: the loser of a race, who may try again.
_CLASHES = frozenset({"40P01", "40001", "55P03", "23503", "SQLITE_CONSTRAINT_FOREIGNKEY"})

# Connection, authorization, no such database, resources (too many connections), a database that
# lets nobody in while it is moved or restored, shutting down.
_NOT_THERE = ("08", "28", "3D", "53", "55000", "57P")


def _clashed(error: DBAPIError) -> bool:
    return (_sqlstate(error) or getattr(error.orig, "sqlite_errorname", "")) in _CLASHES


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""

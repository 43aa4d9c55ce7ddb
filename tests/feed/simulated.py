"""Workers as in life (feed, cursor, view, verifier, guard, SQL), time and the network simulated.

The table is a real one in memory. What a transaction has written shows when it commits; a look
stands still before its statement and after it, for as long as the test wants it to.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Engine, Executable, create_engine, event, text
from sqlalchemy.pool import StaticPool

from watchword.accounts.guards import principal_of
from watchword.core import Core
from watchword.db.unit import Database, ReadUnit, Unit
from watchword.errors import DatabaseUnavailable, InvalidAccessToken
from watchword.keys.keyring import Keyring, shared_keys
from watchword.revocations._tables import token_blacklist
from watchword.revocations.feed import Feed
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.verify.revocations import Revocation, RevocationView
from watchword.verify.token import AccessToken
from watchword.verify.verifier import Verifier
from watchword.world import World

SETTINGS = Settings(
    algorithm="HS256",
    secret_key=Secret("a-secret-key-of-the-tests-0123456789-abcdefgh"),
    access_token_expire_minutes=1,
)
BOUND = SETTINGS.revocation_max_staleness_seconds
START = 1_700_000_000.0


@dataclass
class Time:
    """The true time, which no worker can see."""

    now: float = 0.0
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class WorkersWorld(World):
    """One machine's clocks: a wall clock that is off, and one that counts from anywhere."""

    time: Time
    zero: float
    off: Callable[[], float]

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def timestamp(self) -> float:
        return START + self.time.now + self.off()

    def monotonic(self) -> float:
        return self.zero + self.time.now

    def random_bytes(self, count: int) -> bytes:
        self.time.drawn += 1
        return self.time.drawn.to_bytes(count, "big")


@dataclass
class Transaction:
    """Rows that nobody sees yet, and what is to be told when they show."""

    ids: list[int] = field(default_factory=list)
    announced: list[object] = field(default_factory=list)
    payloads: list[str] = field(default_factory=list)


class Store:
    """What all workers share: the table, and whether the database can be reached."""

    def __init__(self) -> None:
        self.connection = _open().connect()
        self.connection.execute(token_blacklist.delete())
        self.connection.commit()
        self.away = False
        self.unseen: set[int] = set()

    def close(self) -> None:
        self.connection.close()

    def run(
        self, statement: Executable, values: Mapping[str, Any] | None, writer: Transaction | None
    ) -> Any:
        before = self._last_id()
        _told.clear()
        result = self.connection.execute(statement, values)
        if writer is not None:
            new = range(before + 1, self._last_id() + 1)
            writer.ids += new
            writer.payloads += _told
            self.unseen.update(new)
        if not result.returns_rows:
            return SimpleNamespace(rowcount=result.rowcount)
        rows = [row for row in result.all() if getattr(row, "id", None) not in self.unseen]
        return SimpleNamespace(all=lambda: rows)

    def end(self, transaction: Transaction, *, commits: bool) -> None:
        self.unseen.difference_update(transaction.ids)
        if not commits:
            column = token_blacklist.c.id
            self.connection.execute(token_blacklist.delete().where(column.in_(transaction.ids)))

    def _last_id(self) -> int:
        query = text("SELECT seq FROM sqlite_sequence WHERE name = 'token_blacklist'")
        return int(self.connection.execute(query).scalar() or 0)


_told: list[str] = []
_engines: list[Engine] = []


def _open() -> Engine:
    if not _engines:
        engine = create_engine("sqlite://", poolclass=StaticPool)

        @event.listens_for(engine, "connect")
        def connect(raw: sqlite3.Connection, _record: object) -> None:
            raw.create_function("pg_notify", 2, lambda _channel, payload: _told.append(payload))

        token_blacklist.metadata.create_all(engine, [token_blacklist])
        _engines.append(engine)
    return _engines[0]


class Link:
    """A connection as ``Unit`` uses one, of a dialect that notifies."""

    dialect = SimpleNamespace(name="postgresql")

    def __init__(self, database: SimulatedDatabase, writer: Transaction | None = None) -> None:
        self._database = database
        self._writer = writer

    async def execute(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Any:
        result = self._database.store.run(statement, values, self._writer)
        if self._writer is None:
            await self._database.stand_still()
        return result


class SimulatedDatabase:
    """One worker's way to the store. A look stands still twice; ``go_on`` lets it, or fails it."""

    def __init__(self, store: Store, world: WorkersWorld, loop: Any) -> None:
        self.store = store
        self.world = world
        self.failed_at = -1.0
        self._loop = loop
        self._standing: asyncio.Future[None] | None = None

    @property
    def is_looking(self) -> bool:
        return self._standing is not None

    async def stand_still(self) -> None:
        if self.store.away:
            self.fail()
        self._standing = self._loop.create_future()
        try:
            await self._standing
        finally:
            self._standing = None
        if self.store.away:
            self.fail()

    def fail(self) -> None:
        self.failed_at = self.world.time.now
        raise DatabaseUnavailable(detail="away")

    def go_on(self) -> None:
        if self._standing is not None and not self._standing.done():
            self._standing.set_result(None)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadUnit]:
        began = self.world.monotonic()
        await self.stand_still()
        yield ReadUnit(cast(Any, Link(self)), self.world.now(), self.world)
        if self.world.monotonic() - began > BOUND:
            self.failed_at = self.world.time.now

    def write(self, transaction: Transaction) -> Unit:
        unit = Unit(cast(Any, Link(self, transaction)), self.world.now(), self.world)
        transaction.announced = unit.announced
        return unit


@dataclass
class Request:
    """A request under way: its answer comes when the look that it waits for has ended."""

    token: str
    task: asyncio.Task[AccessToken]
    asked_at: float


class Worker:
    """A process: what it knows is gone when it crashes, its clocks are its machine's."""

    def __init__(self, store: Store, time: Time, zero: float, loop: Any) -> None:
        self.off = 0.0
        self.world = WorkersWorld(time, zero, lambda: self.off)
        self.keyring = Keyring(shared_keys([cast(Secret, SETTINGS.secret_key)]))
        self._store, self._loop = store, loop
        self.up = False
        self.listens = False
        self.incarnation = 0
        self.requests: list[Request] = []
        self.looks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to start: it is up when its first look has succeeded."""
        view = RevocationView()
        self.incarnation += 1
        self.database = SimulatedDatabase(self._store, self.world, self._loop)
        self.feed = Feed(view, self.world, BOUND)
        self.verifier = Verifier(
            issuer=SETTINGS.base_url,
            audience=SETTINGS.token_audience,
            keys=self.keyring.accepted,
            now=self.world.timestamp,
            is_revoked=view.is_revoked,
        )
        parts = {"verifier": self.verifier, "feed": self.feed, "database": self.database}
        self.core = cast(Core, SimpleNamespace(**parts))
        self.look()

    def crash(self) -> None:
        for task in [*self.looks, *(each.task for each in self.requests)]:
            task.cancel()
        self.up = self.listens = False
        self.looks, self.requests = [], []

    def look(self) -> None:
        database = cast(Database, self.database)
        self.looks.append(self._loop.create_task(self.feed.catch_up(database)))

    def ask(self, token: str) -> None:
        task = self._loop.create_task(principal_of(self.core, f"Bearer {token}".encode()))
        self.requests.append(Request(token, task, self.world.time.now))

    def answers_at_once(self, token: str) -> bool:
        """What it says to a request while it is not stale: it may not wait for anything."""
        guard = principal_of(self.core, f"Bearer {token}".encode())
        try:
            guard.send(None)
        except StopIteration:
            return True
        except InvalidAccessToken:
            return False
        raise AssertionError("it waits although it knows")

    def commit(self, transaction: Transaction) -> None:
        """The rows show, and this process hears of them from itself."""
        self._store.end(transaction, commits=True)
        for news in transaction.announced:
            if isinstance(news, Revocation):
                self.feed.announce(news)


def run(work: Any) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


def let_tasks_run(loop: asyncio.AbstractEventLoop) -> None:
    """As far as they come before they wait for something that the test decides."""

    async def breathe() -> None:
        for _ in range(6):
            await asyncio.sleep(0)

    loop.run_until_complete(breathe())

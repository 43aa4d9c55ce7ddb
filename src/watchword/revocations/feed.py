"""The feed: how this process learns what others have revoked, and how long ago it last did.

Invariant: no request is accepted later than REVOCATION_MAX_STALENESS_SECONDS after the answer to
the call that revoked its token. Mostly it is milliseconds (``listen.py``); when nothing has been
heard for that long, ``is_stale`` makes the guards ask the database before they believe a token.
"""

from __future__ import annotations

import asyncio

from watchword.db.unit import Database
from watchword.revocations import _queries as queries
from watchword.revocations.cursor import FIRST_LOOK_BACK, Cursor
from watchword.verify.revocations import Kind, Revocation, RevocationView
from watchword.world import World


class Feed:
    """How far this process has read, and when it last knew everything."""

    def __init__(self, view: RevocationView, world: World, max_staleness: float) -> None:
        self.view = view
        self._world = world
        self._max_staleness = max_staleness
        self._cursor = Cursor()
        self._heard_at: float | None = None
        self._reading = asyncio.Lock()
        self._followers: set[asyncio.Queue[Revocation]] = set()

    def is_stale(self) -> bool:
        """Whether it is too long ago that everything was known."""
        heard = self._heard_at
        return heard is None or self._world.monotonic() - heard > self._max_staleness

    def apply(self, entry: Revocation) -> None:
        """Refuse from now on what the entry ends, and pass it on to whoever follows."""
        if self.view.apply(entry):
            for follower in self._followers:
                follower.put_nowait(entry)

    def follow(self) -> asyncio.Queue[Revocation]:
        """A queue that every new entry is put into, until ``unfollow``."""
        queue: asyncio.Queue[Revocation] = asyncio.Queue()
        self._followers.add(queue)
        return queue

    def unfollow(self, queue: asyncio.Queue[Revocation]) -> None:
        """Put nothing into the queue any more."""
        self._followers.discard(queue)

    async def catch_up(self, database: Database) -> None:
        """Read what is new. Raises DatabaseUnavailable, and then is as stale as before.

        Many requests that find the feed stale at once make one reading: who waited for one that
        began after it asked need not read again.
        """
        asked = self._world.monotonic()
        async with self._reading:
            if self._heard_at is not None and self._heard_at >= asked:
                return
            began = self._world.monotonic()
            await self._read(database, began)
            # Counted from before the reading: what was committed by then has been seen.
            self._heard_at = began

    async def _read(self, database: Database, now: float) -> None:
        async with database.read() as unit:
            if self._heard_at is None:
                # The highest first: a row that appears between the two is above it, read later.
                top = await queries.highest_id(unit)
                rows = await queries.live(unit)
                present = await queries.ids_above(unit, top - FIRST_LOOK_BACK)
                self._cursor.start(top, present, now)
                self._cursor.saw([row.id for row in rows], now)
            else:
                rows = await queries.new(unit, self._cursor.top, self._cursor.missing)
                self._cursor.saw([row.id for row in rows], now)
        for row in rows:
            self.apply(
                Revocation(Kind(row.kind), row.subject, row.bound, row.expires_at.timestamp())
            )
        self.view.forget_expired(unit.now.timestamp())

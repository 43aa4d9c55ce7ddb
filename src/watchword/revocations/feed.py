"""The feed: how this process learns what others have revoked, and how long ago it last did.

Invariant: no request is accepted later than REVOCATION_MAX_STALENESS_SECONDS after the answer to
the call that revoked its token. Mostly it is milliseconds (``listen.py``); when nothing has been
heard for that long, ``is_stale`` makes the guards ask the database before they believe a token.
"""

from __future__ import annotations

import asyncio
from math import inf

from watchword.db.unit import Database
from watchword.errors import DatabaseUnavailable
from watchword.revocations import _queries as queries
from watchword.revocations.cursor import Cursor
from watchword.verify.revocations import Kind, Revocation, RevocationView
from watchword.world import World

# Requests wait for a look when the feed is stale: no longer than this, whatever the bound is.
_MOST_PATIENCE_SECONDS = 10.0
# What may wait to be published. Beyond, entries are not: everybody finds them in the database.
_MOST_UNPUBLISHED = 1000
# What may wait for a follower. One that is further behind is let go: it can come back and begin
# anew, and a peer that reads nothing must not fill the memory.
_MOST_UNTOLD = 10_000


class Feed:
    """How far this process has read, and when it last knew everything."""

    def __init__(self, view: RevocationView, world: World, max_staleness: float) -> None:
        self.view = view
        self._world = world
        self._max_staleness = max_staleness
        self._cursor = Cursor()
        self._heard_at: float | None = None
        self._reading = asyncio.Lock()
        self._began: float | None = None
        self._trouble: str | None = None
        self._followers: set[asyncio.Queue[Revocation | None]] = set()
        self._unpublished: asyncio.Queue[Revocation] | None = None

    def is_stale(self) -> bool:
        """Whether it is too long ago that everything was known."""
        heard = self._heard_at
        return heard is None or self._world.monotonic() - heard > self._max_staleness

    def age(self) -> float:
        """Seconds since everything was known; infinite before the first look."""
        return inf if self._heard_at is None else self._world.monotonic() - self._heard_at

    def apply(self, entry: Revocation) -> None:
        """Refuse from now on what the entry ends, and pass it on to whoever follows."""
        if self.view.apply(entry):
            for follower in tuple(self._followers):
                if follower.full():
                    self._let_go(follower)
                else:
                    follower.put_nowait(entry)

    def announce(self, entry: Revocation) -> None:
        """Apply what this process itself has committed, and have it published where that is on."""
        self.apply(entry)
        if self._unpublished is not None and not self._unpublished.full():
            self._unpublished.put_nowait(entry)

    def unpublished(self) -> asyncio.Queue[Revocation]:
        """What this process has announced and nobody has published; from the first call on."""
        if self._unpublished is None:
            self._unpublished = asyncio.Queue(_MOST_UNPUBLISHED)
        return self._unpublished

    def follow(self) -> asyncio.Queue[Revocation | None]:
        """A queue that every new entry is put into, until ``unfollow``.

        None in it: nothing comes any more, because its reader is too slow or the process stops.
        """
        queue: asyncio.Queue[Revocation | None] = asyncio.Queue(_MOST_UNTOLD)
        self._followers.add(queue)
        return queue

    def unfollow(self, queue: asyncio.Queue[Revocation | None]) -> None:
        """Put nothing into the queue any more."""
        self._followers.discard(queue)

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    def let_all_go(self) -> None:
        """Tell whoever follows that nothing comes any more: a stop must not wait for them."""
        for follower in tuple(self._followers):
            self._let_go(follower)

    def _let_go(self, follower: asyncio.Queue[Revocation | None]) -> None:
        self._followers.discard(follower)
        if follower.full():
            follower.get_nowait()
        follower.put_nowait(None)

    async def catch_up(self, database: Database) -> None:
        """Read what is new. Raises DatabaseUnavailable, and then is as stale as before.

        Many requests that find the feed stale at once make one reading: who waited for one that
        began after it asked has its outcome, good or bad, and need not wait for another.
        """
        asked = self._world.monotonic()
        async with self._reading:
            if self._began is None or self._began <= asked:
                self._began = self._world.monotonic()
                self._trouble = None
                try:
                    await self._read(database, self._began)
                except Exception as error:
                    self._trouble = getattr(error, "detail", None) or type(error).__name__
                    raise
                except asyncio.CancelledError:
                    # Whoever looked has gone away: that says nothing of the database.
                    self._began = None
                    raise
            elif self._trouble is not None:
                raise DatabaseUnavailable(detail=self._trouble)

    async def _read(self, database: Database, began: float) -> None:
        # A look that takes longer than the bound can't say any more what holds now, and one that
        # hangs would keep all others waiting. Only the first may be long: nothing waits for it.
        patience = min(self._max_staleness, _MOST_PATIENCE_SECONDS)
        try:
            async with (
                asyncio.timeout(None if self._heard_at is None else patience),
                database.read() as unit,
            ):
                if self._heard_at is None:
                    rows = await queries.live(unit)
                else:
                    rows = await queries.new(unit, self._cursor.top, self._cursor.gaps)
        except TimeoutError as error:
            raise DatabaseUnavailable(detail=f"no answer within {patience} s") from error
        for row in rows:
            self.apply(
                Revocation(Kind(row.kind), row.subject, row.bound, row.expires_at.timestamp())
            )
        # After they have been applied: a row that can't be understood is not one that was read.
        self._cursor.saw([row.id for row in rows], began)
        self.view.forget_expired(unit.now.timestamp())
        # Counted from before the reading: what was committed by then has been seen.
        self._heard_at = began

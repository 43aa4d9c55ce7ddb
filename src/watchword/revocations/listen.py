"""Hearing of a revocation when it happens, rather than at the next look.

PostgreSQL: LISTEN on a connection of its own; the notification carries the entry itself. SQLite:
``PRAGMA data_version``, which says that another connection has written. Both only make it faster:
the looks every REVOCATION_POLL_SECONDS make good what a broken or pooled connection loses.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

import aiosqlite

from watchword.db.engine import lone_engine
from watchword.db.unit import Database, unavailable
from watchword.errors import DatabaseUnavailable
from watchword.revocations.feed import Feed
from watchword.revocations.service import CHANNEL
from watchword.settings.schema import Settings
from watchword.verify.revocations import Revocation
from watchword.world import World

_log = logging.getLogger("watchword.revocations")
_LOOK_SECONDS = 0.05
_ALIVE_SECONDS = 5.0


async def listen(database: Database, feed: Feed, settings: Settings, world: World) -> None:
    """Hear until it breaks: then raise, and be called again."""
    if database.is_sqlite:
        await _watch(database, feed, world)
    else:
        await _listen(database, feed, settings)


def hear(feed: Feed, payload: str) -> None:
    """Apply the entries of one message, a line each."""
    for line in payload.splitlines():
        try:
            feed.apply(Revocation.from_line(line))
        except ValueError:
            # Anybody who may connect can notify; a line that is none of ours ends nothing.
            _log.warning("a message could not be read", extra={"event": "revocations.unreadable"})


async def _listen(database: Database, feed: Feed, settings: Settings) -> None:
    broken = asyncio.Event()

    def heard(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
        hear(feed, payload)

    engine = lone_engine(settings)
    try:
        with unavailable():
            async with engine.connect() as connection:
                raw = await connection.get_raw_connection()
                driver: Any = raw.driver_connection
                driver.add_termination_listener(lambda _: broken.set())
                await driver.add_listener(CHANNEL, heard)
                # What was told between the last look and now was told to nobody here.
                await feed.catch_up(database)
                while not broken.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(broken.wait(), _ALIVE_SECONDS)
                    # A peer that is gone without a word is found out by asking.
                    await driver.execute("SELECT 1", timeout=_ALIVE_SECONDS)
                raise DatabaseUnavailable(detail="the listening connection was closed")
    finally:
        await engine.dispose()


async def _watch(database: Database, feed: Feed, world: World) -> None:
    path = database.engine.url.database or ""
    with unavailable():
        async with aiosqlite.connect(path, isolation_level=None) as connection:
            seen = None
            while True:
                async with connection.execute("PRAGMA data_version") as cursor:
                    version = await cursor.fetchone()
                if version != seen:
                    await feed.catch_up(database)
                    seen = version
                await world.sleep(_LOOK_SECONDS)

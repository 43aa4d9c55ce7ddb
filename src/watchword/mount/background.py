"""What goes on beside the requests: sending mail, reading the feed, housekeeping.

Each is a loop that no trouble ends: a database that is away for an hour must find them alive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from watchword.core import Core
from watchword.db.unit import Unit
from watchword.email import outbox, sender
from watchword.keys import service as keys
from watchword.revocations import pubsub
from watchword.revocations import service as revocations
from watchword.revocations.listen import listen
from watchword.sessions import service as sessions
from watchword.tokens import onetime

_log = logging.getLogger("watchword.background")
_HOUSEKEEPING_SECONDS = 60.0
_BATCH = 500
_RECONNECT_SECONDS = 0.5
# That a mail was sent, and to whom, is of use when somebody says that it never came.
_MAIL_KEPT = timedelta(days=7)


@asynccontextmanager
async def background(core: Core) -> AsyncIterator[None]:
    """Run the loops for as long as the block lasts."""
    rounds: list[tuple[str, float, Callable[[], Awaitable[None]]]] = [
        ("revocations", core.settings.revocation_poll_seconds, lambda: read_feed(core)),
        ("keys", keys.KEYS_RELOAD_SECONDS, lambda: reload_keys(core)),
        ("housekeeping", _HOUSEKEEPING_SECONDS, lambda: keep_house(core)),
        ("listener", _RECONNECT_SECONDS, lambda: hear(core)),
    ]
    carrier = None
    if core.settings.revocation_url is not None:
        carrier = pubsub.client_of(core.settings.revocation_url)
        carry = partial(pubsub.exchange, carrier, core.database, core.feed, core.settings)
        rounds.append(("pubsub", _RECONNECT_SECONDS, carry))
    tasks = [asyncio.create_task(_repeat(core, *each), name=each[0]) for each in rounds]
    tasks.append(asyncio.create_task(sender.run(core.mailer, core.database), name="mail"))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if carrier is not None:
            await carrier.aclose()


async def read_feed(core: Core) -> None:
    """Learn what other processes have revoked."""
    await core.feed.catch_up(core.database)
    core.metrics.revocations.set(len(core.feed.view))


async def hear(core: Core) -> None:
    """Hear of revocations as they happen, for as long as the connection lasts."""
    await listen(core.database, core.feed, core.settings, core.world)


async def reload_keys(core: Core) -> None:
    """Learn which keys other processes have made, used and retired."""
    core.keyring.replace(await keys.load(core.database, core.sealer, core.settings))


async def keep_house(core: Core) -> None:
    """Delete what is of no more use, a small batch at a time, and count what waits."""
    core.limits.forget_idle()
    async with core.database.write() as unit:
        await keys.retire_due(unit)
    for clean_up in (revocations.clean_up, onetime.clean_up, sessions.clean_up, _clean_outbox):
        deleted = _BATCH
        while deleted == _BATCH:
            async with core.database.write() as unit:
                deleted = await clean_up(unit, limit=_BATCH)
    async with core.database.read() as read:
        core.metrics.outbox.set(await outbox.waiting(read))


async def _clean_outbox(unit: Unit, *, limit: int) -> int:
    return await outbox.clean_up(unit, unit.now - _MAIL_KEPT, limit=limit)


async def _repeat(
    core: Core, name: str, seconds: float, work: Callable[[], Awaitable[None]]
) -> None:
    troubled = False
    while True:
        await core.world.sleep(seconds)
        try:
            await work()
        except Exception:  # noqa: BLE001 - whatever the trouble is, the loop must outlive it
            core.metrics.background_failures.labels(name).inc()
            # Once for each trouble, not once a second for as long as it lasts.
            if not troubled:
                _log.exception(
                    "This fails, and is tried again",
                    extra={"event": "background.failed", "task": name},
                )
            troubled = True
        else:
            # So that whoever reads of the trouble can read how long it lasted.
            if troubled:
                _log.info("It works again", extra={"event": "background.recovered", "task": name})
            troubled = False

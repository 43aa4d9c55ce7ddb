"""Writing revocations, and catching up with those that other processes wrote.

``announce`` makes an entry hold in this process as soon as its transaction has committed; other
workers see it when they next look (REVOCATION_POLL_SECONDS).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchword.db.unit import Database, Unit
from watchword.revocations import _queries as queries
from watchword.revocations.view import Kind, Revocation, RevocationView
from watchword.settings.schema import Settings

# Rows don't commit in the order of their times: each look goes back over this much again.
_OVERLAP = timedelta(seconds=60)

# A token lives a little longer than its own clock says, where another machine's is behind.
_MARGIN = timedelta(minutes=2)


async def revoke_sessions(unit: Unit, settings: Settings, ids: Iterable[uuid.UUID]) -> None:
    """End the access tokens of these sessions."""
    await _write(unit, settings, [(Kind.SESSION, str(sid), 0) for sid in ids])


async def revoke_user(unit: Unit, settings: Settings, user_id: int, epoch: int) -> None:
    """End the user's access tokens that were made before the row reached ``epoch``."""
    await _write(unit, settings, [(Kind.USER, str(user_id), epoch)])


async def revoke_everyone(unit: Unit, settings: Settings, began_up_to: int) -> None:
    """End all access tokens of sessions that began up to then (milliseconds since the epoch)."""
    await _write(unit, settings, [(Kind.EVERYONE, "", began_up_to)])


async def _write(unit: Unit, settings: Settings, ends: list[tuple[Kind, str, int]]) -> None:
    if not ends:
        return
    lives = timedelta(minutes=settings.access_token_expire_minutes) + _MARGIN
    expires_at = unit.now + lives
    entries = [
        Revocation(unit.world.new_id(), kind, subject, bound, expires_at.timestamp())
        for kind, subject, bound in ends
    ]
    await queries.insert_entries(
        unit,
        [
            {
                "id": entry.id,
                "kind": entry.kind.value,
                "subject": entry.subject,
                "bound": entry.bound,
                "created_at": unit.now,
                "expires_at": expires_at,
            }
            for entry in entries
        ],
    )
    for entry in entries:
        unit.announce(entry)


@dataclass(slots=True)
class Feed:
    """How far this process has read. ``catch_up`` reads on."""

    view: RevocationView
    read_up_to: datetime | None = field(default=None)

    async def catch_up(self, database: Database) -> None:
        """Apply what others wrote since the last look. Raises DatabaseUnavailable."""
        since = None if self.read_up_to is None else self.read_up_to - _OVERLAP
        async with database.read() as unit:
            rows = await queries.live(unit, since=since)
        for row in rows:
            self.view.apply(
                Revocation(
                    row.id, Kind(row.kind), row.subject, row.bound, row.expires_at.timestamp()
                )
            )
        self.read_up_to = unit.now
        self.view.forget_expired(unit.now.timestamp())


async def clean_up(unit: Unit, *, limit: int = 500) -> int:
    """Delete some entries that no token can concern any more; gives how many."""
    return await queries.delete_expired(unit, limit)

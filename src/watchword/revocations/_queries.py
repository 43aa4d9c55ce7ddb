"""SQL of the revocations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, delete, insert, select

from watchword.db.unit import ReadUnit, Unit
from watchword.revocations._tables import token_blacklist as blacklist

EntryRow: TypeAlias = Row[Any]


async def insert_entries(unit: Unit, values: Sequence[dict[str, Any]]) -> None:
    """Keep new entries."""
    await unit.execute(insert(blacklist).values(list(values)))


async def live(unit: ReadUnit, *, since: datetime | None) -> Sequence[EntryRow]:
    """Entries that still matter, all or those created since."""
    statement = select(blacklist).where(blacklist.c.expires_at > unit.now)
    if since is not None:
        statement = statement.where(blacklist.c.created_at >= since)
    return (await unit.execute(statement)).all()


async def delete_expired(unit: Unit, limit: int) -> int:
    """Delete up to ``limit`` entries that no token can concern any more."""
    some = select(blacklist.c.id).where(blacklist.c.expires_at <= unit.now).limit(limit)
    rows = await unit.execute(delete(blacklist).where(blacklist.c.id.in_(some)))
    return rows.rowcount

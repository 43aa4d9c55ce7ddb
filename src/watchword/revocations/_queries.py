"""SQL of the revocations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import Row, delete, func, insert, or_, select

from watchword.db.unit import ReadUnit, Unit
from watchword.revocations._tables import token_blacklist as blacklist

EntryRow: TypeAlias = Row[Any]


async def insert_entries(unit: Unit, values: Sequence[dict[str, Any]]) -> None:
    """Keep new entries."""
    await unit.execute(insert(blacklist).values(list(values)))


async def notify(unit: Unit, channel: str, payload: str) -> None:
    """Tell the listeners at the commit (PostgreSQL): nothing is told that does not hold."""
    await unit.execute(select(func.pg_notify(channel, payload)))


async def live(unit: ReadUnit) -> Sequence[EntryRow]:
    """All entries that still matter."""
    statement = select(blacklist).where(blacklist.c.expires_at > unit.now)
    return (await unit.execute(statement)).all()


async def highest_id(unit: ReadUnit) -> int:
    """The highest id that can be seen; 0 for none."""
    statement = select(func.coalesce(func.max(blacklist.c.id), 0))
    return int((await unit.execute(statement)).scalar_one())


async def ids_above(unit: ReadUnit, bound: int) -> Sequence[int]:
    """The ids above this one that can be seen."""
    statement = select(blacklist.c.id).where(blacklist.c.id > bound)
    return (await unit.execute(statement)).scalars().all()


async def new(unit: ReadUnit, top: int, missing: Sequence[int]) -> Sequence[EntryRow]:
    """Entries above ``top``, and of those that were missing the ones that have appeared."""
    wanted = blacklist.c.id > top
    if missing:
        wanted = or_(wanted, blacklist.c.id.in_(missing))
    statement = select(blacklist).where(wanted).order_by(blacklist.c.id)
    return (await unit.execute(statement)).all()


async def delete_expired(unit: Unit, limit: int) -> int:
    """Delete up to ``limit`` entries that no token can concern any more."""
    some = select(blacklist.c.id).where(blacklist.c.expires_at <= unit.now).limit(limit)
    rows = await unit.execute(delete(blacklist).where(blacklist.c.id.in_(some)))
    return rows.rowcount

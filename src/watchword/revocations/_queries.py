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
    statement = select(blacklist).where(blacklist.c.expires_at > unit.now).order_by(blacklist.c.id)
    return (await unit.execute(statement)).all()


async def new(unit: ReadUnit, top: int, gaps: Sequence[tuple[int, int]]) -> Sequence[EntryRow]:
    """Entries above ``top``, and those that have appeared in the gaps (ends included)."""
    appeared = (blacklist.c.id.between(low, high) for low, high in gaps)
    wanted = or_(blacklist.c.id > top, *appeared)
    statement = select(blacklist).where(wanted).order_by(blacklist.c.id)
    return (await unit.execute(statement)).all()


async def delete_expired(unit: Unit, limit: int) -> int:
    """Delete up to ``limit`` entries that no token can concern any more."""
    some = select(blacklist.c.id).where(blacklist.c.expires_at <= unit.now).limit(limit)
    rows = await unit.execute(delete(blacklist).where(blacklist.c.id.in_(some)))
    return rows.rowcount

"""SQL of the signing keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, select, update

from watchword.db.unit import ReadUnit, Unit
from watchword.keys._tables import signing_keys

KeyRow: TypeAlias = Row[Any]


async def insert_unless_taken(unit: Unit, values: dict[str, Any]) -> None:
    """Add a key, unless another process has just filled its place."""
    await unit.execute(unit.insert_unless_taken(signing_keys).values(**values))


async def all_keys(unit: ReadUnit) -> Sequence[KeyRow]:
    """Every key, oldest first."""
    rows = await unit.execute(select(signing_keys).order_by(signing_keys.c.created_at))
    return rows.all()


async def change(unit: Unit, kid: str, status: str, becomes: dict[str, Any]) -> bool:
    """Change a key if its status is still ``status``; says whether it was."""
    rows = await unit.execute(
        update(signing_keys)
        .where(signing_keys.c.kid == kid, signing_keys.c.status == status)
        .values(**becomes)
        .returning(signing_keys.c.kid)
    )
    return rows.first() is not None


async def retire_due(unit: Unit, now: datetime) -> Sequence[str]:
    """Retire the keys whose last token has expired."""
    rows = await unit.execute(
        update(signing_keys)
        .where(signing_keys.c.status == "retiring", signing_keys.c.retires_at <= now)
        .values(status="retired", sealed_private=None)
        .returning(signing_keys.c.kid)
    )
    return [row.kid for row in rows]

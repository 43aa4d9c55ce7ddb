"""SQL of the one-time tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, delete, insert, select, update

from watchword.db.unit import ReadUnit, Unit
from watchword.tokens._tables import one_time_tokens as tokens

TokenRow: TypeAlias = Row[Any]


async def insert_token(unit: Unit, values: dict[str, Any]) -> None:
    """Keep a new token's digest."""
    await unit.execute(insert(tokens).values(**values))


async def find_live(unit: ReadUnit, purpose: str, digest: bytes) -> TokenRow | None:
    """The token of this digest, if it may still be used."""
    rows = await unit.execute(
        select(tokens).where(
            tokens.c.digest == digest,
            tokens.c.purpose == purpose,
            tokens.c.used_at.is_(None),
            tokens.c.expires_at > unit.now,
        )
    )
    return rows.first()


async def use(unit: Unit, purpose: str, digest: bytes) -> TokenRow | None:
    """Use the token: one statement, so that of many who try at once one succeeds."""
    rows = await unit.execute(
        update(tokens)
        .where(
            tokens.c.digest == digest,
            tokens.c.purpose == purpose,
            tokens.c.used_at.is_(None),
            tokens.c.expires_at > unit.now,
        )
        .values(used_at=unit.now)
        .returning(tokens)
    )
    return rows.first()


async def use_all_of(unit: Unit, user_id: int | None, purposes: tuple[str, ...]) -> None:
    """Let no live token of this user and these purposes be used any more."""
    whose = tokens.c.user_id.is_(None) if user_id is None else tokens.c.user_id == user_id
    await unit.execute(
        update(tokens)
        .where(whose, tokens.c.purpose.in_(purposes), tokens.c.used_at.is_(None))
        .values(used_at=unit.now)
    )


async def use_everybodys(unit: Unit, purposes: tuple[str, ...]) -> None:
    """Let no live token of anybody and these purposes be used any more."""
    await unit.execute(
        update(tokens)
        .where(tokens.c.purpose.in_(purposes), tokens.c.used_at.is_(None))
        .values(used_at=unit.now)
    )


async def delete_ended(unit: Unit, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` tokens that expired before then."""
    some = select(tokens.c.id).where(tokens.c.expires_at < before).limit(limit)
    rows = await unit.execute(delete(tokens).where(tokens.c.id.in_(some)))
    return rows.rowcount

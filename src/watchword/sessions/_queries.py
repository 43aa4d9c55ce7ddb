"""SQL of the sessions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from watchword.db.unit import ReadUnit, Unit
from watchword.sessions._tables import sessions
from watchword.trace import Trace

SessionRow: TypeAlias = Row[Any]


def _live(unit: ReadUnit) -> ColumnElement[bool]:
    return and_(sessions.c.ended_at.is_(None), sessions.c.expires_at > unit.now)


async def insert_session(unit: Unit, values: dict[str, Any]) -> None:
    """Keep a new session."""
    await unit.execute(insert(sessions).values(**values))


# Built once: it runs at every refresh.
_ROTATE = (
    update(sessions)
    .where(
        sessions.c.id == bindparam("session"),
        sessions.c.generation == bindparam("was"),
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > bindparam("now"),
    )
    .values(
        generation=bindparam("becomes"), rotated_at=bindparam("now"), expires_at=bindparam("ends")
    )
    .returning(sessions)
)


async def rotate(
    unit: Unit, session_id: uuid.UUID, generation: int, expires_at: datetime
) -> SessionRow | None:
    """The next generation: one statement, so that of many who try at once one turns it."""
    values = {
        "session": session_id,
        "was": generation,
        "becomes": generation + 1,
        "now": unit.now,
        "ends": expires_at,
    }
    return (await unit.execute(_ROTATE, values)).first()


async def by_id(unit: ReadUnit, session_id: uuid.UUID) -> SessionRow | None:
    """The session of this id, live or not."""
    return (await unit.execute(select(sessions).where(sessions.c.id == session_id))).first()


async def live_of(unit: ReadUnit, user_id: int) -> Sequence[SessionRow]:
    """The user's live sessions, last used first."""
    statement = (
        select(sessions)
        .where(sessions.c.user_id == user_id, _live(unit))
        .order_by(sessions.c.rotated_at.desc(), sessions.c.id.desc())
    )
    return (await unit.execute(statement)).all()


async def surplus_of(unit: ReadUnit, user_id: int, keep: int) -> Sequence[uuid.UUID]:
    """The user's live sessions beyond the ``keep`` used last."""
    statement = (
        select(sessions.c.id)
        .where(sessions.c.user_id == user_id, _live(unit))
        .order_by(sessions.c.rotated_at.desc(), sessions.c.id.desc())
        .limit(1000)
        .offset(keep)
    )
    return (await unit.execute(statement)).scalars().all()


async def end(
    unit: Unit, reason: str, *, ids: Sequence[uuid.UUID], user_id: int
) -> Sequence[uuid.UUID]:
    """End these sessions of this user; gives those that were live."""
    statement = (
        update(sessions)
        .where(sessions.c.id.in_(ids), sessions.c.user_id == user_id, _live(unit))
        .values(ended_at=unit.now, end_reason=reason)
        .returning(sessions.c.id)
    )
    return (await unit.execute(statement)).scalars().all()


async def end_all_of(
    unit: Unit, reason: str, user_id: int, keep: uuid.UUID | None
) -> Sequence[uuid.UUID]:
    """End the user's sessions, all or all but one; gives those that were live."""
    statement = update(sessions).where(sessions.c.user_id == user_id, _live(unit))
    if keep is not None:
        statement = statement.where(sessions.c.id != keep)
    statement = statement.values(ended_at=unit.now, end_reason=reason)
    return (await unit.execute(statement.returning(sessions.c.id))).scalars().all()


async def end_everybodys(unit: Unit, reason: str) -> int:
    """End every live session; gives how many."""
    if not unit.is_sqlite:
        # A sign-in under way has a row that this UPDATE could not see: wait for it, let none in.
        await unit.execute(text("LOCK TABLE sessions IN SHARE ROW EXCLUSIVE MODE"))
    statement = update(sessions).where(_live(unit)).values(ended_at=unit.now, end_reason=reason)
    return (await unit.execute(statement)).rowcount


async def newest_id(unit: ReadUnit) -> uuid.UUID | None:
    """The id of the session that began last."""
    statement = select(sessions.c.id).order_by(sessions.c.id.desc()).limit(1)
    return (await unit.execute(statement)).scalar_one_or_none()


async def delete_ended(unit: Unit, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` sessions that ended or expired before then."""
    some = (
        select(sessions.c.id)
        .where(or_(sessions.c.expires_at < before, sessions.c.ended_at < before))
        .limit(limit)
    )
    return (await unit.execute(delete(sessions).where(sessions.c.id.in_(some)))).rowcount


def seen_by(trace: Trace) -> dict[str, str | None]:
    """What a session remembers of who used it."""
    return {"address": trace.address, "user_agent": trace.user_agent}

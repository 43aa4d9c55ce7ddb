"""SQL of the outbox."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update

from watchword.db.unit import ReadUnit, Unit
from watchword.email._tables import outbox

MailRow: TypeAlias = Row[Any]


def _waiting() -> ColumnElement[bool]:
    # Word for word the condition of the partial index.
    return and_(
        outbox.c.sent_at.is_(None),
        outbox.c.given_up_at.is_(None),
        outbox.c.next_attempt_at.is_not(None),
    )


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        _waiting(),
        outbox.c.next_attempt_at <= now,
        or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now),
    )


async def insert_mail(unit: Unit, values: dict[str, Any]) -> None:
    """Add a mail."""
    await unit.execute(insert(outbox).values(**values))


async def any_due(unit: ReadUnit) -> bool:
    """Whether there is something to send: asked without taking the writer's place."""
    rows = await unit.execute(select(outbox.c.id).where(_due(unit.now)).limit(1))
    return rows.first() is not None


async def claim(unit: Unit, lasts: timedelta, limit: int) -> Sequence[MailRow]:
    """Take up to ``limit`` due mails for this worker alone; each counts as an attempt.

    PostgreSQL passes over what another worker is taking at this moment; SQLite has one writer.
    """
    due = (
        select(outbox.c.id)
        .where(_due(unit.now))
        .order_by(outbox.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
        # As a plain subquery the planner may run it more than once, and lock more than ``limit``.
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    rows = await unit.execute(
        update(outbox)
        .where(outbox.c.id.in_(select(due.c.id)))
        .values(claimed_until=unit.now + lasts, attempts=outbox.c.attempts + 1)
        .returning(outbox)
    )
    return rows.all()


async def mark_sent(unit: Unit, mail_id: uuid.UUID) -> None:
    """The mail server has it: forget the body. True whoever holds the claim by now."""
    await unit.execute(
        update(outbox)
        .where(outbox.c.id == mail_id)
        .values(
            sent_at=unit.now,
            given_up_at=None,
            claimed_until=None,
            sealed_body=None,
            last_error=None,
        )
    )


async def mark_failed(
    unit: Unit, mail_id: uuid.UUID, attempt: int, error: str, next_attempt_at: datetime
) -> None:
    """Try again later, unless the claim has expired and another worker is at it."""
    await unit.execute(
        update(outbox)
        .where(_still(mail_id, attempt))
        .values(next_attempt_at=next_attempt_at, claimed_until=None, last_error=error)
    )


async def mark_given_up(unit: Unit, mail_id: uuid.UUID, attempt: int, error: str) -> None:
    """Never try again, and forget the body."""
    await unit.execute(
        update(outbox)
        .where(_still(mail_id, attempt))
        .values(given_up_at=unit.now, claimed_until=None, sealed_body=None, last_error=error)
    )


def _still(mail_id: uuid.UUID, attempt: int) -> ColumnElement[bool]:
    return and_(outbox.c.id == mail_id, outbox.c.attempts == attempt, outbox.c.sent_at.is_(None))


async def newest_with_body(unit: ReadUnit, limit: int) -> Sequence[MailRow]:
    """The mails whose body is still there, newest first."""
    rows = await unit.execute(
        select(outbox)
        .where(outbox.c.sealed_body.is_not(None))
        .order_by(outbox.c.created_at.desc(), outbox.c.id.desc())
        .limit(limit)
    )
    return rows.all()


async def count_waiting(unit: ReadUnit) -> int:
    """How many mails are still to be sent."""
    rows = await unit.execute(select(func.count()).select_from(outbox).where(_waiting()))
    return int(rows.scalar_one())


async def delete_done(unit: Unit, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` mails made before then that nobody will send any more."""
    done = or_(
        outbox.c.sent_at.is_not(None),
        outbox.c.given_up_at.is_not(None),
        outbox.c.next_attempt_at.is_(None),
    )
    some = select(outbox.c.id).where(outbox.c.created_at < before, done).limit(limit)
    rows = await unit.execute(delete(outbox).where(outbox.c.id.in_(some)))
    return rows.rowcount

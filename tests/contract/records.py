"""What the database holds, for tests of what no route shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Table, func, select

from watchword.audit._tables import audit_events
from watchword.audit.events import Event
from watchword.core import Core
from watchword.testing import Running


def rows(running: Running, table: Table) -> Sequence[Row[Any]]:
    """Every row of the table."""

    async def read(core: Core) -> Sequence[Row[Any]]:
        async with core.database.read() as unit:
            return (await unit.execute(select(table))).all()

    return running.call(read)


def count(running: Running, table: Table) -> int:
    """How many rows the table has."""

    async def read(core: Core) -> int:
        async with core.database.read() as unit:
            return int((await unit.execute(select(func.count()).select_from(table))).scalar_one())

    return running.call(read)


def events(running: Running, event: Event) -> list[Row[Any]]:
    """The audit events of this kind, oldest first."""
    found = [row for row in rows(running, audit_events) if row.event == event.value]
    return sorted(found, key=lambda row: row.id)

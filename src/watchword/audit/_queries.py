"""SQL of the audit log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from watchword.audit._tables import audit_events
from watchword.db.unit import Unit


async def append(unit: Unit, values: dict[str, Any]) -> None:
    """Add one event."""
    await unit.execute(insert(audit_events).values(**values))

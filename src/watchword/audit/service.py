"""Recording events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from watchword.audit import _queries as queries
from watchword.audit.events import Event
from watchword.db.unit import Unit
from watchword.trace import current_trace

Fact: TypeAlias = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event that has been committed: for the log lines and the counters."""

    event: Event
    user_id: int | None
    facts: dict[str, Fact]


async def record(
    unit: Unit,
    event: Event,
    *,
    user_id: int | None = None,
    actor_id: int | None = None,
    **facts: Fact,
) -> None:
    """Write an event into the transaction of what it tells; log it once that has committed.

    ``user_id`` is whom it is about, ``actor_id`` who did it where that is somebody else.
    """
    trace = current_trace()
    values = {
        "id": unit.world.new_id(),
        "at": unit.now,
        "event": event.value,
        "user_id": user_id,
        "actor_id": actor_id,
        "address": trace.address,
        "user_agent": trace.user_agent,
        "request_id": trace.request_id,
        "facts": facts,
    }
    await queries.append(unit, values)
    unit.announce(Recorded(event, user_id, facts))

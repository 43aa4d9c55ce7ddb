"""A world whose clock stands still, so that what depends on time is exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from watchword.testing import Clock
from watchword.world import World


@dataclass(frozen=True, slots=True)
class StillWorld(World):
    """A world in which time passes only when it is told to."""

    clock: Clock = field(default_factory=Clock)

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + self.clock.ahead

    def timestamp(self) -> float:
        return self.now().timestamp()

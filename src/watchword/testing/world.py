"""A world whose clock can be turned."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchword.world import World


@dataclass(slots=True)
class Clock:
    """How far the world's time is ahead of the real one."""

    ahead: timedelta = timedelta(0)

    def turn(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Let time pass; negative amounts turn it back."""
        self.ahead += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@dataclass(frozen=True, slots=True)
class TurnableWorld(World):
    """The real world, ``clock.ahead`` of itself."""

    clock: Clock = field(default_factory=Clock)

    def now(self) -> datetime:
        """The present instant there, in UTC."""
        return World.now(self) + self.clock.ahead

    def timestamp(self) -> float:
        """The present instant there, in seconds since the epoch."""
        return World.timestamp(self) + self.clock.ahead.total_seconds()

"""The one door through which time and chance enter.

Everything else in the package asks a ``World``; a lint forbids clocks and random sources
elsewhere, so that a test can turn the clock and no function depends on it unseen.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class World:
    """The real world: the system's clock and its cryptographic random source."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)

    def timestamp(self) -> float:
        """The present instant as seconds since the epoch (RFC 7519's NumericDate)."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds on a clock that never steps, for measuring how long something took."""
        return time.perf_counter()

    def random_bytes(self, count: int) -> bytes:
        """``count`` bytes from the operating system's CSPRNG."""
        return secrets.token_bytes(count)

    async def sleep(self, seconds: float) -> None:
        """Let other work go on for ``seconds``."""
        await asyncio.sleep(seconds)

    def new_id(self) -> uuid.UUID:
        """A UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits."""
        return uuid7(int(self.timestamp() * 1000), self.random_bytes(10))


def uuid7(milliseconds: int, chance: bytes) -> uuid.UUID:
    """Put together a UUIDv7 from a time and ten random bytes (RFC 9562, section 5.7)."""
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(chance[:10], "big")
    value &= ~(0xF << 76)
    value |= 0x7 << 76
    value &= ~(0x3 << 62)
    value |= 0x2 << 62
    return uuid.UUID(int=value)


def milliseconds_of(identifier: uuid.UUID) -> int:
    """The time in a UUIDv7, in milliseconds since the epoch."""
    return identifier.int >> 80

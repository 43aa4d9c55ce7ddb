"""Writing revocations: in the transaction of what they follow from."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta

from watchword.db.unit import Unit
from watchword.revocations import _queries as queries
from watchword.settings.schema import Settings
from watchword.verify.revocations import Kind, Revocation

# Where PostgreSQL's notifications carry entries; a notification holds less than 8,000 bytes.
CHANNEL = "watchword_revocations"
_LINES_EACH = 40

# Machines' clocks may differ by two minutes, steps included, and nothing ends too early: two for
# the clock that signed the token against the one that dates its end, two for the one that forgets
# or deletes the entry against the one (its own, set back) that the token is not yet expired by.
_MARGIN = timedelta(minutes=4)


async def revoke_sessions(unit: Unit, settings: Settings, ids: Iterable[uuid.UUID]) -> None:
    """End the access tokens of these sessions."""
    await _write(unit, settings, [(Kind.SESSION, str(sid), 0) for sid in ids])


async def revoke_user(unit: Unit, settings: Settings, user_id: int, epoch: int) -> None:
    """End the user's access tokens that were made before the row reached ``epoch``."""
    await _write(unit, settings, [(Kind.USER, str(user_id), epoch)])


async def revoke_everyone(unit: Unit, settings: Settings, began_up_to: int) -> None:
    """End all access tokens of sessions that began up to then (milliseconds since the epoch)."""
    await _write(unit, settings, [(Kind.EVERYONE, "", began_up_to)])


async def _write(unit: Unit, settings: Settings, ends: Sequence[tuple[Kind, str, int]]) -> None:
    if not ends:
        return
    lives = timedelta(minutes=settings.access_token_expire_minutes) + _MARGIN
    expires_at = unit.now + lives
    values = [
        {
            "kind": kind.value,
            "subject": subject,
            "bound": bound,
            "created_at": unit.now,
            "expires_at": expires_at,
        }
        for kind, subject, bound in ends
    ]
    await queries.insert_entries(unit, values)
    # Announced, an entry holds in this process as soon as its transaction has committed.
    entries = [Revocation(*end, expires_at.timestamp()) for end in ends]
    for entry in entries:
        unit.announce(entry)
    if not unit.is_sqlite:
        for start in range(0, len(entries), _LINES_EACH):
            lines = "\n".join(entry.line() for entry in entries[start : start + _LINES_EACH])
            await queries.notify(unit, CHANNEL, lines)


async def clean_up(unit: Unit, *, limit: int = 500) -> int:
    """Delete some entries that no token can concern any more; gives how many."""
    return await queries.delete_expired(unit, limit)

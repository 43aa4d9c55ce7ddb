"""Starting, turning, listing and ending sessions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchword.accounts import service as accounts
from watchword.accounts.account import Account
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.db.unit import ReadUnit, Unit
from watchword.errors import SessionNotFound
from watchword.revocations import service as revocations
from watchword.sessions import _queries as queries
from watchword.settings.schema import Settings
from watchword.tokens import access, onetime
from watchword.tokens.onetime import Purpose
from watchword.tokens.refresh import RefreshClaim
from watchword.trace import current_trace
from watchword.world import milliseconds_of

# Ended sessions are kept this long, for "was that me?".
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client holds: a short access token and what renews it. ``expires_in`` in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "bearer"


@dataclass(frozen=True, slots=True)
class Started:
    """A session whose tokens may be made, once its transaction has committed."""

    account: Account
    id: uuid.UUID
    generation: int
    auth_time: datetime
    amr: Sequence[str]


@dataclass(frozen=True, slots=True)
class Session:
    """A place where somebody is signed in."""

    id: uuid.UUID
    device: str | None
    address: str | None
    created_at: datetime
    last_seen: datetime
    expires_at: datetime


async def start(unit: Unit, core: Core, account: Account, *, amr: Sequence[str]) -> Started:
    """A new session, and the end of the user's least used one beyond SESSIONS_PER_USER."""
    session_id = unit.world.new_id()
    values = {
        "id": session_id,
        "user_id": account.id,
        "generation": 0,
        "amr": " ".join(amr),
        "created_at": unit.now,
        "rotated_at": unit.now,
        "expires_at": idle_end(core.settings, unit.now, unit.now),
        **queries.seen_by(current_trace()),
    }
    await queries.insert_session(unit, values)
    surplus = await queries.surplus_of(unit, account.id, core.settings.sessions_per_user)
    if surplus:
        await _end(unit, core.settings, account.id, surplus, reason="too many sessions")
    return Started(account, session_id, 0, unit.now, tuple(amr))


def pair(core: Core, started: Started) -> TokenPair:
    """The tokens of a session, made after the commit: nothing is signed that does not hold."""
    subject = access.Subject(
        user_id=started.account.id,
        role=started.account.role.value,
        verified=started.account.is_verified,
        epoch=started.account.epoch,
        session_id=started.id,
        auth_time=started.auth_time,
        amr=started.amr,
    )
    return TokenPair(
        access_token=access.issue(core.keyring, core.settings, core.world, subject),
        refresh_token=core.refresh_tokens.make(RefreshClaim(started.id, started.generation)),
        expires_in=core.settings.access_token_expire_minutes * 60,
    )


async def live(unit: ReadUnit, user_id: int) -> list[Session]:
    """The user's live sessions, last used first."""
    return [
        Session(
            id=row.id,
            device=row.user_agent,
            address=row.address,
            created_at=row.created_at,
            last_seen=row.rotated_at,
            expires_at=row.expires_at,
        )
        for row in await queries.live_of(unit, user_id)
    ]


async def end(
    unit: Unit, settings: Settings, user_id: int, session_id: uuid.UUID, *, reason: str
) -> None:
    """End a session of a user, and its access tokens. Raises SessionNotFound for one not live."""
    if not await _end(unit, settings, user_id, [session_id], reason=reason):
        raise SessionNotFound


async def disown(unit: Unit, user_id: int) -> None:
    """Void what a session that was not its owner's may have left behind.

    Its thief could have asked for another address, and confirm it when the session has ended:
    whoever has the address resets the password.
    """
    await onetime.void(unit, user_id, Purpose.CHANGE_EMAIL)


async def _end(
    unit: Unit, settings: Settings, user_id: int, ids: Sequence[uuid.UUID], *, reason: str
) -> int:
    ended = await queries.end(unit, reason, ids=ids, user_id=user_id)
    await revocations.revoke_sessions(unit, settings, ended)
    for session_id in ended:
        await audit.record(
            unit, Event.SESSION_ENDED, user_id=user_id, session=str(session_id), reason=reason
        )
    return len(ended)


async def end_all(
    unit: Unit,
    settings: Settings,
    user_id: int,
    *,
    reason: str,
    keep: uuid.UUID | None = None,
) -> int:
    """End a user's sessions, all or all but ``keep``, and what they left; gives how many were live.

    The epoch is advanced first: that locks the user's row, so that a sign-in under way with what
    has just been changed either has committed, and is ended here, or finds its account changed.
    """
    epoch = await accounts.advance_epoch(unit, user_id)
    ended = await queries.end_all_of(unit, reason, user_id, keep)
    if keep is None:
        await revocations.revoke_user(unit, settings, user_id, epoch)
    else:
        await revocations.revoke_sessions(unit, settings, ended)
    await disown(unit, user_id)
    await audit.record(unit, Event.SESSIONS_ENDED, user_id=user_id, count=len(ended), reason=reason)
    return len(ended)


async def end_everybodys(unit: Unit, settings: Settings, *, reason: str) -> int:
    """End every session there is (an incident: the key leaked); gives how many were live."""
    count = await queries.end_everybodys(unit, reason)
    newest = await queries.newest_id(unit)
    now = int(unit.now.timestamp() * 1000)
    # Another machine's clock may be ahead: what it has begun is before us all the same.
    began_up_to = max(now, milliseconds_of(newest) if newest is not None else 0)
    await revocations.revoke_everyone(unit, settings, began_up_to)
    # As ``disown``, for everybody: with a leaked key, whose sessions were whose is not known.
    await onetime.void_everybodys(unit, Purpose.CHANGE_EMAIL)
    await audit.record(unit, Event.EVERYONE_SIGNED_OUT, count=count, reason=reason)
    return count


async def clean_up(unit: Unit, *, limit: int = 500) -> int:
    """Delete some sessions that ended a month ago; gives how many."""
    return await queries.delete_ended(unit, unit.now - _KEPT, limit)


def idle_end(settings: Settings, created_at: datetime, now: datetime) -> datetime:
    """When a session used now ends by itself: of disuse, or of age (ASVS 7.3.1, 7.3.2)."""
    idle = now + timedelta(days=settings.refresh_token_expire_days)
    return min(idle, created_at + timedelta(days=settings.session_max_days))

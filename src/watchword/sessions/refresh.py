"""Refreshing: one UPDATE of one row, a deterministic successor, a leeway, and what reuse means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchword.accounts import service as accounts
from watchword.accounts.account import Account
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.db.unit import Unit
from watchword.email import outbox
from watchword.email.messages import SessionReuse
from watchword.errors import InactiveUser, InvalidRefreshToken
from watchword.limits.service import Action, network_of
from watchword.revocations import service as revocations
from watchword.secret import Secret
from watchword.sessions import _queries as queries
from watchword.sessions.service import Started, TokenPair, disown, idle_end, pair
from watchword.tokens.refresh import RefreshClaim
from watchword.trace import current_trace
from watchword.world import milliseconds_of


@dataclass(frozen=True, slots=True)
class _Reused:
    """A replaced token came back too late: a thief has a copy, or had the first one."""


async def refresh(core: Core, token: Secret) -> TokenPair:
    """A new pair for the session. Raises InvalidRefreshToken, InactiveUser, TooManyRequests."""
    charge = core.limits.charge(Action.REFRESH, [network_of(current_trace().address)])
    claim = core.refresh_tokens.read(token)
    async with core.database.write() as unit:
        outcome = await _turn(unit, core, claim)
    if isinstance(outcome, _Reused):
        # Raised only now: the end of the session has committed and must not be undone.
        raise InvalidRefreshToken(detail="reused: the session was ended")
    core.limits.refund(charge)
    return pair(core, outcome)


async def _turn(unit: Unit, core: Core, claim: RefreshClaim) -> Started | _Reused:
    settings = core.settings
    # When the session began stands in its id: the absolute end is known without a read.
    began = datetime.fromtimestamp(milliseconds_of(claim.session_id) / 1000, UTC)
    end = idle_end(settings, began, unit.now)
    if end <= unit.now:
        raise InvalidRefreshToken(detail="session too old")
    row = await queries.rotate(unit, claim.session_id, claim.generation, end)
    if row is not None:
        account = await _active(unit, row.user_id)
        return _started(account, row, row.generation)
    row = await queries.by_id(unit, claim.session_id)
    if row is None:
        raise InvalidRefreshToken(detail="no such session")
    account = await _active(unit, row.user_id)
    if row.ended_at is not None:
        raise InvalidRefreshToken(detail=f"session ended: {row.end_reason}")
    if row.expires_at <= unit.now:
        raise InvalidRefreshToken(detail="session expired")
    leeway = timedelta(seconds=settings.refresh_leeway_seconds)
    if row.generation == claim.generation + 1 and unit.now < row.rotated_at + leeway:
        # Two tabs, a retry, a lost answer: the same successor again, so the family never forks.
        return _started(account, row, row.generation)
    await _end_reused(unit, core, account, row)
    return _Reused()


async def _active(unit: Unit, user_id: int) -> Account:
    account = await accounts.find(unit, user_id)
    if account is None:
        raise InvalidRefreshToken(detail="the user is gone")
    if not account.is_active:
        raise InactiveUser
    return account


def _started(account: Account, row: queries.SessionRow, generation: int) -> Started:
    return Started(account, row.id, generation, row.created_at, tuple(row.amr.split()))


async def _end_reused(unit: Unit, core: Core, account: Account, row: queries.SessionRow) -> None:
    ended = await queries.end(unit, "refresh token reused", ids=[row.id], user_id=account.id)
    if not ended:
        # Others came with it at the same moment; the first has ended it and told the owner.
        return
    await revocations.revoke_sessions(unit, core.settings, [row.id])
    await disown(unit, account.id)
    await audit.record(
        unit, Event.SESSION_REUSED, user_id=account.id, session=str(row.id), device=row.user_agent
    )
    trace = current_trace()
    notice = SessionReuse(account.username, unit.now, trace.address, trace.user_agent)
    await outbox.enqueue(unit, core.mailer, notice, account.email)

"""One sign-in, from a name and a password to a pair of tokens."""

from __future__ import annotations

from collections.abc import Sequence

from watchword.accounts import service as accounts
from watchword.accounts.account import Account
from watchword.accounts.names import login_key
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.errors import InactiveUser, InvalidCredentials, TooBusy, TooManyRequests
from watchword.hashing.pool import WrongPassword
from watchword.limits.service import Action, Charge, network_of
from watchword.passwords import service as passwords
from watchword.secret import Secret
from watchword.sessions import service as sessions
from watchword.sessions.service import TokenPair
from watchword.trace import current_trace, set_user_id


async def sign_in_with_password(core: Core, name: str, password: Secret) -> TokenPair:
    """Start a session. ``name`` is a username or an address.

    Raises InvalidCredentials (the same, in words and work, for a name that is not there),
    InactiveUser, TooManyRequests, TooBusy.
    """
    outcomes = core.metrics.sign_ins
    try:
        tokens = await _sign_in(core, name, password)
    except InvalidCredentials:
        outcomes.labels("refused").inc()
        raise
    except InactiveUser:
        outcomes.labels("inactive").inc()
        raise
    except TooManyRequests:
        outcomes.labels("limited").inc()
        raise
    except TooBusy:
        outcomes.labels("busy").inc()
        raise
    outcomes.labels("succeeded").inc()
    return tokens


async def _sign_in(core: Core, name: str, password: Secret) -> TokenPair:
    whos = [f"account:{login_key(name)}", network_of(current_trace().address)]
    charges = [core.limits.charge(Action.LOGIN, whos)]
    async with core.database.read() as unit:
        account = await accounts.find_by_login(unit, name)
        credential = await passwords.credential_of(unit, account)
    if account is not None:
        # Its username and its address are not two lots of guesses at one password.
        charges.append(core.limits.charge(Action.LOGIN, [f"user:{account.id}"]))
    try:
        proved = await passwords.prove(core, credential, password)
    except WrongPassword as error:
        await _record_failure(core, account)
        raise InvalidCredentials from error
    except TooBusy:
        _refund(core, charges)
        raise
    if account is None:
        raise InvalidCredentials
    if not account.is_active:
        raise InactiveUser
    async with core.database.write() as write:
        # Locks the row; gives nothing where the account has changed since we read it.
        seen = await accounts.mark_login(write, account)
        if seen is None:
            raise InvalidCredentials(detail="the account changed during the sign-in")
        await passwords.upgrade(write, seen.id, proved)
        started = await sessions.start(write, core, seen, amr=("pwd",))
        await audit.record(
            write, Event.SIGNIN_SUCCEEDED, user_id=seen.id, session=str(started.id), amr="pwd"
        )
    _refund(core, charges)
    set_user_id(seen.id)
    return sessions.pair(core, started)


def _refund(core: Core, charges: Sequence[Charge]) -> None:
    for charge in charges:
        core.limits.refund(charge)


async def _record_failure(core: Core, account: Account | None) -> None:
    async with core.database.write() as unit:
        await audit.record(
            unit,
            Event.SIGNIN_FAILED,
            user_id=None if account is None else account.id,
            known=account is not None,
        )

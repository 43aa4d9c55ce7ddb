"""Passwords as a proof: do they match, and changing them. Hashing is done with no unit open."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from watchword.accounts.account import Account
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.db.unit import ReadUnit, Unit
from watchword.email import outbox
from watchword.email.messages import PasswordChanged
from watchword.errors import TooBusy, WrongCurrentPassword
from watchword.hashing.pool import WrongPassword
from watchword.limits.service import Action, network_of
from watchword.passwords import _queries as queries
from watchword.passwords.policy import check_password
from watchword.secret import Secret
from watchword.sessions import service as sessions
from watchword.tokens import onetime
from watchword.tokens.onetime import Purpose
from watchword.trace import current_trace


@dataclass(frozen=True, slots=True)
class Credential:
    """The stored hash as it was read; None where the account has no password."""

    hash: str | None


@dataclass(frozen=True, slots=True)
class Proved:
    """The password was right. ``new_hash`` is set where the stored one is due for replacement."""

    credential: Credential
    new_hash: str | None


async def credential_of(unit: ReadUnit, account: Account | None) -> Credential:
    """The credential to check against; one that nothing matches for no account."""
    if account is None:
        return Credential(None)
    return Credential(await queries.hash_of(unit, account.id))


async def prove(core: Core, credential: Credential, password: Secret) -> Proved:
    """Check a password, taking as long where there is none. Raises WrongPassword, TooBusy."""
    return Proved(credential, await core.hasher.verify(password, credential.hash))


async def upgrade(unit: Unit, user_id: int, proved: Proved) -> None:
    """Keep the new hash, if one was due and the password has not been changed since."""
    if proved.new_hash is not None and proved.credential.hash is not None:
        await queries.replace(unit, user_id, proved.credential.hash, proved.new_hash)


async def put(unit: Unit, user_id: int, new_hash: str) -> None:
    """Set a user's hash; void every reset token that was on its way."""
    await queries.put(unit, user_id, new_hash)
    await onetime.void(unit, user_id, Purpose.RESET_PASSWORD)


def personal_words(account: Account) -> tuple[str, ...]:
    """What a password of this person must not be made of."""
    return (account.username, account.email, account.full_name or "")


async def change(
    core: Core, account: Account, session_id: uuid.UUID, current: Secret, new: Secret
) -> None:
    """Change the caller's own password, and end all its other sessions (ASVS 7.4.3).

    Raises WrongCurrentPassword, PasswordRefused, TooBusy, TooManyRequests.
    """
    check_password(new, core.settings, personal_words(account), where="new_password")
    # By network too: else whoever has some accounts keeps the queue of hashes full for everybody.
    network = network_of(current_trace().address)
    charge = core.limits.charge(Action.LOGIN, [f"change:{account.id}", f"change:{network}"])
    async with core.database.read() as unit:
        credential = await credential_of(unit, account)
    try:
        await prove(core, credential, current)
    except WrongPassword as error:
        raise WrongCurrentPassword from error
    except TooBusy:
        core.limits.refund(charge)
        raise
    core.limits.refund(charge)
    new_hash = await core.hasher.hash(new)
    async with core.database.write() as unit:
        # The row is locked from here on, and what was checked is checked again under the lock.
        await sessions.end_all(
            unit, core.settings, account.id, reason="password changed", keep=session_id
        )
        if (await credential_of(unit, account)).hash != credential.hash:
            raise WrongCurrentPassword(detail="changed meanwhile")
        await put(unit, account.id, new_hash)
        await audit.record(unit, Event.PASSWORD_CHANGED, user_id=account.id)
        await tell_changed(unit, core, account)


async def tell_changed(unit: Unit, core: Core, account: Account) -> None:
    """Tell the owner that the password has changed, from where, and by what (ASVS 6.3.7)."""
    trace = current_trace()
    notice = PasswordChanged(account.username, unit.now, trace.address, trace.user_agent)
    await outbox.enqueue(unit, core.mailer, notice, account.email)

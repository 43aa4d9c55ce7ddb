"""Registering with a password. Nobody gets a privilege by asking for it."""

from __future__ import annotations

from dataclasses import replace

from watchword.accounts import service as accounts
from watchword.accounts import verification
from watchword.accounts.account import Account, NewAccount, UserRole
from watchword.accounts.names import check_email, check_full_name, check_username
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.errors import Forbidden, InvalidOneTimeToken
from watchword.limits.service import Action, network_of
from watchword.passwords import service
from watchword.passwords.policy import check_password
from watchword.secret import Secret
from watchword.tokens import onetime
from watchword.tokens.onetime import Purpose
from watchword.trace import current_trace


def checked(username: str, email: str, full_name: str | None) -> NewAccount:
    """A new account's particulars, in the form they are kept. Raises InvalidInput."""
    return NewAccount(check_username(username), check_email(email), check_full_name(full_name))


async def register(core: Core, new: NewAccount, password: Secret) -> Account:
    """Make an account for a stranger: a plain user, whatever was asked for.

    Raises Forbidden where registration is closed, UsernameTaken, EmailTaken, PasswordRefused,
    TooBusy, TooManyRequests.
    """
    if core.settings.registration == "closed":
        raise Forbidden("Registration is closed: ask an administrator for an account")
    core.limits.charge(Action.REGISTER, [network_of(current_trace().address)])
    new = replace(new, role=UserRole.USER, is_active=True, is_verified=False)
    return await _create(core, new, password, actor=None)


async def create(
    core: Core, new: NewAccount, password: Secret, *, actor: Account | None
) -> Account:
    """Make an account of any role, for an administrator or an operator's command.

    Raises UsernameTaken, EmailTaken, PasswordRefused, TooBusy.
    """
    return await _create(core, new, password, actor=actor)


async def create_first_admin(
    core: Core, token: Secret, new: NewAccount, password: Secret
) -> Account:
    """Make the first administrator with the link that the start printed.

    Raises InvalidOneTimeToken when it was used or there is an administrator by now, and the same
    refusals as ``create``.
    """
    charge = core.limits.charge(Action.TOKEN, [network_of(current_trace().address)])
    async with core.database.read() as unit:
        await onetime.peek(unit, Purpose.FIRST_ADMIN, token)
    new = replace(new, role=UserRole.ADMIN, is_active=True, is_verified=True)
    account = await _create(core, new, password, actor=None, first_admin=token)
    core.limits.refund(charge)
    return account


async def _create(
    core: Core,
    new: NewAccount,
    password: Secret,
    *,
    actor: Account | None,
    first_admin: Secret | None = None,
) -> Account:
    words = (new.username, new.email, new.full_name or "")
    check_password(password, core.settings, words)
    async with core.database.read() as unit:
        # Before the hash, which is dear; the unique index has the last word below.
        await accounts.refuse_taken(unit, username=new.username, email=new.email)
    new_hash = await core.hasher.hash(password)
    async with core.database.write() as write:
        if first_admin is not None:
            await onetime.use(write, Purpose.FIRST_ADMIN, first_admin)
            # Made meanwhile by another way: the link in a terminal's history makes no second one.
            if await accounts.page(write, skip=0, limit=1, role=UserRole.ADMIN):
                raise InvalidOneTimeToken(detail="there is an administrator by now")
        account = await accounts.create(write, new)
        await service.put(write, account.id, new_hash)
        stranger = actor is None and first_admin is None
        await audit.record(
            write,
            Event.USER_REGISTERED if stranger else Event.USER_CREATED,
            user_id=account.id,
            actor_id=None if actor is None else actor.id,
            role=account.role.value,
        )
        if not account.is_verified:
            await verification.send(write, core, account)
    return account

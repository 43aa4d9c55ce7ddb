"""Changing accounts that are somebody else's, and what may be changed of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from watchword.accounts import service as accounts
from watchword.accounts import verification
from watchword.accounts.account import Account, UserRole
from watchword.accounts.names import check_email, check_full_name, check_username
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.db.unit import Unit
from watchword.errors import Forbidden, InvalidAccessToken, UserNotFound
from watchword.limits.service import Action, network_of
from watchword.sessions import service as sessions
from watchword.trace import current_trace

# What only an administrator may change. A plain user who sends one is told so, and nothing changes.
PRIVILEGED = ("role", "is_active", "is_verified")


@dataclass(frozen=True, slots=True)
class Changes:
    """What was sent, by field; a field that was not sent is not here."""

    sent: dict[str, Any]

    def privileged(self) -> list[str]:
        """Those of them that need an administrator."""
        return [name for name in PRIVILEGED if name in self.sent]


async def update(core: Core, caller: Account, user_id: int, changes: Changes) -> Account:
    """Change a user: oneself, or for an administrator anybody.

    Raises Forbidden, UserNotFound, UsernameTaken, EmailTaken, InvalidInput, LastAdministrator,
    TooManyRequests. An address that somebody changes of their own replaces the old one once it has
    been verified.
    """
    if not caller.is_admin:
        if user_id != caller.id:
            raise Forbidden("You may only change your own account")
        if changes.privileged():
            names = ", ".join(changes.privileged())
            raise Forbidden(f"Only an administrator may change {names}")
    values = _checked(changes.sent)
    async with core.database.write() as unit:
        if changes.privileged():
            await accounts.hold_administrators(unit)
        account = await accounts.lock(unit, user_id)
        await _refuse_stale(unit, caller)
        email = values.pop("email", None)
        if email is not None and email != account.email:
            account = await _change_email(unit, core, caller, account, email, values)
        changed = {k: v for k, v in values.items() if getattr(account, k) != v}
        if "username" in changed and not caller.is_admin:
            # Each try tells whether somebody has the name, as a registration does.
            network = network_of(current_trace().address)
            core.limits.charge(Action.REGISTER, [f"account:{account.id}", network])
        if changed:
            account = await _change(unit, core, caller, account, changed)
    return account


async def delete(core: Core, caller: Account, user_id: int) -> None:
    """Delete a user, its sessions and all that is its own.

    Raises UserNotFound, LastAdministrator, UserReferenced.
    """
    async with core.database.write() as unit:
        await accounts.hold_administrators(unit)
        account = await accounts.lock(unit, user_id)
        await _refuse_stale(unit, caller)
        await accounts.remove(unit, core.settings, account)
        await audit.record(unit, Event.USER_DELETED, user_id=user_id, actor_id=caller.id)


async def deactivate(core: Core, username: str) -> Account:
    """Deactivate a user by name, for the operator's command. Raises UserNotFound."""
    async with core.database.write() as unit:
        found = await accounts.find_by_login(unit, username)
        if found is None:
            raise UserNotFound(f"There is no user {username}")
        await accounts.hold_administrators(unit)
        account = await accounts.lock(unit, found.id)
        return await _change(unit, core, None, account, {"is_active": False})


async def _refuse_stale(unit: Unit, caller: Account) -> None:
    """Raise InvalidAccessToken where the caller's role, state or sessions have changed meanwhile.

    A request that waits for the rows of the one that ends its caller's power must not go on with
    it afterwards.
    """
    now = await accounts.find(unit, caller.id)
    if now is None or now.epoch != caller.epoch:
        raise InvalidAccessToken(detail="the caller's account changed during the request")


def _checked(sent: dict[str, Any]) -> dict[str, Any]:
    values = dict(sent)
    if "username" in values:
        values["username"] = check_username(values["username"])
    if "email" in values:
        values["email"] = check_email(values["email"])
    if "full_name" in values:
        values["full_name"] = check_full_name(values["full_name"])
    if "role" in values:
        values["role"] = UserRole(values["role"])
    return values


async def _change_email(
    unit: Unit, core: Core, caller: Account, account: Account, email: str, values: dict[str, Any]
) -> Account:
    if email.lower() == account.email.lower():
        # The same address in other letters: nothing to prove. By case alone: straße and strasse
        # are one key here, and two mailboxes out there.
        return await accounts.change(unit, core.settings, account, {"email": email})
    if caller.is_admin:
        verified = values.pop("is_verified", False)
        return await verification.replace(unit, core, account, email, is_verified=verified)
    await verification.request_change(unit, core, account, email)
    return account


async def _change(
    unit: Unit, core: Core, caller: Account | None, account: Account, changed: dict[str, Any]
) -> Account:
    actor = None if caller is None else caller.id
    after = await accounts.change(unit, core.settings, account, changed)
    if account.is_active and not after.is_active:
        await sessions.end_all(unit, core.settings, account.id, reason="deactivated")
    await audit.record(
        unit,
        Event.USER_UPDATED,
        user_id=account.id,
        actor_id=actor,
        fields=",".join(sorted(changed)),
    )
    if after.role is not account.role:
        await audit.record(
            unit,
            Event.USER_ROLE_CHANGED,
            user_id=account.id,
            actor_id=actor,
            was=account.role.value,
            now=after.role.value,
        )
    if after.is_active is not account.is_active:
        event = Event.USER_REACTIVATED if after.is_active else Event.USER_DEACTIVATED
        await audit.record(unit, event, user_id=account.id, actor_id=actor)
    return after

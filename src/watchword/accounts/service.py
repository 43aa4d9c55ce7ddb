"""What can be done to accounts. Each function works in its caller's unit.

Whoever changes what tokens say of a user (role, verified, active) advances the user's epoch and
revokes the tokens of the earlier one in the same transaction.
"""

from __future__ import annotations

from typing import Any

from watchword.accounts import _queries as queries
from watchword.accounts.account import Account, NewAccount, UserRole
from watchword.accounts.names import fold, login_key
from watchword.db.unit import ReadUnit, Unit
from watchword.errors import (
    EmailTaken,
    LastAdministrator,
    UsernameTaken,
    UserNotFound,
)
from watchword.revocations import service as revocations
from watchword.settings.schema import Settings


async def create(unit: Unit, new: NewAccount) -> Account:
    """Make an account. Raises UsernameTaken or EmailTaken: the unique index decides a race."""
    values = {
        "username": new.username,
        "username_key": fold(new.username),
        "email": new.email,
        "email_key": fold(new.email),
        "full_name": new.full_name,
        "role": new.role.value,
        "is_active": new.is_active,
        "is_verified": new.is_verified,
        "epoch": 1,
        "created_at": new.created_at or unit.now,
        "updated_at": unit.now,
    }
    account = await queries.insert_unless_taken(unit, values)
    if account is None:
        await refuse_taken(unit, username=new.username, email=new.email)
        # Whoever had it is gone again since: say what was true when we asked.
        raise UsernameTaken
    return account


async def refuse_taken(
    unit: ReadUnit, *, username: str | None, email: str | None, but: int | None = None
) -> None:
    """Raise UsernameTaken or EmailTaken where another account has it."""
    name_taken, email_taken = await queries.taken(
        unit,
        None if username is None else fold(username),
        None if email is None else fold(email),
        but,
    )
    if name_taken:
        raise UsernameTaken
    if email_taken:
        raise EmailTaken


async def get(unit: ReadUnit, user_id: int) -> Account:
    """The account of this id. Raises UserNotFound."""
    account = await queries.by_id(unit, user_id)
    if account is None:
        raise UserNotFound
    return account


async def find(unit: ReadUnit, user_id: int) -> Account | None:
    """The account of this id, or none."""
    return await queries.by_id(unit, user_id)


async def lock(unit: Unit, user_id: int) -> Account:
    """The account, held until the transaction ends. Raises UserNotFound.

    Whoever changes an account and what hangs on it takes the account first: two who took their
    rows in another order would wait for each other for ever.
    """
    account = await queries.lock(unit, user_id)
    if account is None:
        raise UserNotFound
    return account


async def find_by_login(unit: ReadUnit, name: str) -> Account | None:
    """The account of this username or address, or none. No username has an ``@``."""
    key = login_key(name)
    if "@" in key:
        return await queries.by_email_key(unit, key)
    return await queries.by_username_key(unit, key)


async def find_by_email(unit: ReadUnit, email: str) -> Account | None:
    """The account of this address, or none."""
    return await queries.by_email_key(unit, login_key(email))


async def page(
    unit: ReadUnit, *, skip: int, limit: int, role: UserRole | None, only: int | None = None
) -> list[Account]:
    """Some accounts in the order of their ids; ``only`` narrows them to one person's own."""
    return await queries.page(unit, skip=skip, limit=limit, role=role, only=only)


async def after(unit: ReadUnit, user_id: int, *, limit: int) -> list[Account]:
    """Accounts past this id."""
    return await queries.after(unit, user_id, limit)


async def counts(unit: ReadUnit) -> dict[str, int]:
    """How many accounts there are."""
    return await queries.counts(unit)


async def mark_login(unit: Unit, seen: Account) -> Account | None:
    """Note a sign-in, and lock the row against a change of password or state until it is done.

    None where the account has changed since its proof was checked: a password changed in between
    must not let the old one in.
    """
    return await queries.mark_login(unit, seen.id, seen.epoch)


async def advance_epoch(unit: Unit, user_id: int) -> int:
    """Let tokens made before now be told from those made after. Raises UserNotFound."""
    epoch = await queries.next_epoch(unit, user_id)
    if epoch is None:
        raise UserNotFound
    return epoch


async def change(unit: Unit, settings: Settings, seen: Account, values: dict[str, Any]) -> Account:
    """Change an account's columns, keys and epoch included.

    Raises UsernameTaken, EmailTaken, UserNotFound, LastAdministrator. Access tokens that say
    something of the user that is no longer true are refused from the commit on.
    """
    values = dict(values)
    username, email = values.get("username"), values.get("email")
    # What tokens say is refused where it promises too much; a newly verified address may wait for
    # the next refresh.
    untrue = (
        values.get("role", seen.role.value) != seen.role.value
        or (seen.is_verified and values.get("is_verified") is False)
        or values.get("is_active") is False
    )
    await _keep_an_administrator(unit, seen, values)
    if untrue:
        values["epoch"] = await advance_epoch(unit, seen.id)
    await refuse_taken(unit, username=username, email=email, but=seen.id)
    if username is not None:
        values["username_key"] = fold(username)
    if email is not None:
        values["email_key"] = fold(email)
    account = await queries.change(unit, seen.id, {**values, "updated_at": unit.now})
    if account is None:
        raise UserNotFound
    if untrue:
        await revocations.revoke_user(unit, settings, account.id, account.epoch)
    return account


async def remove(unit: Unit, settings: Settings, seen: Account) -> None:
    """Delete an account and what hangs on it.

    Raises UserNotFound, LastAdministrator, and UserReferenced where the host's own tables hold it.
    """
    await _keep_an_administrator(unit, seen, {"is_active": False})
    epoch = await advance_epoch(unit, seen.id)
    if not await queries.remove(unit, seen.id):
        raise UserNotFound
    await revocations.revoke_user(unit, settings, seen.id, epoch)


async def hold_administrators(unit: Unit) -> None:
    """Hold the administrators' rows, before any other: two who change each other take turns."""
    await queries.lock_admins(unit)


async def _keep_an_administrator(unit: Unit, seen: Account, values: dict[str, Any]) -> None:
    stays = (
        values.get("role", UserRole.ADMIN.value) == UserRole.ADMIN.value
        and values.get("is_active", True) is True
    )
    if stays:
        return
    # Locked: of two administrators who remove each other at once, one must stay.
    admins = await queries.lock_admins(unit)
    if seen.id in admins and len(admins) == 1:
        raise LastAdministrator

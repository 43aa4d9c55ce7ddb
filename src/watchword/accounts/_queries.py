"""SQL of the accounts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from watchword.accounts._tables import users
from watchword.accounts.account import Account, UserRole
from watchword.db.unit import ReadUnit, Unit
from watchword.errors import EmailTaken, UsernameTaken, UserReferenced

_COLUMNS = (
    users.c.id,
    users.c.username,
    users.c.email,
    users.c.full_name,
    users.c.role,
    users.c.is_active,
    users.c.is_verified,
    users.c.epoch,
    users.c.created_at,
    users.c.updated_at,
    users.c.last_login,
)

_BY_ID = select(*_COLUMNS).where(users.c.id == bindparam("user_id"))
_BY_USERNAME_KEY = select(*_COLUMNS).where(users.c.username_key == bindparam("key"))
_BY_EMAIL_KEY = select(*_COLUMNS).where(users.c.email_key == bindparam("key"))


def _account(row: Row[Any]) -> Account:
    return Account(
        row.id,
        row.username,
        row.email,
        row.full_name,
        UserRole(row.role),
        row.is_active,
        row.is_verified,
        row.epoch,
        row.created_at,
        row.updated_at,
        row.last_login,
    )


async def insert_unless_taken(unit: Unit, values: dict[str, Any]) -> Account | None:
    """A new account, or none where its name or address is somebody's."""
    statement = unit.insert_unless_taken(users).values(**values).returning(*_COLUMNS)
    row = (await unit.execute(statement)).first()
    return None if row is None else _account(row)


async def by_id(unit: ReadUnit, user_id: int) -> Account | None:
    """The account of this id."""
    row = (await unit.execute(_BY_ID, {"user_id": user_id})).first()
    return None if row is None else _account(row)


async def lock(unit: Unit, user_id: int) -> Account | None:
    """The account of this id, held until the transaction ends."""
    statement = select(*_COLUMNS).where(users.c.id == user_id).with_for_update()
    row = (await unit.execute(statement)).first()
    return None if row is None else _account(row)


async def by_username_key(unit: ReadUnit, key: str) -> Account | None:
    """The account of this folded username."""
    row = (await unit.execute(_BY_USERNAME_KEY, {"key": key})).first()
    return None if row is None else _account(row)


async def by_email_key(unit: ReadUnit, key: str) -> Account | None:
    """The account of this folded address."""
    row = (await unit.execute(_BY_EMAIL_KEY, {"key": key})).first()
    return None if row is None else _account(row)


async def taken(
    unit: ReadUnit, username_key: str | None, email_key: str | None, but: int | None
) -> tuple[bool, bool]:
    """Whether another account than ``but`` has this name, and whether one has this address."""
    wanted = [
        column == key
        for column, key in ((users.c.username_key, username_key), (users.c.email_key, email_key))
        if key is not None
    ]
    if not wanted:
        return (False, False)
    statement = select(users.c.username_key, users.c.email_key).where(or_(*wanted))
    if but is not None:
        statement = statement.where(users.c.id != but)
    rows = (await unit.execute(statement)).all()
    return (
        any(row.username_key == username_key for row in rows),
        any(row.email_key == email_key for row in rows),
    )


async def change(unit: Unit, user_id: int, values: dict[str, Any]) -> Account | None:
    """Change columns of an account. Raises UsernameTaken or EmailTaken where an index refuses."""
    statement = update(users).where(users.c.id == user_id).values(**values).returning(*_COLUMNS)
    try:
        row = (await unit.execute(statement)).first()
    except IntegrityError as error:
        # Two changes to one name at the same moment: both saw it free, the index lets one in.
        raise (EmailTaken if "email_key" in str(error.orig) else UsernameTaken) from error
    return None if row is None else _account(row)


async def next_epoch(unit: Unit, user_id: int) -> int | None:
    """Advance the epoch, and hold the row until the transaction ends."""
    statement = (
        update(users)
        .where(users.c.id == user_id)
        .values(epoch=users.c.epoch + 1)
        .returning(users.c.epoch)
    )
    return (await unit.execute(statement)).scalar_one_or_none()


async def mark_login(unit: Unit, user_id: int, epoch: int) -> Account | None:
    """Note a sign-in if the account is still active and as it was when its proof was checked."""
    statement = (
        update(users)
        .where(users.c.id == user_id, users.c.epoch == epoch, users.c.is_active)
        .values(last_login=unit.now)
        .returning(*_COLUMNS)
    )
    row = (await unit.execute(statement)).first()
    return None if row is None else _account(row)


async def page(
    unit: ReadUnit, *, skip: int, limit: int, role: UserRole | None, only: int | None
) -> list[Account]:
    """Accounts in the order of their ids."""
    statement = select(*_COLUMNS).order_by(users.c.id).limit(limit).offset(skip)
    if role is not None:
        statement = statement.where(users.c.role == role.value)
    if only is not None:
        statement = statement.where(users.c.id == only)
    return [_account(row) for row in (await unit.execute(statement)).all()]


async def after(unit: ReadUnit, user_id: int, limit: int) -> list[Account]:
    """Accounts past this id, for reading all of them in pieces."""
    statement = select(*_COLUMNS).where(users.c.id > user_id).order_by(users.c.id).limit(limit)
    return [_account(row) for row in (await unit.execute(statement)).all()]


async def remove(unit: Unit, user_id: int) -> bool:
    """Delete the account; says whether there was one. Raises UserReferenced."""
    statement = delete(users).where(users.c.id == user_id).returning(users.c.id)
    try:
        return (await unit.execute(statement)).first() is not None
    except IntegrityError as error:
        # Our own tables let it go (ON DELETE CASCADE): only the host's can object.
        raise UserReferenced(detail=str(error.orig)) from error


async def lock_admins(unit: Unit) -> list[int]:
    """The ids of the active administrators, held until the transaction ends."""
    statement = (
        select(users.c.id)
        .where(and_(users.c.role == UserRole.ADMIN.value, users.c.is_active))
        .order_by(users.c.id)
        .with_for_update()
    )
    return list((await unit.execute(statement)).scalars())


async def counts(unit: ReadUnit) -> dict[str, int]:
    """How many accounts there are, in all and of each kind."""
    rows = (
        await unit.execute(
            select(
                users.c.role,
                func.count().label("total"),
                func.count().filter(users.c.is_active).label("active"),
                func.count().filter(users.c.is_verified).label("verified"),
            ).group_by(users.c.role)
        )
    ).all()
    by_role = {row.role: row.total for row in rows}
    return {
        "total_users": sum(row.total for row in rows),
        "active_users": sum(row.active for row in rows),
        "verified_users": sum(row.verified for row in rows),
        **{f"{role.value}_users": by_role.get(role.value, 0) for role in UserRole},
    }

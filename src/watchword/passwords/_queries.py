"""SQL of the passwords."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, update

from watchword.db.unit import ReadUnit, Unit
from watchword.passwords._tables import passwords

_HASH_OF = select(passwords.c.hash).where(passwords.c.user_id == bindparam("of"))


async def hash_of(unit: ReadUnit, user_id: int) -> str | None:
    """The user's hash, if there is one."""
    return (await unit.execute(_HASH_OF, {"of": user_id})).scalar_one_or_none()


async def hashes_of(unit: ReadUnit, user_ids: Sequence[int]) -> dict[int, str]:
    """The hashes of those of these users that have one."""
    statement = select(passwords.c.user_id, passwords.c.hash).where(
        passwords.c.user_id.in_(user_ids)
    )
    return {row.user_id: row.hash for row in (await unit.execute(statement)).all()}


async def put(unit: Unit, user_id: int, new_hash: str) -> None:
    """Set the user's hash, whatever it was."""
    values = {"hash": new_hash, "changed_at": unit.now}
    changed = await unit.execute(
        update(passwords).where(passwords.c.user_id == user_id).values(**values)
    )
    if changed.rowcount == 0:
        await unit.execute(insert(passwords).values(user_id=user_id, **values))


async def replace(unit: Unit, user_id: int, old_hash: str, new_hash: str) -> bool:
    """Set the user's hash if it is still ``old_hash``; says whether it was."""
    statement = (
        update(passwords)
        .where(passwords.c.user_id == user_id, passwords.c.hash == old_hash)
        .values(hash=new_hash)
        .returning(passwords.c.user_id)
    )
    return (await unit.execute(statement)).first() is not None

"""One-time tokens: 256 random bits, kept as a digest, one purpose, one use (ASVS 6.4.1, 6.5.1)."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from watchword.db.unit import ReadUnit, Unit
from watchword.errors import InvalidOneTimeToken
from watchword.secret import Secret
from watchword.tokens import _queries as queries


class Purpose(StrEnum):
    """What a one-time token is for. The purpose is part of what is hashed."""

    VERIFY_EMAIL = "verify_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"
    FIRST_ADMIN = "first_admin"


# A prefix that secret scanners and people can tell apart; it decides nothing.
_PREFIXES = {
    Purpose.VERIFY_EMAIL: "wwv_",
    Purpose.CHANGE_EMAIL: "wwe_",
    Purpose.RESET_PASSWORD: "wwp_",
    Purpose.FIRST_ADMIN: "wwa_",
}


@dataclass(frozen=True, slots=True)
class OneTimeToken:
    """A live token that was shown, as its row remembers it."""

    id: uuid.UUID
    user_id: int | None
    subject: str | None


async def issue(
    unit: Unit,
    purpose: Purpose,
    *,
    user_id: int | None,
    subject: str | None,
    lives: timedelta,
) -> Secret:
    """Make a token in the caller's transaction. Only its digest is kept."""
    chance = base64.urlsafe_b64encode(unit.world.random_bytes(32)).rstrip(b"=").decode()
    token = Secret(_PREFIXES[purpose] + chance)
    values = {
        "id": unit.world.new_id(),
        "purpose": purpose.value,
        "digest": _digest(purpose, token),
        "user_id": user_id,
        "subject": subject,
        "created_at": unit.now,
        "expires_at": unit.now + lives,
    }
    await queries.insert_token(unit, values)
    return token


async def peek(unit: ReadUnit, purpose: Purpose, token: Secret) -> OneTimeToken:
    """What the token is about, without using it. Raises InvalidOneTimeToken."""
    return _found(await queries.find_live(unit, purpose.value, _digest(purpose, token)))


async def use(unit: Unit, purpose: Purpose, token: Secret) -> OneTimeToken:
    """Use the token up. Raises InvalidOneTimeToken when it is unknown, used or expired."""
    return _found(await queries.use(unit, purpose.value, _digest(purpose, token)))


async def void(unit: Unit, user_id: int | None, *purposes: Purpose) -> None:
    """Void every live token of the user for these purposes."""
    await queries.use_all_of(unit, user_id, tuple(purpose.value for purpose in purposes))


async def void_everybodys(unit: Unit, *purposes: Purpose) -> None:
    """Void every live token of anybody for these purposes."""
    await queries.use_everybodys(unit, tuple(purpose.value for purpose in purposes))


async def clean_up(unit: Unit, *, limit: int = 500) -> int:
    """Delete some of the tokens that expired a day ago; gives how many."""
    return await queries.delete_ended(unit, unit.now - timedelta(days=1), limit)


def _digest(purpose: Purpose, token: Secret) -> bytes:
    # A plain hash will do for 256 random bits (ASVS 6.5.2); nobody can guess what it is of.
    text = f"{purpose.value}:{token.reveal()}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _found(row: queries.TokenRow | None) -> OneTimeToken:
    if row is None:
        raise InvalidOneTimeToken
    return OneTimeToken(row.id, row.user_id, row.subject)

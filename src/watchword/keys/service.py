"""Making, loading and rotating the keys. ``rotate`` is unnoticed: a key is known before it signs.

Every key is published as ``next`` before it becomes ``active``, so a worker that still holds the
view of a minute ago accepts what another has just signed; and what it signed itself is accepted
until the last such token has expired.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.db.unit import Database, ReadUnit, Unit
from watchword.errors import Conflict, NotFound
from watchword.keys import _queries as queries
from watchword.keys.keyring import KeysInUse, make_key, shared_keys
from watchword.keys.seal import Sealer
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.verify.keys import KeySet, VerificationKey

_LABEL = "signing-key"

# How long a worker may go on with an old view of the keys, with room to spare.
KEYS_RELOAD_SECONDS = 15
# How long a copy of the public keys may be kept (the JWKS answer says so).
JWKS_MAX_AGE_SECONDS = 60
_PUBLISHED_BEFORE_USE = timedelta(seconds=JWKS_MAX_AGE_SECONDS + 4 * KEYS_RELOAD_SECONDS)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key as the operator sees it."""

    kid: str
    algorithm: str
    status: str
    created_at: datetime
    activated_at: datetime | None
    retires_at: datetime | None


def secrets_of(settings: Settings) -> tuple[Secret, ...]:
    """``SECRET_KEY`` and its earlier values, newest first."""
    if settings.secret_key is None:
        raise ValueError("settings without a secret key")
    return (settings.secret_key, *settings.secret_key_previous)


async def load(database: Database, sealer: Sealer, settings: Settings) -> KeysInUse:
    """The keys to use now, made first where there are none."""
    if settings.algorithm == "HS256":
        return shared_keys(secrets_of(settings))
    async with database.read() as unit:
        rows = await queries.all_keys(unit)
    if not _has(rows, settings.algorithm, "active") or not _has(rows, settings.algorithm, "next"):
        # Made outside of the unit: an RSA key takes a good part of a second to find.
        made = {status: make_key(settings.algorithm) for status in ("active", "next")}
        async with database.write() as unit:
            for status, key in made.items():
                await _insert(unit, sealer, settings.algorithm, status, key)
            rows = await queries.all_keys(unit)
    return _in_use(rows, sealer, settings.algorithm)


async def rotate(
    database: Database, sealer: Sealer, settings: Settings, *, at_once: bool = False
) -> SigningKey:
    """Let the next key sign from now on and publish another; gives the key that now signs.

    Raises Conflict when the next key is too new for every worker to know it, unless ``at_once``
    (for a leaked key: workers then refuse the new tokens for up to KEYS_RELOAD_SECONDS).
    """
    if settings.algorithm == "HS256":
        raise Conflict(
            "With ALGORITHM=HS256 the key is SECRET_KEY: set a new one, and list the old one in "
            "SECRET_KEY_PREVIOUS until its tokens have expired"
        )
    await load(database, sealer, settings)
    fresh = make_key(settings.algorithm)
    async with database.write() as unit:
        rows = await queries.all_keys(unit)
        active = next(r for r in rows if (r.algorithm, r.status) == (settings.algorithm, "active"))
        coming = next(r for r in rows if (r.algorithm, r.status) == (settings.algorithm, "next"))
        wait = coming.created_at + _PUBLISHED_BEFORE_USE - unit.now
        if wait > timedelta(0) and not at_once:
            raise Conflict(
                f"The next key was published a moment ago and not every worker knows it yet. "
                f"Try again in {int(wait.total_seconds()) + 1} seconds, or add --at-once if the "
                "present key has leaked"
            )
        # The last token it signed must have expired, and a worker may sign with it a little longer.
        retires_at = unit.now + timedelta(
            minutes=settings.access_token_expire_minutes, seconds=4 * KEYS_RELOAD_SECONDS
        )
        retiring = {"status": "retiring", "sealed_private": None, "retires_at": retires_at}
        if not await queries.change(unit, active.kid, "active", retiring):
            raise Conflict("Another process rotates the keys at this moment")
        signs = {"status": "active", "activated_at": unit.now}
        if not await queries.change(unit, coming.kid, "next", signs):
            raise Conflict("Another process rotates the keys at this moment")
        await _insert(unit, sealer, settings.algorithm, "next", fresh)
        await audit.record(unit, Event.KEY_ROTATED, kid=coming.kid, was=active.kid, at_once=at_once)
    return SigningKey(coming.kid, coming.algorithm, "active", coming.created_at, unit.now, None)


async def retire(unit: Unit, kid: str) -> None:
    """Refuse a retiring key from now on. Raises NotFound, or Conflict for a key still needed."""
    row = next((row for row in await queries.all_keys(unit) if row.kid == kid), None)
    if row is None:
        raise NotFound(f"There is no key {kid}. `watchword keys list` names them")
    if row.status == "retired":
        return
    if row.status != "retiring":
        raise Conflict(f"This key is {row.status}: `watchword keys rotate` first, then retire it")
    await queries.change(unit, kid, "retiring", {"status": "retired", "sealed_private": None})
    await audit.record(unit, Event.KEY_RETIRED, kid=kid, due=False)


async def retire_due(unit: Unit) -> Sequence[str]:
    """Retire the keys whose last token has expired; gives their ids."""
    retired = await queries.retire_due(unit, unit.now)
    for kid in retired:
        await audit.record(unit, Event.KEY_RETIRED, kid=kid, due=True)
    return retired


async def list_keys(unit: ReadUnit) -> list[SigningKey]:
    """All keys, oldest first."""
    return [
        SigningKey(r.kid, r.algorithm, r.status, r.created_at, r.activated_at, r.retires_at)
        for r in await queries.all_keys(unit)
    ]


def _has(rows: Sequence[queries.KeyRow], algorithm: str, status: str) -> bool:
    return any(row.algorithm == algorithm and row.status == status for row in rows)


async def _insert(unit: Unit, sealer: Sealer, algorithm: str, status: str, key: Any) -> None:
    kid = key.thumbprint()
    public = {**key.as_dict(private=False), "kid": kid, "alg": algorithm, "use": "sig"}
    private = json.dumps(key.as_dict(private=True)).encode()
    values = {
        "kid": kid,
        "algorithm": algorithm,
        "status": status,
        "public_jwk": json.dumps(public),
        "sealed_private": sealer.seal(_LABEL, private, kid.encode()),
        "created_at": unit.now,
        "activated_at": unit.now if status == "active" else None,
    }
    await queries.insert_unless_taken(unit, values)


def _in_use(rows: Sequence[queries.KeyRow], sealer: Sealer, algorithm: str) -> KeysInUse:
    usable = [row for row in rows if row.status != "retired"]
    public = [json.loads(row.public_jwk) for row in usable]
    active = next(r for r in usable if r.algorithm == algorithm and r.status == "active")
    private = json.loads(sealer.unseal(_LABEL, active.sealed_private, active.kid.encode()))
    signing = VerificationKey.from_jwk({**private, "kid": active.kid, "alg": algorithm})
    return KeysInUse(
        signing=signing,
        accepted=KeySet(VerificationKey.from_jwk(jwk) for jwk in public),
        public=public,
    )

"""Issuing access tokens (RFC 9068, section 2)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchword.keys.keyring import Keyring
from watchword.settings.schema import Settings
from watchword.world import World

# The client of sign-ins on our own forms; the provider's clients have names of their own.
FIRST_PARTY = "watchword"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom and what a token speaks of."""

    user_id: int
    role: str
    verified: bool
    epoch: int
    session_id: uuid.UUID
    auth_time: datetime
    amr: Sequence[str]


def issue(keyring: Keyring, settings: Settings, world: World, subject: Subject) -> str:
    """A signed access token that lives ACCESS_TOKEN_EXPIRE_MINUTES from now."""
    now = int(world.timestamp())
    claims = {
        "iss": settings.base_url,
        "aud": settings.token_audience,
        "sub": str(subject.user_id),
        "exp": now + settings.access_token_expire_minutes * 60,
        "iat": now,
        "jti": str(world.new_id()),
        "sid": str(subject.session_id),
        "client_id": FIRST_PARTY,
        "auth_time": int(subject.auth_time.timestamp()),
        "amr": list(subject.amr),
        "scope": "account",
        "role": subject.role,
        "verified": subject.verified,
        "epoch": subject.epoch,
    }
    return keyring.sign(claims, kind="at+jwt")

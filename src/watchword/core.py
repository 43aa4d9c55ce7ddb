"""The one handle that services share: what this process made once."""

from __future__ import annotations

from dataclasses import dataclass

from watchword.db.unit import Database
from watchword.email.sender import Mailer
from watchword.hashing.pool import HashPool
from watchword.keys.keyring import Keyring
from watchword.keys.seal import Sealer
from watchword.limits.service import Limits
from watchword.metrics import Metrics
from watchword.revocations.feed import Feed
from watchword.settings.schema import Settings
from watchword.tokens.refresh import RefreshTokens
from watchword.verify.verifier import Verifier
from watchword.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Core:
    """Made once, in ``mount/compose.py``. A function that takes it opens its own units."""

    settings: Settings
    world: World
    database: Database
    sealer: Sealer
    keyring: Keyring
    verifier: Verifier
    feed: Feed
    refresh_tokens: RefreshTokens
    hasher: HashPool
    mailer: Mailer
    limits: Limits
    metrics: Metrics

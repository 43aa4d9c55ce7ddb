"""Composing the parts, once. Everything that a process holds is made here and nowhere else."""

from __future__ import annotations

import logging
from pathlib import Path

from watchword.audit.service import Recorded
from watchword.core import Core
from watchword.db.engine import make_engine
from watchword.db.unit import Database
from watchword.email.messages import Templates
from watchword.email.outbox import MailQueued
from watchword.email.sender import Mailer
from watchword.hashing.pool import HashPool
from watchword.keys import service as keys
from watchword.keys.keyring import Keyring
from watchword.keys.seal import Sealer
from watchword.limits.service import Limits
from watchword.metrics import Metrics
from watchword.migrations import apply
from watchword.revocations.feed import Feed
from watchword.settings.schema import Settings
from watchword.tokens.refresh import RefreshTokens
from watchword.verify.revocations import Revocation, RevocationView
from watchword.verify.verifier import Verifier
from watchword.world import World

_log = logging.getLogger("watchword.events")


async def compose(settings: Settings, world: World, mail_templates: Path | None) -> Core:
    """The Core of one Watchword, its database reached, migrated or checked, its keys loaded.

    Raises ConfigurationError or DatabaseUnavailable; then nothing is left open.
    """
    secrets = keys.secrets_of(settings)
    sealer = Sealer(secrets, world)
    mailer = Mailer(settings, sealer, Templates(mail_templates))
    metrics = Metrics()
    view = RevocationView()
    feed = Feed(view, world, settings.revocation_max_staleness_seconds)

    def deliver(news: object) -> None:
        match news:
            case Revocation():
                feed.announce(news)
            case MailQueued():
                mailer.wake()
            case Recorded():
                metrics.events.labels(news.event.value).inc()
                extra = {"event": news.event.value, "user_id": news.user_id, "facts": news.facts}
                _log.info(news.event.value, extra=extra)

    database = Database(make_engine(settings), world, deliver)
    try:
        if settings.migrates_at_start:
            await apply.upgrade(database.engine)
        else:
            await apply.require_current(database.engine)
        keyring = Keyring(await keys.load(database, sealer, settings))
        await feed.catch_up(database)
    except BaseException:
        await database.close()
        raise
    verifier = Verifier(
        issuer=settings.base_url,
        audience=settings.token_audience,
        keys=keyring.accepted,
        now=world.timestamp,
        is_revoked=view.is_revoked,
        longest_life=settings.access_token_expire_minutes * 60,
    )
    return Core(
        settings=settings,
        world=world,
        database=database,
        sealer=sealer,
        keyring=keyring,
        verifier=verifier,
        feed=feed,
        refresh_tokens=RefreshTokens(secrets),
        hasher=HashPool(settings, world),
        mailer=mailer,
        limits=Limits(settings, world),
        metrics=metrics,
    )


async def dissolve(core: Core) -> None:
    """Let go of what ``compose`` holds: threads and connections."""
    core.hasher.close()
    await core.database.close()

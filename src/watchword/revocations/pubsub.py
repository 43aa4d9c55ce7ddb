"""Carrying entries by Valkey or Redis too, where REVOCATION_URL names one.

For a database whose notifications don't reach everybody: behind a pooler, or one that has none.
What this process has committed is published, what others publish is applied. Nothing rests on it:
the looks at the database go on, and alone decide how stale the feed is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from watchword.db.unit import Database
from watchword.errors import ConfigurationError
from watchword.revocations.feed import Feed
from watchword.revocations.listen import hear
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.verify.revocations import Revocation

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

_ALIVE_SECONDS = 5.0


def client_of(url: Secret) -> Redis:
    """A client that connects when it is first used. Raises ConfigurationError without redis-py."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "REVOCATION_URL needs a package that is not installed. "
            'Type: pip install "watchword[valkey]"'
        ) from error
    scheme, _, rest = url.reveal().partition("://")
    return Redis.from_url(
        f"{scheme.replace('valkey', 'redis')}://{rest}",
        socket_connect_timeout=_ALIVE_SECONDS,
        socket_timeout=_ALIVE_SECONDS,
        # A connection that is mended unseen has lost what came meanwhile: break, and look.
        retry=Retry(NoBackoff(), 0),
    )


def channel_of(settings: Settings) -> str:
    """Where entries go. By issuer: another service's user 7 is somebody else."""
    return f"watchword:revocations:{settings.base_url}"


async def exchange(client: Redis, database: Database, feed: Feed, settings: Settings) -> None:
    """Publish what this process announces and hear what others do, until it breaks: then raise."""
    announced = feed.unpublished()
    channel = channel_of(settings)
    async with client.pubsub() as messages:
        await messages.subscribe(channel)
        # The answer to the subscription: from here on nothing that is published is missed.
        await messages.get_message(timeout=_ALIVE_SECONDS)
        await feed.catch_up(database)
        async with asyncio.TaskGroup() as both:
            both.create_task(_publish(client, channel, announced))
            both.create_task(_hear(client, messages, feed))


async def _publish(client: Redis, channel: str, announced: asyncio.Queue[Revocation]) -> None:
    while True:
        entry = await announced.get()
        await client.publish(channel, entry.line())


async def _hear(client: Redis, messages: PubSub, feed: Feed) -> None:
    while True:
        message = await messages.get_message(ignore_subscribe_messages=True, timeout=_ALIVE_SECONDS)
        if message is None:
            # A peer that is gone without a word is found out by asking.
            await client.ping()
        else:
            hear(feed, message["data"].decode(errors="replace"))

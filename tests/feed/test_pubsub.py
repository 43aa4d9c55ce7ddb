"""Valkey or Redis carries revocations too; and when it is down, nothing depends on it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.ports import free_port
from watchword import Watchword
from watchword.core import Core
from watchword.errors import ConfigurationError
from watchword.revocations.pubsub import channel_of, client_of
from watchword.revocations.service import revoke_sessions
from watchword.secret import Secret
from watchword.settings.check import refuse_unsafe
from watchword.settings.load import load_settings
from watchword.settings.schema import Settings
from watchword.verify.revocations import Kind

SERVER = os.environ.get("WATCHWORD_TEST_REDIS")

with_a_server = pytest.mark.skipif(SERVER is None, reason="there is no Valkey or Redis")


@asynccontextmanager
async def workers(folder: Path, url: str | None, **changes: Any) -> AsyncIterator[list[Core]]:
    """Two services with databases of their own: nothing but the server can tell one of the other.

    Their looks are a minute apart, and what SQLite says of another's writes says nothing here.
    """
    settings = {
        "environment": "development",
        "secret_key": "a-secret-key-of-the-tests-0123456789-abcdefgh",
        "revocation_url": url,
        "revocation_poll_seconds": 60,
        "revocation_max_staleness_seconds": 600,
        **changes,
    }
    async with AsyncExitStack() as stack:
        cores = []
        for name in ("one", "other"):
            loaded = load_settings(env={}, env_file=None, data_dir=folder / name, **settings)
            auth = Watchword(loaded)
            app = FastAPI()
            auth.mount(app)
            await stack.enter_async_context(app.router.lifespan_context(app))
            cores.append(auth.core)
        yield cores


async def revoke(core: Core) -> str:
    sid = uuid.uuid4()
    async with core.database.write() as unit:
        await revoke_sessions(unit, core.settings, [sid])
    return str(sid)


def knows(core: Core, sid: str) -> bool:
    return any(entry.subject == sid for entry in core.feed.view.entries())


async def within(seconds: float, holds: Callable[[], bool]) -> bool:
    ends = time.monotonic() + seconds
    while not holds() and time.monotonic() < ends:  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.01)
    return holds()


async def are_connected(one: Core, other: Core) -> bool:
    """A first entry gets through: until then it is sent again and again."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        sid = await revoke(one)
        if await within(0.3, lambda sid=sid: knows(other, sid)):  # type: ignore[misc]
            return True
    return False


@with_a_server
def test_what_one_process_revokes_the_other_hears_of_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        public_url = f"http://{uuid.uuid4().hex}.example.org"
        async with workers(tmp_path, SERVER, public_url=public_url) as (one, other):
            assert await are_connected(one, other)
            assert await are_connected(other, one)
            before = time.monotonic()
            sid = await revoke(one)
            assert knows(one, sid), "at once where it was revoked"
            assert await within(1, lambda: knows(other, sid))
            assert time.monotonic() - before < 1

    asyncio.run(work())


@with_a_server
def test_another_services_entries_and_nonsense_end_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        public_url = f"http://{uuid.uuid4().hex}.example.org"
        async with workers(tmp_path, SERVER, public_url=public_url) as (one, other):
            assert await are_connected(one, other)
            assert SERVER is not None
            known = len(other.feed.view)
            async with client_of(Secret(SERVER)) as stranger:
                foreign = one.settings.model_copy(update={"public_url": "http://elsewhere"})
                line = '["user", "1", 9, 9e9]'
                await stranger.publish(channel_of(foreign), line)
                for nonsense in (b"\xff\xfe", "[" * 50_000, "[]", '["user", "1", 9, 1e999]', "7"):
                    await stranger.publish(channel_of(one.settings), nonsense)
                await stranger.publish(channel_of(one.settings), '["everyone", "", 5, 9e9]')

            def heard() -> bool:
                return any(e.kind is Kind.EVERYONE for e in other.feed.view.entries())

            assert await within(2, heard), "the last one got through"
            assert len(other.feed.view) == known + 1

    asyncio.run(work())


def test_without_it_the_database_serves_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        nobody = f"redis://:a-password@127.0.0.1:{free_port()}/0"
        async with workers(tmp_path, nobody, revocation_poll_seconds=0.2) as (one, _):
            # More rounds than one go wrong meanwhile.
            await asyncio.sleep(1.5)
            before = time.monotonic()
            sid = await revoke(one)
            assert time.monotonic() - before < 0.5, "no request waits for it"
            assert knows(one, sid)
            await one.feed.catch_up(one.database)
            assert not one.feed.is_stale()

    with caplog.at_level(logging.WARNING, logger="watchword"):
        asyncio.run(work())
    of_it = [r for r in caplog.records if getattr(r, "task", None) == "pubsub"]
    assert len(of_it) == 2, "once for each of the two"
    assert "a-password" not in caplog.text


@pytest.mark.parametrize(
    "url", ["http://cache:6379", "redis://", "redis:cache", "valkey://:p@", "cache:6379"]
)
def test_a_url_that_names_no_server_refuses_to_start_and_does_not_show_itself(url: str) -> None:
    settings = Settings(
        environment="development", secret_key=Secret("k" * 40), revocation_url=Secret(url)
    )
    with pytest.raises(ConfigurationError, match="REVOCATION_URL must be") as refusal:
        refuse_unsafe(settings)
    assert url not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["valkey://cache", "rediss://user:p%40ss@cache:6380/3", "valkeys://[::1]:6379"]
)
def test_urls_as_hosts_hand_them_out_are_taken(url: str) -> None:
    secret = Secret(url)
    refuse_unsafe(Settings(environment="development", revocation_url=secret))
    kwargs = client_of(secret).connection_pool.connection_kwargs
    assert kwargs["host"] in {"cache", "::1"}

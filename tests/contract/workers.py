"""Another worker: a second Watchword on the same database, which shares nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from watchword import Watchword
from watchword.testing import Running, TurnableWorld
from watchword.world import World


def plain(auth: Watchword) -> FastAPI:
    """An app that has nothing but Watchword in it."""
    app = FastAPI()
    auth.mount(app)
    return app


@contextmanager
def another_worker(
    running: Running,
    host: Callable[[Watchword], FastAPI] = plain,
    path: str = "",
    *,
    world: World | None = None,
    **changes: Any,
) -> Iterator[Running]:
    """One more worker of the same service, with some settings changed; by the same clock."""
    settings = running.auth.settings.model_copy(update=changes)
    auth = Watchword(settings, world=world or TurnableWorld(running.clock))
    with TestClient(
        host(auth),
        base_url="http://localhost:8000",
        client=("127.0.0.1", 50001),
        follow_redirects=False,
        raise_server_exceptions=False,
    ) as client:
        yield Running(auth, client, running.clock, path)


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold within that many real seconds."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


def seen_from(running: Running, bearer: dict[str, str]) -> int:
    """What the worker answers to somebody who asks who they are."""
    return running.client.get(f"{running.prefix}/auth/me", headers=bearer).status_code

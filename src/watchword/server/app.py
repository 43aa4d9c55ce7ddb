"""The app that ``watchword serve`` runs: Watchword mounted at the root, documentation, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.routing import Mount

from watchword.edge.wire import install
from watchword.mount import health
from watchword.mount.serving import Served
from watchword.mount.watchword import Watchword
from watchword.seat import seat_app, seat_of
from watchword.server import logs, metrics
from watchword.server.memory import give_back_large_blocks
from watchword.server.stopping import told_to_stop
from watchword.settings.load import load_settings


class Signpost(BaseModel):
    """Where to go from the root."""

    app: str
    version: str
    docs: str = "/docs"


def application(**overrides: Any) -> FastAPI:
    """The app with settings read here: what each of several worker processes runs.

    Any ASGI server can run it as well: ``uvicorn --factory watchword.server.app:application``.
    ``overrides`` are settings by name, as ``Watchword`` takes them. Raises ConfigurationError.
    """
    loaded = load_settings(**overrides)
    logs.configure(loaded.settings)
    return create_app(Watchword(loaded))


def create_app(auth: Watchword) -> FastAPI:
    """The service around ``auth``: every answer, a 404 too, has our headers and our errors."""
    give_back_large_blocks()
    settings = auth.settings
    name, version = settings.app_name, settings.app_version
    app = FastAPI(title=name, version=version, openapi_url=None, redirect_slashes=False)
    install(app)
    auth.mount(app)
    seat = seat_of(app)
    mounted = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(host: Any) -> AsyncIterator[Any]:
        async with mounted(host) as state:
            with told_to_stop(auth.core.feed.let_all_go):
                yield state

    app.router.lifespan_context = lifespan

    # What stands at the root is an app of its own behind a shield of its own, and takes what
    # Watchword's paths leave over. A shield around both would tell of each request twice.
    root = FastAPI(title=name, version=version, redirect_slashes=False)
    install(root)
    seat_app(root, seat)
    root.openapi = app.openapi  # type: ignore[method-assign]
    root.include_router(health.router, include_in_schema=False)
    root.include_router(metrics.router)

    @root.get("/", include_in_schema=False)
    async def signpost() -> Signpost:
        return Signpost(app=name, version=version)

    app.router.routes.append(Mount("", Served(root, seat, settings)))
    return app

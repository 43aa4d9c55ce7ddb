"""What stands around our app: the shield, CORS, and a clear word before the start."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from watchword.core import Core
from watchword.edge.client import TrustedProxies
from watchword.edge.shield import AnnouncedLimit, Shield
from watchword.seat import Seat
from watchword.settings.schema import Settings


class Served:
    """Our app as an ASGI callable. Its outer layers are made when it has been started."""

    def __init__(self, api: FastAPI, seat: Seat, settings: Settings) -> None:
        self._seat = seat
        app: ASGIApp = AnnouncedLimit(api, settings.max_body_bytes)
        if settings.allowed_origins:
            app = CORSMiddleware(
                app,
                allow_origins=list(settings.allowed_origins),
                allow_credentials=True,
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
                expose_headers=["X-Request-ID", "X-Process-Time", "Retry-After"],
            )
        self._app = app
        self._around: tuple[Core, Shield] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. Raises ConfigurationError before the start."""
        core = self._seat.occupied()
        if self._around is None or self._around[0] is not core:
            shield = Shield(
                self._app,
                world=core.world,
                proxies=TrustedProxies.of(core.settings.trusted_proxies),
                metrics=core.metrics,
            )
            self._around = (core, shield)
        await self._around[1](scope, receive, send)

"""Class Watchword: make it, mount it, depend on it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from watchword.accounts import routes as accounts_routes
from watchword.accounts.guards import PrincipalGuard, UserGuard
from watchword.admin import routes as admin_routes
from watchword.core import Core
from watchword.edge.wire import install
from watchword.errors import ConfigurationError
from watchword.mount import feed, health, wellknown
from watchword.mount.background import background
from watchword.mount.compose import compose, dissolve
from watchword.mount.openapi import describe_problems, merge
from watchword.mount.serving import Served
from watchword.pages import routes as pages_routes
from watchword.passwords import routes as passwords_routes
from watchword.seat import Seat, seat_app
from watchword.sessions import routes as sessions_routes
from watchword.settings.check import refuse_unsafe
from watchword.settings.load import Loaded, load_settings, with_secret
from watchword.settings.schema import MailMode, Settings
from watchword.signin import routes as signin_routes
from watchword.world import World

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


class Watchword:
    """Authentication for a FastAPI app.

    ``Watchword()`` reads its settings from the environment and ``.env``; any of them can be an
    argument instead, under its name in lower case: ``Watchword(database_url="postgresql://…")``.
    ``mail_templates`` is a folder whose files replace ours of the same name.

    Raises ConfigurationError, saying what to type, for a setting that is unknown or won't do.
    """

    def __init__(
        self,
        settings: Settings | Loaded | None = None,
        *,
        world: World | None = None,
        mail_templates: Path | None = None,
        **overrides: Any,
    ) -> None:
        if isinstance(settings, Settings):
            settings = Loaded(settings, {})
        self._loaded = settings or load_settings(**overrides)
        self._world = world or World()
        self._mail_templates = mail_templates
        self._seat = Seat()
        self._users = 0
        self._starting = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._api = self._build_api()
        self.asgi: ASGIApp = Served(self._api, self._seat, self.settings)

    @property
    def settings(self) -> Settings:
        """The settings as they were read; frozen."""
        return self._loaded.settings

    @property
    def core(self) -> Core:
        """What a started Watchword holds. Raises ConfigurationError before the start."""
        return self._seat.occupied()

    # --- mount it ------------------------------------------------------------------------------

    def mount(self, app: FastAPI, path: str = "") -> None:
        """Serve Watchword's paths from ``app``, below ``path``, and start and stop it with the app.

        Only our own paths are taken; the app's routes, handlers, middleware and lifespan stay as
        they are. Its documentation shows ours beside its own. Raises ConfigurationError for a
        ``path`` that no request could have.
        """
        path = path.rstrip("/")
        if not _PATH.fullmatch(path):
            raise ConfigurationError(f"Watchword can't be mounted at {path!r}: write it as /id")
        app.router.routes.append(_WatchwordRoute(self._api, self.asgi, self._seat, path))
        host_lifespan = app.router.lifespan_context

        @asynccontextmanager
        async def both(host: Any) -> AsyncIterator[Any]:
            async with self.lifespan(host), host_lifespan(host) as state:
                yield state

        app.router.lifespan_context = both
        host_openapi: Callable[[], dict[str, Any]] = app.openapi

        def openapi() -> dict[str, Any]:
            return merge(host_openapi(), self.openapi(path), path)

        # FastAPI's documented way to extend the document is to replace this method.
        app.openapi = openapi  # type: ignore[method-assign]

    @asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncIterator[None]:
        """Start, and stop at the end. Entered again inside itself, it starts once.

        ``mount`` enters it with the app; enter it yourself where the app is run without lifespan.
        """
        async with self._starting:
            if self._users == 0:
                await self._start()
            self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                await self._stop()

    async def _start(self) -> None:
        self._loaded = with_secret(self._loaded, self._world)
        refuse_unsafe(self.settings)
        core = await compose(self.settings, self._world, self._mail_templates)
        self._stack = AsyncExitStack()
        self._stack.push_async_callback(dissolve, core)
        await self._stack.enter_async_context(background(core))
        self._seat.core = core

    async def _stop(self) -> None:
        self._seat.core = None
        await self._stack.aclose()

    # --- depend on it --------------------------------------------------------------------------

    @cached_property
    def current_principal(self) -> PrincipalGuard:
        """The caller's claims, without a read: ``Depends(auth.current_principal)``."""
        return PrincipalGuard(lambda _: self.core)

    @cached_property
    def current_user(self) -> UserGuard:
        """The caller's account, read once: ``Depends(auth.current_user)``.

        The same as ``CurrentUser``, for an app on which this Watchword is not the one mounted.
        """
        return UserGuard(lambda _: self.core)

    # --- describe it ---------------------------------------------------------------------------

    def openapi(self, path: str = "") -> dict[str, Any]:
        """Our own OpenAPI document; ``path`` is where it is mounted."""
        prefix = self.settings.api_v1_prefix
        token_url = f"{path}{prefix}/auth/login/form".lstrip("/")
        return describe_problems(self._api.openapi(), token_url)

    def _build_api(self) -> FastAPI:
        settings = self.settings
        api = FastAPI(
            title=settings.app_name,
            version=settings.app_version,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            # A redirect would name whatever Host it was sent: a missing slash is a 404.
            redirect_slashes=False,
            max_body_size=settings.max_body_bytes,
        )
        install(api)
        seat_app(api, self._seat)
        for routes in (
            signin_routes,
            passwords_routes,
            sessions_routes,
            accounts_routes,
            admin_routes,
            feed,
            health,
        ):
            api.include_router(routes.router, prefix=settings.api_v1_prefix)
        api.include_router(wellknown.router)
        api.include_router(pages_routes.router)
        if settings.is_development and settings.mail_mode is MailMode.KEEP:
            api.include_router(pages_routes.mailbox_router)
        return api


class _WatchwordRoute(BaseRoute):
    """A route that takes exactly our paths: a mount would take all that lie below its prefix."""

    def __init__(self, api: FastAPI, asgi: ASGIApp, seat: Seat, path: str) -> None:
        self.watchword_seat = seat
        self._asgi = asgi
        self._path = path
        contexts = iter_route_contexts(api.router.routes)
        ours = sorted({re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(c.path or "")) for c in contexts})
        self._ours = re.compile("|".join(ours))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        asked = get_route_path(scope)
        if not asked.startswith(self._path):
            return Match.NONE, {}
        if not self._ours.fullmatch(asked[len(self._path) :]):
            return Match.NONE, {}
        root = scope.get("root_path", "")
        return Match.FULL, {
            "app_root_path": scope.get("app_root_path", root),
            "root_path": root + self._path,
            "endpoint": self._asgi,
        }

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A copy: what our app writes into it is not the host's middleware's to trip over.
        await self._asgi(dict(scope), receive, send)

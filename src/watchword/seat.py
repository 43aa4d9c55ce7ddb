"""Where a Watchword sits in an app, and how a route finds it: no global, no ``app.state``."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.applications import Starlette

from watchword.core import Core
from watchword.errors import ConfigurationError


class Seat:
    """Where a Watchword sits in an app: empty until it has started, then it holds its Core."""

    __slots__ = ("__weakref__", "core")

    def __init__(self) -> None:
        self.core: Core | None = None

    def occupied(self) -> Core:
        """The Core. Raises ConfigurationError, saying what to write, before the start."""
        if self.core is None:
            raise ConfigurationError(
                "Watchword has not been started. auth.mount(app) starts it with the app: run the "
                "app's lifespan (in tests: `with TestClient(app) as client:`), or enter "
                "`async with auth.lifespan(app):` inside your own"
            )
        return self.core


# Where an app remembers what was found in it: it goes when the app goes.
_FOUND = "_watchword_seat"


def seat_of(app: Starlette) -> Seat:
    """The Watchword mounted on ``app``. Raises ConfigurationError where there is none, or two."""
    seat: Seat | None = getattr(app, _FOUND, None)
    if seat is None:
        found = {id(s): s for s in (getattr(r, "watchword_seat", None) for r in app.routes) if s}
        if not found:
            raise ConfigurationError(
                "No Watchword is mounted on this app. Write `auth = Watchword()` and "
                "`auth.mount(app)`, or depend on auth.current_user where the app is another one"
            )
        if len(found) > 1:
            raise ConfigurationError(
                "Several Watchwords are mounted on this app: depend on one's own, "
                "`Depends(auth.current_user)`"
            )
        seat = next(iter(found.values()))
        seat_app(app, seat)
    return seat


def seat_app(app: Starlette, seat: Seat) -> None:
    """Let the routes of one of our own apps find its Watchword."""
    setattr(app, _FOUND, seat)


def core_of(request: Request) -> Core:
    """The Core of the Watchword that serves this request."""
    return seat_of(request.scope["app"]).occupied()


async def get_core(request: Request) -> Core:
    """The same, as a FastAPI dependency."""
    return core_of(request)


CoreDep = Annotated[Core, Depends(get_core)]

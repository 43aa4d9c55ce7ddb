"""The two places that a Watchword is tried in: alone, and inside an app that makes it hard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from watchword import CurrentUser, Watchword

HOSTILE_PATH = "/id"


class User(BaseModel):
    """The host has a User of its own, and it is another one."""

    nickname: str


def hostile(auth: Watchword) -> FastAPI:
    """A host with a lifespan, handlers, middleware, schemas and routes that get in the way."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        app.state.opened = True
        yield {"hosts_own": "kept"}
        app.state.closed = True

    app = FastAPI(lifespan=lifespan, title="Hostile")

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"hostile": "invalid"}, status_code=418)

    @app.exception_handler(HTTPException)
    async def refused(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        content = {"hostile": error.detail}
        return JSONResponse(content, status_code=error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"hostile": "failed"}, status_code=599)

    async def stamp(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        response.headers["X-Host"] = "hostile"
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=stamp)
    app.add_middleware(GZipMiddleware, minimum_size=100)

    @app.get("/before")
    async def before(user: CurrentUser) -> dict[str, str]:
        return {"before": user.username}

    auth.mount(app, HOSTILE_PATH)

    @app.get("/id/api/v1/chat")
    async def below_our_prefix(user: CurrentUser, request: Request) -> dict[str, str]:
        return {"chat": user.username, "state": request.state.hosts_own}

    @app.get("/nicknames")
    async def nicknames() -> list[User]:
        return [User(nickname="mine")]

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the host's own trouble")

    @app.api_route("/{rest:path}", methods=["GET", "POST", "PUT"])
    async def everything_else(rest: str) -> dict[str, str]:
        return {"hostile": rest}

    return app


def alone(auth: Watchword) -> FastAPI:
    """The service, as ``watchword serve`` builds it."""
    from watchword.server.app import create_app

    return create_app(auth)

"""Is it up, and is its database: for load balancers and for whoever is paged at night."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from watchword.edge.wire import describes
from watchword.errors import DatabaseUnavailable
from watchword.seat import CoreDep

router = APIRouter(prefix="/health", tags=["health"])

# A probe that hangs tells nobody anything.
_PATIENCE_SECONDS = 3.0


class Health(BaseModel):
    """The service answers."""

    status: Literal["healthy"] = "healthy"
    app: str
    version: str
    environment: str


class DatabaseHealth(BaseModel):
    """The database answers."""

    status: Literal["healthy"] = "healthy"
    database: Literal["connected"] = "connected"


@router.get("", response_model=Health)
async def health(core: CoreDep) -> Health:
    """Whether the service answers at all. Asks nothing of the database."""
    settings = core.settings
    return Health(
        app=settings.app_name, version=settings.app_version, environment=settings.environment.value
    )


@router.get("/database", response_model=DatabaseHealth, responses=describes(DatabaseUnavailable))
async def database_health(core: CoreDep) -> DatabaseHealth:
    """Whether the database answers a question that is really asked."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await core.database.ask()
    except TimeoutError as error:
        raise DatabaseUnavailable(detail="no answer in time") from error
    return DatabaseHealth()

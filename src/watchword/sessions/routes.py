"""Refresh, logout, and the list of where one is signed in."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Response

from watchword.accounts.guards import CurrentPrincipal
from watchword.accounts.schemas import Message
from watchword.edge.body import JsonRoute
from watchword.edge.wire import describes
from watchword.errors import (
    InactiveUser,
    InvalidAccessToken,
    InvalidRefreshToken,
    SessionNotFound,
    TooManyRequests,
)
from watchword.seat import CoreDep
from watchword.secret import Secret
from watchword.sessions import refresh as refreshing
from watchword.sessions import schemas, service

router = APIRouter(prefix="/auth", tags=["auth"], route_class=JsonRoute)

_TOKEN_ONLY = describes(InvalidAccessToken)


@router.post(
    "/refresh",
    response_model=schemas.TokenPair,
    responses=describes(InvalidRefreshToken, InactiveUser, TooManyRequests),
)
async def refresh(
    core: CoreDep, body: schemas.RefreshRequest, response: Response
) -> service.TokenPair:
    """A new token pair. The refresh token is replaced: keep the new one, forget the old one."""
    response.headers["Cache-Control"] = "no-store"
    return await refreshing.refresh(core, Secret(body.refresh_token))


@router.post("/logout", response_model=Message, responses=_TOKEN_ONLY)
async def logout(core: CoreDep, caller: CurrentPrincipal) -> Message:
    """End this session: its access and refresh tokens are of no use from now on."""
    session_id = uuid.UUID(caller.session_id)
    try:
        async with core.database.write() as unit:
            await service.end(unit, core.settings, caller.user_id, session_id, reason="logout")
    except SessionNotFound as error:
        # Another request has just ended it: this token is of no use any more either.
        raise InvalidAccessToken(detail="the session has ended meanwhile") from error
    return Message(message="Successfully logged out")


@router.post("/logout/all", response_model=Message, responses=_TOKEN_ONLY)
async def logout_everywhere(core: CoreDep, caller: CurrentPrincipal) -> Message:
    """End all the caller's sessions, this one too."""
    async with core.database.write() as unit:
        count = await service.end_all(
            unit, core.settings, caller.user_id, reason="logout everywhere"
        )
    return Message(message=f"Signed out everywhere: {count} sessions ended")


@router.get("/sessions", response_model=list[schemas.Session], responses=_TOKEN_ONLY)
async def list_sessions(core: CoreDep, caller: CurrentPrincipal) -> list[schemas.Session]:
    """Where the caller is signed in, last used first."""
    async with core.database.read() as unit:
        found = await service.live(unit, caller.user_id)
    return [
        schemas.Session(
            id=session.id,
            device=session.device,
            address=session.address,
            created_at=session.created_at,
            last_seen=session.last_seen,
            expires_at=session.expires_at,
            current=str(session.id) == caller.session_id,
        )
        for session in found
    ]


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    responses={**_TOKEN_ONLY, **describes(SessionNotFound)},
)
async def end_session(
    core: CoreDep, caller: CurrentPrincipal, session_id: Annotated[uuid.UUID, Path()]
) -> None:
    """End one of the caller's sessions."""
    async with core.database.write() as unit:
        await service.end(
            unit, core.settings, caller.user_id, session_id, reason="ended from another session"
        )
        await service.disown(unit, caller.user_id)

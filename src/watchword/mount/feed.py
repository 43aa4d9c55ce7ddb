"""The revocation feed over HTTP, for resource servers: a snapshot, and a stream of what is new.

For whoever holds one of FEED_TOKENS; without any there is no such route. It stands here, as the
public keys do, because the feed's own room lies below the one that knows where a Core is.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from watchword.core import Core
from watchword.edge.wire import describes
from watchword.errors import InvalidAccessToken, NotAuthenticated, NotFound, ServiceUnavailable
from watchword.revocations.stream import events
from watchword.seat import CoreDep
from watchword.secret import Secret
from watchword.verify.asgi import bearer_of
from watchword.verify.revocations import Kind

router = APIRouter(prefix="/revocations", tags=["revocations"])

_log = logging.getLogger("watchword.revocations")
_REFUSES = describes(NotAuthenticated, InvalidAccessToken, NotFound)
_MOST_STREAMS = 1000
# A peer that takes nothing for so long is let go; meanwhile what it was sent waits in memory.
_PATIENCE_SECONDS = 10.0


class Snapshot(BaseModel):
    """What is revoked at this moment and could still matter."""

    entries: list[tuple[Kind, str, int, float]] = Field(
        description="Each: what it ends; the session's or the user's id, or nothing; for a user "
        "the epoch below which tokens end, for everyone the moment (ms) up to which sessions "
        "began; when the last token that it ends has expired (seconds since the epoch)"
    )


class EventStream(Response):
    """Server-sent events from a generator, until it or the peer ends."""

    media_type = "text/event-stream"

    def __init__(self, texts: AsyncGenerator[str, None]) -> None:
        # nginx would hold lines back until it has a buffer full of them.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._texts = texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what comes, and notice a peer that is gone or takes nothing."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.create_task(_gone(receive))
        try:
            async with aclosing(self._texts):
                async for text in self._texts:
                    body = text.encode()
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        await send({"type": "http.response.body", "body": body, "more_body": True})
                    if gone.done():
                        return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            _log.warning("a follower reads too slowly", extra={"event": "revocations.slow"})
        finally:
            gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@router.get("", response_model=Snapshot, responses=_REFUSES)
async def snapshot(core: CoreDep, request: Request) -> Response:
    """What is revoked at this moment and could still matter. With If-None-Match: 304 if the same.

    For resource servers: `Authorization: Bearer` with one of FEED_TOKENS.
    """
    await _admit(core, request)
    # In order, so that every worker gives the same thing the same name.
    lines = sorted(entry.line() for entry in core.feed.view.entries())
    body = f'{{"entries":[{",".join(lines)}]}}'.encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    asked = request.headers.get("if-none-match", "")
    known = {one.strip().removeprefix("W/") for one in asked.split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@router.get("/stream", status_code=200, response_class=EventStream, responses=_REFUSES)
async def stream(
    core: CoreDep,
    request: Request,
    heartbeat: Annotated[
        float, Query(ge=0.2, le=10, description="Seconds between two heartbeats")
    ] = 3,
) -> EventStream:
    """The same as server-sent events: `snapshot`, then a `revocation` for each new entry.

    A `heartbeat` says up to when everything has been told, in seconds since the request came in.
    None comes while this service itself does not know. For resource servers: `Authorization:
    Bearer` with one of FEED_TOKENS.
    """
    await _admit(core, request)
    if core.feed.followers >= _MOST_STREAMS:
        raise ServiceUnavailable(retry_after=5, detail="too many streams of the feed")
    return EventStream(events(core.feed, core.world, heartbeat=heartbeat))


async def _admit(core: Core, request: Request) -> None:
    if not core.settings.feed_tokens:
        raise NotFound(detail="FEED_TOKENS is not set")
    token = bearer_of(request.scope)
    if token is None:
        raise NotAuthenticated("Send one of FEED_TOKENS as a bearer token")
    shown = Secret(token)
    if not any(shown == wanted for wanted in core.settings.feed_tokens):
        raise InvalidAccessToken("FEED_TOKENS has no such token")
    if core.feed.is_stale():
        # What was revoked long ago is not what is revoked: look again, or answer 503.
        await core.feed.catch_up(core.database)

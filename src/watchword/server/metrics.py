"""``/metrics``: the counters for Prometheus, for this machine or for who has the token."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, Request, Response

from watchword.core import Core
from watchword.edge.client import TrustedProxies
from watchword.email import outbox
from watchword.errors import DatabaseUnavailable, Forbidden, InvalidAccessToken, NotAuthenticated
from watchword.seat import CoreDep
from watchword.secret import Secret

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(core: CoreDep, request: Request) -> Response:
    """What this process has counted. In production for loopback, or with METRICS_TOKEN."""
    if not core.settings.is_development:
        _refuse_strangers(core, request)
    core.metrics.hash_queue.set(core.hasher.depth)
    core.metrics.revocations.set(len(core.feed.view))
    # The counters are wanted most when the database is away.
    with suppress(DatabaseUnavailable):
        async with core.database.read() as unit:
            core.metrics.outbox.set(await outbox.waiting(unit))
    text, media_type = core.metrics.exposition()
    return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


def _refuse_strangers(core: Core, request: Request) -> None:
    wanted = core.settings.metrics_token
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        # Before the address: a scraper on this machine with an old token should hear of it.
        if wanted is not None and Secret(token.strip()) == wanted:
            return
        raise InvalidAccessToken("METRICS_TOKEN is another one")
    if TrustedProxies.of(core.settings.trusted_proxies).is_loopback(request.scope):
        return
    if wanted is None:
        raise Forbidden("Metrics are for this machine alone. Set METRICS_TOKEN to open them")
    raise NotAuthenticated("Send METRICS_TOKEN as a bearer token")

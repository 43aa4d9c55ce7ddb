"""What stands below ``/.well-known`` (RFC 8615): the public keys (RFC 7517)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from watchword.keys.service import JWKS_MAX_AGE_SECONDS
from watchword.seat import CoreDep

router = APIRouter(prefix="/.well-known", tags=["keys"])


@router.get("/jwks.json", response_model=dict[str, Any])
async def jwks(core: CoreDep, response: Response) -> dict[str, Any]:
    """The public keys that access tokens are signed with. Empty with ALGORITHM=HS256."""
    response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE_SECONDS}"
    return core.keyring.jwks()

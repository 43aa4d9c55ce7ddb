"""Guards for the routes of a resource server in FastAPI.

Each is one flat dependency and a security scheme in one, because FastAPI pays for every dependency
of a route on every request.
"""

from __future__ import annotations

from fastapi import HTTPException, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from watchword.verify.asgi import Challenge, access_of
from watchword.verify.resource import ResourceServer
from watchword.verify.token import AccessToken


class BearerGuard(SecurityBase):
    """The claims of the caller's token, from memory. Make one with ``bearer``."""

    def __init__(self, resource: ResourceServer, scopes: frozenset[str]) -> None:
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = "Bearer"
        self._resource = resource
        self._scopes = scopes

    async def __call__(self, request: Request) -> AccessToken:
        """The claims; else 401, 403 for a missing scope, 503 where nobody can know."""
        try:
            return await access_of(self._resource, request.scope, scopes=self._scopes)
        except Challenge as refused:
            raise HTTPException(refused.status, refused.detail, refused.headers) from refused


def bearer(resource: ResourceServer) -> BearerGuard:
    """A dependency that gives the caller's AccessToken: ``Depends(bearer(resource))``."""
    return BearerGuard(resource, frozenset())


def require_scope(resource: ResourceServer, *scopes: str) -> BearerGuard:
    """The same for tokens that have all of these scopes; others get 403 ``insufficient_scope``.

    Raises ValueError for no scope, or one that RFC 6749, section 3.3, does not allow.
    """
    if not scopes or not all(_is_scope(scope) for scope in scopes):
        raise ValueError("a scope is printable ASCII without spaces, quotes and backslashes")
    return BearerGuard(resource, frozenset(scopes))


def _is_scope(text: str) -> bool:
    return (
        bool(text)
        and all("!" <= character <= "~" for character in text)
        and not (set(text) & {'"', "\\"})
    )

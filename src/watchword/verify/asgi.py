"""Bearer tokens (RFC 6750) in any ASGI app: reading them, and a middleware that checks them.

Plain ASGI, without a framework: for Starlette, Litestar, or an app of one function.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from watchword.verify.errors import CannotKnow, InvalidToken
from watchword.verify.verifier import bearer_in

if TYPE_CHECKING:
    from watchword.verify.resource import ResourceServer
    from watchword.verify.token import AccessToken

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# RFC 6455, section 7.4.1: closed because of a policy.
_POLICY_VIOLATION = 1008


def bearer_of(scope: Scope) -> str | None:
    """The token in ``Authorization: Bearer …``, or none where there is no such header."""
    value = authorization_of(scope)
    return None if value is None else bearer_in(value)


def authorization_of(scope: Scope) -> bytes | None:
    """The Authorization header as it was sent; the first, where there are several."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bytes(value)
    return None


class Challenge(Exception):
    """A refusal as HTTP has it (RFC 6750, section 3). Its cause says why, for the log alone."""

    def __init__(
        self, status: int, code: str, title: str, detail: str, header: tuple[str, str]
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.headers = dict([header])


async def access_of(
    resource: ResourceServer, scope: Scope, *, scopes: Iterable[str] = ()
) -> AccessToken:
    """The claims of the request's bearer token, which must have all ``scopes``.

    Raises Challenge: 401, 403 where a scope is missing, 503 where nobody can know.
    """
    token = bearer_of(scope)
    if token is None:
        title = "Not authenticated"
        challenge = ("WWW-Authenticate", "Bearer")
        raise Challenge(401, "not_authenticated", title, title, challenge)
    try:
        access = await resource.verify_or_refresh(token)
    except InvalidToken as error:
        says = "The access token is invalid, expired or revoked"
        challenge = (
            "WWW-Authenticate",
            f'Bearer error="invalid_token", error_description="{says}"',
        )
        raise Challenge(401, "invalid_token", "Invalid token", says, challenge) from error
    except CannotKnow as error:
        says = "Whether the access token still holds can't be said now. Try again shortly."
        later = ("Retry-After", "2")
        raise Challenge(503, "service_unavailable", "Service unavailable", says, later) from error
    missing = frozenset(scopes) - access.scopes
    if missing:
        wanted = " ".join(sorted(scopes))
        says = f"The access token lacks a scope: {' '.join(sorted(missing))}"
        challenge = ("WWW-Authenticate", f'Bearer error="insufficient_scope", scope="{wanted}"')
        raise Challenge(403, "insufficient_scope", "Insufficient scope", says, challenge)
    return access


class BearerMiddleware:
    """Lets requests through with a good token, in ``scope["state"]["access_token"]``.

    Others are answered here: 401, or 503 where nobody can know whether the token still holds, as
    problem documents (RFC 9457). With ``required=False`` a request without a token passes, and the
    claims are None; a bad token is refused all the same. ``exempt`` paths pass unlooked at, with
    None too; they are compared whole, so that ``/health`` does not open ``/health/secrets``.

    A WebSocket is checked once, at its handshake.
    """

    def __init__(
        self,
        app: App,
        resource: ResourceServer,
        *,
        required: bool = True,
        exempt: Iterable[str] = ("/health",),
    ) -> None:
        self.app = app
        self._resource = resource
        self._required = required
        self._exempt = frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        access = None
        optional = not self._required and bearer_of(scope) is None
        if scope["path"] not in self._exempt and not optional:
            try:
                access = await access_of(self._resource, scope)
            except Challenge as refused:
                await _refuse(refused, scope, receive, send)
                return
        # A mapping of this request's own: one that is shared would lend the claims to others.
        scope["state"] = {**(scope.get("state") or {}), "access_token": access}
        await self.app(scope, receive, send)


async def _refuse(refused: Challenge, scope: Scope, receive: Receive, send: Send) -> None:
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect, which nothing may be sent before
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            # A server makes a 403 of it, as it does of every close before an accept.
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        kind = "websocket.http.response"
    body = {
        "type": f"urn:watchword:{refused.code}",
        "title": refused.title,
        "status": refused.status,
        "detail": refused.detail,
        "code": refused.code,
    }
    content = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(content)),
        "Cache-Control": "no-store",
        **refused.headers,
    }
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": f"{kind}.start", "status": refused.status, "headers": raw})
    await send({"type": f"{kind}.body", "body": content})

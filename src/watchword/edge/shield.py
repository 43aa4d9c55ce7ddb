"""Around every request: its id, its time, its log line, its count.

Plain ASGI, outside the app and its error handlers, so that an answer made by a failure has the
same headers as any other.
"""

from __future__ import annotations

import logging
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchword.edge.client import TrustedProxies
from watchword.edge.wire import refuse
from watchword.errors import PayloadTooLarge
from watchword.metrics import Metrics
from watchword.trace import Trace, current_user_id, set_trace
from watchword.world import World

_log = logging.getLogger("watchword.access")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SLOW_SECONDS = 1.0
_AGENT_LENGTH = 300


class Shield:
    """Gives each request a trace, and each answer X-Request-ID and X-Process-Time."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        world: World,
        proxies: TrustedProxies,
        metrics: Metrics,
    ) -> None:
        self.app = app
        self._world = world
        self._proxies = proxies
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = self._world.monotonic()
        trace = self._trace(scope)
        set_trace(trace)
        status = 0
        answered: float | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = str(trace.request_id)
                headers["X-Process-Time"] = f"{self._world.monotonic() - began:.6f}"
                headers.setdefault("X-Content-Type-Options", "nosniff")
                # Accounts, sessions and tokens: what may be kept says so itself (ASVS 14.3.2).
                headers.setdefault("Cache-Control", "no-store")
                # A stream that goes on for minutes is not slow: it is told by how it began.
                if headers.get("Content-Type", "").startswith("text/event-stream"):
                    answered = self._world.monotonic()
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            # The answer (500) has been sent by the app's handler; here it is only told to the
            # operator, and not passed on to a host whose middleware might show it.
            _log.exception("failed", extra={"event": "request.failed"})
            if status == 0:
                raise
        finally:
            self._tell(scope, status, (answered or self._world.monotonic()) - began)

    def _trace(self, scope: Scope) -> Trace:
        request_id = agent = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value.decode("latin-1")
            elif name == b"user-agent":
                agent = value.decode("latin-1")[:_AGENT_LENGTH]
        # A caller's id is kept only where it can't break a log line or a header.
        if request_id is None or not _SANE_ID.fullmatch(request_id):
            request_id = str(self._world.new_id())
        if agent is not None:
            agent = "".join(c if c.isprintable() else "?" for c in agent)
        return Trace(request_id, self._proxies.client_address(scope), agent)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "none"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        slow = seconds >= _SLOW_SECONDS
        _log.log(
            logging.WARNING if slow else logging.INFO,
            "slow request" if slow else "request",
            extra={
                "event": "request.slow" if slow else "request.served",
                "method": method,
                "route": route,
                "status": status,
                "seconds": round(seconds, 6),
                "user_id": current_user_id(),
            },
        )


# A method is the caller's to invent; a label of each would fill the memory.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AnnouncedLimit:
    """Refuses a body that says it is too large, before a byte of it is read.

    Inside CORS, so that a page can read why; one that hides its length is counted as it comes in.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self.app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and _announced_length(scope) > self._max_body_bytes:
            await refuse(PayloadTooLarge())(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _announced_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # Python reads no number of thousands of digits; one of twenty is too large already.
            return int(value[:20]) if value.isdigit() else 0
    return 0

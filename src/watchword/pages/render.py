"""A page as a response: its template, its headers, and what a refusal looks like to a person."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException

from watchword.core import Core
from watchword.errors import BadRequest, InvalidOneTimeToken, PayloadTooLarge, WatchwordError
from watchword.seat import get_core
from watchword.trace import current_trace

_HERE = Path(__file__).parent
_log = logging.getLogger("watchword.pages")

STYLE = (_HERE / "static" / "style.css").read_bytes()
# In the style sheet's address, so that a copy may be kept for ever and a new release is seen.
_STYLE_VERSION = hashlib.sha256(STYLE).hexdigest()[:12]

_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates", encoding="utf-8"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    core: Core,
    request: Request,
    template: str,
    words: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    frames: bool = False,
) -> Response:
    """A template of ours, filled with ``words``. ``frames`` lets it frame another of our pages."""
    html = _templates.get_template(template).render(
        words, app_name=core.settings.app_name, top=_top(request), style_version=_STYLE_VERSION
    )
    out = {
        "Content-Security-Policy": f"{_CSP}; frame-src 'self'" if frames else _CSP,
        # The token is in the address: no link and no picture may hand it on.
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        **(headers or {}),
    }
    # An app's name from the environment may hold what UTF-8 can't.
    content = html.encode("utf-8", "replace")
    return Response(content, status_code=status, headers=out, media_type="text/html")


def docs_link(request: Request) -> str:
    """Where the API's documentation is, from this page: at the root of the app that we are in."""
    scope = request.scope
    root: str = scope.get("root_path", "")
    mounted_at: str = root.removeprefix(scope.get("app_root_path", root))
    return _top(request) + "../" * mounted_at.count("/") + "docs"


class PageRoute(APIRoute):
    """A route whose refusals are pages: no problem document where a browser lands."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's way to stand around a route's work."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except WatchwordError as error:
                return _refused(await get_core(request), request, error)
            except HTTPException as error:
                kind = PayloadTooLarge if error.status_code == 413 else BadRequest
                return _refused(await get_core(request), request, kind())

        return answer


def _refused(core: Core, request: Request, error: WatchwordError) -> Response:
    level = logging.WARNING if error.status >= 500 else logging.INFO
    extra = {"event": "page.refused", "code": error.code, "why": error.detail}
    _log.log(level, "refused", extra=extra)
    if isinstance(error, InvalidOneTimeToken):
        # The same for unknown, used and expired: a guesser learns nothing from it.
        purpose = request.url.path.rpartition("/")[2]
        return page(core, request, "dead_link.html", {"purpose": purpose}, status=error.status)
    words = {
        "title": error.title,
        "sentence": error.sentence,
        "request_id": current_trace().request_id,
    }
    return page(core, request, "refused.html", words, status=error.status, headers=error.headers)


def _top(request: Request) -> str:
    """The way from this page up to where we are mounted.

    All our addresses are relative to the page, so that they hold below any prefix, also one that a
    proxy strips and never tells of.
    """
    return "../" * (get_route_path(request.scope).count("/") - 1)

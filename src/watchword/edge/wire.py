"""Refusals on the wire: RFC 9457 problem documents that keep FastAPI's ``detail`` string.

The only place that maps errors to HTTP. Input is never repeated in an answer: it may be a secret.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from watchword import errors
from watchword.errors import WatchwordError
from watchword.trace import current_trace

PROBLEM_JSON = "application/problem+json"
_log = logging.getLogger("watchword.wire")


class WhereWhat(BaseModel):
    """One value that won't do."""

    where: str = Field(description="Which value: a field of the body, or path./query. and its name")
    what: str = Field(description="What is wrong with it, and what would do")


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URI that names the problem")
    title: str = Field(description="The problem in a few words; the same for each of its kind")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="A sentence for people: what is wrong and what to do")
    code: str = Field(description="The problem's name for machines: the last part of `type`")
    request_id: str | None = Field(description="Quote it to the operator: it finds the log line")
    errors: list[WhereWhat] | None = Field(None, description="With 422: where, and what")


class Refusal(HTTPException):
    """A WatchwordError raised in somebody else's route: any host can show an HTTPException."""

    def __init__(self, error: WatchwordError) -> None:
        super().__init__(error.status, detail=error.sentence, headers=error.headers)
        self.error = error


# Refusals that the framework makes by itself, named as ours are.
_BY_STATUS: dict[int, type[WatchwordError]] = {
    400: errors.BadRequest,
    401: errors.NotAuthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    500: WatchwordError,
    503: errors.ServiceUnavailable,
}


def problem(
    *,
    status: int,
    code: str,
    title: str,
    sentence: str,
    headers: Mapping[str, str] | None = None,
    wrong: Sequence[Mapping[str, str]] | None = None,
) -> Response:
    """A problem document as a response."""
    body: dict[str, Any] = {
        "type": f"urn:watchword:{code}",
        "title": title,
        "status": status,
        "detail": sentence,
        "code": code,
        "request_id": current_trace().request_id,
    }
    if wrong is not None:
        body["errors"] = list(wrong)
    # ASCII: a lone surrogate that a message repeats could not be encoded otherwise.
    content = json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    out = {"Cache-Control": "no-store", **(headers or {})}
    return Response(content, status_code=status, headers=out, media_type=PROBLEM_JSON)


def refuse(error: WatchwordError) -> Response:
    """The answer to a typed refusal. Its private detail goes to the log and no further."""
    level = logging.WARNING if error.status >= 500 else logging.INFO
    _log.log(
        level,
        "refused",
        extra={"event": "request.refused", "code": error.code, "why": error.detail},
    )
    wrong = error.errors if isinstance(error, errors.InvalidInput) else None
    return problem(
        status=error.status,
        code=error.code,
        title=error.title,
        sentence=error.sentence,
        headers=error.headers,
        wrong=wrong,
    )


def install(app: FastAPI) -> None:
    """Give ``app`` (one of ours, never a host's) these answers for everything it refuses."""
    app.add_exception_handler(WatchwordError, _on_refusal)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_failure)


async def _on_refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, WatchwordError):
        raise error
    return refuse(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return refuse(error.error)
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _methods_of_the_path(request) or headers.get("Allow", "")
    kind = _BY_STATUS.get(error.status_code)
    sentence = str(error.detail)
    if kind is None:
        code = "method_not_allowed" if error.status_code == 405 else "refused"
        title = sentence
    else:
        code, title = kind.code, kind.title
        sentence = kind.default if kind is errors.PayloadTooLarge else sentence
    return problem(
        status=error.status_code,
        code=code,
        title=title,
        sentence=sentence,
        headers=headers,
    )


def _methods_of_the_path(request: Request) -> str:
    """The router names the methods of one route, and a path may be several (RFC 9110, 10.2.1)."""
    asked = get_route_path(request.scope)
    routes = [(c.path, c.methods) for c in iter_route_contexts(request.app.router.routes)]
    ours = [path for path, methods in routes if path and methods]
    first = next((path for path in ours if compile_path(path)[0].match(asked)), None)
    return ", ".join(
        sorted({m for path, methods in routes if path == first for m in methods or ()})
    )


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if _wants_json(request):
        if any(e["loc"] == ("body",) for e in found) and not _JSON.fullmatch(kind):
            return refuse(errors.UnsupportedMediaType())
    elif kind not in _FORMS:
        return refuse(errors.UnsupportedMediaType(f"Send the body as {_FORMS[0]}"))
    wrong = [{"where": _where(e), "what": _what(e)} for e in found]
    sentence = "; ".join(f"{w['where']}: {w['what']}" for w in wrong[:5])
    invalid = errors.InvalidInput
    return problem(
        status=422, code=invalid.code, title=invalid.title, sentence=sentence, wrong=wrong
    )


async def _on_failure(_request: Request, _error: Exception) -> Response:
    failure = WatchwordError
    return problem(status=500, code=failure.code, title=failure.title, sentence=failure.default)


_JSON = re.compile(r"application/(?:[^/]+\+)?json")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def _wants_json(request: Request) -> bool:
    return not request.url.path.endswith("/login/form")


def _where(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "body"
    parts = [str(part) for part in error["loc"]]
    if len(parts) > 1 and parts[0] == "body":
        parts = parts[1:]
    return ".".join(parts)


def _what(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "The body is not JSON"
    return str(error["msg"]).removeprefix("Value error, ")


def describes(*kinds: type[WatchwordError]) -> dict[int | str, dict[str, Any]]:
    """What a route documents of its refusals in OpenAPI."""
    by_status: dict[int, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind.default)
    return {
        status: {
            "model": Problem,
            "description": " / ".join(dict.fromkeys(sentences)),
            "content": {PROBLEM_JSON: {}},
        }
        for status, sentences in by_status.items()
    }

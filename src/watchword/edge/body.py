"""Reading a JSON body so that it can mean one thing only.

A filter in front of us that reads the first of two equal names, or another encoding, would let
through what it is there to stop (RFC 8259, sections 4 and 8.1).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from watchword.edge.wire import Refusal
from watchword.errors import BadRequest


class JsonRoute(APIRoute):
    """A route whose JSON body is read strictly. What can't be read is 400 or 422."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's way to give a route another request."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return answer


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body. Raises JSONDecodeError, or BadRequest for what Python's reader would take."""
        try:
            # A byte order mark may be ignored (RFC 8259, section 8.1), and some editors write one.
            text = (await self.body()).decode("utf-8-sig")
            return json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
        except json.JSONDecodeError:
            raise
        except UnicodeDecodeError as error:
            raise Refusal(BadRequest("The body is not UTF-8")) from error
        except (ValueError, RecursionError) as error:
            # A number of thousands of digits, or thousands of brackets.
            raise Refusal(BadRequest("The body is JSON that nobody can read")) from error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal(BadRequest("The body names a field twice"))
    return found


def _no_number(_constant: str) -> float:
    raise Refusal(BadRequest("The body has NaN or Infinity, which JSON has not"))

"""Who is asking: the request that the present work is done for.

The edge sets it once per request; the audit log and the log lines read it. It decides nothing.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trace:
    """A request's id, the caller's believed address, and what it says it is."""

    request_id: str | None = None
    address: str | None = None
    user_agent: str | None = None


NOBODY = Trace()
_current: ContextVar[Trace] = ContextVar("watchword_trace", default=NOBODY)
_user_id: ContextVar[int | str | None] = ContextVar("watchword_user_id", default=None)


def current_trace() -> Trace:
    """The request being served, or an empty trace in a command or a background task."""
    return _current.get()


def set_trace(trace: Trace) -> Token[Trace]:
    """Make ``trace`` the current one for this task and those it starts."""
    _user_id.set(None)
    return _current.set(trace)


def current_user_id() -> int | None:
    """The signed-in user that this work is done for, once a guard has found it."""
    user_id = _user_id.get()
    return None if user_id is None else int(user_id)


def set_user_id(user_id: int | str) -> None:
    """Name the user for the log lines of this request; a token's subject will do as it is."""
    _user_id.set(user_id)

"""Why a token is refused: for the log. The caller only ever hears ``invalid_token`` (RFC 6750)."""

from __future__ import annotations


class InvalidToken(Exception):
    """The token is not a live access token of ours. ``reason`` is for the operator alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKey(InvalidToken):
    """No key of ours has this ``kid``: a new one perhaps, so that the keys are worth a look."""


class CannotKnow(Exception):
    """Nobody here can say whether the token still holds: answer 503, never let it pass.

    ``reason`` is for the operator alone.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

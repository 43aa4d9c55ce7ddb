"""The claims of an access token, once they are believed (RFC 9068, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified access token. Times are seconds since the epoch (NumericDate)."""

    issuer: str
    audience: str
    subject: str
    client_id: str
    scopes: frozenset[str]
    issued_at: int
    expires_at: int
    token_id: str
    session_id: str
    auth_time: int
    amr: tuple[str, ...]
    role: str
    verified: bool
    # The user's epoch when the row was read that this token was made from: a higher one in the
    # revocations refuses every token made from an older row, whatever the clocks say.
    epoch: int

    @property
    def user_id(self) -> int:
        """The subject as the integer that user ids are."""
        return int(self.subject)

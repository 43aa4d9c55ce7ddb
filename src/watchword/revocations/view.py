"""The live revocations in memory. The check is three dictionary look-ups, on every request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum

from watchword.verify.token import AccessToken
from watchword.world import milliseconds_of


class Kind(StrEnum):
    """What an entry ends."""

    SESSION = "session"
    USER = "user"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Revocation:
    """One line of the feed. ``expires_at`` in seconds since the epoch."""

    id: uuid.UUID
    kind: Kind
    subject: str
    bound: int
    expires_at: float


class RevocationView:
    """What this worker knows to be revoked. Applying an entry twice is applying it once."""

    def __init__(self) -> None:
        self._sessions: dict[str, float] = {}
        self._users: dict[str, tuple[int, float]] = {}
        self._everyone: tuple[int, float] | None = None

    def apply(self, entry: Revocation) -> None:
        """Refuse from now on what the entry ends."""
        if entry.kind is Kind.SESSION:
            known = self._sessions.get(entry.subject, 0.0)
            self._sessions[entry.subject] = max(known, entry.expires_at)
        elif entry.kind is Kind.USER:
            epoch, ends = self._users.get(entry.subject, (0, 0.0))
            self._users[entry.subject] = (max(epoch, entry.bound), max(ends, entry.expires_at))
        else:
            bound, ends = self._everyone or (0, 0.0)
            self._everyone = (max(bound, entry.bound), max(ends, entry.expires_at))

    def is_revoked(self, token: AccessToken) -> bool:
        """Whether an otherwise good token has been revoked."""
        if token.session_id in self._sessions:
            return True
        user = self._users.get(token.subject)
        if user is not None and token.epoch < user[0]:
            return True
        if self._everyone is None:
            return False
        # A session's id carries when it began (UUIDv7), so a token minted later for an older
        # session is refused too, and no clock but the one that made the id is asked.
        try:
            began = milliseconds_of(uuid.UUID(token.session_id))
        except ValueError:
            return True
        return began <= self._everyone[0]

    def forget_expired(self, now: float) -> None:
        """Drop the entries whose last token has expired. ``now`` in seconds since the epoch."""
        self._sessions = {sid: ends for sid, ends in self._sessions.items() if ends > now}
        self._users = {uid: pair for uid, pair in self._users.items() if pair[1] > now}
        if self._everyone is not None and self._everyone[1] <= now:
            self._everyone = None

    def __len__(self) -> int:
        return len(self._sessions) + len(self._users) + (self._everyone is not None)

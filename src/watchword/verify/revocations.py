"""The live revocations in memory. The check is three dictionary look-ups, on every request."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from watchword.verify.token import AccessToken


class Kind(StrEnum):
    """What an entry ends."""

    SESSION = "session"
    USER = "user"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Revocation:
    """One line of the feed. ``expires_at``: the last second that a token it ends could live to.

    ``subject`` is the session's id, the user's, or nothing for everyone. ``bound`` is, for a user,
    the epoch below which tokens end; for everyone, the moment (milliseconds since the epoch) up
    to which sessions that have begun end.
    """

    kind: Kind
    subject: str
    bound: int
    expires_at: float

    def line(self) -> str:
        """The entry as one line of JSON."""
        return json.dumps([self.kind.value, self.subject, self.bound, self.expires_at])

    @classmethod
    def from_line(cls, line: str) -> Revocation:
        """The entry of such a line. Raises ValueError for anything else."""
        try:
            read = json.loads(line)
        except RecursionError as error:
            raise ValueError("too deep for a line of the feed") from error
        match read:
            # Whoever may connect can send a line: one without an end would be kept for ever.
            case [str(kind), str(subject), int(bound), int() | float() as ends] if isfinite(ends):
                return cls(Kind(kind), subject, bound, ends)
        raise ValueError("not a line of the feed")


class RevocationView:
    """What this process knows to be revoked. Applying an entry twice is applying it once."""

    def __init__(self) -> None:
        self._sessions: dict[str, float] = {}
        self._users: dict[str, tuple[int, float]] = {}
        self._everyone: tuple[int, float] | None = None

    def apply(self, entry: Revocation) -> bool:
        """Refuse from now on what the entry ends; says whether that was news."""
        if entry.kind is Kind.SESSION:
            known = self._sessions.get(entry.subject, 0.0)
            self._sessions[entry.subject] = max(known, entry.expires_at)
            return entry.expires_at > known
        if entry.kind is Kind.USER:
            user = self._users.get(entry.subject, (0, 0.0))
            self._users[entry.subject] = _later(user, entry)
            return self._users[entry.subject] != user
        everyone = self._everyone or (0, 0.0)
        self._everyone = _later(everyone, entry)
        return self._everyone != everyone

    def is_revoked(self, token: AccessToken) -> bool:
        """Whether an otherwise good token has been revoked."""
        if token.session_id in self._sessions:
            return True
        user = self._users.get(token.subject)
        if user is not None and token.epoch < user[0]:
            return True
        # Looked at once: in a resource server another thread may forget it meanwhile.
        everyone = self._everyone
        if everyone is None:
            return False
        # A session's id carries when it began (UUIDv7), so a token minted later for an older
        # session is refused too, and no clock but the one that made the id is asked.
        try:
            began = uuid.UUID(token.session_id).int >> 80
        except ValueError:
            return True
        return began <= everyone[0]

    def entries(self) -> list[Revocation]:
        """All that is known, as entries that would make another view the same."""
        found = [Revocation(Kind.SESSION, sid, 0, ends) for sid, ends in self._sessions.items()]
        found += [Revocation(Kind.USER, uid, *pair) for uid, pair in self._users.items()]
        if self._everyone is not None:
            found.append(Revocation(Kind.EVERYONE, "", *self._everyone))
        return found

    def forget_expired(self, now: float) -> None:
        """Drop the entries whose last token has expired. ``now`` in seconds since the epoch."""
        if any(ends <= now for ends in self._sessions.values()):
            self._sessions = {sid: ends for sid, ends in self._sessions.items() if ends > now}
        self._users = {uid: pair for uid, pair in self._users.items() if pair[1] > now}
        if self._everyone is not None and self._everyone[1] <= now:
            self._everyone = None

    def __len__(self) -> int:
        return len(self._sessions) + len(self._users) + (self._everyone is not None)


def _later(known: tuple[int, float], entry: Revocation) -> tuple[int, float]:
    return max(known[0], entry.bound), max(known[1], entry.expires_at)

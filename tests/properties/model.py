"""Who may do what, as simply as it can be said: the model that the service is held against."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ACCESS_LIVES = timedelta(minutes=30)
IDLE = timedelta(days=7)
OLDEST = timedelta(days=90)
RESET_LIVES = timedelta(hours=1)
VERIFICATION_LIVES = timedelta(hours=24)
LEEWAY = timedelta(seconds=300)
SESSIONS_PER_USER = 3


@dataclass(eq=False)
class Session:
    """A place where somebody is signed in."""

    id: str
    began: datetime
    generation: int = 0
    rotated: datetime = field(init=False)
    used: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        self.rotated = self.began

    def is_live(self, now: datetime) -> bool:
        return not self.ended and now < min(self.rotated + IDLE, self.began + OLDEST)


@dataclass(eq=False)
class Person:
    """An account, and everything that was ever handed out for it."""

    id: int
    username: str
    email: str
    passwords: list[str]
    role: str = "user"
    active: bool = True
    verified: bool = False
    deleted: bool = False
    sessions: list[Session] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    one_time: list[OneTime] = field(default_factory=list)

    def live_sessions(self, now: datetime) -> list[Session]:
        return [session for session in self.sessions if session.is_live(now)]

    def end(self, sessions: list[Session]) -> None:
        """End sessions, and their access tokens with them."""
        for session in sessions:
            session.ended = True
        for pair in self.pairs:
            pair.dead |= pair.session.ended

    def end_all(self) -> None:
        self.end(self.sessions)
        self.forget_access_tokens()

    def forget_access_tokens(self) -> None:
        """What they say is no longer true; the sessions go on."""
        for pair in self.pairs:
            pair.dead = True

    def start(self, session: Session, now: datetime) -> None:
        """A new session; beyond so many, those used longest ago end."""
        self.sessions.append(session)
        newest_first = sorted(self.live_sessions(now), key=lambda s: s.used, reverse=True)
        self.end(newest_first[SESSIONS_PER_USER:])

    def void(self, purpose: str) -> None:
        for token in self.one_time:
            token.used |= token.purpose == purpose


@dataclass(eq=False)
class Pair:
    """An access token and the refresh token that came with it."""

    owner: Person
    session: Session
    access: str
    refresh: str
    generation: int
    issued: datetime
    dead: bool = False
    seen_dead: bool = False

    def is_accepted(self, now: datetime) -> bool:
        """Whether the access token is."""
        return not self.dead and now < self.issued + ACCESS_LIVES

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


@dataclass(eq=False)
class OneTime:
    """A reset or verification token."""

    owner: Person
    purpose: str
    token: str
    expires: datetime
    used: bool = False

    def is_good(self, now: datetime) -> bool:
        owner = self.owner
        return not self.used and now < self.expires and owner.active and not owner.deleted


def session_id(access_token: str) -> str:
    """The session that an access token says it is of."""
    payload = access_token.split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(payload + "=="))["sid"]
    assert isinstance(found, str)
    return found

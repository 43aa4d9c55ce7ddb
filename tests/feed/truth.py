"""What is true, whoever knows it: sessions, tokens, transactions and messages under way."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field

from tests.feed.simulated import Transaction
from watchword.world import milliseconds_of


@dataclass
class Session:
    """A session, the tokens minted for it, and what holds its row."""

    id: uuid.UUID
    user: int
    locked: bool = False
    ended: bool = False


@dataclass
class Token:
    """A token, and from when on, in true time, nobody may accept it."""

    text: str
    session: Session
    epoch: int
    issued_at: float
    expires_at: float
    dies_at: float | None = None


@dataclass
class Ending:
    """A transaction that ends tokens, and whose they are."""

    worker: int
    began: float
    sessions: list[Session]
    user: int | None = None
    everyone_up_to: int | None = None
    transaction: Transaction = field(default_factory=Transaction)


@dataclass
class Message:
    """A notification on its way."""

    worker: int
    incarnation: int
    payload: str


@dataclass
class Truth:
    """What has been committed, as the database knows it: what may be refused, and what must."""

    sessions: list[Session] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    everyone_up_to: int = -1

    def may_refuse(self, token: Token) -> bool:
        return (
            token.session.ended
            or token.epoch < self.epochs[token.session.user]
            or milliseconds_of(token.session.id) <= self.everyone_up_to
        )

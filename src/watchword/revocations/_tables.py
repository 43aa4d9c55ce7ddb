"""Where revocations are kept: the tutorial's ``token_blacklist``, made to work."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid

from watchword.db.metadata import Instant, metadata

token_blacklist = Table(
    "token_blacklist",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    # The session's id, the user's id, or nothing for everyone.
    Column("subject", Text, nullable=False),
    # For a user: tokens of a lower epoch. For everyone: sessions begun up to then, in ms.
    Column("bound", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_token_blacklist_expires_at", "expires_at"),
    Index("ix_token_blacklist_created_at", "created_at"),
)

"""Where revocations are kept: the tutorial's ``token_blacklist``, made to work."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from watchword.db.metadata import BigId, Instant, metadata

token_blacklist = Table(
    "token_blacklist",
    metadata,
    # Counts up, so that a reader can ask for what is new (cursor.py), whatever clocks do.
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    # The session's id, the user's id, or nothing for everyone.
    Column("subject", Text, nullable=False),
    # For a user: tokens of a lower epoch. For everyone: sessions begun up to then, in ms.
    Column("bound", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_token_blacklist_expires_at", "expires_at"),
    sqlite_autoincrement=True,  # an id is never given twice, or a reader would skip its second row
)

"""Where one-time tokens are kept: their digest, never themselves."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, Uuid

from watchword.db.metadata import BigId, Instant, metadata

one_time_tokens = Table(
    "one_time_tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    # No user: a token that lets somebody become one (the first administrator).
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE")),
    # What the token is about (an address): it dies when the account's has become another.
    Column("subject", Text),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("ix_one_time_tokens_user_id", "user_id", "purpose"),
    Index("ix_one_time_tokens_expires_at", "expires_at"),
)

"""Where sessions are kept."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text, Uuid

from watchword.db.metadata import BigId, Instant, metadata

sessions = Table(
    "sessions",
    metadata,
    # UUIDv7: when the session began can be read from it, which "end everybody's" relies on.
    Column("id", Uuid, primary_key=True),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("amr", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("rotated_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("end_reason", Text),
    Column("address", Text),
    Column("user_agent", Text),
    Index("ix_sessions_user_id", "user_id", "ended_at"),
    Index("ix_sessions_expires_at", "expires_at"),
)

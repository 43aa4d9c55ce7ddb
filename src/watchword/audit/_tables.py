"""Where audit events are kept."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Table, Text, Uuid

from watchword.db.metadata import Instant, metadata

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("event", Text, nullable=False),
    # No foreign keys: the log outlives whom it speaks of.
    Column("user_id", BigInteger),
    Column("actor_id", BigInteger),
    Column("address", Text),
    Column("user_agent", Text),
    Column("request_id", Text),
    Column("facts", JSON, nullable=False),
    Index("ix_audit_events_user_id", "user_id", "at"),
    Index("ix_audit_events_at", "at"),
)

"""Where password hashes are kept: apart from the accounts, so that reading one never reads them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text

from watchword.db.metadata import BigId, Instant, metadata

passwords = Table(
    "passwords",
    metadata,
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("hash", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

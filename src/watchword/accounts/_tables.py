"""Where accounts are kept."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Table, Text

from watchword.db.metadata import BigId, Instant, metadata

users = Table(
    "users",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("username", Text, nullable=False),
    Column("username_key", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),
    Column("full_name", Text),
    Column("role", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    # Goes up when what tokens say of the user stops being true: see decision 0003.
    Column("epoch", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("last_login", Instant),
    CheckConstraint("role IN ('admin', 'user', 'guest')", name="role"),
    Index("ix_users_role", "role", "id"),
    sqlite_autoincrement=True,  # an id is never given twice: a token may still speak of it
)

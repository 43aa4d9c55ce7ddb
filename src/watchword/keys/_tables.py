"""Where signing keys are kept."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from watchword.db.metadata import Instant, metadata

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("algorithm", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("public_jwk", Text, nullable=False),
    Column("sealed_private", LargeBinary),
    Column("created_at", Instant, nullable=False),
    Column("activated_at", Instant),
    Column("retires_at", Instant),
)

# Two workers that start at once both try to make the first key: these let one of them.
for _status in ("active", "next"):
    Index(
        f"uq_signing_keys_{_status}",
        signing_keys.c.algorithm,
        unique=True,
        sqlite_where=signing_keys.c.status == _status,
        postgresql_where=signing_keys.c.status == _status,
    )

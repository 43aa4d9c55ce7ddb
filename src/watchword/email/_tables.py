"""Where mail waits to be sent, and what is remembered of it afterwards."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, Uuid, and_

from watchword.db.metadata import Instant, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # Text and HTML with their one-time links: sealed while the mail waits, gone afterwards.
    Column("sealed_body", LargeBinary),
    Column("created_at", Instant, nullable=False),
    # NULL: kept to be read at /dev/mail. It is never due, also not when SMTP is set up later.
    Column("next_attempt_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("claimed_until", Instant),
    Column("sent_at", Instant),
    Column("given_up_at", Instant),
    Column("last_error", Text),
    Index("ix_outbox_created_at", "created_at"),
)

# What the sender looks at every two seconds stays as small as what waits.
_waiting = and_(
    outbox.c.sent_at.is_(None),
    outbox.c.given_up_at.is_(None),
    outbox.c.next_attempt_at.is_not(None),
)
Index(
    "ix_outbox_waiting",
    outbox.c.next_attempt_at,
    sqlite_where=_waiting,
    postgresql_where=_waiting,
)

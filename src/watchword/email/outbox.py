"""Putting mail in writing: a row in the transaction of what it tells of."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from watchword.db.unit import ReadUnit, Unit
from watchword.email import _queries as queries
from watchword.email.messages import Message
from watchword.email.sender import SEAL_LABEL, Mailer
from watchword.settings.schema import MailMode


@dataclass(frozen=True, slots=True)
class MailQueued:
    """Announced after the commit: this process's sender need not wait (``Mailer.wake``)."""


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail that can still be read, for /dev/mail. Its bodies hold one-time links."""

    id: uuid.UUID
    kind: str
    recipient: str
    subject: str
    created_at: datetime
    text: str = field(repr=False)
    html: str = field(repr=False)


async def enqueue(unit: Unit, mailer: Mailer, message: Message, recipient: str) -> None:
    """Write a mail in the caller's transaction: it exists if, and only if, that commits.

    With MAIL=off nothing is written. Raises ConfigurationError for a template that is broken.
    """
    mode = mailer.settings.mail_mode
    if mode is MailMode.OFF:
        return
    letter = mailer.templates.render(message, mailer.settings.app_name)
    mail_id = unit.world.new_id()
    body = json.dumps({"text": letter.text, "html": letter.html}).encode()
    await queries.insert_mail(
        unit,
        {
            "id": mail_id,
            "kind": message.kind,
            "recipient": recipient,
            "subject": letter.subject,
            "sealed_body": mailer.sealer.seal(SEAL_LABEL, body, mail_id.bytes),
            "created_at": unit.now,
            "next_attempt_at": unit.now if mode is MailMode.SMTP else None,
            "attempts": 0,
        },
    )
    unit.announce(MailQueued())


async def kept(unit: ReadUnit, mailer: Mailer, *, limit: int = 50) -> list[KeptMail]:
    """The mails that can still be read, newest first, with their one-time links in clear.

    Raises ConfigurationError when they were sealed with another SECRET_KEY.
    """
    mails = []
    for row in await queries.newest_with_body(unit, limit):
        letter = mailer.unsealed(row)
        mails.append(
            KeptMail(
                id=row.id,
                kind=row.kind,
                recipient=row.recipient,
                subject=row.subject,
                created_at=row.created_at,
                text=letter.text,
                html=letter.html,
            )
        )
    return mails


async def waiting(unit: ReadUnit) -> int:
    """How many mails are still to be sent."""
    return await queries.count_waiting(unit)


async def clean_up(unit: Unit, before: datetime, *, limit: int = 500) -> int:
    """Delete some mails made before then that nobody will send any more; gives how many."""
    return await queries.delete_done(unit, before, limit)

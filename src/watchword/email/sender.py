"""The worker that brings the outbox to the mail server: at least once, and soon.

A mail is claimed in one short transaction, sent while none is open, and marked in another. Killed
in between, it is sent again once the claim has expired, under the same Message-ID.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import aiosmtplib

from watchword.db.unit import Database
from watchword.email import _queries as queries
from watchword.email.envelope import compose, sender_of
from watchword.email.messages import Letter, Templates
from watchword.email.refusals import is_permanent, reason
from watchword.errors import ConfigurationError, DatabaseUnavailable
from watchword.keys.seal import Sealer
from watchword.settings.schema import MailMode, Settings, SmtpTls

_log = logging.getLogger("watchword.email")

SEAL_LABEL = "outbox"

_AT_ONCE = 8  # connections to the mail server; Postfix takes 50 from one client
_POLL_SECONDS = 2.0
_FIRST_DELAY = 30.0
_LONGEST_DELAY = 3600.0
_GIVE_UP_AFTER = timedelta(hours=48)


@dataclass(frozen=True, eq=False)
class Mailer:
    """What this process needs to write and to send mail. ``tls_context``: whom to trust.

    Raises ConfigurationError when mail is to be sent and a setting for it is missing.
    """

    settings: Settings
    sealer: Sealer = field(repr=False)
    templates: Templates
    tls_context: ssl.SSLContext | None = None
    queued: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __post_init__(self) -> None:
        if self.settings.mail_mode is not MailMode.SMTP:
            return
        if not self.settings.smtp_host:
            raise ConfigurationError("MAIL=smtp needs SMTP_HOST, the name of your mail server")
        sender_of(self.settings)
        if self.tls_context is None and self.settings.smtp_protection is not SmtpTls.NONE:
            # Once, not for each mail: it reads all of the system's certificates.
            object.__setattr__(self, "tls_context", ssl.create_default_context())

    def wake(self) -> None:
        """There is mail: don't wait for the next look at the outbox."""
        self.queued.set()

    def unsealed(self, row: queries.MailRow) -> Letter:
        """The words of a mail in the outbox. Raises ConfigurationError under another key."""
        body = json.loads(self.sealer.unseal(SEAL_LABEL, row.sealed_body, row.id.bytes))
        return Letter(row.subject, body["text"], body["html"])


async def run(mailer: Mailer, database: Database) -> None:
    """Send what is due until cancelled. No trouble ends it. Returns at once if nothing is sent.

    One for each process: they share the outbox, and each mail is claimed by one.
    """
    if mailer.settings.mail_mode is not MailMode.SMTP:
        return
    troubled = False
    while True:
        # Before the look, so that mail queued during it is not waited for.
        mailer.queued.clear()
        try:
            sent = await send_once(mailer, database)
            troubled = False
        except Exception as error:  # noqa: BLE001 - nothing ends the loop but the process
            sent = 0
            # Said once, not every two seconds for as long as the database is away.
            if not troubled:
                gone = isinstance(error, DatabaseUnavailable)
                _log.error(
                    "The outbox can't be read; mail waits until it can",
                    extra={"event": "mail.outbox_unavailable"},
                    exc_info=None if gone else error,
                )
            troubled = True
        if sent == 0:
            await _queued_or_timeout(mailer, troubled)


async def _queued_or_timeout(mailer: Mailer, troubled: bool) -> None:
    if troubled:
        await asyncio.sleep(_POLL_SECONDS)
        return
    try:
        # Not wait_for, which on Python 3.11 can swallow the cancellation that stops this worker.
        async with asyncio.timeout(_POLL_SECONDS):
            await mailer.queued.wait()
    except TimeoutError:
        return


async def send_once(mailer: Mailer, database: Database) -> int:
    """One pass: claim a few due mails, send them side by side; gives how many were delivered.

    Raises DatabaseUnavailable; what the mail server does never raises.
    """
    if mailer.settings.mail_mode is not MailMode.SMTP:
        return 0
    async with database.read() as look:
        if not await queries.any_due(look):
            return 0
    sending = _sending_seconds(mailer.settings)
    async with database.write() as unit:
        # Ten seconds more than a sending may take: a slow server must not make a second worker
        # send what the first is still at.
        rows = await queries.claim(unit, timedelta(seconds=sending + 10), _AT_ONCE)
    results = await asyncio.gather(
        *(_deliver(mailer, database, row, sending) for row in rows), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return sum(1 for result in results if result is True)


def _sending_seconds(settings: Settings) -> float:
    return max(50.0, settings.smtp_timeout_seconds)


async def _deliver(
    mailer: Mailer, database: Database, row: queries.MailRow, seconds: float
) -> bool:
    about = {"mail_id": str(row.id), "kind": row.kind, "attempt": row.attempts}
    try:
        async with asyncio.timeout(seconds):
            client = await _hand_over(mailer, row, database.world.now())
    except Exception as error:  # noqa: BLE001 - one bad mail must not keep the others
        await _failed(database, row, error, about)
        return False
    # Before the goodbye: between the server's yes and the mark, a crash sends the mail twice.
    try:
        async with database.write() as unit:
            await queries.mark_sent(unit, row.id)
    finally:
        await _say_goodbye(client)
    _log.info("Mail sent", extra={"event": "mail.sent", **about})
    return True


async def _hand_over(mailer: Mailer, row: queries.MailRow, now: datetime) -> aiosmtplib.SMTP:
    settings = mailer.settings
    message = compose(settings, row.id, row.recipient, mailer.unsealed(row), now)
    protection = settings.smtp_protection
    password = settings.smtp_password.reveal() if settings.smtp_password else None
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        # Else the library asks the resolver, which may take its time, what this machine is called.
        local_hostname=_own_name(settings),
        timeout=settings.smtp_timeout_seconds,
        use_tls=protection is SmtpTls.TLS,
        # True, not None: a server (or somebody before it) that hides STARTTLS gets no password
        # and no link in clear (RFC 8314, section 3; RFC 3207, section 6).
        start_tls=protection is SmtpTls.STARTTLS,
        tls_context=mailer.tls_context,
        username=settings.smtp_user or None,
        password=password,
    )
    try:
        await client.connect()
        await client.send_message(message)
    except BaseException:
        client.close()
        raise
    return client


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    # The server has the mail: that it can't end the conversation must not send it again.
    try:
        await client.quit(timeout=2)
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def _own_name(settings: Settings) -> str:
    name = urlsplit(settings.base_url).hostname or "localhost"
    return name if name.isascii() and ":" not in name else "localhost"


async def _failed(
    database: Database, row: queries.MailRow, error: Exception, about: dict[str, object]
) -> None:
    now = database.world.now()
    why = reason(error, row.recipient)
    about = {**about, "error": why}
    if is_permanent(error) or now - row.created_at >= _GIVE_UP_AFTER:
        async with database.write() as unit:
            await queries.mark_given_up(unit, row.id, row.attempts, why)
        _log.error("Mail given up", extra={"event": "mail.given_up", **about})
        return
    delay = timedelta(seconds=delay_after(row.attempts, database.world.random_bytes(2)))
    async with database.write() as unit:
        await queries.mark_failed(unit, row.id, row.attempts, why, unit.now + delay)
    _log.warning("Mail not sent; it will be tried again", extra={"event": "mail.failed", **about})


def delay_after(attempts: int, chance: bytes) -> float:
    """Seconds to wait after so many attempts: 30, doubling up to an hour, a fifth more or less.

    The jitter keeps what failed together from coming back together.
    """
    whole = min(_LONGEST_DELAY, _FIRST_DELAY * (1 << min(attempts - 1, 10)))
    part = int.from_bytes(chance, "big") / ((1 << 8 * len(chance)) - 1)
    return whole * (0.8 + 0.4 * part)

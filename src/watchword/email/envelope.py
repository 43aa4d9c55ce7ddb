"""A letter as the mail that goes over the wire (RFC 5322, RFC 2046's multipart/alternative)."""

from __future__ import annotations

import uuid
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import idna

from watchword.email.messages import Letter, one_line
from watchword.errors import ConfigurationError, WatchwordError
from watchword.settings.schema import Settings


class Unaddressable(WatchwordError):
    """The recipient is nothing that mail can be sent to."""

    code = "unaddressable"
    title = "Not a mail address"
    default = "That is no address that mail can be sent to"


def compose(
    settings: Settings, mail_id: uuid.UUID, recipient: str, letter: Letter, now: datetime
) -> EmailMessage:
    """The mail. Raises Unaddressable when the recipient is no mail address."""
    sender = sender_of(settings)
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = address_of(recipient)
    message["Subject"] = one_line(letter.subject)
    message["Date"] = format_datetime(now)
    # The same at each attempt, so that a mailbox folds a mail that had to be sent twice.
    message["Message-ID"] = f"<{mail_id.hex}@{sender.domain}>"
    # RFC 3834: no out-of-office answers, please.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


def sender_of(settings: Settings) -> Address:
    """From whom our mail comes. Raises ConfigurationError."""
    if not settings.emails_from_email:
        raise ConfigurationError(
            "Sending mail needs EMAILS_FROM_EMAIL, the address that it comes from"
        )
    try:
        address = address_of(settings.emails_from_email)
    except Unaddressable as error:
        raise ConfigurationError(
            "EMAILS_FROM_EMAIL is no mail address. Write it as noreply@example.org, and the name "
            "beside it in EMAILS_FROM_NAME"
        ) from error
    name = one_line(settings.emails_from_name or settings.app_name)
    return Address(name, address.username, address.domain)


def address_of(text: str) -> Address:
    """One bare address, its domain in ASCII. Raises Unaddressable for anything more or less."""
    local, _, domain = text.rpartition("@")
    # Whatever would end the address, or begin another, in a header or in an SMTP command.
    if not local or not domain or any(c in ' <>",;:\\()[]' or not c.isprintable() for c in text):
        raise Unaddressable
    try:
        return Address(username=local, domain=ascii_domain(domain))
    except ValueError as error:
        raise Unaddressable from error


def ascii_domain(domain: str) -> str:
    """A domain as it is asked for in the DNS (RFC 5891). Raises ValueError.

    The standard library's codec is of 2003 and would send mail for ``straße.example`` to
    ``strasse.example``, which is somebody else's.
    """
    if domain.isascii():
        return domain
    return idna.encode(domain, uts46=True).decode("ascii")

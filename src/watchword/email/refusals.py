"""What a failed sending means: whether to try again, and what may be written down about it."""

from __future__ import annotations

import re

import aiosmtplib

from watchword.email.envelope import Unaddressable
from watchword.email.messages import one_line
from watchword.errors import WatchwordError

# RFC 4954, section 6: the server wants us to sign in, differently or at all.
_SIGN_IN_CODES = {530, 534, 535, 538}
_ENHANCED = re.compile(r"^\s*([245]\.\d{1,3}\.\d{1,3})\b")


def is_permanent(error: BaseException) -> bool:
    """Whether no later attempt can reach this recipient.

    Only what is about the recipient: a wrong password, a refused sender or a server that won't
    relay for us (RFC 3463's 5.7.x) is for the operator to repair, and the mail waits for that.
    """
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            return all(is_permanent(each) for each in error.recipients)
        case aiosmtplib.SMTPRecipientRefused():
            about_us = error.code in _SIGN_IN_CODES or _enhanced(error).startswith("5.7.")
            return 500 <= error.code <= 599 and not about_us
        case aiosmtplib.SMTPNotSupported():
            return True  # SMTPUTF8: the server takes no such address (RFC 6531)
        case Unaddressable():
            return True
        case _:
            return False


def reason(error: BaseException, recipient: str) -> str:
    """Why, in one line for the log and the outbox: without the address, never with the body.

    A server's answer to the body may quote it ("blocked link https://…"), and the link signs its
    owner in: of such an answer only the codes are kept.
    """
    match error:
        case aiosmtplib.SMTPRecipientsRefused() if error.recipients:
            return reason(error.recipients[0], recipient)
        case (
            aiosmtplib.SMTPRecipientRefused()
            | aiosmtplib.SMTPSenderRefused()
            | aiosmtplib.SMTPAuthenticationError()
            | aiosmtplib.SMTPHeloError()
            | aiosmtplib.SMTPConnectResponseError()
        ):
            said = error.message
            for address in {recipient, getattr(error, "recipient", recipient)}:
                said = re.sub(re.escape(address), "[recipient]", said, flags=re.IGNORECASE)
            return one_line(f"{type(error).__name__} {error.code} {said}")[:300]
        case aiosmtplib.SMTPResponseException():
            return f"{type(error).__name__} {error.code} {_enhanced(error)}".strip()
        case aiosmtplib.SMTPException():
            return one_line(f"{type(error).__name__}: {error.message}")[:300]
        case WatchwordError():
            return f"{type(error).__name__}: {error.sentence}"
        case TimeoutError():
            return "TimeoutError: the mail server took too long"
        case OSError():
            return one_line(f"{type(error).__name__}: {error}")[:300]
        case _:
            return type(error).__name__


def _enhanced(error: aiosmtplib.SMTPResponseException) -> str:
    """The enhanced status code (RFC 3463), or nothing."""
    found = _ENHANCED.match(error.message)
    return found.group(1) if found else ""

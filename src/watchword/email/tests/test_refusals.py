from __future__ import annotations

import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.email.envelope import Unaddressable
from watchword.email.refusals import is_permanent, reason

BOB = "bob@example.com"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            aiosmtplib.SMTPRecipientsRefused(
                [aiosmtplib.SMTPRecipientRefused(550, "5.1.1 BOB@example.com\r\nunknown", BOB)]
            ),
            "SMTPRecipientRefused 550 5.1.1 [recipient] unknown",
        ),
        (
            aiosmtplib.SMTPSenderRefused(553, "5.7.1 not your address", "me@example.com"),
            "SMTPSenderRefused 553 5.7.1 not your address",
        ),
        (aiosmtplib.SMTPDataError(552, "you said token=abc"), "SMTPDataError 552"),
        (aiosmtplib.SMTPServerDisconnected("Connection lost"), None),
        (aiosmtplib.SMTPReadTimeoutError("Timed out"), "SMTPReadTimeoutError: Timed out"),
        (TimeoutError(), "TimeoutError: the mail server took too long"),
        (ConnectionResetError(104, "reset by peer"), None),
        (Unaddressable(), None),
        (RuntimeError("who knows what this quotes"), "RuntimeError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_told_in_one_line_without_the_address(
    error: Exception, said: str | None
) -> None:
    line = reason(error, BOB)
    if said is not None:
        assert line == said
    assert line.startswith(type(error).__name__.replace("RecipientsRefused", "RecipientRefused"))
    assert "bob@" not in line.lower()
    assert len(line.splitlines()) == 1


@given(st.integers(200, 599), st.text())
def test_what_a_server_answers_to_the_body_is_never_final_and_never_written_down(
    code: int, words: str
) -> None:
    error = aiosmtplib.SMTPDataError(code, f"4.0.0 {words}")
    assert not is_permanent(error)
    assert reason(error, BOB) == f"SMTPDataError {code} 4.0.0"


@given(st.integers(400, 599), st.sampled_from(["", "5.1.1 ", "5.2.1 ", "4.2.2 ", "5.7.1 "]))
def test_only_a_final_word_about_the_recipient_is_final(code: int, enhanced: str) -> None:
    error = aiosmtplib.SMTPRecipientRefused(code, f"{enhanced}no", BOB)
    about_us = enhanced.startswith("5.7.") or code in {530, 534, 535, 538}
    assert is_permanent(error) == (code >= 500 and not about_us)
    assert is_permanent(aiosmtplib.SMTPRecipientsRefused([error])) == is_permanent(error)

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.email import _queries as queries
from watchword.email.messages import Templates
from watchword.email.sender import Mailer, delay_after, run, send_once
from watchword.email.tests.post_office import (
    LINK,
    PASSWORD,
    USER,
    Desk,
    PostOffice,
    certificates,
    open_desk,
    open_office,
)
from watchword.errors import ConfigurationError
from watchword.keys.seal import Sealer
from watchword.secret import Secret


def test_a_mail_arrives_as_text_and_html_and_its_body_is_forgotten(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 1
            (mail,) = office.received
            text, html = mail.get_body(("plain",)), mail.get_body(("html",))
            assert mail.get_content_type() == "multipart/alternative"
            assert text is not None
            assert html is not None
            assert LINK in text.get_content()
            assert f'href="{LINK}"' in html.get_content()
            assert mail["To"] == "bob@example.com"
            assert mail["From"] == "Watchword <noreply@id.example>"
            assert mail["Subject"] == "Confirm your address for Watchword"
            assert mail["Auto-Submitted"] == "auto-generated"
            assert abs(parsedate_to_datetime(mail["Date"]) - desk.world.now()) < timedelta(
                minutes=1
            )
            assert office.envelopes[0].mail_from == "noreply@id.example"
            (row,) = await desk.rows()
            assert row.sent_at is not None
            assert row.sealed_body is None
            assert await send_once(desk.mailer, desk.database) == 0

    asyncio.run(story())


@pytest.mark.parametrize("protection", ["starttls", "tls"])
def test_a_protected_connection_carries_the_password_and_the_mail(
    tmp_path: Path, protection: str
) -> None:
    server, trust = certificates(tmp_path)
    tls = server if protection == "tls" else None
    starttls = server if protection == "starttls" else None

    async def story() -> None:
        async with (
            open_office(PostOffice(), tls=tls, starttls=starttls, sign_in=True) as office,
            open_desk(
                tmp_path,
                office,
                trust=trust,
                smtp_tls=protection,
                smtp_user=USER,
                smtp_password=Secret(PASSWORD),
            ) as desk,
        ):
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 1
            assert office.signed_in == [True]
            assert office.over_tls == [True]

    asyncio.run(story())


def test_a_wrong_password_of_ours_keeps_the_mail_for_later(tmp_path: Path) -> None:
    server, trust = certificates(tmp_path)

    async def story() -> None:
        async with (
            open_office(PostOffice(), starttls=server, sign_in=True) as office,
            open_desk(
                tmp_path,
                office,
                trust=trust,
                smtp_tls="starttls",
                smtp_user=USER,
                smtp_password=Secret("wrong"),
            ) as desk,
        ):
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            (row,) = await desk.rows()
            assert row.given_up_at is None
            assert row.next_attempt_at > desk.world.now()
            assert row.last_error.startswith("SMTPAuthenticationError 535")

    asyncio.run(story())


def test_a_server_without_starttls_gets_no_mail_in_clear(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            open_office(PostOffice()) as office,
            open_desk(tmp_path, office, smtp_tls="starttls") as desk,
        ):
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            assert office.envelopes == []
            (row,) = await desk.rows()
            assert "STARTTLS" in row.last_error
            assert row.sealed_body is not None

    asyncio.run(story())


@pytest.mark.parametrize("protection", ["starttls", "tls"])
def test_a_server_with_a_certificate_of_its_own_making_gets_no_mail(
    tmp_path: Path, protection: str
) -> None:
    server, _ = certificates(tmp_path)
    tls = server if protection == "tls" else None
    starttls = server if protection == "starttls" else None

    async def story() -> None:
        async with (
            open_office(PostOffice(), tls=tls, starttls=starttls) as office,
            open_desk(tmp_path, office, smtp_tls=protection) as desk,
        ):
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            assert office.received == []
            (row,) = await desk.rows()
            assert "certificate" in row.last_error.lower()

    asyncio.run(story())


def test_a_server_that_is_down_gets_the_mail_once_it_is_up(tmp_path: Path) -> None:
    async def story() -> None:
        office = PostOffice()
        async with open_office(office):
            pass
        async with open_desk(tmp_path, office) as desk:
            await desk.write("bob@example.com")
            for attempt in (1, 2, 3):
                assert await send_once(desk.mailer, desk.database) == 0
                (row,) = await desk.rows()
                wait = (row.next_attempt_at - desk.world.now()).total_seconds()
                assert 24 * 2 ** (attempt - 1) - 1 < wait < 36 * 2 ** (attempt - 1) + 1
                assert row.attempts == attempt
                assert await send_once(desk.mailer, desk.database) == 0
                assert (await desk.rows())[0].attempts == attempt
                desk.world.turn(timedelta(seconds=wait + 1))
            async with open_office(office):
                assert await send_once(desk.mailer, desk.database) == 1
            (row,) = await desk.rows()
            assert row.last_error is None
            assert len(office.received) == 1

    asyncio.run(story())


def test_a_server_that_hangs_up_in_the_middle_is_tried_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            office.drop_in_data = True
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            office.drop_in_data = False
            desk.world.turn(timedelta(seconds=40))
            assert await send_once(desk.mailer, desk.database) == 1
            assert len(office.received) == 1

    asyncio.run(story())


def test_a_server_that_hangs_up_after_its_yes_is_not_sent_the_mail_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            office.drop_at_goodbye = True
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 1
            desk.world.turn(timedelta(days=1))
            assert await send_once(desk.mailer, desk.database) == 0
            assert len(office.received) == 1

    asyncio.run(story())


def test_a_server_that_does_not_answer_is_not_waited_for_without_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            open_office(PostOffice(slow=1.0)) as office,
            open_desk(tmp_path, office, smtp_timeout_seconds=0.2) as desk,
        ):
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            (row,) = await desk.rows()
            assert "Timeout" in row.last_error
            assert row.given_up_at is None

    asyncio.run(story())


def test_a_recipient_refused_for_good_is_given_up_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            office.refuse_recipient = "550 5.1.1 <bob@example.com> is unknown here"
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            (row,) = await desk.rows()
            assert row.given_up_at is not None
            assert row.sealed_body is None
            assert row.attempts == 1
            assert row.last_error == "SMTPRecipientRefused 550 5.1.1 <[recipient]> is unknown here"
            desk.world.turn(timedelta(days=1))
            assert await send_once(desk.mailer, desk.database) == 0
            assert (await desk.rows())[0].attempts == 1

    with caplog.at_level(logging.DEBUG, "watchword.email"):
        asyncio.run(story())
    (line,) = [record for record in caplog.records if record.name == "watchword.email"]
    assert line.__dict__["event"] == "mail.given_up"
    assert "bob@example.com" not in str(line.__dict__)


@pytest.mark.parametrize(
    "answer",
    [
        "451 4.7.1 greylisted, come back later",
        "554 5.7.1 relay access denied",
        "530 authentication required",
    ],
)
def test_what_the_operator_or_time_can_mend_is_not_given_up(tmp_path: Path, answer: str) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            office.refuse_recipient = answer
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            office.refuse_recipient = None
            desk.world.turn(timedelta(seconds=40))
            assert await send_once(desk.mailer, desk.database) == 1

    asyncio.run(story())


def test_after_two_days_of_trying_a_mail_is_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            office.refuse_data = "452 4.3.1 no room"
            await desk.write("bob@example.com")
            attempts = 0
            while (await desk.rows())[0].given_up_at is None:
                await send_once(desk.mailer, desk.database)
                attempts += 1
                assert attempts < 100
                desk.world.turn(timedelta(minutes=72))
            (row,) = await desk.rows()
            assert row.given_up_at - row.created_at >= timedelta(hours=48)
            assert row.given_up_at - row.created_at < timedelta(hours=50)
            assert row.sealed_body is None
            assert row.last_error == "SMTPDataError 452 4.3.1"

    asyncio.run(story())


def test_an_answer_that_quotes_the_link_writes_it_neither_to_the_log_nor_to_the_table(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            office.quote_data = True
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            (row,) = await desk.rows()
            assert row.last_error == "SMTPDataError 554 5.7.1"

    with caplog.at_level(logging.DEBUG, "watchword"):
        asyncio.run(story())
    ours = [record for record in caplog.records if record.name == "watchword.email"]
    assert ours
    assert "VERY-SECRET" not in str([record.__dict__ for record in ours])


def test_two_senders_at_once_send_each_mail_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            open_office(PostOffice()) as office,
            open_desk(tmp_path, office) as one,
            open_desk(tmp_path, office) as two,
        ):
            everybody = [f"user{n}@example.com" for n in range(30)]
            await one.write(*everybody)

            async def send_all(desk: Desk) -> None:
                while await send_once(desk.mailer, desk.database):
                    pass

            await asyncio.gather(send_all(one), send_all(two), send_all(one))
            assert sorted(mail["To"] for mail in office.received) == sorted(everybody)
            assert {row.attempts for row in await one.rows()} == {1}

    asyncio.run(story())


def test_a_sender_killed_before_it_marks_sends_again_under_the_same_message_id(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            office.slow = 5
            await desk.write("bob@example.com")
            sending = asyncio.create_task(send_once(desk.mailer, desk.database))
            await asyncio.wait_for(office.arrived.wait(), 5)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            # Nobody else has a go before the claim has expired.
            assert await send_once(desk.mailer, desk.database) == 0
            office.slow = 0
            desk.world.turn(timedelta(seconds=61))
            assert await send_once(desk.mailer, desk.database) == 1
            first, again = (mail["Message-ID"] for mail in office.received)
            assert first == again
            assert first.endswith("@id.example>")
            assert (await desk.rows())[0].attempts == 2

    asyncio.run(story())


def test_a_claim_that_nobody_honours_is_taken_over_with_the_same_message_id(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            await desk.write("bob@example.com")
            async with desk.database.write() as unit:
                (claimed,) = await queries.claim(unit, timedelta(seconds=60), 5)
            assert await send_once(desk.mailer, desk.database) == 0
            desk.world.turn(timedelta(seconds=61))
            assert await send_once(desk.mailer, desk.database) == 1
            assert office.received[0]["Message-ID"] == f"<{claimed.id.hex}@id.example>"

            # The first one comes back from the dead, and fails: what was sent stays sent.
            async with desk.database.write() as unit:
                await queries.mark_given_up(unit, claimed.id, claimed.attempts, "late")
            (row,) = await desk.rows()
            assert row.given_up_at is None
            assert row.sent_at is not None

    asyncio.run(story())


def test_the_worker_wakes_at_once_and_outlives_database_and_mail_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            worker = asyncio.create_task(run(desk.mailer, desk.database))
            await asyncio.sleep(0.2)
            await desk.write("one@example.com")
            # Less than the two seconds that it would take to look by itself.
            await asyncio.wait_for(office.arrived.wait(), 1.5)
            office.arrived.clear()

            async with desk.database.write() as unit:
                await unit.connection.exec_driver_sql("ALTER TABLE outbox RENAME TO lost")
            await asyncio.sleep(2.3)
            assert not worker.done()
            async with desk.database.write() as unit:
                await unit.connection.exec_driver_sql("ALTER TABLE lost RENAME TO outbox")
            await desk.write("two@example.com")
            await asyncio.wait_for(office.arrived.wait(), 5)
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    with caplog.at_level(logging.ERROR, "watchword.email"):
        asyncio.run(story())
    assert [record.__dict__["event"] for record in caplog.records] == ["mail.outbox_unavailable"]


def test_a_worker_finds_what_another_process_queued(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            open_office(PostOffice()) as office,
            open_desk(tmp_path, office) as desk,
            open_desk(tmp_path, office) as other,
        ):
            worker = asyncio.create_task(run(desk.mailer, desk.database))
            await asyncio.sleep(0.1)
            await other.write("bob@example.com")
            assert not desk.mailer.queued.is_set()
            await asyncio.wait_for(office.arrived.wait(), 5)
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    asyncio.run(story())


@pytest.mark.parametrize("mode", ["keep", "off"])
def test_without_smtp_there_is_no_worker(tmp_path: Path, mode: str) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            await desk.write("bob@example.com")
            async with open_desk(tmp_path, office, mail=mode) as quiet:
                async with asyncio.timeout(1):
                    await run(quiet.mailer, quiet.database)
                assert await send_once(quiet.mailer, quiet.database) == 0
            assert office.connections == 0

    asyncio.run(story())


def test_a_mail_sealed_with_another_key_waits_and_keeps_no_other_from_leaving(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            await desk.write("one@example.com")
            other = Sealer([Secret("o" * 32)], desk.world)
            rotated = Mailer(desk.mailer.settings, other, Templates())
            await Desk(desk.database, rotated, desk.world).write("two@example.com")
            assert await send_once(rotated, desk.database) == 1
            assert [mail["To"] for mail in office.received] == ["two@example.com"]
            first, _ = await desk.rows()
            assert first.last_error.startswith("ConfigurationError")
            desk.world.turn(timedelta(seconds=40))
            assert await send_once(desk.mailer, desk.database) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    "hostile",
    [
        "bob@example.com\r\nBcc: everybody@example.com",
        "bob@example.com> SIZE=1\r\nRCPT TO:<eve@example.com",
        "bob@example.com, eve@example.com",
        "no-address",
        "@example.com",
        "bob@\N{SNOWMAN}.example",
    ],
)
def test_a_recipient_that_injects_headers_or_commands_is_given_up(
    tmp_path: Path, hostile: str
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            await desk.write(hostile, "carol@example.com")
            assert await send_once(desk.mailer, desk.database) == 1
            assert [envelope.rcpt_tos for envelope in office.envelopes] == [["carol@example.com"]]
            assert (await desk.rows())[0].last_error.startswith("Unaddressable")

    asyncio.run(story())


def test_an_address_outside_of_ascii_reaches_its_own_domain_and_not_a_look_alike(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            await desk.write("bob@straße.example", "józef@example.com")
            assert await send_once(desk.mailer, desk.database) == 2
            reached = sorted(address for each in office.envelopes for address in each.rcpt_tos)
            assert reached == ["bob@xn--strae-oqa.example", "józef@example.com"]

    asyncio.run(story())


def test_an_address_that_the_server_can_not_take_is_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            open_office(PostOffice(), smtputf8=False) as office,
            open_desk(tmp_path, office) as desk,
        ):
            await desk.write("józef@example.com")
            assert await send_once(desk.mailer, desk.database) == 0
            (row,) = await desk.rows()
            assert row.given_up_at is not None
            assert row.last_error.startswith("SMTPNotSupported")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"smtp_host": None}, "SMTP_HOST"),
        ({"emails_from_email": None}, "EMAILS_FROM_EMAIL"),
        ({"emails_from_email": "Me <me@example.com>"}, "EMAILS_FROM_EMAIL"),
    ],
)
def test_a_mailer_that_could_send_nothing_is_refused_at_the_start(
    tmp_path: Path, wrong: dict[str, Any], named: str
) -> None:
    async def story() -> None:
        async with open_desk(tmp_path, PostOffice(), **wrong):
            pass

    with pytest.raises(ConfigurationError, match=named):
        asyncio.run(story())


def test_a_sender_name_with_line_breaks_stays_one_header(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            open_office(PostOffice()) as office,
            open_desk(
                tmp_path,
                office,
                emails_from_name="Ann,\r\nBcc: eve@example.com",
                app_name="My\r\nX-Evil: yes",
            ) as desk,
        ):
            await desk.write("bob@example.com")
            assert await send_once(desk.mailer, desk.database) == 1
            (mail,) = office.received
            assert mail["Bcc"] is None
            assert mail["X-Evil"] is None
            assert mail["Subject"] == "Confirm your address for My X-Evil: yes"
            assert mail["From"].addresses[0].addr_spec == "noreply@id.example"
            assert office.envelopes[0].rcpt_tos == ["bob@example.com"]

    asyncio.run(story())


@given(st.integers(1, 10_000), st.binary(min_size=2, max_size=2))
def test_waiting_doubles_up_to_an_hour_with_a_fifth_of_jitter(attempts: int, chance: bytes) -> None:
    whole = min(3600.0, 30.0 * 2.0 ** min(attempts - 1, 20))
    assert 0.8 * whole - 1e-6 <= delay_after(attempts, chance) <= 1.2 * whole + 1e-6

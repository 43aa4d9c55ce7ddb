from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from watchword.email.outbox import clean_up, enqueue, kept, waiting
from watchword.email.sender import send_once
from watchword.email.tests.post_office import HELLO, LINK, PostOffice, open_desk, open_office


class ChangedMyMind(Exception):
    pass


def test_what_is_rolled_back_sends_nothing_and_wakes_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:

            async def regret() -> None:
                async with desk.database.write() as unit:
                    await enqueue(unit, desk.mailer, HELLO, "bob@example.com")
                    raise ChangedMyMind

            with pytest.raises(ChangedMyMind):
                await regret()
            assert not desk.mailer.queued.is_set()
            assert await send_once(desk.mailer, desk.database) == 0
            assert office.connections == 0
            await desk.write("bob@example.com")
            assert desk.mailer.queued.is_set()

    asyncio.run(story())


def test_a_waiting_link_is_nowhere_in_the_file_in_clear(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            office.quote_data = True
            await desk.write("bob@example.com")
            await send_once(desk.mailer, desk.database)
            (row,) = await desk.rows()
            assert row.sealed_body is not None
            await asyncio.to_thread(look_into_the_files)

    def look_into_the_files() -> None:
        contents = [file.read_bytes() for file in tmp_path.glob("watchword.db*")]
        assert any(b"bob@example.com" in content for content in contents)
        assert not any(b"VERY-SECRET" in content for content in contents)

    asyncio.run(story())


def test_a_kept_mail_can_be_read_newest_first_and_is_never_sent_later(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office:
            async with open_desk(tmp_path, office, mail="keep") as desk:
                await desk.write("one@example.com")
                desk.world.turn(timedelta(seconds=1))
                await desk.write("two@example.com")
                async with desk.database.read() as unit:
                    mails = await kept(unit, desk.mailer)
                    assert await waiting(unit) == 0
                    assert len(await kept(unit, desk.mailer, limit=1)) == 1
                assert [mail.recipient for mail in mails] == ["two@example.com", "one@example.com"]
                assert LINK in mails[0].text
                assert LINK in mails[0].html
                assert mails[0].kind == "verification"
                assert mails[0].subject == "Confirm your address for Watchword"
                assert "VERY-SECRET" not in repr(mails)
            # A developer who sets SMTP up must not write to last week's invented people.
            async with open_desk(tmp_path, office) as desk:
                desk.world.turn(timedelta(days=1))
                assert await send_once(desk.mailer, desk.database) == 0

    asyncio.run(story())


def test_with_mail_off_nothing_is_written(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_desk(tmp_path, PostOffice(), mail="off") as desk:
            await desk.write("bob@example.com")
            assert await desk.rows() == []

    asyncio.run(story())


def test_clean_up_deletes_what_is_done_and_old_in_batches_and_nothing_that_waits(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with open_office(PostOffice()) as office, open_desk(tmp_path, office) as desk:
            await desk.write("sent1@example.com", "sent2@example.com")
            await send_once(desk.mailer, desk.database)
            office.refuse_recipient = "550 5.1.1 unknown"
            await desk.write("refused@example.com")
            await send_once(desk.mailer, desk.database)
            office.refuse_recipient = "450 4.2.1 later"
            await desk.write("waits@example.com")
            await send_once(desk.mailer, desk.database)
            desk.world.turn(timedelta(days=1))
            border = desk.world.now()
            office.refuse_recipient = None
            async with desk.database.write() as unit:
                assert await waiting(unit) == 1
                assert await clean_up(unit, border, limit=2) == 2
                assert await clean_up(unit, border, limit=2) == 1
                assert await clean_up(unit, border) == 0
            (left,) = await desk.rows()
            assert left.recipient == "waits@example.com"
            assert await send_once(desk.mailer, desk.database) == 1
            async with desk.database.write() as unit:
                assert await clean_up(unit, border - timedelta(days=2)) == 0
                assert await waiting(unit) == 0

    asyncio.run(story())

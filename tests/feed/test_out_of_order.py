"""Rows don't appear in the order of their ids: a transaction takes its id before it commits."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from watchword.core import Core
from watchword.revocations._tables import token_blacklist
from watchword.revocations.cursor import GIVEN_UP_SECONDS, Cursor
from watchword.revocations.feed import Feed
from watchword.revocations.service import revoke_sessions
from watchword.testing import Running
from watchword.verify.revocations import RevocationView
from watchword.world import World


class RolledBack(Exception):
    """Ends a transaction without its rows."""


@dataclass
class InFlight:
    """A transaction that has written and not committed."""

    sessions: list[str]
    _go_on: asyncio.Event
    _task: asyncio.Task[None]
    _fails: list[bool]

    async def commit(self) -> None:
        self._go_on.set()
        await self._task

    async def roll_back(self) -> None:
        self._fails.append(True)
        await self.commit()


@asynccontextmanager
async def in_flight(core: Core, count: int = 1) -> AsyncIterator[InFlight]:
    """The service's own function in the service's own kind of transaction, held before commit."""
    ids = [uuid.uuid4() for _ in range(count)]
    written, go_on, fails = asyncio.Event(), asyncio.Event(), list[bool]()

    async def work() -> None:
        with suppress(RolledBack):
            async with core.database.write() as unit:
                await revoke_sessions(unit, core.settings, ids)
                written.set()
                await go_on.wait()
                if fails:
                    raise RolledBack

    task = asyncio.create_task(work())
    await written.wait()
    try:
        yield InFlight([str(each) for each in ids], go_on, task, fails)
    finally:
        go_on.set()
        await task


def a_reader(world: World | None = None) -> Feed:
    """A worker that hears nothing and only looks."""
    return Feed(RevocationView(), world or World(), 10)


def known(feed: Feed) -> set[str]:
    return {entry.subject for entry in feed.view.entries()}


@pytest.mark.shapes("mounted-postgres")
def test_a_naive_reader_misses_the_lower_id_that_commits_last_and_ours_does_not(
    watchword: Running,
) -> None:
    async def work(core: Core) -> None:
        naive_top, naive = 0, list[str]()

        async def naive_look() -> None:
            nonlocal naive_top
            query = select(token_blacklist.c.id, token_blacklist.c.subject).where(
                token_blacklist.c.id > naive_top
            )
            async with core.database.read() as unit:
                for row in (await unit.execute(query)).all():
                    naive_top = max(naive_top, row.id)
                    naive.append(row.subject)

        ours = a_reader()
        await ours.catch_up(core.database)
        async with in_flight(core) as lower, in_flight(core) as higher:
            await higher.commit()
            await naive_look()
            await ours.catch_up(core.database)
            assert known(ours) == set(naive) == set(higher.sessions)
            await lower.commit()
            for _ in range(3):
                await naive_look()
            await ours.catch_up(core.database)
            assert lower.sessions[0] not in naive, "so this is worth the trouble"
            assert known(ours) == {*lower.sessions, *higher.sessions}

    watchword.call(work)


@pytest.mark.shapes("mounted-postgres")
def test_a_worker_that_starts_while_a_lower_id_is_in_flight_learns_of_it(
    watchword: Running,
) -> None:
    async def work(core: Core) -> None:
        async with in_flight(core) as lower, in_flight(core) as higher:
            await higher.commit()
            ours = a_reader()
            await ours.catch_up(core.database)
            assert known(ours) == set(higher.sessions)
            await lower.commit()
            await ours.catch_up(core.database)
            assert known(ours) == {*lower.sessions, *higher.sessions}

    watchword.call(work)


@pytest.mark.shapes("mounted-postgres")
def test_thousands_of_sessions_ended_at_once_are_all_learned_of_however_late_they_commit(
    watchword: Running,
) -> None:
    async def work(core: Core) -> None:
        ours = a_reader()
        await ours.catch_up(core.database)
        async with in_flight(core, 2500) as many, in_flight(core) as higher:
            await higher.commit()
            await ours.catch_up(core.database)
            await many.commit()
            await ours.catch_up(core.database)
            assert known(ours) == {*many.sessions, *higher.sessions}

    watchword.call(work)


@pytest.mark.shapes("mounted-postgres")
def test_ids_that_were_rolled_back_hold_nothing_up(watchword: Running) -> None:
    async def work(core: Core) -> None:
        ours = a_reader()
        await ours.catch_up(core.database)
        async with in_flight(core, 3) as lost, in_flight(core) as kept:
            await kept.commit()
            await ours.catch_up(core.database)
            await lost.roll_back()
            async with in_flight(core) as later:
                await later.commit()
            await ours.catch_up(core.database)
            assert known(ours) == {*kept.sessions, *later.sessions}

    watchword.call(work)


def test_a_gap_is_asked_for_as_long_as_a_transaction_can_last_and_then_given_up() -> None:
    cursor = Cursor()
    cursor.saw([1, 2, 5], 100.0)
    assert cursor.gaps == [(3, 4)]
    cursor.saw([], 100.0 + GIVEN_UP_SECONDS)
    assert cursor.gaps == [(3, 4)]
    cursor.saw([4], 100.0 + GIVEN_UP_SECONDS)
    assert cursor.gaps == [(3, 3)]
    cursor.saw([], 101.0 + GIVEN_UP_SECONDS)
    assert cursor.gaps == []


# --- any interleaving ---------------------------------------------------------------------------


@dataclass
class Table:
    """A table as PostgreSQL shows it: ids count up, rows show when they are committed."""

    last: int = 0
    committed: set[int] = field(default_factory=set)
    open: list[tuple[float, list[int]]] = field(default_factory=list)

    def begin(self, count: int, now: float) -> None:
        self.open.append((now, list(range(self.last + 1, self.last + count + 1))))
        self.last += count

    def end(self, which: int, commits: bool) -> None:
        _, ids = self.open.pop(which % len(self.open))
        if commits:
            self.committed.update(ids)

    def end_what_lasts_too_long(self, now: float) -> None:
        for place in reversed(range(len(self.open))):
            if now - self.open[place][0] >= GIVEN_UP_SECONDS:
                self.end(place, commits=True)

    def seen_by(self, cursor: Cursor) -> list[int]:
        gaps: Sequence[tuple[int, int]] = cursor.gaps
        return sorted(
            n
            for n in self.committed
            if n > cursor.top or any(low <= n <= high for low, high in gaps)
        )


steps = st.one_of(
    st.tuples(st.just("begin"), st.integers(1, 4)),
    st.tuples(st.just("begin"), st.just(1500)),
    st.tuples(st.just("commit"), st.integers(0, 9)),
    st.tuples(st.just("roll back"), st.integers(0, 9)),
    st.tuples(st.just("roll back many"), st.integers(1, 150)),
    st.tuples(st.just("pass"), st.sampled_from([1.0, 60.0, GIVEN_UP_SECONDS - 1])),
    st.tuples(st.just("look"), st.just(0)),
)


@given(st.lists(steps, max_size=40), st.integers(0, 3))
def test_every_committed_row_is_read_in_any_interleaving(
    script: list[tuple[str, float]], deleted: int
) -> None:
    table, cursor, read, now = Table(last=deleted), Cursor(), set[int](), 0.0
    for what, much in [*script, ("look", 0)]:
        if what == "begin":
            table.begin(int(much), now)
        elif what == "roll back many":
            for _ in range(int(much)):
                table.begin(1, now)
                table.end(-1, commits=False)
                table.begin(1, now)
                table.end(-1, commits=True)
        elif what == "pass":
            now += much
            table.end_what_lasts_too_long(now)
        elif what == "look":
            found = table.seen_by(cursor)
            cursor.saw(found, now)
            read.update(found)
            assert read == table.committed
            assert len(cursor.gaps) <= 100, "a query that any database takes"
        elif table.open:
            table.end(int(much), commits=what == "commit")

"""What the feed rests on fails: the listener, a notification, the database, a lock."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from tests.contract.problems import assert_problem
from tests.contract.workers import another_worker, plain, seen_from, within
from tests.feed.proxy import Wire, a_wire_to
from watchword import CurrentPrincipal, Watchword
from watchword.core import Core
from watchword.secret import Secret
from watchword.testing import Running, SignedIn

# Looks so rare that they take no part, and guards that don't ask by themselves.
NO_LOOKS = {"revocation_poll_seconds": 60.0, "revocation_max_staleness_seconds": 600.0}


@contextmanager
def without_listener(running: Running) -> Iterator[None]:
    """As behind a pooler: nothing is told."""

    async def stop(_core: Core) -> None:
        listeners = [task for task in asyncio.all_tasks() if task.get_name() == "listener"]
        assert len(listeners) == 1
        listeners[0].cancel()

    running.call(stop)
    yield


def log_out(person: SignedIn, at: str) -> None:
    person.post(f"{at}/auth/logout").raise_for_status()


@pytest.mark.shapes("mounted-postgres")
@pytest.mark.watchword(**NO_LOOKS)
def test_a_listener_whose_connection_is_ended_comes_back_and_misses_nothing(
    watchword: Running,
) -> None:
    async def end_listeners(core: Core) -> int:
        async with core.database.write() as unit:
            ended = await unit.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN "
                    "(SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                    "AND query ILIKE 'LISTEN%')"
                )
            )
            return len(ended.all())

    with another_worker(watchword) as other:
        first, second, third = (watchword.login_as() for _ in range(3))
        assert within(5, lambda: watchword.call(end_listeners) > 0)
        # Told to nobody: the listeners are just being made anew.
        log_out(first, watchword.prefix)
        assert within(5, lambda: seen_from(other, first.headers) == 401)
        log_out(second, watchword.prefix)
        assert within(1, lambda: seen_from(other, second.headers) == 401)
        assert seen_from(other, third.headers) == 200


@pytest.mark.shapes("mounted-sqlite", "mounted-postgres")
@pytest.mark.watchword(revocation_poll_seconds=0.3, revocation_max_staleness_seconds=600.0)
def test_what_no_notification_tells_the_next_look_finds(watchword: Running) -> None:
    with another_worker(watchword) as other, without_listener(other):
        for _ in range(3):
            person = watchword.login_as()
            assert seen_from(other, person.headers) == 200
            log_out(person, watchword.prefix)
            # The look itself takes a moment, and the machine may be busy.
            assert within(0.3 + 0.7, lambda p=person: seen_from(other, p.headers) == 401)  # type: ignore[misc]


def with_a_route_without_a_read(auth: Watchword) -> FastAPI:
    app = plain(auth)

    @app.get("/claims")
    async def claims(principal: CurrentPrincipal) -> str:
        return principal.subject

    return app


def asks(running: Running, person: SignedIn) -> int:
    return running.client.get("/claims", headers=person.headers).status_code


@pytest.mark.shapes("mounted-postgres")
@pytest.mark.parametrize("fault", ["cut", "hold"])
def test_without_the_database_it_goes_on_for_the_bound_then_answers_503_and_forgets_nothing(
    watchword: Running, fault: str
) -> None:
    url = watchword.auth.settings.database_url
    assert url is not None
    bound = 2.0
    with a_wire_to(url.reveal()) as (wire, through):
        changes: dict[str, Any] = {
            "database_url": Secret(through),
            "revocation_poll_seconds": 0.2,
            "revocation_max_staleness_seconds": bound,
        }
        with another_worker(watchword, with_a_route_without_a_read, **changes) as other:
            revoked, good = watchword.login_as(), watchword.login_as()
            assert asks(other, revoked) == asks(other, good) == 200
            break_it(wire, fault)
            assert asks(other, good) == 200, "known a moment ago"
            log_out(revoked, watchword.prefix)
            answered = time.monotonic()
            while (status := asks(other, revoked)) == 200:
                assert time.monotonic() <= answered + bound, "accepted after the bound"
            assert status == 503

            before = time.monotonic()
            refusal = other.client.get(f"{other.prefix}/auth/me", headers=good.headers)
            assert time.monotonic() - before < bound + 3, "nobody waits for ever"
            assert_problem(refusal, 503)
            assert int(refusal.headers["Retry-After"]) > 0

            wire.mend()
            assert within(20, lambda: asks(other, good) == 200)
            assert asks(other, revoked) == 401
            assert seen_from(other, revoked.headers) == 401


def break_it(wire: Wire, fault: str) -> None:
    if fault == "cut":
        wire.cut()
    else:
        wire.hold()


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(revocation_poll_seconds=0.2, revocation_max_staleness_seconds=1.0)
def test_a_long_writer_of_the_file_keeps_nobody_from_reading(watchword: Running) -> None:
    person = watchword.login_as()
    file = watchword.auth.settings.data_dir / "watchword.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE users SET full_name = 'somebody else'")
        ends = time.monotonic() + 1.5
        while time.monotonic() < ends:
            answer = watchword.client.get(f"{watchword.prefix}/auth/me", headers=person.headers)
            assert answer.status_code == 200
            assert answer.json()["full_name"] is None
        writer.execute("ROLLBACK")

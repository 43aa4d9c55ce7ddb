"""Wall clocks that differ and are set while tokens live: what was revoked stays revoked."""

from __future__ import annotations

import asyncio
import uuid

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.feed.simulated import SETTINGS, Store, Time, Transaction, Worker, let_tasks_run, run
from watchword.revocations import service as revocations
from watchword.tokens import access

# As far apart as is allowed for: two minutes.
off = st.sampled_from([-60.0, 60.0])


@settings(max_examples=300)
@given(off, off, off, off, off, off, st.integers(0, 25), st.booleans())
@example(60.0, -60.0, 60.0, 60.0, -60.0, -60.0, 8, False)
@example(60.0, -60.0, 60.0, -60.0, -60.0, -60.0, 8, True)
@example(60.0, -60.0, 60.0, 60.0, 60.0, -60.0, 8, True)
def test_no_clock_makes_a_worker_take_a_token_again_that_was_revoked(
    issuers: float,
    revokers: float,
    cleaners: float,
    before: float,
    after: float,
    at_last: float,
    at: int,
    restarts: bool,
) -> None:
    """At each of many moments: one looks, one cleans up, one has its clock set or is restarted."""
    loop, time, store = asyncio.new_event_loop(), Time(), Store()
    issuer, revoker, cleaner, worker = (Worker(store, time, n, loop) for n in (0.0, 9.0, 5e5, 7.0))

    def look(each: Worker) -> None:
        let_tasks_run(loop)
        while each.database.is_looking:
            each.database.go_on()
            let_tasks_run(loop)

    try:
        everybody = ((issuer, issuers), (revoker, revokers), (cleaner, cleaners), (worker, before))
        for each, clock in everybody:
            each.off = clock
            each.start()
            look(each)
        sid = uuid.UUID(int=7 << 80)
        subject = access.Subject(1, "user", True, 0, sid, issuer.world.now(), ())
        token = access.issue(issuer.keyring, SETTINGS, issuer.world, subject)
        ending = Transaction()
        run(revocations.revoke_sessions(revoker.database.write(ending), SETTINGS, [sid]))
        revoker.commit(ending)

        time.now += 20.0 * at
        worker.look()
        look(worker)
        run(revocations.clean_up(cleaner.database.write(Transaction())))
        worker.off = after
        if restarts:
            worker.crash()
            let_tasks_run(loop)
            worker.start()
        else:
            worker.look()
        look(worker)
        worker.off = at_last
        assert not worker.feed.is_stale()
        assert not worker.answers_at_once(token)
    finally:
        for each in (issuer, revoker, cleaner, worker):
            each.crash()
        let_tasks_run(loop)
        loop.close()
        store.close()

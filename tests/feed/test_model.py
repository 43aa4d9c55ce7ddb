"""Searching for a request that is accepted after the bound, whatever happens to the feed.

Bounds of the model: the wall clocks of all machines, steps included, lie within two minutes of
each other; a transaction is ended by the database after two minutes. See docs/decisions/0006.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.feed.simulated import (
    BOUND,
    SETTINGS,
    Store,
    Time,
    Transaction,
    Worker,
    let_tasks_run,
    run,
)
from tests.feed.truth import Ending, Message, Session, Token, Truth
from watchword.db.unit import Unit
from watchword.errors import DatabaseUnavailable, InvalidAccessToken
from watchword.revocations import service as revocations
from watchword.revocations.listen import hear
from watchword.tokens import access
from watchword.world import milliseconds_of

WORKERS = 2
# Enough that not all are signed out everywhere, which would hide what a session's end missed.
USERS = 5
CLOCKS_OFF = (-60.0, 0.0, 60.0)
LONGEST_TRANSACTION = 120.0

workers = st.integers(0, WORKERS - 1)
users = st.integers(0, USERS - 1)
# How a transaction goes on: its notifications are on their way, or lost, or it stays open.
ways = st.sampled_from(["told", "untold", "untold", "open"])
rarely = st.sampled_from([False, False, False, True])
troubles = st.sampled_from(
    ["nothing but old rows", "the listener", "the wall clock", "the database", "a crash"]
)
pauses = st.sampled_from([0.0, 0.5, 4.0, BOUND, BOUND + 0.5])


class FeedMachine(RuleBasedStateMachine):
    """Workers that revoke, hear, look, break and come back; and a check after every step."""

    @initialize(
        off=st.lists(st.sampled_from(CLOCKS_OFF), min_size=WORKERS, max_size=WORKERS),
        listens=st.booleans(),
        life=st.sampled_from([30, 30, 1]),
    )
    def start(self, off: list[float], listens: bool, life: int) -> None:
        self.settings = SETTINGS.model_copy(update={"access_token_expire_minutes": life})
        self.loop = asyncio.new_event_loop()
        self.time = Time()
        self.store = Store()
        self.truth = Truth()
        self.open: list[Ending] = []
        self.network: list[Message] = []
        zeros = (5_000.0, 0.0)
        self.workers = [Worker(self.store, self.time, zero, self.loop) for zero in zeros]
        for worker, away in zip(self.workers, off, strict=True):
            worker.off = away
            worker.start()
            worker.listens = listens
            self.finish_looks(worker)
        for user in range(USERS):
            self.get_a_token(user % WORKERS, user, again=False)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for worker in self.workers:
                worker.crash()
            self.settle()
            self.store.close()
            self.loop.close()

    # --- people ---------------------------------------------------------------------------------

    @rule(n=workers, user=users, again=st.booleans())
    def get_a_token(self, n: int, user: int, again: bool) -> None:
        """By signing in or by refreshing: the user's row, or the session's, must be free."""
        if not self.workers[n].up or any(each.user == user for each in self.open):
            return
        mine = [each for each in self.free_sessions() if each.user == user]
        if again and mine:
            self.mint(n, mine[-1])
            return
        session = Session(self.workers[n].world.new_id(), user)
        self.truth.sessions.append(session)
        self.mint(n, session)

    def free_sessions(self) -> list[Session]:
        return [each for each in self.truth.sessions if not (each.locked or each.ended)]

    def mint(self, n: int, session: Session) -> None:
        world, epoch = self.workers[n].world, self.truth.epochs[session.user]
        subject = access.Subject(session.user, "user", True, epoch, session.id, world.now(), ())
        issued, life = int(world.timestamp()), self.settings.access_token_expire_minutes
        text = access.issue(self.workers[n].keyring, self.settings, world, subject)
        self.truth.tokens.append(Token(text, session, epoch, issued, issued + 60 * life))

    # --- revoking -------------------------------------------------------------------------------

    @rule(n=workers, which=st.integers(0, 9), way=ways, pause=pauses)
    def end_a_session(self, n: int, which: int, way: str, pause: float) -> None:
        if not self.can_write(n):
            return
        if not self.free_sessions():
            self.get_a_token(n, which % USERS, again=False)
        if free := self.free_sessions():
            session = free[which % len(free)]
            unit = self.begin(Ending(n, self.time.now, [session]))
            run(revocations.revoke_sessions(unit, self.settings, [session.id]))
            self.go_on_with(way, pause)

    @rule(n=workers, which=st.integers(0, 9), looks=st.booleans())
    def end_two_sessions_the_later_first(self, n: int, which: int, looks: bool) -> None:
        self.end_a_session(n, which, "open", 0.0)
        self.end_a_session(n, which + 1, "untold", 0.0)
        if looks:
            self.all_look(0.0)

    @rule(n=workers, user=users, way=ways, pause=pauses, everyone=rarely)
    def end_a_users_or_everyones(
        self, n: int, user: int, way: str, pause: float, everyone: bool
    ) -> None:
        if not self.can_write(n):
            return
        living = [each for each in self.truth.sessions if not each.ended]
        if everyone and not any(each.locked for each in living):
            newest = max((milliseconds_of(each.id) for each in self.truth.sessions), default=0)
            up_to = max(int(self.workers[n].world.timestamp() * 1000), newest)
            unit = self.begin(Ending(n, self.time.now, living, everyone_up_to=up_to))
            run(revocations.revoke_everyone(unit, self.settings, up_to))
        elif all(each.user != user for each in self.open):
            unit = self.begin(Ending(n, self.time.now, [], user=user))
            epoch = self.truth.epochs[user] + 1
            run(revocations.revoke_user(unit, self.settings, user, epoch))
        else:
            return
        self.go_on_with(way, pause)

    def go_on_with(self, way: str, pause: float) -> None:
        if way != "open":
            self.commit(-1, told=way == "told")
        self.let_time_pass(pause)

    def can_write(self, n: int) -> bool:
        return self.workers[n].up and not self.store.away

    def begin(self, ending: Ending) -> Unit:
        for session in ending.sessions:
            session.locked = True
        self.open.append(ending)
        return self.workers[ending.worker].database.write(ending.transaction)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 9), way=st.sampled_from(["told", "untold", "undone"]), pause=pauses)
    def end_a_transaction(self, which: int, way: str, pause: float) -> None:
        place = which % len(self.open)
        if way == "undone":
            self.undo(self.open[place])
        else:
            self.commit(place, told=way == "told")
        self.let_time_pass(pause)

    def commit(self, place: int, *, told: bool) -> None:
        ending = self.open[place]
        self.close(ending)
        for session in ending.sessions:
            session.ended = True
        if ending.user is not None:
            self.truth.epochs[ending.user] += 1
        if ending.everyone_up_to is not None:
            self.truth.everyone_up_to = max(self.truth.everyone_up_to, ending.everyone_up_to)
        dying = []
        for token in self.truth.tokens:
            # Everyone's end concerns the sessions that it found: ``ending.sessions``.
            lower = token.epoch < self.truth.epochs[token.session.user]
            if (token.session.ended or lower) and token.dies_at is None:
                token.dies_at = self.time.now
                dying.append(token)
        # It is answered at this very moment: nothing later would be as hard to keep.
        worker = self.workers[ending.worker]
        worker.commit(ending.transaction)
        if not worker.feed.is_stale():
            for token in dying:
                assert not worker.answers_at_once(token.text), "not at once where it was revoked"
        for n, worker in enumerate(self.workers):
            if worker.listens and told:
                for payload in ending.transaction.payloads:
                    self.network.append(Message(n, worker.incarnation, payload))

    def undo(self, ending: Ending) -> None:
        self.close(ending)
        self.store.end(ending.transaction, commits=False)

    def undo_all(self, endings: Iterable[Ending]) -> None:
        for ending in list(endings):
            self.undo(ending)

    def close(self, ending: Ending) -> None:
        self.open.remove(ending)
        for session in ending.sessions:
            session.locked = False

    # --- the network ----------------------------------------------------------------------------

    @precondition(lambda self: self.network)
    @rule(which=st.integers(0, 9), fate=st.sampled_from(["arrives", "arrives twice", "is lost"]))
    def carry_a_notification(self, which: int, fate: str) -> None:
        message = self.network[which % len(self.network)]
        if fate != "arrives twice":
            self.network.remove(message)
        worker = self.workers[message.worker]
        if fate != "is lost" and worker.incarnation == message.incarnation and worker.listens:
            hear(worker.feed, message.payload)

    # --- looks ----------------------------------------------------------------------------------

    @rule(pause=pauses)
    def all_look(self, pause: float) -> None:
        for n in range(WORKERS):
            self.look(n)
        self.let_time_pass(pause)

    @rule(n=workers)
    def look(self, n: int) -> None:
        if self.workers[n].up:
            self.workers[n].look()
            self.finish_looks(self.workers[n])

    @rule(n=workers, asks=st.booleans(), steps=st.integers(0, 1), ends=rarely, pause=pauses)
    def look_slowly(self, n: int, asks: bool, steps: int, ends: bool, pause: float) -> None:
        """Stand before the statement, or after it; for the poll, or for requests that wait."""
        if self.workers[n].up:
            if asks:
                self.ask(n)
            else:
                self.workers[n].look()
            self.settle()
            if steps:
                self.workers[n].database.go_on()
                self.settle()
            if ends:
                self.end_a_session((n + 1) % WORKERS, 0, "untold", pause)

    @rule(pause=pauses)
    def finish_all_looks(self, pause: float) -> None:
        for worker in self.workers:
            self.finish_looks(worker)
        self.let_time_pass(pause)

    @rule(n=workers)
    def ask(self, n: int) -> None:
        if self.workers[n].up:
            for token in self.truth.tokens:
                self.workers[n].ask(token.text)

    def finish_looks(self, worker: Worker) -> None:
        for _ in range(20):
            self.settle()
            if not worker.database.is_looking:
                return
            worker.database.go_on()

    # --- trouble --------------------------------------------------------------------------------

    @rule(n=workers, trouble=troubles, off=st.sampled_from(CLOCKS_OFF), listens=st.booleans())
    def have_trouble(self, n: int, trouble: str, off: float, listens: bool) -> None:
        worker = self.workers[n]
        if trouble == "the listener":
            self.break_or_mend_the_listener(n)
        elif trouble == "the wall clock":
            worker.off = off
        elif trouble == "the database":
            self.lose_or_find_the_database()
        elif trouble == "a crash":
            self.undo_all(each for each in self.open if each.worker == n)
            worker.crash()
            worker.start()
            worker.listens = listens
        elif self.can_write(n):
            run(revocations.clean_up(worker.database.write(Transaction())))

    def break_or_mend_the_listener(self, n: int) -> None:
        worker = self.workers[n]
        if worker.listens:
            worker.listens = False
            self.network = [each for each in self.network if each.worker != n]
        elif worker.up and not self.store.away:
            worker.listens = True
            worker.look()

    def lose_or_find_the_database(self) -> None:
        self.store.away = not self.store.away
        if self.store.away:
            # Their connections end with it.
            self.undo_all(self.open)

    @rule(seconds=st.sampled_from([0.5, 4.0, BOUND, BOUND + 0.5, 60.0]))
    def wait(self, seconds: float) -> None:
        self.let_time_pass(seconds)

    def let_time_pass(self, seconds: float) -> None:
        self.settle()
        self.time.now += seconds
        too_early = self.time.now - LONGEST_TRANSACTION
        self.undo_all(each for each in self.open if each.began < too_early)

    # --- what must hold -------------------------------------------------------------------------

    def settle(self) -> None:
        """Let every task go as far as it can, and judge the answers that have come."""

        let_tasks_run(self.loop)
        for worker in self.workers:
            for look in [each for each in worker.looks if each.done()]:
                worker.looks.remove(look)
                failed = look.cancelled() or look.exception() is not None
                # Nothing is served before the first look has succeeded.
                worker.up = worker.up or not failed
            for request in [each for each in worker.requests if each.task.done()]:
                worker.requests.remove(request)
                token = next(each for each in self.truth.tokens if each.text == request.token)
                error = request.task.exception()
                if isinstance(error, DatabaseUnavailable):
                    assert worker.database.failed_at >= request.asked_at, "503 for nothing"
                else:
                    assert error is None or isinstance(error, InvalidAccessToken)
                    self.judge(worker, token, accepted=error is None)

    def judge(self, worker: Worker, token: Token, *, accepted: bool) -> None:
        if accepted:
            late = token.dies_at is not None and self.time.now > token.dies_at + BOUND
            assert not late, "accepted after the bound"
        else:
            wall = worker.world.timestamp()
            dated = wall >= token.expires_at or token.issued_at > wall + 60
            assert dated or self.truth.may_refuse(token), "a good token was refused"

    @invariant()
    def nobody_accepts_after_the_bound_and_nobody_refuses_what_is_good(self) -> None:
        if not hasattr(self, "workers"):
            return
        self.settle()
        for worker in self.workers:
            if worker.up and not worker.feed.is_stale():
                for token in self.truth.tokens:
                    self.judge(worker, token, accepted=worker.answers_at_once(token.text))


TestFeedModel = FeedMachine.TestCase
TestFeedModel.settings = settings(max_examples=180, stateful_step_count=80)

"""Searching for a request that is accepted after the bound, whatever happens to the feed.

Bounds of the model: the wall clocks of all machines, steps included, lie within two minutes of
each other; a transaction is ended by the database after two minutes. See docs/decisions/0006.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field

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
from watchword.db.unit import Unit
from watchword.errors import DatabaseUnavailable, InvalidAccessToken
from watchword.revocations import service as revocations
from watchword.revocations.listen import hear
from watchword.tokens import access
from watchword.world import milliseconds_of

WORKERS = 3
USERS = 2
CLOCKS_OFF = (-60.0, 0.0, 60.0)
LONGEST_TRANSACTION = 120.0

workers = st.integers(0, WORKERS - 1)
users = st.integers(0, USERS - 1)


@dataclass
class Session:
    """A session, the tokens minted for it, and what holds its row."""

    id: uuid.UUID
    user: int
    locked: bool = False
    ended: bool = False


@dataclass
class Token:
    """A token, and from when on, in true time, nobody may accept it."""

    text: str
    session: Session
    epoch: int
    issued_at: float
    expires_at: float
    dies_at: float | None = None


@dataclass
class Ending:
    """A transaction that ends tokens, and whose they are."""

    worker: int
    began: float
    sessions: list[Session]
    user: int | None = None
    everyone_up_to: int | None = None
    transaction: Transaction = field(default_factory=Transaction)


@dataclass
class Message:
    """A notification on its way."""

    worker: int
    incarnation: int
    payload: str


@dataclass
class Truth:
    """What has been committed, as the database knows it: what may be refused, and what must."""

    sessions: list[Session] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(USERS), 0))
    everyone_up_to: int = -1

    def may_refuse(self, token: Token) -> bool:
        return (
            token.session.ended
            or token.epoch < self.epochs[token.session.user]
            or milliseconds_of(token.session.id) <= self.everyone_up_to
        )


class FeedMachine(RuleBasedStateMachine):
    """Workers that revoke, hear, look, break and come back; and a check after every step."""

    @initialize(
        off=st.lists(st.sampled_from(CLOCKS_OFF), min_size=WORKERS, max_size=WORKERS),
        listens=st.booleans(),
        life=st.sampled_from([30, 1]),
    )
    def start(self, off: list[float], listens: bool, life: int) -> None:
        self.settings = SETTINGS.model_copy(update={"access_token_expire_minutes": life})
        self.loop = asyncio.new_event_loop()
        self.time = Time()
        self.store = Store()
        self.truth = Truth()
        self.open: list[Ending] = []
        self.network: list[Message] = []
        zeros = (0.0, 5_000.0, 1e9)
        self.workers = [Worker(self.store, self.time, zero, self.loop) for zero in zeros]
        for worker, away in zip(self.workers, off, strict=True):
            worker.off = away
            worker.start()
            worker.listens = listens
            self.finish_looks(worker)
        for n in range(WORKERS):
            for user in range(USERS):
                self.get_a_token(n, user, again=False)

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

    @rule(n=workers, which=st.integers(0, 9), at_once=st.booleans())
    def end_a_session(self, n: int, which: int, at_once: bool) -> None:
        free = self.free_sessions()
        if free and self.can_write(n):
            session = free[which % len(free)]
            unit = self.begin(Ending(n, self.time.now, [session]))
            run(revocations.revoke_sessions(unit, self.settings, [session.id]))
            if at_once:
                self.commit(-1)

    @rule(
        n=workers, user=users, at_once=st.booleans(), everyone=st.sampled_from([False] * 4 + [True])
    )
    def end_a_users_or_everyones(self, n: int, user: int, at_once: bool, everyone: bool) -> None:
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
        if at_once:
            self.commit(-1)

    def can_write(self, n: int) -> bool:
        return self.workers[n].up and not self.store.away

    def begin(self, ending: Ending) -> Unit:
        for session in ending.sessions:
            session.locked = True
        self.open.append(ending)
        return self.workers[ending.worker].database.write(ending.transaction)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 9))
    def end_a_transaction(self, which: int) -> None:
        self.commit(which % len(self.open))

    def commit(self, place: int) -> None:
        ending = self.open[place]
        self.close(ending)
        for session in ending.sessions:
            session.ended = True
        if ending.user is not None:
            self.truth.epochs[ending.user] += 1
        if ending.everyone_up_to is not None:
            self.truth.everyone_up_to = max(self.truth.everyone_up_to, ending.everyone_up_to)
        for token in self.truth.tokens:
            # Everyone's end concerns the sessions that it found: ``ending.sessions``.
            lower = token.epoch < self.truth.epochs[token.session.user]
            if (token.session.ended or lower) and token.dies_at is None:
                token.dies_at = self.time.now
        # It is answered at this very moment: nothing later would be as hard to keep.
        self.workers[ending.worker].commit(ending.transaction)
        for n, worker in enumerate(self.workers):
            if worker.listens:
                for payload in ending.transaction.payloads:
                    self.network.append(Message(n, worker.incarnation, payload))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 9))
    def roll_back(self, which: int) -> None:
        self.undo(self.open[which % len(self.open)])

    def undo(self, ending: Ending) -> None:
        self.close(ending)
        self.store.end(ending.transaction, commits=False)

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

    @rule(n=workers)
    def break_or_mend_a_listener(self, n: int) -> None:
        worker = self.workers[n]
        if worker.listens:
            worker.listens = False
            self.network = [each for each in self.network if each.worker != n]
        elif worker.up and not self.store.away:
            worker.listens = True
            worker.look()

    @rule()
    def lose_the_database(self) -> None:
        self.store.away = True
        # Their connections end with it.
        for ending in list(self.open):
            self.undo(ending)

    @precondition(lambda self: self.store.away)
    @rule()
    def find_the_database(self) -> None:
        self.store.away = False

    # --- looks ----------------------------------------------------------------------------------

    @rule(n=workers)
    def look(self, n: int) -> None:
        if self.workers[n].up:
            self.workers[n].look()
            self.finish_looks(self.workers[n])

    @rule()
    def look_everywhere(self) -> None:
        for n in range(WORKERS):
            self.look(n)

    @rule(n=workers)
    def begin_to_look(self, n: int) -> None:
        if self.workers[n].up:
            self.workers[n].look()

    @rule()
    def go_on_looking(self) -> None:
        for worker in self.workers:
            worker.database.go_on()

    @rule(n=workers)
    def ask(self, n: int) -> None:
        if self.workers[n].up:
            for token in self.truth.tokens:
                self.workers[n].ask(token.text)

    @rule(n=workers)
    def clean_up(self, n: int) -> None:
        worker = self.workers[n]
        if worker.up and not self.store.away:
            run(revocations.clean_up(worker.database.write(Transaction())))

    def finish_looks(self, worker: Worker) -> None:
        for _ in range(20):
            self.settle()
            if not worker.looks or not worker.database.is_looking:
                return
            worker.database.go_on()

    # --- machines -------------------------------------------------------------------------------

    @rule(n=workers, listens=st.booleans())
    def crash_and_restart(self, n: int, listens: bool) -> None:
        worker = self.workers[n]
        worker.crash()
        for ending in [each for each in self.open if each.worker == n]:
            self.undo(ending)
        worker.start()
        worker.listens = listens

    @rule(n=workers, off=st.sampled_from(CLOCKS_OFF))
    def step_wall_clock(self, n: int, off: float) -> None:
        self.workers[n].off = off

    @rule(seconds=st.sampled_from([0.5, 4.0]))
    def let_a_moment_pass(self, seconds: float) -> None:
        self.let_time_pass(seconds)

    @rule(seconds=st.sampled_from([BOUND, BOUND + 0.5]))
    def let_the_bound_pass(self, seconds: float) -> None:
        self.let_time_pass(seconds)

    @rule(seconds=st.sampled_from([BOUND + 0.5, 60.0]))
    def let_much_time_pass(self, seconds: float) -> None:
        self.let_time_pass(seconds)

    def let_time_pass(self, seconds: float) -> None:
        self.settle()
        self.time.now += seconds
        for ending in [each for each in self.open if self.lasts_too_long(each)]:
            self.undo(ending)

    def lasts_too_long(self, ending: Ending) -> bool:
        return self.time.now - ending.began > LONGEST_TRANSACTION

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
TestFeedModel.settings = settings(max_examples=150, stateful_step_count=150)

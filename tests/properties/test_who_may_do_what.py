"""Register, sign in, refresh, log out, change, reset, deactivate, in any order: the service and a
small model of who may do what agree after each step on every token, session and password.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import pytest
from httpx2 import Response
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.properties.model import (
    LEEWAY,
    OLDEST,
    RESET_LIVES,
    SESSIONS_PER_USER,
    VERIFICATION_LIVES,
    OneTime,
    Pair,
    Person,
    Session,
    session_id,
)
from watchword.testing import Running, SignedIn

# Multiples of a minute, so that no two of them meet at the end of a life by a moment.
TURNS = {"2 minutes": 120, "31 minutes": 31 * 60, "25 hours": 25 * 3600, "8 days": 8 * 86_400}
OFTEN = ["2 minutes", "2 minutes", "2 minutes", "31 minutes", *TURNS]
MOST_PEOPLE = 3
anybody = st.integers(0, MOST_PEOPLE - 1)
anything = st.integers(0, 99)


Thing = TypeVar("Thing")
Act = TypeVar("Act", bound=Callable[..., None])


def _picked(which: int, mostly: list[Thing], rather: list[Thing]) -> Thing:
    things = mostly if which % 4 < 3 and mostly else rather
    return things[-1 - which // 4 % len(things)]


# What can be done, each with the strategies of its arguments.
ACTS: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = []


def act(**given: st.SearchStrategy[Any]) -> Callable[[Act], Act]:
    """Mark what somebody can do at any moment.

    A rule for each would be switched off by Hypothesis for whole runs, at random; most faults need
    several together, and within our budget they would not meet.
    """

    def mark(method: Act) -> Act:
        ACTS.append(st.tuples(st.just(method.__name__), st.fixed_dictionaries(given)))
        return method

    return mark


class WhoMayDoWhat(RuleBasedStateMachine):
    def __init__(self, running: Running, numbers: itertools.count[int]) -> None:
        super().__init__()
        self.running = running
        self.numbers = numbers
        self.everybody: list[Person] = []
        self.touched: set[Person] = set()
        self.used = itertools.count(1)
        self.admin: tuple[SignedIn, datetime] | None = None

    # --- asking -----------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.running.auth.core.world.now()

    def ask(self, method: str, path: str, *, headers: Any = None, json: Any = None) -> Response:
        url = self.running.prefix + path
        answer = self.running.client.request(method, url, headers=headers, json=json)
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code}"
        assert "$argon2" not in answer.text
        return answer

    def as_admin(self, method: str, path: str, json: Any = None) -> Response:
        if self.admin is None or self.now > self.admin[1]:
            signed_in = self.running.sign_in("overseer")
            self.admin = (signed_in, self.now + LEEWAY)
        return self.ask(method, path, headers=self.admin[0].headers, json=json)

    def keep(self, owner: Person, session: Session, answer: Response) -> Pair:
        """The pair of an answer; its access token says what is true now."""
        body = answer.json()
        pair = Pair(
            owner,
            session,
            body["access_token"],
            body["refresh_token"],
            session.generation,
            self.now,
        )
        owner.pairs.append(pair)
        return pair

    def somebody(self, who: int) -> Person:
        return self.touch(self.everybody[-1 - who % len(self.everybody)])

    def pair(self, which: int) -> Pair:
        """A pair that was handed out: of four, three that are accepted."""
        if which % 4 < 3 and not self.accepted():
            self.sign_in(which % MOST_PEOPLE, "right", "name")
        pairs = [pair for person in self.everybody for pair in person.pairs]
        return _picked(which, self.accepted(), pairs)

    def accepted(self) -> list[Pair]:
        pairs = (pair for person in self.everybody for pair in person.pairs)
        return [pair for pair in pairs if pair.is_accepted(self.now)]

    def token(self, which: int, purpose: str) -> OneTime | None:
        """A one-time token that was handed out: of four, three that are good."""
        tokens = [token for person in self.everybody for token in person.one_time]
        tokens = [token for token in tokens if token.purpose == purpose]
        good = [token for token in tokens if token.is_good(self.now)]
        return _picked(which, good, tokens) if tokens else None

    def touch(self, person: Person) -> Person:
        """What happens to somebody is looked at after the step."""
        self.touched.add(person)
        return person

    def new_password(self) -> str:
        return f"violet otters row home {next(self.numbers)}"

    # --- coming -----------------------------------------------------------------------------

    @initialize()
    def two_people(self) -> None:
        for _ in range(2):
            self.register()
            self.sign_in(0, "right", "name")

    @act()
    def register(self) -> None:
        if sum(not person.deleted for person in self.everybody) == MOST_PEOPLE:
            return
        name = f"person-{next(self.numbers)}"
        email, password = f"{name}@example.com", self.new_password()
        body = {"username": name, "email": email, "password": password, "role": "admin"}
        answer = self.ask("POST", "/auth/register", json=body)
        assert answer.status_code == 201
        user = answer.json()
        assert (user["role"], user["is_active"], user["is_verified"]) == ("user", True, False)
        person = Person(user["id"], name, email, [password])
        self.everybody.append(self.touch(person))

    @act(
        who=anybody,
        password=st.sampled_from(["right", "right", "right", "earlier", "wrong"]),
        by=st.sampled_from(["name", "NAME", "address", "ADDRESS", "form"]),
    )
    def sign_in(self, who: int, password: str, by: str) -> None:
        person = self.somebody(who)
        typed = {
            "right": person.passwords[-1],
            "earlier": person.passwords[0],
            "wrong": "not the password of anybody",
        }[password]
        name = person.email if "address" in by.lower() else person.username
        body = {"username": name.upper() if by.isupper() else name, "password": typed}
        if by == "form":
            url = f"{self.running.prefix}/auth/login/form"
            answer = self.running.client.post(url, data=body)
        else:
            answer = self.ask("POST", "/auth/login", json=body)
        if person.deleted or typed != person.passwords[-1]:
            assert answer.status_code == 401
            assert answer.json()["detail"] == "Incorrect username or password"
            return
        if not person.active:
            assert answer.status_code == 403
            return
        assert answer.status_code == 200
        now = self.now
        session = Session(session_id(answer.json()["access_token"]), now)
        session.used = next(self.used)
        person.start(session, now)
        self.keep(person, session, answer)

    # --- staying ----------------------------------------------------------------------------

    @act(which=anything, behind=st.sampled_from([1, 0, 1, 2]), pause=st.sampled_from([360, 120, 0]))
    def refresh(self, which: int, behind: int, pause: int) -> None:
        """With the current refresh token, or with one that has been replaced, soon or late."""
        pair = self.pair(which)
        for _ in range(behind):
            if pair.session.is_live(self.now):
                self.refresh_with(self.current(pair))
        self.turn(pause)
        self.refresh_with(pair if behind else self.current(pair))

    def current(self, pair: Pair) -> Pair:
        """The newest pair of the same session."""
        return [other for other in pair.owner.pairs if other.session is pair.session][-1]

    def refresh_with(self, pair: Pair) -> None:
        now = self.now
        person, session = self.touch(pair.owner), pair.session
        answer = self.ask("POST", "/auth/refresh", json={"refresh_token": pair.refresh})
        replaced = session.generation - pair.generation
        if person.deleted or now >= session.began + OLDEST:
            assert answer.status_code == 401
        elif not person.active:
            assert answer.status_code == 403
        elif not session.is_live(now):
            assert answer.status_code == 401
        elif replaced == 0:
            assert answer.status_code == 200
            session.generation += 1
            session.rotated = self.now
            session.used = next(self.used)
            self.keep(person, session, answer)
        elif replaced == 1 and now < session.rotated + LEEWAY:
            # The same successor again: the family does not fork.
            assert answer.status_code == 200
            now_good = {p for p in person.pairs if p.generation == session.generation}
            successors = {p.refresh for p in now_good if p.session is session}
            assert {answer.json()["refresh_token"]} == successors
            self.keep(person, session, answer)
        else:
            # Somebody has a copy.
            assert answer.status_code == 401
            person.end([session])
            assert self.running.mailbox.last(to=person.email).kind == "session_reuse"

    @act(turn=st.sampled_from(OFTEN))
    def time_passes(self, turn: str) -> None:
        self.turn(TURNS[turn])

    def turn(self, seconds: int) -> None:
        self.running.clock.turn(seconds=seconds)
        self.touched.update(self.everybody if seconds else ())

    # --- going ------------------------------------------------------------------------------

    def allowed(self, pair: Pair, answer: Response, status: int = 200) -> bool:
        """Whether it was done; refused if and only if the access token is not accepted."""
        self.touch(pair.owner)
        accepted = pair.is_accepted(self.now)
        assert answer.status_code == (status if accepted else 401)
        return accepted

    @act(which=anything, everywhere=st.booleans())
    def log_out(self, which: int, everywhere: bool) -> None:
        pair = self.pair(which)
        path = "/auth/logout/all" if everywhere else "/auth/logout"
        if not self.allowed(pair, self.ask("POST", path, headers=pair.headers)):
            return
        if everywhere:
            pair.owner.end_all()
        else:
            pair.owner.end([pair.session])

    @act(which=anything, another=anything)
    def end_one_session(self, which: int, another: int) -> None:
        pair, other = self.pair(which), self.pair(another)
        self.touch(other.owner)
        ours = other.session in pair.owner.live_sessions(self.now)
        path = f"/auth/sessions/{other.session.id}"
        answer = self.ask("DELETE", path, headers=pair.headers)
        if self.allowed(pair, answer, 204 if ours else 404) and ours:
            pair.owner.end([other.session])

    # --- passwords and addresses --------------------------------------------------------------

    @act(which=anything, right=st.sampled_from([True, True, False]))
    def change_password(self, which: int, right: bool) -> None:
        pair, new = self.pair(which), self.new_password()
        person = pair.owner
        self.sign_in(self.everybody[::-1].index(person), "right", "name")
        self.request_reset(person)
        current = person.passwords[-1] if right else "not the password of anybody"
        body = {"current_password": current, "new_password": new}
        answer = self.ask("POST", "/auth/password/change", headers=pair.headers, json=body)
        if self.allowed(pair, answer, 200 if right else 400) and right:
            person.passwords.append(new)
            person.end([session for session in person.sessions if session is not pair.session])
            person.void("reset")
            # A reset that was on its way must not undo the change.
            self.confirm_reset(person.one_time[-1])

    @act(
        who=anybody,
        which=anything,
        turn=st.sampled_from([0, 0, 0, 120, 31 * 60, 61 * 60]),
        off=st.sampled_from([False, False, False, True]),
    )
    def reset(self, who: int, which: int, turn: int, off: bool) -> None:
        person = self.somebody(who)
        self.request_reset(person)
        self.turn(turn)
        if off:
            self.change(person, is_active=False)
            for token in [token for token in person.one_time if token.purpose == "reset"][-1:]:
                self.confirm_reset(token)
            self.change(person, is_active=True)
        picked = self.token(which, "reset")
        if picked is not None:
            self.confirm_reset(picked)

    def request_reset(self, person: Person) -> None:
        answer = self.ask("POST", "/auth/password/reset/request", json={"email": person.email})
        assert answer.status_code == 200
        _, _, token = answer.json()["message"].partition(" (DEV ONLY): ")
        assert bool(token) == (person.active and not person.deleted)
        if token:
            person.one_time.append(OneTime(person, "reset", token, self.now + RESET_LIVES))

    def confirm_reset(self, token: OneTime) -> None:
        person, good, new = self.touch(token.owner), token.is_good(self.now), self.new_password()
        body = {"token": token.token, "new_password": new}
        answer = self.ask("POST", "/auth/password/reset/confirm", json=body)
        assert answer.status_code == (200 if good else 400)
        if good:
            person.passwords.append(new)
            person.end_all()
            person.void("reset")

    @act(which=anything, another=anything, turn=st.sampled_from([0, 0, 120, 25 * 3600]))
    def verify(self, which: int, another: int, turn: int) -> None:
        self.request_verification(self.pair(which))
        self.turn(turn)
        self.confirm_verification(another)

    def request_verification(self, pair: Pair) -> None:
        answer = self.ask("POST", "/auth/email/verification/request", headers=pair.headers)
        if not self.allowed(pair, answer) or pair.owner.verified:
            return
        _, _, token = answer.json()["message"].partition(" (DEV ONLY): ")
        kept = OneTime(pair.owner, "verification", token, self.now + VERIFICATION_LIVES)
        pair.owner.one_time.append(kept)

    def confirm_verification(self, which: int) -> None:
        token = self.token(which, "verification")
        if token is None:
            return
        person, good = self.touch(token.owner), token.is_good(self.now)
        answer = self.ask("POST", "/auth/email/verification/confirm", json={"token": token.token})
        assert answer.status_code == (200 if good else 400)
        if good:
            person.verified = True
            person.void("verification")

    @act(which=anything)
    def take_one_token_for_another(self, which: int) -> None:
        pair = self.pair(which)
        for token in self.touch(pair.owner).one_time:
            taken = token.token
            if token.purpose == "reset":
                answer = self.ask("POST", "/auth/email/verification/confirm", json={"token": taken})
            else:
                body = {"token": taken, "new_password": self.new_password()}
                answer = self.ask("POST", "/auth/password/reset/confirm", json=body)
            assert answer.status_code == 400
            headers = {"Authorization": f"Bearer {taken}"}
            assert self.ask("GET", "/auth/me", headers=headers).status_code == 401
        assert self.ask(
            "POST", "/auth/refresh", json={"refresh_token": pair.access}
        ).is_client_error
        headers = {"Authorization": f"Bearer {pair.refresh}"}
        assert self.ask("GET", "/auth/me", headers=headers).status_code == 401

    # --- administering ------------------------------------------------------------------------

    @act(who=anybody, change=st.sampled_from(["role", "role", "off", "on", "off and on", "delete"]))
    def administer(self, who: int, change: str) -> None:
        person = self.somebody(who)
        match change:
            case "role":
                self.change(person, role="user" if person.role == "admin" else "admin")
            case "off" | "on":
                self.change(person, is_active=change == "on")
                self.refresh_newest(person)
            case "off and on":
                # What was ended stays ended.
                self.change(person, is_active=False)
                self.change(person, is_active=True)
                self.refresh_newest(person)
                self.sign_in(who, "right", "name")
            case _:
                self.delete(person)

    def refresh_newest(self, person: Person) -> None:
        for pair in person.pairs[-1:]:
            self.refresh_with(pair)

    def change(self, person: Person, **changes: str | bool) -> None:
        answer = self.as_admin("PATCH", f"/users/{person.id}", json=changes)
        assert answer.status_code == (404 if person.deleted else 200)
        if person.deleted:
            return
        if "role" in changes:
            person.role = str(changes["role"])
            person.forget_access_tokens()
        elif changes["is_active"]:
            person.active = True
        elif person.active:
            person.active = False
            person.end_all()

    def delete(self, person: Person) -> None:
        answer = self.as_admin("DELETE", f"/users/{person.id}")
        assert answer.status_code == (404 if person.deleted else 204)
        person.deleted = True
        person.end_all()

    @act(which=anything, who=anybody)
    def overreach(self, which: int, who: int) -> None:
        """What only an administrator may do, tried by somebody who is none."""
        pair = self.pair(which)
        if pair.owner.role == "admin":
            return
        person = self.somebody(who)
        own, others = f"/users/{pair.owner.id}", f"/users/{person.id}"
        for method, path, body in (
            ("PATCH", own, {"role": "admin"}),
            ("PATCH", own, {"is_verified": True, "full_name": "Nobody"}),
            ("PATCH", others, {"is_active": False}),
            ("DELETE", others, None),
        ):
            answer = self.ask(method, path, headers=pair.headers, json=body)
            self.allowed(pair, answer, 403)

    # --- agreeing -----------------------------------------------------------------------------

    @rule(chosen=st.deferred(lambda: st.one_of(ACTS)))
    def somebody_acts(self, chosen: tuple[str, dict[str, Any]]) -> None:
        name, given = chosen
        getattr(self, name)(**given)

    @invariant()
    def model_and_service_agree(self) -> None:
        for person in sorted(self.touched, key=lambda person: person.id):
            # That a dead token stays dead is asked once more, at the end.
            self.agree_on(person, [pair for pair in person.pairs if not pair.seen_dead])
        self.touched.clear()

    def agree_on(self, person: Person, pairs: list[Pair]) -> None:
        listed = False
        for pair in pairs:
            me = self.ask("GET", "/auth/me", headers=pair.headers)
            if not pair.is_accepted(self.now):
                assert me.status_code == 401
                # This one reads no account, so that nothing but the revocation refuses it.
                sessions = self.ask("GET", "/auth/sessions", headers=pair.headers)
                assert sessions.status_code == 401
                pair.seen_dead = True
                continue
            assert me.status_code == 200
            user = me.json()
            assert (user["id"], user["role"]) == (person.id, person.role)
            assert (user["is_active"], user["is_verified"]) == (True, person.verified)
            if not listed:
                self.agree_on_sessions(pair)
                listed = True
        assert len(person.live_sessions(self.now)) <= SESSIONS_PER_USER

    def agree_on_sessions(self, pair: Pair) -> None:
        counted = self.ask("GET", "/users/stats/count", headers=pair.headers)
        assert counted.status_code == (200 if pair.owner.role == "admin" else 403)
        sessions = self.ask("GET", "/auth/sessions", headers=pair.headers).json()
        live = {session.id for session in pair.owner.live_sessions(self.now)}
        assert {session["id"] for session in sessions} == live
        assert [s["id"] for s in sessions if s["current"]] == [pair.session.id]

    def teardown(self) -> None:
        for who, person in enumerate(reversed(self.everybody)):
            self.agree_on(person, person.pairs)
            self.sign_in(who, "earlier", "address")
            self.sign_in(who, "right", "name")


@pytest.mark.shapes("alone-sqlite", "mounted-postgres")
@pytest.mark.watchword(
    refresh_leeway_seconds=int(LEEWAY.total_seconds()),
    sessions_per_user=SESSIONS_PER_USER,
    limit_login="off",
    limit_register="off",
    limit_password_reset="off",
    limit_verification="off",
    limit_refresh="off",
    limit_token="off",
)
def test_model_and_service_agree_on_who_may_do_what(watchword: Running) -> None:
    watchword.create(role="admin", username="overseer")
    numbers = itertools.count(1)

    class Here(WhoMayDoWhat):
        def __init__(self) -> None:
            super().__init__(watchword, numbers)

    budget = settings(max_examples=50, stateful_step_count=20)
    run_state_machine_as_test(Here, settings=budget)

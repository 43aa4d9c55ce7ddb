"""What holds for every value: names, limits, revocations, ids, problem documents."""

from __future__ import annotations

import json
import unicodedata
import uuid
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.still import StillWorld
from watchword import errors
from watchword.accounts import service as accounts
from watchword.accounts.account import NewAccount
from watchword.accounts.names import check_username, fold, login_key
from watchword.core import Core
from watchword.edge.wire import refuse
from watchword.errors import (
    InvalidInput,
    TooManyRequests,
    UsernameTaken,
    WatchwordError,
)
from watchword.limits.service import Action, Charge, Limits
from watchword.settings.schema import Settings
from watchword.testing import Running
from watchword.verify import AccessToken
from watchword.verify.revocations import Kind, Revocation, RevocationView
from watchword.world import milliseconds_of, uuid7

# --- names --------------------------------------------------------------------------------------

# Letters that fold into one another: case, width, ligatures, sharp s, dotless i, final sigma.
TRICKY = "aAªａbﬁﬀfFiIıİLlſsSßẞσςΣμµÅKkKéÉ日ひカｶА1１①²_.-+'@＠ \u0301\u0345\u200b\u00ad"
usernames = st.text(TRICKY, min_size=1, max_size=8) | st.text(min_size=3, max_size=20)


@given(st.text() | usernames)
def test_folding_twice_is_folding_once(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(usernames)
def test_a_name_that_is_accepted_is_shown_and_found_as_it_is(name: str) -> None:
    try:
        shown = check_username(name)
    except InvalidInput as error:
        assert error.errors[0]["where"] == "username"
        return
    assert check_username(shown) == shown
    assert login_key(shown) == fold(shown) == fold(name)
    assert "@" not in fold(shown)
    assert not any(unicodedata.category(c)[0] in "CZ" for c in fold(shown))


class Undone(Exception):
    """Ends a transaction without a trace."""


@pytest.mark.shapes("alone-sqlite", "alone-postgres")
def test_of_two_names_that_read_the_same_one_is_taken(watchword: Running) -> None:
    @given(usernames, st.sampled_from(["same", "upper", "NFKC", "NFD", "other"]), usernames)
    @settings(max_examples=150)
    def pairs(first: str, how: str, other: str) -> None:
        second = {
            "same": first,
            "upper": first.upper(),
            "NFKC": unicodedata.normalize("NFKC", first),
            "NFD": unicodedata.normalize("NFD", first),
            "other": other,
        }[how]
        try:
            names = [check_username(first), check_username(second)]
        except InvalidInput:
            return

        async def make_both(core: Core) -> bool:
            taken = False
            try:
                async with core.database.write() as unit:
                    await accounts.create(unit, NewAccount(names[0], "a@example.com"))
                    try:
                        await accounts.create(unit, NewAccount(names[1], "b@example.com"))
                    except UsernameTaken:
                        taken = True
                    found = await accounts.find_by_login(unit, names[1])
                    assert found is not None
                    assert (found.username == names[1]) or taken
                    raise Undone
            except Undone:
                return taken

        assert watchword.call(make_both) == (fold(names[0]) == fold(names[1]))

    pairs()


# --- limits -------------------------------------------------------------------------------------

WINDOW = 60


@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(
            st.sampled_from(["try", "try", "try", "refund"]),
            st.sets(st.sampled_from(["ann", "bob", "network"]), min_size=1),
            st.sampled_from([0, 0, 1, 7, 30, 59, 60, 61]),
        ),
        max_size=60,
    ),
)
def test_a_limit_lets_through_exactly_its_number_in_any_window(
    most: int, steps: list[tuple[str, set[str], int]]
) -> None:
    world = StillWorld()
    limits = Limits(Settings(limit_login=f"{most}/{WINDOW}"), world)
    held: list[tuple[Charge, set[str]]] = []
    for what, whos, pause in steps:
        world.clock.turn(seconds=pause)
        if what == "refund":
            if held:
                limits.refund(held.pop()[0])
            continue
        if pause == 61:
            limits.forget_idle()

        def recent(who: str) -> int:
            since = world.timestamp() - WINDOW
            return sum(who in others and charge.at > since for charge, others in held)

        may = all(recent(who) < most for who in whos)
        try:
            held.append((limits.charge(Action.LOGIN, sorted(whos)), whos))
        except TooManyRequests as refusal:
            assert not may
            # Who waits as long as was said is let in.
            assert 1 <= int(refusal.headers["Retry-After"]) <= WINDOW + 1
        else:
            assert may


# --- revocations --------------------------------------------------------------------------------

SESSIONS = [uuid7(1000 * begun, bytes([begun] * 10)) for begun in range(1, 5)]

revocations = st.one_of(
    st.builds(
        Revocation,
        st.just(Kind.SESSION),
        st.sampled_from([str(sid) for sid in SESSIONS]),
        st.just(0),
        st.floats(1, 100),
    ),
    st.builds(
        Revocation,
        st.just(Kind.USER),
        st.sampled_from(["1", "2"]),
        st.integers(1, 4),
        st.floats(1, 100),
    ),
    st.builds(
        Revocation,
        st.just(Kind.EVERYONE),
        st.just(""),
        st.integers(0, 5000),
        st.floats(1, 100),
    ),
)


def tokens() -> list[AccessToken]:
    return [
        AccessToken(
            "iss", "aud", user, "c", frozenset(), 0, 9, "jti", str(sid), 0, (), "user", True, epoch
        )
        for user in ("1", "2")
        for sid in SESSIONS
        for epoch in range(5)
    ]


def answers(entries: list[Revocation], now: float | None = None) -> list[bool]:
    view = RevocationView()
    for entry in entries:
        view.apply(entry)
    if now is not None:
        view.forget_expired(now)
    return [view.is_revoked(token) for token in tokens()]


@given(st.lists(revocations, max_size=8), st.randoms(use_true_random=False), st.floats(0, 101))
def test_revocations_in_any_order_and_more_than_once_end_the_same_tokens(
    entries: list[Revocation], chance: Random, now: float
) -> None:
    shuffled = entries + [entry for entry in entries if chance.random() < 0.5]
    chance.shuffle(shuffled)
    expected = [
        any(
            (entry.kind is Kind.SESSION and entry.subject == token.session_id)
            or (
                (entry.kind is Kind.USER and entry.subject == token.subject)
                and token.epoch < entry.bound
            )
            or (
                (entry.kind is Kind.EVERYONE)
                and milliseconds_of(uuid.UUID(token.session_id)) <= entry.bound
            )
            for entry in entries
        )
        for token in tokens()
    ]
    assert answers(entries) == answers(shuffled) == expected
    assert answers(entries, now) == answers(shuffled, now)
    # An entry that has not expired ends what it ends, whatever is forgotten beside it.
    live = answers([entry for entry in entries if entry.expires_at > now])
    assert all(
        after or not before for before, after in zip(live, answers(entries, now), strict=True)
    )


# --- ids ----------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))))
def test_ids_sort_by_their_time_and_say_it(made: list[tuple[int, bytes]]) -> None:
    for milliseconds, chance in made:
        made_id = uuid7(milliseconds, chance)
        assert milliseconds_of(made_id) == milliseconds
        assert made_id.version == 7
        assert made_id.variant == uuid.RFC_4122
    for (earlier, first), (later, second) in pairwise(sorted(made)):
        if earlier < later:
            assert uuid7(earlier, first) < uuid7(later, second)
            assert str(uuid7(earlier, first)) < str(uuid7(later, second))


# --- problem documents --------------------------------------------------------------------------


def kinds() -> list[type[WatchwordError]]:
    # Those that reach the wire; a command's own never do, and whether they are loaded is chance.
    every = vars(errors).values()
    return [kind for kind in every if isinstance(kind, type) and issubclass(kind, WatchwordError)]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
@given(sentence=st.text(st.characters(), min_size=1))
@settings(max_examples=20)
def test_every_refusal_is_a_problem_document_that_keeps_its_detail_to_itself(
    kind: type[WatchwordError], sentence: str
) -> None:
    private = "for the log alone"
    if issubclass(kind, InvalidInput):
        error: WatchwordError = kind(where="field", what=sentence, detail=private)
    elif issubclass(kind, TooManyRequests):
        error = kind(retry_after=5, detail=private)
    else:
        error = kind(sentence, detail=private)
    answer = refuse(error)
    body = json.loads(bytes(answer.body))
    assert answer.status_code == body["status"] == kind.status >= 400
    assert body["type"] == f"urn:watchword:{kind.code}"
    assert body["title"] == kind.title
    assert body["detail"] == error.sentence
    assert private not in bytes(answer.body).decode()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert (kind.status == 422) == ("errors" in body)
    assert (kind.status != 401) or answer.headers["www-authenticate"].startswith("Bearer")
    assert kind.status not in {429, 503} or int(answer.headers["retry-after"]) > 0


def test_a_session_started_a_moment_after_everyone_was_signed_out_goes_on() -> None:
    """The bound is the moment itself: whoever signs in afterwards is not sent away."""
    world = StillWorld()
    bound = int(world.timestamp() * 1000)
    view = RevocationView()
    ends = (world.now() + timedelta(hours=1)).timestamp()
    view.apply(Revocation(Kind.EVERYONE, "", bound, ends))
    before, after = uuid7(bound, bytes(10)), uuid7(bound + 1, bytes(10))
    ended = {str(sid): view.is_revoked(_token_of(sid)) for sid in (before, after)}
    assert ended == {str(before): True, str(after): False}


def _token_of(session: uuid.UUID) -> AccessToken:
    return AccessToken(
        "iss", "aud", "1", "c", frozenset(), 0, 9, "jti", str(session), 0, (), "user", True, 1
    )

"""Much of what is cheap to send: mail to strangers, names to remember, passwords to fold."""

from __future__ import annotations

from time import perf_counter

import pytest

from tests.contract.problems import assert_problem
from watchword.core import Core
from watchword.errors import PasswordRefused
from watchword.limits.service import Action
from watchword.passwords.policy import MAX_CHARACTERS, check_password
from watchword.secret import Secret
from watchword.testing import Running
from watchword.testing.running import PASSWORD

pytestmark = pytest.mark.shapes("alone-sqlite")


def test_nobody_is_sent_mail_without_end_by_who_claims_his_address(watchword: Running) -> None:
    someone = watchword.login_as()
    path = f"{watchword.prefix}/users/{someone.id}"
    for n in range(5):
        someone.patch(path, json={"email": f"stranger{n}@example.com"}).raise_for_status()
    refused = someone.patch(path, json={"email": "stranger5@example.com", "full_name": "Late"})
    assert_problem(refused, 429)
    assert int(refused.headers["Retry-After"]) > 3000
    assert len([mail for mail in watchword.mailbox if mail.kind == "email_change"]) == 5
    assert someone.get(path).json()["full_name"] is None
    # Another account of the same network sends none either.
    other = watchword.login_as()
    again = other.patch(f"{watchword.prefix}/users/{other.id}", json={"email": "s6@example.com"})
    assert_problem(again, 429)
    watchword.clock.turn(hours=2)
    fresh = watchword.sign_in(someone.user["username"])
    fresh.patch(path, json={"email": "stranger6@example.com"}).raise_for_status()


def test_a_change_of_address_does_not_tell_thousands_of_times_who_has_an_account(
    watchword: Running,
) -> None:
    guesser = watchword.login_as()
    for n in range(6):
        watchword.create(username=f"known{n}")
    path = f"{watchword.prefix}/users/{guesser.id}"
    answers = [
        guesser.patch(path, json={"email": f"known{n}@example.com"}).status_code for n in range(6)
    ]
    assert answers == [409] * 5 + [429]


@pytest.mark.watchword(limit_register="5/3600")
def test_a_change_of_username_does_not_tell_thousands_of_times_which_are_taken(
    watchword: Running,
) -> None:
    guesser = watchword.login_as()
    for n in range(6):
        watchword.create(username=f"known{n}")
    path = f"{watchword.prefix}/users/{guesser.id}"
    answers = [guesser.patch(path, json={"username": f"Known{n}"}).status_code for n in range(6)]
    assert answers == [409] * 5 + [429]


def test_many_accounts_of_one_network_have_one_share_of_the_hash_queue(
    watchword: Running,
) -> None:
    body = {"current_password": "not-this-one", "new_password": "quiet-lantern-by-the-sea"}
    path = f"{watchword.prefix}/auth/password/change"
    people = [watchword.login_as() for _ in range(6)]
    answers = [one.post(path, json=body).status_code for one in people]
    assert answers == [400] * 5 + [429]
    # What they did wrong keeps nobody of that network from signing in.
    assert watchword.sign_in(people[0].user["username"], PASSWORD).id == people[0].id


def test_a_full_table_of_names_makes_the_next_try_no_dearer(watchword: Running) -> None:
    async def fill(core: Core) -> tuple[float, float]:
        def seconds(first: int, count: int) -> float:
            began = perf_counter()
            for n in range(first, first + count):
                core.limits.charge(Action.PASSWORD_RESET, [f"address:{n}"])
            return (perf_counter() - began) / count

        return seconds(0, 100_000), seconds(100_000, 100)

    filling, full = watchword.call(fill)
    # A sweep of the whole table is some ten thousand times what one try costs.
    assert full < 200 * filling


def test_a_password_that_unfolds_to_eighteen_times_its_length_is_refused_unread(
    watchword: Running,
) -> None:
    settings = watchword.auth.settings
    longest = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * MAX_CHARACTERS
    with pytest.raises(PasswordRefused, match=f"{MAX_CHARACTERS} characters at most"):
        check_password(Secret(longest), settings, ())
    check_password(Secret(longest[: MAX_CHARACTERS // 18]), settings, ())

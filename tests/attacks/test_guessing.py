"""Guessing passwords and tokens, flooding mailboxes: how many tries one gets, and from where."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from httpx2 import Response

from tests.contract.problems import assert_problem
from watchword.testing import Running
from watchword.testing.running import PASSWORD

NEW = "quiet-lantern-by-the-sea"


def login(running: Running, name: str, password: str, address: str = "127.0.0.1") -> Response:
    return running.client.post(
        f"{running.prefix}/auth/login",
        json={"username": name, "password": password},
        headers={"X-Forwarded-For": address},
    )


@pytest.mark.shapes("mounted-sqlite")
def test_the_sixth_wrong_password_is_429_and_success_is_not_counted(watchword: Running) -> None:
    name = watchword.create()
    for _ in range(12):
        assert login(watchword, name, PASSWORD).status_code == 200
    for _ in range(4):
        assert login(watchword, name, "wrong").status_code == 401
    assert login(watchword, name, PASSWORD).status_code == 200
    assert login(watchword, name, "wrong").status_code == 401
    limited = login(watchword, name, "wrong")
    wait = int(limited.headers["retry-after"])
    assert_problem(limited, 429, f"Too many attempts. Try again in {wait} seconds.")
    assert 0 < wait <= 61
    # Right or wrong no longer matters, or the limit would tell which it was.
    assert login(watchword, name, PASSWORD).status_code == 429
    form = {"username": name, "password": PASSWORD}
    by_form = watchword.client.post(f"{watchword.prefix}/auth/login/form", data=form)
    assert_problem(by_form, 429)
    watchword.clock.turn(seconds=wait)
    assert login(watchword, name, PASSWORD).status_code == 200


@pytest.mark.shapes("mounted-sqlite", "mounted-postgres")
def test_of_a_hundred_guesses_at_once_five_get_through(watchword: Running) -> None:
    name = watchword.create()
    with ThreadPoolExecutor(20) as pool:
        guesses = pool.map(lambda n: login(watchword, name, f"guess-{n}"), range(100))
        statuses = sorted(answer.status_code for answer in guesses)
    assert statuses == [401] * 5 + [429] * 95


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(trusted_proxies=("127.0.0.1",))
def test_guesses_from_everywhere_at_one_account_are_one_count_by_whatever_name(
    watchword: Running,
) -> None:
    person = watchword.create(username="Victim", email="other.name@example.com")
    names = (person, "VICTIM", "Ｖictim", "other.name@example.com", "OTHER.NAME@example.com")
    tries = [login(watchword, names[n % 5], "wrong", f"198.51.100.{n}") for n in range(6)]
    assert [answer.status_code for answer in tries] == [401] * 5 + [429]


@pytest.mark.shapes("mounted-sqlite")
def test_one_password_tried_on_many_names_is_counted_by_network(watchword: Running) -> None:
    names = [watchword.create() for _ in range(6)]
    statuses = [login(watchword, name, "wrong").status_code for name in names]
    assert statuses == [401] * 5 + [429]


@pytest.mark.shapes("mounted-sqlite")
def test_a_stolen_access_token_does_not_guess_the_password(watchword: Running) -> None:
    person = watchword.login_as()
    change = {"current_password": "wrong", "new_password": NEW}
    path = f"{watchword.prefix}/auth/password/change"
    for _ in range(5):
        assert_problem(person.post(path, json=change), 400)
    assert_problem(person.post(path, json=change), 429)
    right = {"current_password": PASSWORD, "new_password": NEW}
    assert_problem(person.post(path, json=right), 429)
    watchword.clock.turn(seconds=61)
    assert person.post(path, json=right).status_code == 200


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(trusted_proxies=("127.0.0.1",))
def test_nobodys_mailbox_is_flooded_with_resets(watchword: Running) -> None:
    watchword.create(username="victim", email="victim@example.com")
    path = f"{watchword.prefix}/auth/password/reset/request"

    def ask(email: str, address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return watchword.client.post(path, json={"email": email}, headers=headers).status_code

    spelt = ("victim@example.com", "VICTIM@example.com", "victim@EXAMPLE.COM")
    asked = [ask(spelt[n % 3], f"198.51.100.{n}") for n in range(7)]
    assert asked == [200] * 5 + [429] * 2
    assert len([mail for mail in watchword.mailbox if mail.kind == "password_reset"]) == 5
    # And one network can't flood five hundred mailboxes.
    asked = [ask(f"other{n}@example.com", "203.0.113.1") for n in range(6)]
    assert asked == [200] * 5 + [429]
    watchword.clock.turn(seconds=3601)
    assert ask("victim@example.com", "203.0.113.1") == 200


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(limit_register="3/3600", limit_refresh="4/60", limit_verification="2/3600")
def test_registrations_refreshes_verifications_and_one_time_tokens_have_limits(
    watchword: Running,
) -> None:
    at = watchword.prefix
    for n in range(4):
        body = {"username": f"new{n}", "email": f"new{n}@example.com", "password": PASSWORD}
        answer = watchword.client.post(f"{at}/auth/register", json=body)
        assert answer.status_code == (201 if n < 3 else 429)
    assert_problem(answer, 429)

    person = watchword.sign_in("new0")
    refresh = {"refresh_token": person.refresh_token}
    for _ in range(6):
        pair = watchword.client.post(f"{at}/auth/refresh", json=refresh)
        assert pair.status_code == 200, "good ones are not counted"
        refresh = {"refresh_token": pair.json()["refresh_token"]}
    for n in range(5):
        answer = watchword.client.post(f"{at}/auth/refresh", json={"refresh_token": f"guess{n}"})
        assert answer.status_code == (401 if n < 4 else 429)
    assert_problem(watchword.client.post(f"{at}/auth/refresh", json=refresh), 429)

    for n in range(3):
        answer = person.post(f"{at}/auth/email/verification/request")
        assert answer.status_code == (200 if n < 2 else 429)
    assert_problem(answer, 429)

    for n in range(20):
        path = "/auth/password/reset/confirm" if n % 2 else "/auth/email/verification/confirm"
        body = {"token": f"wwv_guess{n}", "new_password": NEW}
        assert_problem(watchword.client.post(at + path, json=body), 400)
    for path in ("/auth/password/reset/confirm", "/auth/email/verification/confirm"):
        assert_problem(watchword.client.post(at + path, json=body), 429)
    watchword.clock.turn(seconds=61)
    token = {"token": watchword.mailbox.last(to="new0@example.com", kind="verification").token}
    assert watchword.client.post(f"{at}/auth/email/verification/confirm", json=token).is_success

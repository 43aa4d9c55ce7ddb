"""Many at once: what may happen once happens once, and nobody gets a 5xx for being second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from httpx2 import Response

from tests.contract.problems import assert_problem
from tests.contract.records import count, events, rows
from watchword.accounts._tables import users
from watchword.audit.events import Event
from watchword.sessions._tables import sessions
from watchword.testing import Running
from watchword.testing.running import PASSWORD

# The database decides races, not the host: each database once, alone and mounted in turn.
pytestmark = [
    pytest.mark.shapes("mounted-sqlite", "alone-postgres"),
    pytest.mark.watchword(
        limit_register="off", limit_login="off", limit_refresh="off", limit_token="off"
    ),
]

NEW = "quiet-lantern-by-the-sea"


def at_once(works: Sequence[Callable[[], Response]]) -> list[Response]:
    """Send them all from threads that start together; every answer, and none of them a 5xx."""
    together = Barrier(len(works))

    def send(work: Callable[[], Response]) -> Response:
        together.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        answers = list(pool.map(send, works))
    for answer in answers:
        assert answer.status_code < 500, answer.text
    return answers


def statuses(answers: Sequence[Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_twenty_registrations_of_one_name_make_one_account(watchword: Running) -> None:
    def register(n: int) -> Callable[[], Response]:
        name = ("Twin", "TWIN", "ｔｗｉｎ", "twin")[n % 4]
        body = {"username": name, "email": f"twin{n}@example.com", "password": PASSWORD}
        return lambda: watchword.client.post(f"{watchword.prefix}/auth/register", json=body)

    answers = at_once([register(n) for n in range(20)])
    assert statuses(answers) == {201: 1, 409: 19}
    assert {a.json()["detail"] for a in answers if a.status_code == 409} == {
        "Username already registered"
    }
    assert count(watchword, users) == 1
    assert len(watchword.mailbox) == 1


def test_twenty_registrations_of_one_address_make_one_account(watchword: Running) -> None:
    def register(n: int) -> Callable[[], Response]:
        body = {"username": f"twin{n}", "email": "Twin@example.com", "password": PASSWORD}
        return lambda: watchword.client.post(f"{watchword.prefix}/auth/register", json=body)

    answers = at_once([register(n) for n in range(20)])
    assert statuses(answers) == {201: 1, 409: 19}
    assert {a.json()["detail"] for a in answers if a.status_code == 409} == {
        "Email already registered"
    }


def test_twenty_refreshes_with_one_token_leave_one_session_with_one_successor(
    watchword: Running,
) -> None:
    person = watchword.login_as()
    path = f"{watchword.prefix}/auth/refresh"

    def turn(token: str) -> list[Response]:
        body = {"refresh_token": token}
        return at_once([lambda: watchword.client.post(path, json=body)] * 20)

    token = person.refresh_token
    for generation in (1, 2):
        answers = turn(token)
        assert statuses(answers) == {200: 20}
        successors = {answer.json()["refresh_token"] for answer in answers}
        assert len(successors) == 1
        (token,) = successors
        (row,) = rows(watchword, sessions)
        assert (row.generation, row.ended_at) == (generation, None)
    assert not events(watchword, Event.SESSION_REUSED)


@pytest.mark.watchword(refresh_leeway_seconds=0)
def test_without_a_leeway_twenty_refreshes_end_the_session_and_tell_once(
    watchword: Running,
) -> None:
    body = {"refresh_token": watchword.login_as().refresh_token}
    path = f"{watchword.prefix}/auth/refresh"
    answers = at_once([lambda: watchword.client.post(path, json=body)] * 20)
    assert statuses(answers) == {200: 1, 401: 19}
    (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
    body = {"refresh_token": winner["refresh_token"]}
    assert_problem(watchword.client.post(path, json=body), 401)
    assert len([mail for mail in watchword.mailbox if mail.kind == "session_reuse"]) == 1


def test_twenty_confirmations_of_one_reset_change_the_password_once(watchword: Running) -> None:
    person = watchword.login_as()
    at, email = watchword.prefix, person.user["email"]
    watchword.client.post(f"{at}/auth/password/reset/request", json={"email": email})
    token = watchword.mailbox.last(kind="password_reset").token

    def confirm(n: int) -> Callable[[], Response]:
        body = {"token": token, "new_password": f"{NEW}-{n}"}
        return lambda: watchword.client.post(f"{at}/auth/password/reset/confirm", json=body)

    answers = at_once([confirm(n) for n in range(20)])
    assert statuses(answers) == {200: 1, 400: 19}
    won = [answer.status_code for answer in answers].index(200)
    for n in range(20):
        body = {"username": email, "password": f"{NEW}-{n}"}
        answer = watchword.client.post(f"{at}/auth/login", json=body)
        assert answer.status_code == (200 if n == won else 401)
    assert len(events(watchword, Event.PASSWORD_RESET)) == 1
    assert len([mail for mail in watchword.mailbox if mail.kind == "password_changed"]) == 1


def test_twenty_confirmations_of_one_address_verify_it_once(watchword: Running) -> None:
    person = watchword.login_as(verified=False)
    person.post(f"{watchword.prefix}/auth/email/verification/request")
    body = {"token": watchword.mailbox.last(kind="verification").token}
    path = f"{watchword.prefix}/auth/email/verification/confirm"
    answers = at_once([lambda: watchword.client.post(path, json=body)] * 20)
    assert statuses(answers) == {200: 1, 400: 19}
    assert len(events(watchword, Event.EMAIL_VERIFIED)) == 1


def test_ten_people_who_take_one_name_at_once_are_nine_conflicts(watchword: Running) -> None:
    people = [watchword.login_as() for _ in range(10)]
    answers = at_once(
        [
            lambda p=p: p.patch(  # type: ignore[misc]
                f"{watchword.prefix}/users/{p.id}", json={"username": "Wanted"}
            )
            for p in people
        ]
    )
    assert statuses(answers) == {200: 1, 409: 9}
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "Username already registered")
    assert [row.username for row in rows(watchword, users)].count("Wanted") == 1


def test_no_sign_in_with_the_old_password_survives_its_change(watchword: Running) -> None:
    at = watchword.prefix
    person = watchword.login_as()
    name, old = person.user["username"], PASSWORD
    for n in range(4):
        new = f"{NEW}-{n}"
        login = {"username": name, "password": old}
        change = {"current_password": old, "new_password": new}
        *logins, changed = at_once(
            [
                *[lambda b=login: watchword.client.post(f"{at}/auth/login", json=b)] * 8,
                lambda b=change: person.post(f"{at}/auth/password/change", json=b),  # type: ignore[misc]
            ]
        )
        assert changed.status_code == 200
        for answer in logins:
            assert answer.status_code in (200, 401)
            if answer.status_code == 200:
                pair = answer.json()
                bearer = {"Authorization": f"Bearer {pair['access_token']}"}
                assert_problem(watchword.client.get(f"{at}/auth/me", headers=bearer), 401)
                body = {"refresh_token": pair["refresh_token"]}
                assert_problem(watchword.client.post(f"{at}/auth/refresh", json=body), 401)
        assert person.get(f"{at}/auth/me").status_code == 200
        listed = person.get(f"{at}/auth/sessions").json()
        assert [session["current"] for session in listed] == [True]
        old = new


def test_no_sign_in_survives_the_deactivation_or_deletion_it_races(watchword: Running) -> None:
    at = watchword.prefix
    admin = watchword.login_as(role="admin")
    for gone in (False, True):
        person = watchword.login_as()
        theirs = f"{at}/users/{person.id}"
        login = {"username": person.user["username"], "password": PASSWORD}
        refresh = {"refresh_token": person.refresh_token}

        def end(path: str = theirs, gone: bool = gone) -> Response:
            return admin.delete(path) if gone else admin.patch(path, json={"is_active": False})

        *others, ended = at_once(
            [
                *[lambda b=login: watchword.client.post(f"{at}/auth/login", json=b)] * 6,
                *[lambda b=refresh: watchword.client.post(f"{at}/auth/refresh", json=b)] * 2,
                end,
            ]
        )
        assert ended.is_success
        for answer in others:
            assert answer.status_code in (200, 401, 403)
            if answer.status_code == 200:
                pair = answer.json()
                bearer = {"Authorization": f"Bearer {pair['access_token']}"}
                assert_problem(watchword.client.get(f"{at}/auth/me", headers=bearer), 401)
                body = {"refresh_token": pair["refresh_token"]}
                assert watchword.client.post(f"{at}/auth/refresh", json=body).is_client_error


def test_no_refresh_survives_the_logout_it_races(watchword: Running) -> None:
    at = watchword.prefix
    for _ in range(4):
        person = watchword.login_as()
        body = {"refresh_token": person.refresh_token}
        *turned, out = at_once(
            [
                *[lambda b=body: watchword.client.post(f"{at}/auth/refresh", json=b)] * 5,
                lambda p=person: p.post(f"{at}/auth/logout"),  # type: ignore[misc]
            ]
        )
        assert out.status_code == 200
        for answer in turned:
            if answer.status_code == 200:
                bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
                assert_problem(watchword.client.get(f"{at}/auth/me", headers=bearer), 401)
                body = {"refresh_token": answer.json()["refresh_token"]}
                assert_problem(watchword.client.post(f"{at}/auth/refresh", json=body), 401)


def test_two_administrators_who_remove_each_other_at_once_leave_one(watchword: Running) -> None:
    at = watchword.prefix
    first = watchword.login_as(role="admin")
    for n in range(5):
        second = watchword.login_as(role="admin")
        pair = (first, second)

        def remove(mine: int, n: int = n) -> Callable[[], Response]:
            admin, other = pair[mine], pair[1 - mine]  # noqa: B023 - sent before the next round
            path = f"{at}/users/{other.id}"
            if n % 3 == 0:
                return lambda: admin.patch(path, json={"role": "user"})
            if n % 3 == 1:
                return lambda: admin.patch(path, json={"is_active": False})
            return lambda: admin.delete(path)

        answers = at_once([remove(0), remove(1)])
        assert sum(answer.is_success for answer in answers) == 1
        assert {a.status_code for a in answers if a.is_client_error} <= {401, 403, 404, 409}
        left = [row.id for row in rows(watchword, users) if row.role == "admin" and row.is_active]
        assert len(left) == 1
        first = next(admin for admin in pair if admin.id == left[0])
        assert first.get(f"{at}/users/stats/count").status_code == 200


def test_one_of_two_changes_of_a_password_at_once_wins(watchword: Running) -> None:
    person = watchword.login_as()
    path = f"{watchword.prefix}/auth/password/change"

    def change(n: int) -> Callable[[], Response]:
        body = {"current_password": PASSWORD, "new_password": f"{NEW}-{n}"}
        return lambda: person.post(path, json=body)

    answers = at_once([change(n) for n in range(8)])
    assert statuses(answers) == {200: 1, 400: 7}
    won = [answer.status_code for answer in answers].index(200)
    assert watchword.sign_in(person.user["username"], f"{NEW}-{won}")

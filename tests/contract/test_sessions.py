"""Where one is signed in, and every way that a sign-in ends."""

from __future__ import annotations

import uuid

import pytest

from tests.contract.problems import assert_problem
from tests.contract.records import events
from watchword.audit.events import Event
from watchword.testing import Running, SignedIn
from watchword.testing.running import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def refresh(running: Running, token: str) -> int:
    body = {"refresh_token": token}
    return running.client.post(f"{running.prefix}/auth/refresh", json=body).status_code


def is_signed_in(running: Running, person: SignedIn) -> bool:
    """Whether the access token still works; asked of the route that reads no row as well."""
    me = person.get(f"{running.prefix}/auth/me").status_code
    listed = person.get(f"{running.prefix}/auth/sessions").status_code
    assert me == listed or me == 403
    return me == 200


def test_the_list_tells_device_address_and_which_session_asks(watchword: Running) -> None:
    here = watchword.login_as()
    there = watchword.client.post(
        f"{watchword.prefix}/auth/login",
        json={"username": here.user["username"], "password": PASSWORD},
        headers={"User-Agent": FIREFOX},
    ).json()
    watchword.login_as()
    listed = here.get(f"{watchword.prefix}/auth/sessions").json()
    assert [session["current"] for session in listed] == [False, True]
    assert set(listed[0]) == {
        "id",
        "device",
        "address",
        "created_at",
        "last_seen",
        "expires_at",
        "current",
    }
    assert (listed[0]["device"], listed[0]["address"]) == (FIREFOX, "127.0.0.1")
    watchword.clock.turn(minutes=5)
    assert refresh(watchword, there["refresh_token"]) == 200
    again = here.get(f"{watchword.prefix}/auth/sessions").json()
    assert again[0]["last_seen"] > listed[0]["last_seen"]
    assert again[0]["created_at"] == listed[0]["created_at"]
    assert again[1] == listed[1]


def test_a_session_is_ended_from_another_one_by_its_owner_alone(watchword: Running) -> None:
    here = watchword.login_as()
    there = watchword.sign_in(here.user["username"])
    stranger = watchword.login_as()
    sessions = f"{watchword.prefix}/auth/sessions"
    listed = here.get(sessions).json()
    theirs = next(session["id"] for session in listed if not session["current"])
    assert_problem(stranger.delete(f"{sessions}/{theirs}"), 404, "Session not found")
    assert is_signed_in(watchword, there)
    assert here.delete(f"{sessions}/{theirs}").status_code == 204
    assert not is_signed_in(watchword, there)
    assert refresh(watchword, there.refresh_token) == 401
    assert is_signed_in(watchword, here)
    assert_problem(here.delete(f"{sessions}/{theirs}"), 404, "Session not found")
    assert_problem(here.delete(f"{sessions}/{uuid.uuid4()}"), 404, "Session not found")
    assert_problem(here.delete(f"{sessions}/none"), 422)
    assert_problem(watchword.client.delete(f"{sessions}/{theirs}"), 401)


def test_logout_ends_this_session_and_logout_everywhere_all(watchword: Running) -> None:
    first = watchword.login_as()
    second, third = (watchword.sign_in(first.user["username"]) for _ in range(2))
    out = first.post(f"{watchword.prefix}/auth/logout")
    assert out.json() == {"message": "Successfully logged out", "success": True}
    assert not is_signed_in(watchword, first)
    assert refresh(watchword, first.refresh_token) == 401
    assert_problem(first.post(f"{watchword.prefix}/auth/logout"), 401)
    assert is_signed_in(watchword, second)

    out = second.post(f"{watchword.prefix}/auth/logout/all")
    assert out.json()["message"] == "Signed out everywhere: 2 sessions ended"
    for person in (second, third):
        assert not is_signed_in(watchword, person)
        assert refresh(watchword, person.refresh_token) == 401
    assert is_signed_in(watchword, watchword.sign_in(first.user["username"]))


def test_a_change_of_role_refuses_the_old_token_and_the_next_one_tells_the_new_role(
    watchword: Running,
) -> None:
    admin, person = watchword.login_as(role="admin"), watchword.login_as()
    change = admin.patch(f"{watchword.prefix}/users/{person.id}", json={"role": "admin"})
    assert change.json()["role"] == "admin"
    assert not is_signed_in(watchword, person)
    body = {"refresh_token": person.refresh_token}
    pair = watchword.client.post(f"{watchword.prefix}/auth/refresh", json=body).json()
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    assert watchword.client.get(f"{watchword.prefix}/users/stats/count", headers=bearer).is_success
    demote = admin.patch(f"{watchword.prefix}/users/{person.id}", json={"role": "guest"})
    assert demote.json()["role"] == "guest"
    answer = watchword.client.get(f"{watchword.prefix}/users/stats/count", headers=bearer)
    assert_problem(answer, 401)


def test_deactivation_ends_everything_and_reactivation_revives_nothing(watchword: Running) -> None:
    admin, person = watchword.login_as(role="admin"), watchword.login_as()
    theirs = f"{watchword.prefix}/users/{person.id}"
    assert admin.patch(theirs, json={"is_active": False}).json()["is_active"] is False
    assert not is_signed_in(watchword, person)
    body = {"refresh_token": person.refresh_token}
    refused = watchword.client.post(f"{watchword.prefix}/auth/refresh", json=body)
    assert_problem(refused, 403, "Inactive user")
    assert admin.patch(theirs, json={"is_active": True}).json()["is_active"] is True
    assert not is_signed_in(watchword, person)
    assert refresh(watchword, person.refresh_token) == 401
    assert is_signed_in(watchword, watchword.sign_in(person.user["username"]))


@pytest.mark.shapes("mounted-sqlite")
def test_a_session_ends_of_disuse(watchword: Running) -> None:
    person = watchword.login_as()
    watchword.clock.turn(days=6, hours=23)
    body = {"refresh_token": person.refresh_token}
    pair = watchword.client.post(f"{watchword.prefix}/auth/refresh", json=body).json()
    watchword.clock.turn(days=6, hours=23)
    body = {"refresh_token": pair["refresh_token"]}
    pair = watchword.client.post(f"{watchword.prefix}/auth/refresh", json=body).json()
    watchword.clock.turn(days=7, seconds=1)
    assert refresh(watchword, pair["refresh_token"]) == 401
    fresh = watchword.sign_in(person.user["username"])
    assert len(fresh.get(f"{watchword.prefix}/auth/sessions").json()) == 1
    assert not [mail for mail in watchword.mailbox if mail.kind == "session_reuse"]


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(session_max_days=3, refresh_token_expire_days=2)
def test_a_session_ends_of_age_however_much_it_is_used(watchword: Running) -> None:
    token = watchword.login_as().refresh_token
    for _ in range(2):
        watchword.clock.turn(hours=35)
        body = {"refresh_token": token}
        answer = watchword.client.post(f"{watchword.prefix}/auth/refresh", json=body)
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]
    watchword.clock.turn(hours=3)
    assert refresh(watchword, token) == 401


@pytest.mark.watchword(sessions_per_user=3)
def test_one_session_too_many_ends_the_one_used_longest_ago(watchword: Running) -> None:
    name = watchword.create()
    people = []
    for _ in range(3):
        people.append(watchword.sign_in(name))
        watchword.clock.turn(seconds=1)
    assert refresh(watchword, people[0].refresh_token) == 200
    last = watchword.sign_in(name)
    assert not is_signed_in(watchword, people[1])
    for person in (people[0], people[2], last):
        assert is_signed_in(watchword, person)
    ended = events(watchword, Event.SESSION_ENDED)
    assert [row.facts["reason"] for row in ended] == ["too many sessions"]

"""Refresh: rotation, the leeway, and what reuse means (RFC 9700, section 4.14)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.problems import assert_problem
from tests.contract.records import events, rows
from watchword.audit.events import Event
from watchword.sessions._tables import sessions
from watchword.testing import Running


def refresh(running: Running, token: str) -> dict[str, Any]:
    body = {"refresh_token": token}
    answer = running.client.post(f"{running.prefix}/auth/refresh", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    pair: dict[str, Any] = answer.json()
    return pair


def refuse(running: Running, token: str) -> None:
    body = {"refresh_token": token}
    answer = running.client.post(f"{running.prefix}/auth/refresh", json=body)
    assert_problem(answer, 401, "Invalid or expired refresh token. Sign in again.")


def test_each_refresh_replaces_the_token_and_keeps_the_session(watchword: Running) -> None:
    person = watchword.login_as()
    tokens = [person.refresh_token]
    for _ in range(3):
        pair = refresh(watchword, tokens[-1])
        assert set(pair) == {"access_token", "refresh_token", "token_type", "expires_in"}
        tokens.append(pair["refresh_token"])
    assert len(set(tokens)) == 4
    assert person.get(f"{watchword.prefix}/auth/me").status_code == 200, "it lives to its end"
    assert len(rows(watchword, sessions)) == 1


def test_within_the_leeway_the_same_successor_comes_again(watchword: Running) -> None:
    person = watchword.login_as()
    first = refresh(watchword, person.refresh_token)["refresh_token"]
    watchword.clock.turn(seconds=8)
    assert refresh(watchword, person.refresh_token)["refresh_token"] == first
    # It counts from the rotation: asking again does not prolong it.
    watchword.clock.turn(seconds=3)
    refuse(watchword, person.refresh_token)
    refuse(watchword, first)


def test_reuse_after_the_leeway_ends_the_session_and_tells_its_owner(watchword: Running) -> None:
    person = watchword.login_as()
    elsewhere = watchword.sign_in(person.user["username"])
    stolen = person.refresh_token
    pair = refresh(watchword, stolen)
    watchword.clock.turn(seconds=11)
    refuse(watchword, stolen)
    refuse(watchword, pair["refresh_token"])
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    for headers in (bearer, person.headers):
        assert_problem(watchword.client.get(f"{watchword.prefix}/auth/me", headers=headers), 401)
    assert elsewhere.get(f"{watchword.prefix}/auth/me").status_code == 200
    mail = watchword.mailbox.last(to=person.user["email"], kind="session_reuse")
    assert "127.0.0.1" in mail.text
    told = events(watchword, Event.SESSION_REUSED)
    assert [row.user_id for row in told] == [person.id]
    refuse(watchword, stolen)
    assert len(events(watchword, Event.SESSION_REUSED)) == 1, "the owner is told once"


@pytest.mark.shapes("mounted-sqlite")
def test_a_token_two_generations_old_is_reuse_at_any_time(watchword: Running) -> None:
    first = watchword.login_as().refresh_token
    second = refresh(watchword, first)["refresh_token"]
    third = refresh(watchword, second)["refresh_token"]
    refuse(watchword, first)
    refuse(watchword, third)


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(refresh_leeway_seconds=0)
def test_without_a_leeway_each_token_works_once(watchword: Running) -> None:
    first = watchword.login_as().refresh_token
    second = refresh(watchword, first)["refresh_token"]
    refuse(watchword, first)
    refuse(watchword, second)
    assert watchword.mailbox.last(kind="session_reuse")

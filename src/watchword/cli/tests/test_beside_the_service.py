"""Commands beside a running service, on one SQLite file: it hears of them within the bound."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from watchword.server.tests.processes import PASSWORD, Service, serving, watchword

POLL_SECONDS = 0.2
API = "/api/v1"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("beside")
    with serving(folder, revocation_poll_seconds=str(POLL_SECONDS)) as running:
        yield running


def test_ending_one_users_sessions_ends_nobody_elses(service: Service) -> None:
    ada, bob = signed_in(service, "ada"), signed_in(service, "bob")
    shown = json.loads(watchword(service.folder, "users", "show", "ada", "--json").stdout)
    assert [session["address"] for session in shown["sessions"]] == ["127.0.0.1"]

    ended = watchword(service.folder, "sessions", "revoke", "--user", "ADA")
    assert (ended.returncode, ended.stdout) == (0, "1 session ended.\n"), ended.stderr
    assert refused_within_the_bound(service, ada)
    assert status(service, bob) == 200
    assert refresh(service, ada) == 401
    assert "sessions.ended" in audited(service)


def test_ending_everybodys_sessions_asks_first(service: Service) -> None:
    people = [signed_in(service, name) for name in ("carol", "dave")]
    asked = watchword(service.folder, "sessions", "revoke", "--all")
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert [status(service, person) for person in people] == [200, 200]

    assert watchword(service.folder, "sessions", "revoke", "--all", "--yes").returncode == 0
    assert all(refused_within_the_bound(service, person) for person in people)
    assert status(service, signed_in(service, "carol")) == 200
    assert "sessions.everyone_ended" in audited(service)


def test_a_deactivated_user_is_signed_out(service: Service) -> None:
    eve = signed_in(service, "eve")
    assert watchword(service.folder, "users", "deactivate", "eve").returncode == 0
    assert refused_within_the_bound(service, eve)
    assert "user.deactivated" in audited(service)


def test_keys_are_turned_and_nobody_notices(service: Service) -> None:
    frank = signed_in(service, "frank")
    early = watchword(service.folder, "keys", "rotate")
    assert early.returncode == 1
    assert "--at-once" in early.stderr

    assert watchword(service.folder, "keys", "rotate", "--at-once").returncode == 0
    assert status(service, frank) == 200
    keys = json.loads(watchword(service.folder, "keys", "list", "--json").stdout)
    by_status = {key["status"]: key["kid"] for key in keys}
    assert set(by_status) == {"retiring", "active", "next"}
    assert by_status["active"] in watchword(service.folder, "keys", "list").stdout

    needed = watchword(service.folder, "keys", "retire", by_status["active"])
    assert needed.returncode == 1
    assert watchword(service.folder, "keys", "retire", by_status["retiring"]).returncode == 0
    assert watchword(service.folder, "keys", "retire", "no-such-key").returncode == 1
    assert {"key.rotated", "key.retired"} <= audited(service)


@pytest.mark.parametrize("arguments", [(), ("--user", "ada", "--all")])
def test_whose_sessions_is_said_exactly_once(service: Service, arguments: tuple[str, ...]) -> None:
    refused = watchword(service.folder, "sessions", "revoke", *arguments)
    assert refused.returncode == 2
    assert "--user" in refused.stderr


def signed_in(service: Service, name: str) -> dict[str, Any]:
    who = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    with service.client as client:
        client.post(f"{API}/auth/register", json=who)
        answer = client.post(f"{API}/auth/login", json=who)
    assert answer.status_code == 200, answer.text
    pair: dict[str, Any] = answer.json()
    return pair


def status(service: Service, pair: dict[str, Any]) -> int:
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    with service.client as client:
        return client.get(f"{API}/auth/me", headers=bearer).status_code


def refresh(service: Service, pair: dict[str, Any]) -> int:
    with service.client as client:
        body = {"refresh_token": pair["refresh_token"]}
        return client.post(f"{API}/auth/refresh", json=body).status_code


def refused_within_the_bound(service: Service, pair: dict[str, Any]) -> bool:
    """Whether the service refuses a token soon after the command that revoked it has ended.

    A machine busy with other tests is given a second more than the service would need.
    """
    for _ in range(int((POLL_SECONDS + 1) / 0.05)):
        if status(service, pair) == 401:
            return True
        time.sleep(0.05)
    return False


def audited(service: Service) -> set[str]:
    with closing(sqlite3.connect(service.folder / "data" / "watchword.db")) as database:
        return {row[0] for row in database.execute("SELECT event FROM audit_events")}

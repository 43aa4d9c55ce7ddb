"""Nobody learns from an answer who has an account (ASVS 6.3.8)."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import Response

from watchword.testing import Running
from watchword.testing.running import PASSWORD

pytestmark = pytest.mark.shapes("mounted-sqlite")

PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "mail": "off",
    "secret_key": "nUq7Vt0rWm3xKpZ9sYfJ2hLdQbEcGa5T8vRiO1oN",
}


def looks(answer: Response) -> tuple[object, ...]:
    """All of an answer that could tell one case from another."""
    body = answer.json()
    body.pop("request_id", None)
    changing = {"x-request-id", "x-process-time", "date", "retry-after"}
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    return (answer.status_code, repr(body), repr(headers))


def test_a_refused_sign_in_looks_the_same_whoever_it_was_for(watchword: Running) -> None:
    admin, sleeping = watchword.login_as(role="admin"), watchword.login_as()
    admin.patch(f"{watchword.prefix}/users/{sleeping.id}", json={"is_active": False})
    person = watchword.login_as()
    names = (
        person.user["username"],
        person.user["email"],
        sleeping.user["username"],
        "nobody",
        "nobody@example.com",
    )
    for path, kind in (("/auth/login", "json"), ("/auth/login/form", "data")):
        seen = set()
        for name in names:
            form: dict[str, Any] = {kind: {"username": name, "password": "not-the-password"}}
            seen.add(looks(watchword.client.post(watchword.prefix + path, **form)))
            watchword.clock.turn(seconds=61)
        assert len(seen) == 1


@pytest.mark.watchword(trusted_proxies=("127.0.0.1",))
def test_a_locked_name_looks_the_same_whether_it_is_somebodys(watchword: Running) -> None:
    def tries(name: str, network: str) -> list[tuple[object, ...]]:
        return [
            looks(
                watchword.client.post(
                    f"{watchword.prefix}/auth/login",
                    json={"username": name, "password": "not-the-password"},
                    headers={"X-Forwarded-For": f"{network}.{n}"},
                )
            )[:1]
            for n in range(7)
        ]

    there = tries(watchword.create(), "198.51.100")
    assert there == tries("nobody", "203.0.113")
    assert [status for (status,) in there] == [401] * 5 + [429] * 2


@pytest.mark.watchword(**PRODUCTION, trusted_proxies=("127.0.0.1",))
def test_asking_for_a_reset_looks_the_same_whether_the_address_has_an_account(
    watchword: Running,
) -> None:
    def ask(email: str, address: str) -> list[tuple[object, ...]]:
        return [
            looks(
                watchword.client.post(
                    f"{watchword.prefix}/auth/password/reset/request",
                    json={"email": email},
                    headers={"X-Forwarded-For": address},
                )
            )[: 1 if n == 5 else 3]
            for n in range(6)
        ]

    admin, sleeping = watchword.login_as(role="admin"), watchword.login_as()
    admin.patch(f"{watchword.prefix}/users/{sleeping.id}", json={"is_active": False})
    known = ask(admin.user["email"], "198.51.100.1")
    assert [answer[0] for answer in known] == [200] * 5 + [429]
    assert ask("nobody@example.com", "198.51.100.2") == known
    assert ask(sleeping.user["email"], "198.51.100.3") == known


def test_asking_for_a_reset_mails_nobody_who_has_no_account(watchword: Running) -> None:
    for email in ("nobody@example.com", "NOBODY@example.com"):
        watchword.client.post(
            f"{watchword.prefix}/auth/password/reset/request", json={"email": email}
        )
    assert len(watchword.mailbox) == 0


def test_another_users_id_looks_like_no_users_id(watchword: Running) -> None:
    person, other = watchword.login_as(), watchword.login_as()
    for method, body in (("GET", None), ("PATCH", {"full_name": "x"}), ("DELETE", None)):
        there = person.request(method, f"{watchword.prefix}/users/{other.id}", json=body)
        nowhere = person.request(method, f"{watchword.prefix}/users/987654", json=body)
        assert looks(there) == looks(nowhere)
        assert there.status_code in (403, 404)
    assert watchword.sign_in(other.user["username"], PASSWORD).user["full_name"] is None

"""POST /auth/register and POST /users (contract, part 1)."""

from __future__ import annotations

import pytest

from tests.contract.problems import assert_problem
from watchword.testing import Running

USER_FIELDS = {
    "id",
    "username",
    "email",
    "full_name",
    "role",
    "is_active",
    "is_verified",
    "created_at",
    "updated_at",
    "last_login",
}

ANN = {
    "username": "Ann",
    "email": "Ann@Example.com",
    "password": "violet-otter-rows-home",
    "full_name": "Ann Ng",
}


def test_registering_makes_a_plain_unverified_user_and_shows_no_hash(watchword: Running) -> None:
    answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=ANN)
    assert answer.status_code == 201
    user = answer.json()
    assert set(user) == USER_FIELDS
    assert isinstance(user["id"], int)
    assert (user["username"], user["email"], user["full_name"]) == (
        "Ann",
        "Ann@example.com",
        "Ann Ng",
    )
    assert (user["role"], user["is_active"], user["is_verified"]) == ("user", True, False)
    assert user["last_login"] is None
    assert user["created_at"].endswith("Z")
    assert watchword.mailbox.last(to="Ann@example.com", kind="verification").token

    taken = watchword.client.post(
        f"{watchword.prefix}/auth/register", json={**ANN, "email": "other@example.com"}
    )
    assert_problem(taken, 409, "Username already registered")
    taken = watchword.client.post(
        f"{watchword.prefix}/auth/register", json={**ANN, "username": "other"}
    )
    assert_problem(taken, 409, "Email already registered")


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(limit_register="off")
def test_what_won_t_do_is_named_and_nothing_is_made(watchword: Running) -> None:
    wrong: list[tuple[dict[str, object], str]] = [
        ({"username": "zq"}, "username"),
        ({"username": "a" * 51}, "username"),
        ({"username": None}, "username"),
        ({"username": "a b"}, "username"),
        ({"email": "no address"}, "email"),
        ({"email": "ann@localhost\r\nBcc: x@example.com"}, "email"),
        ({"password": "short12"}, "password"),
        ({"password": 12345678}, "password"),
        ({"full_name": "x" * 201}, "full_name"),
        ({"full_name": "Ann\u0000"}, "full_name"),
        ({"role": "root"}, "role"),
    ]
    for change, where in wrong:
        answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=ANN | change)
        problem = assert_problem(answer, 422)
        assert [each["where"] for each in problem["errors"]] == [where]
        value = next(iter(change.values()))
        assert not isinstance(value, str) or value not in answer.text, "input is never repeated"
    for missing in ("username", "email", "password"):
        body = {name: value for name, value in ANN.items() if name != missing}
        answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=body)
        assert assert_problem(answer, 422)["errors"][0]["where"] == missing
    admin = watchword.login_as(role="admin")
    assert len(admin.get(f"{watchword.prefix}/users").json()) == 1


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(registration="closed")
def test_closed_registration_leaves_accounts_to_administrators(watchword: Running) -> None:
    answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=ANN)
    assert_problem(answer, 403, "Registration is closed: ask an administrator for an account")
    admin = watchword.login_as(role="admin")
    assert admin.post(f"{watchword.prefix}/users", json=ANN).status_code == 201


def test_an_administrator_makes_users_of_any_role_and_nobody_else_does(watchword: Running) -> None:
    admin, plain = watchword.login_as(role="admin"), watchword.login_as()
    for role in ("admin", "user", "guest"):
        body = {
            "username": f"made-{role}",
            "email": f"made-{role}@example.com",
            "password": "violet-otter-rows-home",
            "role": role,
        }
        answer = admin.post(f"{watchword.prefix}/users", json=body)
        assert answer.status_code == 201
        assert answer.json()["role"] == role
        assert set(answer.json()) == USER_FIELDS
        assert_problem(admin.post(f"{watchword.prefix}/users", json=body), 409)
    default = {**ANN, "username": "unsaid", "email": "unsaid@example.com"}
    assert admin.post(f"{watchword.prefix}/users", json=default).json()["role"] == "user"
    refused = assert_problem(plain.post(f"{watchword.prefix}/users", json=ANN), 403)
    assert "admin" in refused["detail"]
    assert_problem(watchword.client.post(f"{watchword.prefix}/users", json=ANN), 401)

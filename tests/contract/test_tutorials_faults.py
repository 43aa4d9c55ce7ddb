"""Where the tutorial is wrong (contract, part 3): its interface, and the right thing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.problems import assert_problem
from tests.contract.records import count, rows
from watchword.accounts._tables import users
from watchword.passwords._tables import passwords
from watchword.testing import Running
from watchword.testing.running import PASSWORD
from watchword.tokens._tables import one_time_tokens

NEW = "quiet-lantern-by-the-sea"


@pytest.mark.shapes("mounted-sqlite")
def test_reset_and_verification_tokens_are_opaque_single_use_kept_hashed_and_bound_to_a_purpose(
    watchword: Running,
) -> None:
    at = watchword.prefix
    person = watchword.login_as(verified=False)
    watchword.client.post(f"{at}/auth/password/reset/request", json={"email": person.user["email"]})
    person.post(f"{at}/auth/email/verification/request")
    reset = watchword.mailbox.last(kind="password_reset").token
    verification = watchword.mailbox.last(kind="verification").token
    kept = repr(rows(watchword, one_time_tokens))
    for token in (reset, verification):
        assert token.count(".") == 0, "no JWT"
        assert token not in kept
        assert token.encode() not in kept.encode()
        bearer = {"Authorization": f"Bearer {token}"}
        assert_problem(watchword.client.get(f"{at}/auth/me", headers=bearer), 401)
    crossed = watchword.client.post(f"{at}/auth/email/verification/confirm", json={"token": reset})
    assert_problem(crossed, 400, "Invalid or expired token")
    confirm = f"{at}/auth/password/reset/confirm"
    crossed = watchword.client.post(confirm, json={"token": verification, "new_password": NEW})
    assert_problem(crossed, 400, "Invalid or expired token")
    # Neither was used up by the wrong door, and each works once at its own.
    assert watchword.client.post(confirm, json={"token": reset, "new_password": NEW}).is_success
    body = {"token": verification}
    assert watchword.client.post(f"{at}/auth/email/verification/confirm", json=body).is_success
    assert_problem(
        watchword.client.post(confirm, json={"token": reset, "new_password": PASSWORD}), 400
    )


@pytest.mark.shapes("mounted-sqlite")
def test_nobody_registers_as_an_administrator(watchword: Running) -> None:
    for role in ("admin", "guest", "user"):
        body = {
            "username": f"would-be-{role}",
            "email": f"would-be-{role}@example.com",
            "password": PASSWORD,
            "role": role,
        }
        answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=body)
        assert (answer.status_code, answer.json()["role"]) == (201, "user")
        person = watchword.sign_in(body["username"])
        assert_problem(person.get(f"{watchword.prefix}/users/stats/count"), 403)


@pytest.mark.shapes("mounted-sqlite")
def test_no_address_of_another_is_shown_to_a_plain_user(watchword: Running) -> None:
    person, other = watchword.login_as(), watchword.login_as()
    for path in ("/users", "/users?limit=100", "/users?skip=1", f"/users/{other.id}", "/auth/me"):
        assert other.user["email"] not in person.get(watchword.prefix + path).text


def test_logout_is_for_real(watchword: Running) -> None:
    person = watchword.login_as()
    person.post(f"{watchword.prefix}/auth/logout").raise_for_status()
    assert_problem(person.get(f"{watchword.prefix}/auth/me"), 401)
    body = {"refresh_token": person.refresh_token}
    assert_problem(watchword.client.post(f"{watchword.prefix}/auth/refresh", json=body), 401)


@pytest.mark.shapes("mounted-sqlite")
def test_a_refresh_token_is_not_accepted_again_and_again(watchword: Running) -> None:
    body = {"refresh_token": watchword.login_as().refresh_token}
    refresh = f"{watchword.prefix}/auth/refresh"
    assert watchword.client.post(refresh, json=body).is_success
    watchword.clock.turn(seconds=11)
    assert_problem(watchword.client.post(refresh, json=body), 401)
    assert watchword.mailbox.last(kind="session_reuse")


def test_two_registrations_of_one_name_at_once_are_one_201_and_one_409(
    watchword: Running,
) -> None:
    def register(n: int) -> int:
        body = {"username": "Twin", "email": f"twin{n}@example.com", "password": PASSWORD}
        answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=body)
        if answer.status_code != 201:
            assert_problem(answer, 409, "Username already registered")
        return answer.status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(register, range(2))) == [201, 409]
    assert count(watchword, users) == 1


@pytest.mark.shapes("mounted-sqlite")
def test_a_new_address_is_not_believed_before_it_is_verified(watchword: Running) -> None:
    admin, person = watchword.login_as(role="admin"), watchword.login_as()
    mine = f"{watchword.prefix}/users/{person.id}"
    kept = person.patch(mine, json={"email": "elsewhere@example.com"}).json()
    assert (kept["email"], kept["is_verified"]) == (person.user["email"], True)
    # An administrator's word is enough for the address, and not for whose it is.
    changed = admin.patch(mine, json={"email": "decreed@example.com"}).json()
    assert (changed["email"], changed["is_verified"]) == ("decreed@example.com", False)
    assert watchword.mailbox.last(to=person.user["email"], kind="email_changed_notice")


def test_swaggers_authorize_goes_to_the_form(watchword: Running) -> None:
    document = watchword.auth.openapi(watchword.path)
    flow = document["components"]["securitySchemes"]["Watchword"]["flows"]["password"]
    form = {"username": watchword.create(), "password": PASSWORD, "grant_type": "password"}
    assert watchword.client.post("/" + flow["tokenUrl"], data=form).status_code == 200


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(limit_register="off")
def test_my_address_is_nobodys_username(watchword: Running) -> None:
    watchword.create(username="victim", email="victim@example.com")
    for name in ("victim@example.com", "victim＠example.com", "victim﹫example.com"):
        body = {"username": name, "email": "thief@example.com", "password": NEW}
        answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=body)
        assert assert_problem(answer, 422)["errors"][0]["where"] == "username"
    assert watchword.sign_in("victim@example.com").user["username"] == "victim"


@pytest.mark.watchword(limit_register="off", limit_login="off")
def test_input_that_no_type_foresaw_is_a_4xx_and_changes_nothing(watchword: Running) -> None:
    admin = watchword.login_as(role="admin")
    at, me = watchword.prefix, f"{watchword.prefix}/users/{admin.id}"
    before = [tuple(row) for row in rows(watchword, users)]
    for number in (2**63, 2**64, 10**40, -(2**63) - 1):
        for method in ("GET", "PATCH", "DELETE"):
            assert_problem(admin.request(method, f"{at}/users/{number}", json={}), 422)
        assert_problem(admin.get(f"{at}/users", params={"skip": number}), 422)
        assert_problem(admin.get(f"{at}/users", params={"limit": number}), 422)
    json_type = {"Content-Type": "application/json"}
    for name, value in (
        ("username", "\ud800\ud800\ud800"),
        ("username", "nul\x00nul"),
        ("full_name", "\udfff"),
        ("email", "\ud800@example.com"),
        ("username", None),
        ("email", None),
        ("role", None),
        ("is_active", None),
        ("is_verified", None),
    ):
        body = json.dumps({name: value}).encode()
        answer = admin.patch(me, content=body, headers=json_type)
        assert_problem(answer, 422)
        whole = {"username": "newcomer", "email": "new@example.com", "password": PASSWORD}
        if name in whole:
            body = json.dumps(whole | {name: value}).encode()
            answer = watchword.client.post(f"{at}/auth/register", content=body, headers=json_type)
            assert_problem(answer, 422)
    for field in ("username", "password"):
        body = json.dumps({"username": "x", "password": "y"} | {field: "\ud800"}).encode()
        answer = watchword.client.post(f"{at}/auth/login", content=body, headers=json_type)
        assert answer.status_code in (401, 422)
    for deep in (b"[" * 50_000, b'{"a":' * 20_000, b"[" * 10_000 + b"]" * 10_000, b"9" * 5000):
        for method, path in (("PATCH", me), ("POST", f"{at}/auth/login")):
            answer = admin.request(method, path, content=deep, headers=json_type)
            assert_problem(answer, answer.status_code)
            assert answer.status_code in (400, 422)
    assert [tuple(row) for row in rows(watchword, users)] == before


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_a_missing_or_surplus_slash_redirects_nobody_anywhere(watchword: Running) -> None:
    person = watchword.login_as()
    for path in ("/users/", "/auth/me/", "/health/", "/auth/login/", "//evil.example/users"):
        answer = person.get(watchword.prefix + path, headers={"Host": "evil.example"})
        assert not answer.is_redirect
        assert "location" not in answer.headers
        assert "evil.example" not in answer.text.replace(path.strip("/"), "")


@pytest.mark.shapes("mounted-sqlite")
def test_passwords_are_hashed_with_argon2id_and_eight_characters_will_do(
    watchword: Running,
) -> None:
    watchword.create(username="eight", password="ot7er&vi")
    watchword.sign_in("eight", "ot7er&vi")
    hashes = [row.hash for row in rows(watchword, passwords)]
    assert [text.startswith("$argon2id$v=19$") for text in hashes] == [True]
    body = {"username": "seven", "email": "seven@example.com", "password": "ot7er&v"}
    problem = assert_problem(
        watchword.client.post(f"{watchword.prefix}/auth/register", json=body), 422
    )
    assert problem["errors"][0]["where"] == "password"
    assert "8" in problem["errors"][0]["what"]

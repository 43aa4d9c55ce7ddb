"""Settings as a caller feels them (contract, part 2); how they are read is the settings room's."""

from __future__ import annotations

import pytest

from tests.contract.problems import assert_problem
from watchword.testing import Running
from watchword.testing.running import PASSWORD

pytestmark = pytest.mark.shapes("mounted-sqlite")

NEW = "quiet-lantern-by-the-sea"


@pytest.mark.shapes("mounted-sqlite", "alone-sqlite")
@pytest.mark.watchword(api_v1_prefix="/identity/v9", app_name="Ours", app_version="9.1")
def test_the_api_moves_with_its_prefix_and_bears_the_apps_name(watchword: Running) -> None:
    at = f"{watchword.path}/identity/v9"
    health = watchword.client.get(f"{at}/health").json()
    assert (health["app"], health["version"]) == ("Ours", "9.1")
    assert health["environment"] == "development"
    person = watchword.login_as(verified=False)
    assert person.get(f"{at}/auth/me").status_code == 200
    old = person.get(f"{watchword.path}/api/v1/auth/me")
    assert old.status_code == 404 or "hostile" in old.json()
    document = watchword.auth.openapi(watchword.path)
    flow = document["components"]["securitySchemes"]["Watchword"]["flows"]["password"]
    assert "/" + flow["tokenUrl"] == f"{at}/auth/login/form"
    person.post(f"{at}/auth/email/verification/request")
    assert "Ours" in watchword.mailbox.last(kind="verification").subject


@pytest.mark.watchword(
    password_reset_token_expire_hours=3,
    email_verification_token_expire_hours=2,
    access_token_expire_minutes=600,
)
def test_one_time_tokens_live_as_long_as_they_are_set_to(watchword: Running) -> None:
    at = watchword.prefix
    person = watchword.login_as(verified=False)

    def ask() -> tuple[str, str]:
        email = {"email": person.user["email"]}
        watchword.client.post(f"{at}/auth/password/reset/request", json=email)
        person.post(f"{at}/auth/email/verification/request")
        mails = watchword.mailbox
        return mails.last(kind="password_reset").token, mails.last(kind="verification").token

    def show(reset: str, verification: str) -> tuple[int, int]:
        body = {"token": verification}
        second = watchword.client.post(f"{at}/auth/email/verification/confirm", json=body)
        body = {"token": reset, "new_password": NEW}
        first = watchword.client.post(f"{at}/auth/password/reset/confirm", json=body)
        return first.status_code, second.status_code

    tokens = ask()
    watchword.clock.turn(hours=3, seconds=1)
    assert show(*tokens) == (400, 400)
    tokens = ask()
    watchword.clock.turn(hours=1, minutes=59)
    assert show(*tokens) == (200, 200)


@pytest.mark.watchword(
    password_min_length=12,
    password_require=("upper", "lower", "digit", "special"),
    password_refused_words=("lantern",),
    limit_register="off",
)
def test_a_refused_password_is_told_which_rule_it_breaks(watchword: Running) -> None:
    def register(password: str) -> tuple[int, str]:
        body = {"username": "somebody", "email": "somebody@example.com", "password": password}
        answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=body)
        if answer.status_code == 201:
            return 201, ""
        problem = assert_problem(answer, 422)
        assert problem["errors"][0]["where"] == "password"
        assert password not in answer.text
        return 422, problem["errors"][0]["what"]

    assert "12" in register("Sh0rt&sweet")[1]
    told = {
        register("all-lower-7-otters")[1],
        register("ALL-UPPER-7-OTTERS")[1],
        register("No-Digits-Of-Otters")[1],
        register("NoSpecial7OttersRow")[1],
    }
    assert len(told) == 4
    assert register("Lantern-1234")[0] == 422
    assert register("Seven-7-Otters-Row") == (201, "")


@pytest.mark.watchword(max_body_bytes=2048)
def test_the_largest_body_is_as_large_as_it_is_set_to(watchword: Running) -> None:
    login = f"{watchword.prefix}/auth/login"
    body = {"username": watchword.create(), "password": PASSWORD}
    assert watchword.client.post(login, json=body | {"x": "y" * 1800}).status_code == 200
    assert_problem(watchword.client.post(login, json=body | {"x": "y" * 2048}), 413)

"""POST /auth/login, /auth/login/form, /auth/me, /users/me (contract, part 1)."""

from __future__ import annotations

import pytest

from tests.contract.problems import assert_problem
from watchword.testing import Running
from watchword.testing.running import PASSWORD


def test_the_password_opens_by_name_and_by_address_in_any_case_and_width(
    watchword: Running,
) -> None:
    watchword.create(username="Frieda", email="frieda@straße.example")
    names = (
        "Frieda",
        "FRIEDA",
        "Ｆｒｉｅｄａ",
        "frieda@straße.example",
        "FRIEDA@STRASSE.EXAMPLE",
        "frieda＠straße.example",
    )
    for name in names:
        answer = watchword.client.post(
            f"{watchword.prefix}/auth/login", json={"username": name, "password": PASSWORD}
        )
        assert answer.status_code == 200, name
        pair = answer.json()
        assert set(pair) == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert (pair["token_type"], pair["expires_in"]) == ("bearer", 1800)
        assert answer.headers["cache-control"] == "no-store"
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    me = watchword.client.get(f"{watchword.prefix}/auth/me", headers=bearer).json()
    assert me == watchword.client.get(f"{watchword.prefix}/users/me", headers=bearer).json()
    assert me["username"] == "Frieda"
    assert me["last_login"] is not None


def test_a_wrong_password_is_401_and_an_inactive_account_403(watchword: Running) -> None:
    admin, other = watchword.login_as(role="admin"), watchword.login_as()
    wrong = {"username": other.user["username"], "password": "not-the-password"}
    for send in ({"json": wrong}, {"data": wrong}):
        path = "/auth/login" if "json" in send else "/auth/login/form"
        answer = watchword.client.post(f"{watchword.prefix}{path}", **send)  # type: ignore[arg-type]
        assert_problem(answer, 401, "Incorrect username or password")
        assert answer.headers["www-authenticate"] == "Bearer"

    admin.patch(f"{watchword.prefix}/users/{other.id}", json={"is_active": False})
    right = wrong | {"password": PASSWORD}
    inactive = watchword.client.post(f"{watchword.prefix}/auth/login", json=right)
    assert_problem(inactive, 403, "Inactive user")
    # Only who knows the password learns it.
    answer = watchword.client.post(f"{watchword.prefix}/auth/login", json=wrong)
    assert_problem(answer, 401, "Incorrect username or password")


@pytest.mark.shapes("mounted-sqlite")
def test_the_form_takes_what_swagger_sends(watchword: Running) -> None:
    name = watchword.create()
    plain = {"username": name, "password": PASSWORD}
    as_swagger = plain | {
        "grant_type": "password",
        "scope": "",
        "client_id": "",
        "client_secret": "",
    }
    for form in (plain, as_swagger, plain | {"grant_type": "", "scope": "account other"}):
        answer = watchword.client.post(f"{watchword.prefix}/auth/login/form", data=form)
        assert answer.status_code == 200, answer.text
        assert answer.json()["token_type"] == "bearer"
    other_grant = plain | {"grant_type": "client_credentials"}
    answer = watchword.client.post(f"{watchword.prefix}/auth/login/form", data=other_grant)
    assert assert_problem(answer, 422)["errors"][0]["where"] == "grant_type"
    missing = watchword.client.post(f"{watchword.prefix}/auth/login/form", data={"username": name})
    assert assert_problem(missing, 422)["errors"][0]["where"] == "password"
    as_json = watchword.client.post(f"{watchword.prefix}/auth/login/form", json=plain)
    assert_problem(as_json, 415)
    as_form = watchword.client.post(f"{watchword.prefix}/auth/login", data=plain)
    assert_problem(as_form, 415)


@pytest.mark.shapes("mounted-sqlite")
def test_a_password_works_however_it_is_composed_and_however_long(watchword: Running) -> None:
    composed, decomposed = "Zoë-Käfer-groß-naïve", "Zoe\u0308-Ka\u0308fer-groß-nai\u0308ve"
    watchword.create(username="zoe", password=composed)
    watchword.sign_in("zoe", decomposed)
    long = "otter violet " * 80
    watchword.create(username="long", password=long)
    watchword.sign_in("long", long)
    cut = watchword.client.post(
        f"{watchword.prefix}/auth/login", json={"username": "long", "password": long[:-1]}
    )
    assert_problem(cut, 401)

"""The names that the tutorial's readers know, in a host's routes (contract, part 2)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import Depends, FastAPI

from watchword import (
    Account,
    CurrentPrincipal,
    RoleChecker,
    UserRole,
    VerifiedUser,
    Watchword,
    get_current_active_user,
    get_current_user,
    get_current_verified_user,
    require_admin,
    require_user,
)
from watchword.testing import Running

pytestmark = pytest.mark.shapes("mounted-sqlite")


def guarded(auth: Watchword) -> FastAPI:
    app = FastAPI()
    auth.mount(app)
    guards: dict[str, Callable[..., object]] = {
        "user": get_current_user,
        "active": get_current_active_user,
        "verified": get_current_verified_user,
        "admin": require_admin,
        "user-or-admin": require_user,
        "guests": RoleChecker([UserRole.GUEST, "admin"]),
        "own": auth.current_user,
    }

    def add(name: str, guard: Callable[..., object]) -> None:
        @app.get(f"/{name}")
        async def guarded_route(account: Account = Depends(guard)) -> str:  # noqa: B008
            return account.username

    for name, guard in guards.items():
        add(name, guard)

    @app.get("/principal")
    async def principal(caller: CurrentPrincipal) -> dict[str, str | int]:
        return {"id": caller.user_id, "role": caller.role}

    @app.get("/verified-too")
    async def verified_too(user: VerifiedUser) -> str:
        return user.username

    return app


@pytest.fixture
def watchword_host() -> Callable[[Watchword], FastAPI]:
    return guarded


@pytest.fixture
def watchword_path() -> str:
    return ""


def test_each_guard_lets_in_whom_it_says_and_tells_the_others_why(watchword: Running) -> None:
    admin = watchword.login_as(role="admin")
    user = watchword.login_as()
    guest = watchword.login_as(role="guest", verified=False)
    everybody = {"user", "active", "own"}
    let_in = {
        "admin": everybody | {"verified", "verified-too", "admin", "user-or-admin", "guests"},
        "user": everybody | {"verified", "verified-too", "user-or-admin"},
        "guest": everybody | {"guests"},
    }
    paths = let_in["admin"]
    said = {
        "verified": "Email not verified",
        "verified-too": "Email not verified",
        "admin": "Not enough permissions: this needs the role admin",
        "user-or-admin": "Not enough permissions: this needs the role admin or user",
        "guests": "Not enough permissions: this needs the role admin or guest",
    }
    for person in (admin, user, guest):
        for path in paths:
            answer = person.get(f"/{path}")
            if path in let_in[person.user["role"]]:
                assert (answer.status_code, answer.json()) == (200, person.user["username"]), path
            else:
                assert (answer.status_code, answer.json()) == (403, {"detail": said[path]}), path
        assert person.get("/principal").json() == {"id": person.id, "role": person.user["role"]}
    for path in (*paths, "principal"):
        assert watchword.client.get(f"/{path}").status_code == 401


def test_a_deactivated_user_with_a_live_token_is_let_in_nowhere(watchword: Running) -> None:
    admin, user = watchword.login_as(role="admin"), watchword.login_as()
    admin.patch(f"{watchword.prefix}/users/{user.id}", json={"is_active": False})
    for path in ("user", "active", "verified", "user-or-admin", "own", "principal"):
        assert user.get(f"/{path}").status_code in (401, 403)


def test_a_role_that_there_is_not_is_refused_when_the_app_is_made() -> None:
    with pytest.raises(ValueError, match="root"):
        RoleChecker(["root"])

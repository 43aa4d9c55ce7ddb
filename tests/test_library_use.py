"""Watchword inside somebody's app: made, mounted, depended on, and what it says when it is not."""

# No `from __future__ import annotations`: FastAPI could not find a test's own `auth` by its name.
import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from watchword import Account, CurrentPrincipal, CurrentUser, Settings, Watchword
from watchword.errors import ConfigurationError
from watchword.secret import Secret
from watchword.settings.load import load_settings
from watchword.testing import Running
from watchword.testing.running import PASSWORD
from watchword.testing.world import Clock

ROOT = Path(__file__).resolve().parent.parent
CHEAP = {"environment": "development", "hash_memory_kib": 8, "hash_iterations": 1}


def make(folder: Path, **settings: Any) -> Watchword:
    """A Watchword with the settings given and none from the surroundings."""
    values = {**CHEAP, "data_dir": folder, **settings}
    return Watchword(load_settings(env={}, env_file=None, **values))


@contextmanager
def running(app: FastAPI, auth: Watchword, path: str = "") -> Iterator[Running]:
    with TestClient(app, base_url="http://localhost:8000") as client:
        yield Running(auth, client, Clock(), path)


def tea_house(auth: Watchword) -> FastAPI:
    app = FastAPI()
    auth.mount(app)

    @app.get("/tea")
    async def tea(user: CurrentUser) -> dict[str, str]:
        return {"tea": user.username}

    return app


# --- the example -----------------------------------------------------------------------------


@contextmanager
def example_served(folder: Path) -> Iterator[str]:
    """The command that the example's README shows, on a port of its own."""
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0"]
    command += ["--app-dir", str(ROOT / "examples" / "minimal")]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("WATCHWORD_")}
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**plain, "ENVIRONMENT": "development"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()
            process.communicate(timeout=20)
    # uvicorn stops in order, and then dies of the signal that it was sent.
    assert process.returncode in (0, -signal.SIGTERM)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        found = re.search(r"running on (http://\S+)", line)
        if found:
            return found[1]
    raise AssertionError("".join(said))


def test_the_minimal_example_runs_by_the_command_in_its_readme(tmp_path: Path) -> None:
    me = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    with example_served(tmp_path) as url, httpx2.Client(base_url=url) as client:
        assert client.get("/tea").status_code == 401
        assert client.post("/api/v1/auth/register", json=me).status_code == 201
        tokens = client.post("/api/v1/auth/login", json=me).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert client.get("/tea").json() == {"tea": "A cup for ada"}
        refused = client.get("/kitchen")
        assert (refused.status_code, "admin" in refused.json()["detail"]) == (403, True)
        assert "verification" in client.get("/dev/mail.json").text
        assert {"/tea", "/api/v1/auth/login"} <= set(client.get("/openapi.json").json()["paths"])
    assert (tmp_path / ".watchword").stat().st_mode & 0o777 == 0o700


# --- before the start, and without one -------------------------------------------------------


def test_a_request_before_the_start_says_what_to_write(tmp_path: Path) -> None:
    auth = make(tmp_path)
    client = TestClient(tea_house(auth))
    for path in ("/api/v1/health", "/tea"):
        with pytest.raises(ConfigurationError, match=r"has not been started.*auth\.mount\(app\)"):
            client.get(path)
    with pytest.raises(ConfigurationError, match="has not been started"):
        _ = auth.core


def test_a_guard_in_an_app_without_a_watchword_says_what_to_write() -> None:
    app = FastAPI()

    @app.get("/tea")
    async def tea(user: CurrentUser) -> str:
        return user.username

    with (
        TestClient(app) as client,
        pytest.raises(ConfigurationError, match=r"No Watchword is mounted.*auth\.mount\(app\)"),
    ):
        client.get("/tea")


def test_mounted_where_a_path_can_not_be_is_refused_at_once(tmp_path: Path) -> None:
    for path in ("id", "/{id}", "/a b", "//id", "https://id.example.org"):
        app = FastAPI()
        before = list(app.routes)
        with pytest.raises(ConfigurationError, match="write it as /id"):
            make(tmp_path).mount(app, path)
        assert app.routes == before


@pytest.mark.parametrize("path", ["/", "/id/"])
def test_a_slash_at_the_end_of_where_it_is_mounted_changes_nothing(
    tmp_path: Path, path: str
) -> None:
    auth, app = make(tmp_path), FastAPI()
    auth.mount(app, path)
    at = path.rstrip("/")
    with running(app, auth, at) as run:
        assert run.login_as().get(f"{at}/api/v1/auth/me").is_success
        assert f"{at}/api/v1/auth/me" in run.client.get("/openapi.json").json()["paths"]


# --- started by hand, twice, and again after a failure ---------------------------------------


def test_the_lifespan_can_be_the_apps_own(tmp_path: Path) -> None:
    """An app that only checks: nothing of ours is mounted on it."""
    auth = make(tmp_path)
    app = FastAPI(lifespan=auth.lifespan)

    @app.get("/tea")
    async def tea(user: Annotated[Account, Depends(auth.current_user)]) -> dict[str, str]:
        return {"tea": user.username}

    app.mount("/id", auth.asgi)
    with running(app, auth, "/id") as run:
        assert run.client.get("/tea").status_code == 401
        assert run.login_as(username="ada").get("/tea").json() == {"tea": "ada"}


def test_the_lifespan_can_be_entered_by_hand_inside_a_loop_of_ones_own(tmp_path: Path) -> None:
    auth = make(tmp_path)

    async def work() -> list[int]:
        transport = httpx2.ASGITransport(auth.asgi)
        statuses = []
        async with (
            auth.lifespan(),
            httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            statuses.append((await client.get("/api/v1/health/database")).status_code)
            async with auth.lifespan():
                statuses.append((await client.get("/api/v1/health/database")).status_code)
            # The inner one has ended; the outer still holds.
            statuses.append((await client.get("/api/v1/health/database")).status_code)
        return statuses

    assert asyncio.run(work()) == [200, 200, 200]
    with pytest.raises(ConfigurationError, match="has not been started"):
        _ = auth.core


def test_stopped_and_started_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    auth = make(tmp_path)
    app = tea_house(auth)
    with running(app, auth) as run:
        ada = run.login_as(username="ada")
    with pytest.raises(ConfigurationError):
        TestClient(app).get("/api/v1/health")
    with running(app, auth) as run:
        assert run.client.get("/tea", headers=ada.headers).json() == {"tea": "ada"}
        assert run.sign_in("ada").get("/tea").is_success


def test_a_failed_start_leaves_nothing_behind_that_stops_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    template = folder / "verification.txt"
    template.write_text("Subject: Hello\n\n{{ no_such_word }}")
    loaded = load_settings(env={}, env_file=None, **CHEAP, data_dir=tmp_path / "data")
    auth = Watchword(loaded, mail_templates=folder)
    app = tea_house(auth)
    with pytest.raises(ConfigurationError, match=r"verification\.txt"), TestClient(app):
        pass
    template.write_text("Subject: Hello\n\n{{ link }}")
    with running(app, auth) as run:
        assert run.login_as().get("/tea").is_success


# --- where it is mounted ---------------------------------------------------------------------


def test_in_a_sub_app_of_the_host_it_guards_the_sub_apps_routes(tmp_path: Path) -> None:
    auth = make(tmp_path)
    inner = tea_house(auth)
    # A mounted app gets no lifespan of its own: the outer one starts what is in it.
    outer = FastAPI(lifespan=auth.lifespan)
    outer.mount("/inner", inner)

    @outer.get("/")
    async def front() -> str:
        return "door"

    with running(outer, auth, "/inner") as run:
        ada = run.login_as(username="ada")
        assert ada.get("/inner/tea").json() == {"tea": "ada"}
        assert run.client.get("/inner/tea").status_code == 401
        assert run.client.get("/api/v1/health").status_code == 404
        assert run.client.get("/").json() == "door"
        document = run.client.get("/inner/openapi.json").json()
        scheme = document["components"]["securitySchemes"]["Watchword"]
        # Relative to /inner/docs, where the button is.
        assert scheme["flows"]["password"]["tokenUrl"] == "api/v1/auth/login/form"


def test_the_hosts_documentation_shows_our_routes_where_they_are(tmp_path: Path) -> None:
    auth = make(tmp_path)
    app = FastAPI()
    auth.mount(app, "/id")

    @app.get("/me")
    async def me(caller: CurrentPrincipal) -> str:
        return caller.subject

    document = app.openapi()
    assert {"/me", "/id/api/v1/auth/login"} <= set(document["paths"])
    assert document["paths"]["/me"]["get"]["security"] == [{"Watchword": []}]
    flow = document["components"]["securitySchemes"]["Watchword"]["flows"]["password"]
    assert flow["tokenUrl"] == "id/api/v1/auth/login/form"
    with running(app, auth, "/id") as run:
        form = {"username": run.create(), "password": PASSWORD}
        assert run.client.post(f"/{flow['tokenUrl']}", data=form).status_code == 200


# --- two of them -----------------------------------------------------------------------------


def two(tmp_path: Path, **settings: Any) -> tuple[FastAPI, Watchword, Watchword]:
    """Staff and guests of one app, each with a Watchword of its own."""
    staff = make(tmp_path / "staff", public_url="http://localhost:8000/staff", **settings)
    guests = make(tmp_path / "guests", public_url="http://localhost:8000/guests", **settings)
    app = FastAPI()
    staff.mount(app, "/staff")
    guests.mount(app, "/guests")

    @app.get("/for-staff")
    async def for_staff(user: Annotated[Account, Depends(staff.current_user)]) -> str:
        return user.username

    @app.get("/for-guests")
    async def for_guests(user: Annotated[Account, Depends(guests.current_user)]) -> str:
        return user.username

    @app.get("/for-whom")
    async def for_whom(user: CurrentUser) -> str:
        return user.username

    return app, staff, guests


@pytest.mark.parametrize("algorithm", ["EdDSA", "HS256"])
def test_two_watchwords_in_one_app_do_not_meet(tmp_path: Path, algorithm: str) -> None:
    # The same key for both, as by a shared environment: the tokens must still be told apart.
    key = "Kq3vT9zLw2Xc8Rb5Yn7Pm4Hd6Jg1Fs0UaEiO"
    app, staff, guests = two(tmp_path, secret_key=key, algorithm=algorithm)
    with running(app, staff, "/staff") as run:
        among_guests = Running(guests, run.client, Clock(), "/guests")
        ada, bob = run.login_as(username="ada"), among_guests.login_as(username="bob")
        assert ada.id == bob.id, "else the ids alone would tell them apart"
        assert ada.get("/for-staff").json() == "ada"
        assert bob.get("/for-guests").json() == "bob"
        assert ada.get("/for-guests").status_code == 401
        assert bob.get("/for-staff").status_code == 401
        crossed = {"refresh_token": ada.refresh_token}
        assert run.client.post("/guests/api/v1/auth/refresh", json=crossed).status_code == 401
        assert run.client.post("/staff/api/v1/auth/refresh", json=crossed).status_code == 200
        assert [mail.recipient for mail in among_guests.mailbox] == []
        assert staff.core.metrics.registry is not guests.core.metrics.registry


def test_a_guard_that_can_not_tell_which_of_two_is_meant_says_so(tmp_path: Path) -> None:
    app, staff, _ = two(tmp_path)
    with (
        running(app, staff, "/staff") as run,
        pytest.raises(ConfigurationError, match=r"Several Watchwords.*Depends\(auth\.current_user"),
    ):
        run.client.get("/for-whom")


# --- settings and words ----------------------------------------------------------------------


def test_a_misspelt_setting_suggests_the_nearest(tmp_path: Path) -> None:
    with chdir(tmp_path), pytest.raises(ConfigurationError, match=r"Did you mean secret_key\?"):
        Watchword(secret_ky="x")


def test_settings_are_arguments_and_go_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "ENVIRONMENT=development\nHASH_MEMORY_KIB=8\nACCESS_TOKEN_EXPIRE_MINUTES=7\nAPP_NAME=File\n"
    )
    with chdir(tmp_path):
        auth = Watchword(access_token_expire_minutes=5, api_v1_prefix="/v1", data_dir="here")
        app = tea_house(auth)
        with running(app, auth) as run:
            answer = run.client.post(
                "/v1/auth/login", json={"username": run.create(), "password": PASSWORD}
            )
            assert answer.json()["expires_in"] == 300
            assert run.client.get("/v1/health").json()["app"] == "File"
    assert (tmp_path / "here" / "watchword.db").exists()


def test_settings_can_be_made_and_handed_over(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {**CHEAP, "data_dir": tmp_path, "secret_key": Secret("s" * 40), "app_name": "Handed over"}
    )
    auth = Watchword(settings)
    with running(tea_house(auth), auth) as run:
        assert run.client.get("/api/v1/health").json()["app"] == "Handed over"


def test_settings_that_are_not_safe_are_refused_at_the_start(tmp_path: Path) -> None:
    auth = make(tmp_path, environment="production", mail="off", secret_key="changethis")
    with pytest.raises(ConfigurationError, match="SECRET_KEY"), TestClient(tea_house(auth)):
        pass


def test_an_apps_own_words_replace_ours_in_the_mails(tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "verification.txt").write_text("Subject: Your tea is ready\n\nSip it: {{ link }}\n")
    loaded = load_settings(env={}, env_file=None, **CHEAP, data_dir=tmp_path / "data")
    auth = Watchword(loaded, mail_templates=folder)
    with running(tea_house(auth), auth) as run:
        run.create(verified=False, email="ada@example.com")
        mail = run.mailbox.last(to="ada@example.com")
    assert mail.subject == "Your tea is ready"
    assert mail.text.startswith("Sip it: http://localhost:8000/account/verify?token=")
    assert "<html" in mail.html, "what is not replaced is still ours"

"""What holds when things break: a process killed, a database gone, a disk full, a queue full."""

# No `from __future__ import annotations`: FastAPI could not find a test's own names by theirs.

import asyncio
import logging
import random
import resource
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from tests.databases import run_sql
from tests.services import Service, service
from watchword import CurrentPrincipal, Watchword
from watchword.accounts._tables import users
from watchword.db.engine import make_engine
from watchword.email.tests.post_office import PostOffice, open_office
from watchword.settings.load import load_settings
from watchword.testing import Running
from watchword.testing.running import PASSWORD
from watchword.testing.world import Clock, TurnableWorld

UNLIMITED = {"limit_register": "off", "limit_login": "off"}


def newcomer(name: str) -> dict[str, str]:
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD}


def database_settings(settings: dict[str, Any]) -> dict[str, str]:
    """The database of this shape, as a process is told of it."""
    return {name: value for name, value in settings.items() if name == "database_url"}


# --- a process that ends in the middle -------------------------------------------------------

REGISTRATIONS = 200


def register_all(running: Service, answered: Counter[str], enough: threading.Event, n: int) -> None:
    """Register many people side by side, until the service is gone. ``enough`` is set after n."""

    def register(number: int) -> None:
        name = f"person{number}"
        try:
            answer = client.post(f"{running.api}/auth/register", json=newcomer(name))
        except httpx2.TransportError:
            return
        assert answer.status_code == 201, answer.text
        answered[name] += 1
        if len(answered) >= n:
            enough.set()

    with httpx2.Client(timeout=30) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(register, range(REGISTRATIONS)))
    enough.set()


def end_in_the_middle(
    folder: Path, settings: dict[str, str], number: signal.Signals, seed: str
) -> tuple[list[str], int]:
    """End the service while many register; gives who was answered 201, and its exit code."""
    chance = random.Random(seed)
    answered: Counter[str] = Counter()
    enough = threading.Event()
    with service(folder, **settings) as running:
        when = chance.randint(REGISTRATIONS // 5, REGISTRATIONS * 3 // 5)
        people = threading.Thread(target=register_all, args=(running, answered, enough, when))
        people.start()
        assert enough.wait(60)
        time.sleep(chance.random() / 50)
        running.process.send_signal(number)
        running.process.wait(30)
        people.join()
    assert when <= len(answered) < REGISTRATIONS, "the end came in the middle"
    return list(answered), running.process.returncode


@pytest.mark.shapes("alone-sqlite", "alone-postgres")
def test_kill_9_loses_no_registration_that_was_answered(
    watchword_settings: dict[str, Any], tmp_path: Path, shape: str
) -> None:
    settings = database_settings(watchword_settings) | UNLIMITED
    answered, code = end_in_the_middle(tmp_path, settings, signal.SIGKILL, shape)
    assert code == -signal.SIGKILL
    with service(tmp_path, **settings) as again, httpx2.Client(timeout=30) as client:
        assert set(answered) - usernames(tmp_path, settings) == set()
        # Whoever was answered last is whole: account, password, session.
        for name in answered[-5:]:
            signed_in = client.post(f"{again.api}/auth/login", json=newcomer(name))
            assert signed_in.status_code == 200
        # Whoever got no answer asks again, and is told the truth.
        unanswered = [n for n in map("person{}".format, range(REGISTRATIONS)) if n not in answered]
        for name in unanswered[:10]:
            retried = client.post(f"{again.api}/auth/register", json=newcomer(name))
            assert retried.status_code in (201, 409), retried.text
            signed_in = client.post(f"{again.api}/auth/login", json=newcomer(name))
            assert signed_in.status_code == 200


def test_a_stop_finishes_what_is_under_way_and_begins_nothing_more(tmp_path: Path) -> None:
    answered, code = end_in_the_middle(tmp_path, UNLIMITED, signal.SIGTERM, "stop")
    assert code == 0
    # Nobody's request was done and left without its answer.
    assert usernames(tmp_path, UNLIMITED) == set(answered)


def usernames(folder: Path, settings: dict[str, str]) -> set[str]:
    """Who is in the database."""

    async def read() -> set[str]:
        loaded = load_settings(env={}, env_file=None, data_dir=folder / "watchword", **settings)
        engine = make_engine(loaded.settings)
        async with engine.connect() as connection:
            rows = (await connection.execute(select(users.c.username))).scalars().all()
        await engine.dispose()
        return set(rows)

    return asyncio.run(read())


@contextmanager
def office_open() -> Iterator[PostOffice]:
    """A mail server on loopback, on a thread of its own."""
    office = PostOffice()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_office(office)),
    ):
        yield office


def to(office: PostOffice) -> Counter[str]:
    return Counter(str(message["To"]) for message in office.received)


def eventually(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_mail_outlives_the_process_that_was_killed_before_it_went(tmp_path: Path) -> None:
    """Some were with the mail server when the process died, the others had not begun."""
    people = [f"person{number}" for number in range(20)]
    with office_open() as office:
        settings = UNLIMITED | {
            "mail": "smtp",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(office.port),
            "smtp_tls": "none",
            "emails_from_email": "noreply@id.example",
        }
        # It has each mail, and is slow to say so.
        office.slow = 60
        with service(tmp_path, **settings) as running, httpx2.Client() as client:
            for name in people:
                answer = client.post(f"{running.api}/auth/register", json=newcomer(name))
                assert answer.status_code == 201
            eventually(lambda: len(office.received) > 0)
            running.process.send_signal(signal.SIGKILL)
            running.process.wait(30)
        begun = to(office)
        assert 0 < len(begun) < len(people)
        office.slow = 0

        wanted = {f"{name}@example.com" for name in people}
        with service(tmp_path, **settings):
            eventually(lambda: set(to(office)) == wanted)
            # The claims of the dead process last a minute: let it pass.
            with sqlite3.connect(tmp_path / "watchword" / "watchword.db") as database:
                database.execute("UPDATE outbox SET claimed_until = '2020-01-01 00:00:00.000000'")
            eventually(lambda: all(to(office)[address] == 2 for address in begun))
    by_address: dict[str, set[str]] = {}
    for message in office.received:
        by_address.setdefault(str(message["To"]), set()).add(str(message["Message-ID"]))
    assert {len(ids) for ids in by_address.values()} == {1}, "twice is the same mail twice"


# --- a database that goes away ---------------------------------------------------------------


@contextmanager
def a_host(settings: dict[str, Any]) -> Iterator[Running]:
    """An app with a route that needs nothing but the token's claims."""
    cheap = {"environment": "development", "hash_memory_kib": 8, "hash_iterations": 1}
    clock = Clock()
    loaded = load_settings(env={}, env_file=None, **{**cheap, **settings})
    auth, app = Watchword(loaded, world=TurnableWorld(clock)), FastAPI()
    auth.mount(app)

    @app.get("/mine")
    async def mine(caller: CurrentPrincipal) -> int:
        return caller.user_id

    with TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False) as client:
        yield Running(auth, client, clock)


def is_unavailable(answer: httpx2.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] == "database_unavailable"
    assert "postgres" not in answer.text.lower(), "what the driver said is for the log"


@contextmanager
def database_gone(name: str, *, renamed: bool) -> Iterator[None]:
    """Nobody is let in, or there is none of that name; and those who were in are put out."""
    run_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    run_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608
    if renamed:
        eventually(lambda: _is_renamed(name, f"{name}_away"))
    try:
        yield
    finally:
        if renamed:
            run_sql(f"ALTER DATABASE {name}_away RENAME TO {name}")
        run_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _is_renamed(name: str, new: str) -> bool:
    try:
        run_sql(f"ALTER DATABASE {name} RENAME TO {new}")
    except asyncpg.ObjectInUseError:  # somebody who was put out has not left yet
        return False
    return True


@pytest.mark.shapes("mounted-postgres")
@pytest.mark.parametrize("renamed", [False, True], ids=["closed", "renamed"])
def test_without_its_database_it_reads_claims_refuses_the_rest_and_recovers(
    watchword_settings: dict[str, Any],
    tmp_path: Path,
    shape: str,
    renamed: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="watchword.background")
    name = watchword_settings["database_url"].rpartition("/")[2]
    # Counted on the real clock, so that the time it goes on is that of the setting.
    patience = {"revocation_max_staleness_seconds": 3}
    with a_host({**watchword_settings, **patience, "data_dir": tmp_path}) as run:
        at, client = run.prefix, run.client
        ada, eve = run.login_as(username="ada"), run.login_as(username="eve")
        eve.post(f"{at}/auth/logout").raise_for_status()
        with database_gone(name, renamed=renamed):
            began = time.monotonic()
            answers = [
                ada.get("/mine"),
                eve.get("/mine"),
                client.get(f"{at}/health"),
                client.get(f"{at}/health/database"),
                ada.get(f"{at}/auth/me"),
                client.post(f"{at}/auth/login", json=newcomer("ada")),
                client.post(f"{at}/auth/register", json=newcomer("bob")),
                client.post(f"{at}/auth/refresh", json={"refresh_token": ada.refresh_token}),
                ada.post(f"{at}/auth/logout"),
            ]
            assert time.monotonic() - began < 3, "nobody waits long to hear it"
            assert answers[0].json() == ada.id
            assert answers[1].status_code == 401, "what was revoked before is still refused"
            assert answers[2].status_code == 200
            for answer in answers[3:]:
                is_unavailable(answer)
            # Somebody else's process may have revoked it meanwhile, and nobody can know.
            eventually(lambda: ada.get("/mine").status_code == 503)
        # By itself, without a restart.
        eventually(lambda: client.get(f"{at}/health/database").status_code == 200)
        assert ada.get("/mine").json() == ada.id
        assert ada.get(f"{at}/auth/me").is_success
        refreshed = client.post(f"{at}/auth/refresh", json={"refresh_token": ada.refresh_token})
        assert refreshed.status_code == 200, "what was refused has used nothing up"
        assert client.post(f"{at}/auth/register", json=newcomer("bob")).status_code == 201
        assert ada.post(f"{at}/auth/logout").is_success
        assert ada.get("/mine").status_code == 401
        # The log says when it began and when it was over, each once.
        eventually(lambda: "background.recovered" in told(caplog))
        assert told(caplog) == ["background.failed", "background.recovered"]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of the task that learns of revocations."""
    return [
        vars(record)["event"]
        for record in caplog.records
        if vars(record).get("task") == "revocations"
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only there can the limit be changed later")
def test_on_a_full_disk_it_reads_refuses_to_write_and_recovers(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: SQLite hears the same from both."""
    with service(tmp_path, **UNLIMITED) as running, httpx2.Client(timeout=30) as client:
        at, pid = running.api, running.process.pid
        assert client.post(f"{at}/auth/register", json=newcomer("ada")).status_code == 201
        tokens = client.post(f"{at}/auth/login", json=newcomer("ada")).json()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}

        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        refused = client.post(f"{at}/auth/register", json=newcomer("bob"))
        is_unavailable(refused)
        is_unavailable(client.post(f"{at}/auth/login", json=newcomer("ada")))
        assert client.get(f"{at}/auth/me", headers=bearer).json()["username"] == "ada"
        assert client.get(f"{at}/health").status_code == 200

        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        assert client.post(f"{at}/auth/register", json=newcomer("bob")).status_code == 201
        assert client.post(f"{at}/auth/login", json=newcomer("ada")).status_code == 200


# --- more than can be done -------------------------------------------------------------------


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(
    hash_queue=1, hash_threads=1, hash_memory_kib=65_536, hash_iterations=5, limit_login="off"
)
def test_a_full_hash_queue_refuses_at_once_while_the_others_go_on(watchword: Running) -> None:
    at, client = f"{watchword.prefix}/auth", watchword.client
    ada = watchword.login_as(username="ada")

    def sign_in(_: int) -> tuple[float, httpx2.Response]:
        began = time.monotonic()
        answer = client.post(f"{at}/login", json=newcomer("ada"))
        return time.monotonic() - began, answer

    def read(_: int) -> httpx2.Response:
        return ada.get(f"{at}/me")

    with ThreadPoolExecutor(8) as pool:
        storm = [pool.submit(sign_in, number) for number in range(8)]
        reads = [pool.submit(read, number) for number in range(8)]
        tries = [one.result() for one in storm]
        assert {one.result().status_code for one in reads} == {200}
    took = {status: [s for s, a in tries if a.status_code == status] for status in (200, 503)}
    # One is hashed and one waits; a place may come free while the storm lasts.
    assert 2 <= len(took[200]) < 8
    assert len(took[200]) + len(took[503]) == 8
    assert max(took[503]) < min(took[200]), "who is refused need not wait for who is not"
    for _, answer in tries:
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json()["code"] == "too_busy"
    assert sign_in(0)[1].status_code == 200

"""Who is measured: how each is started, registered at, signed in to, and asked as somebody."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.environments import FASTAPI_USERS, OURS, python_of
from bench.ground import Ground
from bench.serving import Running, Server, serving, uvicorn

# Of this run: Watchword refuses to start with one that was published.
SECRET_KEY = secrets.token_urlsafe(48)
PASSWORD = "violet-otter-rows-home"
# Few enough to register by a request each, enough that no two sign-ins wait for one row.
USERS = 32
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Subject:
    """An app. In the bodies, ``{n}`` is the number of a user."""

    name: str
    app: str
    environment: str = OURS
    first: str = "/docs"
    read: str = "/user"
    register: str = "/auth/register"
    login: str = "/auth/login"
    refresh: str = "/auth/refresh"
    login_body: str = json.dumps({"username": "user{n}", "password": PASSWORD})
    content_type: str = JSON

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return python_of(self.environment)

    def access_token(self, running: Running, n: int = 0) -> str:
        """Sign a user in."""
        body = self.login_body.replace("{n}", str(n))
        return str(running.post(self.login, body, self.content_type)["access_token"])

    def sign_in_variables(self, users: int = USERS) -> dict[str, str]:
        """What sign_in.lua reads."""
        return {
            "BENCH_BODY": self.login_body,
            "BENCH_CONTENT_TYPE": self.content_type,
            "BENCH_USERS": str(users),
        }


BARE = Subject("a bare FastAPI app", "bench.apps.bare:app", first="/bare", read="/bare")
WATCHWORD = Subject(
    "Watchword",
    "bench.apps.ours:app",
    first="/bare",
    read="/principal",
    register="/api/v1/auth/register",
    login="/api/v1/auth/login",
    refresh="/api/v1/auth/refresh",
)
TUTORIAL = Subject("tutorial", "bench.apps.tutorial:app")
PYJWT = Subject("PyJWT", "bench.apps.pyjwt_app:app", read="/async")
BY_JWT = Subject(
    "fastapi-users, JWT",
    "bench.apps.fastapi_users_app:app",
    environment=FASTAPI_USERS,
    read="/jwt",
    login="/auth/jwt/login",
    login_body=f"username=user{{n}}@example.com&password={PASSWORD}",
    content_type=FORM,
)


def environment(subject: Subject, url: str) -> dict[str, str]:
    """What tells an app which database is its own, and ours to be quiet about limits."""
    if subject.app == WATCHWORD.app:
        return {
            "WATCHWORD_DATABASE_URL": url,
            "WATCHWORD_SECRET_KEY": SECRET_KEY,
            "WATCHWORD_PUBLIC_URL": "https://id.example.org",
            "WATCHWORD_MAIL": "off",
            "WATCHWORD_AUTO_MIGRATE": "true",
            "WATCHWORD_LIMIT_LOGIN": "off",
            "WATCHWORD_LIMIT_REGISTER": "off",
            "WATCHWORD_LIMIT_REFRESH": "off",
        }
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    kind, _, rest = url.partition(":")
    return {"BENCH_DATABASE": f"{driver[kind]}:{rest}"}


@contextmanager
def started(
    subject: Subject, ground: Ground, url: str, *, server: Server = uvicorn
) -> Iterator[Running]:
    """An app on a database, empty or not."""
    with serving(
        subject.python,
        subject.app,
        environment(subject, url),
        ground.scratch,
        first=subject.first,
        server=server,
    ) as running:
        yield running


def register_users(subject: Subject, running: Running, count: int = USERS) -> None:
    """The users that sign_in.lua signs in as."""
    for n in range(count):
        person = {"username": f"user{n}", "email": f"user{n}@example.com", "password": PASSWORD}
        running.post(subject.register, json.dumps(person))

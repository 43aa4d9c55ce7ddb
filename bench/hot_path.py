"""What an authenticated request costs beside an open one, here and elsewhere."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

import jwt

from bench import load
from bench.apps import SECRET
from bench.ground import Ground
from bench.report import Bar, Part, Table, number
from bench.serving import Running
from bench.subjects import (
    BARE,
    BY_JWT,
    PYJWT,
    TUTORIAL,
    WATCHWORD,
    Subject,
    register_users,
    started,
)

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
BARE_ROUTE = "a bare app, nothing mounted"
CONNECTIONS = 32


@dataclass(frozen=True)
class Route:
    """One row of the table."""

    name: str
    url: str
    bearer: str | None = None


def measure(ground: Ground) -> Part:
    """All routes, in turn, some rounds."""
    with ExitStack() as stack:
        routes = _routes(ground, stack)
        for route in routes:
            load.reads(route.url, 1, connections=CONNECTIONS, bearer=route.bearer)
        found: dict[str, list[load.Load]] = {route.name: [] for route in routes}
        for _ in range(ground.pace.rounds):
            for route in routes:
                seconds = ground.pace.seconds
                one = load.reads(route.url, seconds, connections=CONNECTIONS, bearer=route.bearer)
                found[route.name].append(one)
    rate = {name: statistics.median(one.rate for one in loads) for name, loads in found.items()}
    p99 = {name: statistics.median(one.p99 for one in loads) for name, loads in found.items()}
    bare = rate["(a) ours, no dependency"]
    rows = [
        [name, number(each), f"{each / bare:.2f}", number(p99[name])] for name, each in rate.items()
    ]
    table = Table(
        "The hot path",
        ["route", "requests/s", "of (a)", "p99, ms"],
        rows,
        f"{CONNECTIONS} connections, median of {ground.pace.rounds} rounds. The constant is sent "
        "the same token, which its route leaves unread: the two differ in the dependency alone.",
    )
    return Part("hot_path", [table], _bars(rate))


def _routes(ground: Ground, stack: ExitStack) -> list[Route]:
    routes = [Route(BARE_ROUTE, _up(BARE, ground, stack, "sqlite").url("/bare"))]
    ours = {kind: _up(WATCHWORD, ground, stack, kind) for kind in DATABASES}
    token = {kind: WATCHWORD.access_token(each) for kind, each in ours.items()}
    on = ours["sqlite"]
    routes += [
        Route("(a) ours, no dependency", on.url("/bare")),
        Route(
            "(b) ours, a dependency that returns a constant", on.url("/constant"), token["sqlite"]
        ),
        Route("(b) ours, CurrentPrincipal", on.url("/principal"), token["sqlite"]),
    ]
    for kind, name in DATABASES.items():
        url = ours[kind].url("/user")
        routes.append(Route(f"(c) ours, CurrentUser, {name}", url, token[kind]))
    for kind, name in DATABASES.items():
        one = _up(TUTORIAL, ground, stack, kind)
        routes.append(Route(f"(d) tutorial, {name}", one.url("/user"), TUTORIAL.access_token(one)))
    for kind, name in DATABASES.items():
        one = _up(BY_JWT, ground, stack, kind)
        routes.append(
            Route(f"(e) fastapi-users, JWT, {name}", one.url("/jwt"), BY_JWT.access_token(one))
        )
        stored = one.post("/auth/database/login", _first(BY_JWT), BY_JWT.content_type)
        routes.append(
            Route(
                f"(e) fastapi-users, database, {name}",
                one.url("/database"),
                str(stored["access_token"]),
            )
        )
    one = _up(PYJWT, ground, stack, "sqlite", users=0)
    token_by_hand = jwt.encode({"sub": "1", "exp": int(time.time()) + 3600}, SECRET, "HS256")
    routes.append(Route("(f) PyJWT, async def", one.url("/async"), token_by_hand))
    routes.append(Route("(f) PyJWT, def", one.url("/plain"), token_by_hand))
    return routes


def _first(subject: Subject) -> str:
    return subject.login_body.replace("{n}", "0")


def _up(
    subject: Subject, ground: Ground, stack: ExitStack, kind: str, *, users: int = 1
) -> Running:
    name = f"hot_{subject.app.split('.')[2].split(':')[0]}_{kind}"
    running = stack.enter_context(started(subject, ground, ground.database(name, kind)))
    if subject is not BARE and users:
        register_users(subject, running, users)
    return running


def _bars(rate: dict[str, float]) -> list[Bar]:
    principal = rate["(b) ours, CurrentPrincipal"]
    constant = rate["(b) ours, a dependency that returns a constant"]
    bars = [
        Bar("CurrentPrincipal, of a constant", principal / constant, 0.95),
        Bar("CurrentPrincipal, of (a)", principal / rate["(a) ours, no dependency"], 0.80),
        Bar(
            "CurrentPrincipal, of a bare app's",
            principal / rate[BARE_ROUTE],
            0.80,
        ),
    ]
    for name in DATABASES.values():
        tutorial = rate[f"(d) tutorial, {name}"]
        bars.append(Bar(f"CurrentPrincipal, times the tutorial, {name}", principal / tutorial, 10))
        for strategy in ("JWT", "database"):
            theirs = rate[f"(e) fastapi-users, {strategy}, {name}"]
            what = f"CurrentPrincipal, times fastapi-users, {strategy}, {name}"
            bars.append(Bar(what, principal / theirs, 10))
        user = rate[f"(c) ours, CurrentUser, {name}"]
        bars.append(Bar(f"CurrentUser, times the tutorial, {name}", user / tutorial, 2.5))
    return bars

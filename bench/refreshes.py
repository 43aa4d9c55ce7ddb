"""Refreshes a second: ours turns a row and signs, the tutorial's reads a row and signs."""

from __future__ import annotations

import statistics
from contextlib import ExitStack

from bench import load
from bench.ground import Ground
from bench.report import Bar, Part, Table, number
from bench.serving import Running
from bench.subjects import TUTORIAL, WATCHWORD, Subject, register_users, started

CHAINS = 8
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def measure(ground: Ground) -> Part:
    """Both on both databases, in turn."""
    with ExitStack() as stack:
        running: dict[tuple[str, str], Running] = {}
        subjects = {"ours": WATCHWORD, "tutorial": TUTORIAL}
        for name, subject in subjects.items():
            for kind in DATABASES:
                url = ground.database(f"refresh_{name}_{kind}", kind)
                one = running[name, kind] = stack.enter_context(started(subject, ground, url))
                register_users(subject, one, CHAINS)
        found: dict[tuple[str, str], list[load.Load]] = {each: [] for each in running}
        for _ in range(ground.pace.rounds):
            for (name, kind), one in running.items():
                found[name, kind].append(chains(subjects[name], one, ground.pace.seconds))
    rate = {each: statistics.median(one.rate for one in loads) for each, loads in found.items()}
    p99 = {each: statistics.median(one.p99 for one in loads) for each, loads in found.items()}
    rows = [
        [f"{name}, {DATABASES[kind]}", number(rate[name, kind]), number(p99[name, kind])]
        for name, kind in rate
    ]
    table = Table(
        "Refreshes",
        ["", "refreshes/s", "p99, ms"],
        rows,
        f"{CHAINS} clients, each with the token that its last answer gave. Ours writes a row for "
        "each and the disk has it before the answer; the tutorial's writes nothing.",
    )
    bars = [
        Bar(f"Refresh, of the tutorial's, {name}", rate["ours", kind] / rate["tutorial", kind], 1)
        for kind, name in DATABASES.items()
    ]
    return Part("refreshes", [table], bars)


def chains(subject: Subject, running: Running, seconds: float) -> load.Load:
    """Refresh in fresh chains, each client its own."""
    return load.start(
        running.url(subject.refresh),
        seconds,
        connections=CHAINS,
        threads=CHAINS,
        script="refresh.lua",
        variables={"BENCH_TOKENS": " ".join(refresh_tokens(subject, running, range(CHAINS)))},
    ).result()


def refresh_tokens(subject: Subject, running: Running, users: range) -> list[str]:
    """Sign these users in; their refresh tokens."""
    bodies = (subject.login_body.replace("{n}", str(n)) for n in users)
    answers = (running.post(subject.login, body, subject.content_type) for body in bodies)
    return [str(answer["refresh_token"]) for answer in answers]

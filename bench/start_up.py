"""Seconds from the command to the first 200, and what one worker weighs after a working day."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor

from bench import load
from bench.ground import Ground
from bench.report import Bar, Part, Table, number
from bench.subjects import BARE, BY_JWT, TUTORIAL, USERS, WATCHWORD, register_users, started

SIGN_INS = 1000


def measure(ground: Ground) -> Part:
    """Starts in turn on databases that are there already, then memory."""
    subjects = (BARE, WATCHWORD, TUTORIAL, BY_JWT)
    names = {each: f"start_{n}" for n, each in enumerate(subjects)}
    urls = {each: ground.database(name, "sqlite") for each, name in names.items()}
    for subject, url in urls.items():
        # Makes the schema, and what Python and the disk keep of a first start.
        with started(subject, ground, url):
            pass
    seconds: dict[str, list[float]] = {each.name: [] for each in subjects}
    memory: dict[str, list[float]] = {each.name: [] for each in subjects}
    for _ in range(ground.pace.rounds):
        for subject, url in urls.items():
            with started(subject, ground, url) as running:
                seconds[subject.name].append(running.start_seconds)
                memory[subject.name].append(running.memory())
    start = {name: statistics.median(each) for name, each in seconds.items()}
    loaded = after_load(ground)
    rows = [
        [name, f"{start[name]:.2f}", f"{start[name] / start[BARE.name]:.2f}",
         number(statistics.median(memory[name]))]
        for name in start
    ]  # fmt: skip
    table = Table(
        "Start and memory",
        ["", "seconds to the first 200", "of the bare app's", "MiB at start"],
        rows,
        f"SQLite, existing database. Watchword after {SIGN_INS} sign-ins and 10 s of reads: "
        f"{number(loaded)} MiB.",
    )
    bars = [
        Bar(
            "Cold start, of a bare app's",
            start[WATCHWORD.name] / start[BARE.name],
            1.2,
            at_least=False,
        ),
        Bar("A worker after load", loaded, 120, at_least=False, unit=" MiB"),
    ]
    return Part("start_up", [table], bars)


def after_load(ground: Ground) -> float:
    """MiB of one worker of ours after sign-ins and reads."""
    with started(WATCHWORD, ground, ground.database("start_load", "postgresql")) as running:
        register_users(WATCHWORD, running)

        def sign_in(n: int) -> str:
            return WATCHWORD.access_token(running, n % USERS)

        with ThreadPoolExecutor(8) as pool:
            tokens = list(pool.map(sign_in, range(SIGN_INS)))
        file = ground.scratch / "tokens_start"
        file.write_text("\n".join(tokens) + "\n")
        load.start(
            running.url("/user"),
            10,
            connections=32,
            script="many_tokens.lua",
            variables={"BENCH_TOKENS_FILE": str(file)},
        ).result()
        return running.memory()

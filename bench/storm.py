"""What a storm of sign-ins leaves of everybody else's requests, and what the cores can hash."""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from argon2.low_level import Type, hash_secret_raw

from bench import load
from bench.ground import Ground
from bench.report import Bar, Part, Table, number
from bench.serving import Running
from bench.subjects import BY_JWT, TUTORIAL, WATCHWORD, Subject, register_users, started

READERS = 8
SIGNING_IN = 8
# The storm blows before the readers are counted and goes on after: all they see is storm.
LEAD_SECONDS = 1.0
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1


def measure(ground: Ground) -> Part:
    """Ours, the tutorial and fastapi-users, each by itself on PostgreSQL."""
    rows, bars = [], []
    seconds = ground.pace.seconds * 2
    hashes: list[float] = []
    for subject in (WATCHWORD, TUTORIAL, BY_JWT):
        url = ground.database(f"storm_{subject.app.split('.')[2].split(':')[0]}", "postgresql")
        with started(subject, ground, url) as running:
            register_users(subject, running)
            found = []
            for _ in range(max(1, ground.pace.rounds // 2)):
                found.append(one_round(subject, running, seconds))
                if subject is WATCHWORD:
                    hashes.append(can_hash(seconds))
        quiet = middle([each[0] for each in found])
        stormy = middle([each[1] for each in found])
        during = statistics.median(each[2].rate for each in found)
        alone = statistics.median(each[3].rate for each in found)
        kept, slower = stormy.rate / quiet.rate, stormy.p99 / quiet.p99
        rows.append(
            [
                subject.name,
                *(number(each) for each in (quiet.rate, stormy.rate)),
                f"{kept:.0%}",
                *(
                    # Nobody was answered while it blew, so nobody waited so and so long.
                    number(each) if each else "no answer"
                    for each in (quiet.p50, stormy.p50, quiet.p99, stormy.p99)
                ),
                *(number(each) for each in (during, alone)),
            ]
        )
        if subject is WATCHWORD:
            can = statistics.median(hashes)
            bars = [
                Bar("Storm: authenticated throughput kept", kept, 0.80),
                Bar("Storm: p99, times the quiet one", slower, 3, at_least=False),
                Bar("Storm: sign-ins, of what the cores can hash", during / can, 0.5),
                Bar("Sign-ins without readers, of what the cores can hash", alone / can, 0.9),
            ]
    cores = len(os.sched_getaffinity(0))
    table = Table(
        "A storm of sign-ins",
        ["", "reads/s", "in the storm", "kept", "p50, ms", "in it", "p99, ms", "in it",
         "sign-ins/s in it", "without readers"],
        rows,
        f"{READERS} readers, {SIGNING_IN} clients that sign in without pause, PostgreSQL. The "
        f"cores can hash {number(statistics.median(hashes))} passwords a second with ours "
        f"({MEMORY_KIB} KiB, t={PASSES}, p={LANES}) in {cores} threads; the tutorial's and "
        "fastapi-users' defaults cost several times more for each.",
    )  # fmt: skip
    return Part("storm", [table], bars)


def one_round(
    subject: Subject, running: Running, seconds: float
) -> tuple[load.Load, load.Load, load.Load, load.Load]:
    """Readers alone, readers in the storm, the storm meanwhile, the storm alone."""
    token = subject.access_token(running)
    read, signing_in = running.url(subject.read), running.url(subject.login)
    variables = subject.sign_in_variables()

    def storm(length: float) -> load.Running:
        script = "sign_in.lua"
        return load.start(
            signing_in, length, connections=SIGNING_IN, script=script, variables=variables
        )

    quiet = load.reads(read, seconds, connections=READERS, bearer=token)
    blowing = storm(seconds + 2 * LEAD_SECONDS)
    try:
        time.sleep(LEAD_SECONDS)
        stormy = load.reads(read, seconds, connections=READERS, bearer=token)
        meanwhile = blowing.result()
    finally:
        blowing.end()
    return quiet, stormy, meanwhile, storm(seconds).result()


def middle(loads: list[load.Load]) -> load.Load:
    """The medians."""
    return load.Load(
        *(statistics.median(getattr(one, name) for one in loads) for name in ("rate", "p50", "p99"))
    )


def can_hash(seconds: float) -> float:
    """Passwords a second that argon2-cffi alone hashes, in a thread for each core."""
    threads = len(os.sched_getaffinity(0))
    end = time.perf_counter() + seconds

    def work(_: int) -> int:
        done = 0
        while time.perf_counter() < end:
            hash_secret_raw(b"violet-otter", b"0" * 16, PASSES, MEMORY_KIB, LANES, 32, Type.ID)
            done += 1
        return done

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        total = sum(pool.map(work, range(threads)))
    return total / (time.perf_counter() - began)

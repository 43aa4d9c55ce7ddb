"""The same figures with a thousand users and with a million, and with a million revocations.

The users are put into PostgreSQL by SQL, all with one hash of one password, each with a live
session. Requests ask as users spread over the whole table.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from bench import load
from bench.ground import Ground
from bench.refreshes import chains
from bench.report import Bar, Part, Table, number
from bench.serving import Running
from bench.subjects import WATCHWORD, register_users, started

FEW = 1000
ASKING = 100
CONNECTIONS = 32

# user0 is registered as anybody is; the others have its hash.
FILL = (
    "SET session_replication_role = replica",  # or each row would look up the key of another
    """INSERT INTO users (username, username_key, email, email_key, role, is_active, is_verified,
                          epoch, created_at, updated_at)
       SELECT 'user' || n, 'user' || n, 'user' || n || '@example.com',
              'user' || n || '@example.com', 'user', true, true, 0, now(), now()
       FROM generate_series(1, {most}) AS n""",
    """INSERT INTO passwords (user_id, hash, changed_at)
       SELECT id, (SELECT hash FROM passwords LIMIT 1), now() FROM users
       WHERE username <> 'user0'""",
    # Their ids are in the order of time, as UUIDv7 are.
    """INSERT INTO sessions (id, user_id, generation, amr, created_at, rotated_at, expires_at)
       SELECT {session}, n, 0, 'pwd', now(), now(), now() + interval '7 days'
       FROM (SELECT id AS n FROM users) AS known""",
    "VACUUM (ANALYZE) users",
    "VACUUM (ANALYZE) passwords",
    "VACUUM (ANALYZE) sessions",
    "CHECKPOINT",
)
REVOKE = (
    """INSERT INTO token_blacklist (kind, subject, bound, created_at, expires_at)
       SELECT 'session', {session}::text, 0, now(), now() + interval '34 minutes'
       FROM generate_series(1, {many}) AS n""",
    "VACUUM (ANALYZE) token_blacklist",
    "CHECKPOINT",
)
SESSION = (
    "(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 10000000 + n), 12, '0') || '7' "
    "|| substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid"
)


@dataclass(frozen=True)
class Populated:
    """A database of so many users, and a worker on it."""

    users: int
    url: str
    running: Running
    tokens: str


def measure(ground: Ground) -> Part:
    """Few and many in turn; then the many's database again with revocations."""
    with ExitStack() as stack:
        sizes = (FEW, ground.pace.many)
        populated = [_populate(ground, stack, users) for users in sizes]
        ways = _ways(ground)
        found: dict[tuple[str, int], list[float]] = {}
        for _ in range(ground.pace.rounds):
            for way, measured in ways.items():
                for one in populated:
                    found.setdefault((way, one.users), []).append(measured(one))
        url = populated[-1].url
    rate = {each: statistics.median(rates) for each, rates in found.items()}
    rows, bars = [], []
    for way in ways:
        few, many = (rate[way, users] for users in sizes)
        rows.append([way, number(few), number(many), f"{many / few:.2f}"])
        bars.append(Bar(f"{sizes[1]:,} users, of {FEW:,}, {way}", many / few, 0.9))
    growth = Table(
        "Growth: users in PostgreSQL",
        ["requests/s", *(f"{users:,} users" for users in sizes), "ratio"],
        rows,
        f"The routes are asked with {ASKING} tokens of users spread over the table.",
    )
    revoked, further = _revoked(ground, url)
    return Part("growth", [growth, revoked], [*bars, *further])


def _populate(ground: Ground, stack: ExitStack, users: int) -> Populated:
    url = ground.database(f"growth_{users}", "postgresql")
    with started(WATCHWORD, ground, url) as running:
        register_users(WATCHWORD, running, 1)
    _run(ground, url, FILL, most=users - 1)
    running = stack.enter_context(started(WATCHWORD, ground, url))
    step = users // ASKING
    tokens = [WATCHWORD.access_token(running, n) for n in range(0, step * ASKING, step)]
    file = ground.scratch / f"tokens_{users}"
    file.write_text("\n".join(tokens) + "\n")
    return Populated(users, url, running, str(file))


def _ways(ground: Ground) -> dict[str, Callable[[Populated], float]]:
    seconds = ground.pace.seconds

    def read(path: str) -> Callable[[Populated], float]:
        return lambda one: (
            load.start(
                one.running.url(path),
                seconds,
                connections=CONNECTIONS,
                script="many_tokens.lua",
                variables={"BENCH_TOKENS_FILE": one.tokens},
            )
            .result()
            .rate
        )

    def sign_in(one: Populated) -> float:
        return (
            load.start(
                one.running.url(WATCHWORD.login),
                seconds,
                connections=8,
                script="sign_in.lua",
                variables=WATCHWORD.sign_in_variables(one.users),
            )
            .result()
            .rate
        )

    return {
        "CurrentPrincipal": read("/principal"),
        "CurrentUser": read("/user"),
        "sign-in": sign_in,
        "refresh": lambda one: chains(WATCHWORD, one.running, seconds).rate,
    }


def _revoked(ground: Ground, url: str) -> tuple[Table, list[Bar]]:
    """A worker's start, memory and pace, before and after the revocations are there."""
    many = ground.pace.many
    without = _worker(ground, url)
    _run(ground, url, REVOKE, many=many)
    among = _worker(ground, url)
    rows = [
        [name, f"{before:.2f}", f"{after:.2f}"]
        for name, before, after in zip(
            ("seconds to the first 200", "MiB of the worker", "CurrentPrincipal, requests/s"),
            without,
            among,
            strict=True,
        )
    ]
    title = "Growth: live revocations"
    bars = [
        Bar(f"Start with {many:,} revocations", among[0], 3, at_least=False, unit=" s"),
        Bar(f"A worker with {many:,} revocations", among[1], 120, at_least=False, unit=" MiB"),
        Bar("CurrentPrincipal with the revocations, of without", among[2] / without[2], 0.95),
    ]
    return Table(title, ["", "none", f"{many:,}"], rows), bars


def _worker(ground: Ground, url: str) -> tuple[float, float, float]:
    starts, weights, rates = [], [], []
    for _ in range(min(3, ground.pace.rounds)):
        with started(WATCHWORD, ground, url) as running:
            token = WATCHWORD.access_token(running)
            address = running.url("/principal")
            one = load.reads(address, ground.pace.seconds, connections=CONNECTIONS, bearer=token)
            starts.append(running.start_seconds)
            weights.append(running.memory())
            rates.append(one.rate)
    return statistics.median(starts), statistics.median(weights), statistics.median(rates)


def _run(ground: Ground, url: str, statements: tuple[str, ...], **numbers: int) -> None:
    ground.execute(url, [each.format(session=SESSION, **numbers) for each in statements])

"""uvicorn and granian as the server of the same app."""

from __future__ import annotations

import statistics
from contextlib import ExitStack

from bench import load
from bench.ground import Ground
from bench.report import Part, Table, number
from bench.serving import Running, granian, uvicorn
from bench.subjects import WATCHWORD, register_users, started

SERVERS = {"uvicorn": uvicorn, "granian": granian}
ROUTES = ("/bare", "/principal", "sign-ins")


def measure(ground: Ground) -> Part:
    """Each route by each server, in turn."""
    found: dict[tuple[str, str], list[load.Load]] = {}
    memory: dict[str, float] = {}
    with ExitStack() as stack:
        running: dict[str, Running] = {}
        for name, server in SERVERS.items():
            url = ground.database(f"served_by_{name}", "postgresql")
            one = stack.enter_context(started(WATCHWORD, ground, url, server=server))
            register_users(WATCHWORD, one)
            running[name] = one
        tokens = {name: WATCHWORD.access_token(one) for name, one in running.items()}
        for _ in range(ground.pace.rounds):
            for route in ROUTES:
                for name, one in running.items():
                    measured = _once(one, route, tokens[name], ground.pace.seconds)
                    found.setdefault((name, route), []).append(measured)
        memory = {name: one.memory() for name, one in running.items()}
    rows = []
    for name in SERVERS:
        cells = [name]
        for route in ROUTES:
            cells.append(number(statistics.median(one.rate for one in found[name, route])))
            cells.append(number(statistics.median(one.p99 for one in found[name, route])))
        rows.append([*cells, number(memory[name])])
    head = ["", *(cell for route in ROUTES for cell in (f"{route}, /s", "p99, ms")), "MiB"]
    note = "32 connections on the routes, 8 for the sign-ins; PostgreSQL; MiB with all processes."
    return Part("servers", [Table("Servers", head, rows, note)])


def _once(running: Running, route: str, token: str, seconds: float) -> load.Load:
    if route == "sign-ins":
        return load.start(
            running.url(WATCHWORD.login),
            seconds,
            connections=8,
            script="sign_in.lua",
            variables=WATCHWORD.sign_in_variables(),
        ).result()
    bearer = token if route == "/principal" else None
    return load.reads(running.url(route), seconds, bearer=bearer)

"""How long after a logout's answer some worker still accepts the token: measured from outside."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.services import Service

PASSWORD = "violet-otter-rows-home"
_LONGEST = 30.0


@dataclass(frozen=True)
class Line:
    """A connection that is kept open, and the process that it ends in."""

    pid: int
    connection: http.client.HTTPConnection

    def status(self, token: str) -> int:
        """What this worker answers to somebody who asks who they are."""
        bearer = {"Authorization": f"Bearer {token}"}
        self.connection.request("GET", "/api/v1/auth/me", headers=bearer)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status


@contextmanager
def a_line_to_each_worker(service: Service, workers: int) -> Iterator[list[Line]]:
    """Connect until every worker has been met: who accepts a connection is the kernel's choice."""
    lines: dict[int, Line] = {}
    tried: list[http.client.HTTPConnection] = []
    port = int(service.url.rpartition(":")[2])
    ends = time.monotonic() + 60
    try:
        while len(lines) < workers:
            assert time.monotonic() < ends, f"only {len(lines)} workers have answered"
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            tried.append(connection)
            connection.request("GET", "/api/v1/health")
            connection.getresponse().read()
            pid = _process_behind(service.process.pid, port, connection.sock.getsockname()[1])
            lines.setdefault(pid, Line(pid, connection))
        yield list(lines.values())
    finally:
        for connection in tried:
            connection.close()


def _process_behind(parent: int, port: int, peer: int) -> int:
    """Which of the parent's children holds the other end, as the kernel tells."""
    wanted = (f"0100007F:{port:04X}", f"0100007F:{peer:04X}")
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inode = next(row[9] for row in rows if (row[1], row[2]) == wanted)
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        for descriptor in Path(f"/proc/{child}/fd").iterdir():
            # A worker opens and closes others (its database's) while they are looked through.
            with suppress(FileNotFoundError):
                if str(descriptor.readlink()) == f"socket:[{inode}]":
                    return int(child)
    raise AssertionError("the connection ends in none of the workers")


def measure(service: Service, workers: int, logouts: int) -> list[float]:
    """Seconds from each logout's answer to the last acceptance by any worker; sorted.

    The last answer that let the token in counts as of when we had it in hand: never too early.
    """
    with a_line_to_each_worker(service, workers) as lines, ThreadPoolExecutor(workers) as pool:
        pool_of_tokens = _Tokens(lines[0])
        return sorted(_one(lines, pool, pool_of_tokens.next()) for _ in range(logouts))


def _one(lines: Sequence[Line], pool: ThreadPoolExecutor, token: str) -> float:
    for line in lines:
        assert line.status(token) == 200, "known and remembered everywhere"
    asking = [pool.submit(_ask_until_refused, line, token) for line in lines[1:]]
    # Logged out at one of the workers, while the others are asked without a pause.
    connection = lines[0].connection
    connection.request("POST", "/api/v1/auth/logout", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answered = time.perf_counter()
    answer.read()
    assert answer.status == 200
    assert lines[0].status(token) == 401, "at once where it was revoked"
    return max(0.0, max(each.result() for each in asking) - answered)


def _ask_until_refused(line: Line, token: str) -> float:
    last = 0.0
    ends = time.perf_counter() + _LONGEST
    while (status := line.status(token)) == 200:
        last = time.perf_counter()
        assert last < ends, "it accepts for ever"
    assert status == 401
    return last


class _Tokens:
    """One person who signs in again and again."""

    def __init__(self, line: Line) -> None:
        self._line = line
        person = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
        self._post("register", person)

    def next(self) -> str:
        body = self._post("login", {"username": "ann", "password": PASSWORD})
        return str(body["access_token"])

    def _post(self, path: str, body: dict[str, str]) -> dict[str, object]:
        connection = self._line.connection
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/api/v1/auth/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        read: dict[str, object] = json.loads(answer.read())
        assert answer.status < 300, read
        return read


def figures(seconds: Sequence[float]) -> str:
    """p50, p99 and the longest, in milliseconds."""
    cut = statistics.quantiles(seconds, n=100, method="inclusive")
    return (
        f"p50 {cut[49] * 1000:.0f} ms, p99 {cut[98] * 1000:.0f} ms, "
        f"longest {max(seconds) * 1000:.0f} ms, of {len(seconds)} logouts"
    )

"""wrk in another process: how many answers a second, and how long the slow ones took."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.steps import Failed

SCRIPTS = Path(__file__).resolve().parent
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


@dataclass(frozen=True)
class Load:
    """What one run of wrk measured: answers a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


class Running:
    """A wrk that has been started; ``result`` waits for its end."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    def result(self) -> Load:
        """What it measured. Raises Failed where an answer was not 2xx, or none came."""
        try:
            said, _ = self._process.communicate(timeout=self._seconds + 30)
        except subprocess.TimeoutExpired:
            self.end()
            raise Failed("wrk did not end when its time was up") from None
        return _read(said)

    def end(self) -> None:
        """End it early."""
        self._process.kill()
        self._process.wait()


def start(
    url: str,
    seconds: float,
    *,
    connections: int,
    threads: int = 1,
    bearer: str | None = None,
    script: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Running:
    """Start wrk against ``url``; ``bearer`` goes into every request, ``script`` is one of ours."""
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    command += ["--latency", "--timeout", "30s"]
    command += ["-H", f"Authorization: Bearer {bearer}"] if bearer else []
    command += ["-s", str(SCRIPTS / script)] if script else []
    process = subprocess.Popen(
        [*command, url],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Running(process, seconds)


def reads(url: str, seconds: float, *, connections: int = 32, bearer: str | None = None) -> Load:
    """Ask for one URL over and over."""
    return start(url, seconds, connections=connections, bearer=bearer).result()


def _read(said: str) -> Load:
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    # A refusal is quicker than an answer: a rate with refusals in it would be no rate.
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", said)
    if rate is None or wrong is not None:
        raise Failed(f"wrk could not measure:\n{said[-1500:]}")
    return Load(float(rate[1]), _percentile(said, 50), _percentile(said, 99))


def _percentile(said: str, which: int) -> float:
    found = re.search(rf"^\s+{which}%\s+([\d.]+)(us|ms|s|m)\s*$", said, re.MULTILINE)
    if found is None:
        raise Failed(f"wrk gave no {which}th percentile:\n{said[-1500:]}")
    return float(found[1]) * _UNITS[found[2]]

"""A real service in a process of its own, as `watchword serve` starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.ports import free_port

WATCHWORD = [sys.executable, "-m", "watchword.cli.main"]


@dataclass(frozen=True)
class Service:
    """A running service. ``output`` is where its terminal and its log go."""

    process: subprocess.Popen[bytes]
    url: str
    output: Path

    @property
    def api(self) -> str:
        """Where its API lies."""
        return f"{self.url}/api/v1"


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """What a process needs, nothing of the developer's own, and cheap hashing."""
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("COVERAGE", "PATH"))}
    return {
        **kept,
        "WATCHWORD_ENVIRONMENT": "development",
        "WATCHWORD_DATA_DIR": str(folder / "watchword"),
        "WATCHWORD_HASH_MEMORY_KIB": "8",
        "WATCHWORD_HASH_ITERATIONS": "1",
        **{f"WATCHWORD_{name.upper()}": value for name, value in settings.items()},
    }


@contextmanager
def service(
    folder: Path, *arguments: str, port: str | None = None, **settings: str
) -> Iterator[Service]:
    """Start a service, wait until it answers, and end it by its id."""
    port = port or str(free_port())
    output = folder / f"service-{port}.log"
    with output.open("ab") as log:
        process = subprocess.Popen(
            [*WATCHWORD, "serve", "--port", port, *arguments],
            env=environment(folder, **settings),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    running = Service(process, f"http://127.0.0.1:{port}", output)
    try:
        wait_until_it_answers(running)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def wait_until_it_answers(running: Service) -> None:
    """For half a minute at most."""
    for _ in range(600):
        if running.process.poll() is not None:
            raise AssertionError(f"the service ended:\n{running.output.read_text()}")
        try:
            if httpx2.get(f"{running.api}/health").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the service did not answer:\n{running.output.read_text()}")

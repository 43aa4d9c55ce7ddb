"""Real processes: a command as it is typed, and a service on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

WATCHWORD = (sys.executable, "-m", "watchword.cli.main")
SECRET_KEY = "Zq3vN8rT5yB1kW7mX4cJ9hL2pD6gF0sA-uE_iO"
PASSWORD = "violet-otter-rows-home"


@dataclass(frozen=True)
class Service:
    """A running ``watchword serve``; ``folder`` has its data and what it wrote."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, trust_env=False)

    @property
    def terminal(self) -> str:
        """What it printed for whoever started it."""
        return (self.folder / "stdout").read_text()

    @property
    def log(self) -> str:
        """Its log lines."""
        return (self.folder / "stderr").read_text()

    def end(self) -> int:
        """Ask it to end, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """What a process needs, cheap hashing, and nothing of the developer's own."""
    own = os.environ  # noqa: TID251 - handed on, but for what would be read as a setting
    kept = {name: own[name] for name in own if name.startswith(("COVERAGE", "PATH", "HOME"))}
    ours = {
        "environment": "development",
        "data_dir": str(folder / "data"),
        "hash_memory_kib": "8",
        "hash_iterations": "1",
        **settings,
    }
    return {**kept, **{f"WATCHWORD_{name.upper()}": value for name, value in ours.items()}}


def production(**settings: str) -> dict[str, str]:
    """The least that production starts with."""
    return {"environment": "production", "secret_key": SECRET_KEY, "mail": "off", **settings}


def watchword(
    folder: Path, *arguments: str, stdin: str | bytes = b"", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Its output is text; what is no UTF-8 in it fails the test."""
    done = subprocess.run(
        [*WATCHWORD, *arguments],
        env=environment(folder, **settings),
        cwd=folder,
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    folder: Path, *arguments: str, notify_socket: str = "", **settings: str
) -> Iterator[Service]:
    """Start a service, wait until it answers, and end it by its id."""
    port = free_port()
    env = environment(folder, **settings)
    if notify_socket:
        env["NOTIFY_SOCKET"] = notify_socket
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [*WATCHWORD, "serve", "--port", str(port), *arguments],
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    service = Service(process, folder, port)
    try:
        _wait_for(service)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)


def _wait_for(service: Service) -> None:
    with service.client as client:
        for _ in range(300):
            assert service.process.poll() is None, service.log
            try:
                if client.get("/health", timeout=20).status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.1)
    raise AssertionError(f"no answer from the service:\n{service.log}")

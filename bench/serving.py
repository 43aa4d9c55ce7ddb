"""An app in a process of its own on a free loopback port, ended by its id."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.steps import Failed

from bench.environments import ROOT

Server = Callable[[Path, str, int], list[str]]

START_SECONDS = 120.0
STOP_SECONDS = 15.0
LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Running:
    """A server that has answered its first 200. ``start_seconds``: from the command to that."""

    port: int
    pid: int
    start_seconds: float

    def url(self, path: str) -> str:
        """Where a path is."""
        return f"http://127.0.0.1:{self.port}{path}"

    def post(self, path: str, body: str, content_type: str = "application/json") -> Any:
        """The JSON that a POST answers. Raises Failed for anything but a 2xx."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status // 100 != 2:
            raise Failed(f"POST {path} answered {answer.status}: {text[:300]}")
        return json.loads(text)

    def memory(self) -> float:
        """Resident memory of the process and its children, in MiB, as the kernel counts it."""
        return sum(_resident(pid) for pid in [self.pid, *_children(self.pid)])


def uvicorn(python: Path, app: str, port: int) -> list[str]:
    """The command that serves an app as ``watchword serve`` does: uvloop, httptools, no log."""
    options = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop"]
    options += ["--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [str(python), "-m", "uvicorn", app, *options]


def granian(python: Path, app: str, port: int) -> list[str]:
    """The same by granian, one worker."""
    options = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop"]
    options += ["--interface", "asgi", "--workers", "1", "--no-ws", "--log-level", "error"]
    return [str(python), "-m", "granian", *options, "--no-access-log", app]


@contextmanager
def serving(
    python: Path,
    app: str,
    environment: Mapping[str, str],
    folder: Path,
    *,
    first: str,
    server: Server = uvicorn,
) -> Iterator[Running]:
    """Start an app in ``folder``, wait until ``first`` answers 200, and end it afterwards.

    Raises Failed, with what the server said, when it does not start.
    """
    port = _free_port()
    place = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            server(python, app, port),
            cwd=folder,  # a developer's .env lies elsewhere
            env=place | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            if not _comes_up(process, port, first):
                _stop(process)
                said.seek(0)
                words = said.read().decode(errors="replace")[-3000:]
                raise Failed(f"{app} did not answer {first}:\n{words}")
            yield Running(port, process.pid, time.perf_counter() - began)
        finally:
            _stop(process)


def _comes_up(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    end = time.perf_counter() + START_SECONDS
    while process.poll() is None and time.perf_counter() < end:
        if _answers(port, path):
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status == 200
    connection.close()
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for child in _children(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(child, 9)
            process.kill()
            process.wait()


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise Failed(f"the kernel does not say how much memory process {pid} has")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

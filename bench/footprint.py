"""What one worker costs: seconds from the command to the first 200, and memory after sign-ins.

    .venv/bin/python -m bench.footprint [SIGN_INS]

Starts `watchword serve` on SQLite in a temporary folder, on loopback, and ends it by its id.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
from tests.ports import free_port

ROUNDS = 5
PASSWORD = "violet-otter-rows-home"


def main(sign_ins: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = [start_and_stop(Path(folder) / f"fresh{n}") for n in range(ROUNDS)]
        again = [start_and_stop(Path(folder) / "fresh0") for n in range(ROUNDS)]
        print(f"cold start to the first 200, empty database: {statistics.median(fresh):.2f} s")
        print(f"cold start to the first 200, existing one:   {statistics.median(again):.2f} s")
        measure_memory(Path(folder) / "memory", sign_ins)


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A service of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "WATCHWORD_ENVIRONMENT": "development",
        "WATCHWORD_DATA_DIR": str(folder),
        "WATCHWORD_PORT": str(port),
        "WATCHWORD_LIMIT_LOGIN": "off",
        "WATCHWORD_LOG_LEVEL": "error",
    }
    command = [str(Path(sys.executable).parent / "watchword"), "serve"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait(port: int) -> None:
    """Until it answers, for half a minute at most."""
    for _ in range(3000):
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/api/v1/health").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.01)
    raise SystemExit("the service did not start")


def start_and_stop(folder: Path) -> float:
    """Seconds from the command to the first 200."""
    port = free_port()
    began = time.perf_counter()
    process = start(folder, port)
    try:
        wait(port)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


def measure_memory(folder: Path, sign_ins: int) -> None:
    """Resident memory before and after."""
    port = free_port()
    process = start(folder, port)
    try:
        wait(port)
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as client:
            person = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
            client.post("/auth/register", json=person).raise_for_status()
            before = resident(process.pid)
            began = time.perf_counter()
            for _ in range(sign_ins):
                client.post("/auth/login", json=person).raise_for_status()
            seconds = time.perf_counter() - began
            after = resident(process.pid)
        print(f"resident memory of the worker: {before} MiB at start, {after} MiB after")
        print(f"{sign_ins} sign-ins in {seconds:.1f} s, one after another")
    finally:
        process.terminate()
        process.wait(30)


def resident(pid: int) -> int:
    """Resident memory in MiB, as the kernel counts it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    raise SystemExit("no VmRSS")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)

"""What a run needs beside this repository: two virtual environments, wrk and PostgreSQL.

fastapi-users asks for an older SQLAlchemy than Watchword does, so each has an environment with
the versions that its own authors allow. Both lie in .venv and go with it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import venv
from pathlib import Path

from tools.steps import Failed, headline

ROOT = Path(__file__).resolve().parent.parent
OURS = "bench"
FASTAPI_USERS = "bench-fastapi-users"
NO_WRK = (
    "The benchmark needs the load generator wrk: install it (Debian and Ubuntu: 'apt-get install "
    "wrk' as root), then run this again."
)


def python_of(name: str) -> Path:
    """The interpreter of an environment."""
    return ROOT / ".venv" / name / "bin" / "python"


def make(name: str) -> Path:
    """Bring an environment up to its locked requirements; gives its interpreter."""
    requirements = ROOT / "requirements" / f"{name}.txt"
    folder = ROOT / ".venv" / name
    stamp = folder / "bench.stamp"
    wanted = hashlib.sha256(requirements.read_bytes() + str(folder).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python_of(name)
    headline(f"Installing requirements/{name}.txt (once)")
    venv.create(folder, with_pip=True, clear=True, symlinks=True)
    install = [str(python_of(name)), "-m", "pip", "install", "-qq", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*install, "--disable-pip-version-check", "-r", str(requirements)], timeout=600
    )
    if done.returncode:
        raise Failed(f"requirements/{name}.txt could not be installed; pip says why above.", code=2)
    stamp.write_text(wanted)
    return python_of(name)


def ensure_wrk() -> None:
    """Install Debian's wrk where we may. Raises Failed with one sentence where we may not."""
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        headline("Installing Debian's wrk package")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "wrk"]
        for command in (["apt-get", "update", "-qq"], install):
            done = subprocess.run(
                command, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=300
            )
            if done.returncode:
                raise Failed(NO_WRK, code=2)
    if not shutil.which("wrk"):
        raise Failed(NO_WRK, code=2)

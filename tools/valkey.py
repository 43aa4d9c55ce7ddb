"""A Valkey or Redis of one's own: a private server on a free loopback port, gone afterwards."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from tools.postgres import bound_to_us
from tools.steps import Failed, headline

PROGRAMS = ("valkey-server", "redis-server")
HOW_TO_INSTALL = (
    "The tests with Valkey are left out: install valkey-server or redis-server (Debian and Ubuntu: "
    "'apt-get install redis-server' as root) to run them too."
)
START_SECONDS = 20.0
PORTS_TO_TRY = 5


def find_or_install() -> Path | None:
    """Return the server's program, installing Debian's package where we may; None without one."""
    if found := _find():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        headline("Installing Debian's redis-server package")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "redis-server"]
        for command in (["apt-get", "update", "-qq"], install):
            done = subprocess.run(
                command, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            if done.returncode:
                return None
    return _find()


def _find() -> Path | None:
    return next((Path(place) for name in PROGRAMS if (place := shutil.which(name))), None)


@contextmanager
def server(program: Path, folder: Path) -> Iterator[str]:
    """Start a server whose data lies in memory alone and yield its URL; it has stopped afterwards.

    Raises ``Failed`` with the server's own words when it does not come up.
    """
    password = token_hex(16)
    process, port = _start(program, folder, password)
    try:
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        _stop(process)


def _start(program: Path, folder: Path, password: str) -> tuple[subprocess.Popen[bytes], int]:
    log = folder / "valkey.log"
    for _ in range(PORTS_TO_TRY):
        port = _free_port()
        # Read from standard input: a password among the arguments is for everybody to see.
        told = f'port {port}\nbind 127.0.0.1\nsave ""\nappendonly no\nrequirepass {password}\n'
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*bound_to_us(), str(program), "-"],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if process.stdin is not None:
            process.stdin.write(told.encode())
            process.stdin.close()
        try:
            if _ready(process, port):
                return process, port
        except BaseException:
            _stop(process)
            raise
        # Somebody took the port between our look and the server's: another one, then.
    raise Failed(f"{program.name} did not start:\n{log.read_text(errors='replace')}")


def _ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server takes connections; False when it gave up."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            if time.monotonic() > end:
                _stop(process)
                return False
            time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

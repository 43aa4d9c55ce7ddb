"""A PostgreSQL of one's own: a private cluster on a free loopback port, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from tools.steps import Failed, headline

DEBIAN_HOMES = "/usr/lib/postgresql/*/bin"
HOW_TO_INSTALL = (
    "The tests need PostgreSQL 14 or later: install it (Debian and Ubuntu: 'apt-get install "
    "postgresql' as root), or name a server that may be filled and emptied in "
    "WATCHWORD_TEST_POSTGRES, then run this again."
)
START_SECONDS = 60.0
PORTS_TO_TRY = 5
# A cluster that is thrown away need not survive a power cut; one on loopback is still shut, since
# whoever is superuser in it runs commands as its owner.
OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "logging_collector": "off",
}


@dataclass(frozen=True)
class Owner:
    """Who runs the cluster: PostgreSQL refuses to run as root."""

    uid: int
    gid: int
    dropped: bool


def ensure_installed() -> Path:
    """Return the folder of PostgreSQL's programs, installing Debian's package where we may.

    Raises ``Failed`` with exit code 2 and one sentence on what to install.
    """
    if found := _find():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        headline("Installing Debian's postgresql package")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "postgresql"]
        for command in (["apt-get", "update", "-qq"], install):
            done = subprocess.run(
                command, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            if done.returncode:
                raise Failed(HOW_TO_INSTALL, code=2)
        if found := _find():
            return found
    raise Failed(HOW_TO_INSTALL, code=2)


def _find() -> Path | None:
    homes = [Path(place).parent for place in [shutil.which("initdb")] if place]
    # The newest first; Debian leaves initdb out of PATH.
    debian = sorted(
        Path("/").glob(DEBIAN_HOMES.lstrip("/")),
        key=lambda home: [int(part) for part in home.parent.name.split(".") if part.isdigit()],
        reverse=True,
    )
    for home in [*debian, *homes]:
        if (home / "initdb").exists() and (home / "postgres").exists():
            return home
    return None


@contextmanager
def cluster(programs: Path, folder: Path) -> Iterator[str]:
    """Start a cluster under ``folder`` and yield its URL; it has stopped when this returns.

    Raises ``Failed`` with the server's own words when it does not come up.
    """
    owner = _owner()
    data, password = folder / "postgresql", token_hex(16)
    secret = folder / "postgresql.password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    data.mkdir(mode=0o700)
    if owner.dropped:
        folder.chmod(0o711)
        for path in (data, secret):
            os.chown(path, owner.uid, owner.gid)
    _initialise(programs, data, secret, owner)
    secret.unlink()
    process, port = _start(programs, data, owner)
    try:
        yield f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    finally:
        _stop(process)


def _owner() -> Owner:
    if os.geteuid() != 0:
        return Owner(os.getuid(), os.getgid(), dropped=False)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(entry.pw_uid, entry.pw_gid, dropped=True)
    raise Failed("PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody'.")


def _initialise(programs: Path, data: Path, secret: Path, owner: Owner) -> None:
    command = [str(programs / "initdb"), f"--pgdata={data}", "--username=postgres"]
    command += ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
    done = _spawn([*command, "--no-sync"], owner, data, subprocess.PIPE)
    output, _ = done.communicate()
    if done.returncode:
        raise Failed(f"initdb failed:\n{output.decode(errors='replace')}")


def _start(programs: Path, data: Path, owner: Owner) -> tuple[subprocess.Popen[bytes], int]:
    log = data / "server.log"
    for _ in range(PORTS_TO_TRY):
        port = _free_port()
        options = {**OPTIONS, "port": str(port)}
        command = [str(programs / "postgres"), "-D", str(data)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with log.open("wb") as output:
            process = _spawn(command, owner, data, output.fileno())
        try:
            if _ready(process, data):
                return process, port
        except BaseException:
            _stop(process)
            raise
        # Somebody took the port between our look and the server's: another one, then.
    raise Failed(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")


def _spawn(command: list[str], owner: Owner, data: Path, output: int) -> subprocess.Popen[bytes]:
    command = [*bound_to_us(), *command]
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.Popen(
        command,
        cwd=data,
        env={**mine, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=owner.uid if owner.dropped else None,
        group=owner.gid if owner.dropped else None,
        extra_groups=[] if owner.dropped else None,
    )


def bound_to_us() -> list[str]:
    """Give a prefix by which the kernel ends the server even when we end by SIGKILL, if it can."""
    prefix = ["setpriv", "--pdeathsig", "QUIT"]
    with suppress(FileNotFoundError):
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return []


def _ready(process: subprocess.Popen[bytes], data: Path) -> bool:
    """Wait until the server takes connections; False when it gave up."""
    end = time.monotonic() + START_SECONDS
    state = data / "postmaster.pid"
    while process.poll() is None:
        # The last line of this file is how pg_ctl knows, too.
        lines = state.read_text().splitlines() if state.exists() else []
        if lines and lines[-1].strip() == "ready":
            return True
        if time.monotonic() > end:
            _stop(process)
            return False
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server at once, as ``pg_ctl stop --mode=immediate`` does, and wait until it has."""
    if process.poll() is None:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

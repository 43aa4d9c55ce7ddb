"""How long after a logout's answer another of four workers still accepts the token.

    .venv/bin/python -m bench.revocation [LOGOUTS]

Starts `watchword serve --workers 4` twice, on a PostgreSQL of its own and on SQLite, on loopback,
and asks all workers without a pause. The bars: p99 of 100 ms on PostgreSQL, 300 ms on SQLite.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.feed.hammering import figures, measure
from tests.services import service
from tools import postgres

WORKERS = 4


def main(logouts: int) -> None:
    """Print the figures."""
    # As root the cluster runs as somebody else, who could not reach a folder inside root's own.
    place = "/tmp" if os.geteuid() == 0 else None  # noqa: S108 -- mkdtemp makes a private folder
    with tempfile.TemporaryDirectory(prefix="watchword-bench-", dir=place) as folder:
        with postgres.cluster(postgres.ensure_installed(), Path(folder)) as url:
            report("PostgreSQL", Path(folder) / "on-postgres", logouts, database_url=url)
        report("SQLite", Path(folder) / "on-sqlite", logouts)


def report(name: str, folder: Path, logouts: int, **settings: str) -> None:
    """Measure on one database."""
    folder.mkdir()
    with service(
        folder, "--workers", str(WORKERS), port=None, log_level="error", **settings
    ) as running:
        print(f"{name}: {figures(measure(running, WORKERS, logouts))}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 150)

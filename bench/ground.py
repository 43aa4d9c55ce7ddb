"""What a run stands on: a scratch folder, a PostgreSQL of its own, and how long to measure."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from tools import postgres

# A write that is answered is on the disk: our refresh writes and the tutorial's does not, so a
# database that forgets to wait would be a gift to us.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass(frozen=True)
class Pace:
    """How often and how long one thing is measured."""

    rounds: int
    seconds: float
    many: int  # users and revocations that are a lot


THOROUGH = Pace(rounds=5, seconds=3, many=1_000_000)
QUICK = Pace(rounds=1, seconds=1, many=20_000)


@dataclass(frozen=True)
class Ground:
    """Handed to every part."""

    scratch: Path
    postgres: str
    pace: Pace

    def database(self, name: str, kind: str) -> str:
        """The URL of a new, empty database of a ``kind``: sqlite or postgresql."""
        if kind == "sqlite":
            return f"sqlite:///{self.scratch / name}.db"
        self.execute(self.postgres, [f'CREATE DATABASE "{name}"'])
        return f"{self.postgres.rpartition('/')[0]}/{name}"

    def execute(self, url: str, statements: Sequence[str]) -> None:
        """Run statements in a PostgreSQL database, each by itself."""

        async def run() -> None:
            connection: Any = await asyncpg.connect(url)
            try:
                for statement in statements:
                    await connection.execute(statement, timeout=300)
            finally:
                await connection.close()

        asyncio.run(run())


@contextmanager
def ground(pace: Pace) -> Iterator[Ground]:
    """Lay it, and clear it away afterwards."""
    with ExitStack() as stack:
        # PostgreSQL refuses to run as root, and who runs it then could not reach root's own.
        folder = tempfile.TemporaryDirectory(prefix="watchword-bench-", dir="/tmp")
        scratch = Path(stack.enter_context(folder))
        postgres.OPTIONS.update(DURABLE)
        programs = postgres.ensure_installed()
        yield Ground(scratch, stack.enter_context(postgres.cluster(programs, scratch)), pace)

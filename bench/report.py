"""Tables, bars and the page that they are written to."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.environments import FASTAPI_USERS, OURS, ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
BY_HAND = "<!-- What follows is written by hand; a further run keeps it. -->"
_SHOWN = (
    "fastapi", "starlette", "uvicorn", "granian", "sqlalchemy", "asyncpg", "aiosqlite", "joserfc",
    "cryptography", "argon2-cffi", "pyjwt", "python-jose", "passlib", "fastapi-users",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Figures, with a first row of what they are."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """What was asked for and what came out; ``at_least`` says on which side of it is good."""

    what: str
    figure: float
    bar: float
    at_least: bool = True
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure is on the good side."""
        return self.figure >= self.bar if self.at_least else self.figure <= self.bar


@dataclass(frozen=True)
class Part:
    """What one part of the run found."""

    name: str
    tables: Sequence[Table]
    bars: Sequence[Bar] = field(default_factory=tuple)


def bars_table(bars: Iterable[Bar]) -> Table:
    """All bars, met or not."""
    rows = [
        [
            bar.what,
            f"{'at least' if bar.at_least else 'at most'} {number(bar.bar)}{bar.unit}",
            f"{number(bar.figure)}{bar.unit}",
            "met" if bar.met else "**missed**",
        ]
        for bar in bars
    ]
    return Table("Bars", ["bar", "asked", "found", ""], rows)


def number(value: float) -> str:
    """A figure with as many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def printed(table: Table) -> str:
    """A table for a terminal."""
    rows = [list(table.head), *(list(row) for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    note = [table.note] if table.note else []
    return "\n".join([f"\n{table.title}", *lines, *note])


def write(parts: Sequence[Part], seconds: float) -> None:
    """Write the page; what stands below the marker of an earlier one stays."""
    bars = bars_table(bar for part in parts for bar in part.bars)
    sections = [_HEAD.format(date=datetime.now(UTC).date(), minutes=seconds / 60), machine()]
    sections += [_markdown(table) for table in [bars, *(t for part in parts for t in part.tables)]]
    missed = [bar for part in parts for bar in part.bars if not bar.met]
    PAGE.write_text("\n\n".join([*sections, BY_HAND, _by_hand(missed)]).rstrip() + "\n")


def _by_hand(missed: Sequence[Bar]) -> str:
    earlier = PAGE.read_text().partition(BY_HAND)[2].strip() if PAGE.exists() else ""
    text = earlier or "## Where the time goes"
    # One paragraph for each bar that is missed, left to be written; those that are there stay.
    fresh = [f"**{bar.what}.**" for bar in missed if f"**{bar.what}.**" not in text]
    return "\n\n".join([text, *fresh])


def machine() -> str:
    """What all this was measured on."""
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    cores = f"{len(os.sched_getaffinity(0))} cores ({cpu[1] if cpu else platform.machine()})"
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    lines = [
        f"- {cores}, {system}",
        f"- beside Watchword: {versions(OURS)}",
        f"- beside fastapi-users, which asks for an older SQLAlchemy: {versions(FASTAPI_USERS)}",
        f"- {_wrk()}; every app one worker of uvicorn with uvloop and httptools, no access log",
    ]
    return "\n".join(lines)


def versions(environment: str) -> str:
    """The versions that matter, of one environment's lock."""
    text = (ROOT / "requirements" / f"{environment}.txt").read_text()
    pins = dict(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", text, re.MULTILINE))
    return ", ".join(f"{name} {pins[name]}" for name in _SHOWN if name in pins)


def _wrk() -> str:
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, timeout=10).stdout
    found = re.search(r"wrk \S+", said)
    return found[0] if found else "wrk"


def _markdown(table: Table) -> str:
    lines = [f"## {table.title}", "", _line(table.head)]
    lines.append("|" + "|".join("---" if n == 0 else "---:" for n in range(len(table.head))) + "|")
    lines += [_line(row) for row in table.rows]
    return "\n".join([*lines, *(["", table.note] if table.note else [])])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


_HEAD = """\
# Benchmarks

Measured by `make bench` on {date}, in one run of {minutes:.0f} minutes. One part alone, printed \
and not written down: `make bench ONLY=hot_path`, or `verify`, `storm`, `refreshes`, `growth`, \
`start_up`, `servers`.

Everything runs on one machine: the app, the load generator in a process of its own, and \
PostgreSQL, which here writes to the disk before it says so (`fsync` and `synchronous_commit` on). \
Rounds take turns between the apps, and the median round counts. Compare ratios, not figures: \
another machine has other ones."""

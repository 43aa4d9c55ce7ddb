"""Measure the parts one after another, print what they find, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType

from tools.steps import Failed, Stopped, headline, stopping_cleanly

from bench import growth, hot_path, refreshes, servers, start_up, storm, verify
from bench.ground import QUICK, THOROUGH, ground
from bench.report import Part, bars_table, machine, printed, write

PARTS = {
    "hot_path": hot_path.measure,
    "verify": verify.measure,
    "storm": storm.measure,
    "refreshes": refreshes.measure,
    "growth": growth.measure,
    "start_up": start_up.measure,
    "servers": servers.measure,
}

# On a quiet machine a run takes some 15; what is slower than this measures something else.
MOST_MINUTES = 30


def main() -> int:
    """Measure what is asked for; the exit code says whether it could be, not whether bars hold."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part, printed and not written down")
    parser.add_argument("--quick", action="store_true", help="see that it runs; no figure counts")
    options = parser.parse_args()
    began = time.perf_counter()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(MOST_MINUTES * 60)
    parts: list[Part] = []
    try:
        with stopping_cleanly(), ground(QUICK if options.quick else THOROUGH) as laid:
            print(machine(), flush=True)
            for name in [options.only] if options.only else PARTS:
                headline(name)
                part = PARTS[name](laid)
                parts.append(part)
                for table in part.tables:
                    print(printed(table), flush=True)
    except Failed as failure:
        headline(f"FAILED: {failure}")
        return failure.code
    except Stopped as stopped:
        headline(str(stopped))
        return stopped.code
    seconds = time.perf_counter() - began
    print(printed(bars_table(bar for part in parts for bar in part.bars)))
    print(f"\n{seconds:.0f} s")
    if not options.only and not options.quick:
        write(parts, seconds)
    return 0


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise Failed(f"the run took more than {MOST_MINUTES} minutes: is the machine busy?")


if __name__ == "__main__":
    sys.exit(main())

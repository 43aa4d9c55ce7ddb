"""How far a reader has read a table whose rows don't appear in the order of their ids.

A transaction takes its id when it inserts and shows its row when it commits: 7 can appear after 8.
Who asks for "ids above the highest that I have seen" misses it for ever. So the ids that were
skipped are asked for again, as ranges, for far longer than a transaction lasts; those of one that
was rolled back are given up then. No clock of another machine, and none that can be set, has a
part in it.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import NamedTuple

# Two minutes would do for most: a transaction that idles for IDLE_TRANSACTION_SECONDS is ended by
# the database (db/engine.py). A commit that waits for a lost standby is not idle, though, and an
# hour costs no more than a range in a query.
GIVEN_UP_SECONDS = 3600.0

# With more ranges than this, all that lies between is asked for again: reading twice does no harm,
# a condition of a thousand ranges does (SQLite's depth of an expression is 1,000).
_MOST_RANGES = 100


class _Gap(NamedTuple):
    low: int
    high: int
    since: float


class Cursor:
    """What has been read, and which of the ids below it have not been seen yet."""

    def __init__(self) -> None:
        self.top = 0
        self._gaps: list[_Gap] = []

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """The ranges of ids, ends included, to ask for again beside those above ``top``."""
        if len(self._gaps) > _MOST_RANGES:
            return [(self._gaps[0].low, self.top)]
        return [(gap.low, gap.high) for gap in self._gaps]

    def saw(self, ids: Iterable[int], now: float) -> None:
        """Note what one look has found above ``top`` and in the gaps, in the order of the ids.

        ``now``: seconds of a clock that never steps, read before the look began.
        """
        for n in ids:
            if n <= self.top:
                self._fill(n)
                continue
            if n > self.top + 1:
                self._gaps.append(_Gap(self.top + 1, n - 1, now))
            self.top = n
        self._gaps = [gap for gap in self._gaps if now - gap.since <= GIVEN_UP_SECONDS]

    def _fill(self, n: int) -> None:
        place = bisect.bisect_right(self._gaps, n, key=lambda gap: gap.low) - 1
        if place < 0 or n > self._gaps[place].high:
            return
        low, high, since = self._gaps[place]
        sides = (_Gap(low, n - 1, since), _Gap(n + 1, high, since))
        self._gaps[place : place + 1] = [gap for gap in sides if gap.low <= gap.high]

"""How far a reader has read a table whose rows don't appear in the order of their ids.

A transaction takes its id when it inserts and shows its row when it commits: 7 can appear after 8.
Who asks for "ids above the highest that I have seen" misses it for ever. So the ids that were
skipped are asked for again, for as long as a transaction can last; one that was rolled back is
given up then. No clock of another machine, and none that can be set, has a part in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from watchword.db.engine import IDLE_TRANSACTION_SECONDS

# The database ends a transaction that has idled for IDLE_TRANSACTION_SECONDS, so that one whose
# process was stopped in mid-transaction can't show its row after it was given up here.
_GIVEN_UP_SECONDS = 4 * IDLE_TRANSACTION_SECONDS

# At the first look nobody has watched the ids go by: those just below the highest may be on their
# way still.
FIRST_LOOK_BACK = 1000


class Cursor:
    """What has been read, and which of the ids below it have not been seen yet."""

    def __init__(self) -> None:
        self.top = 0
        self._missing: dict[int, float] = {}

    @property
    def missing(self) -> list[int]:
        """The ids to ask for again, beside those above ``top``."""
        return list(self._missing)

    def start(self, top: int, present: Iterable[int], now: float) -> None:
        """Begin after a first look: the highest id, and which of the last ones were there."""
        self.top = top
        there = set(present)
        lowest = max(1, top - FIRST_LOOK_BACK + 1)
        self._missing = {n: now for n in range(lowest, top + 1) if n not in there}

    def saw(self, ids: Iterable[int], now: float) -> None:
        """Note what a look has found. ``now`` is in seconds of a clock that never steps."""
        for n in ids:
            if n > self.top:
                # A leap of a million is a counter that was set, not a million transactions.
                for skipped in range(max(self.top + 1, n - FIRST_LOOK_BACK), n):
                    self._missing[skipped] = now
                self.top = n
            self._missing.pop(n, None)
        given_up = [n for n, since in self._missing.items() if now - since > _GIVEN_UP_SECONDS]
        for n in given_up:
            del self._missing[n]

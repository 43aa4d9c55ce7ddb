"""A sliding window for each action and each who: bounded memory, no I/O."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchword.errors import TooManyRequests
from watchword.settings.check import parse_limit
from watchword.settings.schema import Settings
from watchword.world import World


class Action(StrEnum):
    """What is limited; the setting LIMIT_<NAME> says how."""

    LOGIN = "limit_login"
    REGISTER = "limit_register"
    PASSWORD_RESET = "limit_password_reset"
    VERIFICATION = "limit_verification"
    REFRESH = "limit_refresh"
    TOKEN = "limit_token"


# An attacker who changes the name at each try must not fill the memory either.
_MOST_KEYS = 100_000


@dataclass(frozen=True, slots=True)
class Charge:
    """A try that was counted; ``Limits.refund`` takes it back."""

    keys: tuple[tuple[Action, str], ...]
    at: float


class Limits:
    """Counts tries. One for each process."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._world = world
        self._rules = {action: parse_limit(getattr(settings, action.value)) for action in Action}
        self._tries: dict[tuple[Action, str], deque[float]] = {}

    def charge(self, action: Action, whos: Sequence[str]) -> Charge:
        """Count a try for each of ``whos``. Raises TooManyRequests when one has had its share."""
        rule = self._rules[action]
        now = self._world.timestamp()
        if rule is None:
            return Charge((), now)
        count, window = rule
        keys = tuple((action, who) for who in whos)
        for key in keys:
            tries = self._tries.get(key)
            if tries is None:
                continue
            while tries and tries[0] <= now - window:
                tries.popleft()
            if len(tries) >= count:
                wait = max(1, int(tries[0] + window - now) + 1)
                # By what, never by whom: people type their password into the name's field.
                kind = key[1].partition(":")[0]
                raise TooManyRequests(retry_after=wait, detail=f"{action.value} by {kind}")
        for key in keys:
            if key not in self._tries and len(self._tries) >= _MOST_KEYS:
                # The key that came first goes first (dicts keep their order). Not a sweep: with
                # the table kept full by an attacker, each try would go through all of it.
                del self._tries[next(iter(self._tries))]
            self._tries.setdefault(key, deque()).append(now)
        return Charge(keys, now)

    def refund(self, charge: Charge) -> None:
        """Take back a charge whose try turned out well."""
        for key in charge.keys:
            tries = self._tries.get(key)
            if tries and charge.at in tries:
                tries.remove(charge.at)
                if not tries:
                    del self._tries[key]

    def forget_idle(self) -> None:
        """Drop the windows that have passed."""
        now = self._world.timestamp()
        for key, tries in list(self._tries.items()):
            rule = self._rules[key[0]]
            if rule is None or not tries or tries[-1] <= now - rule[1]:
                del self._tries[key]


def network_of(address: str | None) -> str:
    """Whose network an address is: an IPv6 user has a whole /64 to choose from."""
    if address is None:
        return "network:unknown"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "network:unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return f"network:{parsed.ipv4_mapped}"
        network = ipaddress.IPv6Network((int(parsed), 64), strict=False)
        return f"network:{network}"
    return f"network:{parsed}"

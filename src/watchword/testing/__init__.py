"""Testing an app that uses Watchword: the pytest plugin that we ship, and use ourselves.

Nothing is faked: a real Watchword on a real database, signed in to by its real routes. Only the
clock can be turned, and hashing is made cheap by its settings (the real algorithm at its lowest
price). The fixtures are in ``plugin.py``.

The names load when they are first asked for: pytest loads the plugin, and so this, in every
project that has Watchword installed, also where only ``watchword.verify`` and its packages are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchword.testing.running import Mail, Mailbox, Running, SignedIn
    from watchword.testing.world import Clock, TurnableWorld

__all__ = ["Clock", "Mail", "Mailbox", "Running", "SignedIn", "TurnableWorld"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'watchword.testing' has no attribute {name!r}")
    from importlib import import_module

    where = "world" if name in {"Clock", "TurnableWorld"} else "running"
    return getattr(import_module(f"watchword.testing.{where}"), name)

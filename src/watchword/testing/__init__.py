"""Testing an app that uses Watchword: the pytest plugin that we ship, and use ourselves.

Nothing is faked: a real Watchword on a real database, signed in to by its real routes. Only the
clock can be turned, and hashing is made cheap by its settings (the real algorithm at its lowest
price). The fixtures are in ``plugin.py``.
"""

from watchword.testing.running import Mail, Mailbox, Running, SignedIn
from watchword.testing.world import Clock, TurnableWorld

__all__ = ["Clock", "Mail", "Mailbox", "Running", "SignedIn", "TurnableWorld"]

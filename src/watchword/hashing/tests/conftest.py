from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from watchword.hashing.pool import HashPool
from watchword.settings.schema import Settings
from watchword.world import World


@pytest.fixture
def make_pool() -> Iterator[Callable[..., HashPool]]:
    """Pools with cheap hashes, but for what is said otherwise; closed after the test."""
    made: list[HashPool] = []

    def make(**changes: Any) -> HashPool:
        chosen = {"hash_memory_kib": 8, "hash_iterations": 1, **changes}
        made.append(HashPool(Settings(**chosen), World()))
        return made[-1]

    yield make
    for pool in made:
        pool.close()

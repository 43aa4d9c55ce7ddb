"""Giving memory back. A process matter: a host's allocator is not ours to tune."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_M_MMAP_THRESHOLD = -3
_ONE_MIB = 1 << 20


def give_back_large_blocks() -> None:
    """Let each large block go back to the system when it is freed (glibc; elsewhere nothing).

    argon2 takes some 19 MiB for each password. glibc learns from the first that is freed to keep
    such blocks for later, in each thread's arena: a worker stays that much larger for ever.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _ONE_MIB)

"""Hash and verify passwords in threads of their own, so that the event loop keeps its pace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from argon2.exceptions import HashingError

from watchword.errors import InvalidInput, ServiceUnavailable, TooBusy
from watchword.hashing import foreign, phc
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.world import World

_log = logging.getLogger("watchword.hashing")
_Result = TypeVar("_Result")

# Added to the threads' nice value: a storm of sign-ins must not slow the requests that only read.
_NICER_BY = 10
_LEAST_URGENT = 19


class WrongPassword(Exception):
    """The password is not the one that was hashed, or there is none."""


class HashPool:
    """argon2id with the settings' cost, in at most one thread for each core.

    ``hash_queue`` passwords may wait for a thread; one more is refused with TooBusy at once.
    """

    def __init__(self, settings: Settings, world: World) -> None:
        self._world = world
        self._parameters = phc.argon2id(
            memory_kib=settings.hash_memory_kib,
            passes=settings.hash_iterations,
            lanes=settings.hash_parallelism,
        )
        own, most = self._parameters, foreign.IMPORT_BOUNDS
        self._bounds = foreign.Bounds(
            memory_kib=max(most.memory_kib, own.memory_kib),
            argon2_work=max(most.argon2_work, own.memory_kib * own.passes),
            argon2_lanes=max(most.argon2_lanes, own.lanes),
        )
        threads = min(settings.hash_threads or _cores(), _cores())
        self._room = threads + settings.hash_queue
        self._taken = 0
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(
            threads, thread_name_prefix="watchword-hash", initializer=_step_back
        )

    @property
    def depth(self) -> int:
        """Jobs that wait or run."""
        return self._taken

    async def hash(self, password: Secret) -> str:
        """A fresh argon2id hash of the password's NFKC, as a PHC string.

        Raises TooBusy where the queue is full, ServiceUnavailable where there is no memory for it.
        """
        salt = self._world.random_bytes(phc.SALT_BYTES)
        return await self._run(lambda: self._hash(password, salt))

    async def verify(self, password: Secret, stored: str | None) -> str | None:
        """Check a password; a fresh hash where the stored one is to be replaced by it, else None.

        Raises WrongPassword, TooBusy, ServiceUnavailable. No hash, one that stands for "no
        password", or one that can't be used, takes the same work as a wrong password, so that the
        time of an answer tells nobody which accounts exist.
        """
        against = self._read(stored)
        if against is None:
            nothing = self._nothing()
            await self._run(lambda: self._matching(password, nothing))
            raise WrongPassword
        salt = self._world.random_bytes(phc.SALT_BYTES)
        return await self._run(lambda: self._verify(password, against, salt))

    def close(self) -> None:
        """Take no more jobs; those that wait are still done, and then the threads end."""
        self._executor.shutdown(wait=False)

    # --- in the event loop ----------------------------------------------------------------------

    async def _run(self, job: Callable[[], _Result]) -> _Result:
        return await asyncio.wrap_future(self._submit(job))

    def _submit(self, job: Callable[[], _Result]) -> Future[_Result]:
        with self._lock:
            if self._taken >= self._room:
                raise TooBusy(detail=f"{self._taken} passwords wait or are being hashed")
            self._taken += 1
        try:
            future = self._executor.submit(job)
        except RuntimeError as error:
            self._leave()
            raise ServiceUnavailable(detail="the hash pool is closed") from error
        # The place is given back when the job ends, or at once when a request that still waits is
        # cancelled; not when one is cancelled whose job runs, since the thread goes on with it.
        future.add_done_callback(lambda _: self._leave())
        return future

    def _leave(self) -> None:
        with self._lock:
            self._taken -= 1

    def _read(self, stored: str | None) -> foreign.StoredHash | None:
        if stored is None or foreign.is_unusable(stored):
            return None
        try:
            return foreign.read(stored, self._bounds)
        except InvalidInput as error:
            _log.warning("an account's stored %s", error.sentence)
            return None

    def _nothing(self) -> phc.Argon2Hash:
        # No password has it, but for one in 2^256, and finding that out takes as long as for ours.
        salt = self._world.random_bytes(phc.SALT_BYTES)
        digest = self._world.random_bytes(phc.DIGEST_BYTES)
        return phc.Argon2Hash(self._parameters, salt, digest)

    # --- in a thread ----------------------------------------------------------------------------

    def _hash(self, password: Secret, salt: bytes) -> str:
        folded = Secret(unicodedata.normalize("NFKC", password.reveal()))
        try:
            digest = phc.derive(self._parameters, foreign.octets(folded), salt, phc.DIGEST_BYTES)
        except (HashingError, MemoryError):
            raise _out_of_memory() from None  # its traceback holds the password's bytes
        return phc.write(self._parameters, salt, digest)

    def _verify(self, password: Secret, against: foreign.StoredHash, salt: bytes) -> str | None:
        matching = self._matching(password, against)
        if matching is None:
            raise WrongPassword
        return None if self._is_current(against, matching) else self._hash(password, salt)

    def _matching(self, password: Secret, against: foreign.StoredHash) -> Secret | None:
        try:
            for spelling in foreign.spellings(password, against):
                if foreign.matches(spelling, against):
                    return spelling
        except (HashingError, MemoryError):
            raise _out_of_memory() from None
        return None

    def _is_current(self, stored: foreign.StoredHash, made_of: Secret) -> bool:
        return (
            isinstance(stored, phc.Argon2Hash)
            and stored.parameters == self._parameters
            and len(stored.salt) == phc.SALT_BYTES
            and len(stored.digest) == phc.DIGEST_BYTES
            and unicodedata.is_normalized("NFKC", made_of.reveal())
        )


def _out_of_memory() -> ServiceUnavailable:
    return ServiceUnavailable(detail="no memory to hash a password: lower HASH_MEMORY_KIB")


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))  # what a container may use, not what the machine has
    else:  # noqa: RET505
        return os.cpu_count() or 1


def _step_back() -> None:
    # Only Linux has a nice value for each thread; where it is refused, the threads stay as urgent.
    if sys.platform == "linux":
        me = threading.get_native_id()
        with contextlib.suppress(OSError):
            urgency = os.getpriority(os.PRIO_PROCESS, me) + _NICER_BY
            os.setpriority(os.PRIO_PROCESS, me, min(urgency, _LEAST_URGENT))

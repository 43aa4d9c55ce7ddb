from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.errors import ServiceUnavailable, TooBusy
from watchword.hashing.pool import HashPool, WrongPassword
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.world import World

RIGHT = Secret("correct horse battery staple")
WRONG = Secret("correct horse battery stable")
CHEAP: dict[str, Any] = {"hash_memory_kib": 8, "hash_iterations": 1}
# Long enough to be still running when the next line of the test does something.
SLOW: dict[str, Any] = {"hash_memory_kib": 64 * 1024, "hash_iterations": 4}

MakePool = Callable[..., HashPool]


@pytest.fixture
def make_pool() -> Iterator[MakePool]:
    made: list[HashPool] = []

    def make(**changes: Any) -> HashPool:
        made.append(HashPool(Settings(**{**CHEAP, **changes}), World()))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


async def opens(pool: HashPool, password: Secret, stored: str | None) -> bool:
    try:
        await pool.verify(password, stored)
    except WrongPassword:
        return False
    return True


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it never came to be")


# --- hashing and verifying ----------------------------------------------------------------------


def test_a_hash_is_a_phc_string_with_the_settings_parameters_that_argon2_itself_verifies(
    make_pool: MakePool,
) -> None:
    pool = make_pool(hash_memory_kib=1024, hash_iterations=3, hash_parallelism=2)
    stored = asyncio.run(pool.hash(RIGHT))
    assert stored.startswith("$argon2id$v=19$m=1024,t=3,p=2$")
    found = extract_parameters(stored)
    assert (found.salt_len, found.hash_len) == (16, 32)
    assert PasswordHasher().verify(stored, RIGHT.reveal())


def test_the_right_password_passes_and_any_other_is_refused(make_pool: MakePool) -> None:
    pool = make_pool()

    async def story() -> None:
        stored = await pool.hash(RIGHT)
        assert await pool.verify(RIGHT, stored) is None
        for other in ("", RIGHT.reveal() + " ", RIGHT.reveal().upper(), WRONG.reveal()):
            with pytest.raises(WrongPassword):
                await pool.verify(Secret(other), stored)

    asyncio.run(story())


def test_one_password_hashed_twice_has_two_salts(make_pool: MakePool) -> None:
    pool = make_pool()

    async def story() -> tuple[str, str]:
        return await pool.hash(RIGHT), await pool.hash(RIGHT)

    first, second = asyncio.run(story())
    assert first != second


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_password_opens_its_hash_however_its_characters_are_composed(text: str) -> None:
    pool = HashPool(Settings(**CHEAP), World())

    async def story() -> None:
        stored = await pool.hash(Secret(text))
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert await pool.verify(Secret(unicodedata.normalize(form, text)), stored) is None
        assert not await opens(pool, Secret(text + "x"), stored)

    asyncio.run(story())
    pool.close()


def test_no_character_of_a_long_password_is_cut(make_pool: MakePool) -> None:
    pool = make_pool()
    text = "long password " * 290

    async def story() -> None:
        stored = await pool.hash(Secret(text))
        assert await opens(pool, Secret(text), stored)
        assert not await opens(pool, Secret(text[:-1]), stored)

    asyncio.run(story())


def test_a_lone_surrogate_is_a_wrong_password_like_any_other(make_pool: MakePool) -> None:
    pool = make_pool()

    async def story() -> None:
        stored = await pool.hash(RIGHT)
        assert not await opens(pool, Secret("\ud800"), stored)
        assert not await opens(pool, Secret("\ud800"), None)

    asyncio.run(story())


# --- due for a new hash -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"hash_memory_kib": 16}, {"hash_iterations": 2}, {"hash_parallelism": 2}]
)
def test_a_hash_with_other_parameters_is_replaced_at_the_next_sign_in(
    make_pool: MakePool, change: dict[str, int]
) -> None:
    old, new = make_pool(hash_memory_kib=32), make_pool(**{"hash_memory_kib": 32, **change})

    async def story() -> None:
        fresh = await new.verify(RIGHT, await old.hash(RIGHT))
        assert fresh is not None
        assert await new.verify(RIGHT, fresh) is None
        assert not await opens(new, WRONG, fresh)

    asyncio.run(story())


@pytest.mark.parametrize(
    "stored",
    [
        # passlib 1.7.4 and Django 5.2.19, of "correct horse battery staple"
        "$2b$04$qnFHBCLN3IC8bIZGFwpakerzWkyH6pONKdaTJBpKTqnjKfzs0yZHW",
        "pbkdf2_sha256$1000$pYQeiSuB3i9VEWWOXe0b3P$QMG50b207aWtqwa4j3WUJlzeAPkIx1Zqk+RPPSbc4kg=",
        # argon2-cffi 25.1 with this pool's parameters, but for 8 bytes of salt and 24 of hash
        "$argon2id$v=19$m=8,t=1,p=1$oWFK3dfIFXc$9LOksHrTa9eUS97M2NLnTy3boSx32YJI",
    ],
)
def test_an_imported_hash_is_replaced_by_ours_at_the_next_sign_in(
    make_pool: MakePool, stored: str
) -> None:
    pool = make_pool()

    async def story() -> None:
        with pytest.raises(WrongPassword):
            await pool.verify(WRONG, stored)
        fresh = await pool.verify(RIGHT, stored)
        assert fresh is not None
        assert fresh.startswith("$argon2id$")
        assert await pool.verify(RIGHT, fresh) is None

    asyncio.run(story())


def test_an_imported_hash_of_a_password_as_typed_is_replaced_by_one_of_its_nfkc(
    make_pool: MakePool,
) -> None:
    pool = make_pool()
    typed = Secret("ﬁnsteres Kämmerlein")
    imported = PasswordHasher(1, 8, 1, 32, 16).hash(typed.reveal())

    async def story() -> None:
        fresh = await pool.verify(typed, imported)
        assert fresh is not None
        assert await pool.verify(Secret("finsteres Kämmerlein"), fresh) is None
        assert await pool.verify(typed, fresh) is None

    asyncio.run(story())


def test_a_hash_made_here_opens_here_though_none_as_dear_could_be_imported(
    make_pool: MakePool,
) -> None:
    pool = make_pool(hash_memory_kib=8 * 17, hash_parallelism=17)

    async def story() -> None:
        assert await pool.verify(RIGHT, await pool.hash(RIGHT)) is None

    asyncio.run(story())


# --- accounts without a password ----------------------------------------------------------------


@pytest.mark.parametrize("stored", [None, "", "!", "!bMAZ6iPoyAcutGpbc2p6OTf0EkFitnlU250o6QKC"])
def test_no_password_opens_an_account_that_has_none(
    make_pool: MakePool, stored: str | None
) -> None:
    pool = make_pool()
    for password in ("", "!", str(stored), RIGHT.reveal()):
        with pytest.raises(WrongPassword):
            asyncio.run(pool.verify(Secret(password), stored))


@pytest.mark.parametrize(
    "stored", ["hunter2", "scrypt:1048576:8:1$salt$" + "00" * 64, "scrypt:8:1:1$salt$00"]
)
def test_a_stored_hash_of_no_use_opens_nothing_and_is_told_to_the_operator_without_it(
    make_pool: MakePool, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make_pool()
    with caplog.at_level(logging.WARNING, "watchword.hashing"), pytest.raises(WrongPassword):
        asyncio.run(pool.verify(Secret(stored), stored))
    assert "password_hash" in caplog.text
    assert stored not in caplog.text


def test_a_missing_account_takes_as_long_as_a_wrong_password(make_pool: MakePool) -> None:
    pool = make_pool(hash_memory_kib=19 * 1024, hash_iterations=2)
    world = World()

    async def seconds(stored: str | None) -> float:
        best = float("inf")
        for _ in range(7):
            started = world.monotonic()
            assert not await opens(pool, WRONG, stored)
            best = min(best, world.monotonic() - started)
        return best

    async def story() -> float:
        stored = await pool.hash(RIGHT)
        return await seconds(None) / await seconds(stored)

    assert 0.5 < asyncio.run(story()) < 2


# --- the queue ----------------------------------------------------------------------------------


def test_a_full_queue_refuses_at_once_and_takes_more_when_it_has_drained(
    make_pool: MakePool,
) -> None:
    pool = make_pool(**SLOW, hash_threads=1, hash_queue=2)

    async def story() -> None:
        jobs = [asyncio.create_task(pool.hash(RIGHT)) for _ in range(8)]
        await asyncio.sleep(0)
        assert [job.done() for job in jobs] == [False] * 3 + [True] * 5
        assert pool.depth == 3  # one that runs, two that wait
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert [isinstance(result, TooBusy) for result in results] == [False] * 3 + [True] * 5
        assert pool.depth == 0
        assert await opens(pool, RIGHT, str(results[0]))

    asyncio.run(story())


def test_the_refusal_is_a_503_that_says_when_to_come_back(make_pool: MakePool) -> None:
    pool = make_pool(**SLOW, hash_threads=1, hash_queue=1)

    async def story() -> list[BaseException | str]:
        jobs: list[Awaitable[str]] = [pool.hash(RIGHT) for _ in range(3)]
        return await asyncio.gather(*jobs, return_exceptions=True)

    refused = asyncio.run(story())[2]
    assert isinstance(refused, TooBusy)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0


def test_a_missing_account_is_refused_by_a_full_queue_like_any_other(make_pool: MakePool) -> None:
    pool = make_pool(**SLOW, hash_threads=1, hash_queue=1)

    async def story() -> None:
        jobs = [asyncio.create_task(pool.hash(RIGHT)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await pool.verify(WRONG, None)
        await asyncio.gather(*jobs)

    asyncio.run(story())


def test_upgrading_an_old_hash_takes_one_place_in_the_queue(make_pool: MakePool) -> None:
    pool = make_pool(**SLOW, hash_threads=1, hash_queue=1)
    cheap = make_pool()

    async def story() -> None:
        old = await cheap.hash(RIGHT)
        both = await asyncio.gather(pool.verify(RIGHT, old), pool.verify(RIGHT, old))
        assert all(fresh is not None for fresh in both)

    asyncio.run(story())


def test_a_request_cancelled_while_it_waits_gives_its_place_back_at_once(
    make_pool: MakePool,
) -> None:
    pool = make_pool(**SLOW, hash_threads=1, hash_queue=2)

    async def story() -> None:
        running = asyncio.create_task(pool.hash(RIGHT))
        waiting = [asyncio.create_task(pool.hash(RIGHT)) for _ in range(2)]
        await asyncio.sleep(0)
        assert pool.depth == 3
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0)
        assert not running.done()
        assert pool.depth == 1
        others = [asyncio.create_task(pool.hash(RIGHT)) for _ in range(2)]
        assert all([await running, *(await asyncio.gather(*others))])
        assert pool.depth == 0

    asyncio.run(story())


def test_a_request_cancelled_while_its_job_runs_keeps_its_place_until_the_thread_is_free(
    make_pool: MakePool,
) -> None:
    pool = make_pool(**SLOW, hash_threads=1, hash_queue=1)

    async def story() -> None:
        task = asyncio.create_task(pool.hash(RIGHT))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert pool.depth == 1
        await until(lambda: pool.depth == 0)

    asyncio.run(story())


def test_a_storm_of_cancelled_requests_leaves_every_place_free(make_pool: MakePool) -> None:
    pool = make_pool(hash_queue=200)

    async def story() -> None:
        tasks = [asyncio.create_task(pool.hash(RIGHT)) for _ in range(200)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: pool.depth == 0)
        assert all(task.cancelled() or task.result() for task in tasks)
        assert all(task.result() for task in tasks[1::2])

    asyncio.run(story())


# --- the threads --------------------------------------------------------------------------------


def test_the_event_loop_goes_on_while_a_password_is_hashed(make_pool: MakePool) -> None:
    pool = make_pool(**SLOW)

    async def story() -> int:
        turns = 0
        job = asyncio.create_task(pool.hash(RIGHT))
        while not job.done():
            await asyncio.sleep(0.001)
            turns += 1
        return turns

    assert asyncio.run(story()) > 10


def test_there_are_never_more_threads_than_cores(make_pool: MakePool) -> None:
    before = set(threading.enumerate())
    pool = make_pool(hash_threads=256, hash_queue=500)

    async def story() -> None:
        await asyncio.gather(*(pool.hash(RIGHT) for _ in range(300)))

    asyncio.run(story())
    ours = [t for t in set(threading.enumerate()) - before if t.name.startswith("watchword-hash")]
    assert 1 <= len(ours) <= (os.cpu_count() or 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a nice value for each thread")
def test_the_threads_are_less_urgent_than_the_event_loop(make_pool: MakePool) -> None:
    before = set(threading.enumerate())
    pool = make_pool()
    asyncio.run(pool.hash(RIGHT))
    ours = [t for t in set(threading.enumerate()) - before if t.name.startswith("watchword-hash")]
    assert ours
    here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    for thread in ours:
        assert thread.native_id is not None
        assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == min(here + 10, 19)


def test_two_pools_side_by_side_do_not_meet(make_pool: MakePool) -> None:
    slow, quick = make_pool(**SLOW, hash_threads=1, hash_queue=1), make_pool(hash_iterations=2)

    async def story() -> None:
        jobs = [asyncio.create_task(slow.hash(RIGHT)) for _ in range(2)]
        await asyncio.sleep(0)
        assert (slow.depth, quick.depth) == (2, 0)
        assert ",t=2,p=1$" in await quick.hash(RIGHT)
        await asyncio.gather(*jobs)
        slow.close()
        assert await quick.hash(RIGHT)

    asyncio.run(story())


def test_a_closed_pool_finishes_what_waits_and_refuses_what_comes(make_pool: MakePool) -> None:
    pool = make_pool(**SLOW, hash_threads=1, hash_queue=4)

    async def story() -> None:
        jobs = [asyncio.create_task(pool.hash(RIGHT)) for _ in range(3)]
        await asyncio.sleep(0)
        pool.close()
        with pytest.raises(ServiceUnavailable):
            await pool.hash(RIGHT)
        assert all(await asyncio.gather(*jobs))
        assert pool.depth == 0

    asyncio.run(story())


@pytest.mark.skipif(sys.platform != "linux", reason="sets Linux's limit on address space")
def test_a_machine_without_memory_for_a_hash_answers_503_and_goes_on() -> None:
    # In a process of its own, which may have 1 GiB less than the hash asks for.
    story = """
import asyncio, resource
from watchword.errors import ServiceUnavailable
from watchword.hashing.pool import HashPool
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.world import World

async def main():
    pool = HashPool(Settings(hash_memory_kib=2 * 1024 * 1024, hash_iterations=1), World())
    cheap = HashPool(Settings(hash_memory_kib=8, hash_iterations=1), World())
    resource.setrlimit(resource.RLIMIT_AS, (1024**3, 1024**3))
    for attempt in (pool.hash(Secret("hunter2")), pool.verify(Secret("hunter2"), None)):
        try:
            await attempt
        except ServiceUnavailable as error:
            print(error.status, error.detail, pool.depth)
    print(await cheap.verify(Secret("hunter2"), await cheap.hash(Secret("hunter2"))))

asyncio.run(main())
"""
    ran = subprocess.run(
        [sys.executable, "-c", story], capture_output=True, text=True, timeout=60, check=False
    )
    detail = "no memory to hash a password: lower HASH_MEMORY_KIB"
    assert ran.stdout.splitlines() == [f"503 {detail} 0", f"503 {detail} 0", "None"], ran.stderr

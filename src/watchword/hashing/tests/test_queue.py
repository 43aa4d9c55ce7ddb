from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from watchword.errors import ServiceUnavailable, TooBusy
from watchword.hashing.pool import HashPool
from watchword.secret import Secret

RIGHT = Secret("correct horse battery staple")
WRONG = Secret("correct horse battery stable")
# Long enough to be still running when the next line of the test does something.
SLOW: dict[str, Any] = {"hash_memory_kib": 64 * 1024, "hash_iterations": 4}

MakePool = Callable[..., HashPool]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it never came to be")


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
        assert await pool.verify(RIGHT, str(results[0])) is None

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

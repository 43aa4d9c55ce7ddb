from __future__ import annotations

import asyncio
import logging
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.hashing.pool import HashPool, WrongPassword
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.world import World

RIGHT = Secret("correct horse battery staple")
WRONG = Secret("correct horse battery stable")
CHEAP: dict[str, Any] = {"hash_memory_kib": 8, "hash_iterations": 1}

MakePool = Callable[..., HashPool]


async def opens(pool: HashPool, password: Secret, stored: str | None) -> bool:
    try:
        await pool.verify(password, stored)
    except WrongPassword:
        return False
    return True


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

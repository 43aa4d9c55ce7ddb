"""A token that outlives the entry that ended it must not be good again."""

from __future__ import annotations

import pytest

from tests.contract.workers import another_worker, seen_from
from watchword.mount.background import keep_house
from watchword.testing import Running


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(access_token_expire_minutes=120)
def test_a_shorter_token_life_lets_no_revoked_token_outlive_its_revocation(
    watchword: Running,
) -> None:
    thief = watchword.login_as()
    # The operator has made the life of tokens shorter, and so the time that entries are kept.
    with another_worker(watchword, access_token_expire_minutes=5) as shorter:
        shorter.client.post(f"{shorter.prefix}/auth/logout", headers=thief.headers)
        assert seen_from(shorter, thief.headers) == 401
        watchword.clock.turn(minutes=10)
        shorter.call(keep_house)
        assert seen_from(shorter, thief.headers) == 401
    with another_worker(watchword, access_token_expire_minutes=5) as restarted:
        assert seen_from(restarted, thief.headers) == 401

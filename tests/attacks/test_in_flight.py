"""A request that is on its way when its caller loses the right to it."""

from __future__ import annotations

import pytest

from watchword.accounts import service as accounts
from watchword.accounts import verification
from watchword.accounts.account import Account
from watchword.admin import service as admin
from watchword.admin.service import Changes
from watchword.core import Core
from watchword.errors import InvalidAccessToken, ServiceUnavailable
from watchword.testing import Running

# The guard has read the account; from here on the transaction decides, on each database.
pytestmark = pytest.mark.shapes("alone-sqlite", "alone-postgres")


async def as_the_guard_read_it(core: Core, user_id: int) -> Account:
    async with core.database.read() as unit:
        return await accounts.get(unit, user_id)


@pytest.mark.parametrize("end", [{"role": "user"}, {"is_active": False}])
def test_an_administrator_who_has_just_been_one_promotes_and_deletes_nobody(
    watchword: Running, end: dict[str, object]
) -> None:
    chief, rogue = watchword.login_as("admin"), watchword.login_as("admin")
    accomplice = watchword.login_as()

    async def go_on(core: Core) -> None:
        caller = await as_the_guard_read_it(core, rogue.id)
        theirs = await as_the_guard_read_it(core, chief.id)
        await admin.update(core, theirs, rogue.id, Changes(end))
        with pytest.raises(InvalidAccessToken):
            await admin.update(core, caller, accomplice.id, Changes({"role": "admin"}))
        with pytest.raises(InvalidAccessToken):
            await admin.update(core, caller, accomplice.id, Changes({"full_name": "Accomplice"}))
        with pytest.raises(InvalidAccessToken):
            await admin.delete(core, caller, accomplice.id)

    watchword.call(go_on)
    assert accomplice.get(f"{watchword.prefix}/auth/me").json() == accomplice.user


def test_a_change_of_address_that_waited_for_the_owner_to_log_out_everywhere_is_refused(
    watchword: Running,
) -> None:
    owner = watchword.login_as()

    async def wait(core: Core) -> Account:
        return await as_the_guard_read_it(core, owner.id)

    thief = watchword.call(wait)
    owner.post(f"{watchword.prefix}/auth/logout/all").raise_for_status()

    async def go_on(core: Core) -> None:
        with pytest.raises(InvalidAccessToken):
            await admin.update(core, thief, owner.id, Changes({"email": "thief@evil.example.com"}))

    watchword.call(go_on)
    assert len(watchword.mailbox) == 0


def test_a_request_of_a_user_who_is_deleted_at_that_moment_is_no_failure(
    watchword: Running,
) -> None:
    chief, gone = watchword.login_as("admin"), watchword.login_as(verified=False)

    async def wait(core: Core) -> Account:
        return await as_the_guard_read_it(core, gone.id)

    caller = watchword.call(wait)
    chief.delete(f"{watchword.prefix}/users/{gone.id}").raise_for_status()

    async def go_on(core: Core) -> None:
        with pytest.raises(ServiceUnavailable) as refused:
            await verification.request(core, caller)
        assert refused.value.headers["Retry-After"] == "1"

    watchword.call(go_on)
    path = f"{watchword.prefix}/auth/email/verification/request"
    assert gone.post(path).status_code == 401

"""Nothing that is sealed or signed by us can be changed: refresh tokens, access tokens, seals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.still import StillWorld
from watchword.errors import (
    ConfigurationError,
    InvalidRefreshToken,
)
from watchword.keys.keyring import Keyring, KeysInUse, make_key, shared_keys
from watchword.keys.seal import Sealer
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.tokens import access
from watchword.tokens.refresh import RefreshClaim, RefreshTokens
from watchword.verify import InvalidToken, KeySet, VerificationKey, Verifier
from watchword.world import World

SECRET = Secret("a-secret-key-of-the-tests-0123456789-abcdefgh")
OTHER = Secret("another-secret-key-of-the-tests-0123456789-ab")
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


# --- refresh tokens -----------------------------------------------------------------------------

claims = st.builds(RefreshClaim, st.uuids(), st.integers(0, 2**64 - 1))


@given(claims)
def test_a_refresh_token_says_what_it_was_made_of(claim: RefreshClaim) -> None:
    token = RefreshTokens([SECRET]).make(claim)
    assert RefreshTokens([SECRET]).read(Secret(token)) == claim
    # After SECRET_KEY was changed, for as long as the earlier one is listed.
    assert RefreshTokens([OTHER, SECRET]).read(Secret(token)) == claim
    with pytest.raises(InvalidRefreshToken):
        RefreshTokens([OTHER]).read(Secret(token))


@given(claims, st.data())
def test_a_refresh_token_with_one_character_changed_is_refused(
    claim: RefreshClaim, data: st.DataObject
) -> None:
    token = RefreshTokens([SECRET]).make(claim)
    forged = data.draw(changed(token))
    with pytest.raises(InvalidRefreshToken):
        RefreshTokens([SECRET]).read(Secret(forged))


def changed(token: str) -> st.SearchStrategy[str]:
    """The token with one character replaced, dropped, or put in."""
    return st.builds(
        lambda at, cut, new: token[:at] + new + token[at + cut :],
        st.integers(0, len(token) - 1),
        st.integers(0, 1),
        st.sampled_from([*BASE64URL, "", "=", ".", " ", "\n", "+", "/", "é", "\ud800", "\0"]),
    ).filter(lambda forged: forged != token)


# --- access tokens ------------------------------------------------------------------------------


def keyring_of(algorithm: str) -> Keyring:
    if algorithm == "HS256":
        return Keyring(shared_keys([SECRET]))
    jwk = make_key(algorithm).as_dict(private=True)
    key = VerificationKey.from_jwk({**jwk, "kid": f"a-{algorithm}-key", "alg": algorithm})
    return Keyring(KeysInUse(signing=key, accepted=KeySet([key]), public=()))


KEYRINGS = {name: keyring_of(name) for name in ("EdDSA", "ES256", "RS256", "HS256")}


def token_of(keyring: Keyring, world: World) -> str:
    began = world.now()
    subject = access.Subject(7, "admin", True, 1, world.new_id(), began, ("pwd",))
    return access.issue(keyring, Settings(), world, subject)


def verifier_of(keyring: Keyring, world: World) -> Verifier:
    return Verifier(
        issuer=Settings().base_url,
        audience=Settings().token_audience,
        keys=keyring.accepted,
        now=world.timestamp,
        is_revoked=lambda _token: False,
    )


@pytest.mark.parametrize("algorithm", KEYRINGS)
@given(data=st.data())
@settings(max_examples=150)
def test_an_access_token_with_one_character_changed_is_refused(
    algorithm: str, data: st.DataObject
) -> None:
    world = StillWorld()
    keyring = KEYRINGS[algorithm]
    token = token_of(keyring, world)
    assert verifier_of(keyring, world).verify(token).user_id == 7
    with pytest.raises(InvalidToken):
        verifier_of(keyring, world).verify(data.draw(changed(token)))


@pytest.mark.parametrize("algorithm", KEYRINGS)
def test_a_last_character_whose_spare_bits_differ_is_refused(algorithm: str) -> None:
    """Base64 has bits that carry nothing: a token has one spelling all the same."""
    world = StillWorld()
    keyring = KEYRINGS[algorithm]
    token = token_of(keyring, world)
    for last in set(BASE64URL) - {token[-1]}:
        with pytest.raises(InvalidToken):
            verifier_of(keyring, world).verify(token[:-1] + last)


@given(st.text() | st.text(BASE64URL + "."))
def test_any_text_at_all_is_an_invalid_token_and_nothing_worse(text: str) -> None:
    world = StillWorld()
    with pytest.raises(InvalidToken):
        verifier_of(KEYRINGS["EdDSA"], world).verify(text)


@pytest.mark.parametrize("algorithm", KEYRINGS)
def test_no_algorithm_verifies_what_another_has_signed(algorithm: str) -> None:
    world = StillWorld()
    token = token_of(KEYRINGS[algorithm], world)
    for other in KEYRINGS.keys() - {algorithm}:
        with pytest.raises(InvalidToken):
            verifier_of(KEYRINGS[other], world).verify(token)


# --- seals --------------------------------------------------------------------------------------

labels = st.sampled_from(["signing-key", "outbox", "another"])


@given(labels, st.binary(max_size=200), st.binary(max_size=50))
def test_a_seal_opens_with_the_secret_that_made_it_also_when_it_is_an_earlier_one(
    label: str, plain: bytes, bound_to: bytes
) -> None:
    sealed = Sealer([SECRET], World()).seal(label, plain, bound_to)
    assert Sealer([SECRET], World()).unseal(label, sealed, bound_to) == plain
    assert Sealer([OTHER, SECRET], World()).unseal(label, sealed, bound_to) == plain
    with pytest.raises(ConfigurationError):
        Sealer([OTHER], World()).unseal(label, sealed, bound_to)
    with pytest.raises(ConfigurationError):
        Sealer([SECRET], World()).unseal(label + "2", sealed, bound_to)
    with pytest.raises(ConfigurationError):
        Sealer([SECRET], World()).unseal(label, sealed, bound_to + b"x")


@given(st.binary(max_size=100), st.data())
def test_a_seal_with_one_bit_changed_or_cut_short_does_not_open(
    plain: bytes, data: st.DataObject
) -> None:
    sealed = Sealer([SECRET], World()).seal("signing-key", plain, b"")
    at = data.draw(st.integers(0, len(sealed) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    for forged in (sealed[:at] + bytes([sealed[at] ^ bit]) + sealed[at + 1 :], sealed[:at]):
        with pytest.raises(ConfigurationError):
            Sealer([SECRET], World()).unseal("signing-key", forged, b"")

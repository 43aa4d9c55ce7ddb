"""The keys in memory: what this process signs with, and what it accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from watchword.keys.seal import derive_key
from watchword.secret import Secret
from watchword.verify.keys import Jwk, KeySet, OneAlgorithm, VerificationKey


@dataclass(frozen=True, slots=True)
class KeysInUse:
    """One consistent view of the keys; replaced as a whole when they change."""

    signing: VerificationKey
    accepted: KeySet
    public: Sequence[Mapping[str, Any]]


class Keyring:
    """Signs tokens and gives the keys that verify them. ``replace`` swaps the view in one step."""

    def __init__(self, in_use: KeysInUse) -> None:
        self._in_use = in_use

    def replace(self, in_use: KeysInUse) -> None:
        """Use other keys from now on, if they are others: verified tokens are remembered by set."""
        known = self._in_use
        if in_use.signing.kid != known.signing.kid or in_use.accepted.kids != known.accepted.kids:
            self._in_use = in_use

    @property
    def signing_kid(self) -> str:
        """The id of the key that signs."""
        return self._in_use.signing.kid

    def accepted(self) -> KeySet:
        """The keys that a token may be signed with."""
        return self._in_use.accepted

    def jwks(self) -> dict[str, Any]:
        """The public JWK set (RFC 7517, section 5): next, active and retiring keys."""
        return {"keys": [dict(jwk) for jwk in self._in_use.public]}

    def sign(self, claims: Mapping[str, Any], *, kind: str) -> str:
        """A signed JWT of the kind ``typ`` (``at+jwt``: RFC 9068, section 2.1)."""
        signing = self._in_use.signing
        header = {"alg": signing.algorithm, "typ": kind, "kid": signing.kid}
        payload = json.dumps(claims, separators=(",", ":"))
        return jws.serialize_compact(header, payload, signing.key, registry=signing.registry)


def make_key(algorithm: str) -> Jwk:
    """A new key pair for ``algorithm``."""
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519")
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    return RSAKey.generate_key(2048)


def shared_keys(secrets: Sequence[Secret]) -> KeysInUse:
    """HS256 as in the tutorial: the key is ``SECRET_KEY`` itself, never published.

    Its ``kid`` is derived, so that after ``SECRET_KEY`` changed the tokens of the earlier one are
    still told apart and accepted until they expire.
    """
    keys = [
        VerificationKey(
            kid="hs256-" + derive_key(secret, "hs256-kid").hex()[:16],
            algorithm="HS256",
            key=OctKey.import_key(secret.reveal()),
            registry=OneAlgorithm("HS256"),
        )
        for secret in secrets
    ]
    return KeysInUse(signing=keys[0], accepted=KeySet(keys), public=())

"""The keys that a token may be signed with. A key fixes its algorithm: the token can't choose.

``kid`` picks the key. ``jku``, ``jwk``, ``x5u`` and ``x5c`` in a token are never followed
(RFC 8725, section 3.10), and ``alg`` must be the key's own (3.1: no key confusion, no ``none``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

ALGORITHMS = ("EdDSA", "ES256", "RS256", "HS256")

Jwk = ECKey | OctKey | OKPKey | RSAKey


class OneAlgorithm(JWSRegistry):
    """joserfc's registry, narrowed to one algorithm.

    joserfc warns that the name ``EdDSA`` is deprecated by RFC 9864, on every call; the name that
    deployed verifiers know is still ``EdDSA``, so the warning would only cost time.
    """

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm])
        self._algorithm = algorithm

    def get_alg(self, name: str) -> JWSAlgModel:
        """The one algorithm. Raises UnsupportedAlgorithmError for any other name."""
        if name != self._algorithm:
            raise UnsupportedAlgorithmError(f"{name!r} is not this key's algorithm")
        return self.algorithms[name]


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key, its id, and the only algorithm that it is used with."""

    kid: str
    algorithm: str
    key: Jwk
    registry: OneAlgorithm

    def verify(self, signed: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's over ``signed``, by its one algorithm."""
        return self.registry.algorithms[self.algorithm].verify(signed, signature, self.key)

    @classmethod
    def from_jwk(cls, jwk: dict[str, Any]) -> VerificationKey:
        """A key from its JWK (RFC 7517). Raises ValueError where ``kid`` or ``alg`` won't do."""
        kid, algorithm = jwk.get("kid"), jwk.get("alg")
        if not isinstance(kid, str) or algorithm not in ALGORITHMS:
            raise ValueError("a verification key needs a kid and a known alg")
        kinds: dict[str, type[Jwk]] = {"OKP": OKPKey, "EC": ECKey, "RSA": RSAKey, "oct": OctKey}
        key = kinds[jwk["kty"]].import_key(jwk)
        return cls(kid, algorithm, key, OneAlgorithm(algorithm))


class KeySet:
    """An immutable set of keys by id; to change it is to put another in its place."""

    __slots__ = ("_by_kid",)

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        self._by_kid = {key.kid: key for key in keys}

    def get(self, kid: str) -> VerificationKey | None:
        """The key of this id, if it is one of ours."""
        return self._by_kid.get(kid)

    @property
    def kids(self) -> frozenset[str]:
        """The ids of its keys."""
        return frozenset(self._by_kid)

    def __len__(self) -> int:
        return len(self._by_kid)

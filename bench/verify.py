"""What checking one access token costs, cached and not, beside the signature check alone.

Uncached: two tokens take turns at a verifier that remembers one, so each is as good as new; what
their headers say is known, as it is for every token of a key but the first.
"""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from bench.ground import Ground
from bench.jose import CHECKS, CLAIMS, contest, decoded, seconds_of
from bench.report import Bar, Part, Table, number
from watchword.verify import KeySet, VerificationKey, Verifier
from watchword.verify.keys import Jwk, OneAlgorithm
from watchword.verify.revocations import Kind, Revocation, RevocationView

ISSUER = str(CLAIMS["iss"])
ROUNDS = 9
SLICE_SECONDS = 0.04


@dataclass(frozen=True)
class Signed:
    """Two tokens and the key that they are signed with."""

    algorithm: str
    key: Jwk
    tokens: tuple[str, str]

    def cached(self, view: RevocationView) -> Callable[[], object]:
        """Check one of them again and again, each time as bytes that have just come in."""
        verifier, octets = self._verifier(view, 10_000), self.tokens[0].encode()
        return lambda: verifier.verify(octets.decode("latin-1"))

    def uncached(self, view: RevocationView) -> Callable[[], object]:
        """Check them in turn with room for one."""
        verifier = self._verifier(view, 1)
        turns = cycle([token.encode() for token in self.tokens])
        return lambda: verifier.verify(next(turns).decode("latin-1"))

    def by_cryptography(self) -> Callable[[], object]:
        """The signature check alone: no header, no claims, and the signature decoded before."""
        check = CHECKS[self.algorithm]
        public: Any = self.key.raw_value if isinstance(self.key, OctKey) else self.key.public_key
        octets, _, signature = self.tokens[0].encode().rpartition(b".")
        raw = decoded(signature)
        return lambda: check(public, raw, octets)

    def _verifier(self, view: RevocationView, cache_size: int) -> Verifier:
        key = VerificationKey("2026-11", self.algorithm, self.key, OneAlgorithm(self.algorithm))
        keys = KeySet([key])
        return Verifier(
            issuer=ISSUER,
            audience=ISSUER,
            keys=lambda: keys,
            now=time.time,
            is_revoked=view.is_revoked,
            cache_size=cache_size,
        )


def signed(algorithm: str, key: Jwk) -> Signed:
    """Tokens with the claims of ours."""
    header = {"alg": algorithm, "typ": "at+jwt", "kid": "2026-11"}
    registry = OneAlgorithm(algorithm)
    first, second = (
        jws.serialize_compact(header, json.dumps({**CLAIMS, "jti": jti}), key, registry=registry)
        for jti in ("AZ2vV6c4fQeXk0m3Jp1bTw", "AZ2vV6c4fQeXk0m3Jp1bTx")
    )
    return Signed(algorithm, key, (first, second))


def measure(ground: Ground) -> Part:
    """All algorithms; then the cached check again with many revocations."""
    keys: dict[str, Jwk] = {
        "EdDSA": OKPKey.generate_key("Ed25519"),
        "ES256": ECKey.generate_key("P-256"),
        "RS256": RSAKey.generate_key(2048),
        "HS256": OctKey.generate_key(256),
    }
    rows, bars = [], []
    for algorithm, key in keys.items():
        one, view = signed(algorithm, key), RevocationView()
        raw, fresh, known, pyjwt = in_turn(
            one.by_cryptography(),
            one.uncached(view),
            one.cached(view),
            contest(algorithm, key).ways["PyJWT with claims"],
        )
        rows.append(
            [algorithm, number(raw), number(fresh), f"{fresh / raw:.2f}", number(pyjwt),
             number(known)]
        )  # fmt: skip
        bars.append(Bar(f"Verify, cached, {algorithm}", known, 3, at_least=False, unit=" µs"))
        what = f"Verify, uncached, of the signature check, {algorithm}"
        bars.append(Bar(what, fresh / raw, 1.25, at_least=False))
    table = Table(
        "Verify, in microseconds",
        ["algorithm", "signature alone", "uncached", "of it", "PyJWT", "cached"],
        rows,
        f"Median of {ROUNDS} rounds in turn. The signature alone is `cryptography`'s check of a "
        "signature that is decoded already; uncached, and PyJWT, add the decoding, the claims, "
        "expiry, and ours all claims of RFC 9068 and revocation.",
    )
    few, many = with_revocations(ground.pace.many)
    lookup = Table(
        "Verify with revocations, cached, in microseconds",
        ["live revocations", "cached"],
        [["0", f"{few:.3f}"], [f"{ground.pace.many:,}", f"{many:.3f}"]],
    )
    bars.append(Bar("Verify with many revocations, of none", many / few, 1.05, at_least=False))
    return Part("verify", [table, lookup], bars)


def with_revocations(count: int) -> tuple[float, float]:
    """Microseconds of a cached check without and with ``count`` live revocations."""
    one = signed("EdDSA", OKPKey.generate_key("Ed25519"))
    empty, full = RevocationView(), RevocationView()
    for _ in range(count):
        full.apply(Revocation(Kind.SESSION, str(uuid.uuid4()), 0, 4e9))
    few, many = in_turn(one.cached(empty), one.cached(full))
    return few, many


def in_turn(*ways: Callable[[], object]) -> list[float]:
    """Microseconds of each, the median of rounds that take turns."""
    calls = [max(20, int(SLICE_SECONDS * 200 / seconds_of(way, 200))) for way in ways]
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for times, way, count in zip(taken, ways, calls, strict=True):
            times.append(seconds_of(way, count) / count * 1e6)
    return [statistics.median(times) for times in taken]

"""What checking one access token costs: joserfc, PyJWT, and `cryptography` alone, in one run.

    python -m bench.jose            about ten seconds
    python -m bench.jose --rounds 3 quicker, noisier

The same token and key for all. The first three check the signature by one allowed algorithm and
read the claims as JSON; the last two check the claims as well, ours (joserfc inside) with all that
RFC 9068 asks. The rounds take turns, so that a machine which is busy for a second slows all of
them; the median round counts. Nothing is revoked, and no token is remembered.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import jwt as pyjwt
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from watchword.verify import KeySet, VerificationKey, Verifier
from watchword.verify.keys import Jwk, OneAlgorithm

PYJWS = pyjwt.PyJWS()
CLAIMS = {
    "iss": "https://id.example.org",
    "aud": "https://id.example.org",
    "sub": "1234567",
    "client_id": "watchword",
    "iat": 1_700_000_000,
    "exp": 4_000_000_000,
    "jti": "AZ2vV6c4fQeXk0m3Jp1bTw",
    "sid": "019adbd5-e9b8-7a10-9c3e-4f6f1a2b3c4d",
    "auth_time": 1_700_000_000,
    "amr": ["pwd"],
    "scope": "",
    "role": "user",
    "verified": True,
    "epoch": 0,
}


@dataclass(frozen=True)
class Contest:
    """One algorithm: the ways to check the same token, by name."""

    algorithm: str
    ways: dict[str, Callable[[], dict[str, Any]]]


def contest(algorithm: str, key: Jwk) -> Contest:
    """Sign a token with ``key`` and say how each library checks it."""
    registry = OneAlgorithm(algorithm)
    header = {"alg": algorithm, "typ": "at+jwt", "kid": "2026-11"}
    token = jws.serialize_compact(header, json.dumps(CLAIMS), key, registry=registry)
    octets = token.encode()
    public: Any = key.raw_value if isinstance(key, OctKey) else key.public_key
    check = CHECKS[algorithm]

    def by_joserfc() -> dict[str, Any]:
        signed = jws.extract_compact(octets)
        if not jws.validate_compact(signed, key, registry=registry):
            raise ValueError("bad signature")
        return dict(json.loads(signed.payload))

    def by_pyjwt() -> dict[str, Any]:
        return dict(json.loads(PYJWS.decode(token, public, algorithms=[algorithm])))

    def by_cryptography() -> dict[str, Any]:
        signed, _, signature = octets.rpartition(b".")
        check(public, decoded(signature), signed)
        return dict(json.loads(decoded(signed.partition(b".")[2])))

    issuer = str(CLAIMS["iss"])
    known = VerificationKey("2026-11", algorithm, key, registry)
    verifier = Verifier(
        issuer=issuer,
        audience=issuer,
        # Another set at each look: what was verified with the one before is forgotten.
        keys=lambda: KeySet([known]),
        now=time.time,
        is_revoked=lambda _: False,
    )

    def claims_by_ours() -> dict[str, Any]:
        return {"sub": verifier.verify(token).subject}

    def claims_by_pyjwt() -> dict[str, Any]:
        return dict(
            pyjwt.decode(token, public, algorithms=[algorithm], audience=issuer, issuer=issuer)
        )

    ways = {
        "cryptography alone": by_cryptography,
        "joserfc": by_joserfc,
        "PyJWT": by_pyjwt,
        "watchword.verify": claims_by_ours,
        "PyJWT with claims": claims_by_pyjwt,
    }
    for name, way in ways.items():
        assert way()["sub"] == CLAIMS["sub"], name
    return Contest(algorithm, ways)


def decoded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"==")


def _eddsa(key: ed25519.Ed25519PublicKey, signature: bytes, signed: bytes) -> None:
    key.verify(signature, signed)


def _es256(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> None:
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))


def _rs256(key: rsa.RSAPublicKey, signature: bytes, signed: bytes) -> None:
    key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())


def _hs256(key: bytes, signature: bytes, signed: bytes) -> None:
    code = hmac.HMAC(key, hashes.SHA256())
    code.update(signed)
    code.verify(signature)


CHECKS: dict[str, Callable[[Any, bytes, bytes], None]] = {
    "EdDSA": _eddsa,
    "ES256": _es256,
    "RS256": _rs256,
    "HS256": _hs256,
}


def measure(one: Contest, rounds: int, seconds: float) -> dict[str, float]:
    """The median of the rounds for each way, in microseconds for one check."""
    calls = {name: _calls_in(way, seconds) for name, way in one.ways.items()}
    taken: dict[str, list[float]] = {name: [] for name in one.ways}
    for _ in range(rounds):
        for name, way in one.ways.items():
            taken[name].append(seconds_of(way, calls[name]) / calls[name] * 1e6)
    return {name: statistics.median(times) for name, times in taken.items()}


def _calls_in(way: Callable[[], object], seconds: float) -> int:
    once = seconds_of(way, 20) / 20
    return max(1, int(seconds / once))


def seconds_of(way: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        way()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What checking one access token costs.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.04, help="of one round of one library")
    options = parser.parse_args()
    names = ("joserfc", "pyjwt", "cryptography")
    print(", ".join(f"{name} {version(name)}" for name in names))
    print("Microseconds for one token, median of the rounds; x: times `cryptography` alone")
    keys: dict[str, Jwk] = {
        "EdDSA": OKPKey.generate_key("Ed25519"),
        "ES256": ECKey.generate_key("P-256"),
        "RS256": RSAKey.generate_key(2048),
        "HS256": OctKey.generate_key(256),
    }
    for algorithm, key in keys.items():
        found = measure(contest(algorithm, key), options.rounds, options.seconds)
        floor = found["cryptography alone"]
        print(f"\n{algorithm}")
        for name, us in found.items():
            print(f"  {name:20} {us:7.1f}   x {us / floor:.2f}")
        print(f"  joserfc : PyJWT      {found['joserfc'] / found['PyJWT']:7.2f}")


if __name__ == "__main__":
    main()

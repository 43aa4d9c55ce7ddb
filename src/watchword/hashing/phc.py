"""argon2 (RFC 9106) and the PHC string that its hashes are stored as."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

SALT_BYTES = 16  # RFC 9106, section 4: 128 bits of salt, 256 of tag
DIGEST_BYTES = 32

PATTERN = (
    r"\$argon2(?P<variant>id|i|d)(?:\$v=(?P<version>[0-9]{1,3}))?"
    r"\$m=(?P<memory>[0-9]{1,10}),t=(?P<passes>[0-9]{1,10}),p=(?P<lanes>[0-9]{1,8})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,172})\$(?P<digest>[A-Za-z0-9+/]{22,172})"
)
# A string without a version is of the first published one, 1.0.
_FIRST_VERSION = 16
_VERSIONS = (_FIRST_VERSION, ARGON2_VERSION)
_VARIANTS = {"id": Type.ID, "i": Type.I, "d": Type.D}


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """What an argon2 hash costs: memory in KiB, passes over it, lanes."""

    variant: str
    version: int
    memory_kib: int
    passes: int
    lanes: int


@dataclass(frozen=True, slots=True)
class Argon2Hash:
    """A stored argon2 hash, taken apart."""

    parameters: Argon2Parameters
    salt: bytes
    digest: bytes

    @property
    def scheme(self) -> str:
        """``argon2id``, ``argon2i`` or ``argon2d``."""
        return f"argon2{self.parameters.variant}"

    def derive(self, password: bytes) -> bytes:
        """The tag that ``password`` has under this salt. Raises argon2's HashingError."""
        return derive(self.parameters, password, self.salt, len(self.digest))


def argon2id(*, memory_kib: int, passes: int, lanes: int) -> Argon2Parameters:
    """Parameters of a fresh hash; argon2 wants 8 KiB for each lane at least (RFC 9106, 3.1)."""
    return Argon2Parameters("id", ARGON2_VERSION, max(memory_kib, 8 * lanes), passes, lanes)


def derive(parameters: Argon2Parameters, password: bytes, salt: bytes, length: int) -> bytes:
    """The argon2 tag of ``length`` bytes. Raises argon2's HashingError, as when memory is out."""
    return hash_secret_raw(
        password,
        salt,
        time_cost=parameters.passes,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.lanes,
        hash_len=length,
        type=_VARIANTS[parameters.variant],
        version=parameters.version,
    )


def write(parameters: Argon2Parameters, salt: bytes, digest: bytes) -> str:
    """The PHC string to store."""
    return (
        f"$argon2{parameters.variant}$v={parameters.version}"
        f"$m={parameters.memory_kib},t={parameters.passes},p={parameters.lanes}"
        f"${_unpadded(salt)}${_unpadded(digest)}"
    )


def read(match: re.Match[str]) -> Argon2Hash:
    """What ``PATTERN`` matched. Raises ValueError where it isn't argon2 all the same."""
    version = int(match["version"] or _FIRST_VERSION)
    if version not in _VERSIONS:
        raise ValueError("argon2 has no such version")
    parameters = Argon2Parameters(
        match["variant"], version, int(match["memory"]), int(match["passes"]), int(match["lanes"])
    )
    if parameters.lanes < 1 or parameters.passes < 1:
        raise ValueError("argon2 has at least one pass and one lane")
    if parameters.memory_kib < 8 * parameters.lanes:
        raise ValueError("argon2 has at least 8 KiB of memory for each lane")
    return Argon2Hash(parameters, padded(match["salt"]), padded(match["digest"]))


def padded(text: str) -> bytes:
    """The bytes of base64 without its padding. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _unpadded(raw: bytes) -> str:
    return base64.b64encode(raw).rstrip(b"=").decode()

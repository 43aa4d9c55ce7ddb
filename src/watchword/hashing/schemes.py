"""What other projects hash passwords with: bcrypt, scrypt (RFC 7914) and PBKDF2 (RFC 8018)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import bcrypt

# The original reads 72 bytes and no more, so a hash of a longer password is one of these.
_BCRYPT_BYTES = 72


@dataclass(frozen=True, slots=True)
class BcryptHash:
    """A bcrypt hash, of the password itself or of what ``prehash`` makes of it."""

    scheme: str
    setting: bytes  # $2b$12$ and 22 characters of salt
    digest: bytes  # 31 characters
    prehash: Callable[[bytes], bytes] | None

    @property
    def cost(self) -> int:
        """The logarithm of the rounds."""
        return int(self.setting[4:6])

    def derive(self, password: bytes) -> bytes:
        """The 31 characters that ``password`` has under this salt."""
        key = self.prehash(password) if self.prehash else password[:_BCRYPT_BYTES]
        return bcrypt.hashpw(key, self.setting)[-31:]


@dataclass(frozen=True, slots=True)
class ScryptHash:
    """A scrypt hash: cost N, block size r, parallelism p (RFC 7914, section 2)."""

    cost: int
    block_size: int
    parallelism: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        """Raise ValueError for what scrypt can't have made."""
        if self.cost < 2 or self.cost & (self.cost - 1):
            raise ValueError("scrypt's cost is a power of two")
        if self.block_size < 1 or self.parallelism < 1:
            raise ValueError("scrypt has blocks, and runs at least once")
        if self.cost.bit_length() > 16 * self.block_size:
            raise ValueError("scrypt's cost is bounded by its block size (RFC 7914, section 2)")
        if not 32 <= len(self.digest) <= 64:
            raise ValueError("a password's scrypt hash has 32 to 64 bytes")

    @property
    def scheme(self) -> str:
        """``scrypt``."""
        return "scrypt"

    @property
    def memory_bytes(self) -> int:
        """What deriving takes (RFC 7914, sections 4 to 6)."""
        return 128 * self.block_size * (self.cost + self.parallelism + 2)

    def derive(self, password: bytes) -> bytes:
        """The bytes that ``password`` has under this salt."""
        return hashlib.scrypt(
            password,
            salt=self.salt,
            n=self.cost,
            r=self.block_size,
            p=self.parallelism,
            maxmem=self.memory_bytes + 1024 * 1024,
            dklen=len(self.digest),
        )


@dataclass(frozen=True, slots=True)
class Pbkdf2Hash:
    """A PBKDF2 hash with HMAC over ``algorithm`` (RFC 8018, section 5.2)."""

    algorithm: str
    iterations: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        """Raise ValueError for what none of the imported projects writes."""
        if self.iterations < 1:
            raise ValueError("PBKDF2 has one iteration at least")
        # A longer one costs its owner a second run and an attacker none; nobody writes it.
        if len(self.digest) != hashlib.new(self.algorithm).digest_size:
            raise ValueError("the hash is as long as what its algorithm makes")

    @property
    def scheme(self) -> str:
        """``pbkdf2-sha1``, ``pbkdf2-sha256`` or ``pbkdf2-sha512``."""
        return f"pbkdf2-{self.algorithm}"

    def derive(self, password: bytes) -> bytes:
        """The bytes that ``password`` has under this salt."""
        return hashlib.pbkdf2_hmac(self.algorithm, password, self.salt, self.iterations)

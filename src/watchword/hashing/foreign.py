"""Password hashes that others made, so that people keep their passwords when an app moves here.

bcrypt, scrypt, PBKDF2 and argon2, as Django, Werkzeug, passlib and pwdlib write them. What a stored
hash may cost is bounded: an imported file must not be able to take gigabytes or minutes of each
sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from watchword.errors import InvalidInput
from watchword.hashing import phc
from watchword.hashing.schemes import BcryptHash, Pbkdf2Hash, ScryptHash
from watchword.secret import Secret

UNUSABLE = "unusable"

StoredHash = phc.Argon2Hash | BcryptHash | ScryptHash | Pbkdf2Hash


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a stored hash may cost. Each is some seconds on one core, none a minute."""

    memory_kib: int = 512 * 1024  # of argon2 and scrypt
    argon2_work: int = 4 * 1024 * 1024  # KiB times passes
    argon2_lanes: int = 16
    bcrypt_cost: int = 16
    scrypt_work: int = 2**22  # N * r * p
    pbkdf2_iterations: int = 5_000_000


IMPORT_BOUNDS = Bounds()


def recognise(stored: str) -> str:
    """The scheme of a stored hash, or ``unusable`` for an account that has no password.

    Raises InvalidInput where it is of no scheme that can be verified here, or would cost too much.
    """
    return UNUSABLE if is_unusable(stored) else read(stored, IMPORT_BOUNDS).scheme


def is_unusable(stored: str) -> bool:
    """Whether it says that there is no password, as Django, passlib and shadow files write it."""
    return not stored or stored[0] in "!*"


def read(stored: str, bounds: Bounds) -> StoredHash:
    """Take a stored hash apart. Raises InvalidInput, which never repeats the hash."""
    for pattern, build in _FORMS:
        match = pattern.fullmatch(stored)
        if match is None:
            continue
        try:
            found = build(match)
        except ValueError as error:
            raise _refusal("is damaged: it isn't what it says it is") from error
        if not _is_affordable(found, bounds):
            raise _refusal(
                "asks for more memory or time than a sign-in may take here: import the account "
                "without a password, and let its owner set a new one"
            )
        return found
    raise _refusal(
        "is of no known scheme: bcrypt, scrypt, PBKDF2 (with SHA-1, SHA-256 or SHA-512) and "
        "argon2 can be imported, as Django, Werkzeug, passlib and pwdlib write them"
    )


def spellings(password: Secret, stored: StoredHash) -> tuple[Secret, ...]:
    """What ``stored`` may have been made of, the likelier first; one where both are the same.

    Ours are made of NFKC. Who wrote another took the password as it was typed.
    """
    folded = Secret(unicodedata.normalize("NFKC", password.reveal()))
    if folded == password:
        return (password,)
    return (folded, password) if stored.scheme == "argon2id" else (password, folded)


def matches(password: Secret, stored: StoredHash) -> bool:
    """Whether ``stored`` was made of this very password, told in constant time."""
    return hmac.compare_digest(stored.derive(octets(password)), stored.digest)


def octets(password: Secret) -> bytes:
    """What is hashed. A lone surrogate is in no password set here, and fails as any wrong one."""
    return password.reveal().encode("utf-8", "surrogatepass")


def _refusal(what: str) -> InvalidInput:
    return InvalidInput(where="password_hash", what=what)


def _is_affordable(found: StoredHash, bounds: Bounds) -> bool:
    match found:
        case phc.Argon2Hash(parameters=asked):
            return (
                asked.memory_kib <= bounds.memory_kib
                and asked.memory_kib * asked.passes <= bounds.argon2_work
                and asked.lanes <= bounds.argon2_lanes
            )
        case BcryptHash():
            return found.cost <= bounds.bcrypt_cost
        case ScryptHash():
            work = found.cost * found.block_size * found.parallelism
            return work <= bounds.scrypt_work and found.memory_bytes <= bounds.memory_kib * 1024
        case Pbkdf2Hash():
            return found.iterations <= bounds.pbkdf2_iterations


# --- bcrypt -------------------------------------------------------------------------------------


_BCRYPT_ALPHABET = "./" + string.ascii_uppercase + string.ascii_lowercase + string.digits


def _bcrypt_plain(match: re.Match[str]) -> BcryptHash:
    return BcryptHash("bcrypt", _setting(match["setting"]), match["digest"].encode(), None)


def _bcrypt_django(match: re.Match[str]) -> BcryptHash:
    setting, digest = _setting(match["setting"]), match["digest"].encode()
    return BcryptHash("bcrypt-sha256", setting, digest, _sha256_hex)


def _bcrypt_passlib(match: re.Match[str]) -> BcryptHash:
    salt = match["salt"].encode()
    variant = match["type"] or match["type1"]
    setting = _setting(f"${variant}${int(match['cost']):02}${match['salt']}")

    def keyed(password: bytes) -> bytes:
        # Keyed by the salt as it is written, not by its bytes: so passlib 1.7.3 and later have it.
        return base64.b64encode(hmac.digest(salt, password, "sha256"))

    prehash = keyed if match["type"] else _sha256_base64
    return BcryptHash("bcrypt-sha256", setting, match["digest"].encode(), prehash)


def _setting(written: str) -> bytes:
    # Of the last character of the salt two bits count. Some libraries of old filled the others by
    # chance, and the present one takes no such salt.
    last = _BCRYPT_ALPHABET.index(written[-1])
    return (written[:-1] + _BCRYPT_ALPHABET[last & 0b110000]).encode()


def _sha256_hex(password: bytes) -> bytes:
    return hashlib.sha256(password).hexdigest().encode()


def _sha256_base64(password: bytes) -> bytes:
    return base64.b64encode(hashlib.sha256(password).digest())


# --- scrypt and PBKDF2 --------------------------------------------------------------------------


def _scrypt(match: re.Match[str], cost: int, salt: bytes, digest: bytes) -> ScryptHash:
    return ScryptHash(cost, int(match["r"]), int(match["p"]), salt, digest)


def _scrypt_django(match: re.Match[str]) -> ScryptHash:
    digest = base64.b64decode(match["base64"], validate=True)
    return _scrypt(match, int(match["n"]), match["text"].encode(), digest)


def _scrypt_werkzeug(match: re.Match[str]) -> ScryptHash:
    return _scrypt(match, int(match["n"]), match["text"].encode(), bytes.fromhex(match["hex"]))


def _scrypt_passlib(match: re.Match[str]) -> ScryptHash:
    salt, digest = phc.padded(match["salt"]), phc.padded(match["digest"])
    return _scrypt(match, 1 << int(match["ln"]), salt, digest)


def _pbkdf2(match: re.Match[str], salt: bytes, digest: bytes) -> Pbkdf2Hash:
    return Pbkdf2Hash(match["hash"] or "sha1", int(match["rounds"]), salt, digest)


def _pbkdf2_django(match: re.Match[str]) -> Pbkdf2Hash:
    digest = base64.b64decode(match["base64"], validate=True)
    return _pbkdf2(match, match["text"].encode(), digest)


def _pbkdf2_werkzeug(match: re.Match[str]) -> Pbkdf2Hash:
    return _pbkdf2(match, match["text"].encode(), bytes.fromhex(match["hex"]))


def _pbkdf2_passlib(match: re.Match[str]) -> Pbkdf2Hash:
    # passlib writes "." here where base64 has "+".
    salt, digest = (phc.padded(match[name].replace(".", "+")) for name in ("salt", "digest"))
    return _pbkdf2(match, salt, digest)


# --- the forms, as they are written -------------------------------------------------------------

_SETTING = r"(?P<setting>\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{22})"
_BCRYPT = _SETTING + r"(?P<digest>[./A-Za-z0-9]{31})"
_V1_OR_V2 = r"(?:v=2,t=(?P<type>2b),r=|(?P<type1>2[ab]),)(?P<cost>[4-9]|[12][0-9]|3[01])"
_SPLIT = r"\$(?P<salt>[./A-Za-z0-9]{22})\$(?P<digest>[./A-Za-z0-9]{31})"
_TEXT = r"(?P<text>[^$\0]{1,512})"  # PostgreSQL's text has no NUL
_HEX = r"(?P<hex>[0-9a-f]{2,256})"
_BASE64 = r"(?P<base64>[A-Za-z0-9+/]{1,200}={0,2})"
_UNPADDED = r"\$(?P<salt>[A-Za-z0-9+/.]{0,1400})\$(?P<digest>[A-Za-z0-9+/.]{1,200})"
_N, _R, _P = (rf"(?P<{name}>[0-9]{{1,10}})" for name in "nrp")
_HASH = r"(?P<hash>sha1|sha256|sha512)"
_ROUNDS = r"(?P<rounds>[0-9]{1,10})"

_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], StoredHash]], ...] = (
    (re.compile(r"(?:argon2)?" + phc.PATTERN), phc.read),  # Django puts its own name first
    (re.compile(r"(?:bcrypt\$)?" + _BCRYPT), _bcrypt_plain),
    (re.compile(r"bcrypt_sha256\$" + _BCRYPT), _bcrypt_django),
    (re.compile(r"\$bcrypt-sha256\$" + _V1_OR_V2 + _SPLIT), _bcrypt_passlib),
    (re.compile(rf"scrypt\${_N}\${_TEXT}\${_R}\${_P}\${_BASE64}"), _scrypt_django),
    (re.compile(rf"scrypt:{_N}:{_R}:{_P}\${_TEXT}\${_HEX}"), _scrypt_werkzeug),
    (re.compile(rf"\$scrypt\$ln=(?P<ln>[0-9]{{1,2}}),r={_R},p={_P}{_UNPADDED}"), _scrypt_passlib),
    (re.compile(rf"pbkdf2_{_HASH}\${_ROUNDS}\${_TEXT}\${_BASE64}"), _pbkdf2_django),
    (re.compile(rf"pbkdf2:{_HASH}:{_ROUNDS}\${_TEXT}\${_HEX}"), _pbkdf2_werkzeug),
    (re.compile(rf"\$pbkdf2(?:-{_HASH})?\${_ROUNDS}{_UNPADDED}"), _pbkdf2_passlib),
)

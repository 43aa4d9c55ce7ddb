"""Sealing what the database keeps: AES-256-GCM under keys derived from ``SECRET_KEY``.

Each use has its own key by HKDF (RFC 5869) with a label, so that what is sealed for one use
can't be opened as another, and none of them is ``SECRET_KEY`` itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from watchword.errors import ConfigurationError
from watchword.secret import Secret
from watchword.world import World

_VERSION = b"\x01"
_NONCE_BYTES = 12


def derive_key(secret: Secret, label: str) -> bytes:
    """32 bytes for one use, from ``SECRET_KEY`` and the use's name (RFC 5869)."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"watchword/" + label.encode())
    return kdf.derive(secret.reveal().encode("utf-8", "surrogatepass"))


class Sealer:
    """Seals with the newest ``SECRET_KEY``, opens with any that is still known."""

    def __init__(self, secrets: Sequence[Secret], world: World) -> None:
        self._secrets = tuple(secrets)
        self._world = world
        self._ciphers: dict[str, tuple[AESGCM, ...]] = {}

    def _for(self, label: str) -> tuple[AESGCM, ...]:
        if label not in self._ciphers:
            keys = (derive_key(secret, f"seal/{label}") for secret in self._secrets)
            self._ciphers[label] = tuple(AESGCM(key) for key in keys)
        return self._ciphers[label]

    def seal(self, label: str, plain: bytes, bound_to: bytes) -> bytes:
        """Encrypt ``plain`` for the use ``label``; it opens only beside the same ``bound_to``."""
        nonce = self._world.random_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._for(label)[0].encrypt(nonce, plain, bound_to)

    def unseal(self, label: str, sealed: bytes, bound_to: bytes) -> bytes:
        """Decrypt what ``seal`` made. Raises ConfigurationError when no known secret opens it."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] == _VERSION:
            for cipher in self._for(label):
                try:
                    return cipher.decrypt(nonce, body, bound_to)
                except (InvalidTag, ValueError):  # ValueError: cut short, with no whole nonce
                    continue
        raise ConfigurationError(
            "What the database keeps sealed was sealed with another SECRET_KEY. Set SECRET_KEY "
            "to the value it had, or list that value in SECRET_KEY_PREVIOUS"
        )

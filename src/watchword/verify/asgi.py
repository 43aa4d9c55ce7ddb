"""The bearer token of a request (RFC 6750, section 2.1), read from the ASGI scope."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]


def bearer_of(scope: Scope) -> str | None:
    """The token in ``Authorization: Bearer …``, or none where there is no such header."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() != b"bearer":
                return None
            # Bytes that no token has are kept as characters that none has either.
            return str(token.strip().decode("latin-1"))
    return None

"""A value that can't be printed.

A password, a key or a token travels as a ``Secret``: its ``repr``, ``str``, ``format`` and pickle
show nothing, so that no log line, traceback or error message can carry it by accident.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, final

MASK = "[secret]"


@final
class Secret:
    """Text that only ``reveal()`` gives back."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself. Call it where it is used, never where it is passed on."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # Constant time: a secret compared byte by byte tells how many bytes were right.
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"),
            other._value.encode("utf-8", "surrogatepass"),
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret can't be pickled")

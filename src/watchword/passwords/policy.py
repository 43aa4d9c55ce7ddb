"""Which passwords are allowed (ASVS 6.2). Each refusal says which rule, and never the password."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from itertools import pairwise

from watchword.accounts.names import fold
from watchword.errors import PasswordRefused
from watchword.secret import Secret
from watchword.settings.schema import CharacterClass, Settings

MAX_CHARACTERS = 4096  # ASVS 6.2.9 asks for 64; the bound is there for the work that they cost

# Shorter parts of a name are found in too many words.
_LEAST_OF_A_WORD = 4
# Fewer letters beside one's own words are an initial or an ending, as in alice2024! or msalice99.
_LEAST_OF_ONES_OWN = 4


def check_password(
    password: Secret, settings: Settings, personal: Iterable[str], *, where: str = "password"
) -> None:
    """Raise PasswordRefused, naming the first rule that the password breaks.

    ``personal`` is what everybody can know of its owner: username, address, full name. ``where``
    is the field that the refusal names.
    """
    text = password.reveal()
    broken = (
        _unreadable(text)
        or _wrong_length(text, settings.password_min_length)
        or _missing_classes(text, settings.password_require)
        or _common(text)
        or _plain_run(text)
        or _made_of(text, personal, settings)
    )
    if broken:
        raise PasswordRefused(where=where, what=broken)


@cache
def commonest() -> frozenset[str]:
    """The passwords that are tried first, folded (ASVS 6.2.4)."""
    text = files("watchword.passwords").joinpath("commonest.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


# --- the rules, in order: what to say where one is broken, else None -----------------------------


def _unreadable(text: str) -> str | None:
    # Half of a UTF-16 pair: JSON can name one ("\ud800"), no keyboard types it, UTF-8 has none.
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "has a character that isn't valid Unicode; type it again"
    return None


def _wrong_length(text: str, least: int) -> str | None:
    length = len(unicodedata.normalize("NFKC", text))
    # Of both spellings: one letter can become eighteen, and the rules below read each again.
    if max(len(text), length) > MAX_CHARACTERS:
        return f"may have {MAX_CHARACTERS} characters at most"
    if length < least:
        return f"must have at least {least} characters"
    return None


def _missing_classes(text: str, required: Iterable[CharacterClass]) -> str | None:
    missing = [
        name
        for character_class, (name, has) in _CLASSES.items()
        if character_class in required and not any(map(has, text))
    ]
    return f"must have at least {' and '.join(missing)}" if missing else None


def _common(text: str) -> str | None:
    if fold(text) in commonest():
        return "is among the most common passwords, which are tried first; choose another"
    return None


def _plain_run(text: str) -> str | None:
    """One character again and again, or a run up or down as abcdefgh, 98765432 and 67890123."""
    if {_step(a, b) for a, b in pairwise(fold(text))} in ({0}, {1}, {-1}):
        return "is one character repeated, or a plain run as in abcdefgh; choose one less regular"
    return None


def _made_of(text: str, personal: Iterable[str], settings: Settings) -> str | None:
    """Own words count for nothing: without them, at least four letters must be left.

    Digits and signs don't make up for them: alice2024! is the first that is tried on alice. A
    passphrase that has a name in it keeps its other words, and passes.
    """
    own = {word for source in (*personal, settings.app_name) for word in _words(source)}
    own = {word for word in own if len(word) >= _LEAST_OF_A_WORD}
    # What an operator lists is meant, however short it is.
    own |= {_letters_and_digits(word) for word in settings.password_refused_words} - {""}
    left = _letters_and_digits(text)
    before = left
    for word in sorted(own, key=lambda word: (-len(word), word)):
        left = left.replace(word, " ")
    if left != before and sum(map(str.isalpha, left)) < _LEAST_OF_ONES_OWN:
        return (
            "is made of your name, your address or the name of this service; "
            "add words that have nothing to do with them"
        )
    return None


# --- characters and words -----------------------------------------------------------------------


def _is_special(character: str) -> bool:
    return unicodedata.category(character)[0] in "PSZ"


_CLASSES: Mapping[CharacterClass, tuple[str, Callable[[str], bool]]] = {
    "upper": ("one upper-case letter", str.isupper),
    "lower": ("one lower-case letter", str.islower),
    "digit": ("one digit", str.isdecimal),
    "special": ("one character that is neither letter nor digit", _is_special),
}


_WRAPS = {("9", "0"): 1, ("z", "a"): 1, ("0", "9"): -1, ("a", "z"): -1}


def _step(first: str, second: str) -> int:
    return _WRAPS.get((first, second), ord(second) - ord(first))


def _words(source: str) -> set[str]:
    """A name's parts, and the name without what parts it; of an address, of each of its sides."""
    found: set[str] = set()
    for side in fold(source).split("@"):
        found.add(_letters_and_digits(side))
        found.update(_letters_and_digits(part) for part in re.split(r"[\W_]+", side))
    return found


def _letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, fold(text)))

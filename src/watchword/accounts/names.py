"""Usernames and addresses: which are allowed, and by which key they are unique.

A name that reads as another person's is an attack: mixed scripts (a Cyrillic ``а`` in a Latin
name), invisible characters, another case or width. UTS 39, sections 4 and 5, is the source.
"""

from __future__ import annotations

import re
import unicodedata

from email_validator import EmailNotValidError, validate_email

from watchword.errors import InvalidInput

USERNAME_MIN = 3
USERNAME_MAX = 50
EMAIL_MAX = 254
FULL_NAME_MAX = 200

# Scripts that are written together in one word: Japanese, Korean, Chinese, each with Latin.
_TOGETHER = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "KATAKANA-HIRAGANA"})
_MARKS = frozenset("_.-+'")

# Letters and marks that nobody sees (Default_Ignorable_Code_Point): fillers, joiners, selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Lone surrogates, which UTF-8 has none of, and NUL, which PostgreSQL's text has not.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def fold(text: str) -> str:
    """The key a name is unique by: NFKC, case folding, and NFKC again (RFC 8265, section 3.3)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def check_username(username: str) -> str:
    """The username as it is shown. Raises InvalidInput, saying what would do."""
    where = "username"
    shown = unicodedata.normalize("NFC", username)
    check_text(shown, where=where)
    if "@" in shown or "＠" in shown or "@" in fold(shown):
        # Sign-in takes a name or an address: a name that is somebody's address would catch theirs.
        raise InvalidInput(where=where, what="must not contain @; the address goes into email")
    if _UNSEEN.search(shown):
        raise InvalidInput(where=where, what="has a character that can't be seen")
    if not all(unicodedata.category(c)[0] in "LMN" or c in _MARKS for c in shown):
        raise InvalidInput(where=where, what="may have letters, digits and . _ - + ' only")
    if not USERNAME_MIN <= len(shown) <= USERNAME_MAX or len(fold(shown)) > 4 * USERNAME_MAX:
        what = f"must have {USERNAME_MIN} to {USERNAME_MAX} characters"
        raise InvalidInput(where=where, what=what)
    if not any(unicodedata.category(c)[0] in "LN" for c in shown):
        raise InvalidInput(where=where, what="must have a letter or a digit")
    scripts = {_script(c) for c in fold(shown) if unicodedata.category(c)[0] == "L"}
    others = scripts - _TOGETHER
    if len(others) > 1 or (others - {"LATIN"} and scripts & _TOGETHER):
        what = "mixes letters of several scripts, as look-alike names do; use one"
        raise InvalidInput(where=where, what=what)
    return shown


def check_email(email: str, *, where: str = "email") -> str:
    """The address as it is shown, its domain normalised. Raises InvalidInput."""
    check_text(email, where=where)
    try:
        parsed = validate_email(email, check_deliverability=False)
    except EmailNotValidError as error:
        raise InvalidInput(
            where=where, what="is not an address that mail can be sent to"
        ) from error
    if len(parsed.normalized) > EMAIL_MAX:
        raise InvalidInput(where=where, what=f"may have {EMAIL_MAX} characters at most")
    return parsed.normalized


def check_full_name(full_name: str | None) -> str | None:
    """The name as it is shown, or none where it is blank. Raises InvalidInput."""
    if full_name is None:
        return None
    check_text(full_name, where="full_name")
    shown = unicodedata.normalize("NFC", full_name).strip()
    if len(shown) > FULL_NAME_MAX:
        raise InvalidInput(where="full_name", what=f"may have {FULL_NAME_MAX} characters at most")
    return shown or None


def check_text(text: str, *, where: str) -> None:
    """Refuse what no name has: control, invisible, direction and lone surrogate characters."""
    for character in text:
        # Cc NUL and line breaks (headers, logs); Cf zero width and right-to-left override;
        # Cs lone surrogates, which no database takes; Co, Cn nobody can read.
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise InvalidInput(where=where, what="has a character that can't be seen or stored")


def login_key(name: str) -> str:
    """The key to look a sign-in name up by; one that no database takes matches nothing."""
    return fold(_UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", name))


def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").split(" ", 1)[0]

from __future__ import annotations

import string
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from watchword.errors import PasswordRefused
from watchword.passwords.policy import MAX_CHARACTERS, check_password, commonest
from watchword.secret import Secret
from watchword.settings.schema import Settings

ALICE = ("alice", "alice.liddell@wonderland.example", "Alice Pleasance Liddell")


def refusal(password: str, personal: tuple[str, ...] = (), **settings: Any) -> str | None:
    """What the policy says against a password; None where it lets it pass."""
    try:
        check_password(Secret(password), Settings(**settings), personal)
    except PasswordRefused as refused:
        return refused.errors[0]["what"]
    return None


# --- what passes --------------------------------------------------------------------------------


@pytest.mark.parametrize("app_name", ["AIVerse", "Watchword"])
@pytest.mark.parametrize("password", ["SecurePass123", "NewSecurePass123", "ResetPass123"])
def test_the_passwords_of_the_tutorials_client_pass(password: str, app_name: str) -> None:
    personal = ("auth_test_user", "authtest@example.com", "Auth Test User")
    assert refusal(password, personal, app_name=app_name) is None


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "жёлтая подводная лодка",
        "🐢🐇🦊🐻🐼🐨🐯🦁",
        "  leading and trailing  ",
        "tab\tand nul\x00 too",
        "lower case only",
        "x7" * 32,
        "long enough " * 300,
    ],
)
def test_any_characters_make_a_password_without_rules_of_composition(password: str) -> None:
    assert refusal(password, ALICE) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=200))
def test_only_named_rules_refuse_a_password(password: str) -> None:
    said = refusal(password, ALICE)
    length = len(unicodedata.normalize("NFKC", password))
    if said is None:
        assert length >= 8
    else:
        assert length < 8 or any(rule in said for rule in ("common", "run", "made of"))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=60))
def test_a_password_is_allowed_or_not_however_its_characters_are_composed(password: str) -> None:
    composed, apart = (unicodedata.normalize(form, password) for form in ("NFKC", "NFKD"))
    assert refusal(composed, ALICE) == refusal(apart, ALICE)


# --- length -------------------------------------------------------------------------------------


def test_a_short_password_is_refused_with_the_length_that_would_do() -> None:
    assert refusal("Ab3!xyz") == "must have at least 8 characters"
    assert refusal("fourteen chars", password_min_length=15) == "must have at least 15 characters"
    assert refusal("fifteen chars..", password_min_length=15) is None


def test_accents_typed_apart_do_not_count_as_characters() -> None:
    seven = "e\u0301" * 3 + "xyzw"
    assert len(seven) == 10
    assert refusal(seven) == "must have at least 8 characters"


def test_a_password_of_the_greatest_length_passes_and_one_longer_is_refused() -> None:
    longest = "correct horse " * 300
    assert refusal(longest[:MAX_CHARACTERS]) is None
    assert refusal(longest[: MAX_CHARACTERS + 1]) == "may have 4096 characters at most"


@given(st.text(min_size=8), st.characters(categories=["Cs"]), st.text())
def test_a_lone_surrogate_is_refused_wherever_it_stands(
    before: str, surrogate: str, after: str
) -> None:
    assert "valid Unicode" in str(refusal(before + surrogate + after))


def test_the_refusal_names_the_field_that_it_is_about() -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password(Secret("short"), Settings(), (), where="new_password")
    assert refused.value.errors == [
        {"where": "new_password", "what": "must have at least 8 characters"}
    ]


@pytest.mark.parametrize("password", ["Xyzzy7!", "passw0rd", "tuvwxyzab", "alice2024!"])
def test_a_refusal_never_repeats_the_password(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password(Secret(password), Settings(), ALICE)
    assert password not in f"{refused.value} {refused.value.errors} {refused.value.detail}"


# --- character classes --------------------------------------------------------------------------


def test_required_classes_that_are_missing_are_named_together() -> None:
    said = refusal("ohne alles davon", password_require=("upper", "digit"))
    assert said == "must have at least one upper-case letter and one digit"


@pytest.mark.parametrize(
    ("character_class", "without", "with_it"),
    [
        ("upper", "über den wolken", "Über den wolken"),
        ("lower", "ÜBER DEN WOLKEN", "ÜBER DEN WOLKeN"),
        ("digit", "über den wolken", "über den ٣ wolken"),
        ("special", "überdenwolken7", "überdenwolken7€"),
        ("special", "überdenwolken7", "über denwolken7"),
    ],
)
def test_a_required_class_is_met_in_any_script(
    character_class: str, without: str, with_it: str
) -> None:
    assert "must have at least one" in str(refusal(without, password_require=(character_class,)))
    assert refusal(with_it, password_require=(character_class,)) is None


# --- the commonest ------------------------------------------------------------------------------


def test_the_shipped_list_has_the_three_thousand_commonest_and_more() -> None:
    assert len(commonest()) >= 3000
    assert all(len(word) >= 8 for word in commonest())
    assert {"password", "iloveyou", "trustno1", "1q2w3e4r", "football"} <= commonest()


@pytest.mark.parametrize("password", ["password1", "PassWord1", "ｐａｓｓｗｏｒｄ１", "qwertyuiop"])
def test_a_common_password_is_refused_in_any_case_and_width(password: str) -> None:
    assert "most common" in str(refusal(password))


@given(st.data())
def test_every_listed_password_is_refused(data: st.DataObject) -> None:
    password = data.draw(st.sampled_from(sorted(commonest())))
    assert refusal(password) is not None
    assert refusal(password.upper()) is not None


# --- runs ---------------------------------------------------------------------------------------


@given(st.characters(exclude_categories=["Cs"]), st.integers(8, 40))
def test_one_character_repeated_is_refused(character: str, count: int) -> None:
    assume(len(unicodedata.normalize("NFKC", character)) == 1)
    assume(not unicodedata.combining(character))
    assert refusal(character * count) is not None


@pytest.mark.parametrize(
    "password",
    [
        "abcdefgh",
        "ABCDEFGH",
        "efghijklm",
        "hgfedcba",
        "23456789",
        "67890123",
        "43210987",
        "wxyzabcd",
    ],
)
def test_a_plain_run_up_or_down_is_refused(password: str) -> None:
    assert refusal(password) is not None


@pytest.mark.parametrize("password", ["αβγδεζηθ", "клмнопрст", "789012345678", "vwxyzabcdef"])
def test_a_run_that_no_list_has_is_refused_as_a_run(password: str) -> None:
    assert "run" in str(refusal(password))


def test_a_run_with_anything_else_in_it_is_not_taken_for_a_run() -> None:
    assert refusal("efghijklm-no") is None


# --- own words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        "alice2024!",
        "ALICE2024!",
        "2024alice",
        "alicealice",
        "msalice1865",
        "a.l.i.c.e.1865",
        "Liddell#1865",
        "liddell.alice",
        "alice.liddell@wonderland.example",
        "Wonderland99!",
        "pleasance-77",
        "ＡＬＩＣＥ１８６５",
        "Watchword2024",
        "watchwordalice",
    ],
)
def test_a_password_made_of_ones_own_name_or_the_services_is_refused(password: str) -> None:
    assert "made of your name" in str(refusal(password, ALICE))


@pytest.mark.parametrize(
    "password",
    [
        "my cat alice sleeps at noon",
        "alice in chains 1987",
        "wonderland is far away",
        "a watchword for tonight",
        "AlicePass123",
    ],
)
def test_a_password_that_merely_has_a_name_in_it_passes(password: str) -> None:
    assert refusal(password, ALICE) is None


def test_a_short_name_counts_when_it_is_joined_to_the_rest() -> None:
    bob = ("bob_lee", "bl@example.org", "Bob Lee")
    assert "made of your name" in str(refusal("bob.lee.2024", bob))
    assert refusal("leeward bobsled", bob) is None


def test_words_that_the_operator_refuses_count_however_short() -> None:
    assert refusal("ACM-2024-!") is None
    assert "made of" in str(refusal("ACM-2024-!", password_refused_words=("acm",)))


def test_the_apps_name_counts_word_by_word() -> None:
    assert "made of" in str(refusal("acme1234567x", app_name="Acme Rockets"))
    assert "made of" in str(refusal("AcmeRockets1", app_name="Acme Rockets"))


@given(st.text(string.digits + string.punctuation, min_size=1, max_size=20))
def test_digits_and_signs_never_make_up_for_ones_own_name(around: str) -> None:
    assert refusal("liddell" + around, ALICE) is not None
    assert refusal(around + "liddell", ALICE) is not None


def test_names_without_letters_or_none_at_all_refuse_nothing() -> None:
    assert refusal("correct horse", ("", "@", "...", "_")) is None

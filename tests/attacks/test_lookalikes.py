"""Names and addresses that read as somebody else's (UTS 39)."""

from __future__ import annotations

import unicodedata

import pytest
from httpx2 import Response
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.problems import assert_problem
from watchword.testing import Running
from watchword.testing.running import PASSWORD

pytestmark = [
    pytest.mark.shapes("mounted-sqlite"),
    pytest.mark.watchword(limit_register="off", limit_login="off"),
]


def register(running: Running, username: str, email: str) -> Response:
    body = {"username": username, "email": email, "password": PASSWORD}
    return running.client.post(f"{running.prefix}/auth/register", json=body)


def test_a_twin_of_a_name_is_taken_or_refused(watchword: Running) -> None:
    watchword.create(username="paypal", email="pay@example.com")
    twins = {
        409: (
            "PayPal",
            "PAYPAL",
            "ｐａｙｐａｌ",
            "ＰａｙＰａｌ",
            "paypa\u217c",  # small roman numeral fifty
            "\U0001d5c9\U0001d5ba\U0001d5d2\U0001d5c9\U0001d5ba\U0001d5c5",  # sans-serif letters
        ),
        422: (
            "pаypal",  # a Cyrillic a
            "раураl",  # Cyrillic, and a Latin l
            "paypαl",  # a Greek alpha
            "pay\u200bpal",  # zero width space
            "pay\u200dpal",  # zero width joiner
            "paypal\u200e",  # left-to-right mark
            "\u202elapyap",  # right-to-left override
            "pay\u00adpal",  # soft hyphen
            "pay\ufeffpal",
            "pay\u2060pal",
            "paypal ",
            " paypal",
            "pay pal",
            "pay\u00a0pal",
            "paypal\n",
            "paypal\x00",
            "pay/pal",
            "pay\U000e0041pal",  # a tag character
            "pay\u3164pal",  # Hangul filler: a letter that can't be seen
            "pay\uffa0pal",
            "pay\u034fpal",  # combining grapheme joiner
            "paypal\ufe0f",  # variation selectors
            "paypal\U000e0100",
        ),
    }
    for status, names in twins.items():
        for n, name in enumerate(names):
            answer = register(watchword, name, f"twin{status}-{n}@example.com")
            assert answer.status_code == status, ascii(name)
            assert_problem(answer, status)
    admin = watchword.login_as(role="admin")
    assert len(admin.get(f"{watchword.prefix}/users").json()) == 2


def test_a_name_with_an_at_sign_of_any_width_is_refused(watchword: Running) -> None:
    for sign in ("@", "＠", "﹫"):
        for name in (f"victim{sign}example.com", f"{sign}victim", f"a{sign}b"):
            problem = assert_problem(register(watchword, name, "thief@example.com"), 422)
            assert problem["errors"] == [
                {
                    "where": "username",
                    "what": "must not contain @; the address goes into email",
                }
            ]


def test_a_twin_of_an_address_is_taken_or_refused(watchword: Running) -> None:
    watchword.create(username="victim", email="victim@straße.example")
    for n, twin in enumerate(
        ("VICTIM@straße.example", "victim@STRASSE.example", "ｖｉｃｔｉｍ@straße.example")
    ):
        answer = register(watchword, f"twin{n}", twin)
        assert answer.status_code in (409, 422), twin
    for twin in ("vic\u200btim@example.com", "victim@exam\u00adple.com", "victim@@example.com"):
        assert_problem(register(watchword, "twin", twin), 422)


def test_people_of_every_script_get_their_names(watchword: Running) -> None:
    names = ("Jürgen", "Øystein", "Дмитрий", "Ελένη", "محمد", "דניאל", "さくらサクラ桜", "김철수")
    for n, name in enumerate((*names, "李小龍", "o'neill", "a_b.c-d+e", "नरेंद्र", "สมชาย")):
        answer = register(watchword, name, f"person{n}@example.com")
        assert answer.status_code == 201, (name, answer.text)
        assert answer.json()["username"] == unicodedata.normalize("NFC", name)
        assert watchword.sign_in(name).user["username"] == answer.json()["username"]


# Not the dotless ı, whose capital is another letter's.
LETTERS = "abAB19._-éÉßſKåσςΣаАбİｆＦ①²ﬁŉǰ\u0345\u0301\u0130\u200b@＠"


@settings(max_examples=60)
@given(name=st.text(LETTERS, min_size=3, max_size=8))
def test_whatever_name_is_accepted_no_twin_of_it_is(watchword: Running, name: str) -> None:
    answer = register(watchword, name, f"{name.encode().hex()[:60]}@example.com")
    assert answer.status_code in (201, 409, 422)
    if answer.status_code != 201:
        return
    shown = answer.json()["username"]
    twins = {
        name,
        shown,
        shown.upper(),
        shown.lower(),
        shown.swapcase(),
        shown.casefold(),
        *(unicodedata.normalize(form, shown) for form in ("NFC", "NFD", "NFKC", "NFKD")),
        "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in shown),
    }
    for twin in twins:
        again = register(watchword, twin, "twin@example.com")
        assert again.status_code in (409, 422), ascii(twin)

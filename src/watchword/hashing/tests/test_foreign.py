from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.errors import InvalidInput
from watchword.hashing.foreign import IMPORT_BOUNDS, Bounds, matches, read, recognise, spellings
from watchword.secret import Secret

# In NFKC the ligature is "fi": who hashed it took it as it was typed.
PASSWORD = "Grüße aus der ﬁnsteren Höhle"
# 101 bytes: bcrypt reads 72.
LONG = (
    "ein sehr langer Satz, der weit über zweiundsiebzig Bytes hinausgeht, damit man das "
    "Abschneiden sieht"
)

# Data made by the projects themselves, of PASSWORD unless it says LONG.
DJANGO = [  # make_password of Django 5.2.19, with fewer rounds than its defaults
    (
        "pbkdf2-sha256",
        "pbkdf2_sha256$20000$WMlrJNAxFPlj8zwnxuBTfB$bC3g7KM9X03A0OtZj7gi9fjxaBcM92bBCstyLfR2iG0=",
    ),
    ("pbkdf2-sha1", "pbkdf2_sha1$20000$4saPh4SdPI2d1qx4hcdO7X$Vh1ILtN9M5eGiVeQNVChkicIbfA="),
    (
        "argon2id",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$UVppeVZCYm5GVFB2RGFybXNZaGxkbg"
        "$bYs+RqCExlvSZYFzemkC7l21u/1Y5DVz/i9KtI5jD1Y",
    ),
    (
        "bcrypt-sha256",
        "bcrypt_sha256$$2b$05$bpLdIERZaP00fG706EKM.uqDzHSaUB.AZoI5SzBP2NmOCw59yI6FK",
    ),
    ("bcrypt", "bcrypt$$2b$05$wodySxDyAE3G27cxKWqCYuX8IbLj2qgZM7d/AcywxhyrQQUYbKtwC"),
    (
        "scrypt",
        "scrypt$16384$AGCl9YSaRTNDMwPKUpoLCj$8$5$Jc6J/IhnRZGJssUtx6xzj+V/byTC6BTv/VflaPEraNTx"
        "AjjxP2MRpviZttF3Yrn98xPPbtKDPjzOyYTSbVh1jg==",
    ),
]
WERKZEUG = [  # generate_password_hash of Werkzeug 3.1.9
    (
        "scrypt",
        "scrypt:32768:8:1$odxhJlsuvmc78tjX$253d1af60711ff18b183b89ef56d79441f2a4d1fd3f8765512dbe9"
        "d77efa51e3323c31948e030c5f3958106be4ed67c8b502970195900686ed6c7b814ccc10dc",
    ),
    (
        "pbkdf2-sha256",
        "pbkdf2:sha256:20000$rxBx2w1qm8ljUIVl"
        "$77cbec22778c85b14ae93f6a711e7860a00c6346a818dca0437c226c12f52807",
    ),
    (
        "pbkdf2-sha1",
        "pbkdf2:sha1:20000$oxnHpvEFjBJP6IS3$384531f05ec559002dfdca62b2433098683252f3",
    ),
    (
        "pbkdf2-sha512",
        "pbkdf2:sha512:20000$Hg4kpBawAwGJ7jIc$93824c33355f11f04dc0e45ee88e04a8d8abc45821f3e933b886"
        "defb5f40bc520162c1a89fe481ab39dfd5a67f68ce3f088baf360689cc0004df6a4a9b15dc74",
    ),
]
PASSLIB = [  # passlib 1.7.4 (its bcrypt by bcrypt 4.0.1, its argon2 by argon2-cffi 25.1)
    ("bcrypt", "$2b$05$D19H71mqtuUfzOAMa1M9tenTYVhEbkMFIEIjU0fwpH9vn/tYRWJ.2"),
    ("bcrypt", "$2a$05$lE/pi81HnnbQPKjgl/CFk.VmEAgOendWOuSqEQQwhTgrBWbyBMmEi"),
    ("bcrypt", "$2y$05$/GeS3TsE3mcnj5nzAWGTmOGYbGX31g51MwmBRywyClQnuKG3yR3.2"),
    (
        "bcrypt-sha256",
        "$bcrypt-sha256$v=2,t=2b,r=5$BptfqD/KKeq2TMRYo8Jppe$z4IzmQA/KFF/gyFHkOCDA667OrpBnEW",
    ),
    ("bcrypt-sha256", "$bcrypt-sha256$2b,5$rbIo1cCX6fcoQyOHRzL9Be$4vgLDQCtizBV19hXDdyCXfSIELJ6W.i"),
    (
        "scrypt",
        "$scrypt$ln=14,r=8,p=1$IcQYI6RUKqXU2vsf41zL+Q$qU1Iz1/BN2WRJjZNq1fPAzPKDd6vTp+ls85N3h1eh1c",
    ),
    ("pbkdf2-sha1", "$pbkdf2$20000$EyJEiBHCuFdqTYnRGsO4lw$CaboBUuDUOJybEsp90hpMsswmfM"),
    (
        "pbkdf2-sha256",
        "$pbkdf2-sha256$20000$nXPuXet9j1FqLSXEOKc0pg$tFq3HMqo4O/9ifo1dh.pgAR93XNp4LgxsL/7nVTlnws",
    ),
    (
        "pbkdf2-sha512",
        "$pbkdf2-sha512$20000$yNn7HyOEUIrRWisFwFhrzQ$rsjtVysgqjvXx3JQH6Mg8NSoxCXfvST7xKMjBr4Mhob"
        "30G4ERWAeXoQcK1.cv1qXNH4/UjQbH7k2UR0WBKzpKw",
    ),
    (
        "argon2id",
        "$argon2id$v=19$m=8192,t=2,p=2$TOmdE+L8vzcGwPjfO6cUgg"
        "$751CVELiTxKCXqQ6sXnfwlKVzqcTyFcE62hIAbiPvmQ",
    ),
    (
        "argon2i",
        "$argon2i$v=19$m=8192,t=2,p=2$ZKw1xliL0Trn/N/b+x8DgA"
        "$1WDjRBZO79Is/DYPJST+rKkHG/uUyJLu1+keG3vT20o",
    ),
    (
        "argon2d",
        "$argon2d$v=19$m=8192,t=2,p=2$733v3XvPuff+XwvBWMv53w"
        "$FnjpTYxhxGUAWgVsn5WCA1cpRJ+W1rGLyctCW6n91bo",
    ),
]
PWDLIB = [  # Argon2Hasher of pwdlib 0.3.1, as FastAPI's tutorial and fastapi-users use it
    (
        "argon2id",
        "$argon2id$v=19$m=65536,t=3,p=4$K5Ng+XwdsadXkH5ytYhzrg"
        "$ilHILTxnADwikdXZFH8ZJ1YJwxMgydL1s3epVKFjnsk",
    ),
]
IMPORTED = [*DJANGO, *WERKZEUG, *PASSLIB, *PWDLIB]

CUT = [  # of LONG: Django 5.2.19, passlib 1.7.4
    "bcrypt$$2b$05$MUyc7XlQSp8MatZvK0tq6OMK.PQyIhwBWpt0/QBIiW9B0Cwsl92J6",
    "$2b$05$jF99l8RmTfHmGhEmm.Ym3uREsBEsuvDSr.BDQad0nuOvMGb68iffm",
]
NOT_CUT = [  # of LONG: Django 5.2.19, passlib 1.7.4
    "bcrypt_sha256$$2b$05$dHjj873DAl4NPwcVjjG/Zejs4EGdSsBa8rrNJq7GGNUm3W1a/DF5G",
    "$bcrypt-sha256$v=2,t=2b,r=5$UCVHaVy9JVNPFMOWQj4ta.$mxp5h8sris/Z1q.FyBYbca8CIrpJbem",
]


def opens(password: str, stored: str) -> bool:
    found = read(stored, IMPORT_BOUNDS)
    return any(matches(spelling, found) for spelling in spellings(Secret(password), found))


def refusal(stored: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        recognise(stored)
    assert refused.value.errors[0]["where"] == "password_hash"
    return refused.value.errors[0]["what"]


@pytest.mark.parametrize(("scheme", "stored"), IMPORTED)
def test_an_imported_hash_is_recognised_and_opens_for_its_password_alone(
    scheme: str, stored: str
) -> None:
    assert recognise(stored) == scheme
    assert opens(PASSWORD, stored)
    assert not opens(PASSWORD.replace("Grüße", "Gruesse"), stored)
    assert not opens("", stored)


@pytest.mark.parametrize("stored", CUT)
def test_bcrypt_of_a_long_password_opens_as_where_it_was_made(stored: str) -> None:
    assert opens(LONG, stored)
    assert not opens(LONG.replace("ein sehr", "ein ganz"), stored)


@pytest.mark.parametrize("stored", NOT_CUT)
def test_bcrypt_over_sha256_takes_each_character_of_a_long_password(stored: str) -> None:
    assert opens(LONG, stored)
    assert not opens(LONG[:-1], stored)


def test_a_password_typed_apart_opens_a_hash_made_of_it_composed() -> None:
    # Werkzeug 3.1.9, of "Käsekuchen"
    stored = (
        "pbkdf2:sha256:20000$Y6tjhAOCUHxpWRh7"
        "$9c3fff455e41c5e79c43711ff36fea8542d06847768a8f5f387f829cc72d72c5"
    )
    assert opens("Käsekuchen", stored)
    assert opens("Ka\u0308sekuchen", stored)


@pytest.mark.parametrize(
    "stored", ["!", "!bMAZ6iPoyAcutGpbc2p6OTf0EkFitnlU250o6QKC", "*", "!!", "!$2b$05$x", ""]
)
def test_an_account_without_a_password_is_recognised_as_one(stored: str) -> None:
    assert recognise(stored) == "unusable"


@pytest.mark.parametrize(
    "stored",
    [
        "$argon2id$v=19$m=2097152,t=1,p=4$c29tZXNhbHQxMjM$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=1000,p=4$c29tZXNhbHQxMjM$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=9999999999,t=9999999999,p=1$c29tZXNhbHQxMjM$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=1,p=1000$c29tZXNhbHQxMjM$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$2b$17$D19H71mqtuUfzOAMa1M9tenTYVhEbkMFIEIjU0fwpH9vn/tYRWJ.2",
        "$2b$31$D19H71mqtuUfzOAMa1M9tenTYVhEbkMFIEIjU0fwpH9vn/tYRWJ.2",
        "$bcrypt-sha256$v=2,t=2b,r=31$BptfqD/KKeq2TMRYo8Jppe$z4IzmQA/KFF/gyFHkOCDA667OrpBnEW",
        "scrypt:1048576:8:1$salt$" + "00" * 64,
        "scrypt:1024:8:9999999999$salt$" + "00" * 64,
        "scrypt:2:9999999:1$salt$" + "00" * 64,
        "$scrypt$ln=99,r=8,p=1$c2FsdA$" + "A" * 43,
        "scrypt$4294967296$salt$8$1$" + "A" * 43 + "=",
        "pbkdf2:sha256:9999999999$salt$" + "00" * 32,
        "pbkdf2_sha256$5000001$salt$" + "A" * 43 + "=",
        "$pbkdf2-sha512$100000000$c2FsdA$" + "A" * 86,
    ],
)
def test_an_imported_hash_cannot_take_gigabytes_or_minutes(stored: str) -> None:
    assert "more memory or time" in refusal(stored)


@pytest.mark.parametrize(
    "stored",
    [
        "$argon2id$v=18$m=65536,t=1,p=4$c29tZXNhbHQxMjM$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=0,p=4$c29tZXNhbHQxMjM$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=16,t=1,p=4$c29tZXNhbHQxMjM$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=65536,t=1,p=4$c29tZXNhbHQxMjMxx$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt:1000:8:1$salt$" + "00" * 64,
        "scrypt:0:8:1$salt$" + "00" * 64,
        "scrypt:1024:0:1$salt$" + "00" * 64,
        "scrypt:1024:8:0$salt$" + "00" * 64,
        "scrypt:1024:8:1$salt$00",
        "scrypt:1024:8:1$salt$" + "0" * 127,
        "pbkdf2:sha256:0$salt$" + "00" * 32,
        "pbkdf2:sha256:1000$salt$00",
        "pbkdf2_sha256$1000$salt$" + "A" * 44 + "=",
    ],
)
def test_a_damaged_hash_is_refused_before_anybody_signs_in(stored: str) -> None:
    assert "damaged" in refusal(stored)


@pytest.mark.parametrize(
    "stored",
    [
        "hunter2",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "pbkdf2:md5:1000$salt$" + "00" * 16,
        "pbkdf2:sha256$salt$" + "00" * 32,
        "$2x$05$D19H71mqtuUfzOAMa1M9tenTYVhEbkMFIEIjU0fwpH9vn/tYRWJ.2",
        "$2b$03$D19H71mqtuUfzOAMa1M9tenTYVhEbkMFIEIjU0fwpH9vn/tYRWJ.2",
        "$2b$05$D19H71mqtuUfzOAMa1M9tenTYVhEbkMFIEIjU0fwpH9vn/tYRWJ.2\n",
        " $2b$05$D19H71mqtuUfzOAMa1M9tenTYVhEbkMFIEIjU0fwpH9vn/tYRWJ.2",
        "$2b$05$D19H71mqtuUfzOAMa1M9tenTYVhEbkMFIEIjU0fwpH9vn/tYRWJ",
        "$argon2id$v=19$m=65536,t=3,p=4$K5Ng+XwdsadXkH5ytYhzrg$",
        "$argon2id$v=19$m=65536,t=3,p=4,keyid=AAAA$K5Ng+XwdsadXkH5ytYhzrg$AAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt:٣٢٧٦٨:8:1$salt$" + "00" * 64,
        "\x00",
        "\ud800",
    ],
)
def test_what_is_no_known_hash_is_refused_without_repeating_it(stored: str) -> None:
    assert "no known scheme" in refusal(stored)
    with pytest.raises(InvalidInput) as refused:
        recognise(stored)
    assert stored not in refused.value.sentence


@given(st.text(max_size=200))
def test_any_text_is_recognised_or_refused(stored: str) -> None:
    try:
        scheme = recognise(stored)
    except InvalidInput:
        return
    assert scheme == "unusable"


CHEAP = Bounds(
    memory_kib=8192,
    argon2_work=16384,
    argon2_lanes=2,
    bcrypt_cost=5,
    scrypt_work=2**12,
    pbkdf2_iterations=20_000,
)


@settings(deadline=None)
@given(st.sampled_from(IMPORTED), st.data())
def test_a_hash_with_one_character_changed_is_refused_or_can_be_derived(
    imported: tuple[str, str], data: st.DataObject
) -> None:
    stored = imported[1]
    at = data.draw(st.integers(0, len(stored) - 1))
    one = data.draw(st.sampled_from(stored) | st.characters())
    try:
        found = read(stored[:at] + one + stored[at + 1 :], CHEAP)
    except InvalidInput:
        return
    assert not matches(Secret("another"), found)


@given(st.integers(0, 19), st.integers(0, 999), st.integers(0, 999), st.sampled_from([0, 16, 64]))
def test_scrypt_parameters_are_refused_or_can_be_derived(
    log_n: int, r: int, p: int, size: int
) -> None:
    try:
        found = read(f"scrypt:{2**log_n}:{r}:{p}$salt${'00' * size}", CHEAP)
    except InvalidInput:
        return
    assert not matches(Secret("another"), found)


@pytest.mark.parametrize("last", ["e", "f", "h", "t"])
def test_a_bcrypt_salt_with_stray_bits_opens_as_where_it_was_made(last: str) -> None:
    # passlib 1.7.4 with bcrypt 4.0.1; the four strings stand for the same 128 bits of salt.
    stored = f"$2b$05$D19H71mqtuUfzOAMa1M9t{last}nTYVhEbkMFIEIjU0fwpH9vn/tYRWJ.2"
    assert opens(PASSWORD, stored)
    assert not opens("another", stored)


def test_scrypt_of_single_blocks_is_bounded_by_the_scheme_itself() -> None:
    assert "damaged" in refusal("scrypt:65536:1:1$salt$" + "00" * 64)
    assert recognise("scrypt:32768:1:1$salt$" + "00" * 64) == "scrypt"

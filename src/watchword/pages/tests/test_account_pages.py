from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.admin import setup
from watchword.pages.tests.reading import Page, read
from watchword.testing import Running

NEW = "lanterns-over-quiet-water"


def link_of(watchword: Running, kind: str) -> str:
    return watchword.mailbox.last(kind=kind).links[0]


def ask_reset(watchword: Running, email: str) -> str:
    watchword.client.post(
        f"{watchword.prefix}/auth/password/reset/request", json={"email": email}
    ).raise_for_status()
    return link_of(watchword, "password_reset")


def setup_link(watchword: Running) -> str:
    link = watchword.call(setup.offer)
    assert link is not None
    return link.reveal()


def opened(watchword: Running, link: str) -> Page:
    return read(watchword.client.get(link))


def sent(watchword: Running, form: Page, **typed: str) -> Page:
    """Press the form's button, as a browser would."""
    hidden = {a["name"]: a["value"] for a in form.all("input") if a.get("type") == "hidden"}
    return read(watchword.client.post(form.action, data={**hidden, **typed}))


# --- verify ------------------------------------------------------------------------------------


def test_a_scanner_that_opens_the_link_does_not_use_it_up(watchword: Running) -> None:
    user = watchword.login_as(verified=False)
    user.post(f"{watchword.prefix}/auth/email/verification/request").raise_for_status()
    link = link_of(watchword, "verification")
    for _ in range(3):
        form = opened(watchword, link)
        assert form.status == 200
        assert not user.get(f"{watchword.prefix}/auth/me").json()["is_verified"]
    done = sent(watchword, form)
    assert done.status == 200
    assert user.user["email"] in done.text
    assert user.get(f"{watchword.prefix}/auth/me").json()["is_verified"]


@pytest.mark.shapes("alone-sqlite", "mounted-postgres")
def test_a_new_address_that_somebody_took_meanwhile_is_refused_in_words(
    watchword: Running,
) -> None:
    user = watchword.login_as()
    path = f"{watchword.prefix}/users/{user.id}"
    user.patch(path, json={"email": "wanted@example.com"}).raise_for_status()
    form = opened(watchword, link_of(watchword, "email_change"))
    watchword.create(email="wanted@example.com")
    refused = sent(watchword, form)
    assert refused.status == 409
    assert "another account has taken this address" in refused.text
    assert user.get(path).json()["email"] == user.user["email"]


# --- reset -------------------------------------------------------------------------------------


def test_a_forgotten_password_is_replaced(watchword: Running) -> None:
    user = watchword.login_as()
    form = opened(watchword, ask_reset(watchword, user.user["email"]))
    field = form.field("new_password")
    assert field["type"] == "password"
    assert field["autocomplete"] == "new-password"
    assert field["minlength"] == "8"
    # A browser cuts what is pasted beyond it, without a word.
    assert "maxlength" not in field
    done = sent(watchword, form, new_password=NEW)
    assert done.status == 200
    assert user.get(f"{watchword.prefix}/auth/me").status_code == 401
    watchword.sign_in(user.user["username"], NEW)
    assert "no longer works" in sent(watchword, form, new_password=NEW).text


@pytest.mark.watchword(password_min_length=10, password_require=("upper", "digit"))
@pytest.mark.shapes("alone-sqlite")
def test_password_managers_are_told_the_rules(watchword: Running) -> None:
    watchword.create(email="ada@example.com", password="Violet-otter-rows-7")
    form = opened(watchword, ask_reset(watchword, "ada@example.com"))
    rules = form.field("new_password")["passwordrules"]
    assert rules == "minlength: 10; required: upper; required: digit;"


def test_a_refused_password_is_explained_on_the_form_and_costs_nothing(watchword: Running) -> None:
    watchword.create(username="ada", email="ada@example.com")
    form = opened(watchword, ask_reset(watchword, "ada@example.com"))
    again = sent(watchword, form, new_password="abcdefghij")
    assert again.status == 422
    field = again.field("new_password")
    assert field["aria-invalid"] == "true"
    assert [again.by_id(name)["class"] for name in field["aria-describedby"].split()] == [
        "wrong",
        "hint",
    ]
    assert "The password is among the most common passwords" in again.text
    assert "abcdefghij" not in again.source
    assert [a["role"] for a in again.all("p") if "role" in a] == ["alert"]
    assert sent(watchword, again, new_password=NEW).status == 200
    watchword.sign_in("ada", NEW)


# --- set up ------------------------------------------------------------------------------------


def test_the_first_administrator_is_made_once(watchword: Running) -> None:
    form = opened(watchword, setup_link(watchword))
    typed = {"username": "ada", "email": "ada@example.com", "full_name": "Ada L."}
    done = sent(watchword, form, **typed, password=NEW)
    assert done.status == 200
    assert f"POST {watchword.prefix}/auth/login" in done.text
    me = watchword.sign_in("ada", NEW).user
    assert (me["role"], me["full_name"], me["is_verified"]) == ("admin", "Ada L.", True)

    (docs,) = [address for address in done.addresses if address.endswith("docs")]
    assert "swagger-ui" in watchword.client.get(docs).text

    more = {"username": "eve", "email": "eve@example.com", "full_name": ""}
    assert sent(watchword, form, **more, password=NEW).status == 400
    assert opened(watchword, form.url).status == 400
    assert watchword.call(setup.offer) is None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("username", "ada@home", "The username must not contain @"),
        ("username", "taken", "Username already registered"),
        ("email", "nowhere", "The address is not an address"),
        ("email", "taken@example.com", "Email already registered"),
        ("full_name", "a\x00b", "The name has a character that can't be seen"),
        ("password", "short", "The password must have at least 8 characters"),
    ],
)
@pytest.mark.shapes("alone-sqlite", "mounted-postgres")
def test_what_was_typed_is_kept_and_what_is_wrong_is_named(
    watchword: Running, name: str, value: str, says: str
) -> None:
    watchword.create(username="taken", email="taken@example.com")
    form = opened(watchword, setup_link(watchword))
    typed = {"username": "ada", "email": "ada@example.com", "full_name": '"><b>', "password": NEW}
    again = sent(watchword, form, **{**typed, name: value})
    assert again.status in (409, 422)
    assert says in again.text
    assert [a["name"] for a in again.all("input") if "aria-invalid" in a] == [name]
    assert f"{name}-wrong" in again.field(name)["aria-describedby"].split()
    for kept in {"username", "email", "full_name"} - {name}:
        assert again.field(kept)["value"] == typed[kept]
    assert "value" not in again.field("password")
    assert not again.all("b")


# --- links that are no good --------------------------------------------------------------------


def test_wrong_used_and_expired_links_look_the_same(watchword: Running) -> None:
    watchword.create(email="ada@example.com")
    links = [ask_reset(watchword, "ada@example.com") for _ in range(2)]
    used, expired = (opened(watchword, link) for link in links)
    sent(watchword, used, new_password=NEW)
    watchword.clock.turn(hours=2)
    wrong = "wwp_" + "A" * 43
    path = f"{watchword.path}/account/reset"
    tokens = [used.field("token")["value"], expired.field("token")["value"], wrong, "x" * 10_000]
    asked = [watchword.client.get(path, params={"token": token}) for token in tokens]
    told = [
        watchword.client.post(path, data={"token": token, "new_password": NEW}) for token in tokens
    ]
    assert {answer.status_code for answer in (*asked, *told)} == {400}
    assert len({answer.text for answer in (*asked, *told)}) == 1
    assert "no longer works" in read(asked[0]).text


def test_a_token_of_one_page_is_of_no_use_on_another(watchword: Running) -> None:
    watchword.create(email="ada@example.com")
    token = opened(watchword, ask_reset(watchword, "ada@example.com")).field("token")["value"]
    account = {"username": "eve", "email": "eve@example.com", "password": NEW}
    for page, fields in (("verify", {}), ("setup", account), ("setup", {"username": "@"})):
        data = {"token": token, **fields}
        answer = watchword.client.post(f"{watchword.path}/account/{page}", data=data)
        assert answer.status_code == 400
    assert watchword.call(setup.offer) is not None


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_a_link_without_its_token_says_so(watchword: Running) -> None:
    for page in ("verify", "reset", "setup"):
        path = f"{watchword.path}/account/{page}"
        for answer in (
            watchword.client.get(path),
            watchword.client.get(path, params={"token": ""}),
            watchword.client.post(path),
            watchword.client.post(path, data={"new_password": NEW}),
        ):
            shown = read(answer)
            assert shown.status == 400
            assert "link is incomplete" in shown.text


@pytest.mark.watchword(limit_token="3/60")
@pytest.mark.shapes("alone-sqlite")
def test_who_guesses_must_wait_and_who_has_the_link_may_try_again(watchword: Running) -> None:
    user = watchword.login_as(verified=False)
    user.post(f"{watchword.prefix}/auth/email/verification/request").raise_for_status()
    button = opened(watchword, link_of(watchword, "verification"))
    form = opened(watchword, ask_reset(watchword, user.user["email"]))
    for _ in range(3):
        path = f"{watchword.path}/account/verify"
        assert watchword.client.post(path, data={"token": "guess"}).status_code == 400
    slowed = [sent(watchword, button), sent(watchword, form, new_password=NEW)]
    for page in slowed:
        assert page.status == 429
        assert int(page.headers["retry-after"]) <= 61
        assert "Try again in" in page.text
    watchword.clock.turn(seconds=61)
    assert sent(watchword, slowed[0]).status == 200
    assert sent(watchword, slowed[1], new_password=NEW).status == 200


# --- input that no form of ours sends -----------------------------------------------------------

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ODD = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda pairs: b"&".join(
            name + b"=" + quote_from_bytes(value).encode() for name, value in pairs
        ),
        st.lists(
            st.tuples(
                st.sampled_from([b"token", b"new_password", b"username", b"email", b"password"]),
                st.one_of(
                    st.binary(max_size=60),
                    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
                ),
            ),
            max_size=30,
        ),
    ),
)


@given(page=st.sampled_from(["verify", "reset", "setup"]), body=ODD)
@settings(max_examples=60)
@pytest.mark.watchword(limit_token="off")
@pytest.mark.shapes("alone-sqlite", "mounted-postgres")
def test_odd_forms_are_refused_with_a_page(watchword: Running, page: str, body: bytes) -> None:
    path = f"{watchword.path}/account/{page}"
    answer = watchword.client.post(path, content=body, headers=FORM)
    assert read(answer).status == 400
    query = watchword.client.get(f"{path}?{quote_from_bytes(body, safe='=&%')}")
    assert read(query).status in ((200, 400) if page == "verify" else (400,))


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"token": "x"}', "application/json", 415),
        (b"token=x", "text/plain", 415),
        (b"token=x", "", 415),
        (b"token=x&token=y", FORM["Content-Type"], 400),
        (b"token=%ED%A0%80", FORM["Content-Type"], 400),
        (b"token=\xff", FORM["Content-Type"], 400),
        (b"token=x%00", FORM["Content-Type"], 400),
        (b"&" * 5000 + b"token=x", FORM["Content-Type"], 400),
        (b"token=" + b"x" * 100_000, FORM["Content-Type"], 400),
        (b"--b\r\n\r\n", "multipart/form-data; boundary=b", 415),
    ],
)
@pytest.mark.shapes("alone-sqlite")
def test_what_is_no_form_of_ours_is_refused(
    watchword: Running, body: bytes, kind: str, status: int
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    for page in ("verify", "reset", "setup"):
        path = f"{watchword.path}/account/{page}"
        answer = watchword.client.post(path, content=body, headers=headers)
        assert read(answer).status == status


@pytest.mark.shapes("alone-sqlite")
def test_a_password_that_is_not_utf8_is_not_replaced_by_another(watchword: Running) -> None:
    watchword.create(username="ada", email="ada@example.com")
    form = opened(watchword, ask_reset(watchword, "ada@example.com"))
    token = form.field("token")["value"]
    body = f"token={token}&new_password=caf%E9-on-the-quiet-harbour"
    assert watchword.client.post(form.action, content=body, headers=FORM).status_code == 400
    watchword.sign_in("ada")


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_a_body_that_hides_its_length_is_cut_off_with_a_page(watchword: Running) -> None:
    pieces = (b"token=" + b"x" * 100_000 for _ in range(20))
    path = f"{watchword.path}/account/verify"
    assert read(watchword.client.post(path, content=pieces, headers=FORM)).status == 413

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.pages.mailbox import linked
from watchword.pages.tests.reading import read
from watchword.testing import Running

BASE = "http://localhost:8000"


def ask_reset(watchword: Running, email: str) -> None:
    watchword.client.post(
        f"{watchword.prefix}/auth/password/reset/request", json={"email": email}
    ).raise_for_status()


def test_a_developer_finds_the_newest_mail_first_and_follows_its_link(watchword: Running) -> None:
    at = f"{watchword.path}/dev/mail"
    assert "There is no mail yet" in read(watchword.client.get(at)).text
    for name in ("ada", "bob"):
        watchword.create(username=name)
        ask_reset(watchword, f"{name}@example.com")
    page = read(watchword.client.get(at))
    assert page.text.index("bob@example.com") < page.text.index("ada@example.com")
    (newest, *_) = [a for a in page.addresses if "token=" in a]
    assert newest == watchword.mailbox.last(to="bob@example.com").links[0]
    assert watchword.client.get(newest).status_code == 200


def test_a_script_reads_the_mailbox_as_json(watchword: Running) -> None:
    watchword.create(username="ada")
    ask_reset(watchword, "ada@example.com")
    answer = watchword.client.get(f"{watchword.path}/dev/mail.json")
    (mail,) = answer.json()
    assert set(mail) == {"id", "kind", "recipient", "subject", "text", "html", "created_at"}
    assert (mail["kind"], mail["recipient"]) == ("password_reset", "ada@example.com")
    assert watchword.mailbox.last().token in mail["text"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_mails_html_is_shown_where_it_can_do_nothing(watchword: Running) -> None:
    watchword.create(username="ada")
    ask_reset(watchword, "ada@example.com")
    (mail,) = watchword.client.get(f"{watchword.path}/dev/mail.json").json()
    page = read(watchword.client.get(f"{watchword.path}/dev/mail/{mail['id']}"))
    assert mail["subject"] in page.text
    (frame,) = page.all("iframe")
    assert frame["sandbox"] == ""
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    shown = watchword.client.get(f"{watchword.path}/dev/mail/{mail['id']}/html")
    assert shown.text == mail["html"]
    assert shown.headers["content-security-policy"].startswith("sandbox; default-src 'none';")


@pytest.mark.shapes("alone-sqlite")
def test_a_mail_that_is_not_there_is_a_page(watchword: Running) -> None:
    for name in ("none", "01a20f5c-90ab-7c5a-943b-b2849c8f1526", "%00", "x" * 3000):
        for path in (f"/dev/mail/{name}", f"/dev/mail/{name}/html"):
            assert read(watchword.client.get(path)).status == 404


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost:8000:80",
        "[::2]",
        "192.0.2.7",
        "",
    ],
)
@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_a_page_of_another_name_that_points_here_reads_no_mail(
    watchword: Running, host: str
) -> None:
    watchword.create(username="otto")
    ask_reset(watchword, "otto@example.com")
    at = f"{watchword.path}/dev/mail"
    (mail,) = watchword.client.get(f"{at}.json").json()
    for path in (at, f"{at}.json", f"{at}/{mail['id']}", f"{at}/{mail['id']}/html"):
        answer = watchword.client.get(path, headers={"Host": host})
        assert answer.status_code == 403
        # No name of hexadecimal digits alone: a request id would have it now and then.
        assert "otto" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000"])
@pytest.mark.shapes("alone-sqlite")
def test_this_machine_reads_its_mail(watchword: Running, host: str) -> None:
    assert watchword.client.get("/dev/mail", headers={"Host": host}).status_code == 200


@pytest.mark.watchword(public_url="https://dev.example.net:8443/id")
@pytest.mark.shapes("alone-sqlite")
def test_the_public_name_reads_its_mail(watchword: Running) -> None:
    headers = {"Host": "dev.example.net:8443"}
    assert watchword.client.get("/dev/mail", headers=headers).status_code == 200


ADDRESSES = st.sampled_from(
    [
        BASE,
        f"{BASE}/account/reset?token=wwp_a-b",
        f"{BASE}0/x",
        f"{BASE}@evil.example/",
        f"{BASE}.evil.example/",
        "https://evil.example/",
        "javascript:alert(1)",
        f'{BASE}/"onmouseover="x',
        f"{BASE}/<script>",
        "<b>",
        "&amp;",
        "\n",
        " ",
    ]
)


@given(st.lists(st.one_of(ADDRESSES, st.text(max_size=8)), max_size=8).map("".join))
def test_text_reads_as_it_was_and_only_our_addresses_are_links(text: str) -> None:
    html = linked(text, BASE)
    links = re.findall(r'<a href="([^"]*)" rel="noreferrer">([^<]*)</a>', html)
    assert unescape(re.sub(r'<a href="[^"]*" rel="noreferrer">|</a>', "", html)) == text
    for address, shown in links:
        assert address == shown
        assert re.match(rf"{BASE}(?:[/?#]|$)", unescape(address))


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (f"See {BASE}/a?b=c.", f"{BASE}/a?b=c"),
        (f"({BASE}/a)", f"{BASE}/a"),
        (f"{BASE} is here", BASE),
        (f"{BASE}.evil.example/a", None),
        (f"{BASE}@evil.example/a", None),
        (f"{BASE}0/a", None),
        ("https://evil.example/a", None),
    ],
)
def test_an_address_ends_where_a_reader_would_end_it(text: str, link: str | None) -> None:
    assert re.findall(r'href="([^"]*)"', linked(text, BASE)) == ([] if link is None else [link])

"""What a request says of itself: the attacker chooses its host, address, id and device."""

from __future__ import annotations

import logging

import pytest

from tests.attacks.forgery import claims_of
from tests.contract.problems import assert_problem
from tests.contract.records import rows
from watchword.audit._tables import audit_events
from watchword.testing import Running
from watchword.testing.running import PASSWORD

POISON = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/evil.example",
    "X-Rewrite-URL": "/evil.example",
    "Forwarded": "host=evil.example;proto=gopher",
    "Origin": "https://evil.example",
    "Referer": "https://evil.example/",
}


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
@pytest.mark.watchword(trusted_proxies=("127.0.0.1",))
def test_links_in_mails_are_built_from_public_url_whatever_the_host_header_says(
    watchword: Running,
) -> None:
    at = watchword.prefix
    person = watchword.login_as(verified=False)
    watchword.client.post(
        f"{at}/auth/password/reset/request", json={"email": person.user["email"]}, headers=POISON
    ).raise_for_status()
    person.post(f"{at}/auth/email/verification/request", headers=POISON).raise_for_status()
    change = {"email": "moved@example.com"}
    person.patch(f"{at}/users/{person.id}", json=change, headers=POISON).raise_for_status()
    kinds = {mail.kind for mail in watchword.mailbox}
    assert kinds == {"password_reset", "verification", "email_change", "email_change_asked"}
    for mail in watchword.mailbox:
        assert mail.links or mail.kind == "email_change_asked"
        for link in mail.links:
            assert link.startswith(f"{watchword.auth.settings.base_url}/account/")
        assert "evil" not in mail.text + mail.html + mail.subject
    login = {"username": person.user["username"], "password": PASSWORD}
    pair = watchword.client.post(f"{at}/auth/login", json=login, headers=POISON).json()
    claims = claims_of(pair["access_token"])
    assert claims["iss"] == claims["aud"] == watchword.auth.settings.base_url
    # The page that the link leads to names no other host either.
    reset = watchword.mailbox.last(kind="password_reset")
    page = watchword.client.get(
        f"{watchword.path}/account/reset", params={"token": reset.token}, headers=POISON
    )
    assert page.status_code == 200
    assert "evil" not in page.text


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(limit_login="2/60")
def test_a_forwarded_address_from_no_proxy_of_ours_is_not_believed(watchword: Running) -> None:
    def wrong_login(n: int) -> int:
        return watchword.client.post(
            f"{watchword.prefix}/auth/login",
            json={"username": f"name{n}", "password": "wrong"},
            headers={"X-Forwarded-For": f"198.51.100.{n}", "X-Real-IP": f"198.51.100.{n}"},
        ).status_code

    assert [wrong_login(n) for n in range(4)] == [401, 401, 429, 429]
    assert {row.address for row in rows(watchword, audit_events)} == {"127.0.0.1"}


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(trusted_proxies=("127.0.0.1", "10.0.0.0/8"), limit_login="2/60")
def test_behind_our_proxies_the_first_foreign_hop_counts_and_not_what_it_claims(
    watchword: Running,
) -> None:
    def wrong_login(n: int, forwarded: str) -> int:
        return watchword.client.post(
            f"{watchword.prefix}/auth/login",
            json={"username": f"name{n}", "password": "wrong"},
            headers={"X-Forwarded-For": forwarded},
        ).status_code

    # The attacker writes the left end anew each time; our proxies append what they saw.
    seen = [wrong_login(n, f"203.0.113.{n}, 198.51.100.7, 10.1.2.3") for n in range(3)]
    assert seen == [401, 401, 429]
    assert wrong_login(4, "198.51.100.7, 198.51.100.8") == 401
    addresses = {row.address for row in rows(watchword, audit_events)}
    assert addresses == {"198.51.100.7", "198.51.100.8"}
    # One who has a whole IPv6 network to choose from is one all the same.
    seen = [wrong_login(n + 10, f"2001:db8:1:2:{n:x}::1") for n in range(3)]
    assert seen == [401, 401, 429]
    for junk in ("unknown", "'; DROP TABLE users", "198.51.100.9:80", "<script>", ",,,", "\t"):
        assert wrong_login(20, junk) in (401, 429)
    kept = {row.address for row in rows(watchword, audit_events)} - addresses
    assert kept <= {"127.0.0.1", *(f"2001:db8:1:2:{n:x}::1" for n in range(3))}


CONTROLS = b"evil\r\nSet-Cookie: a=b\x1b[2J\x00\x7f\xc2\x85\xe2\x80\xae" + b"A" * 400


@pytest.mark.shapes("mounted-sqlite")
def test_no_header_breaks_a_log_line_an_answer_or_a_mail(
    watchword: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="watchword")
    headers = {b"X-Request-ID": CONTROLS, b"User-Agent": CONTROLS}
    name = watchword.create()
    answer = watchword.client.post(
        f"{watchword.prefix}/auth/login",
        json={"username": name, "password": PASSWORD},
        headers=headers,
    )
    pair = answer.json()
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-request-id"].isprintable()
    bearer = {b"Authorization": f"Bearer {pair['access_token']}".encode()}
    sessions = watchword.client.get(f"{watchword.prefix}/auth/sessions", headers=bearer).json()
    assert sessions[0]["device"].isprintable()
    assert len(sessions[0]["device"]) <= 300
    change = {"current_password": PASSWORD, "new_password": "quiet-lantern-by-the-sea"}
    watchword.client.post(
        f"{watchword.prefix}/auth/password/change", json=change, headers=headers | bearer
    ).raise_for_status()
    missing = watchword.client.get(f"{watchword.prefix}/users/1", headers=headers)
    assert assert_problem(missing, 401)["request_id"].isprintable()
    # The mail that warns of a change names the device in words of our own only.
    mail = watchword.mailbox.last(kind="password_changed")
    assert "evil" not in mail.text + mail.html
    for record in caplog.records:
        if record.name.startswith("watchword"):
            for value in (record.getMessage(), *map(str, record.__dict__.values())):
                assert "\n" not in value
                assert "\x1b" not in value
    for row in rows(watchword, audit_events):
        assert (row.user_agent or "").isprintable()
        assert (row.request_id or "").isprintable()


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(limit_register="off")
def test_a_name_injects_no_header_no_link_and_no_recipient_into_a_mail(watchword: Running) -> None:
    whole = {"email": "victim@example.com", "password": PASSWORD}
    injections = (
        {"username": "a\r\nBcc: x@example.com"},
        {"username": "abc\u2028def"},
        {"username": "<b>bold</b>"},
        {"username": "https://evil.example"},
        {"username": "named", "full_name": "A\r\nBcc: x@example.com"},
        {"username": "named", "full_name": "A\u202eB"},
        {"username": "named", "email": "a@example.com, b@example.com"},
        {"username": "named", "email": "a@example.com\r\nBcc: b@example.com"},
        {"username": "named", "email": "<a@example.com>"},
        {"username": "named", "email": "A <a@example.com>"},
        {"username": "named", "email": '"a b"@example.com'},
        {"username": "named", "email": "a@example.com?bcc=b@example.com"},
    )
    for injection in injections:
        answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=whole | injection)
        assert_problem(answer, 422)
    assert len(watchword.mailbox) == 0
    advert = {
        "username": "prizes.evil.example",
        "full_name": "<a href=https://evil.example>Click</a> https://evil.example",
    }
    watchword.client.post(
        f"{watchword.prefix}/auth/register", json=whole | advert
    ).raise_for_status()
    (mail,) = watchword.mailbox
    assert mail.recipient == "victim@example.com"
    assert all(link.startswith(watchword.auth.settings.base_url) for link in mail.links)
    assert "evil.example" not in mail.subject + mail.text + mail.html
    assert "<a href=https://evil" not in mail.html

"""What holds for all pages: their headers, their markup, their colours."""

from __future__ import annotations

import re
from itertools import product
from urllib.parse import urlsplit

import pytest

from watchword.admin import setup
from watchword.pages.render import STYLE
from watchword.pages.tests.reading import Page, read
from watchword.testing import Running


def every_page(watchword: Running) -> list[Page]:
    client, at = watchword.client, f"{watchword.path}/account"
    watchword.login_as(verified=False, username="ada").post(
        f"{watchword.prefix}/auth/email/verification/request"
    )
    verification = watchword.mailbox.last(kind="verification")
    client.post(
        f"{watchword.prefix}/auth/password/reset/request", json={"email": "ada@example.com"}
    )
    reset = watchword.mailbox.last(kind="password_reset")
    offered = watchword.call(setup.offer)
    assert offered is not None
    first = offered.reveal()
    admin = {
        "token": first.partition("=")[2],
        "username": "grace",
        "email": "grace@example.com",
        "full_name": "",
    }
    good = "lanterns-over-quiet-water"
    mails = client.get(f"{watchword.path}/dev/mail.json").json()
    return [
        read(answer)
        for answer in (
            client.get(verification.links[0]),
            client.post(f"{at}/verify", data={"token": verification.token}),
            client.get(reset.links[0]),
            client.post(f"{at}/reset", data={"token": reset.token, "new_password": "short"}),
            client.post(f"{at}/reset", data={"token": reset.token, "new_password": good}),
            client.get(reset.links[0]),
            client.get(first),
            client.post(f"{at}/setup", data={**admin, "password": "short"}),
            client.post(f"{at}/setup", data={**admin, "password": good}),
            client.get(f"{at}/setup"),
            client.post(f"{at}/setup", json={}),
            client.get(f"{watchword.path}/dev/mail"),
            client.get(f"{watchword.path}/dev/mail/{mails[0]['id']}"),
            client.get(f"{watchword.path}/dev/mail/none"),
        )
    ]


@pytest.fixture
def pages(watchword: Running) -> list[Page]:
    return every_page(watchword)


def test_a_page_gives_its_token_to_nobody(pages: list[Page]) -> None:
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; ")
        assert "base-uri 'none'; frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["x-frame-options"] == "DENY"


def test_a_page_has_no_script_no_inline_style_and_no_stranger(
    watchword: Running, pages: list[Page]
) -> None:
    for page in pages:
        assert not {"script", "style", "base", "object", "embed"} & {tag for tag, _ in page.tags}
        for _, attributes in page.tags:
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]
        for address in page.addresses:
            if address == "data:,":
                continue
            where = urlsplit(address)
            assert (where.scheme, where.netloc) == ("http", "localhost:8000")
            docs = where.path == "/docs"
            assert docs or where.path.startswith(f"{watchword.path}/")
        assert watchword.client.get(page.addresses[1]).content == STYLE


def test_a_page_can_be_read_and_filled_in_by_everybody(pages: list[Page]) -> None:
    for page in pages:
        assert page.all("html") == [{"lang": "en"}]
        assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
        ids = [a["id"] for _, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids))
        named = {a["for"] for a in page.all("label")}
        for field in page.all("input"):
            if field["type"] != "hidden":
                assert field["id"] in named
                assert field["autocomplete"]
        for _, attributes in page.tags:
            for name in attributes.get("aria-describedby", "").split():
                assert name in ids


@pytest.mark.watchword(app_name='Ångström & <i>Söhne</i>"')
@pytest.mark.shapes("alone-sqlite")
def test_the_apps_name_is_text_whatever_it_is(pages: list[Page]) -> None:
    for page in pages:
        assert 'Ångström & <i>Söhne</i>"' in page.text
        assert not page.all("i")


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
def test_the_style_sheet_is_kept_by_browsers_until_it_changes(watchword: Running) -> None:
    page = read(watchword.client.get(f"{watchword.path}/account/verify?token=x"))
    (sheet,) = [a["href"] for a in page.all("link") if a["rel"] == "stylesheet"]
    assert re.fullmatch(r"\.\./account/style\.css\?v=[0-9a-f]{12}", sheet)
    answer = watchword.client.get(f"{watchword.path}/account/style.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert b"url(" not in answer.content


def test_text_can_be_told_from_its_ground_in_light_and_in_dark() -> None:
    # WCAG 2.2: 1.4.3 asks 4.5:1 of text, 1.4.11 3:1 of the edge of a field.
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{([^}]*)\}", STYLE.decode())
    )
    assert light.keys() == dark.keys()
    text = [
        *product(("ink", "soft", "accent", "wrong"), ("sheet",)),
        *product(("ink", "accent"), ("quote",)),
        ("on-accent", "accent"),
        ("wrong", "wrong-ground"),
    ]
    for theme in (light, dark):
        for front, back in text:
            assert contrast(theme[front], theme[back]) >= 4.5, (front, back)
        assert contrast(theme["edge"], theme["sheet"]) >= 3


def contrast(first: str, second: str) -> float:
    """WCAG 2.2's contrast ratio of two colours."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(part) for part in bytes.fromhex(colour[1:]))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

"""Reading a page as a browser and a screen reader would, as far as the tests need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

from httpx2 import Response

Tag = tuple[str, dict[str, str]]


@dataclass
class Page:
    url: str
    status: int
    headers: dict[str, str]
    source: str
    tags: list[Tag] = field(default_factory=list)

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def field(self, name: str) -> dict[str, str]:
        (found,) = [a for a in self.all("input") if a.get("name") == name]
        return found

    def by_id(self, name: str) -> dict[str, str]:
        (found,) = [a for _, a in self.tags if a.get("id") == name]
        return found

    @property
    def text(self) -> str:
        reader = _Words()
        reader.feed(self.source)
        return " ".join("".join(reader.words).split())

    @property
    def addresses(self) -> list[str]:
        """All that the page points to or loads, as a browser resolves it."""
        named = [a[k] for _, a in self.tags for k in ("href", "src", "action") if k in a]
        return [urljoin(self.url, address) for address in named]

    @property
    def action(self) -> str:
        (form,) = self.all("form")
        return urljoin(self.url, form["action"])


def read(response: Response) -> Page:
    """The page in a response. It must be one."""
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(str(response.url), response.status_code, dict(response.headers), response.text)
    reader = _Tags()
    reader.feed(response.text)
    page.tags = reader.tags
    return page


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[Tag] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in <{tag}>"
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

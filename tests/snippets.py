"""The examples in our documents, as programs: found in Markdown, run, and asked what they show."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from watchword import Watchword
from watchword.testing import Running
from watchword.testing.world import Clock

# A developer's folder: development mode, and hashes that cost nothing.
ENV_FILE = "ENVIRONMENT=development\nHASH_MEMORY_KIB=8\nHASH_ITERATIONS=1\n"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# (\w+\.py)\n")
_FOR_PYTEST = re.compile(r"^(?:def test_|@pytest\.fixture)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block, and where it begins."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


@dataclass(frozen=True)
class Snippet:
    """A Python block and the console blocks that follow it, up to the next Python block."""

    block: Block
    consoles: tuple[Block, ...]

    def __str__(self) -> str:
        return str(self.block)


def blocks_of(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text("utf-8")
    return [
        Block(document, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _FENCE.finditer(text)
    ]


def snippets_of(document: Path) -> list[Snippet]:
    """The Python blocks that are programs by themselves."""
    blocks = [block for block in blocks_of(document) if block.language in ("python", "console")]
    found = []
    for place, block in enumerate(blocks):
        if block.language == "python" and not _FOR_PYTEST.search(block.text):
            rest = blocks[place + 1 :]
            end = next((i for i, one in enumerate(rest) if one.language == "python"), len(rest))
            found.append(Snippet(block, tuple(rest[:end])))
    return found


def pytest_files_of(document: Path) -> dict[str, str]:
    """The Python blocks that are for pytest, by the file name in their first line, if any."""
    found = {}
    for block in blocks_of(document):
        if block.language == "python" and _FOR_PYTEST.search(block.text):
            name = _NAMED.match(block.text)
            found[name[1] if name else f"test_line_{block.line}.py"] = block.text
    return found


def run_pytest(documents: Iterable[Path], folder: Path) -> str:
    """What pytest says of the tests in these documents, run as their readers would."""
    for document in documents:
        (folder / document.stem).mkdir()
        for name, text in pytest_files_of(document).items():
            (folder / document.stem / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--import-mode=importlib", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def run(snippet: Snippet, folder: Path) -> int:
    """Run a snippet in an empty folder; if it made an app, make the requests shown with it.

    Gives how many requests were made and answered as shown.
    """
    (folder / ".env").write_text(ENV_FILE)
    names: dict[str, Any] = {"__name__": "snippet"}
    with chdir(folder):
        # Padded, so that a traceback names the document's own line.
        source = "\n" * snippet.block.line + snippet.block.text
        exec(compile(source, str(snippet.block.document), "exec"), names)  # noqa: S102
        app = names.get("app")
        if not isinstance(app, FastAPI):
            return 0
        with TestClient(app, base_url="http://localhost:8000") as client:
            asked = [one for console in snippet.consoles for one in _requests(console)]
            for command, shown in asked:
                answer = _ask(client, names.get("auth"), command)
                assert _as_shown(shown, answer), f"{snippet}: {command}\n{answer}\nnot\n{shown}"
            return len(asked)


def _requests(console: Block) -> Iterator[tuple[str, str]]:
    """Each ``$ curl …`` of a console block, with the lines shown below it."""
    for part in re.split(r"^\$ ", console.text.replace("\\\n", " "), flags=re.MULTILINE):
        command, _, shown = part.partition("\n")
        # What needs a shell is a transcript of a running service, and not ours to run.
        if re.fullmatch(r"curl (?:[^$|;<>]|\$TOKEN)*", command):
            yield command, shown.strip()


def _ask(client: TestClient, auth: object, command: str) -> str:
    if "$TOKEN" in command:
        assert isinstance(auth, Watchword), "a token, and no `auth` that gave it"
        command = command.replace("$TOKEN", _token(client, auth))
    method, headers, data, url = None, {}, None, ""
    words = iter(shlex.split(command)[1:])
    for word in words:
        if word in ("-H", "--header"):
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        elif word in ("-d", "--data", "--json"):
            data = next(words)
        elif word in ("-X", "--request"):
            method = next(words)
        elif not word.startswith("-"):
            url = word
    path = re.sub(r"^(https?://)?[^/]+", "", url)
    method = method or ("GET" if data is None else "POST")
    return client.request(method, path, headers=headers, content=data).text


def _token(client: TestClient, auth: Watchword) -> str:
    known = client.headers.get("X-Ada")
    if known is None:
        known = Running(auth, client, Clock()).login_as(username="ada").access_token
        client.headers["X-Ada"] = known
    return known


def _as_shown(shown: str, answer: str) -> bool:
    """Whether the answer is what the document shows; an … stands for anything."""
    if not shown:
        return True
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.fullmatch(pattern, answer.strip(), re.DOTALL) is not None

"""The documents say what is so: errors, routes, commands, snippets, links."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from typer.main import get_command

import watchword as package
from tests.hosts import alone
from tests.snippets import Snippet, blocks_of, pytest_files_of, run, run_pytest, snippets_of
from watchword import Watchword
from watchword.cli.commands import app as commands
from watchword.core import Core
from watchword.edge import wire
from watchword.errors import WatchwordError
from watchword.keys import service as keys
from watchword.sessions import service as sessions
from watchword.settings.load import load_settings
from watchword.testing import Clock, Running, TurnableWorld

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").rglob("README.md"))
SNIPPETS = [snippet for document in [*DOCUMENTS, *EXAMPLES] for snippet in snippets_of(document)]


def tracked() -> list[Path]:
    """The files that are, or are about to be, in the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


# --- errors ----------------------------------------------------------------------------------


def kinds(of: type[WatchwordError] = WatchwordError) -> Iterator[type[WatchwordError]]:
    if of.__module__.startswith("watchword."):
        yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


def test_every_error_has_its_entry_and_every_entry_its_error() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| ([\w ]+) \| (.+?) \| (.+?) \|$",
        (ROOT / "docs" / "errors.md").read_text("utf-8"),
        re.MULTILINE,
    )
    documented = {code: status for code, status, _, _ in rows}
    assert len(documented) == len(rows), "a code is documented twice"
    made = {kind.code: str(kind.status) for kind in kinds()}
    # Named where the framework refuses by itself.
    by_the_framework = {"method_not_allowed": "405", "refused": "any other"}
    for code in by_the_framework:
        assert f'"{code}"' in Path(wire.__file__).read_text("utf-8")
    assert documented == {**made, **by_the_framework}


# --- routes ----------------------------------------------------------------------------------

Route = tuple[str, str]
ENTRY = re.compile(r"^### ([A-Z]+) (/\S+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
# What http.md says once, for all.
WITH_BODY = {400, 413, 415, 422}


def entries() -> dict[Route, str]:
    found = ENTRY.findall((ROOT / "docs" / "http.md").read_text("utf-8"))
    assert len(found) == len({(method, path) for method, path, _ in found})
    return {(method, path): text for method, path, text in found}


def service(tmp_path: Path) -> FastAPI:
    values = {"environment": "development", "data_dir": tmp_path}
    return alone(Watchword(load_settings(env={}, env_file=None, **values)))


def operations(tmp_path: Path) -> dict[Route, dict[str, Any]]:
    paths = service(tmp_path).openapi()["paths"]
    return {
        (method.upper(), path): operation
        for path, item in paths.items()
        for method, operation in item.items()
    }


def test_every_route_has_its_entry_and_every_entry_its_route(tmp_path: Path) -> None:
    assert set(entries()) == set(operations(tmp_path))


def test_every_entry_says_who_and_what_and_names_each_refusal(tmp_path: Path) -> None:
    documented = operations(tmp_path)
    for route, text in entries().items():
        says = dict(re.findall(r"^- (Who|Takes|Gives|Refuses): (.*?)(?=^- |\Z)", text, re.M | re.S))
        assert list(says) == ["Who", "Takes", "Gives", "Refuses"], route
        operation = documented[route]
        statuses = {int(status) for status in operation["responses"]}
        usual = {503} | (WITH_BODY if "requestBody" in operation else set())
        named = {int(status) for status in re.findall(r"\b[45]\d\d\b", says["Refuses"])}
        refused = {status for status in statuses if status >= 400}
        assert refused - usual <= named <= refused, route
        given = {int(status) for status in re.findall(r"\b2\d\d\b", says["Gives"])}
        assert given == statuses - refused, route
        assert ("security" in operation) == ("signed in" in says["Who"] or "admin" in says["Who"])


def test_the_pages_that_http_md_lists_are_served(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "http.md").read_text("utf-8")
    listed = re.findall(r"^\| `(/\S*)` \|", text, re.MULTILINE)
    assert len(listed) > 10
    with TestClient(service(tmp_path), base_url="http://localhost:8000") as client:
        missing = [path for path in listed if client.get(path).status_code == 404]
    assert missing == []


# --- commands --------------------------------------------------------------------------------


def documented_commands() -> Iterator[tuple[str, list[str]]]:
    """Every ``watchword …`` that a document tells its reader to type."""
    for document in [*DOCUMENTS, *EXAMPLES]:
        shown = [
            line.partition("watchword ")[2]
            for block in blocks_of(document)
            if block.language == "console"
            for line in block.text.splitlines()
            if re.match(r"\$ ([A-Z_]+=\S+ )*watchword ", line)
        ]
        prose = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.M | re.S)
        shown += re.findall(r"`watchword ([a-z][^`]*)`", " ".join(prose.split()))
        for command in shown:
            yield document.name, shlex.split(re.split(r" [|<>] ", command)[0])


def test_every_command_that_a_document_shows_exists_with_its_options() -> None:
    checked = 0
    for document, words in documented_commands():
        command: Any = get_command(commands)
        rest = [word for word in words if not word.startswith("[")]
        while rest and hasattr(command, "commands"):
            # `keys list|rotate|retire` stands for three.
            names = rest.pop(0).split("|")
            assert set(names) <= set(command.commands), (document, words)
            command = command.commands[names[0]]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        options = {word for word in rest if word.startswith("--")}
        assert options <= known, (document, words)
        checked += 1
    assert checked > 20


# --- what operations.md tells the operator to do --------------------------------------------

OLD, NEW = "Kq3vT9zLw2Xc8Rb5Yn7Pm4Hd6Jg1Fs0UaEiO", "Wd7sB1nQz6Mf3Kx9Tg2Vr8Lp4Hc5Jy0EiUaO"


@contextmanager
def served(folder: Path, clock: Clock, secret: str, *previous: str) -> Iterator[Running]:
    """A service as it is after a restart with these secrets."""
    values = {"environment": "development", "data_dir": folder, "hash_memory_kib": 8}
    secrets = {"secret_key": secret, "secret_key_previous": previous, "hash_iterations": 1}
    loaded = load_settings(env={}, env_file=None, **values, **secrets)
    auth, app = Watchword(loaded, world=TurnableWorld(clock)), FastAPI()
    auth.mount(app)
    with TestClient(app, base_url="http://localhost:8000") as client:
        yield Running(auth, client, clock)


async def rotate(core: Core) -> None:
    await keys.rotate(core.database, core.sealer, core.settings)


async def rotate_at_once_twice_and_retire(core: Core) -> None:
    for _ in range(2):
        await keys.rotate(core.database, core.sealer, core.settings, at_once=True)
    async with core.database.write() as unit:
        for key in await keys.list_keys(unit):
            if key.status == "retiring":
                await keys.retire(unit, key.kid)


async def end_everybodys_sessions(core: Core) -> None:
    async with core.database.write() as unit:
        await sessions.end_everybodys(unit, core.settings, reason="an incident")


def refreshed(run: Running, refresh_token: str) -> Any:
    body = {"refresh_token": refresh_token}
    return run.client.post(f"{run.prefix}/auth/refresh", json=body)


def test_secret_key_is_changed_as_the_page_says_and_nobody_is_signed_out(tmp_path: Path) -> None:
    clock = Clock()
    with served(tmp_path, clock, OLD) as run:
        ada, idle = run.login_as(username="ada"), run.login_as(username="idle")
    with served(tmp_path, clock, NEW, OLD) as run:
        assert run.client.get(f"{run.prefix}/auth/me", headers=ada.headers).is_success
        for _ in range(2):
            clock.turn(minutes=2, seconds=1)
            run.call(rotate)
        clock.turn(days=6)
        pair = refreshed(run, ada.refresh_token).json()
    clock.turn(days=2)
    with served(tmp_path, clock, NEW) as run:
        assert refreshed(run, pair["refresh_token"]).is_success
        assert run.sign_in("ada").get(f"{run.prefix}/auth/me").is_success
        # Its session would have ended of disuse by now.
        assert refreshed(run, idle.refresh_token).status_code == 401


def test_the_incident_plan_leaves_a_thief_with_nothing(tmp_path: Path) -> None:
    clock = Clock()
    with served(tmp_path, clock, OLD) as run:
        stolen = run.login_as(username="ada")
    with served(tmp_path, clock, NEW, OLD) as run:
        run.call(rotate_at_once_twice_and_retire)
        run.call(end_everybodys_sessions)
    with served(tmp_path, clock, NEW) as run:
        me = f"{run.prefix}/auth/me"
        assert run.client.get(me, headers=stolen.headers).status_code == 401
        assert refreshed(run, stolen.refresh_token).status_code == 401
        assert run.sign_in("ada").get(me).is_success


# --- snippets --------------------------------------------------------------------------------


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_every_python_snippet_runs_and_answers_as_shown(snippet: Snippet, tmp_path: Path) -> None:
    run(snippet, tmp_path)


def test_the_first_snippet_of_the_library_page_is_asked_what_the_page_shows(
    tmp_path: Path,
) -> None:
    """Guards the runner itself: requests that a page shows are really made."""
    first = snippets_of(ROOT / "docs" / "library.md")[0]
    assert run(first, tmp_path) == 3


def test_every_snippet_for_pytest_passes(tmp_path: Path) -> None:
    documents = [document for document in DOCUMENTS if pytest_files_of(document)]
    assert ROOT / "docs" / "library.md" in documents
    said = run_pytest(documents, tmp_path)
    assert re.search(r"^\d+ passed in", said, re.MULTILINE), said


# --- what all documents keep to --------------------------------------------------------------


def test_the_changelog_has_a_heading_for_what_is_coming_or_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings
    for heading in headings:
        assert re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading)
    assert headings[0] == "[Unreleased]" or headings[0].startswith(f"[{package.__version__}] ")


# In pieces, or this file would be the first to break the rule.
UNWANTED = {
    "a machine's path": r"(?<![\w.])/(?:ro" + r"ot|wo" + r"rk|Us" + r"ers|home/[a-z]+)/\w",
    "a package registry's host": r"py" + r"pi\.org|python" + r"hosted\.org|npm" + r"js\.org",
    "something left undone": r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b",
}


@pytest.mark.parametrize("what", UNWANTED)
def test_no_tracked_file_holds(what: str) -> None:
    pattern = re.compile(UNWANTED[what])
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in tracked()
        for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def anchors(document: Path) -> set[str]:
    """What the headings of a document are reached by on GitHub."""
    text = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in (file for file in tracked() if file.suffix == ".md"):
        text = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (document.parent / path).resolve() if path else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{document.relative_to(ROOT)}: {link}")
    assert broken == []

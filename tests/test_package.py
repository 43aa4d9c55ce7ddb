"""What is installed: light to import, whole in the wheel, and clear about what is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import watchword as package
from tests.typing_ import public_names
from watchword.testing import Running

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "watchword"
HEAVY = {"sqlalchemy", "fastapi", "pydantic", "starlette", "jinja2", "alembic", "argon2", "anyio"}


# --- light to import -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module",
    [
        "watchword",
        "watchword.verify",
        "watchword.verify.asgi",
        "watchword.verify.remote",
        "watchword.verify.resource",
        "watchword.testing.plugin",
        "watchword.cli.main",
    ],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    """A resource server imports ``verify``, every run of pytest the plugin."""
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "watchword" in loaded
    assert loaded & HEAVY == set()


def test_a_service_does_not_load_the_http_client_of_a_resource_server() -> None:
    code = "import watchword.verify, watchword.verify.asgi"
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "watchword.verify.verifier" in imported
    assert (
        imported & {"urllib.request", "http.client", "asyncio", "watchword.verify.remote"} == set()
    )


def test_every_public_name_is_there_typed_and_no_other_is() -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert hasattr(public_names, name), f"{name} is missing in tests/typing_/public_names.py"
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name
    assert package.__all__ == sorted(package.__all__)


# --- the wheel -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


def shipped() -> set[str]:
    """Every file of the package but its tests."""
    files = (path.relative_to(SOURCE.parent) for path in SOURCE.rglob("*") if path.is_file())
    return {
        file.as_posix() for file in files if not {"tests", "__pycache__"}.intersection(file.parts)
    }


def test_the_wheel_holds_the_whole_package_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == shipped()
    assert {
        "watchword/py.typed",
        "watchword/passwords/commonest.txt",
        "watchword/email/templates/verification.html",
        "watchword/pages/templates/reset.html",
        "watchword/pages/static/style.css",
        "watchword/migrations/versions/0001_the_first_schema.py",
    } <= held


def test_the_base_needs_only_what_checks_a_token_and_extras_only_add(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        (points,) = (n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt"))
        metadata = archive.read(name).decode()
        assert "watchword = watchword.cli.main:main" in archive.read(points).decode()
    needed = [Requirement(line) for line in re.findall(r"^Requires-Dist: (.+)", metadata, re.M)]
    base = {one.name for one in needed if one.marker is None or "extra" not in str(one.marker)}
    assert base == {"joserfc", "cryptography"}
    extras = set(re.findall(r"^Provides-Extra: (.+)", metadata, re.M))
    assert {"app", "postgres", "service", "testing", "verify"} <= extras


def test_the_version_is_written_in_one_place(wheel: Path) -> None:
    version = package.__version__
    assert wheel.name.startswith(f"watchword-{version}-")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    places = [
        path.relative_to(ROOT).as_posix()
        for path in SOURCE.rglob("*.py")
        if f'"{version}"' in path.read_text() and "tests" not in path.parts
    ]
    assert places == ["src/watchword/__init__.py"]


# --- installed with the base alone -----------------------------------------------------------


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and what its metadata asks for, no more."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    install(packages, *_needed_by(Distribution.at(next(packages.glob("watchword-*.dist-info")))))
    return home / "bin" / "python"


def install(packages: Path, *distributions: Distribution) -> None:
    """What our own environment has of these, linked into another one."""
    for one in {one.name: one for one in distributions}.values():
        for file in one.files or ():
            if ".." in file.parts:  # a command, which is not wanted here
                continue
            place = packages / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(Path(str(file.locate())))


def _needed_by(installed: Distribution) -> Iterator[Distribution]:
    for line in installed.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed = distribution(requirement.name)
            yield needed
            yield from _needed_by(needed)


def run_in(
    bare: Path, *arguments: str, stdin: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("WATCHWORD_", "PYTHON"))}
    plain = {k: v for k, v in plain.items() if not k.startswith("COV")}
    return subprocess.run(
        [str(bare), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd or bare.parent,
        env=plain,
    )


RESOURCE_SERVER = """
import json, sys, time
from watchword.verify import InvalidToken, KeySet, VerificationKey, Verifier

given = json.load(sys.stdin)
keys = KeySet(VerificationKey.from_jwk(jwk) for jwk in given["jwks"]["keys"])
verifier = Verifier(
    issuer=given["issuer"],
    audience=given["issuer"],
    keys=lambda: keys,
    now=time.time,
    is_revoked=lambda token: False,
)
said = []
for token in given["tokens"]:
    try:
        said.append(verifier.verify(token).subject)
    except InvalidToken as error:
        said.append(error.reason)
heavy = sorted({"sqlalchemy", "fastapi", "pydantic"} & set(sys.modules))
print(json.dumps([said, heavy]))
"""


@pytest.mark.shapes("mounted-sqlite")
def test_the_base_alone_checks_the_tokens_of_a_real_service(watchword: Running, bare: Path) -> None:
    ada = watchword.login_as()
    head, claims, signature = ada.access_token.split(".")
    forged = f"{head}.{claims}.{signature[::-1]}"
    given: dict[str, Any] = {
        "jwks": watchword.client.get(f"{watchword.path}/.well-known/jwks.json").json(),
        "issuer": watchword.auth.settings.base_url,
        "tokens": [ada.access_token, forged],
    }
    done = run_in(bare, "-c", RESOURCE_SERVER, stdin=json.dumps(given))
    assert done.stderr == ""
    [said, heavy] = json.loads(done.stdout)
    assert said[0] == str(ada.id)
    assert said[1] != said[0]
    assert heavy == []


@pytest.mark.parametrize("name", ["Watchword", "CurrentUser", "Settings"])
def test_the_base_alone_says_what_to_type_for_the_rest(bare: Path, name: str) -> None:
    done = run_in(bare, "-c", f"from watchword import {name}")
    assert done.returncode == 1
    assert f"{name} needs the app's packages" in done.stderr
    assert 'pip install "watchword[app]"' in done.stderr


def test_the_command_without_its_extra_says_what_to_type(bare: Path) -> None:
    for arguments in ([], ["serve"], ["--help"]):
        done = run_in(bare, "-m", "watchword.cli.main", *arguments)
        assert done.returncode != 0
        assert 'pip install "watchword[service]"' in done.stderr + done.stdout
        assert "Traceback" not in done.stderr


RUN_PYTEST = (
    "import sys; sys.path.append('more'); import pytest; sys.exit(pytest.main(['-q', 'own']))"
)


def test_pytest_runs_where_the_base_alone_is_installed(bare: Path, tmp_path: Path) -> None:
    """pytest loads our plugin in a resource server's tests too."""
    with_pytest = distribution("pytest")
    install(tmp_path / "more", with_pytest, *_needed_by(with_pytest))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "test_own.py").write_text(
        "def test_own(request):\n"
        "    names = [name for name, _ in request.config.pluginmanager.list_name_plugin()]\n"
        "    assert 'watchword' in names\n"
    )
    done = run_in(bare, "-c", RUN_PYTEST, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr

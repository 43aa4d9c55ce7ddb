"""Re-make the files of requirements/ from pyproject.toml, or check them.

    python -m tools.lock             compile; pins that still fit stay as they are
    python -m tools.lock --upgrade   compile; every pin becomes the newest that fits
    python -m tools.lock --check     say where the pins no longer fit pyproject.toml, and stop

Compiling needs uv: the one on PATH, or one that is installed for the moment. ``--check`` needs
nothing but what requirements/test.txt installs.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKED = {
    "test": ("service", "testing", "dev"),
    "run": ("service",),
    "bench": ("bench",),
    "bench-fastapi-users": ("bench-fastapi-users",),
}
# Another's environment, with the versions that it asks for; the others have those that are tested.
NOT_OURS = "bench-fastapi-users"
# Oldest first: a lock resolved for it holds for the newer ones too, by markers.
OLDEST_PYTHON = "3.11"
# What hatchling asks for when it installs a package in place; without build isolation we bring it.
EDITABLE_INSTALL = "editables"


def main(arguments: list[str]) -> int:
    """Compile, or check with ``--check``; 0 when the files fit."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    if arguments == ["--check"]:
        faults = [fault for name in LOCKED for fault in _faults(name, project)]
        print("\n".join([*faults, "Run 'make lock'."] if faults else ["The pins fit."]))
        return 1 if faults else 0
    if arguments not in ([], ["--upgrade"]):
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="watchword-lock-") as scratch:
        uv = shutil.which("uv") or _install_uv(Path(scratch))
        for name in LOCKED:
            _compile(uv, name, _build_requirements(project), arguments)
    return 0


def _build_requirements(project: dict[str, Any]) -> list[str]:
    return [*project["build-system"]["requires"], EDITABLE_INSTALL]


def _install_uv(scratch: Path) -> str:
    print("Installing uv for the moment.")
    venv.create(scratch, with_pip=True)
    subprocess.run([scratch / "bin" / "pip", "install", "--quiet", "uv"], check=True)
    return str(scratch / "bin" / "uv")


def _compile(uv: str, name: str, build: list[str], arguments: list[str]) -> None:
    target = f"requirements/{name}.txt"
    command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--no-header", "--no-emit-index-url", "--python-version", OLDEST_PYTHON]
    command += [f"--extra={extra}" for extra in LOCKED[name]]
    # What serves is what was tested: the smaller set takes its versions from the larger.
    alone = name in ("test", NOT_OURS)
    command += [] if alone else ["--constraint", "requirements/test.txt"]
    command += [*arguments, "pyproject.toml", "-", "--output-file", target]
    subprocess.run(command, cwd=ROOT, input="\n".join(build), text=True, check=True)
    pins = _pins(name)
    print(f"{target}: {len(pins)} packages")


def _pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", text, re.MULTILINE))


def _faults(name: str, project: dict[str, Any]) -> Iterator[str]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    if "://" in text or str(ROOT) in text:
        yield f"requirements/{name}.txt names a place: packages come from the caller's own index."
    pins, tested = _pins(name), _pins("test")
    for package, version in pins.items():
        # What we are compared with is in no test.
        known = tested.get(package, version if name == "bench" else "none")
        if known != version and name != NOT_OURS:
            yield f"{package} {version} serves, but {known} is tested."
    for line in [
        *_build_requirements(project),
        *sorted(_asked_for(project["project"], LOCKED[name])),
    ]:
        requirement = Requirement(line)
        pinned = pins.get(canonicalize_name(requirement.name))
        if pinned is None:
            yield f"requirements/{name}.txt has no {requirement.name}."
        elif not requirement.specifier.contains(pinned, prereleases=True):
            yield f"requirements/{name}.txt has {requirement.name} {pinned}, not {line}."


def _asked_for(project: dict[str, Any], extras: tuple[str, ...]) -> set[str]:
    """Give what the package asks for with these extras, those that name others followed."""
    lines = set(project["dependencies"])
    ours = re.compile(rf"{project['name']}\[([a-z, ]+)\]")
    for line in (line for extra in extras for line in project["optional-dependencies"][extra]):
        if further := ours.fullmatch(line):
            lines |= _asked_for(project, tuple(re.split(r"\s*,\s*", further[1])))
        else:
            lines.add(line)
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

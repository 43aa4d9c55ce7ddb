"""Everything that must hold before a change lands: what `make test` runs.

    python -m tools.test                 lints, then all tests on SQLite and PostgreSQL, measured
    python -m tools.test -k reset -x     only pytest, with these arguments, PostgreSQL included
    python -m tools.test --only-lints    only the lints

Starts a private PostgreSQL and a private Valkey or Redis and stops them again, whatever happens.
With WATCHWORD_TEST_POSTGRES or WATCHWORD_TEST_REDIS set it uses that server instead. Exit codes: 0
all well, 1 something failed, 2 something is missing.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tools import postgres, valkey
from tools.steps import Failed, Stopped, TooLong, headline, step, stopping_cleanly

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
CHECKED = ("src", "tests", "tools", "bench", "examples")
SERVER = "WATCHWORD_TEST_POSTGRES"
CARRIER = "WATCHWORD_TEST_REDIS"
# More workers than this would wait for each other's databases rather than for a core.
MOST_WORKERS = 8
# Three times what all tests take on two cores.
PATIENCE_SECONDS = 1800.0


def main(arguments: list[str]) -> int:
    """Run the steps in order and stop at the first that fails; return the exit code."""
    os.chdir(ROOT)
    try:
        with stopping_cleanly(), ExitStack() as stack:
            if arguments == ["--only-lints"]:
                scratch = _scratch(stack)
                _lints(scratch, _environment(scratch))
            elif arguments:
                _narrow(stack, arguments)
            else:
                _everything(stack)
    except Failed as failure:
        headline(f"FAILED: {failure}")
        return failure.code
    except Stopped as stopped:
        headline(str(stopped))
        return stopped.code
    return 0


def _everything(stack: ExitStack) -> None:
    scratch = _scratch(stack)
    environment = _environment(scratch)
    # Asked first: nobody should wait for the lints to hear that the tests cannot run.
    _with_servers(stack, scratch, environment)
    _lints(scratch, environment)
    # Out of the tree, so that two runs at once don't add up each other's lines.
    environment["COVERAGE_FILE"] = str(scratch / "coverage")
    coverage = [sys.executable, "-m", "coverage"]
    tests = [*coverage, "run", *_pytest(), *_workers()]
    try:
        closing = step("pytest", tests, environment, seconds=PATIENCE_SECONDS)
    except TooLong:
        # Seen once in three full runs: greenlet 3.5 never comes back from freeing a thread that has
        # ended while coverage follows it. Nothing of ours runs then; a second run decides.
        step("coverage erase", [*coverage, "erase"], environment)
        closing = step("pytest, once more", tests, environment)
    step("coverage combine", [*coverage, "combine", "--quiet"], environment)
    step("coverage report", [*coverage, "report"], environment)
    print(f"\n{closing}", flush=True)


def _narrow(stack: ExitStack, arguments: list[str]) -> None:
    """Run a choice of tests: no lints, and no measure, since a part covers only a part."""
    scratch = _scratch(stack)
    environment = _environment(scratch)
    _with_servers(stack, scratch, environment)
    step("pytest", [sys.executable, *_pytest(), *arguments], environment)


def _lints(scratch: Path, environment: dict[str, str]) -> None:
    folders = [name for name in CHECKED if any(Path(name).rglob("*.py"))]
    ruff, imports = str(PROGRAMS / "ruff"), str(PROGRAMS / "lint-imports")
    import_cache = _cache(".import_linter_cache", scratch)
    step("locked requirements", [sys.executable, "-m", "tools.lock", "--check"], environment)
    step("ruff check", [ruff, "check", *folders], environment)
    step("ruff format", [ruff, "format", "--check", *folders], environment)
    step("import contracts", [imports, "--no-logo", "--cache-dir", import_cache], environment)
    step("mypy", [sys.executable, "-m", "mypy", *folders], environment)


def _with_servers(stack: ExitStack, scratch: Path, environment: dict[str, str]) -> None:
    _with_postgres(stack, scratch, environment)
    if CARRIER in os.environ:
        headline(f"Valkey or Redis: the one that {CARRIER} names")
        environment[CARRIER] = os.environ[CARRIER]
    elif program := valkey.find_or_install():
        headline(f"Valkey or Redis: a private {program}")
        environment[CARRIER] = stack.enter_context(valkey.server(program, scratch))
    else:
        headline(valkey.HOW_TO_INSTALL)


def _with_postgres(stack: ExitStack, scratch: Path, environment: dict[str, str]) -> None:
    if SERVER in os.environ:
        headline(f"PostgreSQL: the one that {SERVER} names")
        environment[SERVER] = os.environ[SERVER]
        return
    programs = postgres.ensure_installed()
    headline(f"PostgreSQL: a private cluster by {programs}")
    environment[SERVER] = stack.enter_context(postgres.cluster(programs, scratch))


def _scratch(stack: ExitStack) -> Path:
    # As root the cluster runs as somebody else, who could not reach a folder inside root's own.
    shared = Path("/tmp")  # noqa: S108 -- mkdtemp makes a private folder in it
    place = shared if os.geteuid() == 0 and shared.is_dir() else None
    folder = tempfile.TemporaryDirectory(prefix="watchword-test-", dir=place)
    return Path(stack.enter_context(folder))


def _environment(scratch: Path) -> dict[str, str]:
    """Give the caller's environment less the settings in it: a test says itself what it needs."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith(("WATCHWORD_", "PG"))}
    return kept | {
        "PYTHONUNBUFFERED": "1",
        "RUFF_CACHE_DIR": _cache(".ruff_cache", scratch),
        "MYPY_CACHE_DIR": _cache(".mypy_cache", scratch),
    }


def _cache(name: str, scratch: Path) -> str:
    """Give the tree's cache, or one for this run where that is another user's."""
    return str(ROOT / name if _ours(ROOT / name) else scratch / name)


def _ours(folder: Path) -> bool:
    nearest = folder if folder.exists() else folder.parent
    return nearest.stat().st_uid == os.geteuid() and os.access(nearest, os.W_OK)


def _workers() -> list[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ["-n", str(min(max(2, cores or 2), MOST_WORKERS))]


def _pytest() -> list[str]:
    options = ["--color=yes"] if sys.stdout.isatty() else []
    if not _ours(ROOT / ".hypothesis"):
        # Hypothesis then remembers its examples for this run only, and every warning is an error.
        options += ["-W", "ignore:The database setting is not configured"]
    return ["-m", "pytest", *options]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

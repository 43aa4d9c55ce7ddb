"""The ``watchword`` command: where it begins, and how a refusal ends it."""

from __future__ import annotations

import sys

from watchword.errors import ConfigurationError, DatabaseUnavailable, WatchwordError

REFUSED = 1
MISUSED = 2


def main() -> None:
    """Run the command on the command line.

    Exits 0 only when it is done, 1 when it was refused or failed, 2 when the command or a setting
    is wrong.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that this terminal can't show is no reason to fail.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        from watchword.cli.commands import app
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.split(".")[0] == "watchword":
            raise
        _leave(
            f"The commands need the service's packages ({missing} is missing). "
            'Type: pip install "watchword[service]"',
            MISUSED,
        )
    try:
        app(prog_name="watchword")
    except ConfigurationError as error:
        _leave(error.sentence, MISUSED)
    except DatabaseUnavailable as error:
        # The operator is no caller: what the driver said is what there is to go on.
        said = (error.detail or "").splitlines()[:1]
        why = f" ({said[0]})" if said else ""
        _leave(f"The database does not answer{why}. Check DATABASE_URL.", REFUSED)
    except WatchwordError as error:
        _leave(error.sentence, REFUSED)


def _leave(sentence: str, code: int) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()

"""``python -m bench``: make what a run needs, then measure in the environment made for it.

python -m bench                  everything; writes docs/benchmarks.md
python -m bench --only hot_path  one part; prints it
python -m bench --quick          seconds instead of minutes, to see that it runs; prints
"""

import os
import sys
from typing import NoReturn

from tools.steps import Failed, headline

from bench import environments


def main() -> NoReturn:
    """Replace this process by the measuring one; exit with a code where something is missing."""
    try:
        environments.ensure_wrk()
        environments.make(environments.FASTAPI_USERS)
        python = str(environments.make(environments.OURS))
    except Failed as failure:
        headline(f"FAILED: {failure}")
        sys.exit(failure.code)
    os.chdir(environments.ROOT)
    # What comes now imports what is only there.
    place = {"PYTHONPATH": f"{environments.ROOT}{os.pathsep}{environments.ROOT / 'src'}"}
    os.execve(python, [python, "-m", "bench.run", *sys.argv[1:]], {**os.environ, **place})  # noqa: S606


if __name__ == "__main__":
    main()

"""The README's transcript is true: its commands are run against a service, its answers compared."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.services import service

README = Path(__file__).parent.parent / "README.md"


def transcript() -> list[tuple[str, str]]:
    """The commands of the README's transcript, each with the answer that it shows."""
    block = re.search(r"<!-- transcript.*?```console\n(.*?)```", README.read_text(), re.S)
    assert block is not None
    steps = re.split(r"^\$ ", block[1], flags=re.M)[1:]
    return [(command, answer) for command, _, answer in (s.partition("\n") for s in steps)]


def as_pattern(answer: str) -> str:
    """``…`` stands for anything within a line."""
    return ".*?".join(re.escape(part) for part in answer.strip().split("…"))


def test_the_readmes_transcript_is_what_a_service_answers(tmp_path: Path) -> None:
    steps = transcript()
    assert len(steps) > 20
    with service(tmp_path) as at:
        script = "\n".join(f"echo @@@\n{command}" for command, _ in steps)
        script = script.replace("http://127.0.0.1:8000", at.url)
        done = subprocess.run(
            ["bash"], input=script, capture_output=True, text=True, timeout=60, check=True
        )
    answers = done.stdout.split("@@@\n")[1:]
    assert len(answers) == len(steps)
    for (command, expected), answer in zip(steps, answers, strict=True):
        assert re.fullmatch(as_pattern(expected), answer.strip()), (command, answer)
    assert done.stderr == ""

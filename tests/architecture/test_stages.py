"""`make test` runs every stage, whichever fails, says how each went, and fails where one did."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

_STAGES = """
good:
\t@echo "===== 3 passed, 1 skipped in 0.10s ====="
bad:
\t@echo "===== 1 failed, 2 passed in 0.20s ====="; exit 1
last:
\t@echo reached
"""


def called(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as by hand: a make around this test has no part in it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def every(folder: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    (folder / "Makefile").write_text(_STAGES)
    return called(folder, str(ROOT / "scripts" / "every.sh"), *targets)


@pytest.mark.parametrize(("targets", "status"), [(["good", "last"], 0), (["bad", "last"], 1), (["bad", "none"], 2)])
def test_as_many_as_fail_are_told(tmp_path: Path, targets: list[str], status: int) -> None:
    done = every(tmp_path, *targets)
    assert done.returncode == status
    assert done.stdout.endswith(f"{status} of 2 failed\n" if status else "all passed\n")


def test_a_stage_that_fails_hides_none(tmp_path: Path) -> None:
    done = every(tmp_path, "bad", "good", "last")
    assert done.returncode == 1
    assert "reached" in done.stdout
    summary = done.stdout.splitlines()[-4:-1]
    assert [line.split()[:2] for line in summary] == [["bad", "FAILED"], ["good", "passed"], ["last", "passed"]]
    assert summary[0].endswith("1 failed, 2 passed in 0.20s ")
    assert summary[1].endswith("3 passed, 1 skipped in 0.10s ")


def test_ci_runs_what_the_readme_says() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]
    assert "\n    make test\n" in (ROOT / "README.md").read_text()


def test_every_check_and_every_kind_of_test_is_a_stage() -> None:
    shown = called(ROOT, "make", "-n", "check")
    assert shown.returncode == 0, shown.stderr
    for tool in ("ruff format --check .", "ruff check .", "mypy", "lint-imports", "npm run --silent check", "npm test"):
        assert f"{tool}" in shown.stdout
    written = (ROOT / "Makefile").read_text()
    assert "scripts/every.sh $(CHECKS) unit live browser\n" in written
    chosen = {"unit": '"not live and not browser"', "live": '"live and not browser"', "browser": "browser"}
    for stage, marks in chosen.items():
        rule = written[written.index(f"\n{stage}: setup-test") :].split("\n\n")[0]
        assert rule.endswith(f"-m {marks}")

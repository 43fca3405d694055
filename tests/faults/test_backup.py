"""Backup and restore are killed at every step, run at once, and find no room: a sentence, and the next one succeeds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pydicom.data import get_testdata_file

from overread.kit import postgres
from overread.kit.settings import Settings
from tests.faults.disks import small
from tests.faults.harness import folder, wait_for
from tests.live.server import PROGRAM, clean_environment

pytestmark = pytest.mark.live

#: The program, which kills itself where it calls a function the nth time: module, name, n.
_DYING = """
import importlib, os, signal, sys
from overread import cli
module, name, count = sys.argv.pop(1), sys.argv.pop(1), int(sys.argv.pop(1))
owner = importlib.import_module(module)
*path, name = name.split(".")
for one in path:
    owner = getattr(owner, one)
before = getattr(owner, name)
def dies(*given, **named):
    global count
    count -= 1
    if not count:
        os.kill(os.getpid(), signal.{signal})
    return before(*given, **named)
setattr(owner, name, dies)
cli.main()
"""
BACKUP_STEPS = [
    ("overread.folders", "_empty", 1),  # the folder is made, and holds nothing
    ("overread.commands.backup", "_run", 1),
    ("shutil", "copy2", 1),
    ("overread.kit.sealed", "mirror", 2),
    ("os", "sync", 1),
    ("pathlib", "Path.rename", 1),
]
RESTORE_STEPS = [
    ("shutil", "copytree", 1),
    ("overread.commands.backup", "_run", 1),
    ("overread.again", "_apply", 1),
    ("os", "sync", 1),
]


def run(*arguments: str | Path, dies: tuple[str, str, int] | None = None) -> subprocess.CompletedProcess[str]:
    program = PROGRAM if dies is None else [sys.executable, "-c", _code("SIGKILL"), *map(str, dies)]
    return subprocess.run(
        [*program, *map(str, arguments)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def _code(name: str) -> str:
    return _DYING.replace("{signal}", name)


def refused(done: subprocess.CompletedProcess[str], sentence: str) -> None:
    """An operator's answer: why, in one line, and 1."""
    assert done.returncode == 1, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """A folder in which `data` is a data folder with an instance, whose database runs meanwhile."""
    with folder("copies") as base:
        sample = get_testdata_file("CT_small.dcm", download=False)
        assert isinstance(sample, str)
        settings = Settings(data_dir=base / "data", database_url=None)
        settings.server_key()
        _, server = postgres.start(settings)
        assert server is not None
        try:
            done = run("import", sample, "--data-dir", base / "data")
            assert done.returncode == 0, done.stderr
            yield base
        finally:
            server.cleanup()


@pytest.fixture(scope="module")
def source(base: Path) -> Path:
    """A backup, made after one was killed at every step."""
    target = base / "backups" / "copy"
    for step in BACKUP_STEPS:
        done = run("backup", target, "--data-dir", base / "data", dies=step)
        assert done.returncode == -9, (step, done.stderr)
        assert not target.exists(), step
        assert target.with_name("copy.incomplete").is_dir(), step
    done = run("backup", target, "--data-dir", base / "data")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in target.iterdir()} == {"database.dump", "blobs", "server.key", "ended"}
    assert {path.name for path in target.parent.iterdir()} == {"copy", "keys"}
    return target


def test_a_backup_that_was_killed_at_any_step_is_made_again(source: Path) -> None:
    assert source.is_dir()


def test_a_restore_that_was_killed_at_any_step_is_served_by_nobody_and_made_again(base: Path, source: Path) -> None:
    data = base / "restored"
    named, left_over = data / "postgres" / "postmaster.pid", []
    for step in RESTORE_STEPS:
        done = run("restore", source, "--data-dir", data, dies=step)
        assert done.returncode == -9, (step, done.stderr)
        if named.exists():
            left_over.append(psutil.Process(int(named.read_text().split()[0])))
    assert left_over
    for command in (("verify",), ("serve", "--dicom", "[::1]:0")):
        refused(run(*command, "--data-dir", data), "did not come to its end: run `overread restore` again")
    done = run("restore", source, "--data-dir", data)
    assert done.returncode == 0, done.stderr
    assert "1 blobs read, 0 bad" in done.stderr
    assert [one for one in left_over if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert not (data / "restoring").exists()
    # The last user of its database was the last, though others were killed.
    assert not named.exists()
    refused(run("restore", source, "--data-dir", data), "is not empty")


def test_two_backups_into_one_folder_at_once(base: Path, source: Path) -> None:
    target = source.with_name("busy")
    arguments = ["overread.commands.backup", "_copy_blobs", "1", "backup", target, "--data-dir", base / "data"]
    first = subprocess.Popen(
        [sys.executable, "-c", _code("SIGSTOP"), *map(str, arguments)],
        env=clean_environment(),
        stderr=subprocess.DEVNULL,
    )
    try:
        stopped = psutil.Process(first.pid)
        wait_for("it is in the middle", lambda: stopped.status() == psutil.STATUS_STOPPED, 120)
        refused(run("backup", target, "--data-dir", base / "data"), "another backup is being made in")
        stopped.resume()
        assert first.wait(120) == 0
    finally:
        first.kill()
        first.wait()
    refused(run("backup", target, "--data-dir", base / "data"), "a backup goes into a new folder")
    shutil.rmtree(target)


def test_what_is_not_the_programs_own_is_left_alone(base: Path, source: Path) -> None:
    aside = source.with_name("other.incomplete")
    aside.mkdir()
    for name in ("letter", "overread-backup"):
        (aside / name).write_text("mine")
        refused(run("backup", source.with_name("other"), "--data-dir", base / "data"), "move it away")
        assert (aside / "letter").read_text() == "mine"
    shutil.rmtree(aside)
    aside.symlink_to(base / "data")
    refused(run("backup", source.with_name("other"), "--data-dir", base / "data"), "is no folder")
    aside.unlink()


def test_no_room_for_a_backup_or_a_restore(base: Path, source: Path) -> None:
    with small(base / "disk", 1) as disk:
        full = disk / "filler"
        full.write_bytes(bytes(990 << 10))
        refused(run("backup", disk / "copy", "--data-dir", base / "data"), "failed")
        assert [path.name for path in disk.iterdir()] == ["filler"], "nothing of it is left in the way"
        refused(run("restore", source, "--data-dir", disk / "data"), "failed")
        full.unlink()
        done = run("backup", disk / "copy", "--data-dir", base / "data")
        assert done.returncode == 0, done.stderr


def test_a_database_that_is_away_is_a_sentence(base: Path) -> None:
    away = {**clean_environment(), "OVERREAD_DATABASE_URL": "postgresql://127.0.0.1:1/nothing"}
    command = [*PROGRAM, "backup", str(base / "never"), "--data-dir", str(base / "data")]
    done = subprocess.run(command, env=away, capture_output=True, text=True, check=False, timeout=120)
    refused(done, "the database says")

"""Runs another tool's de-identification in that tool's own environment; it imports nothing of ours.

usage: python deid_peer.py NAME SOURCE TARGET TURNS

Prints the median of milliseconds a turn, from a file to a file, as JSON; exits with 3 where the tool is not there.
"""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

Turn = Callable[[Path, Path], None]


def dicognito() -> Turn:
    """Everything at its defaults."""
    import pydicom

    anonymizer = import_module("dicognito.anonymizer")

    def turn(source: Path, target: Path) -> None:
        ds = pydicom.dcmread(source)
        anonymizer.Anonymizer().anonymize(ds)
        ds.save_as(target)

    return turn


def dicom_anonymizer() -> Turn:
    """Everything at its defaults, which delete private attributes."""
    tool = import_module("dicomanonymizer")

    def turn(source: Path, target: Path) -> None:
        tool.anonymize_dicom_file(str(source), str(target))

    return turn


def deid() -> Turn:
    """With the recipe that it brings along."""
    tool = import_module("deid.dicom")
    recipe = import_module("deid.config").DeidRecipe()

    def turn(source: Path, target: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            made = tool.replace_identifiers(
                dicom_files=[str(source)],
                ids=tool.get_identifiers([str(source)]),
                deid=recipe,
                save=True,
                output_folder=folder,
                overwrite=True,
            )
            shutil.move(made[0], target)

    return turn


TOOLS: dict[str, Callable[[], Turn]] = {"dicognito": dicognito, "dicom-anonymizer": dicom_anonymizer, "deid": deid}


def main() -> None:
    """Measure one tool on one file."""
    name, source, target, turns = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    warnings.simplefilter("ignore")
    logging.disable()
    try:
        turn = TOOLS[name]()
    except ImportError as missing:
        print(missing, file=sys.stderr)
        sys.exit(3)
    turn(source, target)
    taken: list[float] = []
    for _ in range(turns):
        begun = time.perf_counter()
        turn(source, target)
        taken.append(1000 * (time.perf_counter() - begun))
    print(json.dumps(statistics.median(taken)))


if __name__ == "__main__":
    main()

"""The corpus of real DICOM files, if the environment variable OVERREAD_CORPUS names one.

It is a folder with a `manifest.csv`, whose columns `path`, `source` and `readable` are read here.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

MAX_BYTES = 8 << 20  # larger files only repeat the small ones' structure


@lru_cache(maxsize=1)
def manifest() -> list[dict[str, str]]:
    root = os.environ.get("OVERREAD_CORPUS")
    if not root or not Path(root, "manifest.csv").is_file():
        return []
    with Path(root, "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sources() -> list[str]:
    """The corpus's parts, to parametrise a test with; one empty name stands for its absence."""
    return sorted({row["source"] for row in manifest()}) or [""]


def files(source: str) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of one part's files; skips the test where there is no corpus."""
    if not source:
        pytest.skip("OVERREAD_CORPUS names no folder with a manifest.csv: no real files to compare with")
    for row in manifest():
        if row["source"] == source and int(row["bytes"]) <= MAX_BYTES:
            yield row["path"], Path(os.environ["OVERREAD_CORPUS"], row["path"]).read_bytes()

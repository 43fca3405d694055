"""Figures as a table in Markdown: medians, spread, ratios, and where and when they were measured."""

from __future__ import annotations

import datetime
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.works import Work

Figures = Mapping[str, Sequence[float]]

_HEAD = ("work", "unit", "Overread", "Orthanc", "pynetdicom", "to Orthanc", "to pynetdicom", "goal")


def row(work: Work, figures: Figures) -> list[str]:
    """One row's cells. A ratio above 1 is ours being better, also where less is better."""
    ours = figures.get("Overread", ())
    ratios = [_ratio(work, ours, figures.get(peer, ())) for peer in ("Orthanc", "pynetdicom")]
    cells = [_cell(figures.get(peer, ())) for peer in ("Overread", "Orthanc", "pynetdicom")]
    return [work.name, work.unit, *cells, *ratios, work.goal or "-"]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The table, its columns aligned so that it reads well as text too."""
    lines = [_HEAD, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)


def circumstances(versions: Sequence[str]) -> list[str]:
    """When, on what and with which versions."""
    now = datetime.datetime.now(datetime.UTC)
    memory = psutil.virtual_memory().total / 2**30
    return [
        f"Date: {now:%Y-%m-%d %H:%M} UTC",
        f"Machine: {_processor()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}",
        f"Versions: {'; '.join(versions)}; Python {platform.python_version()}",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "-"
    median = _number(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({_number(min(values))}-{_number(max(values))})"


def _ratio(work: Work, ours: Sequence[float], theirs: Sequence[float]) -> str:
    if not ours or not theirs:
        return "-"
    ratio = statistics.median(ours) / statistics.median(theirs)
    return f"{1 / ratio if work.less else ratio:.1f}x"

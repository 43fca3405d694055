"""The tables of PS3.15 Annex E as look-ups: E.1-1 (attributes), E.3.4-1 (content items), E.3.10-1 (safe private)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Row(NamedTuple):
    """A row of Table E.1-1: the Basic Profile's action, and the action ("K" or "C") of every option that has one."""

    tag: str
    name: str
    basic: str
    options: dict[str, str]


class Concept(NamedTuple):
    """A row of Table E.3.4-1: what happens to content items of this value type that name the concept."""

    meaning: str
    value_type: str
    basic: str
    options: dict[str, str]


class Safe(NamedTuple):
    """A private attribute that stays: its VR, the most values it has (0: any number), and what it is, to be told.

    `decision` is "" where the VR decides, "clean" for text that people may have typed, "review" for bytes that nobody
    can read, which stay if a person says so. The VR is "" where the table has none.
    """

    vr: str
    most: int
    decision: str
    name: str


_OPTIONS = (
    "retain_safe_private",
    "retain_uids",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_longitudinal_full_dates",
    "retain_longitudinal_modified_dates",
    "clean_descriptors",
    "clean_structured_content",
    "clean_graphics",
)


def _read(name: str) -> Iterator[dict[str, str]]:
    text = files("pacs.deid").joinpath("data", name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@cache
def rows() -> dict[str, Row]:
    """Give Table E.1-1 by its first column: eight hexadecimal digits, "50xxxxxx", "60xx3000" or "PRIVATE"."""
    return {
        line["tag"]: Row(
            line["tag"], line["name"], line["basic"], {name: line[name] for name in _OPTIONS if line[name]}
        )
        for line in _read("table-e.1-1.csv")
    }


def row_of(tag: int) -> Row | None:
    """Give the row of Table E.1-1 that covers `tag`, repeating groups and private ones included, or None."""
    table = rows()
    found = table.get(f"{tag:08X}")
    if found is not None:
        return found
    group = tag >> 16
    if group & 1:
        return table["PRIVATE"]
    if 0x5000 <= group <= 0x50FF:
        return table["50xxxxxx"]
    if 0x6000 <= group <= 0x60FF:
        return table.get(f"60xx{tag & 0xFFFF:04X}")
    return None


@cache
def concepts() -> dict[tuple[str, str], list[Concept]]:
    """Give Table E.3.4-1 by (code value, coding scheme designator); a concept has a row for each value type."""
    table: dict[tuple[str, str], list[Concept]] = {}
    for line in _read("table-e.3.4-1.csv"):
        row = Concept(line["meaning"], line["value_type"], line["basic"], json.loads(line["options"]))
        table.setdefault((line["code"], line["scheme"]), []).append(row)
    return table


@cache
def safe_private() -> dict[tuple[str, int, int], Safe]:
    """Give Table E.3.10-1 and our own rows by (private creator, group, element's low byte), but for those that go."""
    return {
        (line["private_creator"], int(line["group"], 16), int(line["element"][2:], 16)): Safe(
            line["vr"], most_values(line["vm"]), line["decision"], f"{line['meaning']}, {line['private_creator']}"
        )
        for name in ("table-e.3.10-1.csv", "private.csv")
        for line in _read(name)
        if line["decision"] != "drop"
    }


@cache
def safe_creators() -> frozenset[tuple[str, int]]:
    """Give every (private creator, group) that has a safe attribute at all."""
    return frozenset((creator, group) for creator, group, _ in safe_private())


def most_values(multiplicity: str) -> int:
    """Give the most values that a Value Multiplicity allows (PS3.5 6.4), 0 for any number."""
    most = multiplicity.rpartition("-")[2]
    return int(most) if most.isdecimal() else 0

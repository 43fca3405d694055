"""Nothing of the process remembers whose images were de-identified once the derivation has ended."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any

import pytest

from pacs.deid.header import deidentify
from pacs.deid.identifiers import Identifiers
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import EXPLICIT, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET

_kept: list[object] = []


def _words() -> list[str]:
    # Made when they are asked for: the test's own constants must not be what is found.
    return [word[::-1] for word in ("GNULLIWRETTAM", "DLOGIRAMOPIH", "744-9201-NRM", "enaL gnuLLiwretTaM")]


def _derive() -> None:
    name, given, number, lane = _words()
    elements = [
        text(0x00081030, "LO", f"CHEST {name} {number}"),
        text(0x00100010, "PN", f"{name}^{given}"),
        text(0x00100020, "LO", number),
    ]
    kept = [element for element in skeleton() if element.tag not in {one.tag for one in elements}]
    data = part10([*kept, *elements], EXPLICIT)
    known = Identifiers.of(names=[f"{given} {name}"], phrases=[lane])
    assert name.encode() not in deidentify(parse(data), secret=SECRET, known=known).header


def _remembered() -> list[str]:
    """The words that any living object holds in its text."""
    words = [word.casefold() for word in _words()]
    found: set[str] = set()
    waiting = [one for one in gc.get_objects() if one is not words]
    while waiting:
        for held in gc.get_referents(waiting.pop()):
            plain: Any = held
            if isinstance(plain, dict | tuple) and not gc.is_tracked(plain):
                waiting.append(plain)
            if isinstance(plain, re.Pattern):
                plain = plain.pattern
            if isinstance(plain, bytes):
                plain = plain.decode("latin-1")
            if isinstance(plain, str):
                found.update(word for word in words if word in plain.casefold())
    return sorted(found)


def test_no_cache_keeps_a_patients_strings() -> None:
    _derive()
    gc.collect()
    assert _remembered() == []


@pytest.mark.parametrize(
    "keep",
    [lambda: {"a": f"the {_words()[0]} family"}, lambda: (_words()[1].encode(), 1), lambda: re.compile(_words()[2])],
)
def test_the_search_finds_what_is_kept(keep: Callable[[], object]) -> None:
    _kept.append(keep())
    assert len(_remembered()) == 1
    _kept.clear()
    re.purge()

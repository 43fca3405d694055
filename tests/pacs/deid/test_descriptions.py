"""500 descriptions and names, each with what must be read of it afterwards (`data/descriptions.txt`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from pacs.deid.identifiers import Identifiers
from pacs.deid.profile import SECOND_OPINION
from pacs.deid.values import Memory

TABLE = Path(__file__).parent / "data" / "descriptions.txt"
SECRET = bytes(range(32))


def rows() -> list[tuple[str, str, str]]:
    """Read (keyword, what was written, what must be read)."""
    found: list[tuple[str, str, str]] = []
    keyword = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            keyword = line[3:]
        elif line and not line.startswith("# "):
            written, _, read = line.partition(" => ")
            found.append((keyword, written, read or written))
    return found


def after(keyword: str, written: str) -> str:
    """Give what is read of a value in the copy of a file that names nobody."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    values = Memory(SECRET, SECOND_OPINION).values(Identifiers(), explicit=False)
    _, _, _, compute, _ = values.step(tag, vr)
    result = compute(written.encode(), ("utf-8",))
    if result is True:
        return written
    return "" if result is False else bytes(result)[8:].decode().strip()  # behind tag and length (PS3.5 7.1.3)


def test_the_table_is_large_enough() -> None:
    assert len(rows()) >= 500


@pytest.mark.parametrize(("keyword", "written", "read"), rows())
def test_what_is_read_afterwards(keyword: str, written: str, read: str) -> None:
    left = after(keyword, written)
    if read == "-":
        assert left in ("", "REMOVED")
    elif read == "#":
        assert re.fullmatch(r"Removed \d{6}", left), left
    else:
        assert left == read

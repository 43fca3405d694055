"""The standard's tables stand once, in `pacs/dicom/`: no transfer syntax, SOP class or tag is spelled elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import keyword_for_tag

from pacs.dicom import sop_classes, tags, transfer_syntaxes
from pacs.dicom.tags import Tag

ROOT = Path(__file__).parents[2]
ROOMS = ("billing", "cases", "dicomweb", "overread", "pacs", "viewer_bridge")
_TAG = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-F]{8}|[0-9a-f]{8})(?![0-9A-Fa-f])")
_UID = re.compile(r"1\.2\.840\.10008\.[0-9.]*[0-9]")
_KINDS = ("Transfer Syntax", "SOP Class")

#: Transfer syntaxes that are no encoding of PS3.5.
NO_SYNTAXES = {
    "1.2.840.10008.1.2.6.1": "RFC 2557 MIME encapsulation, retired",
    "1.2.840.10008.1.2.6.2": "XML, retired",
}
#: Classes with Storage in their names whose objects are not stored.
NO_STORAGE = {
    "1.2.840.10008.1.20.1": "Storage Commitment, a service",
    "1.2.840.10008.1.20.2": "Storage Commitment, a service",
    "1.2.840.10008.1.3.10": "a DICOMDIR, which lists what is stored: `MEDIA_DIRECTORY`",
}


def of_the_dictionary(kind: str) -> set[str]:
    return {uid for uid, entry in UID_dictionary.items() if entry[1] == kind}


def test_every_transfer_syntax_has_a_row() -> None:
    assert of_the_dictionary("Transfer Syntax") - set(transfer_syntaxes.TABLE) == set(NO_SYNTAXES)


def test_every_storage_class_has_a_row_with_its_keyword() -> None:
    stored = {uid for uid in of_the_dictionary("SOP Class") if "Storage" in UID_dictionary[uid][0]}
    assert stored - set(sop_classes.TABLE) == set(NO_STORAGE)
    for uid, row in sop_classes.TABLE.items():
        if uid in UID_dictionary:
            assert row.keyword == UID_dictionary[uid][4]
    assert len({row.keyword for row in sop_classes.TABLE.values()}) == len(sop_classes.TABLE)


def test_tags_have_the_keywords_of_the_data_dictionary() -> None:
    named = {name: tag for name, tag in vars(tags).items() if isinstance(tag, Tag)}
    assert len(named) > 200
    for name, tag in named.items():
        assert (name, tag.key) == (keyword_for_tag(int(tag)), f"{int(tag):08X}")
        assert tags.named(name) == tag
    with pytest.raises(ValueError, match="NoSuchThing is no keyword"):
        tags.named("NoSuchThing")


def _in_dictionary(digits: str) -> bool:
    """Whether it is an attribute's tag; retired ones without a keyword can't be spelled otherwise."""
    entry = DicomDictionary.get(int(digits, 16))
    return entry is not None and entry[4] != ""


def literals(source: str) -> Iterator[tuple[int, str]]:
    """The lines of a source's tags and UIDs that are spelled out; docstrings may speak of them."""
    tree = ast.parse(source)
    spoken = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in spoken:
            continue
        if isinstance(node.value, str):
            found = [one for one in _TAG.findall(node.value) if _in_dictionary(one)]
            found += [one for one in _UID.findall(node.value) if UID_dictionary.get(one, ("", ""))[1] in _KINDS]
        else:
            segment = ast.get_source_segment(source, node) or ""
            # Numbers that are written otherwise are no tags.
            found = [one for one in re.findall("^0x[0-9A-Fa-f]{8}$", segment) if _in_dictionary(one)]
        yield from ((node.lineno, one) for one in found)


def test_no_tag_and_no_uid_is_spelled_elsewhere() -> None:
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    assert len(paths) > 400
    found = [
        f"{path.relative_to(ROOT)}:{line}: {one}"
        for path in paths
        if not path.is_relative_to(ROOT / "pacs" / "dicom")
        for line, one in literals(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ('x = "00100010"', ["00100010"]),
        ("x = 0x7FE00010", ["0x7FE00010"]),
        ("x = 0x7fe00010", ["0x7fe00010"]),
        ("x = f'$.\"00100020\".Value'", ["00100020"]),
        ('x = "1.2.840.10008.1.2.4.50 or 1.2.840.10008.5.1.4.1.1.2"',
         ["1.2.840.10008.1.2.4.50", "1.2.840.10008.5.1.4.1.1.2"]),
        ('"""Speaks of 00100010."""', []),
        ("x = 0xFFFFFFFF", []),
        ('x = "1.2.840.10008.2.16.4"', []),
        ('x = "20100010"', ["20100010"]),
        ("x = 1048592", []),
    ],
)  # fmt: skip
def test_what_counts_as_spelled(source: str, seen: list[str]) -> None:
    assert [one for _, one in literals(source)] == seen

"""Nothing of any row of Table E.1-1 survives, at any depth, in any encoding; what must stay stays."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacs.deid.dates import offset_days
from pacs.deid.header import deidentify
from pacs.deid.profile import BASIC, SECOND_OPINION, Profile
from pacs.deid.result import Deidentified
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    El,
    Planted,
    decoys,
    nest,
    part10,
    plant,
    skeleton,
)

SECRET = b"a secret of 32 bytes for a case."
SYNTAXES = (EXPLICIT, IMPLICIT, BIG, DEFLATED)


def whole(result: Deidentified, source: bytes) -> bytes:
    pixels = result.pixel_bytes
    if pixels is None:
        pixels = b"".join(source[start : start + length] for start, length in result.pixels)
    return result.header + result.table + pixels + result.trailer


def read(result: Deidentified, source: bytes) -> Dataset:
    ds = pydicom.dcmread(BytesIO(whole(result, source)))
    for element in ds.iterall():
        assert element.VR
    return ds


def may_stay(planted: Planted, profile: Profile) -> bool:
    """What the profile's options retain although it is a row of the table."""
    options = planted.row.options
    if profile.modified_dates and options.get("retain_longitudinal_modified_dates") and planted.vr == "TM":
        return True
    retained = profile.patient_characteristics and options.get("retain_patient_characteristics")
    return bool(retained) and planted.vr in ("AS", "CS", "DS", "US")


@pytest.mark.parametrize("profile", [SECOND_OPINION, BASIC], ids=lambda profile: profile.name)
@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_row_survives(syntax: str, depth: int, profile: Profile) -> None:
    assert offset_days(SECRET) % 97
    planted = plant(depth)
    assert len(planted) >= 640
    marks = [element for one in planted for element in one.elements]
    taken = {element.tag for element in marks}
    if depth:
        elements = skeleton() + nest(marks, depth)
    else:
        elements = marks + [element for element in skeleton() if element.tag not in taken]
    source = part10(elements, syntax)
    result = deidentify(parse(source), secret=SECRET, profile=profile)
    written = result.header + result.trailer
    survivors = [
        f"{one.row.tag} {one.row.name} {one.vr}"
        for one in planted
        if one.needle in written and not may_stay(one, profile) and one.vr not in ("AS", "US")
    ]
    assert survivors == []
    ds = read(result, source)
    inner = ds
    for _ in range(depth):
        inner = next(element for element in inner if element.VR == "SQ" and element.tag.group == 0x0008).value[0]
    left = {int(element.tag) for element in inner}
    for one in planted:
        if one.row.basic == "X" and one.vr in ("AS", "US") and not may_stay(one, profile):
            assert one.tag not in left, one.row.name


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_must_stay_stays(syntax: str, depth: int) -> None:
    wanted = decoys()
    source = part10(skeleton() + nest(wanted, depth), syntax)
    ds = read(deidentify(parse(source), secret=SECRET), source)
    before = pydicom.dcmread(BytesIO(source))
    for _ in range(depth):
        ds, before = (
            next(e for e in one if e.VR == "SQ" and e.tag.group == 8 and e.tag.elem > 0x2200).value[0]
            for one in (ds, before)
        )
    for decoy in wanted:
        assert ds[decoy.tag].value == before[decoy.tag].value, hex(decoy.tag)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_pixels_are_the_sources(syntax: str) -> None:
    source = part10(skeleton(), syntax)
    result = deidentify(parse(source), secret=SECRET)
    assert read(result, source).PixelData == bytes(range(32))
    assert (result.pixel_bytes is None) == (syntax in (EXPLICIT, IMPLICIT))
    assert result.review_reasons == []


def test_the_result_says_what_was_done() -> None:
    source = part10(skeleton(), EXPLICIT)
    ds = read(deidentify(parse(source), secret=SECRET), source)
    assert ds.PatientIdentityRemoved == "YES"
    assert ds.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [item.CodeValue for item in ds.DeidentificationMethodCodeSequence] == [
        "113100",
        "113103",
        "113104",
        "113105",
        "113107",
        "113108",
        "113111",
    ]
    basic = read(deidentify(parse(source), secret=SECRET, profile=BASIC), source)
    assert basic.LongitudinalTemporalInformationModified == "REMOVED"
    assert [item.CodeValue for item in basic.DeidentificationMethodCodeSequence] == ["113100"]


def test_every_result_reads_the_same_twice() -> None:
    source = part10([*skeleton(), *decoys()], EXPLICIT)
    first = deidentify(parse(source), secret=SECRET)
    again = deidentify(parse(source), secret=SECRET)
    other = deidentify(parse(source), secret=SECRET[::-1])
    assert first == again
    assert (
        len({first.study_uid, first.series_uid, first.sop_uid, other.study_uid, other.series_uid, other.sop_uid}) == 6
    )


def test_actions_name_tags_and_no_values() -> None:
    source = part10([*skeleton(), El(0x00100010, "PN", b"Zq^Anna"), El(0x00104000, "LT", b"zq")], EXPLICIT)
    actions = deidentify(parse(source), secret=SECRET).actions
    assert actions[0x00100010] == "Z"
    assert actions[0x00104000] == "X"
    assert actions[0x00080018] == "U"
    assert 0x00280010 not in actions

"""Only the patient's dates are moved: one that somebody knows would tell by how many days the others were."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from pacs.deid.dates import offset_days
from pacs.deid.header import deidentify
from pacs.deid.profile import SECOND_OPINION, Profile
from pacs.deid.rules import Rule, decide
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import EXPLICIT, IMPLICIT, El, part10, skeleton
from tests.pacs.deid.test_matrix import values
from tests.pacs.deid.test_rows import whole

SECRET = bytes(range(32))
KNOWN = date(2019, 5, 1)

#: Every DA and DT that is moved, each looked at: dates of what was done with the patient.
OF_THE_PATIENT = frozenset(
    line
    for line in (Path(__file__).parent / "data" / "dates_of_the_patient.txt").read_text(encoding="ascii").splitlines()
    if not line.startswith("#")
)


def all_dates() -> list[tuple[int, str]]:
    return [(tag, entry[0]) for tag, entry in sorted(DicomDictionary.items()) if entry[0] in ("DA", "DT")]


def test_every_date_of_the_dictionary_was_decided() -> None:
    """A date that a newer dictionary brings is not moved by chance: somebody looks at it, and adds it here or there."""
    moved = {keyword_for_tag(tag) for tag, vr in all_dates() if decide(tag, vr, SECOND_OPINION)[0] is Rule.SHIFT}
    assert moved == OF_THE_PATIENT


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_no_known_date_tells_the_offset(syntax: str) -> None:
    """Every date of the dictionary at root and in a sequence, all on one day that is known: who finds it moved?"""
    written = KNOWN.strftime("%Y%m%d").encode()
    told = (KNOWN + timedelta(offset_days(SECRET))).strftime("%Y%m%d").encode()
    own = {element.tag for element in skeleton()}
    dates = [El(tag, vr, written) for tag, vr in all_dates() if tag >> 16 >= 8 and tag not in own]
    source = part10([*skeleton(), *dates, El(0x00082218, "SQ", [dates])], syntax)
    result = parse(whole(deidentify(parse(source), secret=SECRET), source))
    left = list(values(result.buf, result.elements))
    telling = {keyword_for_tag(tag) for tag, value in left if value.startswith(told)}
    assert "StudyDate" in telling
    assert telling <= OF_THE_PATIENT
    assert not [hex(tag) for tag, value in left if value.startswith(written)]


VERSION, LOCAL_VERSION, RESOURCE = 0x00080106, 0x00080107, 0x00080105


@pytest.mark.parametrize(
    ("resource", "version", "left"),
    [
        (b"DCMR", b"20190501", b"20190501"),
        (b"DCMR ", b"20190501000000", b"20190501000000"),
        (b"SDM", b"20190501", b"20190501"),
        (b"99LOCAL", b"20190501", b"19000101000000"),
        (None, b"20190501", b"19000101000000"),
        (b"DCMR", b"20190501101530", b"19000101000000"),  # a moment is no edition
        (b"DCMR", b"May 2019", b"19000101000000"),
    ],
)
@pytest.mark.parametrize("profile", [SECOND_OPINION, Profile("moved", device_identity=True, institution_identity=True)])
def test_published_versions_stay_as_they_are(
    resource: bytes | None, version: bytes, left: bytes, profile: Profile
) -> None:
    code = [El(0x00080100, "SH", b"T-1"), El(0x00080102, "SH", b"SRT"), El(0x00080104, "LO", b"Liver")]
    code += [] if resource is None else [El(RESOURCE, "CS", resource)]
    code += [El(VERSION, "DT", version), El(LOCAL_VERSION, "DT", b"20190501")]
    source = part10([*skeleton(), El(0x00082218, "SQ", [code])], EXPLICIT)
    result = parse(whole(deidentify(parse(source), secret=SECRET, profile=profile), source))
    found = {tag: value.rstrip(b" \0") for tag, value in values(result.buf, result.elements)}
    assert found[VERSION] == left
    assert found[LOCAL_VERSION] == b"19000101000000"


@pytest.mark.parametrize("keyword", ["DateOfManufacture", "DateOfLastCalibration", "DateOfInstallation"])
def test_dates_of_devices_stay_away_even_where_devices_are_named(keyword: str) -> None:
    """Retain Device Identity keeps them as they are, which beside moved dates would tell the offset."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    source = part10([*skeleton(), El(tag, "DA", b"20190501")], EXPLICIT)
    profile = Profile("devices", device_identity=True)
    result = parse(whole(deidentify(parse(source), secret=SECRET, profile=profile), source))
    assert tag not in dict(values(result.buf, result.elements))
    full = Profile("full", modified_dates=False, full_dates=True, device_identity=True)
    result = parse(whole(deidentify(parse(source), secret=SECRET, profile=full), source))
    assert dict(values(result.buf, result.elements))[tag] == b"20190501"


def test_a_calibration_date_in_a_report_says_nothing() -> None:
    name = [El(0x00080100, "SH", b"113723"), El(0x00080102, "SH", b"DCM"), El(0x00080104, "LO", b"Calibration Date")]
    one = [
        El(0x0040A010, "CS", b"CONTAINS"),
        El(0x0040A040, "CS", b"DATETIME"),
        El(0x0040A043, "SQ", [name]),
        El(0x0040A120, "DT", b"20190501101530"),
    ]
    source = part10([*skeleton(), El(0x0040A730, "SQ", [one])], EXPLICIT)
    result = parse(whole(deidentify(parse(source), secret=SECRET), source))
    assert dict(values(result.buf, result.elements))[0x0040A120] == b"19000101000000"

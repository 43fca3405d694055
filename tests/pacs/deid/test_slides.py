"""Containers and specimens (PS3.3 C.7.6.22): pseudonyms that stay apart, and the originals on the way back."""

from __future__ import annotations

import io

import pydicom
from pydicom.dataset import Dataset

from pacs.deid.header import deidentify
from pacs.deid.profile import BASIC, SECOND_OPINION, Profile
from pacs.deid.reidentify import Reidentification
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import EXPLICIT, El, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET, read

CONTAINER, BLOCKS = "S18-4711 A", ("S18-4711 A1", "S18-4711 A2", "Präparat 18-4711")


def code(value: str, meaning: str) -> list[El]:
    return [text(0x00080100, "SH", value), text(0x00080102, "SH", "DCM"), text(0x00080104, "LO", meaning)]


def said(concept: list[El], value: str) -> list[El]:
    return [text(0x0040A040, "CS", "TEXT"), El(0x0040A043, "SQ", [concept]), text(0x0040A160, "UT", value)]


def specimen(name: str) -> list[El]:
    step = [
        said(code("121041", "Specimen Identifier"), name),
        said(code("111705", "Parent Specimen Identifier"), BLOCKS[0]),
        said(code("111700", "Specimen Container Identifier"), CONTAINER),
    ]
    return [
        text(0x00400551, "LO", name),
        text(0x00400554, "UI", f"1.2.826.0.1.55.{len(name)}"),
        El(0x00400610, "SQ", [[El(0x00400612, "SQ", step)]]),
    ]


def slide() -> bytes:
    elements = [
        text(0x00080005, "CS", "ISO_IR 192"),
        text(0x00400512, "LO", CONTAINER),
        El(0x00400560, "SQ", [specimen(name) for name in BLOCKS]),
    ]
    return part10([*skeleton(), *elements], EXPLICIT)


def copy(secret: bytes = SECRET, profile: Profile = SECOND_OPINION) -> Dataset:
    source = slide()
    result = deidentify(parse(source), secret=secret, profile=profile)
    assert b"4711" not in result.header
    assert not result.refused
    return read(result, source)


def test_distinct_ones_stay_distinct_and_the_same_the_same() -> None:
    ds = copy()
    names = [one.SpecimenIdentifier for one in ds.SpecimenDescriptionSequence]
    assert len({ds.ContainerIdentifier, *names}) == 4
    assert all(name[0] == "S" and len(name) == 12 for name in names)
    for one in ds.SpecimenDescriptionSequence:
        steps = one.SpecimenPreparationSequence[0].SpecimenPreparationStepContentItemSequence
        assert [step.TextValue for step in steps] == [one.SpecimenIdentifier, names[0], ds.ContainerIdentifier]


def test_another_case_has_others_and_the_basic_profile_pseudonyms_too() -> None:
    ours, theirs, basic = copy(), copy(SECRET[::-1]), copy(profile=BASIC)
    assert ours.ContainerIdentifier != theirs.ContainerIdentifier
    assert ours.ContainerIdentifier == basic.ContainerIdentifier
    assert not basic.SpecimenDescriptionSequence[0].get("SpecimenPreparationSequence")


def test_an_empty_identifier_stays_empty() -> None:
    source = part10([*skeleton(), text(0x00400512, "LO", "")], EXPLICIT)
    assert not read(deidentify(parse(source), secret=SECRET), source).ContainerIdentifier


def test_what_is_made_of_a_slide_comes_back_with_its_own_identifiers() -> None:
    ds = copy()
    del ds.PixelData
    ds.SeriesDescription = "Mitoses"
    item = Dataset()
    item.TextValue, item.ValueType = ds.SpecimenDescriptionSequence[2].SpecimenIdentifier, "TEXT"
    ds.ContentSequence = [item]
    out = io.BytesIO()
    ds.save_as(out)
    source = slide()
    back = Reidentification(SECRET)
    back.learn(parse(source))
    found = pydicom.dcmread(io.BytesIO(back.apply(out.getvalue(), pydicom.dcmread(io.BytesIO(source)))))
    assert found.ContainerIdentifier == CONTAINER
    assert tuple(one.SpecimenIdentifier for one in found.SpecimenDescriptionSequence) == BLOCKS
    assert found.ContentSequence[0].TextValue == BLOCKS[2]
    assert found.SeriesDescription == "Mitoses"

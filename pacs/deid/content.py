"""Structured content cleaned by concept: content items that go, stay or become dummies (PS3.15 E.3.4)."""

from __future__ import annotations

from typing import Literal

from pacs.deid.profile import Profile
from pacs.deid.table import concepts
from pacs.dicom import tags
from pacs.dicom.elements import Element, find, text

Fate = Literal["keep", "dummy", "specimen", "drop"]

_CONCEPT_NAME = tags.ConceptNameCodeSequence
_VALUE_TYPE = tags.ValueType
_SUBJECT_AGE = ("121033", "DCM")
#: Dates of devices, which the patient's offset must not move: whoever knows them would learn it.
_DATES_OF_OTHERS = frozenset((("113723", "DCM"),))  # Calibration DateTime


#: Specimen Identifier, Specimen Container Identifier, Parent Specimen Identifier: one is told from another by them.
_SPECIMENS = frozenset((("121041", "DCM"), ("111700", "DCM"), ("111705", "DCM")))


def fate(buf: bytes, elements: tuple[Element, ...], profile: Profile) -> Fate:
    """Say by Table E.3.4-1 what happens to a content item: its attributes are cleaned in any case but the last.

    "dummy" asks for a text or a date that says nothing, "specimen" for a specimen's pseudonym. A concept whose option
    is in force, or that the table does not name with the item's Value Type, is kept. An age above the profile's cap
    goes.
    """
    name = find(elements, _CONCEPT_NAME)
    if name is None or not name.items:
        return "keep"
    coded = name.items[0].elements
    code = (text(buf, find(coded, tags.CodeValue)), text(buf, find(coded, tags.CodingSchemeDesignator)))
    if code == _SUBJECT_AGE and _is_old(buf, elements, profile):
        return "drop"
    if code in _DATES_OF_OTHERS and not profile.full_dates:
        return "dummy"
    if code in _SPECIMENS and profile.clean_structured_content:
        return "specimen"
    value_type = text(buf, find(elements, _VALUE_TYPE))
    for concept in concepts().get(code, ()):
        if value_type in ("", concept.value_type):
            if concept.options.keys() & profile.options():
                return "keep"
            return "drop" if concept.basic == "X" else "dummy"
    return "keep"


def _is_old(buf: bytes, elements: tuple[Element, ...], profile: Profile) -> bool:
    """Tell whether a measured age is above the cap; ages in days or months look older than they are, and go too."""
    measured = find(elements, tags.MeasuredValueSequence)
    number = find(measured.items[0].elements, tags.NumericValue) if measured and measured.items else None
    try:
        return float(text(buf, number)) > profile.age_cap
    except ValueError:
        return False

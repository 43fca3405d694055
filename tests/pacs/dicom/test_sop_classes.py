"""SOP classes that are younger than pydicom: whatever is taken can be de-identified."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary

from pacs.deid.header import deidentify
from pacs.dicom.part10 import parse
from pacs.dicom.sop_classes import TABLE
from pacs.dimse.negotiation import STORAGE
from tests.pacs.deid.planted import EXPLICIT, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET


def test_every_class_that_the_listener_takes_is_known() -> None:
    assert set(TABLE) >= STORAGE


@pytest.mark.parametrize("uid", sorted(set(TABLE) - set(UID_dictionary)))
def test_an_object_of_a_young_class_is_not_refused(uid: str) -> None:
    elements = [element for element in skeleton() if element.tag != 0x00080016]
    source = part10([*elements, text(0x00080016, "UI", uid)], EXPLICIT)
    result = deidentify(parse(source), secret=SECRET)
    assert (result.refused, result.sop_class_uid) == ([], uid)

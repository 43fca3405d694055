"""Published coding schemes (PS3.16 Table 8-1): the meanings of their codes stay, those of local ones are cleaned."""

from __future__ import annotations

import pytest
from pydicom.sr._concepts_dict import concepts

from pacs.deid import schemes
from pacs.deid.header import deidentify
from pacs.deid.uids import is_public
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import EXPLICIT, El, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET, read

MEANING = "Zqword of the table"


def meaning(scheme: str, said: str = MEANING) -> str:
    """What is left of a code's meaning."""
    code = [text(0x00080100, "SH", "A-1"), text(0x00080102, "SH", scheme), text(0x00080104, "LO", said)]
    source = part10([text(0x00080005, "CS", "ISO_IR 192"), *skeleton(), El(0x00082218, "SQ", [code])], EXPLICIT)
    ds = read(deidentify(parse(source), secret=SECRET), source)
    return str(ds.AnatomicRegionSequence[0].CodeMeaning)


@pytest.mark.parametrize("scheme", [*schemes.TABLE, *(name for name in concepts if name not in schemes.TABLE)])
def test_the_meaning_of_a_published_code_stays(scheme: str) -> None:
    assert meaning(scheme) == MEANING


@pytest.mark.parametrize("scheme", ["99LOCAL", "L", "NPI", "ISO_OID", "rfc5646", ""])
def test_the_meaning_of_a_local_one_is_cleaned(scheme: str) -> None:
    assert "Zqword" not in meaning(scheme)


def test_a_language_is_told() -> None:
    assert meaning("RFC5646", "Deutsch (Österreich)") == "Deutsch (Österreich)"


@pytest.mark.parametrize("uid", sorted(schemes.UIDS))
def test_the_uid_of_a_scheme_is_no_one_s(uid: str) -> None:
    assert is_public(uid)

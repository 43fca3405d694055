"""The table of transfer syntaxes has every one of the standard's, and says of each what is known elsewhere."""

from __future__ import annotations

import pytest
from pydicom import uid
from pydicom._uid_dict import UID_dictionary

from pacs.dicom import transfer_syntaxes as ts
from pacs.pixels import codecs, encode

#: MIME and XML: not what PS3.5 says data sets are encoded in.
_FOREIGN = {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2"}


def test_every_transfer_syntax_of_the_dictionary_has_a_row_and_no_other() -> None:
    named = {one for one, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    # The dictionary at hand may be older than this one.
    assert named - _FOREIGN <= ts.TABLE.keys()
    assert ts.TABLE.keys() - named <= {ts.DEFLATED_FRAMES, *(f"1.2.840.10008.1.2.4.{n}" for n in (110, 111, 112))}
    assert len(ts._ROWS) == len(ts.TABLE)


@pytest.mark.parametrize("syntax", sorted(ts.TABLE))
def test_a_row_says_what_pydicom_knows(syntax: str) -> None:
    row, known = ts.TABLE[syntax], uid.UID(syntax)
    if known.is_transfer_syntax and row.frames is not ts.Frames.OTHER:
        assert row.encapsulated == known.is_encapsulated
    assert row.deflated == (syntax in {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
    assert (row.frames is ts.Frames.COMPRESSED) == bool(row.codec) == (row.codec in codecs.CODECS)
    assert bool(row.types) == (
        row.frames is ts.Frames.VIDEO or (bool(row.codec) and syntax[-3:] not in (".53", ".55"))  # retired: no type
    )
    assert not (syntax in ts.NATIVE and row.encapsulated)


def test_lossy_is_what_the_standard_names_so() -> None:
    lossless = {one for one, row in ts.TABLE.items() if row.codec and not row.lossy}
    by_name = {one for one in ts.CODECS if "ossless" in uid.UID(one).name or one == "1.2.840.10008.1.2.4.110"}
    # JPEG-LS near-lossless has both words in its name.
    assert lossless == by_name - {ts.JPEG_LS_NEAR} | {"1.2.840.10008.1.2.4.92"}


def test_what_is_encoded_has_a_row() -> None:
    assert ts.TABLE.keys() >= encode.TARGETS
    assert encode.METHODS.keys() <= ts.LOSSY


def test_a_media_type_alone_stands_for_its_default() -> None:
    assert {name: ts.TYPES[name][0].removeprefix("1.2.840.10008.1.2.") for name in ts.TYPES} == {
        "image/jpeg": "4.70", "image/dicom-rle": "5", "image/jls": "4.80", "image/jp2": "4.90", "image/jpx": "4.92",
        "image/jphc": "4.201", "image/jph": "4.201", "image/jxl": "4.110",
        "video/mpeg": "4.101", "video/mpeg2": "4.101", "video/mp4": "4.102", "video/h265": "4.107",
    }  # fmt: skip

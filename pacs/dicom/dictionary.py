"""The data dictionary as the byte walker needs it: the value representation of a tag (PS3.6, PS3.5 6.2).

The tables are pydicom's: the standard's dictionary with its repeating groups, and the known private ones.
Everything here is cached, because the same few hundred tags come back in every instance.
"""

from __future__ import annotations

from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.datadict import keyword_for_tag, private_dictionary_VR

#: Value representations whose explicit header has a 16-bit length (PS3.5 7.1.2, table 7.1-2).
SHORT_VRS: tuple[str, ...] = ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH")
SHORT_VRS += ("SL", "SS", "ST", "TM", "UI", "UL", "US")

#: Value representations whose explicit header has two reserved bytes and a 32-bit length (table 7.1-1).
LONG_VRS = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")

PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009


def _repeating() -> dict[int, dict[int, str]]:
    """Sort the repeating groups (PS3.5 7.6), such as 60xx3000, by the mask of the digits that stand fast.

    pydicom tries one pattern after the other, which costs 20 microseconds for every unknown tag of a hostile file.
    """
    by_mask: dict[int, dict[int, str]] = {}
    for pattern, entry in RepeatersDictionary.items():
        mask = int("".join("0" if digit == "x" else "F" for digit in pattern), 16)
        by_mask.setdefault(mask, {})[int(pattern.replace("x", "0"), 16)] = entry[0]
    return by_mask


_REPEATING = _repeating()


@lru_cache(maxsize=16384)
def public_vr(tag: int) -> str | None:
    """Give the dictionary's value representation of a standard `tag`, or None when it has none.

    It may be one of the ambiguous ones ("US or SS"), which only the data set can decide. Group lengths are
    UL (PS3.5 7.2).
    """
    entry = DicomDictionary.get(tag)
    if entry is not None:
        return entry[0]
    for mask, entries in _REPEATING.items():
        vr = entries.get(tag & mask)
        if vr is not None:
            return vr
    return "UL" if tag & 0xFFFF == 0 else None


@lru_cache(maxsize=16384)
def private_vr(tag: int, creator: str) -> str | None:
    """Give the value representation of a private `tag` of `creator`, or None when that is not known."""
    try:
        return str(private_dictionary_VR(tag, creator))
    except KeyError:
        return None


@lru_cache(maxsize=16384)
def keyword(tag: int) -> str:
    """Give the keyword of a standard `tag`, such as "PatientID"; empty for private and unknown ones."""
    return keyword_for_tag(tag)


def tag_text(tag: int) -> str:
    """Write a tag as the standard does: (0010,0020)."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"

"""What a file has to be right in before its text can be cleaned: a class that is known, and one way to read text.

An instance that fails here is withheld for good; nothing of it can be approved, because nobody could say what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydicom._uid_dict import UID_dictionary

from pacs.dicom import tags
from pacs.dicom.charset import codecs_of, decode, is_known
from pacs.dicom.elements import Element, text
from pacs.dicom.part10 import Parsed
from pacs.dicom.sop_classes import MEDIA_DIRECTORY, TABLE

_CHARACTER_SET = tags.SpecificCharacterSet
_TEXTS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
_LONGEST = 4096
#: Character sets that are complete by themselves and prohibit code extensions (PS3.3 C.12.1.1.2).
_ALONE = ("ISO_IR 192", "GB18030", "GBK")
_REPLACED = "\ufffd"


def distrust(parsed: Parsed, index: Mapping[int, Element]) -> list[str]:
    """Give the reasons why what the file says can't be believed; `index` has the root's elements by tag."""
    reasons: list[str] = []
    sop_class = text(parsed.buf, index.get(tags.SOPClassUID)) or parsed.meta.sop_class_uid
    if UID_dictionary.get(sop_class, ("", ""))[1] != "SOP Class" and sop_class not in TABLE:
        reasons.append("Its SOP class is not one of the standard, so nobody can say what its attributes hold.")
    elif sop_class == MEDIA_DIRECTORY:
        reasons.append("It is a media directory, which lists patients and nothing else.")
    return reasons + _charset(parsed, index)


def _charset(parsed: Parsed, index: Mapping[int, Element]) -> list[str]:
    buf = parsed.buf
    declared = index.get(_CHARACTER_SET)
    if declared is None or not declared.length:
        return []
    raw = bytes(buf[declared.start : declared.start + declared.length])
    names = [name.strip(" \0").upper() for name in raw.decode("latin-1").split("\\")]
    if not all(map(is_known, names)):
        return ["It names a character set that the standard does not have."]
    if len(names) > 1 and any(name in _ALONE for name in names):
        return ["It names character sets that exclude each other."]
    codecs = codecs_of(raw)
    if set(codecs) == {"latin_1"}:
        return []  # every byte is a character
    for tag, vr, _, start, length, _, _, _ in index.values():
        if vr not in _TEXTS or not 0 < length <= _LONGEST or tag == _CHARACTER_SET:
            continue
        value = bytes(buf[start : start + length])
        if not value.isascii() and _REPLACED in decode(value, codecs):
            return ["Its text is not in the character set that it names."]
    return []

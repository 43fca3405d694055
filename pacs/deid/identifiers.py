"""What is known of the people in a study: strings that may stand nowhere in the result.

They come from two sides: what the file itself says in the attributes that name people, and what the case knows
(the account's name, mail address, telephone). Cleaning text consults them, and the residual scan of `proof` looks
for them in the finished bytes, in every encoding that a writer may have used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from pydicom._dicom_dict import DicomDictionary

from pacs.deid.dates import shift_date
from pacs.deid.text import is_ordinary
from pacs.dicom import tags
from pacs.dicom.charset import DEFAULT, codecs_of, decode
from pacs.dicom.elements import Buffer, Element
from pacs.dicom.part10 import Parsed

_PATIENT_IDS = tags.OtherPatientIDsSequence
_CHARACTER_SET = tags.SpecificCharacterSet

#: Root attributes that hold numbers of people: at least MIN_ID characters of them are looked for.
_IDS = frozenset(
    (
        tags.AccessionNumber,
        tags.PatientID,
        tags.OtherPatientIDs,
        tags.MedicalRecordLocator,
        tags.AdmissionID,
        tags.ServiceEpisodeID,
        tags.PlacerOrderNumberImagingServiceRequest,
        tags.FillerOrderNumberImagingServiceRequest,
    )
)
#: Root attributes that hold addresses, telephones, places, looked for as a whole.
_PHRASES = frozenset(
    (
        tags.InstitutionName,
        tags.InstitutionAddress,
        tags.ReferringPhysicianAddress,
        tags.ReferringPhysicianTelephoneNumbers,
        tags.InstitutionalDepartmentName,
        tags.PatientAddress,
        tags.InsurancePlanIdentification,
        tags.CountryOfResidence,
        tags.RegionOfResidence,
    )
).union(
    (
        tags.PatientTelephoneNumbers,
        tags.PatientTelecomInformation,
        tags.Occupation,
        tags.PatientReligiousPreference,
        tags.PerformedLocation,
    )
)
#: Root attributes of text that hold names although their VR is not PN.
_NAMES = frozenset((tags.OtherPatientNames, tags.PatientBirthName, tags.PatientMotherBirthName))
_INSTITUTION = frozenset((tags.InstitutionName, tags.InstitutionAddress, tags.InstitutionalDepartmentName))
_BIRTH_DATE = tags.PatientBirthDate
_LONGEST = 1024
#: How many sets of values are remembered at a time; a study has a few.
_IDENTITIES = 256


@cache
def _interesting() -> frozenset[int]:
    """Give the root attributes to look at: those above, and everything that the dictionary calls a name."""
    people = {tag for tag, entry in DicomDictionary.items() if entry[0] == "PN"}
    return _IDS | _PHRASES | _NAMES | people | {_BIRTH_DATE, _PATIENT_IDS, _CHARACTER_SET}


MIN_NAME = 3
MIN_ID = 4
_separators = re.compile(r"[\s^=,;\\/.()]+")

#: Words of our own that stand in every result; a patient of that name can't be told apart from them.
_OUR_WORDS = frozenset(
    ("case", "removed", "modified", "overread", "profile", "option", "clean", "retain", "yes", "basic", "unknown")
)
#: What people write where a name is asked for and none is meant.
_PLACEHOLDERS = frozenset(
    (
        "anon",
        "anonymous",
        "anonymized",
        "anonymised",
        "n.a",
        "n.a.",
        "n/a",
        "none",
        "null",
        "patient",
        "phantom",
        "test",
    )
)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Names (single words, case-folded), numbers and phrases (case-folded) of the people in a study."""

    names: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    phrases: frozenset[str] = frozenset()

    def __or__(self, other: Identifiers) -> Identifiers:
        return Identifiers(self.names | other.names, self.ids | other.ids, self.phrases | other.phrases)

    @classmethod
    def of(cls, *, names: Iterable[str] = (), ids: Iterable[str] = (), phrases: Iterable[str] = ()) -> Identifiers:
        """Make identifiers of full names in any order and notation, of numbers, and of whole phrases.

        A name's parts count from MIN_NAME letters (two in scripts without letters of their own for a sound), a
        number from MIN_ID characters, so that chance hits stay rare.
        """
        words = {word.strip("-'’\0").casefold() for name in names for word in _separators.split(name) if _is_name(word)}
        numbers = {number.strip(" \0").casefold() for number in ids}
        words -= _PLACEHOLDERS
        whole = {" ".join(phrase.strip(" \0").split()).casefold() for phrase in phrases}
        return cls(
            frozenset(words - {""}),
            frozenset(number for number in numbers if len(number) >= MIN_ID and not _is_common(number)),
            frozenset(phrase for phrase in whole if len(phrase) >= MIN_ID and not _is_common(phrase)),
        )

    def pattern(self) -> re.Pattern[str] | None:
        """Give an expression that finds any of the strings as a whole word, or None if there are none."""
        strings = sorted(self.names | self.ids | self.phrases, key=len, reverse=True)
        if not strings:
            return None
        # A string that begins or ends within a number must not match inside a longer one.
        inner = "|".join(r"\s+".join(re.escape(word) for word in string.split()) for string in strings)
        found = re.compile(rf"(?<![^\W_])(?:{inner})(?![^\W_])", re.IGNORECASE)
        re.purge()  # it remembers what it compiled for as long as the process lives
        return found


def _is_name(word: str) -> bool:
    return len(word) >= MIN_NAME or (len(word) == 2 and ord(word[0]) >= 0x2E80)


def _is_common(text: str) -> bool:
    return text in _PLACEHOLDERS or all(is_ordinary(word) for word in _separators.split(text) if word)


def distinctive(known: Identifiers) -> Identifiers:
    """Leave out the names that are ordinary words ("Head", "Case"): coded values and our own texts have them too."""
    return Identifiers(
        frozenset(name for name in known.names if name not in _OUR_WORDS and not is_ordinary(name)),
        known.ids,
        known.phrases,
    )


class Identities:
    """What files say of their people; kept from one instance to the next, and no longer than one derivation.

    The files of a study say the same: what they say is read once.
    """

    def __init__(self) -> None:
        self._read: dict[tuple[tuple[tuple[int, bytes], ...], bytes], Identifiers] = {}

    def of(
        self, parsed: Parsed, index: Mapping[int, Element] | None = None, *, institution: bool = True
    ) -> Identifiers:
        """Gather what a file says: every name at root, numbers, birth date, addresses, `institution`."""
        buf = parsed.buf
        if index is None:
            index = {element[0]: element for element in parsed.elements}
        raws: list[tuple[int, bytes]] = []
        charset = b""
        for tag in sorted(index.keys() & _interesting()):
            if not institution and tag in _INSTITUTION:
                continue
            _, _, _, start, length, _, items, _ = index[tag]
            if tag == _PATIENT_IDS:
                raws += [raw for one in items or () for raw in _nested_ids(buf, one.elements)]
            elif tag == _CHARACTER_SET:
                charset = bytes(buf[start : start + length])
            elif 0 < length <= _LONGEST:
                raws.append((tag, bytes(buf[start : start + length])))
        key = (tuple(raws), charset)
        found = self._read.get(key)
        if found is None:
            if len(self._read) >= _IDENTITIES:
                self._read.clear()
            found = self._read[key] = _gather(raws, charset)
        return found


def _nested_ids(buf: Buffer, elements: tuple[Element, ...]) -> list[tuple[int, bytes]]:
    return [(e.tag, bytes(buf[e.start : e.start + e.length])) for e in elements if e.tag in _IDS and e.length]


def _gather(raws: Iterable[tuple[int, bytes]], charset: bytes) -> Identifiers:
    codecs = codecs_of(charset) if charset else DEFAULT
    names: list[str] = []
    ids: list[str] = []
    phrases: list[str] = []
    for tag, raw in raws:
        text = decode(raw, codecs).strip(" \0")
        if tag == _BIRTH_DATE:
            ids += _date_forms(text)
        elif tag in _IDS:
            ids += text.split("\\")
        elif tag in _PHRASES:
            phrases += text.split("\\")
        else:
            names.append(text)
    return Identifiers.of(names=names, ids=ids, phrases=phrases)


def _date_forms(text: str) -> list[str]:
    """Write a date of birth in the ways that people type it."""
    if shift_date(text, 0) != text or len(text) != 8:
        return []
    year, month, day = text[:4], text[4:6], text[6:]
    return [
        text,
        f"{year}-{month}-{day}",
        f"{day}.{month}.{year}",
        f"{day}/{month}/{year}",
        f"{month}/{day}/{year}",
        f"{day}-{month}-{year}",
    ]

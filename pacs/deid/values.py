"""The values of one case cleaned: what `rules` decides is done here to a value's bytes.

A `Values` belongs to one secret, one profile and one set of identifiers, and is kept between the instances of a
study: the same few hundred values come back in every slice, and are looked up instead of computed.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from pacs.deid.dates import cap_age, offset_days, shift, valid_zone
from pacs.deid.identifiers import Identifiers, Identities, distinctive
from pacs.deid.profile import Profile
from pacs.deid.residual_identifiers import ResidualIdentifiers
from pacs.deid.rules import DUMMIES, Decision, Rule, decide, decide_private, largest_length, largest_private
from pacs.deid.schemes import PUBLISHED
from pacs.deid.streams import icc, legible
from pacs.deid.table import Safe
from pacs.deid.text import GAP, clean, fitted, looks_personal
from pacs.deid.uids import is_public, new_specimen, new_uid, new_uids, pseudonym
from pacs.dicom import tags
from pacs.dicom.charset import decode
from pacs.dicom.encode import put
from pacs.dicom.part10 import valid_uid

#: How many results a step remembers before it starts anew: more than a long series has, and a few megabytes a case.
_MEMORY = 1024
_LONGEST_REMEMBERED = 512
#: How many sets of identifiers are remembered at a time; a study has one or two.
_IDENTITIES = 16
_SHORTEST_SECRET = 16

#: Mapping resources whose versions are published: DICOM's own and the SNOMED one for microscopy.
_RESOURCES = frozenset((b"DCMR", b"SDM"))

#: VRs of several values (PS3.5 6.4), and how many characters one of a VR may have (PS3.5 6.2).
_MULTIPLE = frozenset(("SH", "LO", "UC", "CS"))
_LONGEST = {"SH": 16, "LO": 64, "CS": 16, "ST": 1024, "LT": 10240}
#: A DT without a time of day, or with midnight's.
_version = re.compile(r"\d{8}(?:0{2}){0,3}(?:\.0+)?", re.ASCII).fullmatch

_NUMBER_BYTES = b"0123456789+-.eE \\\0"
_CODE_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_ .+-/\\\0"
_LONGEST_CODE = 32  # twice what PS3.5 6.2 allows, as writers do

KEEP: Final = 0
DROP: Final = 1
VALUE: Final = 2
SEQUENCE: Final = 3
CONTENT: Final = 4
DUMMY_CODE: Final = 5
PRIVATE: Final = 6
SCHEME: Final = 7
MEANING: Final = 8
#: Numbers of a fixed count: more bytes than that are something else.
FIXED: Final = 9
RESOURCE: Final = 10
VERSION: Final = 11
REVIEW: Final = 12

_KINDS = {
    Rule.KEEP: KEEP,
    Rule.DROP: DROP,
    Rule.SEQUENCE: SEQUENCE,
    Rule.CONTENT: CONTENT,
    Rule.DUMMY_CODE: DUMMY_CODE,
    Rule.PRIVATE: PRIVATE,
    Rule.SCHEME: SCHEME,
    Rule.MEANING: MEANING,
    Rule.RESOURCE: RESOURCE,
    Rule.VERSION: VERSION,
    Rule.REVIEW: REVIEW,
}

#: True where an element stays as it is, False where it goes, or the whole new element.
Result = bytes | bool
#: Kind, letter for the proof, what is remembered, and how to clean (value, codecs) that is not.
#: The last is the largest length in bytes, for FIXED and for private numbers; 0 for any.
Step = tuple[int, str, dict[bytes, Result], Callable[[bytes, tuple[str, ...]], Result], int]


class Values:
    """All that cleans values for one (secret, profile, identifiers)."""

    def __init__(self, secret: bytes, profile: Profile, known: Identifiers, explicit: bool) -> None:
        self.secret = secret
        self.explicit = explicit
        self.profile = profile
        self.known = known
        self.residual_identifiers = ResidualIdentifiers(known)
        #: (tag, VR) -> what to do; filled as tags are met.
        self.steps: dict[tuple[int, str], Step] = {}
        #: Sequences by tag, bytes and character set, with what became of them and which actions that took.
        self.sequences: dict[tuple[int, bytes, tuple[str, ...]], tuple[Result, dict[int, str]]] = {}
        self._uids: dict[str, str] = {}
        self._days = 0 if profile.full_dates else offset_days(secret)
        self._anyone = known.pattern()
        self._someone = distinctive(known).pattern()
        self._private: dict[tuple[int, Safe], Step] = {}
        self._local_meaning: Step | None = None
        self._specimen: Step | None = None
        self._local_versions: dict[tuple[int, str], Step] = {}

    def step(self, tag: int, vr: str) -> Step:
        """Decide what happens to a (tag, VR), once."""
        decision = decide(tag, vr, self.profile)
        limit = largest_length(tag, vr) if decision[0] is Rule.KEEP else 0
        step = self.steps[tag, vr] = self._make(decision, tag, vr, limit)
        return step

    def private_step(self, tag: int, row: Safe) -> Step:
        """Decide for a private attribute that is listed as safe."""
        step = self._private.get((tag, row))
        if step is None:
            step = self._make(decide_private(row), tag, row.vr, largest_private(row))
            self._private[tag, row] = step
        return step

    def local_meaning(self) -> Step:
        """Decide for Code Meaning of a local coding scheme: someone typed it."""
        if self._local_meaning is None:
            self._local_meaning = self._make((Rule.CLEAN, Rule.DUMMY, "C"), tags.CodeMeaning, "LO")
        return self._local_meaning

    def specimen(self) -> Step:
        """Decide for Text Value of a content item that names a specimen or its container."""
        if self._specimen is None:
            self._specimen = self._make((Rule.SPECIMEN, Rule.DUMMY, "D"), tags.TextValue, "UT")
        return self._specimen

    def local_version(self, tag: int, vr: str) -> Step:
        """Decide for a version of something that is not published: as if dates were not kept."""
        step = self._local_versions.get((tag, vr))
        if step is None:
            _, without, letter = decide(tag, vr, self.profile)
            step = self._local_versions[tag, vr] = self._make((without, without, letter), tag, vr)
        return step

    def uid(self, uid: str) -> str:
        """Give the UID that stands for `uid` in this case."""
        known = self._uids.get(uid)
        if known is None:
            if len(self._uids) >= _MEMORY:
                self._uids.clear()
            known = self._uids[uid] = new_uid(self.secret, uid)
        return known

    def standard_scheme(self, raw: bytes) -> bool:
        """Tell whether a Coding Scheme Designator names a published scheme."""
        return raw.strip(b" \0") in PUBLISHED

    def published_resource(self, raw: bytes) -> bool:
        """Tell whether a Mapping Resource is one whose context groups and templates are published (PS3.16 8.4)."""
        return raw.strip(b" \0") in _RESOURCES

    def _make(self, decision: Decision, tag: int, vr: str, limit: int = 0) -> Step:
        rule, fallback, letter = decision
        explicit = self.explicit
        memo: dict[bytes, Result] = {}

        def compute(raw: bytes, codecs: tuple[str, ...]) -> Result:
            plain = raw.isascii() and b"\x1b" not in raw
            bare = raw.rstrip(b" \0")
            result: Result = True
            if rule is Rule.EMPTY or rule is Rule.DUMMY:
                result = put(tag, vr, _instead(rule, vr) or b"", explicit) if bare else True
            elif rule is Rule.DROP:  # where only the context says so
                result = False
            elif rule is Rule.NUMBERS:
                result = legible(raw) is None
            elif rule is Rule.COLOURS:
                profile = icc.cleaned(raw) if len(raw) <= icc.LONGEST else None
                result = profile == raw or (profile is not None and put(tag, vr, profile, explicit))
            # Also where the original says neither: all of a case is of one patient.
            elif bare or rule in (Rule.PATIENT_NAME, Rule.PATIENT_ID):
                value = self._clean(rule, vr, bare, bare.decode("ascii") if plain else decode(bare, codecs))
                if value is None:
                    value = _instead(fallback, vr)
                if value != bare:
                    result = False if value is None else put(tag, vr, value, explicit)
            if plain and len(raw) <= _LONGEST_REMEMBERED:
                if len(memo) >= _MEMORY:
                    memo.clear()
                memo[raw] = result
            return result

        return (FIXED if limit and rule is Rule.KEEP else _KINDS.get(rule, VALUE), letter, memo, compute, limit)

    def _clean(self, rule: Rule, vr: str, raw: bytes, text: str) -> bytes | None:
        """Clean one value; None when nothing is left of it."""
        match rule:
            case Rule.NUMBER:
                return self._number(raw, text)
            case Rule.CODE | Rule.RESOURCE:
                return self._code(raw, text)
            case Rule.TEXT | Rule.SCHEME:
                return self._text(text, looks_personal(text))
            case Rule.MEANING:  # of a published scheme: its shape is beyond doubt
                return self._text(text, False)
            case Rule.CLEAN:
                return self._descriptor(text, vr)
            case Rule.NAME:
                return self._name(text, vr)
            case Rule.VERSION:  # of a published resource: a day, not a moment
                return raw if _version(text) and shift(text, "DT", 0) else None
            case Rule.SHIFT:
                return _encoded(shift(text, vr, self._days))
            case Rule.UID:
                return new_uids(self.secret, text).encode()
            case Rule.PUBLIC_UID:
                parts = [part.strip(" \0") for part in text.split("\\")]
                return "\\".join(
                    p if not p or (is_public(p) and valid_uid(p)) else new_uid(self.secret, p) for p in parts
                ).encode()
            case Rule.CLASS_UID:
                if all(valid_uid(p.strip(" \0")) for p in text.split("\\")):
                    return raw
                return new_uids(self.secret, text).encode()
            case Rule.AGE:
                return _encoded(cap_age(text, self.profile.age_cap))
            case Rule.ZONE:
                return raw if valid_zone(text.strip(" \0")) else None
            case Rule.PATIENT_NAME:
                return f"Case^{pseudonym(self.secret, 'name', '', 6)}".encode()
            case Rule.PATIENT_ID:
                return f"P{pseudonym(self.secret, 'patient', '', 11)}".encode()
            case Rule.SPECIMEN:
                return new_specimen(self.secret, text.strip()).encode()
            case Rule.ACCESSION:
                return f"A{pseudonym(self.secret, 'accession', text.strip(), 11)}".encode()
            case _:
                return None

    def _number(self, raw: bytes, text: str) -> bytes | None:
        if raw.translate(None, _NUMBER_BYTES):
            return None
        # The file's own numbers of people are whole words here; a coordinate that happens to contain one is not.
        if self._someone is not None and 6 <= len(text) <= 16 and "." not in text and self._someone.search(text):
            return None
        return raw

    def _code(self, raw: bytes, text: str) -> bytes | None:
        if raw.translate(None, _CODE_BYTES) or any(len(part) > _LONGEST_CODE for part in text.split("\\")):
            return None
        if self._someone is not None and self._someone.search(text.replace("_", " ")):
            return None
        return raw

    def _text(self, text: str, personal: bool) -> bytes | None:
        # A patient named as a manufacturer or as an ordinary word does not take the product's name away.
        if personal or (self._someone is not None and self._someone.search(text)):
            return self._descriptor(text, "LO")
        return text.encode("utf-8", "replace")

    def _descriptor(self, text: str, vr: str) -> bytes | None:
        parts = text.split("\\") if vr in _MULTIPLE else [text]
        kept = [fitted(self._cut(part), _LONGEST.get(vr)) for part in parts]
        if vr == "CS":  # has no signs for a gap (PS3.5 6.2)
            kept = ["" if GAP in part else part for part in kept]
        return "\\".join(kept).encode() if any(kept) else None

    def _name(self, text: str, vr: str) -> bytes:
        """Give a name as it is or, if anything of it would go, a number: the same for the same name in this case."""
        parts = [part.strip(" \0") for part in (text.split("\\") if vr in _MULTIPLE else [text])]
        return "\\".join(
            part if not part or self._cut(part) == part else f"Removed {self._number_of(part)}" for part in parts
        ).encode()

    def _number_of(self, name: str) -> str:
        digest = hmac.digest(self.secret, f"label\0{name}".encode("utf-8", "surrogateescape"), sha256)
        return f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06d}"

    def _cut(self, text: str) -> str:
        if self._anyone is not None:
            text = self._anyone.sub(GAP, text)
        return clean(text, self.known.names)


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode("ascii")


def _instead(fallback: Rule, vr: str) -> bytes | None:
    if fallback is Rule.DUMMY:
        return DUMMIES.get(vr, b"")
    return b"" if fallback is Rule.EMPTY else None


class Memory:
    """The `Values` of one case, kept from one instance to the next.

    It holds the case's secret and what is known of the patient, and goes with whoever made it, at the latest at the
    end of a derivation: nothing of the process remembers a secret that was destroyed, or whose images these were.
    """

    def __init__(self, secret: bytes, profile: Profile) -> None:
        """Raises ValueError for a secret that could be guessed."""
        if len(secret) < _SHORTEST_SECRET:
            raise ValueError("a case's secret has 32 bytes, and never less than 16")
        self.profile = profile
        self.identities = Identities()
        self._secret = secret
        self._values: dict[tuple[Identifiers, bool], Values] = {}

    def values(self, known: Identifiers, explicit: bool) -> Values:
        """Give what cleans files of these identifiers and this encoding."""
        found = self._values.get((known, explicit))
        if found is None:
            if len(self._values) >= _IDENTITIES:
                self._values.clear()
            found = self._values[known, explicit] = Values(self._secret, self.profile, known, explicit)
        return found

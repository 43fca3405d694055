"""An instance's header rewritten: everything in front of the pixels as new bytes, the pixels as a range.

Elements that stay are copied as one run of bytes; only what changes is written anew. The result keeps the
encoding of the source, except that a deflated or big endian data set comes out in explicit little endian.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

from pacs.deid import codestream, overlays, pixels
from pacs.deid.content import Fate, fate
from pacs.deid.identifiers import Identifiers
from pacs.deid.profile import SECOND_OPINION, TABLE_EDITION, Profile
from pacs.deid.result import Deidentified
from pacs.deid.rules import DUMMIES, fits
from pacs.deid.syntax import label
from pacs.deid.table import safe_creators, safe_private
from pacs.deid.trust import distrust
from pacs.deid.uids import is_standard, pseudonym
from pacs.deid.values import (
    CONTENT,
    DROP,
    DUMMY_CODE,
    FIXED,
    KEEP,
    MEANING,
    PRIVATE,
    RESOURCE,
    REVIEW,
    SCHEME,
    SEQUENCE,
    VALUE,
    VERSION,
    Memory,
    Result,
    Values,
)
from pacs.dicom import tags
from pacs.dicom.charset import DEFAULT, codecs_of
from pacs.dicom.elements import MAX_DEPTH, MAX_NODES, Element, Item, Unreadable, items_of, text, walk
from pacs.dicom.encode import SEQUENCE_DELIMITER, code_item, item, pixel_header, put, written_items
from pacs.dicom.frames import pixel_element
from pacs.dicom.part10 import Parsed, valid_uid, write_meta

#: From here on elements are the pixels' own: their offset tables, and the value.
_FIRST_PIXELS = codestream.TABLES[0]

_CHARACTER_SET = tags.SpecificCharacterSet
_IDENTITY_REMOVED = tags.PatientIdentityRemoved
_TIMES_MODIFIED = tags.LongitudinalTemporalInformationModified
#: Text Value, DateTime and Date of a content item.
_TEXT_VALUE = tags.TextValue
_CONTENT_VALUES = frozenset((_TEXT_VALUE, tags.DateTime, tags.Date))
_STUDY_ID = tags.StudyID

#: Sequences up to this length are looked up by their bytes before they are rewritten once more.
_LARGEST_REMEMBERED = 4096
_SEQUENCES = 512
#: Sequences without a VR in one another: each is walked by itself.
_DEEPEST_OPAQUE = 4
#: Bytes of an instance that may be held: a header is kept in memory, and compressed in the database.
_MOST_HELD = 4 << 20


def deidentify(
    parsed: Parsed, *, secret: bytes, profile: Profile = SECOND_OPINION, known: Identifiers | None = None
) -> Deidentified:
    """De-identify one instance by PS3.15 Annex E for the case that owns `secret` (32 bytes).

    `known` are strings of the case that the file itself may not name: the account's name, mail, telephone.
    Raises ValueError for a secret that could be guessed, and what `pacs.dicom.elements.walk` raises if a data set out
    of order can't be put into order.
    """
    return deidentify_next(parsed, Memory(secret, profile), known)


def deidentify_next(parsed: Parsed, memory: Memory, known: Identifiers | None = None) -> Deidentified:
    """De-identify one of many instances of a case: what the others had in common with it is looked up."""
    index = {element[0]: element for element in parsed.elements}
    own = memory.identities.of(parsed, index, institution=not memory.profile.institution_identity)
    return _Rewrite(memory.values(own | known if known else own, parsed.explicit), parsed, index).run()


class _Rewrite:
    """The work on one instance."""

    def __init__(self, values: Values, parsed: Parsed, index: dict[int, Element]) -> None:
        self.values = values
        self.index = index
        self.parsed = parsed
        self.explicit = parsed.explicit
        self.actions: dict[int, str] = {}
        self.findings: list[str] = []
        #: Why a person has to look at what stayed, and how many bytes that are.
        self.review_reasons: list[str] = []
        self.held_bytes = 0
        #: In how many opaque sequences the one is that is just being rewritten.
        self.opaque = 0

    def run(self) -> Deidentified:
        """Rewrite header, pixels' frame and what is known of them."""
        parsed = self.parsed
        source = parsed.buf
        index = self.index
        pixel = pixel_element(parsed)
        buf, elements, numbers = self._front(pixel)
        body = self._root(buf, elements, numbers, _codecs(buf, elements, DEFAULT))

        study, series, sop = (
            text(source, index.get(tag)) for tag in (tags.StudyInstanceUID, tags.SeriesInstanceUID, tags.SOPInstanceUID)
        )
        sop_class = text(source, index.get(tags.SOPClassUID)) or parsed.meta.sop_class_uid
        sop_class = sop_class if valid_uid(sop_class) else ""
        new_sop = self.values.uid(sop)
        expected = pixels.expected_length(parsed, index)
        syntax, unsure = label(parsed, pixel, expected)
        start, table, ranges, trailer = self._pixels(pixel, expected)
        header = write_meta(sop_class, new_sop, syntax) + body + start

        patches, dirty = codestream.patches(parsed, pixel, index)
        review_reasons = [*pixels.risk(parsed, index), *unsure, *dirty, *self.review_reasons]
        if not (study and series and sop):
            review_reasons.append("A study, series or SOP instance UID is missing.")
        own_uids = tuple(uid for uid in (study, series, sop) if uid and not is_standard(uid))
        refused = distrust(parsed, index) + self.values.residual_identifiers.reasons(header, own_uids)
        pixel_bytes = None
        if not parsed.is_original_bytes:
            pixel_bytes = b"".join(bytes(source[first : first + length]) for first, length in ranges)
            patches = [(offset - ranges[0][0], value) for offset, value in patches]
            ranges = ()
        return Deidentified(
            header,
            table,
            ranges,
            pixel_bytes,
            trailer,
            tuple(patches),
            self.values.uid(study),
            self.values.uid(series),
            new_sop,
            sop_class,
            syntax,
            self.actions,
            self.findings,
            review_reasons,
            refused,
        )

    def _front(self, pixel: Element | None) -> tuple[bytes, list[Element], list[int]]:
        """Give the elements in front of the pixels with a buffer of their own, in order and each once."""
        elements = self.parsed.elements
        source = self.parsed.buf
        numbers = [element[0] for element in elements]
        stays = (pixel.tag if pixel else 0, *codestream.kept_tables(self.parsed, pixel))
        for tag in numbers[bisect_left(numbers, _FIRST_PIXELS) :]:
            if tag not in stays:
                self.actions[tag] = "X"  # padding, signatures, anything behind the pixels
        if numbers == sorted(numbers) and len(set(numbers)) == len(numbers):
            behind = bisect_left(numbers, _FIRST_PIXELS)
            elements = elements[:behind]
            return bytes(source[: elements[-1].end if elements else 0]), elements, numbers[:behind]
        self.findings.append("The data set was out of order or had an element twice.")
        latest = {element.tag: element for element in elements}  # of doubles the last counts
        ordered = [element for tag, element in sorted(latest.items()) if tag < _FIRST_PIXELS]
        buf = b"".join(bytes(source[element.offset : element.end]) for element in ordered)
        elements = walk(buf, 0, len(buf), explicit=self.explicit)
        return buf, elements, [element[0] for element in elements]

    def _root(self, buf: bytes, elements: list[Element], numbers: list[int], codecs: tuple[str, ...]) -> bytes:
        """Rewrite the root data set and put in what the standard asks for (PS3.15 E.1.1)."""
        starts = (_CHARACTER_SET, _IDENTITY_REMOVED, _STUDY_ID, _TIMES_MODIFIED, overlays.FIRST, overlays.BEHIND)
        cuts = [0, *(bisect_left(numbers, tag) for tag in starts)]
        charset, identity, times = _additions(self.values.profile, self.explicit)
        out: list[bytes] = []
        for part, added in enumerate((charset, identity, self._study_id(), times, b"")):
            out += [self._part(buf, elements[cuts[part] : cuts[part + 1]], codecs), added]
        out.append(self._overlays(buf, elements[cuts[5] : cuts[6]]))
        out.append(self._part(buf, elements[cuts[6] :], codecs))
        return b"".join(out)

    def _part(self, buf: bytes, elements: list[Element], codecs: tuple[str, ...]) -> bytes:
        if elements and elements[0][0] == _STUDY_ID:
            self.actions[_STUDY_ID] = "Z"
            elements = elements[1:]
        new = self._level(buf, elements, codecs, "keep") if elements else b""
        return buf[elements[0].offset : elements[-1].end] if new is None else new

    def _overlays(self, buf: bytes, elements: list[Element]) -> bytes:
        found = overlays.cleaned(buf, elements, explicit=self.explicit, keep=self.values.profile.clean_graphics)
        self.actions.update((element.tag, "C" if element.tag in found.kept else "X") for element in elements)
        self.review_reasons += found.reasons
        return found.written

    def _study_id(self) -> bytes:
        """Give the Study ID that stands for the study in this case.

        It is empty, or a dummy (action Z); a directory's reader wants one (PS3.3 F.5.2), and so do those who make them.
        """
        study = text(self.parsed.buf, self.index.get(tags.StudyInstanceUID))
        return put(_STUDY_ID, "SH", f"S{pseudonym(self.values.secret, 'study', study, 11)}".encode(), self.explicit)

    def _pixels(self, pixel: Element | None, expected: int) -> tuple[bytes, bytes, tuple[tuple[int, int], ...], bytes]:
        """Give what stands in front of the pixels' value, its offset table if that is new, its range, and its end."""
        if pixel is None:
            return b"", b"", (), b""
        tag, vr, _, start, length, _, _, fragments = pixel
        if fragments is not None:
            front, table = self._tables(pixel), b""
            end = fragments[-1][0] + fragments[-1][1] if fragments else start
            if fragments and not codestream.has_own_table(self.parsed, pixel):
                self.findings.append("The offset table was not that of the frames.")
                table, start = codestream.EMPTY_TABLE, fragments[1][0] - 8
            ranges = ((start, end - start),) if end > start else ()
            return front + pixel_header(tag, vr, None, self.explicit), table, ranges, SEQUENCE_DELIMITER
        if expected and 1 < length - expected <= pixels.LARGEST_EXCESS:
            self.findings.append("Bytes behind the last frame were cut off.")
            length = expected
        odd = length & 1
        ranges = ((start, length),) if length else ()
        return pixel_header(tag, vr, length + odd, self.explicit), b"", ranges, bytes(odd)

    def _tables(self, pixel: Element) -> bytes:
        """The elements of the Extended Offset Table, where it is that of the frames."""
        source = self.parsed.buf
        kept = (self.index[tag] for tag in codestream.kept_tables(self.parsed, pixel))
        return b"".join(bytes(source[element.offset : element.end]) for element in kept)

    def _level(
        self, buf: bytes, elements: list[Element] | tuple[Element, ...], codecs: tuple[str, ...], what: Fate
    ) -> bytes | None:
        """Rewrite the elements of one data set; None if every byte of them may stay."""
        steps = self.values.steps
        actions = self.actions  # of this level; `_sequence` merges those of the levels below
        out: list[bytes] = []
        run = first = elements[0][2]
        local = True
        published = False
        creators: dict[int, str] = {}
        for element in elements:
            tag, vr, offset, start, length, end, items, _ = element
            step = steps.get((tag, vr)) or self.values.step(tag, vr)
            kind = step[0]
            new: Result | None
            if kind == KEEP or (kind == FIXED and length <= step[4]):
                continue
            if kind in (VALUE, SCHEME, MEANING, RESOURCE, VERSION):
                raw = buf[start : start + length]
                if kind == SCHEME:
                    local = not self.values.standard_scheme(raw)
                elif kind == MEANING and local:
                    step = self.values.local_meaning()
                elif kind == RESOURCE:
                    published = self.values.published_resource(raw)
                elif kind == VERSION and not published:
                    step = self.values.local_version(tag, vr)
                if what == "specimen" and tag == _TEXT_VALUE:
                    step = self.values.specimen()
                new = step[2].get(raw)
                if new is None:
                    new = step[3](raw, codecs)
                if what == "dummy" and tag in _CONTENT_VALUES:
                    new = put(tag, vr, DUMMIES[vr], self.explicit)
            elif kind in (DROP, FIXED) or (
                kind == PRIVATE and tag & 0xFF00 and (tag & 0xFFFF0000 | tag >> 8 & 0xFF) not in creators
            ):
                new = False
            elif kind == PRIVATE:
                new = self._private(buf, element, elements, creators, codecs)
            elif kind == DUMMY_CODE:
                new = put(tag, vr, self._dummy_code(items), self.explicit)
            else:
                new = self._sequence(buf, element, codecs, kind == CONTENT)
            if new is True:
                continue
            if run != offset:
                out.append(buf[run:offset])
            run = end
            if new is False:
                actions[tag] = "X"
            else:
                out.append(new)
                if kind != SEQUENCE and kind != CONTENT:
                    actions[tag] = step[1]
        last = elements[-1][5]
        if run == first:
            return None
        if run != last:
            out.append(buf[run:last])
        return b"".join(out)

    def _sequence(self, buf: bytes, element: Element, codecs: tuple[str, ...], content: bool) -> Result:
        """Rewrite a sequence: True if it may stay as it is, False if it can't be read as one."""
        tag, _, _, start, length, _, items, _ = element
        if items is None:
            return False
        if not items:
            return True
        if length > _LARGEST_REMEMBERED:
            return self._items(buf, element, items, codecs, content)
        # The same code and reference sequences come back in every frame and in every slice.
        seen = self.values.sequences
        key = (tag, buf[start : start + length], codecs)
        known = seen.get(key)
        if known is None:
            actions, self.actions = self.actions, {}
            before = self.held_bytes
            result = self._items(buf, element, items, codecs, content)
            known = (result, self.actions)
            self.actions = actions
            if self.held_bytes != before:  # what is held is so in each instance
                self.actions.update(known[1])
                return result
            if len(seen) >= _SEQUENCES:
                seen.clear()
            seen[key] = known
        self.actions.update(known[1])
        return known[0]

    def _items(
        self, buf: bytes, element: Element, items: tuple[Item, ...], codecs: tuple[str, ...], content: bool
    ) -> Result:
        for one in items:
            if one[4] != self.explicit and one[3]:
                if not self.explicit:
                    return False
                # Implicit items inside of UN (PS3.5 6.2.2): written in explicit VR first, then read like the rest.
                plain = put(element.tag, "SQ", written_items(buf, items, True), True)
                new = self._sequence(plain, walk(plain, 0, len(plain), explicit=True)[0], codecs, content)
                return plain if new is True else new
        changed = False
        parts: list[bytes] = []
        for one in items:
            elements = one[3]
            if not elements:
                parts.append(item(b""))
                continue
            what: Fate = fate(buf, elements, self.values.profile) if content else "keep"
            if what == "drop":
                changed = True
                self.actions[element.tag] = "C"
                continue
            inner = codecs if elements[0][0] > _CHARACTER_SET else _codecs(buf, elements, codecs)
            body = self._level(buf, elements, inner, what)
            if body is None:
                body = buf[elements[0][2] : elements[-1][5]]
            else:
                changed = True
            parts.append(item(body))
        return put(element.tag, "SQ", b"".join(parts), self.explicit) if changed else True

    def _private(
        self,
        buf: bytes,
        element: Element,
        elements: list[Element] | tuple[Element, ...],
        creators: dict[int, str],
        codecs: tuple[str, ...],
    ) -> Result:
        """Decide a private element by its block's creator (PS3.5 7.8.1, PS3.15 E.3.10).

        Blocks keep their numbers, and a creator stays only where something of its block does.
        """
        tag, vr, _, start, length, _, items, _ = element
        group, number = tag >> 16, tag & 0xFFFF
        safe = safe_private()
        if number <= 0xFF:
            creator = text(buf, element)
            if number < 0x10 or (creator, group) not in safe_creators() or not self.values.profile.safe_private:
                return False
            creators[tag] = creator
            return any(
                e[0] >> 16 == group and e[0] >> 8 & 0xFF == number and (creator, group, e[0] & 0xFF) in safe
                for e in elements
            )
        row = safe.get((creators.get(group << 16 | number >> 8, ""), group, number & 0xFF))
        if row is None or not fits(vr if self.explicit or items is not None else "UN", row):
            return False
        kind, _, memo, compute, limit = self.values.private_step(tag, row)
        if kind == SEQUENCE:
            return self._opaque(buf, element, codecs) if items is None else self._sequence(buf, element, codecs, False)
        if items is not None or element.fragments is not None or (limit and length > limit):
            return False
        raw = buf[start : start + length]
        if kind == REVIEW:
            return self._hold(raw, row.name)
        new = memo.get(raw)
        return compute(raw, codecs) if new is None else new

    def _opaque(self, buf: bytes, element: Element, codecs: tuple[str, ...]) -> Result:
        """Rewrite a sequence that no dictionary knows, which comes as one value (PS3.5 6.2.2)."""
        if element.fragments is not None or self.opaque >= _DEEPEST_OPAQUE:
            return False
        try:
            items, _ = items_of(buf, element, explicit=self.explicit, max_nodes=MAX_NODES, max_depth=MAX_DEPTH)
        except Unreadable:
            return False
        if not items:
            return False
        self.opaque += 1
        result = self._sequence(buf, element._replace(items=items), codecs, False)
        self.opaque -= 1
        return result

    def _hold(self, raw: bytes, name: str) -> bool:
        """Let bytes stay that nobody can read, if they are few and name no one known, and have a person decide."""
        if not raw:
            return True
        if self.held_bytes + len(raw) > _MOST_HELD or self.values.residual_identifiers.reasons(raw):
            self.findings.append("Private bytes that nobody can read were left out.")
            return False
        self.held_bytes += len(raw)
        self.review_reasons.append(f"It has private bytes that nobody can read: {name}.")
        return True

    def _dummy_code(self, items: tuple[Item, ...] | None) -> bytes:
        return code_item("REMOVED", "99OVERREAD", "Removed", self.explicit) if items else b""


#: Longitudinal Temporal Information Modified (PS3.3 C.12.1.1.7): (moved, in full) -> value.
_TIMES = {(True, False): b"MODIFIED", (False, True): b"UNMODIFIED", (False, False): b"REMOVED"}


@lru_cache(maxsize=16)
def _additions(profile: Profile, explicit: bool) -> tuple[bytes, bytes, bytes]:
    """Give what every result says of itself: its character set, how it was de-identified, what became of dates."""
    codes = b"".join(code_item(code, "DCM", meaning, explicit) for code, meaning in profile.codes())
    method = f"Overread {TABLE_EDITION} {profile.name}"
    return (
        put(_CHARACTER_SET, "CS", b"ISO_IR 192", explicit),
        put(_IDENTITY_REMOVED, "CS", b"YES", explicit)
        + put(tags.DeidentificationMethod, "LO", method.encode(), explicit)
        + put(tags.DeidentificationMethodCodeSequence, "SQ", codes, explicit),
        put(_TIMES_MODIFIED, "CS", _TIMES[profile.modified_dates, profile.full_dates], explicit),
    )


def _codecs(buf: bytes, elements: list[Element] | tuple[Element, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    """Read Specific Character Set (0008,0005), which stands among the first elements."""
    for tag, _, _, start, length, _, _, _ in elements:
        if tag == _CHARACTER_SET:
            return codecs_of(buf[start : start + length])
        if tag > _CHARACTER_SET:
            break
    return default

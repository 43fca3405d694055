"""An instance's header rewritten: everything in front of the pixels as new bytes, the pixels as a range.

Elements that stay are copied as one run of bytes; only what changes is written anew. The result keeps the
encoding of the source, except that a deflated or big endian data set comes out in explicit little endian.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from struct import Struct

from pacs.charset import DEFAULT, codecs_of
from pacs.deid import codestream, pixels
from pacs.deid.known import KnownStrings, identity_of
from pacs.deid.profile import SECOND_OPINION, TABLE_EDITION, Profile
from pacs.deid.proof import residue
from pacs.deid.table import concepts, safe_creators, safe_private
from pacs.deid.uids import new_uid
from pacs.deid.values import (
    CONTENT,
    DROP,
    DUMMY_CODE,
    KEEP,
    MEANING,
    PRIVATE,
    SCHEME,
    SEQUENCE,
    VALUE,
    Result,
    Values,
    values_of,
)
from pacs.dictionary import LONG_VRS, PIXEL_DATA
from pacs.elements import UNDEFINED, Element, Item, find, text, walk
from pacs.part10 import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, Parsed, write_meta

_PIXELS = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))
_FIRST_PIXELS = 0x7FE00008

_CHARACTER_SET = 0x00080005
_IDENTITY_REMOVED = 0x00120062
_TIMES_MODIFIED = 0x00280303
_CONCEPT_NAME = 0x0040A043
_TEXT_VALUE = 0x0040A160
_SUBJECT_AGE = ("121033", "DCM")

_tag = Struct("<HH").pack
_short = Struct("<HH2sH").pack
_long = Struct("<HH2sHI").pack
_implicit = Struct("<HHI").pack
_LONG = frozenset(LONG_VRS)
_LARGEST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A de-identified instance: `header`, then the pixels, then `trailer`.

    The pixels are the ranges `pixels` of the source (start, length in bytes) with `patches` laid over them, or
    `pixel_bytes` where the source's own bytes are deflated or big endian.
    """

    header: bytes
    pixels: tuple[tuple[int, int], ...]
    pixel_bytes: bytes | None
    trailer: bytes
    #: (offset in the source, or in `pixel_bytes` if those are given; bytes that stand there instead).
    patches: tuple[tuple[int, bytes], ...]
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax: str
    #: tag -> X, Z, D, U or C, for what was changed at any depth; no values.
    actions: dict[int, str]
    #: What was noticed and put right, in words without values.
    findings: list[str]
    #: Why a person has to look before anyone else may; empty for a clean instance.
    withhold: list[str]


def deidentify(
    parsed: Parsed, *, secret: bytes, profile: Profile = SECOND_OPINION, known: KnownStrings | None = None
) -> Deidentified:
    """De-identify one instance by PS3.15 Annex E for the case that owns `secret` (32 bytes).

    `known` are strings of the case that the file itself may not name: the account's name, mail, telephone.
    Raises what `pacs.elements.walk` raises if an out-of-order data set can't be put into order.
    """
    own = identity_of(parsed)
    values = values_of(secret, profile, own | known if known else own)
    return _Rewrite(values, parsed).run(own)


class _Rewrite:
    """The work on one instance."""

    def __init__(self, values: Values, parsed: Parsed) -> None:
        self.values = values
        self.parsed = parsed
        self.explicit = parsed.explicit
        self.actions: dict[int, str] = {}
        self.findings: list[str] = []
        self.sequences: dict[tuple[int, bytes, tuple[str, ...]], Result | None] = {}

    def run(self, own: KnownStrings) -> Deidentified:
        parsed = self.parsed
        elements = parsed.elements
        tags = [element[0] for element in elements]
        pixel = None
        behind = bisect_left(tags, _FIRST_PIXELS) if tags == sorted(tags) else -1
        if behind < 0 or len(set(tags)) != len(tags):
            pixel = next((e for e in elements if e.tag in _PIXELS), None)
            buf, elements = self._in_order(elements)
            tags = [element[0] for element in elements]
            behind = len(elements)
        else:
            if behind < len(elements) and tags[behind] in _PIXELS:
                pixel = elements[behind]
            for element in elements[behind + (pixel is not None) :]:
                self.actions[element[0]] = "X"  # padding, signatures, anything behind the pixels
            elements = elements[:behind]
            buf = bytes(parsed.buf[: elements[-1].end if elements else 0])
        codecs = _codecs(buf, elements, DEFAULT)
        body = self._root(buf, elements, tags[:behind], codecs)

        secret = self.values.secret
        source = parsed.elements
        study, series, sop = (text(parsed.buf, find(source, tag)) for tag in (0x0020000D, 0x0020000E, 0x00080018))
        sop_class = text(parsed.buf, find(source, 0x00080016)) or parsed.meta.sop_class_uid
        syntax = self._syntax()
        new_sop = new_uid(secret, sop)
        header, ranges, trailer = self._pixels(pixel)
        header = write_meta(sop_class, new_sop, syntax) + body + header

        withhold = pixels.risk(parsed)
        patches, dirty = codestream.patches(parsed, pixel)
        withhold += dirty
        if not (study and series and sop):
            withhold.append("A study, series or SOP instance UID is missing.")
        withhold += residue(header, self.values.known, tuple(uid for uid in (study, series, sop) if uid))
        pixel_bytes = None
        if not parsed.is_original_bytes:
            pixel_bytes = b"".join(bytes(parsed.buf[start : start + length]) for start, length in ranges)
            patches = [(offset - ranges[0][0], value) for offset, value in patches]
            ranges = ()
        return Deidentified(
            header,
            ranges,
            pixel_bytes,
            trailer,
            tuple(patches),
            new_uid(secret, study),
            new_uid(secret, series),
            new_sop,
            sop_class,
            syntax,
            self.actions,
            self.findings,
            withhold,
        )

    def _syntax(self) -> str:
        """Give the transfer syntax that tells how the result is really encoded."""
        syntax = self.parsed.meta.transfer_syntax
        if not self.parsed.is_original_bytes:
            return EXPLICIT_LITTLE_ENDIAN
        if not self.explicit:
            return IMPLICIT_LITTLE_ENDIAN
        return EXPLICIT_LITTLE_ENDIAN if syntax == IMPLICIT_LITTLE_ENDIAN else syntax

    def _in_order(self, elements: list[Element]) -> tuple[bytes, list[Element]]:
        """Copy a data set that is out of order, or has doubles, into order; of doubles the last counts."""
        self.findings.append("The data set was out of order or had an element twice.")
        latest = {element.tag: element for element in elements}
        source = self.parsed.buf
        buf = b"".join(
            bytes(source[element.offset : element.end])
            for tag, element in sorted(latest.items())
            if tag < _FIRST_PIXELS
        )
        return buf, walk(buf, 0, len(buf), explicit=self.explicit)

    def _root(self, buf: bytes, elements: list[Element], tags: list[int], codecs: tuple[str, ...]) -> bytes:
        """Rewrite the root data set and put in what the standard asks for (PS3.15 E.1.1 items 5 to 7)."""
        cuts = [0, *(bisect_left(tags, tag) for tag in (_CHARACTER_SET, _IDENTITY_REMOVED, _TIMES_MODIFIED)), len(tags)]
        out: list[bytes] = []
        for part, added in enumerate((*self._additions(), b"")):
            inside = elements[cuts[part] : cuts[part + 1]]
            if inside:
                new = self._level(buf, inside, codecs, False)
                out.append(buf[inside[0].offset : inside[-1].end] if new is None else new)
            out.append(added)
        return b"".join(out)

    def _additions(self) -> tuple[bytes, bytes, bytes]:
        profile = self.values.profile
        sequence = b"".join(
            self._item(
                self._put(0x00080100, "SH", code.encode())
                + self._put(0x00080102, "SH", b"DCM")
                + self._put(0x00080104, "LO", meaning.encode())
            )
            for code, meaning in profile.codes()
        )
        method = f"Overread {TABLE_EDITION} {profile.name}".encode()
        return (
            self._put(_CHARACTER_SET, "CS", b"ISO_IR 192"),
            self._put(_IDENTITY_REMOVED, "CS", b"YES")
            + self._put(0x00120063, "LO", method)
            + self._put(0x00120064, "SQ", sequence),
            self._put(_TIMES_MODIFIED, "CS", b"MODIFIED" if profile.modified_dates else b"REMOVED"),
        )

    def _pixels(self, pixel: Element | None) -> tuple[bytes, tuple[tuple[int, int], ...], bytes]:
        """Give the pixel data's own element header, the range of its value, and what closes it."""
        if pixel is None:
            return b"", (), b""
        tag, vr, _, start, length, _, _, fragments = pixel
        if fragments is not None:
            end = fragments[-1][0] + fragments[-1][1] if fragments else start
            header = _long(tag >> 16, tag & 0xFFFF, b"OB", 0, UNDEFINED)
            return header, ((start, end - start),) if end > start else (), _tag(0xFFFE, 0xE0DD) + bytes(4)
        expected = pixels.expected_length(self.parsed)
        if expected and expected < length and length - expected > (length & 1) + (expected & 1):
            if length - expected <= pixels.LARGEST_EXCESS:
                self.findings.append("Bytes behind the last frame were cut off.")
                length = expected
        odd = length & 1
        if self.explicit:
            header = _long(tag >> 16, tag & 0xFFFF, vr.encode() if vr in _LONG else b"OW", 0, length + odd)
        else:
            header = _implicit(tag >> 16, tag & 0xFFFF, length + odd)
        return header, ((start, length),) if length else (), bytes(odd)

    def _put(self, tag: int, vr: str, value: bytes) -> bytes:
        """Write an element in the encoding of the result."""
        if len(value) & 1:
            value += b"\0" if vr in ("UI", "OB", "UN") else b" "
        return _element(tag, vr, value) if self.explicit else _implicit(tag >> 16, tag & 0xFFFF, len(value)) + value

    def _item(self, body: bytes) -> bytes:
        return _implicit(0xFFFE, 0xE000, len(body)) + body

    def _level(
        self, buf: bytes, elements: list[Element] | tuple[Element, ...], codecs: tuple[str, ...], dummy_text: bool
    ) -> bytes | None:
        """Rewrite the elements of one data set; None if every byte of them may stay."""
        steps = self.values.steps
        actions = self.actions
        out: list[bytes] = []
        run = elements[0][2]
        local = True
        creators: dict[int, str] = {}
        for element in elements:
            tag, vr, offset, start, length, end, items, _ = element
            step = steps.get((tag, vr)) or self.values.step(tag, vr)
            kind = step[0]
            new: Result | None
            if kind == KEEP:
                continue
            if kind == VALUE or kind >= SCHEME:
                raw = buf[start : start + length]
                if kind == SCHEME:
                    local = not self.values.standard_scheme(raw)
                elif kind == MEANING and local:
                    step = self.values.local_meaning()
                elif dummy_text and tag == _TEXT_VALUE:
                    raw = b"\0"  # not what stands there, so that the dummy is written
                new = step[2].get(raw)
                if new is None:
                    new = step[3](raw, codecs) if raw != b"\0" else b"REMOVED"
                if new == raw:
                    continue
            elif kind == DROP:
                new = False
            elif kind == PRIVATE:
                new, vr = self._private(buf, element, elements, creators, codecs)
                if new is None:
                    continue
            elif kind == DUMMY_CODE:
                new = self._dummy_code() if items else b""
            else:
                new = self._sequence(buf, element, codecs, kind == CONTENT)
                if new is None:
                    continue
            if run != offset:
                out.append(buf[run:offset])
            run = end
            if new is False:
                actions[tag] = "X"
            else:
                assert isinstance(new, bytes)
                out.append(self._put(tag, vr, new))
                if kind < SEQUENCE or kind > CONTENT:
                    actions[tag] = step[1]
        last = elements[-1][5]
        if not out and run == elements[0][2]:
            return None
        if run != last:
            out.append(buf[run:last])
        return b"".join(out)

    def _sequence(self, buf: bytes, element: Element, codecs: tuple[str, ...], content: bool) -> Result | None:
        """Rewrite a sequence's value; None if it may stay as it is, False if it can't be read as one."""
        tag, _, _, start, length, _, items, _ = element
        if items is None:
            return False
        if not items:
            return None
        if length <= _LARGEST_REMEMBERED:
            key = (tag, buf[start : start + length], codecs)
            if key not in self.sequences:
                self.sequences[key] = self._items(buf, element, items, codecs, content)
            return self.sequences[key]
        return self._items(buf, element, items, codecs, content)

    def _items(
        self, buf: bytes, element: Element, items: tuple[Item, ...], codecs: tuple[str, ...], content: bool
    ) -> Result | None:
        if any(item[4] != self.explicit and item[3] for item in items):
            if not self.explicit:
                return False
            # Implicit items inside of UN (PS3.5 6.2.2): written in explicit VR first, then read like the rest.
            plain = _element(element.tag, "SQ", _explicit_items(buf, items))
            found = walk(plain, 0, len(plain), explicit=True)[0]
            new = self._sequence(plain, found, codecs, content)
            return plain[found.start : found.end] if new is None else new
        changed = False
        parts: list[bytes] = []
        for item in items:
            elements = item[3]
            if not elements:
                parts.append(self._item(b""))
                continue
            fate = self._fate(buf, elements) if content else "keep"
            if fate == "drop":
                changed = True
                self.actions.setdefault(element.tag, "C")
                continue
            inner = codecs if elements[0][0] > _CHARACTER_SET else _codecs(buf, elements, codecs)
            body = self._level(buf, elements, inner, fate == "dummy")
            if body is None:
                body = buf[elements[0][2] : elements[-1][5]]
            else:
                changed = True
            parts.append(_implicit(0xFFFE, 0xE000, len(body)) + body)
        return b"".join(parts) if changed else None

    def _fate(self, buf: bytes, elements: tuple[Element, ...]) -> str:
        """Say by Table E.3.4-1 whether a content item is to "keep" (and clean), to "dummy" or to "drop"."""
        name = find(elements, _CONCEPT_NAME)
        if name is None or not name.items:
            return "keep"
        coded = name.items[0].elements
        code = (text(buf, find(coded, 0x00080100)), text(buf, find(coded, 0x00080102)))
        if code == _SUBJECT_AGE and self._is_old(buf, elements):
            return "drop"
        concept = concepts().get(code)
        if concept is None or concept.options.keys() & self.values.profile.options():
            return "keep"
        if concept.basic == "X":
            return "drop"
        return "dummy"

    def _is_old(self, buf: bytes, elements: tuple[Element, ...]) -> bool:
        """Tell whether a measured age is above the cap; in which unit does not matter, as it goes then."""
        measured = find(elements, 0x0040A300)
        number = find(measured.items[0].elements, 0x0040A30A) if measured and measured.items else None
        try:
            return float(text(buf, number)) > self.values.profile.age_cap
        except ValueError:
            return False

    def _private(
        self,
        buf: bytes,
        element: Element,
        elements: list[Element] | tuple[Element, ...],
        creators: dict[int, str],
        codecs: tuple[str, ...],
    ) -> tuple[Result | None, str]:
        """Decide a private element by its block's creator (PS3.5 7.8.1, PS3.15 E.3.10); None keeps it.

        Also gives the VR to write it with.
        """
        tag, vr, _, start, length, _, items, _ = element
        if not self.values.profile.safe_private:
            return False, vr
        group, number = tag >> 16, tag & 0xFFFF
        safe = safe_private()
        if 0x10 <= number <= 0xFF:
            creator = text(buf, element)
            creators[tag] = creator
            wanted = (creator, group) in safe_creators() and any(
                e[0] >> 16 == group and e[0] >> 8 & 0xFF == number and (creator, group, e[0] & 0xFF) in safe
                for e in elements
            )
            return (None if wanted else False), vr
        listed = safe.get((creators.get(group << 16 | number >> 8, ""), group, number & 0xFF))
        if listed is None or number < 0x1000 or vr not in (listed, "UN"):
            return False, vr
        kind, _, memo, compute = self.values.private_step(listed)
        if kind == SEQUENCE:
            return self._sequence(buf, element, codecs, False) if items else False, listed
        if kind == KEEP:
            return None, listed
        raw = buf[start : start + length]
        new = memo.get(raw)
        if new is None:
            new = compute(raw, codecs)
        return (None if new == raw else new), listed

    def _dummy_code(self) -> bytes:
        return self._item(
            self._put(0x00080100, "SH", b"REMOVED")
            + self._put(0x00080102, "SH", b"99OVERREAD")
            + self._put(0x00080104, "LO", b"Removed")
        )


def _codecs(
    buf: bytes, elements: list[Element] | tuple[Element, ...], default: tuple[str, ...]
) -> tuple[str, ...]:
    """Read Specific Character Set (0008,0005), which stands among the first elements."""
    for tag, _, _, start, length, _, _, _ in elements:
        if tag == _CHARACTER_SET:
            return codecs_of(buf[start : start + length])
        if tag > _CHARACTER_SET:
            break
    return default


def _element(tag: int, vr: str, value: bytes) -> bytes:
    """Write an element in explicit VR; a value too long for its VR's 16 bits becomes UN (PS3.5 6.2.2)."""
    if vr in _LONG:
        return _long(tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value)) + value
    if len(value) > 0xFFFE:
        return _long(tag >> 16, tag & 0xFFFF, b"UN", 0, len(value)) + value
    return _short(tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def _explicit_items(buf: bytes, items: tuple[Item, ...]) -> bytes:
    """Write items in explicit VR with defined lengths."""
    out: list[bytes] = []
    for item in items:
        body = b"".join(
            _element(e.tag, e.vr, buf[e.start : e.start + e.length])
            if e.items is None
            else _element(e.tag, "SQ", _explicit_items(buf, e.items))
            for e in item.elements
            if e.fragments is None
        )
        out.append(_implicit(0xFFFE, 0xE000, len(body)) + body)
    return b"".join(out)

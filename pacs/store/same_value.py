"""Whether two values of one VR are equal, whatever repertoire and padding they were written with (PS3.5 6.1, 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from pacs.dicom import charset, tags
from pacs.dicom.elements import Buffer, Element, find

_CHUNK = 1 << 20
#: Bytes of a text that is read to compare it; longer ones are equal only byte for byte.
_MAX_TEXT = 1 << 20
_MAX_NUMBER = 64
_CHARACTER_SET = tags.SpecificCharacterSet
_MAX_CHARACTER_SET = 512
_PAD = " \0"

#: In the data set's repertoire; spaces before the first character count in some of them (PS3.5 table 6.2-1).
_TEXTS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
_ONE_VALUE = frozenset(("LT", "ST", "UR", "UT"))
_PLAIN = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"))
_NOTHING_BEFORE = frozenset(("AE", "CS", "DS", "IS", "LO", "SH"))
_NUMBERS = frozenset(("DS", "IS"))
#: Values that a single byte 0 makes even (PS3.5 6.2, 7.1).
_FILLED = frozenset(("OB", "UN"))


class Charset(NamedTuple):
    """The repertoires of a data set: Specific Character Set (0008,0005), or that of the data set around it."""

    value: bytes
    codecs: tuple[str, ...]
    #: Whether every name is known, so that nothing of its text is guessed.
    known: bool

    def within(self, buf: Buffer, elements: Sequence[Element]) -> Charset:
        """That of a data set's elements, which this surrounds."""
        element = find(elements, _CHARACTER_SET)
        if element is None or not element.length:
            return self
        value = bytes(buf[element.start : element.start + min(element.length, _MAX_CHARACTER_SET)]).rstrip(b" \0")
        names = [name.strip(_PAD).upper() for name in value.decode("latin-1").split("\\")]
        known = element.length <= _MAX_CHARACTER_SET and all(charset.is_known(name) for name in names)
        codecs = charset.codecs_of(value)
        return Charset(value, ("ascii", *codecs[1:]) if names[0] in _DEFAULT_NAMES else codecs, known)

    @staticmethod
    def comparable(one: Charset, other: Charset) -> bool:
        """Whether text of the one can be held against text of the other."""
        return one.value == other.value or (one.known and other.known)

    def text(self, raw: bytes) -> str | None:
        """Text of these repertoires; None where a byte of it is in none of them."""
        return charset.decode_exactly(raw, self.codecs)


#: Bytes beyond the default repertoire belong to another, which nobody named (PS3.5 6.1.2.2).
DEFAULT = Charset(b"", ("ascii",), True)
_DEFAULT_NAMES = frozenset(("", "ISO_IR 6", "ISO 2022 IR 6"))


def same_value(vr: str, one: Buffer, x: Element, other: Buffer, y: Element, mine: Charset, its: Charset) -> bool:
    """Whether two elements' values are equal, read by `vr`; nothing long is copied."""
    alike = mine.value == its.value
    equal = same_bytes(one, x.start, x.length, other, y.start, y.length, filled=vr in _FILLED)
    if equal and (alike or vr not in _TEXTS | {"UN"}):
        return True
    if max(x.length, y.length) > _MAX_TEXT:
        return False
    a, b = (bytes(buf[e.start : e.start + e.length]) for buf, e in ((one, x), (other, y)))
    if vr == "UN":
        # In two repertoires the same bytes may be two texts.
        return equal and a.isascii() and b"\x1b" not in a
    if vr in _TEXTS:
        return _same_text(vr, a, b, mine, its)
    return vr in _PLAIN and _values(vr, a.decode("latin-1")) == _values(vr, b.decode("latin-1"))


def _same_text(vr: str, a: bytes, b: bytes, mine: Charset, its: Charset) -> bool:
    ours, theirs = mine.text(a), its.text(b)
    if ours is None or theirs is None:
        return mine.value == its.value and a.rstrip(b" \0") == b.rstrip(b" \0")
    return _values(vr, ours) == _values(vr, theirs)


def _values(vr: str, joined: str) -> list[str | Decimal]:
    """A text's values without what means nothing in them: padding, in names the delimiters at an end (6.2.1)."""
    joined = joined.rstrip(_PAD)
    if vr in _ONE_VALUE:
        return [joined]
    out: list[str | Decimal] = []
    for part in joined.split("\\"):
        one = part.strip(_PAD) if vr in _NOTHING_BEFORE else part.rstrip(_PAD)
        if vr == "PN":
            one = "=".join(group.rstrip(" ^\0") for group in one.split("=")).rstrip("=")
        out.append(_number(one) if vr in _NUMBERS else one)
    return out


def _number(text: str) -> str | Decimal:
    """A decimal string's number, so that 1.50 is 1.5; what is none stays text."""
    if len(text) > _MAX_NUMBER or "_" in text:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if number.is_finite() else text


def same_bytes(
    one: Buffer, start: int, length: int, other: Buffer, begin: int, count: int, *, filled: bool = False
) -> bool:
    """Whether two ranges hold the same bytes, a piece at a time; `filled`: but for a byte 0 that makes one even."""
    common = min(length, count)
    if length != count:
        longer, at = (one, start) if length > count else (other, begin)
        if not filled or abs(length - count) != 1 or not common % 2 or longer[at + common] != 0:
            return False
    return all(
        bytes(one[start + at : start + min(at + _CHUNK, common)])
        == bytes(other[begin + at : begin + min(at + _CHUNK, common)])
        for at in range(0, common, _CHUNK)
    )

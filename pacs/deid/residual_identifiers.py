"""Whether strings that are known of a source are left in what was made of it."""

from __future__ import annotations

from collections.abc import Iterable

from pacs.deid.identifiers import Identifiers, distinctive

#: A number shorter than this is found by chance in any binary data.
_SHORTEST_NUMBER = 6
#: What a word and what a UID is made of. Not an expression: `re` would remember whose string was looked for.
_WORD_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789"
_UID_BYTES = b"0123456789."


class ResidualIdentifiers:
    """Looks for identifiers in finished bytes: as ASCII, UTF-8, Latin-1 or UTF-16, in any case of letters.

    Names that are ordinary words of the vocabulary ("Head", "Long") are not looked for: coded values have them too,
    and the cleaned text lost them already. Numbers count from six digits.
    """

    def __init__(self, known: Identifiers) -> None:
        known = distinctive(known)
        numbers = [number for number in known.ids if not number.isdecimal() or len(number) >= _SHORTEST_NUMBER]
        kinds = (("name", known.names), ("number", numbers), ("phrase", known.phrases))
        self._needles = [(kind, {form for string in strings for form in _forms(string)}) for kind, strings in kinds]

    def reasons(self, result: bytes, uids: tuple[str, ...] = ()) -> list[str]:
        """Give what was found, in sentences that do not repeat the strings. `uids` are the source's own."""
        low = result.lower()
        # Without the zero bytes UTF-16 of Latin letters reads as Latin-1: one search for both.
        dense = low.replace(b"\0", b"")
        reasons = [
            f"A {kind} of the source is left in the header."
            for kind, needles in self._needles
            if any(needle in dense and _stands_alone(low, dense, needle) for needle in needles)
        ]
        # A UID may have become part of a longer one by chance; as a whole it may not.
        if any(_within(result, uid.encode(), _UID_BYTES, _UID_BYTES) for uid in uids):
            reasons.append("A UID of the source is left in the header.")
        return reasons


def _forms(string: str) -> Iterable[bytes]:
    if string.isascii():
        yield string.lower().encode()
        return
    for variant in (string.lower(), string.upper(), string.title()):
        yield variant.encode("utf-8").lower()
        try:
            yield variant.encode("latin-1").lower()
        except UnicodeEncodeError:
            yield variant.encode("utf-16-le").lower().replace(b"\0", b"")
            yield variant.encode("utf-16-be").lower().replace(b"\0", b"")


def _stands_alone(low: bytes, dense: bytes, needle: bytes) -> bool:
    """Tell whether a hit is a word of its own: "Ann" in "planned" is none."""
    wide = b"\0".join(needle[at : at + 1] for at in range(len(needle)))
    return (
        _within(low, needle, _WORD_BYTES, _WORD_BYTES)
        or _within(low, wide, _WORD_BYTES, b"")
        or (not needle.isascii() and needle in dense)
    )


def _within(data: bytes, needle: bytes, before: bytes, after: bytes) -> bool:
    """Tell whether `needle` stands somewhere behind none of the bytes `before` and in front of none of `after`."""
    at = data.find(needle)
    while at >= 0:
        end = at + len(needle)
        if (at == 0 or data[at - 1] not in before) and (end == len(data) or data[end] not in after):
            return True
        at = data.find(needle, at + 1)
    return False

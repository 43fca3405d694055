"""Text by its Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1).

Any bytes give valid Unicode: what does not decode becomes U+FFFD, an unknown character set reads as Latin-1
and an escape sequence that was never announced is dropped. Text without code extensions is one `bytes.decode`.
"""

from __future__ import annotations

import re
from functools import lru_cache

#: Python's codecs for the character sets, the names without their prefixes (PS3.3 tables C.12-2 to C.12-5).
_CODECS = {
    "6": "latin_1",  # the default repertoire; Latin-1 keeps what careless writers put beyond it
    "13": "shift_jis",  # JIS X 0201 is its single-byte part
    "58": "gb2312",
    "87": "iso2022_jp",
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "149": "euc_kr",
    "159": "iso2022_jp_2",
    "166": "iso8859_11",
    "192": "utf_8",
    "203": "iso8859_15",
}
_NAMED = {"": "latin_1", "GB18030": "gb18030", "GBK": "gbk", "ISO 2022 GBK": "gbk", "UTF-8": "utf_8", "UTF8": "utf_8"}

#: What an escape sequence switches to (PS3.3 tables C.12-3 and C.12-4).
_ESCAPES = {
    b"\x1b(B": "latin_1",
    b"\x1b(J": "shift_jis",
    b"\x1b)I": "shift_jis",
    b"\x1b-A": "latin_1",
    b"\x1b-B": "iso8859_2",
    b"\x1b-C": "iso8859_3",
    b"\x1b-D": "iso8859_4",
    b"\x1b-F": "iso8859_7",
    b"\x1b-G": "iso8859_6",
    b"\x1b-H": "iso8859_8",
    b"\x1b-L": "iso8859_5",
    b"\x1b-M": "iso8859_9",
    b"\x1b-T": "iso8859_11",
    b"\x1b-b": "iso8859_15",
    b"\x1b$B": "iso2022_jp",
    b"\x1b$(D": "iso2022_jp_2",
    b"\x1b$)A": "gb2312",
    b"\x1b$)C": "euc_kr",
}
#: Codecs that read the escape sequence themselves: their two-byte codes overlap with ASCII.
_KEEP_ESCAPE = ("iso2022_jp", "iso2022_jp_2")

_numbered = re.compile(r"ISO[ _-]*(?:2022)?[ _-]*(?:IR)?[ _-]*(\d+)").fullmatch
_pieces = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*").findall
_reset = re.compile(rb"[\n\r\t\f\\]").search  # delimiters after which the first set is back (PS3.5 6.1.2.5.3)

#: The codecs of a data set without Specific Character Set.
DEFAULT: tuple[str, ...] = ("latin_1",)


@lru_cache(maxsize=256)
def codecs_of(value: bytes) -> tuple[str, ...]:
    """Give the Python codecs that a raw value of (0008,0005) names, the initial one first."""
    names = value.decode("latin-1").split("\\")
    return tuple(_codec(name.strip(" \0").upper()) for name in names)


def _codec(name: str) -> str:
    return _found(name) or "latin_1"


def _found(name: str) -> str | None:
    numbered = _numbered(name)
    return _CODECS.get(numbered[1]) if numbered else _NAMED.get(name)


def is_known(name: str) -> bool:
    """Tell whether a value of (0008,0005), in upper case and without padding, names a character set."""
    return _found(name) is not None


def decode(raw: bytes, codecs: tuple[str, ...] = DEFAULT) -> str:
    """Decode one element's value, with all of its values: a backslash may be half of a character before that.

    Padding is kept. Never raises.
    """
    if b"\x1b" not in raw:
        return raw.decode(codecs[0], "replace")
    return "".join([_decode_piece(piece, codecs) for piece in _pieces(raw)])


def decode_exactly(raw: bytes, codecs: tuple[str, ...]) -> str | None:
    """The same where nothing has to be replaced or dropped; None where something has."""
    try:
        if b"\x1b" not in raw:
            return raw.decode(codecs[0])
        return "".join([_decode_piece(piece, codecs, "strict") for piece in _pieces(raw)])
    except ValueError:
        return None


def _decode_piece(piece: bytes, codecs: tuple[str, ...], errors: str = "replace") -> str:
    """Decode what stands between two escape sequences, the first of them included. Raises ValueError if strict."""
    if piece[:1] != b"\x1b":
        return piece.decode(codecs[0], errors)
    size = 4 if piece[1:3] in (b"$(", b"$)") else 3
    codec = _ESCAPES.get(piece[:size])
    if codec is None:
        if errors == "strict":
            raise ValueError("an unknown escape sequence")
        return piece[1:].decode(codecs[0], errors)
    if codec in _KEEP_ESCAPE:
        return piece.decode(codec, errors)
    rest = piece[size:]
    delimiter = _reset(rest)
    if delimiter is None:
        return rest.decode(codec, errors)
    at = delimiter.start()
    return rest[:at].decode(codec, errors) + rest[at:].decode(codecs[0], errors)

"""How words of any script are set: in which direction, as which language, and with letters that the fonts have."""

from __future__ import annotations

import unicodedata
from collections import Counter
from html import escape

from overread.kit import fonts

#: What a letter's script says of the language; what is written in many languages is named by its script (RFC 5646).
_LANGUAGES = {
    "ARABIC": "und-Arab",
    "BENGALI": "und-Beng",
    "CYRILLIC": "und-Cyrl",
    "DEVANAGARI": "und-Deva",
    "GREEK": "el",
    "HANGUL": "ko",
    "HEBREW": "und-Hebr",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "TAMIL": "ta",
    "THAI": "th",
}
_HAN = "CJK"
_FONTS = '"Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai"'
_OTHERS = '"Noto Sans CJK SC", "DejaVu Sans", sans-serif'
#: Chinese characters have other forms in Japan, Korea, Taiwan and China: by the language they are those of the place.
_PLACES = {"ja": "JP", "ko": "KR", "zh-Hans": "SC", "zh-Hant": "TC"}

#: The fonts of a document, its margins' too, and the direction of its paragraphs.
STYLE = (
    f"html {{ font-family: {_FONTS}, {_OTHERS} }}\n@page {{ font-family: {_FONTS}, {_OTHERS} }}\n"
    + "".join(
        f':lang({tag}) {{ font-family: {_FONTS}, "Noto Sans CJK {place}", {_OTHERS} }}\n'
        for tag, place in _PLACES.items()
    )
    + "[dir=rtl] { direction: rtl }\n"
)

_JOINERS = frozenset("\u200c\u200d")


def right_to_left(text: str) -> bool:
    """Whether a paragraph runs from right to left: its first strong character does (UAX 9, P2 and P3)."""
    for character in text:
        match unicodedata.bidirectional(character):
            case "L":
                return False
            case "R" | "AL":
                return True
    return False


def han(whole: str) -> str:
    """As which language Chinese characters alone are read in a document, by all that stands in it (RFC 5646).

    Kana make it Japanese, Hangul Korean; else it is the Chinese whose national character set has more of them.
    """
    counted = _scripts(whole)
    if counted["HIRAGANA"] or counted["KATAKANA"]:
        return "ja"
    if counted["HANGUL"]:
        return "ko"
    characters = {one for one in whole if unicodedata.name(one, "").startswith(_HAN)}
    lacking = {charset: sum(not _encodes(one, charset) for one in characters) for charset in ("gb2312", "big5")}
    return "zh-Hant" if lacking["big5"] < lacking["gb2312"] else "zh-Hans"


def language(text: str, chinese: str) -> str:
    """The language tag of a text as far as its letters tell it (RFC 5646); empty where they don't, as Latin ones.

    `chinese`: what Chinese characters alone are in this document, as `han` tells.
    """
    counted = _scripts(text)
    if counted["HIRAGANA"] or counted["KATAKANA"]:
        return "ja"
    script = counted.most_common(1)[0][0] if counted else ""
    return chinese if script == _HAN else _LANGUAGES.get(script, "")


def printable(text: str) -> str:
    """A text in letters that the fonts have: what none has is named in brackets, as "[slightly smiling face]".

    A box in its place would say nothing, and is forbidden in PDF/A (ISO 19005-3, 6.2.11.8).
    """
    return "".join(_named(character) for character in text)


def attributes(text: str, chinese: str) -> str:
    """The HTML attributes of an element with a text: its direction, and its language where that is known."""
    tag = language(text, chinese)
    return f' dir="{"rtl" if right_to_left(text) else "ltr"}"' + (f' lang="{tag}"' if tag else "")


def inline(text: str, chinese: str) -> str:
    """HTML of words in a line of the document's own, whose direction they don't change."""
    tag = language(text, chinese)
    words = escape(printable(text))
    return f'<span lang="{tag}">{words}</span>' if tag else words


def paragraphs(text: str, chinese: str) -> str:
    """HTML of a text with one paragraph a line, each with a direction of its own; empty lines are gaps."""
    made, gap = [], ""
    for line in text.splitlines():
        if line.strip():
            made.append(f'<p class="text{gap}"{attributes(line, chinese)}>{escape(printable(line))}</p>')
        gap = "" if line.strip() or not made else " gap"
    return "".join(made)


def _scripts(text: str) -> Counter[str]:
    """How many letters of each script there are, by the first word of the characters' names."""
    return Counter(unicodedata.name(one, "?").split()[0] for one in text if unicodedata.category(one)[0] == "L")


def _encodes(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _named(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Cn", "Co"):
        # Control characters but those that space, lone surrogates, and what means nothing to anybody else.
        return character if character in "\n\t" else ""
    if category in ("Cf", "Zs", "Zl", "Zp") or 0xFE00 <= ord(character) <= 0xFE0F:
        # What shows nothing of its own: kept where it tells letters how to join or run.
        return character if character in _JOINERS or fonts.has(character) else ""
    if category == "Sk" and not fonts.has(character):
        # A tone of skin, of the picture before it.
        return ""
    return character if fonts.has(character) else f"[{unicodedata.name(character, f'U+{ord(character):04X}').lower()}]"

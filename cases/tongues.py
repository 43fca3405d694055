"""Languages that specialists read and write in, and the one that a patient named in their own words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from overread.kit.language import Phrase
from pacs.index.folding import fold

#: By their codes (BCP 47): what each is called here, and in itself.
_NAMES: Mapping[str, tuple[str, str]] = {
    "ar": (Phrase("Arabic"), "العربية"),
    "bn": (Phrase("Bengali"), "বাংলা"),
    "zh": (Phrase("Chinese"), "中文"),
    "cs": (Phrase("Czech"), "Čeština"),
    "da": (Phrase("Danish"), "Dansk"),
    "nl": (Phrase("Dutch"), "Nederlands"),
    "en": (Phrase("English"), "English"),
    "fi": (Phrase("Finnish"), "Suomi"),
    "fr": (Phrase("French"), "Français"),
    "de": (Phrase("German"), "Deutsch"),
    "el": (Phrase("Greek"), "Ελληνικά"),
    "he": (Phrase("Hebrew"), "עברית"),
    "hi": (Phrase("Hindi"), "हिन्दी"),
    "hu": (Phrase("Hungarian"), "Magyar"),
    "id": (Phrase("Indonesian"), "Bahasa Indonesia"),
    "it": (Phrase("Italian"), "Italiano"),
    "ja": (Phrase("Japanese"), "日本語"),
    "ko": (Phrase("Korean"), "한국어"),
    "no": (Phrase("Norwegian"), "Norsk"),
    "fa": (Phrase("Persian"), "فارسی"),
    "pl": (Phrase("Polish"), "Polski"),
    "pt": (Phrase("Portuguese"), "Português"),
    "ro": (Phrase("Romanian"), "Română"),
    "ru": (Phrase("Russian"), "Русский"),
    "es": (Phrase("Spanish"), "Español"),
    "sw": (Phrase("Swahili"), "Kiswahili"),
    "sv": (Phrase("Swedish"), "Svenska"),
    "th": (Phrase("Thai"), "ไทย"),
    "tr": (Phrase("Turkish"), "Türkçe"),
    "uk": (Phrase("Ukrainian"), "Українська"),
    "ur": (Phrase("Urdu"), "اردو"),
    "vi": (Phrase("Vietnamese"), "Tiếng Việt"),
}

#: Languages as people read them, by code.
LANGUAGES: Mapping[str, str] = {code: name for code, (name, _) in _NAMES.items()}


def code_of(said: str) -> str:
    """The code of a language that somebody named in their own words; "" for nothing, and for what is not known."""
    words = fold(said).strip(" .")
    for code, (name, own) in _NAMES.items():
        if words in (code, fold(name), fold(own)):
            return code
    return ""

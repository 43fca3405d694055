"""Whatever people read is written in English in the code and looked up in the catalogue of their language (gettext).

A catalogue is `overread/locales/<language>.po` (de, pt-BR: RFC 5646), made of `overread/locales/overread.pot`
(`make messages`), which lists every sentence with its place. Adding that one file is adding the language. Messages name
what stands in them as `%(count)s`, so that a translation may order it as its grammar asks; a literal percent sign in
such a message is `%%`.

What only a log, a peer or a program reads is English and not looked up.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

#: The language of the messages in the code.
SOURCE = "en"
#: Languages that people can be written to in, by what they call themselves: where there is no catalogue, somebody of
#: the house words the mails (`cases.mail_models.MailWording`), and what nobody has worded is in English.
WRITTEN: Mapping[str, str] = {
    "en": "English",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "pt": "Português",
    "ar": "العربية",
    "hi": "हिन्दी",
    "th": "ไทย",
    "zh": "中文",
    "ja": "日本語",
}
#: Those of them that are written from right to left.
RIGHT_TO_LEFT = frozenset(("ar",))
#: Longer than every name of a language here (RFC 5646).
LONGEST = 16
CATALOGUES = Path(__file__).parents[1] / "locales"

_current: ContextVar[str] = ContextVar("language", default=SOURCE)


def current() -> str:
    """The language of whoever is answered now (RFC 5646)."""
    return _current.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Answer in this language within the block; in English where it has no catalogue."""
    token = _current.set(language if language in languages() else SOURCE)
    try:
        yield
    finally:
        _current.reset(token)


@cache
def languages() -> tuple[str, ...]:
    """The languages that people can be answered in, English first."""
    return (SOURCE, *sorted(file.stem for file in CATALOGUES.glob("*.po")))


def preferred(accept_language: str, among: Collection[str] | None = None) -> str:
    """Which of some languages an Accept-Language header likes best (RFC 9110 12.5.4), by lookup (RFC 4647 3.4).

    `among`: those that we have a catalogue of, where none are given.
    """
    asked: list[tuple[float, str]] = []
    for part in accept_language.split(",")[:20]:
        name, _, quality = part.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality.strip() else 1.0
        except ValueError:
            continue
        asked.append((weight, name.strip().lower()))
    ours = {language.lower(): language for language in among or languages()}
    for weight, name in sorted(asked, key=lambda one: -one[0]):
        while name and weight > 0:
            if name in ours:
                return ours[name]
            name = name.rpartition("-")[0]
    return SOURCE


@cache
def catalogue(language: str) -> NullTranslations:
    """The messages of a language; English ones are themselves."""
    if language == SOURCE:
        return NullTranslations()
    # Loaded where there is another language: it takes long, and decoding workers and commands speak none.
    from babel.messages import mofile, pofile

    with (CATALOGUES / f"{language}.po").open("rb") as file:
        read = pofile.read_po(file, locale=language.replace("-", "_"), abort_invalid=True)
    compiled = io.BytesIO()
    mofile.write_mo(compiled, read)
    compiled.seek(0)
    return GNUTranslations(compiled)


def gettext(message: str, /, **values: Any) -> str:
    """A message in the language of whoever is answered; `values` are what `%(name)s` in it stand for."""
    text = catalogue(current()).gettext(message)
    return text % values if values else text


def ngettext(one: str, many: str, number: int, /, **values: Any) -> str:
    """The message for this many things; `values` as in gettext."""
    text = catalogue(current()).ngettext(one, many, number)
    return text % values if values else text


class Phrase(str):
    """A message of a table: English where it is compared or stored, looked up where it is written out."""

    __slots__ = ()

    def __str__(self) -> str:
        return gettext(str.__str__(self))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

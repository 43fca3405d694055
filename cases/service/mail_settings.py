"""What counts for every mail of a program or language: whom they are from, in which colour, words that none holds.

`require`, `tidied` and `refuse_word` are for what mails say, too (`cases.service.mails`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cases import health_words, mail_rendering, mail_wording
from cases.mail_catalogue import LONGEST_SENDER
from cases.mail_models import MailSender, MailWords
from cases.mail_rendering import COLOUR, Wording
from cases.mail_wording import EVERY
from cases.repository import active_program
from overread.kit import audit, permissions
from overread.kit.errors import Unprocessable
from overread.kit.language import SOURCE, WRITTEN, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

#: The contrast that a colour needs to be read on white (WCAG 2.2, 1.4.3).
_CONTRAST = 4.5


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a program's mails say that they are from, "" where it says nothing, and what is said then."""

    name: str
    colour: str
    name_else: str
    colour_else: str


@dataclass(frozen=True, slots=True)
class WordList:
    """The words of a language that no mail may hold; `changed`: they are not the built-in ones."""

    language: str
    words: tuple[str, ...]
    changed: bool


def sender(tx: Session, who: Principal, program: str) -> Sender:
    """Who a program's mails say that they are from. Raises Forbidden, NotFound."""
    require(tx, who, program, SOURCE)
    row = tx.get(MailSender, program)
    above = mail_wording.opened(tx, EVERY, SOURCE).signed() if program != EVERY else Wording("", "")
    name_else, colour_else = above.sender or mail_rendering.SENDER, above.colour or COLOUR
    return Sender(row.name if row else "", row.colour if row else "", name_else, colour_else)


def set_sender(tx: Session, who: Principal, program: str, name: str, colour: str) -> None:
    """Say who a program's mails are from, and in which colour ("#rrggbb"); "" for what counts otherwise.

    Raises Forbidden, NotFound, Unprocessable.
    """
    require(tx, who, program, SOURCE)
    name, colour = " ".join(tidied(name).split()), colour.strip().lower()
    if len(name) > LONGEST_SENDER or not name.isprintable() or any(one in name for one in '<>@"\\'):
        safe = gettext('A sender’s name has %(most)s characters at most, and none of < > @ " \\.', most=LONGEST_SENDER)
        raise Unprocessable("sender", safe=safe)
    refuse_word(mail_wording.words(tx).refused_name(name))
    if colour and not re.fullmatch("#[0-9a-f]{6}", colour):
        raise Unprocessable("colour", safe=gettext("Please give a colour such as #0b5c6b."))
    if colour and _contrast_on_white(colour) < _CONTRAST:
        raise Unprocessable(
            "colour", safe=gettext("This colour is too light to be read on white. Choose a darker one.")
        )
    row = tx.get(MailSender, program) or MailSender(program=program)
    row.name, row.colour = name, colour
    tx.add(row)
    tx.flush()
    audit.record(tx, who, "mail.sender", "mail", program)


def word_list(tx: Session, who: Principal, language: str) -> WordList:
    """The words of a language that no mail may hold. Raises Forbidden, Unprocessable."""
    require(tx, who, EVERY, language)
    return WordList(language, mail_wording.words(tx).lists[language], tx.get(MailWords, language) is not None)


def set_words(tx: Session, who: Principal, language: str, words: list[str] | None) -> None:
    """Change them, for every program; None: back to the built-in ones. Raises Forbidden, Unprocessable."""
    require(tx, who, EVERY, language)
    row = tx.get(MailWords, language)
    if words is None:
        if row is not None:
            tx.delete(row)
    else:
        tidy = list(dict.fromkeys(" ".join(tidied(one).split()) for one in words if one.strip()))
        longest, shortest = health_words.LONGEST_WORD, health_words.SHORTEST_WORD
        bad = next((one for one in tidy if len(one) > longest or not one.strip("*") or "*" in one.strip("*")), None)
        alone = next((one for one in tidy if one.isascii() and len(one.strip("*")) < shortest), None)
        if bad is not None or alone is not None or len(tidy) > health_words.MOST_WORDS:
            safe = gettext(
                "This can’t stand in the list: %(word)s. A word has %(shortest)s to %(longest)s letters, with * at its "
                "beginning or end for any others, and there are %(most)s words at most.",
                word=(bad or alone or "…")[:LONGEST_SENDER],
                shortest=shortest,
                longest=longest,
                most=health_words.MOST_WORDS,
            )
            raise Unprocessable("words", safe=safe)
        row = row or MailWords(language=language)
        row.words = tidy
        tx.add(row)
    tx.flush()
    audit.record(tx, who, "mail.words", "mail", language)


def require(tx: Session, who: Principal, program: str, language: str) -> None:
    """Raises Forbidden, NotFound for no active program, and Unprocessable for a language that nobody can choose."""
    permissions.require(who, Permission.MAILS_MANAGE)
    if program != EVERY:
        active_program(tx, program)
    if language not in WRITTEN:
        raise Unprocessable("language", safe=gettext("Please choose a language of the list."))


def tidied(text: str) -> str:
    """A text without spaces at its lines' ends and without more than one empty line at once."""
    lines = (line.rstrip() for line in text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip()


def refuse_word(word: str) -> None:
    """Raises Unprocessable with a sentence where there is a word for which a text may be in no mail."""
    if word:
        safe = gettext(
            "“%(word)s” tells of somebody’s health, and mails lie open. Say it without, or change the list of words.",
            word=word[:LONGEST_SENDER],
        )
        raise Unprocessable("a health word", safe=safe)


def _contrast_on_white(colour: str) -> float:
    """WCAG 2.2, contrast ratio: 1 to 21."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)

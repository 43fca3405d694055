"""In which words a mail is sent: the program's own in the reader's language, else everybody's, else the built-in ones.

A wording that holds a word of the list by now (`cases.health_words`) is passed over, as if nobody had written it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import health_words, mail_rendering
from cases.mail_models import MailSender, MailWording, MailWords
from cases.mail_rendering import Wording
from overread.kit.language import SOURCE, WRITTEN, languages

#: The short name under which stands what counts for every program.
EVERY = ""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of each language that no mail may hold."""

    lists: Mapping[str, tuple[str, ...]]

    def refused(self, text: str, language: str) -> str:
        """The word for which a text of a language may be in no mail; "" where it may."""
        found = (health_words.found(text, self.lists.get(one, ())) for one in health_words.lists(language))
        return next(filter(None, found), "")

    def refused_name(self, name: str) -> str:
        """The same for a sender's name, which stands in mails of every language."""
        return next(filter(None, (health_words.found(name, words) for words in self.lists.values())), "")


@dataclass(frozen=True, slots=True)
class Book:
    """What was written for a program (`EVERY`: for none) in a language, and in English for what is missing there.

    `rows`: by program, language and template.
    """

    program: str
    language: str
    rows: Mapping[tuple[str, str, str], MailWording]
    senders: Mapping[str, MailSender]
    words: Words

    def written(self, template: str, language: str) -> MailWording | None:
        """What somebody wrote for a mail, the program's own first; None where there is nothing that may be sent."""
        found = (self.rows.get((one, language, template)) for one in dict.fromkeys((self.program, EVERY)))
        return next((row for row in found if row is not None and not self.refused(row)), None)

    def refused(self, row: MailWording) -> str:
        """The word for which a wording is passed over; "" where it is sent."""
        return self.words.refused(f"{row.subject}\n{row.text}", row.language)

    def chosen(self, template: str) -> Wording:
        """The words that a mail is sent in, with its sender."""
        for one in dict.fromkeys((self.language, SOURCE)):
            row = self.written(template, one)
            if row is not None:
                return replace(self.signed(), subject=row.subject, text=row.text, language=one)
            if one in languages():
                break
        said = mail_rendering.built_in(template, one)
        return replace(self.signed(), subject=said.subject, text=said.text, language=said.language)

    def signed(self) -> Wording:
        """No words yet, with the sender's name and colour: the program's own, else everybody's, else none."""
        found = [self.senders[one] for one in dict.fromkeys((self.program, EVERY)) if one in self.senders]
        named = (row.name for row in found if row.name and not self.words.refused_name(row.name))
        return Wording("", "", sender=next(named, ""), colour=next((row.colour for row in found if row.colour), ""))


def opened(tx: Session, program: str, language: str) -> Book:
    """The book of a program in a language."""
    scopes, spoken = {program, EVERY}, {language, SOURCE}
    written = select(MailWording).where(MailWording.program.in_(scopes), MailWording.language.in_(spoken))
    senders = select(MailSender).where(MailSender.program.in_(scopes))
    return Book(
        program,
        language,
        {(row.program, row.language, row.template): row for row in tx.scalars(written)},
        {row.program: row for row in tx.scalars(senders)},
        words(tx),
    )


def words(tx: Session) -> Words:
    """The words that no mail may hold, as they are now."""
    changed = {row.language: tuple(row.words) for row in tx.scalars(select(MailWords))}
    return Words({one: changed.get(one, health_words.built_in(one)) for one in WRITTEN})

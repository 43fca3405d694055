"""What mails say: each in a program's own words and in several languages, with a look at it before it is sent.

No mail tells of somebody's health: words of a list are refused in every text, and the sender's name is not the
program's, which may tell the specialty.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import events, health_words, mail_catalogue, mail_rendering, mail_wording, notify, outbox
from cases.mail_catalogue import ABOUT, LONGEST_SENDER, LONGEST_SUBJECT, LONGEST_TEXT
from cases.mail_models import MailSender, MailWording, MailWords
from cases.mail_rendering import COLOUR, Mail, Wording
from cases.mail_wording import EVERY, Book
from cases.models import Message
from cases.repository import active_program
from overread.kit import audit, clock, jobs, permissions, principals, zones
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import SOURCE, WRITTEN, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

#: A text of one line has to be read on white.
_CONTRAST = 4.5


@dataclass(frozen=True, slots=True)
class MailLine:
    """A mail of the catalogue. `whose`: "own" words of the program, "every" program's, or "built-in".

    `refused`: the word for which somebody's words are passed over, as it is in the list by now.
    """

    mail: str
    to: str
    when: str
    subject: str
    whose: str
    refused: str


@dataclass(frozen=True, slots=True)
class MailText:
    """A mail as it can be written anew. `edition`: of what is shown, by which two who change it at once are told."""

    mail: str
    to: str
    when: str
    program: str
    language: str
    subject: str
    text: str
    whose: str
    refused: str
    built_in_subject: str
    built_in_text: str
    placeholders: tuple[str, ...]
    required: tuple[str, ...]
    edition: str


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


def listed(tx: Session, who: Principal, program: str, language: str) -> list[MailLine]:
    """Every mail as it is sent for a program (`EVERY`: what counts for all) in a language.

    Raises Forbidden, NotFound, Unprocessable.
    """
    _require(tx, who, program, language)
    book = mail_wording.opened(tx, program, language)
    return [_line(book, key) for key in ABOUT]


def read(tx: Session, who: Principal, program: str, language: str, mail: str) -> MailText:
    """One mail, to be written anew. Raises Forbidden, NotFound, Unprocessable."""
    _require(tx, who, program, language)
    book = mail_wording.opened(tx, program, language)
    line = _line(book, _known(mail))
    own = book.rows.get((program, language, mail))
    said = Wording(own.subject, own.text) if own else book.chosen(mail)
    plain = mail_rendering.built_in(mail, language)
    return MailText(
        mail,
        line.to,
        line.when,
        program,
        language,
        said.subject,
        said.text,
        line.whose,
        line.refused,
        plain.subject,
        plain.text,
        mail_catalogue.allowed(mail),
        mail_catalogue.required(mail),
        _edition(said),
    )


def write(
    tx: Session,
    who: Principal,
    program: str,
    language: str,
    mail: str,
    subject: str,
    text: str,
    *,
    instead_of: str | None = None,
) -> None:
    """Say a mail of a program in other words. `instead_of`: the edition that was shown.

    Raises Forbidden, NotFound, Unprocessable with a sentence for what may not stand there, Conflict where somebody
    else has changed it meanwhile.
    """
    shown = read(tx, who, program, language, mail)
    subject, text = _tidied(subject), _tidied(text)
    _check(tx, mail, language, subject, text)
    row = _row(tx, program, language, mail, lock=True)
    if row is not None and (row.subject, row.text) == (subject, text):
        return
    if instead_of is not None and instead_of != shown.edition:
        raise Conflict(
            f"mail {mail} was changed",
            safe=gettext("Somebody else has changed this mail meanwhile. Look at what it says now, then save again."),
        )
    if row is None:
        row = MailWording(program=program, language=language, template=mail)
        tx.add(row)
    row.subject, row.text, row.changed_by = subject, text, who.id
    tx.flush()
    audit.record(tx, who, "mail.write", "mail", mail, program=program, language=language)


def reset(tx: Session, who: Principal, program: str, language: str, mail: str) -> None:
    """Go back to the words that count for every program, or to the built-in ones. Idempotent."""
    _require(tx, who, program, language)
    row = _row(tx, program, language, _known(mail), lock=True)
    if row is not None:
        tx.delete(row)
        tx.flush()
        audit.record(tx, who, "mail.reset", "mail", mail, program=program, language=language)


def preview(
    tx: Session, who: Principal, program: str, language: str, mail: str, subject: str, text: str, base_url: str
) -> Mail:
    """A mail in these words, with sample values. Raises what `write` raises for them."""
    _require(tx, who, program, language)
    subject, text = _tidied(subject), _tidied(text)
    _check(tx, _known(mail), language, subject, text)
    signed = mail_wording.opened(tx, program, language).signed()
    said = Wording(subject, text, language, signed.sender, signed.colour)
    facts = _samples(mail, who.zone or zones.DEFAULT) | {"link": f"{base_url}/"}
    return mail_rendering.filled(said, facts, "<sample>", "", base_url)


def send_test(tx: Session, who: Principal, program: str, language: str, mail: str) -> str:
    """Send a mail as it stands to whoever asks, with sample values; the address that it goes to.

    Raises Forbidden, NotFound, and Unprocessable where they have no address.
    """
    _require(tx, who, program, language)
    person = principals.get(tx, who.id)
    if not person.email:
        raise Unprocessable("no address", safe=gettext("Your account has no e-mail address to send a test mail to."))
    facts = _samples(_known(mail), who.zone or zones.DEFAULT) | {outbox.TEST: program, "language": language}
    message = Message(recipient_id=who.id, template=mail, facts=facts)
    tx.add(message)
    tx.flush()
    jobs.emit(tx, events.MailQueued(str(message.id)))
    audit.record(tx, who, "mail.test", "mail", mail, program=program, language=language)
    return person.email


def sender(tx: Session, who: Principal, program: str) -> Sender:
    """Who a program's mails say that they are from. Raises Forbidden, NotFound."""
    _require(tx, who, program, SOURCE)
    row = tx.get(MailSender, program)
    above = mail_wording.opened(tx, EVERY, SOURCE).signed() if program != EVERY else Wording("", "")
    name_else, colour_else = above.sender or mail_rendering.SENDER, above.colour or COLOUR
    return Sender(row.name if row else "", row.colour if row else "", name_else, colour_else)


def set_sender(tx: Session, who: Principal, program: str, name: str, colour: str) -> None:
    """Say who a program's mails are from, and in which colour ("#rrggbb"); "" for what counts otherwise.

    Raises Forbidden, NotFound, Unprocessable.
    """
    _require(tx, who, program, SOURCE)
    name, colour = " ".join(_tidied(name).split()), colour.strip().lower()
    if len(name) > LONGEST_SENDER or not name.isprintable() or any(one in name for one in '<>@"\\'):
        safe = gettext('A sender’s name has %(most)s characters at most, and none of < > @ " \\.', most=LONGEST_SENDER)
        raise Unprocessable("sender", safe=safe)
    _no_health_word(mail_wording.words(tx).refused_name(name))
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
    _require(tx, who, EVERY, language)
    return WordList(language, mail_wording.words(tx).lists[language], tx.get(MailWords, language) is not None)


def set_words(tx: Session, who: Principal, language: str, words: list[str] | None) -> None:
    """Change them, for every program; None: back to the built-in ones. Raises Forbidden, Unprocessable."""
    _require(tx, who, EVERY, language)
    row = tx.get(MailWords, language)
    if words is None:
        if row is not None:
            tx.delete(row)
    else:
        tidy = list(dict.fromkeys(" ".join(_tidied(one).split()) for one in words if one.strip()))
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


def _require(tx: Session, who: Principal, program: str, language: str) -> None:
    permissions.require(who, Permission.MAILS_MANAGE)
    if program != EVERY:
        active_program(tx, program)
    if language not in WRITTEN:
        raise Unprocessable("language", safe=gettext("Please choose a language of the list."))


def _known(mail: str) -> str:
    if mail not in ABOUT:
        raise NotFound(f"no mail {mail!r}")
    return mail


def _row(tx: Session, program: str, language: str, mail: str, *, lock: bool = False) -> MailWording | None:
    query = select(MailWording).where(
        MailWording.program == program, MailWording.language == language, MailWording.template == mail
    )
    return tx.scalars(query.with_for_update() if lock else query).one_or_none()


def _line(book: Book, mail: str) -> MailLine:
    own, used = book.rows.get((book.program, book.language, mail)), book.written(mail, book.language)
    whose = "built-in" if used is None else "own" if used.program == book.program else "every"
    about, refused = ABOUT[mail], book.refused(own) if own else ""
    return MailLine(mail, about.to.value, f"{about.when}", book.chosen(mail).subject, whose, refused)


def _tidied(text: str) -> str:
    lines = (line.rstrip() for line in text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip()


def _check(tx: Session, mail: str, language: str, subject: str, text: str) -> None:
    """Raises Unprocessable with a sentence for what may not stand in a mail, or is missing."""
    if not subject or not text:
        raise Unprocessable("empty", safe=gettext("A mail needs a subject and a text."))
    if len(subject) > LONGEST_SUBJECT or len(text) > LONGEST_TEXT or "\n" in subject:
        safe = gettext(
            "A subject is one line of %(subject)s characters at most, a text has %(text)s.",
            subject=LONGEST_SUBJECT,
            text=LONGEST_TEXT,
        )
        raise Unprocessable("too long", safe=safe)
    allowed = mail_catalogue.allowed(mail)
    both = f"{subject}\n{text}"
    if unknown := next((one for one in mail_catalogue.fields(both) if one not in allowed), ""):
        safe = gettext(
            "This mail can’t say {%(unknown)s}. It can say: %(allowed)s.", unknown=unknown, allowed=_braced(allowed)
        )
        raise Unprocessable("placeholder", safe=safe)
    if re.search("[{}]", mail_catalogue.PLACEHOLDER.sub("", both)):
        safe = gettext("Braces stand around a placeholder alone, such as {sender}. Please take the others out.")
        raise Unprocessable("braces", safe=safe)
    if missing := [one for one in mail_catalogue.required(mail) if one not in mail_catalogue.fields(text)]:
        safe = gettext(
            "The text has to say %(missing)s: without it nobody can go on from it.", missing=_braced(missing)
        )
        raise Unprocessable("placeholder", safe=safe)
    _no_health_word(mail_wording.words(tx).refused(both, language))


def _no_health_word(word: str) -> None:
    if word:
        safe = gettext(
            "“%(word)s” tells of somebody’s health, and mails lie open. Say it without, or change the list of words.",
            word=word[:LONGEST_SENDER],
        )
        raise Unprocessable("a health word", safe=safe)


def _braced(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"{{{one}}}" for one in names)


def _edition(said: Wording) -> str:
    return hashlib.sha256(f"{said.subject}\0{said.text}".encode()).hexdigest()


def _samples(mail: str, zone: str) -> dict[str, Any]:
    """Values for every placeholder that a mail can have, of nobody."""
    now = clock.now()
    samples: dict[str, Any] = {
        "reference": "OV-2222-2222",
        "due": notify.moment(now + timedelta(days=3), zone),
        "expires": notify.moment(now + timedelta(days=2), zone),
        "days": 3,
        "left": 11,
        "subject": gettext("2 cases to look at"),
        "entries": [[gettext("OV-2222-2222: a new request"), "/queue"]],
    }
    return {name: value for name, value in samples.items() if name in mail_catalogue.allowed(mail)}


def _contrast_on_white(colour: str) -> float:
    """WCAG 2.2, contrast ratio: 1 to 21."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)

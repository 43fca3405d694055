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

from cases import events, mail_catalogue, mail_rendering, mail_wording, notify, outbox
from cases.mail_catalogue import ABOUT, LONGEST_SUBJECT, LONGEST_TEXT
from cases.mail_models import MailWording
from cases.mail_rendering import Mail, Wording
from cases.mail_wording import Book
from cases.models import Message
from cases.service.mail_settings import refuse_word, require, tidied
from overread.kit import audit, clock, jobs, principals, zones
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Principal


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


def listed(tx: Session, who: Principal, program: str, language: str) -> list[MailLine]:
    """Every mail as it is sent for a program (`EVERY`: what counts for all) in a language.

    Raises Forbidden, NotFound, Unprocessable.
    """
    require(tx, who, program, language)
    book = mail_wording.opened(tx, program, language)
    return [_line(book, key) for key in ABOUT]


def read(tx: Session, who: Principal, program: str, language: str, mail: str) -> MailText:
    """One mail, to be written anew. Raises Forbidden, NotFound, Unprocessable."""
    require(tx, who, program, language)
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
    subject, text = tidied(subject), tidied(text)
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
    require(tx, who, program, language)
    row = _row(tx, program, language, _known(mail), lock=True)
    if row is not None:
        tx.delete(row)
        tx.flush()
        audit.record(tx, who, "mail.reset", "mail", mail, program=program, language=language)


def preview(
    tx: Session, who: Principal, program: str, language: str, mail: str, subject: str, text: str, base_url: str
) -> Mail:
    """A mail in these words, with sample values. Raises what `write` raises for them."""
    require(tx, who, program, language)
    subject, text = tidied(subject), tidied(text)
    _check(tx, _known(mail), language, subject, text)
    signed = mail_wording.opened(tx, program, language).signed()
    said = Wording(subject, text, language, signed.sender, signed.colour)
    facts = _samples(mail, who.zone or zones.DEFAULT) | {"link": f"{base_url}/"}
    return mail_rendering.filled(said, facts, "<sample>", "", base_url)


def send_test(tx: Session, who: Principal, program: str, language: str, mail: str) -> str:
    """Send a mail as it stands to whoever asks, with sample values; the address that it goes to.

    Raises Forbidden, NotFound, and Unprocessable where they have no address.
    """
    require(tx, who, program, language)
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
    refuse_word(mail_wording.words(tx).refused(both, language))


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

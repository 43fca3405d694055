"""The API's part about mails: what they say, what came of them, and in which language one reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from cases.bodies import Body, Edition, Email
from cases.mail_catalogue import LONGEST_SENDER, LONGEST_SUBJECT, LONGEST_TEXT
from cases.mail_wording import EVERY
from cases.operations import AFTER, LIMIT, Call, Operation, Parameter
from cases.service import accounts, mail_settings, mails, notifications, undelivered
from cases.service.mail_settings import Sender, WordList
from cases.service.mails import MailLine, MailText
from cases.service.notifications import Notification
from cases.service.undelivered import Undelivered
from overread.kit.language import LONGEST, SOURCE, WRITTEN

_MAILS, _LANGUAGE, _NOTIFICATIONS = "/api/v1/mails", "/api/v1/account/language", "/api/v1/notifications"
_UNDELIVERED = "/api/v1/undelivered"
_PROGRAM = Parameter("program", "A program's short name; what counts for every program where none is given")
_IN = Parameter("language", "A language; English where none is given", tuple(WRITTEN))
_Language = Annotated[str, Field(max_length=LONGEST)]
_Slug = Annotated[str, Field(max_length=64)]


class Where(Body):
    """Of which program (none: of every one), and in which language."""

    program: _Slug = EVERY
    language: _Language = SOURCE


class MailWords(Where):
    """What a mail is to say. `edition`: of what was read, so that nobody's change is lost."""

    subject: Annotated[str, Field(max_length=2 * LONGEST_SUBJECT)]
    text: Annotated[str, Field(max_length=2 * LONGEST_TEXT)]
    edition: Edition | None = None


class NewSender(Body):
    """Who a program's mails are from, and a colour as #rrggbb; "" for what counts otherwise."""

    program: _Slug = EVERY
    name: Annotated[str, Field(max_length=2 * LONGEST_SENDER)]
    colour: Annotated[str, Field(max_length=32)] = ""


class NewWords(Body):
    """Words that no mail in a language may hold; null: the built-in ones."""

    words: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1_000)] | None


class OwnLanguage(Body):
    """A language by its code (RFC 5646)."""

    language: _Language


class NewAddress(Body):
    """The address that a patient said is theirs."""

    email: Email


@dataclass(frozen=True, slots=True)
class LanguageNow:
    """The language of an account's mails; "" where it is not known."""

    language: str


@dataclass(frozen=True, slots=True)
class Unread:
    """How many of one's notifications were not opened."""

    count: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The page of the portal that a notification leads to; "" for none."""

    page: str


@dataclass(frozen=True, slots=True)
class Previewed:
    """A mail as it would be sent, with sample values."""

    sender: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Tested:
    """The address that a test mail goes to."""

    email: str


def _where(c: Call) -> tuple[str, str]:
    return c.query.get(_PROGRAM.name, EVERY), c.query.get(_IN.name, SOURCE)


def _write(c: Call) -> None:
    b = c.body
    mails.write(c.tx, c.who, b.program, b.language, c.path["mail"], b.subject, b.text, instead_of=b.edition)


def _preview(c: Call) -> Previewed:
    b = c.body
    at = (b.program, b.language, c.path["mail"])
    made = mails.preview(c.tx, c.who, *at, b.subject, b.text, c.settings.base_url)
    return Previewed(made.sender, made.subject, made.text, made.html)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _MAILS, "mails", "Every mail, as it is sent", lambda c: mails.listed(c.tx, c.who, *_where(c)),
              result=list[MailLine], parameters=(_PROGRAM, _IN)),
    Operation("GET", f"{_MAILS}/{{mail}}", "mails", "What a mail says, and what may stand in it",
              lambda c: mails.read(c.tx, c.who, *_where(c), c.path["mail"]), result=MailText,
              parameters=(_PROGRAM, _IN)),
    Operation("PUT", f"{_MAILS}/{{mail}}", "mails", "Say it in other words", _write, MailWords, None, 204),
    Operation("POST", f"{_MAILS}/{{mail}}/reset", "mails", "Go back to the words that counted before",
              lambda c: mails.reset(c.tx, c.who, c.body.program, c.body.language, c.path["mail"]), Where, None, 204),
    Operation("POST", f"{_MAILS}/{{mail}}/preview", "mails", "Look at it with sample values; nothing is saved",
              _preview, MailWords, Previewed),
    Operation("POST", f"{_MAILS}/{{mail}}/test", "mails", "Send it to oneself as it stands, with sample values",
              lambda c: Tested(mails.send_test(c.tx, c.who, c.body.program, c.body.language, c.path["mail"])),
              Where, Tested),
    Operation("GET", "/api/v1/mail-sender", "mails", "Who a program's mails are from",
              lambda c: mail_settings.sender(c.tx, c.who, _where(c)[0]), result=Sender, parameters=(_PROGRAM,)),
    Operation("PUT", "/api/v1/mail-sender", "mails", "Choose it",
              lambda c: mail_settings.set_sender(c.tx, c.who, c.body.program, c.body.name, c.body.colour),
              NewSender, None, 204),
    Operation("GET", "/api/v1/mail-words/{language}", "mails", "The words of a language that no mail may hold",
              lambda c: mail_settings.word_list(c.tx, c.who, c.path["language"]), result=WordList),
    Operation("PUT", "/api/v1/mail-words/{language}", "mails", "Change them, for every program",
              lambda c: mail_settings.set_words(c.tx, c.who, c.path["language"], c.body.words), NewWords, None, 204),
    Operation("GET", _NOTIFICATIONS, "account", "What was sent to oneself, newest first",
              lambda c: notifications.listed(c.tx, c.who, c.after, c.limit), result=list[Notification],
              parameters=(AFTER, LIMIT)),
    Operation("GET", f"{_NOTIFICATIONS}/unread", "account", "How much of it was not opened",
              lambda c: Unread(notifications.unread(c.tx, c.who)), result=Unread),
    Operation("POST", f"{_NOTIFICATIONS}/read", "account", "All of it was read; how much was not",
              lambda c: Unread(notifications.all_read(c.tx, c.who)), result=Unread),
    Operation("POST", f"{_NOTIFICATIONS}/{{notification}}/read", "account", "One was read; where it leads",
              lambda c: Opened(notifications.opened(c.tx, c.who, c.uuid("notification"))), None, Opened),
    Operation("GET", _UNDELIVERED, "mails", "Mails that did not arrive, newest first",
              lambda c: undelivered.listed(c.tx, c.who, c.after, c.limit), result=list[Undelivered],
              parameters=(AFTER, LIMIT)),
    Operation("POST", f"{_UNDELIVERED}/{{message}}/again", "mails", "Send one again",
              lambda c: undelivered.again(c.tx, c.who, c.uuid("message")), None, None, 204),
    Operation("POST", f"{_UNDELIVERED}/{{message}}/settle", "mails", "Say that one was dealt with",
              lambda c: undelivered.settle(c.tx, c.who, c.uuid("message")), None, None, 204),
    Operation("POST", f"{_UNDELIVERED}/{{message}}/address", "mails", "Ask a patient to confirm the right address",
              lambda c: undelivered.correct_address(c.tx, c.who, c.uuid("message"), c.body.email),
              NewAddress, None, 204),
    Operation("GET", _LANGUAGE, "account", "The language of one's own mails",
              lambda c: LanguageNow(accounts.language_of(c.tx, c.who)), result=LanguageNow),
    Operation("PUT", _LANGUAGE, "account", "Choose it",
              lambda c: accounts.set_language(c.tx, c.who, c.body.language), OwnLanguage, None, 204),
)
# fmt: on

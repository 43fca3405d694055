"""What mails say: the catalogue, words of one's own by program and language, health words, senders, text and HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from cases import health_words, mail_catalogue, notify
from cases.mail_catalogue import ABOUT
from cases.mail_models import MailSender, MailWording, MailWords
from cases.mail_rendering import Wording, built_in, filled
from cases.mail_texts import TEMPLATES
from cases.models import Case, Message
from cases.service import accounts, mail_settings, mails
from overread.kit import principals
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.language import WRITTEN
from tests.cases.world import World

BASE = "https://overread.example"
GOOD = ("Ihr Bericht {reference}", "Guten Tag,\n\nIhr Bericht ist da:\n{link}\n\n{sender}")


@pytest.fixture(autouse=True)
def as_built(world: World) -> Iterator[None]:
    """Nothing of one's own is left for the next test."""
    yield
    with world.db.transaction() as tx:
        for model in (MailWording, MailSender, MailWords):
            tx.execute(delete(model))


def write(world: World, program: str, language: str, mail: str, subject: str, text: str) -> None:
    with world.db.transaction() as tx:
        mails.write(tx, world.who["admin"], program, language, mail, subject, text)


def sent(world: World, message_id: object) -> EmailMessage:
    """A mail as it lies in the folder."""
    world.drain()
    mail = message_from_bytes(Path(world.folder / "mail" / f"{message_id}.eml").read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def parts(mail: EmailMessage) -> tuple[str, str]:
    """Its plain text and its HTML."""
    found = [mail.get_body((kind,)) for kind in ("plain", "html")]
    texts = [str(part.get_content()).replace("\r\n", "\n") for part in found if part is not None]
    assert len(texts) == 2
    return texts[0], texts[1]


def queued(world: World, template: str, case_id: object = None) -> object:
    with world.db.transaction() as tx:
        case = tx.get(Case, case_id) if case_id else None
        notify.queue(tx, case, world.patient.id, template)
        return tx.scalars(select(Message.id).order_by(Message.id.desc()).limit(1)).one()


def test_every_mail_is_in_the_catalogue() -> None:
    assert set(ABOUT) == set(TEMPLATES)
    for key in ABOUT:
        assert set(mail_catalogue.required(key)) <= set(mail_catalogue.allowed(key))
        if "{link}" in TEMPLATES[key].body:
            assert "link" in mail_catalogue.required(key)


def test_no_built_in_mail_holds_a_health_word() -> None:
    lists = {one: health_words.built_in(one) for one in WRITTEN}
    assert all(lists.values())
    for key in TEMPLATES:
        said = built_in(key)
        assert health_words.found(f"{said.subject}\n{said.text}", lists["en"]) == "", key


@pytest.mark.parametrize(
    ("text", "language", "word"),
    [
        ("Your tumours", "en", "tumours"),
        ("Your MRI is ready", "en", "MRI"),
        ("your mri.", "en", "mri"),
        ("contact us, direct", "en", ""),
        ("Adenocarcinomas", "en", "Adenocarcinomas"),
        ("t\u00adumour", "en", "t\u00adumour"),
        ("ＭＲＩ", "en", "ＭＲＩ"),
        ("Brustkrebszentrum", "de", "Brustkrebszentrum"),
        ("Leukaemie, LEUKÄMIE", "de", "LEUKÄMIE"),
        ("肺癌的报告", "zh", "肺癌的报告"),
        ("आपकी रिपोर्ट", "hi", ""),
        ("Ihr Bericht", "de", ""),
    ],
)
def test_health_words_are_found(text: str, language: str, word: str) -> None:
    assert health_words.found(text, health_words.built_in(language)) == word


def test_a_program_says_it_in_its_own_words_and_language(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        accounts.set_language(tx, world.patient, "de")
        principals.get(tx, world.patient.id).zone = "Europe/Berlin"
        tx.get_one(Case, case_id).due_at = datetime(2027, 1, 15, 11, 42, tzinfo=UTC)
    # Nobody has worded it in German: English, in the reader's zone.
    mail = sent(world, queued(world, "accepted", case_id))
    text, html = parts(mail)
    assert "Friday 15 January, 12:42 CET" in text
    assert "Friday 15 January, 12:42 CET" in html
    assert '<html lang="en" dir="ltr">' in html
    write(world, "", "de", "accepted", "Vorgang {reference}", "Bis {due}:\n{link}")
    text, html = parts(sent(world, queued(world, "accepted", case_id)))
    assert text.startswith("Bis Freitag, 15. Januar 2027, 12:42 CET:\nhttps://overread.example/cases/")
    assert '<html lang="de" dir="ltr">' in html
    assert "sent automatically" not in text
    # The program's own before everybody's, and another program's never.
    write(world, "free", "de", "accepted", "Unser {reference}", "Unser Wort: {due} {link}")
    write(world, "msk", "de", "accepted", "Deren {reference}", "Deren Wort: {due} {link}")
    mail = sent(world, queued(world, "accepted", case_id))
    assert mail["Subject"].startswith("Unser OV-")
    with world.db.transaction() as tx:
        mails.reset(tx, world.who["admin"], "free", "de", "accepted")
        mails.reset(tx, world.who["admin"], "free", "de", "accepted")
    assert sent(world, queued(world, "accepted", case_id))["Subject"].startswith("Vorgang OV-")
    with world.db.transaction() as tx:
        accounts.set_language(tx, world.patient, "en")
    assert "accepted your request" in parts(sent(world, queued(world, "accepted", case_id)))[0]
    with world.db.transaction() as tx:
        stored = tx.scalars(select(Message.subject).where(Message.case_id == case_id, Message.template == "accepted"))
        assert any(one.startswith("Unser OV-") for one in stored)
        tx.execute(update(principals.PrincipalRow).values(language=None, zone=None))


@pytest.mark.parametrize(
    ("mail", "subject", "text", "told"),
    [
        ("published", "", "{link}", "needs a subject and a text"),
        ("published", "Ready", " \n ", "needs a subject and a text"),
        ("published", "x" * 151, "{link}", "150 characters at most"),
        ("published", "Ready", "{link}" + "x" * 5000, "a text has 5000"),
        ("published", "Ready", "{patient_name} {link}", "can’t say {patient_name}. It can say: {reference}, {link}"),
        ("published", "Ready", "{link.__class__} {link}", "Braces stand around a placeholder alone"),
        ("published", "Ready", "{link} {", "Braces stand around a placeholder alone"),
        ("published", "Ready", "Come and see.", "has to say {link}"),
        ("accepted", "Begun", "{link}", "has to say {due}"),
        ("published", "Ready", "Your MRI: {link}", "“MRI” tells of somebody’s health"),
        ("published", "Your diagnosis", "{link}", "“diagnosis” tells of somebody’s health"),
    ],
)
def test_what_a_mail_may_not_say_is_refused_with_a_sentence(
    world: World, mail: str, subject: str, text: str, told: str
) -> None:
    admin = world.who["admin"]
    with world.db.transaction() as tx:
        for refused in (
            lambda: mails.write(tx, admin, "", "en", mail, subject, text),
            lambda: mails.preview(tx, admin, "", "en", mail, subject, text, BASE),
        ):
            with pytest.raises(Unprocessable) as error:
                refused()
            assert told in error.value.safe
        assert tx.scalars(select(MailWording)).all() == []


def test_who_may_and_what_there_is(world: World) -> None:
    admin = world.who["admin"]
    with world.db.transaction() as tx:
        for who in (world.coordinator, world.patient, world.specialist, world.auditor):
            with pytest.raises(Forbidden):
                mails.listed(tx, who, "", "en")
            with pytest.raises(Forbidden):
                mails.write(tx, who, "", "en", "published", "Ready", "{link}")
            with pytest.raises(Forbidden):
                mail_settings.set_words(tx, who, "en", [])
        for wrong in (("nothing", "en", "published"), ("", "en", "nothing")):
            with pytest.raises(NotFound):
                mails.read(tx, admin, *wrong)
        with pytest.raises(Unprocessable):
            mails.listed(tx, admin, "", "eo")
        assert len(mails.listed(tx, admin, "free", "th")) == len(TEMPLATES)


def test_two_who_write_at_once_are_told(world: World) -> None:
    admin = world.who["admin"]
    with world.db.transaction() as tx:
        shown = mails.read(tx, admin, "", "de", "published").edition
        mails.write(tx, admin, "", "de", "published", *GOOD, instead_of=shown)
        # A double click is no other change.
        mails.write(tx, admin, "", "de", "published", *GOOD, instead_of=shown)
        with pytest.raises(Conflict) as error:
            mails.write(tx, admin, "", "de", "published", "Anders", GOOD[1], instead_of=shown)
        assert "Somebody else has changed" in error.value.safe
        assert mails.read(tx, admin, "", "de", "published").subject == GOOD[0]


def test_a_list_of_words_is_changed_and_stops_what_was_saved(world: World) -> None:
    admin = world.who["admin"]
    write(world, "", "en", "published", "Teapot news", "A teapot: {link}")
    with world.db.transaction() as tx:
        words = mail_settings.word_list(tx, admin, "en")
        assert ("MRI" in words.words, words.changed) == (True, False)
        for bad in (["x"], ["a*b"], ["*"], ["x" * 61], ["word"] * 2 + [f"w{n}" for n in range(501)]):
            with pytest.raises(Unprocessable) as error:
                mail_settings.set_words(tx, admin, "en", bad)
            assert "can’t stand in the list" in error.value.safe
        mail_settings.set_words(tx, admin, "en", [" teapot* ", "", "teapot*"])
        assert mail_settings.word_list(tx, admin, "en").words == ("teapot*",)
        line = next(one for one in mails.listed(tx, admin, "", "en") if one.mail == "published")
        assert (line.whose, line.refused) == ("built-in", "Teapot")
        mails.preview(tx, admin, "", "en", "published", "Your MRI", "{link}", BASE)
    case_id = world.submitted("free")
    assert "teapot" not in parts(sent(world, queued(world, "published", case_id)))[0].lower()
    with world.db.transaction() as tx:
        mail_settings.set_words(tx, admin, "en", None)
        assert "MRI" in mail_settings.word_list(tx, admin, "en").words
    assert "A teapot" in parts(sent(world, queued(world, "published", case_id)))[0]


def test_mails_are_signed_by_a_neutral_name_in_its_colour(world: World) -> None:
    admin, case_id = world.who["admin"], world.submitted("free")
    mail = sent(world, queued(world, "published", case_id))
    for part in parts(mail):
        assert "Overread" in part
        assert "Free reading" not in part
    with world.db.transaction() as tx:
        for name, colour, told in (
            ("Krebszentrum Nord", "", "tells of somebody’s health"),
            ("Clinic <x@y.example>", "", "none of < > @"),
            ("Clinic\u202eBcc", "", "none of < > @"),
            ("x" * 61, "", "60 characters at most"),
            ("Clinic", "red", "a colour such as"),
            ("Clinic", "#ffee00", "too light to be read"),
        ):
            with pytest.raises(Unprocessable) as error:
                mail_settings.set_sender(tx, admin, "free", name, colour)
            assert told in error.value.safe
        mail_settings.set_sender(tx, admin, "", "Haus am See", "#7a1f3d")
        mail_settings.set_sender(tx, admin, "free", "Zweite Meinung, Büro", "")
    mail = sent(world, queued(world, "published", case_id))
    assert mail["From"].addresses[0].display_name == "Zweite Meinung, Büro"
    text, html = parts(mail)
    assert "Zweite Meinung, Büro" in text
    assert "border-top:6px solid #7a1f3d" in html
    with world.db.transaction() as tx:
        assert mail_settings.sender(tx, admin, "free").colour_else == "#7a1f3d"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_html_says_what_the_text_says_and_fetches_nothing() -> None:
    facts = {"reference": "<img src=x>", "link": f"{BASE}/cases/1", "entries": [["a <b>line</b>", "/queue?a=1&b=2"]]}
    said = Wording("{reference} & {nothing}", "Say {reference}\n{link}\n\n{entries}\n\n{sender}\nhttps://evil.example/")
    mail = filled(said, facts, "<1@a>", "a@example.org", BASE)
    assert mail.subject == "<img src=x> & {nothing}"
    read = _Tags()
    read.feed(mail.html)
    assert {tag for tag, _ in read.tags} <= {"html", "head", "meta", "title", "body", "div", "p", "a", "br"}
    links = [one["href"] for tag, one in read.tags if tag == "a"]
    assert links == [f"{BASE}/cases/1", f"{BASE}/queue?a=1&b=2"]
    assert not any({"src", "srcset", "background"} & set(one) or "url(" in str(one) for _, one in read.tags)
    plain = unescape(re.sub(r"<[^>]+>", " ", mail.html.partition("<body")[2]))
    for word in ("Say <img src=x>", "a <b>line</b>", "https://evil.example/", "Overread"):
        assert word in mail.text
        assert word in plain
    assert 'dir="rtl"' in filled(Wording("a", "b", "ar"), {}, "", "", BASE).html


def test_a_fact_is_never_filled_again() -> None:
    mail = filled(Wording("{reference}", "{reference}"), {"reference": "{link}", "link": "secret"}, "", "", BASE)
    assert (mail.subject, "secret" in mail.text) == ("{link}", False)


@pytest.mark.parametrize("mail", ["published", "digest", "confirm_address", "delegate_invited", "offer"])
def test_a_test_mail_goes_to_who_asks_with_sample_values(world: World, mail: str) -> None:
    admin = world.who["admin"]
    with world.db.transaction() as tx:
        person = principals.get(tx, admin.id)
        person.email = person.email or "admin@example.org"
        assert mails.send_test(tx, admin, "free", "de", mail) == person.email
        message_id = tx.scalars(select(Message.id).order_by(Message.id.desc()).limit(1)).one()
    got = sent(world, message_id)
    assert got["To"] == "admin@example.org"
    text, _ = parts(got)
    assert "{" not in text + got["Subject"]
    # The link of a confirmation or an invitation opens nothing.
    assert not re.search(r"/(confirm|acting)/[\w-]{43}", text)


def test_a_preview_shows_samples_and_keeps_nothing(world: World) -> None:
    with world.db.transaction() as tx:
        made = mails.preview(tx, world.who["admin"], "free", "ja", "accepted", "{reference}", "{due}\n{link}", BASE)
        assert made.subject == "OV-2222-2222"
        assert re.match(r"\d{4}年\d+月\d+日.曜日, \d+:\d\d UTC\nhttps://overread\.example/", made.text)
        assert tx.scalars(select(MailWording)).all() == []

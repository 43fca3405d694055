"""The admin's pages of mails: what each says, how it looks, whom mails are from and which words none may hold."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from cases.service import hours, mail_settings, mails
from cases.service.mails import MailLine
from overread.kit.errors import Unprocessable
from overread.kit.language import SOURCE, WRITTEN, Phrase, gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import FieldErrors
from overread.web.paging import address

#: The look of a mail is its own; nothing else of what it holds does anything.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)
_TO: Mapping[str, str] = {
    "patient": Phrase("To the patient, and to who acts for them"),
    "coordinator": Phrase("To coordinators"),
    "specialist": Phrase("To the specialist"),
    "admin": Phrase("To admins"),
    "staff": Phrase("To coordinators and admins"),
    "owner": Phrase("To an account’s owner"),
    "stranger": Phrase("To somebody who may have no account"),
    "referrer": Phrase("To whoever referred the patient"),
}
#: What each placeholder stands for, as whoever writes a text reads it.
PLACEHOLDERS: Mapping[str, str] = {
    "reference": Phrase("the number of the case"),
    "due": Phrase("the due time, in the reader’s zone"),
    "expires": Phrase("until when the offer stands, in the reader’s zone"),
    "days": Phrase("how many days ago something was asked"),
    "left": Phrase("how many days are left"),
    "entries": Phrase("the list of what is to be looked at"),
    "subject": Phrase("how much there is to look at"),
    "link": Phrase("the address of the page, behind the sign-in"),
    "sender": Phrase("the sender’s name"),
}
_WHOSE: Mapping[str, dict[str, str]] = {
    "own": render.status(Phrase("Own words"), "good"),
    "every": render.status(Phrase("Words of all programs"), "info"),
    "built-in": render.status(Phrase("Built-in"), "neutral"),
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of mails."""
    desk, one = Desk(services, Permission.MAILS_MANAGE), "/mails/texts/{mail}"
    return [
        desk.get("/mails", listing),
        desk.post("/mails/sender", set_sender, listing),
        desk.get("/mails/words", words_page),
        desk.post("/mails/words", set_words, words_page),
        desk.get(one, form),
        desk.post(one, save, form),
        desk.get(f"{one}/preview", preview),
        desk.post(f"{one}/preview", preview),
        desk.post(f"{one}/reset", reset, form),
        desk.post(f"{one}/test", test, form),
    ]


def listing(ctx: TxContext) -> Response:
    """Every mail, as it is sent for a program in a language; and who mails are from."""
    program, language = _where(ctx)
    sender = mail_settings.sender(ctx.tx, ctx.who, program)
    groups: dict[str, list[MailLine]] = {}
    for one in mails.listed(ctx.tx, ctx.who, program, language):
        groups.setdefault(one.to, []).append(one)
    return ctx.page(
        "admin/mails.html",
        groups=[
            {
                "label": _TO[to],
                "mails": [
                    {
                        "url": address(f"/mails/texts/{one.mail}", program=program, language=language),
                        "when": one.when,
                        "subject": one.subject,
                        "whose": _WHOSE[one.whose],
                        "refused": one.refused,
                    }
                    for one in lines
                ],
            }
            for to, lines in groups.items()
        ],
        programs=_programs(ctx),
        languages=[{"value": code, "label": name} for code, name in WRITTEN.items()],
        chosen={"program": program, "language": language},
        sender={"name_else": sender.name_else, "colour_else": sender.colour_else},
        sender_action="/mails/sender",
        words_url=address("/mails/words", language=language),
        values=ctx.form.values() if ctx.form.names() else {"name": sender.name, "colour": sender.colour},
    )


def set_sender(ctx: TxContext) -> Response:
    """Choose whom a program's mails are from, and their colour."""
    program, language = _where(ctx)
    try:
        mail_settings.set_sender(ctx.tx, ctx.who, program, ctx.form.text("name"), ctx.form.text("colour"))
    except Unprocessable as error:
        raise FieldErrors({"colour" if "colour" in str(error) else "name": error.safe}) from error
    return go(address("/mails", program=program, language=language, done="saved"))


def form(ctx: TxContext) -> Response:
    """One mail, to be written anew."""
    program, language = _where(ctx)
    mail = mails.read(ctx.tx, ctx.who, program, language, _mail(ctx))
    values = {"subject": mail.subject, "text": mail.text}
    if "text" in ctx.form.names():
        values = ctx.form.values()
    url = f"/mails/texts/{mail.mail}"
    kept = {"program": program, "language": language}
    return ctx.page(
        "admin/mail.html",
        mail={
            "when": mail.when,
            "to": _TO[mail.to],
            "whose": _WHOSE[mail.whose],
            "own": mail.whose == "own" or mail.refused,
            "refused": mail.refused,
            "now": {"subject": mail.subject, "text": mail.text},
            "built_in": {"subject": mail.built_in_subject, "text": mail.built_in_text},
        },
        program=next(one["label"] for one in _programs(ctx) if one["value"] == program),
        language_name=WRITTEN[language],
        placeholders=[
            {"name": f"{{{one}}}", "about": PLACEHOLDERS[one], "required": one in mail.required}
            for one in mail.placeholders
        ],
        back_url=address("/mails", **kept),
        action=url,
        preview_action=f"{url}/preview",
        preview_url=address(f"{url}/preview", **kept),
        reset_action=f"{url}/reset",
        test_action=f"{url}/test",
        # What is refused was typed over what is shown: the form goes on from that.
        hidden={**kept, "instead_of": mail.edition},
        values=values,
    )


def save(ctx: TxContext) -> Response:
    """Say it in other words."""
    program, language = _where(ctx)
    typed = ctx.form.text("subject"), ctx.form.text("text")
    shown = ctx.form.text("instead_of")
    try:
        mails.write(ctx.tx, ctx.who, program, language, _mail(ctx), *typed, instead_of=shown)
    except Unprocessable as error:
        raise FieldErrors({"text": error.safe}) from error
    return go(address(f"/mails/texts/{_mail(ctx)}", program=program, language=language, done="saved"))


def preview(ctx: TxContext) -> Response:
    """The mail in the words that were typed, or in those that are sent, with sample values."""
    program, language = _where(ctx)
    subject, text = ctx.form.text("subject"), ctx.form.text("text")
    if not ctx.form.names():
        mail = mails.read(ctx.tx, ctx.who, program, language, _mail(ctx))
        subject, text = mail.subject, mail.text
    base = ctx.services.settings.base_url
    try:
        made = mails.preview(ctx.tx, ctx.who, program, language, _mail(ctx), subject, text, base)
    except Unprocessable as error:
        told = f'<p style="font:16px/1.5 Arial,Helvetica,sans-serif;color:#9b1c1c">{escape(error.safe)}</p>'
        return _framed(f"<!doctype html><body>{told}", error.status)
    look = "max-width:560px;margin:0 auto 16px;font:15px/1.5 Arial,Helvetica,sans-serif"
    head = (
        f'<div style="{look}" dir="auto"><b>{escape(gettext("Subject"))}:</b> {escape(made.subject)}<br>'
        f"<b>{escape(gettext('From'))}:</b> {escape(made.sender or gettext('as the server is set up'))}</div>"
    )
    plain = (
        f'<div style="{look};margin-top:24px"><b>{escape(gettext("For readers without HTML"))}</b>'
        '<pre style="padding:16px;background:#ffffff;white-space:pre-wrap;overflow-wrap:anywhere" dir="auto">'
        f"{escape(made.text)}</pre></div>"
    )
    begin = made.html.index("<div")
    return _framed(made.html[:begin] + head + made.html[begin:].replace("</body>", f"{plain}</body>"))


def reset(ctx: TxContext) -> Response:
    """Go back to the words that counted before."""
    program, language = _where(ctx)
    mails.reset(ctx.tx, ctx.who, program, language, _mail(ctx))
    return go(address(f"/mails/texts/{_mail(ctx)}", program=program, language=language, done="reset"))


def test(ctx: TxContext) -> Response:
    """Send the mail as it stands to whoever asks."""
    program, language = _where(ctx)
    mails.send_test(ctx.tx, ctx.who, program, language, _mail(ctx))
    return go(address(f"/mails/texts/{_mail(ctx)}", program=program, language=language, done="tested"))


def words_page(ctx: TxContext) -> Response:
    """The words that no mail in a language may hold."""
    _, language = _where(ctx)
    found = mail_settings.word_list(ctx.tx, ctx.who, language)
    return ctx.page(
        "admin/mail_words.html",
        languages=[
            {
                "url": address("/mails/words", language=code),
                "label": name,
                "code": code,
                "current": code == language,
            }
            for code, name in WRITTEN.items()
        ],
        spoken=language,
        language_name=WRITTEN[language],
        changed=found.changed,
        action="/mails/words",
        back_url=address("/mails", language=language),
        values=ctx.form.values() if ctx.form.names() else {"words": "\n".join(found.words)},
    )


def set_words(ctx: TxContext) -> Response:
    """Change them, or go back to the built-in ones."""
    _, language = _where(ctx)
    words = None if ctx.form.text("go") == "reset" else ctx.form.text("words").splitlines()
    try:
        mail_settings.set_words(ctx.tx, ctx.who, language, words)
    except Unprocessable as error:
        raise FieldErrors({"words": error.safe}) from error
    return go(address("/mails/words", language=language, done="saved"))


def _where(ctx: TxContext) -> tuple[str, str]:
    """Of which program and in which language: from the form, else from the address."""
    form, sent = ctx.form, ctx.form.names()
    program = form.text("program") if "program" in sent else ctx.query("program")
    language = form.text("language") if "language" in sent else ctx.query("language")
    return program[:64], language or SOURCE


def _mail(ctx: TxContext) -> str:
    return str(ctx.request.path_params["mail"])


def _programs(ctx: TxContext) -> list[dict[str, Any]]:
    own = [{"value": one.slug, "label": one.name} for one in hours.listed(ctx.tx, ctx.who)]
    return [{"value": "", "label": gettext("All programs")}, *own]


def _framed(html: str, status: int = 200) -> Response:
    return HTMLResponse(html, status, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})

"""A kept mail as it is sent: its words filled with its facts, in the reader's language and zone, as text and as HTML.

The HTML says what the text says, in the sender's colour: no picture, nothing from elsewhere, nothing that tells when
it was read (RFC 2046 5.1.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from cases.mail_catalogue import PLACEHOLDER
from cases.mail_texts import TEMPLATES
from cases.models import Message
from overread.kit import zones
from overread.kit.language import RIGHT_TO_LEFT, SOURCE, gettext, languages, speaking

#: Who a mail is from where no program says it otherwise, and in which colour.
SENDER, COLOUR = "Overread", "#0b5c6b"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, ready to send. `message_id` stays the same when it is sent again; `sender`: "" for the server's own."""

    message_id: str
    recipient: str
    subject: str
    text: str
    html: str
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a mail says, in which language; `sender` and `colour` are "" where nobody has chosen."""

    subject: str
    text: str
    language: str = SOURCE
    sender: str = ""
    colour: str = ""


def built_in(template: str, language: str = SOURCE) -> Wording:
    """The words of a template that nobody has changed; English where there is no catalogue."""
    known = language if language in languages() else SOURCE
    with speaking(known):
        return Wording(f"{TEMPLATES[template].subject}", f"{TEMPLATES[template].body}", known)


def rendered(message: Message, address: str, base_url: str, token: str = "", said: Wording | None = None) -> Mail:
    """A kept mail as it is sent, in these words; `token` is a link's secret, for the one that has any."""
    said = said or built_in(message.template)
    page = TEMPLATES[message.template].page.format(case_id=message.case_id, token=token)
    facts = message.facts | {"link": base_url + page}
    domain = base_url.partition("://")[2].partition("/")[0].partition(":")[0] or "localhost"
    return filled(said, facts, f"<{message.id}@{domain}>", address, base_url)


def filled(said: Wording, facts: Mapping[str, Any], message_id: str, address: str, base_url: str) -> Mail:
    """Words with facts in them, as a mail."""
    sender = said.sender or SENDER
    values = {name: _written(value, said.language, base_url) for name, value in facts.items()} | {"sender": sender}

    def fill(text: str) -> str:
        return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)

    # In a language without a catalogue the words are the program's own alone.
    small = ""
    if said.language in languages():
        with speaking(said.language):
            small = gettext("This mail was sent automatically; replies are not read.")
    subject, body = " ".join(fill(said.subject).split()), fill(said.text)
    text = "\n\n".join(part for part in (body, sender, small) if part) + "\n"
    html = _html(subject, body, sender, small, said, values.get("link", ""), base_url)
    return Mail(message_id, address, subject, text, html, said.sender)


def _written(value: Any, language: str, base_url: str) -> str:
    """A fact as the mail has it: a moment in its reader's zone, a list with an address below each line."""
    if value is None:
        with speaking(language):
            return gettext("the time shown on its page")
    if isinstance(value, dict):
        return _moment(datetime.fromisoformat(value["at"]), value["zone"], language)
    if isinstance(value, list):
        return "\n\n".join(f"{words}\n{base_url}{page}" for words, page in value)
    return str(value)


def _moment(at: datetime, zone: str, language: str) -> str:
    if language == SOURCE:
        return zones.sentence(at, zone)
    # Loaded where there is another language, as catalogues are.
    from babel.dates import format_date, format_time

    there = at.astimezone(zones.zone(zone))
    return (
        f"{format_date(there, 'full', language)}, {format_time(there, 'short', locale=language)} {zones.short(there)}"
    )


def _html(subject: str, body: str, sender: str, small: str, said: Wording, link: str, base_url: str) -> str:
    colour = said.colour or COLOUR
    parts = (part.splitlines() for part in body.split("\n\n") if part.strip())
    lines = ("<br>".join(_line(line, link, colour, base_url) for line in part) for part in parts)
    paragraphs = "\n".join(f'<p style="margin:0 0 16px">{part}</p>' for part in lines)
    below = f'<p style="margin:8px 0 0;font-size:14px;color:#5b6670">{escape(small)}</p>' if small else ""
    direction = "rtl" if said.language in RIGHT_TO_LEFT else "ltr"
    return f"""<!doctype html>
<html lang="{escape(said.language)}" dir="{direction}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(subject)}</title></head>
<body style="margin:0;padding:24px 12px;background:#f2f4f5;color:#1c2329;font:16px/1.5 Arial,Helvetica,sans-serif">
<div style="max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border-top:6px solid {colour}">
<p style="margin:0 0 20px;font-size:18px;font-weight:bold;color:{colour}">{escape(sender)}</p>
{paragraphs}
<p style="margin:24px 0 0;padding-top:16px;border-top:1px solid #d9dee2">{escape(sender)}</p>
{below}
</div>
</body>
</html>
"""


def _line(line: str, link: str, colour: str, base_url: str) -> str:
    """A line of the text; one that is an address of ours is a link, and that of the mail's own page stands out."""
    shown = escape(line)
    if not line.startswith(f"{base_url}/") or len(line.split()) != 1:
        return shown
    look = f"color:{colour};word-break:break-all"
    if line == link:
        look = f"display:inline-block;margin:8px 0;padding:10px 16px;border:2px solid {colour};border-radius:6px;{look}"
    return f'<a href="{shown}" style="{look}">{shown}</a>'

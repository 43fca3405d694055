"""What mails say where something waits, and after a report; of `cases.mail_texts`, by the same rules."""

from __future__ import annotations

from collections.abc import Mapping

from cases.mail_template import Template
from overread.kit.language import Phrase

TEMPLATES: Mapping[str, Template] = {
    "images_awaited": Template(
        Phrase("{reference}: nothing has come from your hospital yet"),
        Phrase(
            "Your request has been with us for {days} days, and your hospital has not sent what it is to send. Please "
            "ask there: the number to give is {reference}.\n\nA sheet for the hospital is here, and you can send "
            "everything yourself as well:\n{link}"
        ),
    ),
    "closing_soon": Template(
        Phrase("{reference}: your request closes on {ends}"),
        Phrase(
            "Nothing is open in your request any more, so it closes by itself on {ends}. Until then you can still ask "
            "questions after your report, as far as you have any left; this right ends then. Your report stays on its "
            "page, and you can read and download it at any time.\n\nAsk here, if something is unclear:\n{link}"
        ),
        "/cases/{case_id}/report",
    ),
    "closed": Template(
        Phrase("{reference}: your request is closed"),
        Phrase(
            "Your request is closed: no more questions can be asked after the report, and the specialist can't see "
            "your images any more. The report stays here for you:\n{link}"
        ),
    ),
    "follow_up_waits": Template(
        Phrase("{reference}: a question still waits for your answer"),
        Phrase("The reader of your report asked you something some days ago, and has no answer yet:\n{link}"),
        "/reading/{case_id}",
    ),
    "follow_up_late": Template(
        Phrase("{reference}: a question after the report is not answered"),
        Phrase("The patient asked something some days ago. The specialist was reminded; see that it is done:\n{link}"),
        "/queue/{case_id}",
    ),
    "message_unread": Template(
        Phrase("{reference}: a message waits for you"),
        Phrase("We wrote to you some days ago, and nobody has read it yet. Sign in to read it:\n{link}"),
    ),
    "message_unanswered": Template(
        Phrase("{reference}: a message of the patient has no answer"),
        Phrase("The patient wrote some days ago, and nobody has answered since:\n{link}"),
        "/queue/{case_id}",
    ),
    "change_waits": Template(
        Phrase("{reference}: a correction or addition still waits for you"),
        Phrase("You were asked for a correction or an addition some days ago, and have not begun one:\n{link}"),
        "/reading/{case_id}",
    ),
    "change_late": Template(
        Phrase("{reference}: no correction or addition was begun"),
        Phrase(
            "The specialist was asked for a correction or an addition some days ago, and was reminded just now. See "
            "that it is done:\n{link}"
        ),
        "/queue/{case_id}",
    ),
    "version_waits": Template(
        Phrase("{reference}: a signed correction or addition is not published"),
        Phrase(
            "It was signed some days ago, and the patient does not have it yet. Publish it, or send it back:\n{link}"
        ),
        "/queue/{case_id}",
    ),
    "visit_waits": Template(
        Phrase("{reference}: a wish for a visit has no answer"),
        Phrase("The patient asked some days ago to be seen by the clinic. Answer them here:\n{link}"),
        "/aftercare",
    ),
    "visit_answered": Template(
        Phrase("{reference}: the clinic’s answer to your wish for a visit"),
        Phrase("You asked to be seen by the clinic, and there is an answer:\n{link}"),
        "/cases/{case_id}/visit",
    ),
    "check_in": Template(
        Phrase("How is the work going?"),
        Phrase(
            "You have signed {readings} reports for {program}. How is it going? One click is enough, and a word is "
            "welcome:\n{link}"
        ),
        "/check-ins",
    ),
    "erasure_asked": Template(
        Phrase("{reference}: somebody asks for an erasure"),
        Phrase("A case is to be erased, as its patient wishes. Begin it here; a second person carries it out:\n{link}"),
        "/erasures/{case_id}",
    ),
    "erasure_waits": Template(
        Phrase("{reference}: an erasure is not carried out"),
        Phrase(
            "A patient asked a week ago that their case be erased, and it is not done. See what holds it up:\n{link}"
        ),
        "/erasures/{case_id}",
    ),
}

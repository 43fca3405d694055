"""The catalogue of mails: of each template in `cases.notify` when it goes out and to whom, and what may stand in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cases.mail_texts import TEMPLATES
from overread.kit.language import Phrase

LONGEST_SUBJECT, LONGEST_TEXT, LONGEST_SENDER = 150, 5_000, 60
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
#: What a mail is of little use without: where the built-in text has it, every other text must.
_NEEDED = frozenset(("link", "due", "expires", "ends", "entries"))
#: What any text may say besides: who it is from.
SENDER = "sender"


class Reader(StrEnum):
    """Whom a mail goes to."""

    PATIENT = "patient"
    COORDINATOR = "coordinator"
    SPECIALIST = "specialist"
    ADMIN = "admin"
    STAFF = "staff"
    OWNER = "owner"
    STRANGER = "stranger"
    REFERRER = "referrer"


@dataclass(frozen=True, slots=True)
class About:
    """When a mail goes out, and to whom."""

    to: Reader
    when: str


_P, _C, _S = Reader.PATIENT, Reader.COORDINATOR, Reader.SPECIALIST
ABOUT: Mapping[str, About] = {
    "submitted": About(_P, Phrase("A request was sent in and is complete")),
    "submitted_waiting": About(_P, Phrase("A request was sent in; images are still to come from a hospital")),
    "images_arrived": About(_P, Phrase("What a hospital was to send is here")),
    "needs_info": About(_P, Phrase("The program asks for something")),
    "reminder": About(_P, Phrase("Nobody has answered that for some days")),
    "expired": About(_P, Phrase("Nobody has answered in time, and the request was closed")),
    "accepted": About(_P, Phrase("A specialist has accepted the case")),
    "published": About(_P, Phrase("The report was published")),
    "unread": About(_P, Phrase("Nobody has opened the report for some days")),
    "new_version": About(_P, Phrase("A correction of the report, or an addition to it, was published")),
    "recalled": About(_P, Phrase("The report was recalled")),
    "restored": About(_P, Phrase("A recalled report was given back")),
    "version_of_read": About(_C, Phrase("A report that they have read was corrected or added to")),
    "recall_incident": About(_C, Phrase("A published report was recalled")),
    "recall_incident_admin": About(Reader.ADMIN, Phrase("A published report was recalled")),
    "sent_back": About(_S, Phrase("A signed report was sent back before it was published")),
    "change_asked": About(_S, Phrase("A coordinator asks for a correction or an addition")),
    "declined": About(_P, Phrase("The program declines the request")),
    "withdrawn": About(_P, Phrase("The request was withdrawn")),
    "pay_again": About(_P, Phrase("A payment has to be confirmed again")),
    "new_promise": About(_P, Phrase("A coordinator gives a new due time")),
    "paused": About(_P, Phrase("A coordinator stops the clock")),
    "resumed": About(_P, Phrase("The clock goes on")),
    "due_near": About(_C, Phrase("A case is due soon")),
    "due_passed": About(_C, Phrase("A due time has passed")),
    "case_given": About(_C, Phrase("A colleague gave the reader a case")),
    "report_due_near": About(_S, Phrase("A report is due soon")),
    "report_due_passed": About(_S, Phrase("A report is late")),
    "due_moved": About(_S, Phrase("A report is due at another time")),
    "message": About(_P, Phrase("A coordinator has written")),
    "follow_up": About(_S, Phrase("The patient asks something about the report")),
    "follow_up_answered": About(_P, Phrase("The specialist has answered that")),
    "incident": About(_C, Phrase("A study was taken out after a specialist could see it")),
    "hold_ending": About(_C, Phrase("The hold on a card ends within a day")),
    "payment_problem": About(_C, Phrase("A payment failed, ran out or is disputed")),
    "refund_problem": About(_C, Phrase("Money could not be given back")),
    "digest": About(_C, Phrase("Something waits to be looked at")),
    "damaged": About(Reader.STAFF, Phrase("The file of an image is missing or damaged")),
    "offer": About(_S, Phrase("A case is offered")),
    "offer_taken_back": About(_S, Phrase("An offer was taken back")),
    "accepted_by_you": About(_S, Phrase("An offer was accepted: the images are open")),
    "answered": About(_S, Phrase("What the specialist asked was answered")),
    "new_images": About(_S, Phrase("More images of a case were released")),
    "erased": About(_P, Phrase("A request was erased")),
    "confirm_address": About(_P, Phrase("An account was made, or its address corrected")),
    "corrected": About(_P, Phrase("A coordinator has corrected what a request says of the patient")),
    "delegate_invited": About(Reader.STRANGER, Phrase("Somebody was invited to act for a patient")),
    "delegate_accepted": About(_P, Phrase("An invitation to act for a patient was accepted")),
    "delegate_ended": About(_P, Phrase("An agreement to act for a patient has ended")),
    "referral_invited": About(Reader.STRANGER, Phrase("A patient was referred, or called, and is invited")),
    "referral_taken_up": About(Reader.REFERRER, Phrase("A patient took up what was prepared for them")),
    "referral_refused": About(Reader.REFERRER, Phrase("A patient said no to what was prepared for them")),
    "referral_report": About(Reader.REFERRER, Phrase("A report can be read by whoever referred the patient")),
    "referral_recalled": About(Reader.REFERRER, Phrase("A report that they could read was recalled")),
    "physician_link": About(Reader.STRANGER, Phrase("A patient lets a physician read the report by a link")),
    "physician_changed": About(Reader.STRANGER, Phrase("A report that they can read by a link, or did, has changed")),
    "physician_recalled": About(Reader.STRANGER, Phrase("A report that they can read by a link, or did, was recalled")),
    "physician_handed": About(_P, Phrase("A coordinator lets a physician read the report, as the patient asked")),
    "has_account": About(Reader.OWNER, Phrase("Somebody wanted to make an account that there is already")),
    "licence_entered": About(Reader.ADMIN, Phrase("A licence waits to be verified")),
    "licence_verified": About(_S, Phrase("A licence was verified")),
    "licence_declined": About(_S, Phrase("A licence could not be verified")),
    "profile_entered": About(Reader.ADMIN, Phrase("What a specialist says they read waits to be confirmed")),
    "profile_confirmed": About(_S, Phrase("What a specialist says they read was confirmed")),
    "profile_declined": About(_S, Phrase("What a specialist says they read could not be confirmed")),
    "images_awaited": About(_P, Phrase("A hospital has not sent the images for some days")),
    "closing_soon": About(_P, Phrase("A case closes by itself in three days")),
    "closed": About(_P, Phrase("A case was closed after its report")),
    "follow_up_waits": About(_S, Phrase("A question after the report has no answer for some days")),
    "follow_up_late": About(_C, Phrase("A question after the report has no answer for some days")),
    "message_unread": About(_P, Phrase("Nobody has read a coordinator’s message for some days")),
    "message_unanswered": About(_C, Phrase("A patient’s message has no answer for some days")),
    "change_waits": About(_S, Phrase("A correction or addition that was asked for is not begun")),
    "change_late": About(_C, Phrase("A correction or addition that was asked for is not begun")),
    "version_waits": About(_C, Phrase("A signed correction or addition is not published")),
    "visit_waits": About(_C, Phrase("A wish for a visit has no answer for some days")),
    "visit_answered": About(_P, Phrase("The clinic has answered a wish for a visit")),
    "check_in": About(_S, Phrase("So many reports of a program are signed")),
    "erasure_asked": About(Reader.ADMIN, Phrase("Somebody asks that a case be erased")),
    "erasure_waits": About(Reader.ADMIN, Phrase("An erasure is not carried out after a week")),
    "place_served": About(Reader.STRANGER, Phrase("A place that somebody waits for is served")),
    "ended": About(_S, Phrase("A case that is being read has ended")),
}


def fields(text: str) -> tuple[str, ...]:
    """The placeholders in a text, each once, in order."""
    return tuple(dict.fromkeys(PLACEHOLDER.findall(text)))


def allowed(key: str) -> tuple[str, ...]:
    """What may stand in the subject and in the text of a mail: what its built-in words have, and the sender."""
    template = TEMPLATES[key]
    return tuple(dict.fromkeys((*fields(template.subject), *fields(template.body), SENDER)))


def required(key: str) -> tuple[str, ...]:
    """What its text must have."""
    return tuple(one for one in fields(TEMPLATES[key].body) if one in _NEEDED)

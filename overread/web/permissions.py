"""Who may do what, as the admin's page shows it: from the table that the services ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cases.service import people
from overread.kit.language import Phrase
from overread.kit.permissions import Permission
from overread.kit.principals import Role

_ORDER = (Role.PATIENT, Role.HOSPITAL, Role.COORDINATOR, Role.SPECIALIST, Role.ADMIN, Role.AUDITOR)
ROLES = tuple(role.value.capitalize() for role in _ORDER)
_NO, _YES = "–", Phrase("yes")
_P = Permission


@dataclass(frozen=True, slots=True)
class Row:
    """A line: what is done, the permissions that it takes, and a word for roles that may do it in part."""

    action: str
    permissions: tuple[Permission, ...]
    words: Mapping[Role, str] = field(default_factory=dict)

    def line(self) -> dict[str, Any]:
        """The line as the page has it, a word for each role."""
        allowed = people.roles_of(self.permissions)
        return {
            "action": self.action,
            "cells": [self.words.get(role, _YES) if role in allowed else _NO for role in _ORDER],
        }


_OWN = {Role.PATIENT: Phrase("own")}
TABLE = (
    Row(Phrase("Start a case"), (_P.CASE_CREATE,), {**_OWN, Role.COORDINATOR: Phrase("for a patient")}),
    Row(
        Phrase("Change a case before it is sent"),
        (_P.CASE_CHANGE,),
        {**_OWN, Role.COORDINATOR: Phrase("for a patient")},
    ),
    Row(
        Phrase("Refer a patient, who is invited"),
        (_P.REFERRALS_MAKE,),
        {Role.HOSPITAL: Phrase("own"), Role.COORDINATOR: Phrase("for a caller")},
    ),
    Row(Phrase("Take up what was prepared for oneself"), (_P.REFERRALS_TAKE_UP,), _OWN),
    Row(Phrase("Agree to the texts"), (_P.CASE_CONSENT,), _OWN),
    Row(Phrase("Look for cases"), (_P.CASE_SEARCH,), _OWN),
    Row(Phrase("Write messages"), (_P.CASE_MESSAGE,), _OWN),
    Row(Phrase("Ask after the report"), (_P.CASE_FOLLOW_UP,), _OWN),
    Row(Phrase("Say how it went, give words for the public pages"), (_P.CASE_FEEDBACK,), _OWN),
    Row(Phrase("Ask for a visit"), (_P.CASE_VISIT,), _OWN),
    Row(Phrase("Answer wishes for a visit, read what was said, approve words"), (_P.AFTERCARE_MANAGE,)),
    Row(Phrase("Say how the work goes"), (_P.CHECK_IN_ANSWER,), {Role.SPECIALIST: Phrase("own")}),
    Row(Phrase("See a program’s figures"), (_P.FIGURES_READ,)),
    Row(Phrase("Send images"), (_P.IMAGES_SEND, _P.CASE_IMAGES_SEND), {**_OWN, Role.HOSPITAL: Phrase("own")}),
    Row(Phrase("Add documents, and open them as they came"), (_P.CASE_DOCUMENTS,), _OWN),
    Row(Phrase("See what became of them"), (_P.IMAGES_SENT,), {Role.HOSPITAL: Phrase("own")}),
    Row(
        Phrase("See identified images"),
        (_P.IMAGES_ORIGINAL,),
        {**_OWN, Role.HOSPITAL: Phrase("what it sent"), Role.ADMIN: Phrase("yes, recorded")},
    ),
    Row(Phrase("See what one sender sent"), (_P.IMAGES_OF_SENDER,), {Role.ADMIN: Phrase("yes, recorded")}),
    Row(Phrase("Delete images that no case needs"), (_P.IMAGES_DELETE,)),
    Row(Phrase("See de-identified images"), (_P.CASE_VIEW,), {Role.SPECIALIST: Phrase("granted")}),
    Row(Phrase("Find the case of a study"), (_P.INBOX_MANAGE,)),
    Row(Phrase("Match, check, release and revoke studies"), (_P.CASE_STUDIES, _P.IMAGES_RELEASE)),
    Row(Phrase("Review pictures, blank, approve"), (_P.IMAGES_REVIEW,)),
    Row(Phrase("Bring a specialist’s objects back to the originals"), (_P.IMAGES_REIDENTIFY,)),
    Row(Phrase("Plan by due times, stop the clock, give a new time"), (_P.DEADLINES_READ, _P.CASE_CLOCK)),
    Row(Phrase("Look after a case, tags, internal notes, filters of the queue"), (_P.CASE_DESK, _P.DESK_USE)),
    Row(Phrase("Offer a case"), (_P.CASE_OFFER,)),
    Row(Phrase("Accept, decline"), (_P.CASE_ANSWER_OFFER,), {Role.SPECIALIST: Phrase("offered")}),
    Row(Phrase("Write and sign"), (_P.REPORT_WRITE, _P.REPORT_SIGN), {Role.SPECIALIST: Phrase("assigned")}),
    Row(Phrase("Publish"), (_P.REPORT_PUBLISH,)),
    Row(Phrase("Read the report"), (_P.REPORT_READ,), {**_OWN, Role.SPECIALIST: Phrase("own")}),
    Row(
        Phrase("Read the report of a patient whom one referred"),
        (_P.REFERRALS_READ_REPORT,),
        {Role.HOSPITAL: Phrase("with consent")},
    ),
    Row(Phrase("Ask for a correction, recall a report"), (_P.REPORT_RECALL,)),
    Row(
        Phrase("Let a treating physician read the report"),
        (_P.REPORT_HAND_OVER,),
        {**_OWN, Role.COORDINATOR: Phrase("as the patient asked")},
    ),
    Row(Phrase("See what was earned"), (_P.FEES_READ,), {Role.SPECIALIST: Phrase("own")}),
    Row(Phrase("Pay"), (_P.CASE_PAY,), _OWN),
    Row(Phrase("Record a payment made outside"), (_P.PAYMENT_RECORD,)),
    Row(
        Phrase("Refund"),
        (_P.REFUND_PART, _P.REFUND_ANY),
        {Role.COORDINATOR: Phrase("up to half"), Role.ADMIN: Phrase("any")},
    ),
    Row(Phrase("Withdraw"), (_P.CASE_WITHDRAW,), _OWN),
    Row(Phrase("Ask for erasure"), (_P.CASE_ASK_ERASURE,), {**_OWN, Role.COORDINATOR: Phrase("for the patient")}),
    Row(
        Phrase("Erase, as one of two persons"),
        (_P.ERASURE_BEGIN, _P.ERASURE_CARRY_OUT),
        {Role.COORDINATOR: Phrase("second"), Role.ADMIN: Phrase("first or second")},
    ),
    Row(Phrase("See erasures"), (_P.ERASURE_READ,)),
    Row(Phrase("Let somebody act for oneself"), (_P.DELEGATES_MANAGE,), _OWN),
    Row(Phrase("Check who may act for a patient"), (_P.CASE_AUTHORITY,)),
    Row(Phrase("Correct name, birth date and sex"), (_P.CASE_CORRECT,)),
    Row(Phrase("Legal hold"), (_P.LEGAL_HOLD,)),
    Row(Phrase("Plan readings in the worklist"), (_P.WORKLIST_SCHEDULE,)),
    Row(Phrase("Follow the worklist"), (_P.WORKLIST_SUBSCRIBE,), {Role.SPECIALIST: Phrase("own")}),
    Row(Phrase("Read hanging protocols, templates and palettes"), (_P.NON_PATIENT_READ,)),
    Row(Phrase("Store and delete them"), (_P.NON_PATIENT_STORE,)),
    Row(Phrase("Record licences"), (_P.LICENCE_SET,), {Role.SPECIALIST: Phrase("own")}),
    Row(Phrase("Say what stands under the signature"), (_P.SIGNATURE_SET,), {Role.SPECIALIST: Phrase("own")}),
    Row(Phrase("Verify licences"), (_P.LICENCE_VERIFY,)),
    Row(Phrase("See licences"), (_P.LICENCE_READ,), {Role.SPECIALIST: Phrase("own")}),
    Row(Phrase("Say what one reads, how much, and when not"), (_P.READER_CHANGE,), {Role.SPECIALIST: Phrase("own")}),
    Row(Phrase("See what specialists read"), (_P.READERS_READ,)),
    Row(Phrase("Confirm what specialists read"), (_P.READERS_CONFIRM,)),
    Row(Phrase("See what places ask"), (_P.PLACE_RULES_READ,)),
    Row(Phrase("Record what places ask"), (_P.PLACE_RULES_SET,)),
    Row(Phrase("See the options of de-identification"), (_P.PROFILES_READ,)),
    Row(Phrase("Choose the options of de-identification"), (_P.PROFILES_CHANGE,)),
    Row(Phrase("See DICOM peers"), (_P.PEERS_READ,)),
    Row(Phrase("See who reads for which program, and when it is open"), (_P.PROGRAMS_READ,)),
    Row(Phrase("People, peers, programs and prices"), (_P.PEOPLE_MANAGE, _P.PEERS_MANAGE, _P.PROGRAMS_MANAGE)),
    Row(Phrase("See what was mailed to them"), (_P.MAILS_OWN,)),
    Row(Phrase("Say what mails say"), (_P.MAILS_MANAGE,)),
    Row(Phrase("Deal with mails that did not arrive"), (_P.MAILS_UNDELIVERED,)),
    Row(Phrase("Correct the own address"), (_P.ACCOUNT_ADDRESS,), {Role.PATIENT: Phrase("until confirmed")}),
    Row(
        Phrase("Audit log"),
        (_P.AUDIT_READ, _P.CASE_ACCESS_LOG),
        {Role.PATIENT: Phrase("own case"), Role.COORDINATOR: Phrase("of a case")},
    ),
)
ROWS = tuple(row.line() for row in TABLE)

"""Who may do what, as the admin's page shows it: from the table that the services ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cases.service import people
from overread.kit.permissions import Permission
from overread.kit.principals import Role

_ORDER = (Role.PATIENT, Role.HOSPITAL, Role.COORDINATOR, Role.SPECIALIST, Role.ADMIN, Role.AUDITOR)
ROLES = tuple(role.value.capitalize() for role in _ORDER)
_NO, _YES = "–", "yes"
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


_OWN = {Role.PATIENT: "own"}
TABLE = (
    Row("Start a case", (_P.CASE_CREATE,), {**_OWN, Role.COORDINATOR: "for a patient"}),
    Row("Change a case before it is sent", (_P.CASE_CHANGE,), {**_OWN, Role.COORDINATOR: "for a patient"}),
    Row("Agree to the texts", (_P.CASE_CONSENT,), _OWN),
    Row("Look for cases", (_P.CASE_SEARCH,), _OWN),
    Row("Write messages", (_P.CASE_MESSAGE,), _OWN),
    Row("Ask after the report", (_P.CASE_FOLLOW_UP,), _OWN),
    Row("Send images", (_P.IMAGES_SEND, _P.CASE_IMAGES_SEND), {**_OWN, Role.HOSPITAL: "own"}),
    Row("See what became of them", (_P.IMAGES_SENT,), {Role.HOSPITAL: "own"}),
    Row(
        "See identified images",
        (_P.IMAGES_ORIGINAL,),
        {**_OWN, Role.HOSPITAL: "what it sent", Role.ADMIN: "yes, recorded"},
    ),
    Row("See what one sender sent", (_P.IMAGES_OF_SENDER,), {Role.ADMIN: "yes, recorded"}),
    Row("Delete images that no case needs", (_P.IMAGES_DELETE,)),
    Row("See de-identified images", (_P.CASE_VIEW,), {Role.SPECIALIST: "granted"}),
    Row("Find the case of a study", (_P.INBOX_MANAGE,)),
    Row("Match, check, release and revoke studies", (_P.CASE_STUDIES, _P.IMAGES_RELEASE)),
    Row("Review pictures, blank, approve", (_P.IMAGES_REVIEW,)),
    Row("Bring a specialist’s objects back to the originals", (_P.IMAGES_REIDENTIFY,)),
    Row("Offer a case", (_P.CASE_OFFER,)),
    Row("Accept, decline", (_P.CASE_ANSWER_OFFER,), {Role.SPECIALIST: "offered"}),
    Row("Write and sign", (_P.REPORT_WRITE, _P.REPORT_SIGN), {Role.SPECIALIST: "assigned"}),
    Row("Publish", (_P.REPORT_PUBLISH,)),
    Row("Read the report", (_P.REPORT_READ,), {**_OWN, Role.SPECIALIST: "own"}),
    Row("See what was earned", (_P.FEES_READ,), {Role.SPECIALIST: "own"}),
    Row("Pay", (_P.CASE_PAY,), _OWN),
    Row("Record a payment made outside", (_P.PAYMENT_RECORD,)),
    Row("Refund", (_P.REFUND_PART, _P.REFUND_ANY), {Role.COORDINATOR: "up to half", Role.ADMIN: "any"}),
    Row("Withdraw", (_P.CASE_WITHDRAW,), _OWN),
    Row("Ask for erasure", (_P.CASE_ASK_ERASURE,), {**_OWN, Role.COORDINATOR: "for the patient"}),
    Row(
        "Erase, as one of two persons",
        (_P.ERASURE_BEGIN, _P.ERASURE_CARRY_OUT),
        {Role.COORDINATOR: "second", Role.ADMIN: "first or second"},
    ),
    Row("See erasures", (_P.ERASURE_READ,)),
    Row("Legal hold", (_P.LEGAL_HOLD,)),
    Row("Plan readings in the worklist", (_P.WORKLIST_SCHEDULE,)),
    Row("Follow the worklist", (_P.WORKLIST_SUBSCRIBE,), {Role.SPECIALIST: "own"}),
    Row("Read hanging protocols, templates and palettes", (_P.NON_PATIENT_READ,)),
    Row("Store and delete them", (_P.NON_PATIENT_STORE,)),
    Row("Record licences", (_P.LICENCE_SET,), {Role.SPECIALIST: "own"}),
    Row("See licences", (_P.LICENCE_READ,), {Role.SPECIALIST: "own"}),
    Row("See what places ask", (_P.PLACE_RULES_READ,)),
    Row("Record what places ask", (_P.PLACE_RULES_SET,)),
    Row("See the options of de-identification", (_P.PROFILES_READ,)),
    Row("Choose the options of de-identification", (_P.PROFILES_CHANGE,)),
    Row("See DICOM peers", (_P.PEERS_READ,)),
    Row("People, peers, programs and prices", (_P.PEOPLE_MANAGE, _P.PEERS_MANAGE, _P.PROGRAMS_MANAGE)),
    Row("Correct the own address", (_P.ACCOUNT_ADDRESS,), {Role.PATIENT: "until confirmed"}),
    Row("Audit log", (_P.AUDIT_READ, _P.CASE_ACCESS_LOG), {Role.PATIENT: "own case", Role.COORDINATOR: "of a case"}),
)
ROWS = tuple(row.line() for row in TABLE)
